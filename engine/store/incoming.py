"""Devices on their way in: a temporary table beside the fleet, compared with it, taken over in one transaction.

Imports and pulls use it. Rows wait in a temporary file of SQLite's: a million of them cost no memory. What a row does
not tell (NULL, "", "unknown") leaves the fleet's value as it is, but for facts that a provider alone decides on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from engine.model.facts import FACTS
from engine.store.devices import FACT_COLUMNS
from engine.store.values import placeholders, seconds

_TOLD_COLUMNS = tuple(column for column in FACT_COLUMNS if column not in ("provider", "external_id"))


class Incoming:
    """The rows of one import. Make it, `add` all rows, look at the differences, then `take_over` or `drop`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        provider: str,
        told_at: datetime,
        *,
        decided: frozenset[str] = frozenset(),
    ) -> None:
        """`decided`: facts of which silence means "none" or "not known any more", and is taken over as well."""
        self._db = connection
        self._provider = provider
        self._told_at = seconds(told_at)
        self._decided = decided
        self._db.execute("PRAGMA temp_store = FILE")
        self.drop()
        columns = ", ".join([*FACT_COLUMNS, "ring_id"])
        self._db.execute(f"CREATE TEMP TABLE incoming ({columns}, PRIMARY KEY (external_id)) WITHOUT ROWID")

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Adds many rows at once. Only reads of the fleet stand in it: no other writer has to wait."""
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows: `fact_values` plus the ring's id or None."""
        count = len(FACT_COLUMNS) + 1
        self._db.executemany(f"INSERT OR REPLACE INTO incoming VALUES ({placeholders(count)})", rows)

    def drop(self) -> None:
        self._db.execute("DROP TABLE IF EXISTS incoming")

    # --- differences --------------------------------------------------------------------------------

    def added(self, sample: int) -> tuple[int, tuple[str, ...]]:
        """How many devices the fleet does not have yet, and the first names."""
        return self._count("i.name", f"FROM incoming i WHERE NOT EXISTS ({_SAME_DEVICE})", sample)

    def changed(self, sample: int) -> tuple[int, tuple[str, ...]]:
        """How many devices are told differently now, and the first names."""
        return self._count("i.name", f"FROM incoming i JOIN device d ON {_MATCH} WHERE {self._differs()}", sample)

    def gone(self, sample: int) -> tuple[int, tuple[str, ...]]:
        """How many devices of this provider the file does not name, and the first names."""
        source = (
            "FROM device d WHERE d.provider = :provider "
            "AND NOT EXISTS (SELECT 1 FROM incoming i WHERE i.external_id = d.external_id)"
        )
        return self._count("d.name", source, sample)

    def changed_columns(self) -> tuple[tuple[str, int], ...]:
        """Which facts change on how many devices, the commonest first."""
        sums = ", ".join(f"total({self._differs_in(column)}) AS {column}" for column in self._compared())
        row = self._db.execute(f"SELECT {sums} FROM incoming i JOIN device d ON {_MATCH}", self._params()).fetchone()
        found = [(column, int(row[column])) for column in self._compared() if row[column]]
        return tuple(sorted(found, key=lambda each: -each[1]))

    def _count(self, name: str, source: str, sample: int) -> tuple[int, tuple[str, ...]]:
        count = int(self._db.execute(f"SELECT count(*) {source}", self._params()).fetchone()[0])
        names = self._db.execute(f"SELECT {name} {source} LIMIT {int(sample)}", self._params()) if count else ()
        return count, tuple(row[0] for row in names)

    def _params(self) -> dict[str, Any]:
        return {"provider": self._provider, "told_at": self._told_at}

    def _compared(self) -> tuple[str, ...]:
        return (*_TOLD_COLUMNS, "ring_id")

    def _differs(self) -> str:
        return "(" + " OR ".join(self._differs_in(column) for column in self._compared()) + ")"

    def _differs_in(self, column: str) -> str:
        differs = f"({self._told(column)} AND i.{column} IS NOT d.{column})"
        # Where the file tells no check-ins, the time of the import stands in: that alone is no change.
        return f"({differs} AND i.{column} <> :told_at)" if column == "last_seen_at" else differs

    def _told(self, column: str) -> str:
        """Whether the row tells this fact at all."""
        if column in self._decided:
            return "1"
        if column in _NULL_IF_UNTOLD:
            return f"i.{column} IS NOT NULL"
        return f"i.{column} NOT IN ('', 'unknown')"

    # --- taking over --------------------------------------------------------------------------------

    def take_over(self, *, remove_gone: bool) -> tuple[int, int]:
        """Write added and changed devices, and remove the gone where asked; inside the caller's transaction.

        Returns the lowest and the highest id that was touched, (0, -1) for none.
        """
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS touched (id INTEGER PRIMARY KEY)")
        self._db.execute("DELETE FROM touched")
        self._db.execute(
            f"INSERT INTO touched SELECT d.id FROM incoming i JOIN device d ON {_MATCH} WHERE {self._differs()}",
            self._params(),
        )
        self._note_new_builds()
        sets = ", ".join(
            f"{column} = CASE WHEN {self._told(column)} THEN i.{column} ELSE device.{column} END"
            for column in self._compared()
        )
        self._db.execute(
            f"UPDATE device SET {sets} FROM incoming i WHERE device.id IN (SELECT id FROM touched) "
            "AND i.provider = device.provider AND i.external_id = device.external_id"
        )
        before = int(self._db.execute("SELECT ifnull(max(id), 0) FROM device").fetchone()[0])
        columns = ", ".join([*FACT_COLUMNS, "ring_id"])
        self._db.execute(
            f"INSERT INTO device ({columns}) SELECT {columns} FROM incoming i "
            f"WHERE NOT EXISTS ({_SAME_DEVICE}) ORDER BY i.name_key",
            self._params(),
        )
        self._db.execute("INSERT INTO touched SELECT id FROM device WHERE id > ?", (before,))
        self._db.execute(
            "INSERT INTO build_seen (device_id, at, build) SELECT id, ifnull(last_seen_at, ?), build FROM device "
            "WHERE id > ? AND build IS NOT NULL",
            (self._told_at, before),
        )
        if remove_gone:
            self._remove_gone()
        low, high = self._db.execute("SELECT min(id), max(id) FROM touched").fetchone()
        return (0, -1) if low is None else (int(low), int(high))

    def _note_new_builds(self) -> None:
        """Remember when another build was told first. Of two tellings of one check-in the later one is right."""
        self._db.execute(
            # Not INSERT OR REPLACE: what it takes the place of would be gone without the kept sums being told.
            "INSERT INTO build_seen (device_id, at, build) "
            "SELECT d.id, ifnull(i.last_seen_at, :told_at), i.build FROM touched t JOIN device d ON d.id = t.id "
            f"JOIN incoming i ON {_MATCH} WHERE i.build IS NOT NULL AND i.build IS NOT d.build "
            "ON CONFLICT (device_id, at) DO UPDATE SET build = excluded.build",
            self._params(),
        )

    def touched(self) -> int:
        """How many devices `take_over` wrote."""
        return int(self._db.execute("SELECT count(*) FROM touched").fetchone()[0])

    def _remove_gone(self) -> None:
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS leaving (id INTEGER PRIMARY KEY)")
        self._db.execute("DELETE FROM leaving")
        self._db.execute(
            "INSERT INTO leaving SELECT d.id FROM device d WHERE d.provider = :provider "
            "AND NOT EXISTS (SELECT 1 FROM incoming i WHERE i.external_id = d.external_id)",
            self._params(),
        )
        tables = [
            (row["name"], row["column"])
            for row in self._db.execute(
                'SELECT m.name AS name, k."from" AS column FROM sqlite_master m '
                "JOIN pragma_foreign_key_list(m.name) k WHERE m.type = 'table' AND k.\"table\" = 'device'"
            )
        ]
        for table, column in tables:
            self._db.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM leaving)")
        self._db.execute("DELETE FROM device WHERE id IN (SELECT id FROM leaving)")


_MATCH = "d.provider = :provider AND d.external_id = i.external_id"
_SAME_DEVICE = f"SELECT 1 FROM device d WHERE {_MATCH}"
_NULL_IF_UNTOLD = frozenset({*(each.name for each in FACTS if each.not_told is None), "ring_id"})
