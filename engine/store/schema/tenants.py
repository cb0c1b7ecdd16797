"""Migrations 10 to 12: providers, what a tenant has told, and what it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.store.schema.register import migrations
from engine.store.schema.script import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database


@migrations()
def m010_providers(db: Database) -> None:
    """The systems that reach devices, as an operator has named them. Never a secret: only where secrets are kept."""
    run_script(
        db,
        """
        CREATE TABLE provider (
            name TEXT PRIMARY KEY COLLATE NOCASE, kind TEXT NOT NULL, config TEXT NOT NULL,
            writes INTEGER NOT NULL DEFAULT 0, added_by TEXT NOT NULL, added_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        """,
    )


@migrations()
def m011_tenant_inventory(db: Database) -> None:
    """What a tenant has told of its devices, page by page, so that a pull goes on where it was killed."""
    run_script(
        db,
        """
        CREATE TABLE tenant_pull (
            provider TEXT PRIMARY KEY COLLATE NOCASE, number INTEGER NOT NULL, stage TEXT NOT NULL,
            cursor TEXT NOT NULL, tally TEXT NOT NULL, picture TEXT NOT NULL DEFAULT '',
            begun_at INTEGER NOT NULL, moved_at INTEGER NOT NULL, finished_at INTEGER, oldest_at INTEGER,
            policies_read INTEGER NOT NULL DEFAULT 0, enrolment_read INTEGER NOT NULL DEFAULT 0,
            faults TEXT NOT NULL DEFAULT '{}',
            -- What kept the last attempt from going on, whether signing in would help, and when to try again.
            problem TEXT NOT NULL DEFAULT '', problem_kind TEXT NOT NULL DEFAULT '', problem_at INTEGER,
            holder TEXT NOT NULL DEFAULT '', host TEXT NOT NULL DEFAULT '', pid INTEGER NOT NULL DEFAULT 0,
            claimed_until INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        -- `pull` is the number of the last pull that listed it; detail_for the sync whose details were read.
        CREATE TABLE tenant_device (
            id INTEGER PRIMARY KEY, provider TEXT NOT NULL COLLATE NOCASE, intune_id TEXT NOT NULL COLLATE NOCASE,
            entra_id TEXT NOT NULL COLLATE NOCASE, object_id TEXT NOT NULL DEFAULT '',
            user_id TEXT NOT NULL COLLATE NOCASE, synced_at INTEGER, pull INTEGER NOT NULL,
            listed TEXT NOT NULL, listed_at INTEGER NOT NULL,
            detail TEXT, detail_for INTEGER, detail_at INTEGER,
            enrolment TEXT, enrolment_errors TEXT NOT NULL DEFAULT '', enrolment_pull INTEGER, enrolment_at INTEGER,
            UNIQUE (provider, intune_id)
        );
        CREATE INDEX tenant_device_by_entra ON tenant_device (provider, entra_id) WHERE entra_id <> '';
        CREATE INDEX tenant_device_by_user ON tenant_device (provider, user_id) WHERE user_id <> '';
        CREATE TABLE tenant_user (
            provider TEXT NOT NULL COLLATE NOCASE, user_id TEXT NOT NULL COLLATE NOCASE,
            licence TEXT NOT NULL, note TEXT NOT NULL, read_at INTEGER NOT NULL, PRIMARY KEY (provider, user_id)
        ) WITHOUT ROWID;
        -- Which groups a ring or a policy is assigned to, and who is in them.
        CREATE TABLE tenant_assignment (
            provider TEXT NOT NULL COLLATE NOCASE, kind TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,
            is_ring INTEGER NOT NULL, allows INTEGER, group_id TEXT NOT NULL COLLATE NOCASE, excluded INTEGER NOT NULL,
            PRIMARY KEY (provider, group_id, key, excluded)
        ) WITHOUT ROWID;
        CREATE TABLE tenant_group (
            provider TEXT NOT NULL COLLATE NOCASE, group_id TEXT NOT NULL COLLATE NOCASE,
            pull INTEGER NOT NULL, read_at INTEGER NOT NULL, PRIMARY KEY (provider, group_id)
        ) WITHOUT ROWID;
        CREATE TABLE tenant_member (
            provider TEXT NOT NULL COLLATE NOCASE, group_id TEXT NOT NULL COLLATE NOCASE, kind TEXT NOT NULL,
            member_id TEXT NOT NULL COLLATE NOCASE, pull INTEGER NOT NULL,
            PRIMARY KEY (provider, group_id, kind, member_id)
        ) WITHOUT ROWID;
        CREATE INDEX tenant_member_by_id ON tenant_member (provider, kind, member_id);
        """,
    )


@migrations()
def m012_tenant_rings(db: Database) -> None:
    """Rings as a tenant keeps them, and the requests that go to it: written with the decision, sent afterwards."""
    run_script(
        db,
        """
        CREATE TABLE tenant_ring (
            ring_id INTEGER PRIMARY KEY REFERENCES ring (id), provider TEXT NOT NULL COLLATE NOCASE,
            key TEXT NOT NULL, body TEXT NOT NULL, told_at INTEGER NOT NULL,
            -- Since when the tenant does not have it any more; what it changed last by itself, and when that was seen.
            gone_at INTEGER, changed TEXT NOT NULL DEFAULT '', changed_at INTEGER,
            UNIQUE (provider, key)
        );
        CREATE TABLE tenant_policy (
            provider TEXT NOT NULL COLLATE NOCASE, key TEXT NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (provider, key)
        ) WITHOUT ROWID;
        -- What a KB is called in the tenant's catalogs; one item holds the KBs of a month together.
        CREATE TABLE tenant_item (
            provider TEXT NOT NULL COLLATE NOCASE, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (provider, kind, key)
        ) WITHOUT ROWID;
        CREATE TABLE tenant_approval (
            provider TEXT NOT NULL COLLATE NOCASE, policy TEXT NOT NULL, item TEXT NOT NULL, status TEXT NOT NULL,
            approval TEXT NOT NULL, told_at INTEGER NOT NULL, PRIMARY KEY (provider, policy, item)
        ) WITHOUT ROWID;
        CREATE TABLE tenant_told (
            provider TEXT PRIMARY KEY COLLATE NOCASE, read_at INTEGER NOT NULL, untold TEXT NOT NULL,
            approvals_of TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE tenant_request (
            id INTEGER PRIMARY KEY, provider TEXT NOT NULL COLLATE NOCASE, wish TEXT NOT NULL,
            method TEXT NOT NULL, version TEXT NOT NULL, path TEXT NOT NULL, body TEXT NOT NULL, why TEXT NOT NULL,
            kb INTEGER, ring_key TEXT NOT NULL, ring_id INTEGER, device_id INTEGER, rings TEXT NOT NULL,
            policy TEXT NOT NULL, item TEXT NOT NULL,
            asked_by TEXT NOT NULL, asked_at INTEGER NOT NULL,
            state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, claim TEXT NOT NULL DEFAULT '',
            claimed_until INTEGER, uncertain INTEGER NOT NULL DEFAULT 0, next_at INTEGER,
            sent_at INTEGER, answered_at INTEGER, status INTEGER, request_id TEXT NOT NULL DEFAULT '',
            said TEXT NOT NULL DEFAULT '', created TEXT NOT NULL DEFAULT '', looks INTEGER NOT NULL DEFAULT 0,
            confirmed_at INTEGER
        );
        CREATE INDEX tenant_request_open ON tenant_request (provider, id) WHERE state IN ('waiting', 'sending');
        CREATE INDEX tenant_request_unconfirmed ON tenant_request (next_at) WHERE state = 'accepted';
        CREATE INDEX tenant_request_refused ON tenant_request (answered_at) WHERE state = 'refused';
        -- What the tenant's reports said last of devices and updates, and the exports that were asked for.
        CREATE TABLE tenant_outcome (
            id INTEGER PRIMARY KEY, provider TEXT NOT NULL COLLATE NOCASE, policy TEXT NOT NULL, source TEXT NOT NULL,
            intune_id TEXT NOT NULL COLLATE NOCASE, course TEXT NOT NULL, code INTEGER, words TEXT NOT NULL,
            kb INTEGER, released TEXT, at INTEGER, pull INTEGER NOT NULL,
            UNIQUE (provider, intune_id, policy, source, course)
        );
        CREATE TABLE tenant_export (
            provider TEXT NOT NULL COLLATE NOCASE, policy TEXT NOT NULL, report TEXT NOT NULL,
            job TEXT NOT NULL, state TEXT NOT NULL, asked_at INTEGER NOT NULL, next_at INTEGER NOT NULL,
            looks INTEGER NOT NULL, said TEXT NOT NULL, PRIMARY KEY (provider, policy, report)
        ) WITHOUT ROWID;
        -- Which approvals are shown on the devices of which rings, so that it is done once.
        CREATE TABLE tenant_shown (
            kb INTEGER NOT NULL, ring_id INTEGER NOT NULL, provider TEXT NOT NULL COLLATE NOCASE,
            approval_id INTEGER NOT NULL, PRIMARY KEY (kb, ring_id)
        ) WITHOUT ROWID;
        -- Installs that nobody drives: a tenant has accepted the approval and the device acts by itself.
        CREATE INDEX install_requested ON install (kb, platform, device_id) WHERE state = 'offered' AND next_at IS NULL;
        """,
    )
