"""What a forecast reads from its simulated store when time has run: successes, restarts, devices by ring."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from engine.model.model import Release
from engine.store.values import build_number, seconds, time_of


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
