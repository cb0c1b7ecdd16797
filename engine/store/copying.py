"""What a forecast asks of stores: a copy of all that was decided and of the fleet or a cross-section of it, to be run
ahead, and sums over the installs of that copy when time has run."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from datetime import datetime

from engine.model.model import Release
from engine.store.values import build_number, seconds, time_of

_LEFT_BEHIND = frozenset(
    {
        "audit",
        "build_count",
        "build_flow",
        "build_seen",
        "change",
        "closed_month",
        "closed_month_count",
        "cve",
        "device_count",
        "document",
        "fix",
        "lease",
        "open_case",
        "provider",
        "reason_count",
        "release",
        "device",
    }
)
"""Kept by the target itself, not needed by decisions, or copied in their own way."""
_NOT_COPIED_SETTINGS = ("audit-head", "demo")


def copy_for_forecast(
    source: sqlite3.Connection, target: sqlite3.Connection, now: datetime, per_ring: int
) -> Mapping[int, float]:
    """Fill an empty state with another, as one consistent picture, inside a transaction of the caller's on the target.

    Releases that are not published yet stay behind: a forecast must not know them. Rings of more than `per_ring`
    devices are thinned evenly. Devices in no ring stay behind: no release reaches them.
    Returns ring id → how many real devices one copied device stands for.
    """
    from sqlite_utils import Database

    from engine.store.schema import drop_keeping_triggers

    source.execute("BEGIN")
    try:
        target.execute("PRAGMA defer_foreign_keys = ON")
        # Nobody asks a forecast what an overview judges.
        drop_keeping_triggers(Database(target, execute_plugins=False))
        of_devices, whole = _tables(target)
        target.execute("DELETE FROM setting")
        for table in whole:
            _copy(source, target, table, "1", ())
        _copy(source, target, "release", "released_at <= ?", (seconds(now),))
        marks = ", ".join("?" * len(_NOT_COPIED_SETTINGS))
        target.execute(f"DELETE FROM setting WHERE name IN ({marks})", _NOT_COPIED_SETTINGS)
        weights = {}
        for ring_id, devices in source.execute("SELECT ring_id, count(*) FROM device GROUP BY 1").fetchall():
            if ring_id is None:
                continue
            step = math.ceil(devices / per_ring)
            chosen = "SELECT id FROM device WHERE ring_id = ? AND id % ? = 0"
            _copy(source, target, "device", f"id IN ({chosen})", (ring_id, step))
            for table in of_devices:
                _copy(source, target, table, f"device_id IN ({chosen})", (ring_id, step))
            copied = target.execute("SELECT count(*) FROM device WHERE ring_id = ?", (ring_id,)).fetchone()[0]
            weights[ring_id] = devices / copied if copied else 1.0
        # Devices of every system are simulated, so that they go on checking in while time passes.
        target.execute(
            "UPDATE device SET external_id = provider || '/' || external_id, provider = 'simulated' "
            "WHERE provider <> 'simulated'"
        )
    finally:
        source.execute("ROLLBACK")
    return weights


def _tables(connection: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """Tables with a row a device, and those that are copied whole; a new table is copied without being named here."""
    of_devices: list[str] = []
    whole: list[str] = []
    for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        name = row["name"]
        if name in _LEFT_BEHIND or name.startswith(("sqlite_", "_", "tenant_")):
            continue
        columns = [each["name"] for each in connection.execute(f"PRAGMA table_info({name})")]
        (of_devices if "device_id" in columns else whole).append(name)
    return of_devices, whole


def _copy(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str, where: str, params: tuple[object, ...]
) -> None:
    columns = [row["name"] for row in source.execute(f"PRAGMA table_info({table})")]
    marks = ", ".join("?" * len(columns))
    rows = source.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}", params)
    target.executemany(
        f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})", (tuple(row) for row in rows)
    )


class OutlookStore:
    """Sums over the installs of one release."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def successes(self, kb: int) -> list[tuple[datetime, int, str]]:
        """(when, ring id, device) of every install of a release that succeeded, in the order of time."""
        rows = self._db.execute(
            "SELECT i.finished_at, d.ring_id, d.name FROM install i JOIN device d ON d.id = i.device_id "
            "WHERE i.kb = ? AND i.action = 'apply' AND i.state = 'succeeded' ORDER BY 1, 3",
            (kb,),
        )
        return [(time_of(row[0]), row[1], row[2]) for row in rows]

    def restarts(self, kb: int, since: datetime) -> dict[int, int]:
        """Ring id → restarts that installs of a release asked for since then have caused."""
        rows = self._db.execute(
            "SELECT d.ring_id, count(*) FROM install i JOIN device d ON d.id = i.device_id "
            "WHERE i.kb = ? AND i.requested_at >= ? AND i.restarted = 1 GROUP BY 1",
            (kb, seconds(since)),
        )
        return {row[0]: row[1] for row in rows}

    def standing(self, release: Release) -> dict[int, tuple[int, int]]:
        """Ring id → (devices on the release's platform, those at its build or later)."""
        rows = self._db.execute(
            "SELECT ring_id, count(*), sum(ifnull(build, 0) >= ?) FROM device WHERE platform = ? GROUP BY 1",
            (build_number(release.build) or 2**62, release.platform),
        )
        return {row[0]: (row[1], row[2]) for row in rows}
