"""Finds the devices of a ring that have not got a release, with what is needed to say why."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from msgspec import Struct

from engine.model.model import DeviceState, Release, Verdict
from engine.store.values import build_number, moment, seconds


class MissingRow(Struct, frozen=True):
    """A device below a release's build."""

    device_id: int
    name: str
    user: str
    ring: str
    verdict: Verdict
    reasons: tuple[str, ...]
    state: DeviceState
    held: bool
    stale: bool
    last_seen_at: datetime | None
    restart_pending_since: datetime | None


class LateStore:
    """Devices without a release."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def missing(self, release: Release, ring_id: int, now: datetime, limit: int) -> tuple[MissingRow, ...]:
        """Devices of a ring on the release's platform that are below its build, by name."""
        rows = self._db.execute(
            "SELECT d.*, ifnull(r.name, '') AS ring, d.stale_at <= ? AS stale, "
            "EXISTS (SELECT 1 FROM exclusion x WHERE x.device_id = d.id AND x.lifted_at IS NULL) AS held, "
            "(SELECT ifnull(i.started_at, i.requested_at) FROM install i WHERE i.device_id = d.id "
            "AND i.next_at IS NOT NULL AND i.state = 'restart-pending') AS pending_since "
            "FROM device d LEFT JOIN ring r ON r.id = d.ring_id "
            "WHERE d.platform = ? AND d.ring_id = ? AND ifnull(d.build, 0) < ? ORDER BY d.name_key LIMIT ?",
            (seconds(now), release.platform, ring_id, build_number(release.build) or 2**62, limit),
        )
        return tuple(
            MissingRow(
                device_id=row["id"],
                name=row["name"],
                user=row["user"],
                ring=row["ring"],
                verdict=Verdict(row["verdict"]),
                reasons=tuple(part for part in row["reasons"].split(",") if part),
                state=DeviceState(row["state"]),
                held=bool(row["held"]),
                stale=bool(row["stale"]),
                last_seen_at=moment(row["last_seen_at"]),
                restart_pending_since=moment(row["pending_since"]),
            )
            for row in rows
        )
