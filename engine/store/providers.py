"""Keeps the systems that reach devices: their names, how they are reached, whether they may be written to."""

from __future__ import annotations

import sqlite3

from engine.model.records.fleet import ProviderRow
from engine.store.values import seconds, time_of

STEERED = "d.provider IN (SELECT name FROM provider WHERE kind = 'graph')"
"""Nothing is ordered on these devices one by one. A condition over device alias ``d``."""
TENANT = "(SELECT p.name FROM provider p WHERE p.name = d.provider AND p.kind = 'graph')"
"""The tenant that leads a device, or NULL; a search by key, for lists that show a few rows."""


class ProviderStore:
    """The providers of the state file; the simulated one of a demo is not among them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def all(self) -> tuple[ProviderRow, ...]:
        """Every provider, by name."""
        return tuple(_row(each) for each in self._db.execute("SELECT * FROM provider ORDER BY name"))

    def find(self, name: str) -> ProviderRow | None:
        """The provider of that name, whatever its case."""
        found = self._db.execute("SELECT * FROM provider WHERE name = ?", (name,)).fetchone()
        return None if found is None else _row(found)

    def add(self, row: ProviderRow) -> None:
        """Keep a new one; its name must be free."""
        self._db.execute(
            "INSERT INTO provider (name, kind, config, writes, added_by, added_at) VALUES (?, ?, ?, ?, ?, ?)",
            (row.name, row.kind, row.config, int(row.writes), row.added_by, seconds(row.added_at)),
        )

    def switch_writes(self, name: str, *, on: bool) -> None:
        self._db.execute("UPDATE provider SET writes = ? WHERE name = ?", (int(on), name))

    def remove(self, name: str) -> None:
        """Forget it; its devices stay."""
        self._db.execute("DELETE FROM provider WHERE name = ?", (name,))

    def device_count(self, name: str) -> int:
        """How many devices it has told of."""
        return int(self._db.execute("SELECT count(*) FROM device WHERE provider = ?", (name,)).fetchone()[0])


def _row(row: sqlite3.Row) -> ProviderRow:
    return ProviderRow(
        name=row["name"],
        kind=row["kind"],
        config=row["config"],
        writes=bool(row["writes"]),
        added_by=row["added_by"],
        added_at=time_of(row["added_at"]),
    )
