"""Counts how given devices stand: their states, rings, open installs and exclusions, for the audit's before and after.

`engine.changes.before_after` calls it. It reads; the ids travel as one bound JSON text, so that a million of them fit.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

_OF = "IN (SELECT value FROM json_each(?))"


class StandingStore:
    """Sums over chosen devices."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def states(self, device_ids: Sequence[int]) -> dict[str, int]:
        """State of devices → how many of them."""
        return self._sums(f"SELECT state, count(*) FROM device WHERE id {_OF} GROUP BY 1 ORDER BY 1", device_ids)

    def rings(self, device_ids: Sequence[int]) -> dict[str, int]:
        """Ring → how many of the devices; "" for no ring."""
        return self._sums(
            "SELECT ifnull(r.name, ''), count(*) FROM device d LEFT JOIN ring r ON r.id = d.ring_id "
            f"WHERE d.id {_OF} GROUP BY 1 ORDER BY 1",
            device_ids,
        )

    def under_way(self, device_ids: Sequence[int]) -> dict[str, int]:
        """``apply KB5089466`` → how many of the devices have such an install that has not ended."""
        return self._sums(
            "SELECT action || ' KB' || kb, count(*) FROM install "
            f"WHERE state NOT IN ('succeeded', 'failed', 'uninstalled', 'cancelled') AND device_id {_OF} "
            "GROUP BY 1 ORDER BY 1",
            device_ids,
        )

    def excluded(self, device_ids: Sequence[int]) -> int:
        """How many of the devices are kept from some release."""
        row = self._db.execute(
            f"SELECT count(DISTINCT device_id) FROM exclusion WHERE lifted_at IS NULL AND device_id {_OF}",
            (json.dumps(list(device_ids)),),
        ).fetchone()
        return int(row[0])

    def devices(self) -> int:
        """How many devices the fleet has, from the kept totals."""
        return int(self._db.execute("SELECT ifnull(sum(devices), 0) FROM device_count").fetchone()[0])

    def releases(self) -> int:
        """How many releases the catalog holds, by platform."""
        return int(self._db.execute("SELECT count(*) FROM release").fetchone()[0])

    def _sums(self, sql: str, device_ids: Sequence[int]) -> dict[str, int]:
        return {row[0]: row[1] for row in self._db.execute(sql, (json.dumps(list(device_ids)),))}
