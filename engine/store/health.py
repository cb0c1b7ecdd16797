"""Keeps how patched and not yet patched devices fare: sums over samples, bounded in number."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from engine.model.model import Release
from engine.rules.rollout.health import KindHealth
from engine.store.values import build_number, moment, seconds, time_of

CONTROL = 0
"""The ring id under which devices that are not patched yet are kept."""
KEPT = 60
"""Readings kept of one release: 15 days at one every 6 hours."""


class Reading(Struct, frozen=True):
    """The devices of one ring and kind at one time."""

    ring_id: int
    health: KindHealth
    names: tuple[str, ...]
    """Some of those that crashed."""


class HealthStore:
    """The health readings of the state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def patched(self, kb: int, ring_id: int, limit: int) -> list[tuple[sqlite3.Row, datetime]]:
        """Devices that took the release in a ring, the latest first, with the time of it."""
        rows = self._db.execute(
            "SELECT d.*, i.finished_at AS patched_at FROM install i JOIN device d ON d.id = i.device_id "
            "WHERE i.kb = ? AND i.ring_id = ? AND i.action = 'apply' AND i.state = 'succeeded' "
            "ORDER BY i.id DESC LIMIT ?",
            (kb, ring_id, limit),
        ).fetchall()
        return [(row, time_of(row["patched_at"])) for row in rows]

    def not_patched(self, release: Release, seen_since: datetime, limit: int) -> list[sqlite3.Row]:
        """Devices of the release's platform below its build that still report."""
        return self._db.execute(
            "SELECT d.* FROM device d WHERE d.platform = ? AND d.build < ? AND d.last_seen_at >= ? "
            "AND d.state <> 'held' LIMIT ?",
            (release.platform, build_number(release.build), seconds(seen_since), limit),
        ).fetchall()

    def last_success_at(self, kb: int) -> datetime | None:
        row = self._db.execute(
            "SELECT max(finished_at) FROM install WHERE kb = ? AND action = 'apply' AND state = 'succeeded'", (kb,)
        ).fetchone()
        return moment(row[0])

    def add(self, kb: int, at: datetime, readings: Iterable[Reading]) -> None:
        """Write the readings of one time and drop those that are too old to matter."""
        self._db.executemany(
            "INSERT OR REPLACE INTO health_reading VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    kb,
                    seconds(at),
                    each.ring_id,
                    each.health.kind,
                    each.health.devices,
                    each.health.crashed,
                    each.health.restarted,
                    each.health.failed,
                    each.health.cpu,
                    each.health.memory,
                    json.dumps(each.names),
                )
                for each in readings
            ),
        )
        self._db.execute(
            "DELETE FROM health_reading WHERE kb = ? AND at NOT IN "
            "(SELECT DISTINCT at FROM health_reading WHERE kb = ? ORDER BY at DESC LIMIT ?)",
            (kb, kb, KEPT),
        )

    def latest(self, kb: int) -> tuple[datetime | None, Sequence[Reading]]:
        """The newest readings of a release, and when they were taken."""
        rows = self._db.execute(
            "SELECT * FROM health_reading WHERE kb = ? AND at = (SELECT max(at) FROM health_reading WHERE kb = ?) "
            "ORDER BY ring_id, kind",
            (kb, kb),
        ).fetchall()
        return (time_of(rows[0]["at"]) if rows else None), [_reading(row) for row in rows]


def _reading(row: sqlite3.Row) -> Reading:
    health = KindHealth(
        kind=row["kind"],
        devices=row["devices"],
        crashed=row["crashed"],
        restarted=row["restarted"],
        failed=row["failed"],
        cpu=row["cpu"],
        memory=row["memory"],
    )
    return Reading(row["ring_id"], health, tuple(json.loads(row["names"])))
