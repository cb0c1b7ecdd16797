"""Migrations 1 to 8: state, catalog, fleet, rollout, installs, audit, rules, failures. Released: never edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.store.schema.counting import create_count_triggers
from engine.store.schema.register import migrations
from engine.store.schema.script import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database


@migrations()
def m001_state(db: Database) -> None:
    """What the file is about: the change number, the clock of a demo, remembered settings, the lease."""
    run_script(
        db,
        """
        CREATE TABLE change (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL);
        INSERT INTO change VALUES (1, 0);
        CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE lease (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            holder TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
            taken_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
        );
        """,
    )


@migrations()
def m002_catalog(db: Database) -> None:
    """Releases, vulnerabilities, and which release fixes which vulnerability."""
    run_script(
        db,
        """
        CREATE TABLE release (
            kb INTEGER NOT NULL, platform TEXT NOT NULL, kind TEXT NOT NULL, month TEXT NOT NULL,
            released_at INTEGER NOT NULL, build INTEGER, architectures TEXT NOT NULL,
            restart_required INTEGER NOT NULL, source TEXT NOT NULL, provisional INTEGER NOT NULL,
            PRIMARY KEY (kb, platform)
        ) WITHOUT ROWID;
        CREATE INDEX release_by_time ON release (platform, released_at);
        CREATE TABLE cve (
            id TEXT PRIMARY KEY, title TEXT NOT NULL, severity TEXT NOT NULL, cvss REAL,
            exploited INTEGER NOT NULL, disclosed INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE fix (
            kb INTEGER NOT NULL, platform TEXT NOT NULL, architecture TEXT NOT NULL, cve TEXT NOT NULL,
            filed TEXT NOT NULL, build INTEGER,
            PRIMARY KEY (kb, platform, architecture, cve)
        ) WITHOUT ROWID;
        CREATE TABLE document (
            month TEXT PRIMARY KEY, revision INTEGER NOT NULL, revised_at INTEGER NOT NULL, etag TEXT NOT NULL
        ) WITHOUT ROWID;
        """,
    )


@migrations()
def m003_fleet(db: Database) -> None:
    """Rings and devices, with what readiness and the calendar make of each device."""
    run_script(
        db,
        """
        CREATE TABLE ring (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, position INTEGER NOT NULL UNIQUE,
            deferral_days INTEGER NOT NULL, deadline_days INTEGER NOT NULL, grace_days INTEGER NOT NULL,
            max_in_flight INTEGER NOT NULL, gate TEXT NOT NULL
        );
        CREATE TABLE device (
            id INTEGER PRIMARY KEY,
            provider TEXT NOT NULL, external_id TEXT NOT NULL,
            name TEXT NOT NULL, name_key TEXT NOT NULL,
            user TEXT NOT NULL, user_name TEXT NOT NULL, user_key TEXT NOT NULL, domain TEXT NOT NULL,
            search_key TEXT NOT NULL DEFAULT '',
            serial TEXT NOT NULL, asset_tag TEXT NOT NULL, site TEXT NOT NULL, form TEXT NOT NULL,
            model TEXT NOT NULL, driver TEXT NOT NULL, cores INTEGER,
            platform TEXT, architecture TEXT, edition TEXT NOT NULL, build INTEGER,
            licence TEXT NOT NULL, management TEXT NOT NULL, policy TEXT NOT NULL, policy_name TEXT NOT NULL,
            subscription TEXT NOT NULL, vbs TEXT NOT NULL, chpe TEXT NOT NULL,
            restart_pending INTEGER, boot_at INTEGER, last_seen_at INTEGER,
            ring_id INTEGER REFERENCES ring (id),
            verdict TEXT NOT NULL DEFAULT 'unknown',
            eligible INTEGER, enrolled INTEGER,
            reasons TEXT NOT NULL DEFAULT '',
            track TEXT NOT NULL DEFAULT 'unknown',
            protected INTEGER NOT NULL DEFAULT 0,
            stale_at INTEGER,
            state TEXT NOT NULL DEFAULT 'idle',
            UNIQUE (provider, external_id)
        );
        -- search_key in it: a search by part of a name or user reads this index alone, in the order of the list.
        CREATE INDEX device_by_name ON device (name_key, id, search_key);
        CREATE INDEX device_by_ring_state ON device (ring_id, state, name_key, id);
        CREATE INDEX device_by_state ON device (state, name_key, id);
        CREATE INDEX device_by_verdict ON device (verdict, name_key, id, reasons);
        CREATE INDEX device_by_ring ON device (ring_id, name_key, id);
        CREATE INDEX device_by_platform ON device (platform, name_key, id);
        CREATE INDEX device_by_build ON device (build, name_key, id);
        CREATE INDEX device_by_site ON device (site, name_key, id);
        CREATE INDEX device_by_model ON device (model, name_key, id);
        CREATE INDEX device_by_track ON device (track, name_key, id);
        CREATE INDEX device_by_progress ON device (platform, ring_id, build, verdict, state);
        CREATE INDEX device_by_last_seen ON device (last_seen_at, name_key, id);
        CREATE INDEX device_by_restart ON device (name_key, id) WHERE restart_pending = 1;
        CREATE INDEX device_by_stale ON device (stale_at) WHERE stale_at IS NOT NULL;
        CREATE INDEX device_by_user ON device (user_key, name_key, id);

        -- Totals kept with the writes: a million devices are counted by reading a few hundred rows.
        CREATE TABLE device_count (
            ring_id INTEGER NOT NULL, platform TEXT NOT NULL, verdict TEXT NOT NULL, state TEXT NOT NULL,
            eligible INTEGER NOT NULL, enrolled INTEGER NOT NULL, track TEXT NOT NULL, protected INTEGER NOT NULL,
            devices INTEGER NOT NULL,
            PRIMARY KEY (ring_id, platform, verdict, state, eligible, enrolled, track, protected)
        ) WITHOUT ROWID;
        """,
    )
    create_count_triggers(db)


@migrations()
def m004_rollout(db: Database) -> None:
    """Approvals, the rings they have opened, and what an operator has stopped."""
    run_script(
        db,
        """
        CREATE TABLE approval (
            id INTEGER PRIMARY KEY, kb INTEGER NOT NULL, rings TEXT NOT NULL, reason TEXT NOT NULL,
            approved_by TEXT NOT NULL, approved_at INTEGER NOT NULL,
            not_before INTEGER, expires_at INTEGER, withdrawn_at INTEGER, withdrawn_by TEXT NOT NULL DEFAULT ''
        );
        CREATE INDEX approval_by_kb ON approval (kb);
        CREATE TABLE ring_opening (
            kb INTEGER NOT NULL, ring_id INTEGER NOT NULL REFERENCES ring (id), opened_at INTEGER NOT NULL,
            PRIMARY KEY (kb, ring_id)
        ) WITHOUT ROWID;
        CREATE TABLE stop (
            id INTEGER PRIMARY KEY, kind TEXT NOT NULL, ring_id INTEGER, kb INTEGER,
            reason TEXT NOT NULL, stopped_by TEXT NOT NULL, stopped_at INTEGER NOT NULL,
            lifted_by TEXT NOT NULL DEFAULT '', lifted_at INTEGER
        );
        CREATE TABLE exclusion (
            id INTEGER PRIMARY KEY, device_id INTEGER NOT NULL REFERENCES device (id), kb INTEGER,
            until_baseline INTEGER NOT NULL, until_at INTEGER,
            reason TEXT NOT NULL, excluded_by TEXT NOT NULL, excluded_at INTEGER NOT NULL, lifted_at INTEGER
        );
        CREATE INDEX exclusion_by_device ON exclusion (device_id) WHERE lifted_at IS NULL;
        """,
    )


@migrations()
def m005_installs(db: Database) -> None:
    """One row an attempt. The partial unique index is the promise that no device is worked on twice at once."""
    run_script(
        db,
        """
        CREATE TABLE install (
            id INTEGER PRIMARY KEY, device_id INTEGER NOT NULL REFERENCES device (id),
            ring_id INTEGER, kb INTEGER NOT NULL, platform TEXT NOT NULL, action TEXT NOT NULL,
            state TEXT NOT NULL, stage TEXT NOT NULL, progress INTEGER NOT NULL, attempt INTEGER NOT NULL,
            by_hand INTEGER NOT NULL, requested_at INTEGER NOT NULL, requested_by TEXT NOT NULL,
            started_at INTEGER, finished_at INTEGER, next_at INTEGER,
            error_code INTEGER, open_failure INTEGER NOT NULL DEFAULT 0,
            build_before INTEGER, build_after INTEGER, restarted INTEGER NOT NULL DEFAULT 0,
            follow_up_kb INTEGER, reason TEXT NOT NULL
        );
        CREATE INDEX install_by_device ON install (device_id, id);
        -- The last two for the list of releases, which then counts millions of installs in this index alone.
        CREATE INDEX install_by_release ON install (kb, ring_id, action, state, platform, open_failure);
        CREATE INDEX install_due ON install (next_at) WHERE next_at IS NOT NULL;
        CREATE INDEX install_open_failure ON install (error_code, device_id) WHERE open_failure = 1;
        CREATE UNIQUE INDEX install_one_active ON install (device_id)
            WHERE state NOT IN ('succeeded', 'failed', 'uninstalled', 'cancelled');
        """,
    )


@migrations()
def m006_audit(db: Database) -> None:
    """The chain of decisions. Triggers refuse what an append-only record must never suffer."""
    run_script(
        db,
        """
        CREATE TABLE audit (
            seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
            kb INTEGER, body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
        );
        CREATE INDEX audit_by_kb ON audit (kb, seq) WHERE kb IS NOT NULL;
        CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
            BEGIN SELECT RAISE (ABORT, 'the audit is append-only'); END;
        CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
            BEGIN SELECT RAISE (ABORT, 'the audit is append-only'); END;
        """,
    )


@migrations()
def m007_rollout_rules(db: Database) -> None:
    """Waves, windows and members of rings; second signatures; health after patching; recoveries; safeguard holds."""
    run_script(
        db,
        """
        ALTER TABLE ring ADD COLUMN rules TEXT NOT NULL DEFAULT '{}';
        CREATE TABLE ring_pin (device_id INTEGER PRIMARY KEY REFERENCES device (id));
        ALTER TABLE approval ADD COLUMN needs_second INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE approval ADD COLUMN seconded_by TEXT NOT NULL DEFAULT '';
        ALTER TABLE approval ADD COLUMN seconded_at INTEGER;
        -- Sums over a sample of devices of one kind, never a row a device. ring_id 0: devices not patched yet.
        CREATE TABLE health_reading (
            kb INTEGER NOT NULL, at INTEGER NOT NULL, ring_id INTEGER NOT NULL, kind TEXT NOT NULL,
            devices INTEGER NOT NULL, crashed INTEGER NOT NULL, restarted INTEGER NOT NULL, failed INTEGER NOT NULL,
            cpu REAL NOT NULL, memory REAL NOT NULL, names TEXT NOT NULL,
            PRIMARY KEY (kb, at, ring_id, kind)
        ) WITHOUT ROWID;
        CREATE TABLE recovery (
            id INTEGER PRIMARY KEY, kb INTEGER NOT NULL, then_lcu INTEGER NOT NULL, target TEXT NOT NULL,
            reason TEXT NOT NULL, begun_by TEXT NOT NULL, begun_at INTEGER NOT NULL, ended_at INTEGER
        );
        CREATE TABLE recovery_device (
            recovery_id INTEGER NOT NULL REFERENCES recovery (id), device_id INTEGER NOT NULL REFERENCES device (id),
            joined_at INTEGER NOT NULL, PRIMARY KEY (recovery_id, device_id)
        ) WITHOUT ROWID;
        CREATE INDEX recovery_of_device ON recovery_device (device_id);
        CREATE TABLE safeguard (
            id INTEGER PRIMARY KEY, kb INTEGER, filter TEXT NOT NULL, reason TEXT NOT NULL,
            held_by TEXT NOT NULL, held_at INTEGER NOT NULL, lifted_by TEXT NOT NULL DEFAULT '', lifted_at INTEGER
        );
        """,
    )


@migrations()
def m008_failure_care(db: Database) -> None:
    """What is done about failures: when each was noticed, escalations, known problems; ways to find a device."""
    run_script(
        db,
        """
        ALTER TABLE install ADD COLUMN detected_at INTEGER;
        CREATE INDEX install_failed ON install (finished_at) WHERE state = 'failed';
        ALTER TABLE exclusion ADD COLUMN lifted_by TEXT NOT NULL DEFAULT '';
        CREATE INDEX exclusion_by_expiry ON exclusion (until_at) WHERE lifted_at IS NULL AND until_at IS NOT NULL;
        CREATE TABLE escalation (
            id INTEGER PRIMARY KEY, code INTEGER, owner TEXT NOT NULL, reason TEXT NOT NULL, due_at INTEGER NOT NULL,
            escalated_by TEXT NOT NULL, escalated_at INTEGER NOT NULL,
            ended_by TEXT NOT NULL DEFAULT '', ended_at INTEGER, outcome TEXT NOT NULL DEFAULT ''
        );
        CREATE TABLE escalation_device (
            escalation_id INTEGER NOT NULL REFERENCES escalation (id),
            device_id INTEGER NOT NULL REFERENCES device (id), PRIMARY KEY (escalation_id, device_id)
        ) WITHOUT ROWID;
        CREATE INDEX escalation_of_device ON escalation_device (device_id);
        CREATE TABLE known_problem (
            id INTEGER PRIMARY KEY, title TEXT NOT NULL, code INTEGER, kb INTEGER, filter TEXT NOT NULL,
            note TEXT NOT NULL, safeguard_id INTEGER REFERENCES safeguard (id),
            marked_by TEXT NOT NULL, marked_at INTEGER NOT NULL,
            lifted_by TEXT NOT NULL DEFAULT '', lifted_at INTEGER
        );
        CREATE INDEX device_by_serial ON device (serial COLLATE NOCASE, id);
        CREATE INDEX device_by_asset_tag ON device (asset_tag COLLATE NOCASE, id);
        """,
    )
