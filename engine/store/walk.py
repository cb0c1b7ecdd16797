"""One order over the devices, walked by key from any device in either direction; used by `devices` alone.

Every order ends with name and id, so that it is total, and has an index of exactly that shape: a page costs the same
in a fleet of a million. SQLite sorts NULL first, which no row-value comparison knows, so those rows are a stretch of
their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from engine.model.errors import BadInput
from engine.model.records.fleet import Anchor, AnchorKind, DeviceQuery
from engine.store.device_rows import ROW_COLUMNS
from engine.store.filter_sql import SqlCondition

SORT_KEYS: Mapping[str, str] = {
    "name": "name_key",
    "user": "user_key",
    "ring": "ring_id",
    "state": "state",
    "readiness": "verdict",
    "platform": "platform",
    "build": "build",
    "seen": "last_seen_at",
    "site": "site",
    "model": "model",
    "track": "track",
}
"""Sort key of a `DeviceQuery` → column; each has an index (column, name_key, id)."""

_NULLABLE = frozenset({"ring_id", "platform", "build", "last_seen_at"})

Key = tuple[Any, str, int]
Row = tuple[Any, ...]
"""The values of `ROW_COLUMNS`."""
Clause = tuple[str, tuple[Any, ...]]


class Walk:
    """A filter and an order.

    Raises:
        BadInput: there is no such order.
    """

    def __init__(self, connection: sqlite3.Connection, query: DeviceQuery, condition: SqlCondition) -> None:
        if query.sort not in SORT_KEYS:
            raise BadInput(f"Devices cannot be sorted by {query.sort!r}.", "", f"Sort by {', '.join(SORT_KEYS)}.")
        self._db = connection
        self._where, self._params = condition.where, tuple(condition.params)
        self._column = SORT_KEYS[query.sort]
        self._down = query.descending

    def page(self, at: Anchor, limit: int) -> tuple[list[Row], int]:
        """Rows from an anchor on, in the list's order, and the first one's position where that is known, else -1."""
        backwards = at.kind in (AnchorKind.END, AnchorKind.BEFORE)
        key = self._key(at.device_id) if at.kind in (AnchorKind.AFTER, AnchorKind.BEFORE, AnchorKind.AT) else None
        if at.kind is AnchorKind.NAME:
            stretches: list[Clause] = [("AND d.name_key >= ?", (at.name.casefold(),))]
        elif key is None:
            stretches = self._all(backwards=backwards)
        else:
            stretches = self._beyond(key, backwards=backwards, inclusive=at.kind is AnchorKind.AT)
        rows: list[Row] = []
        for clause, params in stretches:
            if len(rows) < limit:
                sql = f"{self._select(clause, backwards=backwards)} LIMIT ?"
                rows += self._rows(sql, (*self._params, *params, limit - len(rows))).fetchall()
        at_top = key is None and at.kind is not AnchorKind.NAME and not backwards
        return (rows[::-1] if backwards else rows), (0 if at_top else -1)

    def position(self, device_id: int) -> int | None:
        """How many rows stand before a device; None when it is not in the list."""
        key = self._key(device_id)
        inside = self._db.execute(
            f"SELECT 1 FROM device d WHERE d.id = ? AND {self._where}", (device_id, *self._params)
        ).fetchone()
        if key is None or inside is None:
            return None
        before = 0
        for clause, params in self._beyond(key, backwards=True, inclusive=False):
            sql = f"SELECT count(*) FROM device d WHERE {self._where} {clause}"
            before += int(self._db.execute(sql, (*self._params, *params)).fetchone()[0])
        return before

    def each(self) -> Iterator[Row]:
        """Every row in order, without holding them."""
        # A plain loop: "yield from" would call the cursor's close when a reader stops early, perhaps after our own.
        for row in self._rows(self._select("", backwards=False), self._params):  # noqa: UP028
            yield row

    def _rows(self, sql: str, params: tuple[Any, ...]) -> sqlite3.Cursor:
        """A cursor of plain tuples."""
        cursor = self._db.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, params)

    def _key(self, device_id: int) -> Key | None:
        row = self._db.execute(f"SELECT {self._column}, name_key, id FROM device WHERE id = ?", (device_id,)).fetchone()
        return None if row is None else (row[0], row[1], row[2])

    def _all(self, *, backwards: bool) -> list[Clause]:
        """The whole list as stretches in the walking direction: rows without a value are one of their own."""
        if self._column not in _NULLABLE:
            return [("", ())]
        stretches: list[Clause] = [(f"AND d.{self._column} IS NULL", ()), (f"AND d.{self._column} IS NOT NULL", ())]
        return stretches[::-1] if self._down != backwards else stretches

    def _beyond(self, key: Key, *, backwards: bool, inclusive: bool) -> list[Clause]:
        """The stretches past a row, the first of them beginning at its key."""
        upwards = self._down == backwards
        sign = (">" if upwards else "<") + ("=" if inclusive else "")
        value, name, device_id = key
        if value is None:
            first: Clause = (
                f"AND d.{self._column} IS NULL AND (d.name_key, d.id) {sign} (?, ?)",
                (name, device_id),
            )
            return [first, (f"AND d.{self._column} IS NOT NULL", ())] if upwards else [first]
        if self._column == "name_key":
            return [(f"AND (d.name_key, d.id) {sign} (?, ?)", (name, device_id))]
        first = (f"AND (d.{self._column}, d.name_key, d.id) {sign} (?, ?, ?)", (value, name, device_id))
        without = (f"AND d.{self._column} IS NULL", ())
        return [first] if upwards or self._column not in _NULLABLE else [first, without]

    def _select(self, clause: str, *, backwards: bool) -> str:
        direction = "DESC" if self._down != backwards else "ASC"
        columns = dict.fromkeys((self._column, "name_key", "id"))
        order = ", ".join(f"d.{column} {direction}" for column in columns)
        return (
            f"SELECT {ROW_COLUMNS} FROM device d LEFT JOIN ring r ON r.id = d.ring_id "
            f"WHERE {self._where} {clause} ORDER BY {order}"
        )
