"""Migration 9: what proves protection and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.store.schema.register import migrations
from engine.store.schema.script import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database


@migrations()
def m009_evidence(db: Database) -> None:
    """What was seen on devices that no install of ours explains; the proof behind compliance."""
    run_script(
        db,
        """
        -- A build that an import or a check-in told first at this time. Steps of our installs stand in `install`.
        CREATE TABLE build_seen (
            device_id INTEGER NOT NULL REFERENCES device (id), at INTEGER NOT NULL, build INTEGER NOT NULL,
            PRIMARY KEY (device_id, at)
        ) WITHOUT ROWID;
        CREATE INDEX build_seen_by_time ON build_seen (at, device_id, build);
        -- A device that no install tells of was there when it was last heard from; nothing older is known of it.
        INSERT INTO build_seen SELECT id, last_seen_at, build FROM device d
            WHERE build IS NOT NULL AND last_seen_at IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM install i WHERE i.device_id = d.id);
        -- What changed builds, in the order of time: compliance and cost read these alone.
        CREATE INDEX install_done ON install (finished_at, device_id, build_after, kb, restarted)
            WHERE state = 'succeeded';
        CREATE INDEX install_undone ON install (finished_at, device_id, build_after, kb, restarted)
            WHERE state = 'uninstalled';
        -- Compliance of months that have closed, as it was measured then; devices leave and change rings later.
        CREATE TABLE closed_month (
            month TEXT PRIMARY KEY, released_at INTEGER NOT NULL, until_at INTEGER NOT NULL,
            measured_at INTEGER NOT NULL, releases TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE closed_month_count (
            month TEXT NOT NULL REFERENCES closed_month (month) ON DELETE CASCADE,
            platform TEXT NOT NULL, ring_id INTEGER NOT NULL, site TEXT NOT NULL,
            devices INTEGER NOT NULL, arrived INTEGER NOT NULL, steps TEXT NOT NULL,
            PRIMARY KEY (month, platform, ring_id, site)
        ) WITHOUT ROWID;
        -- What is told late of a closed month opens it again.
        CREATE TRIGGER build_seen_late AFTER INSERT ON build_seen
            WHEN EXISTS (SELECT 1 FROM closed_month WHERE until_at >= new.at AND released_at <= new.at) BEGIN
            DELETE FROM closed_month WHERE until_at >= new.at AND released_at <= new.at; END;
        """,
    )
