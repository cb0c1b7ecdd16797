"""Finds and deletes history that nothing needs any more, a stretch of the file at a time; `engine.safekeeping.pruning`
calls it.

An install stays while its device has an open failure, while its release is current, and where it is the last of its
device, or the last that succeeded before the time from which everything is kept. The audit has no part in this.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from engine.model.model import DONE, FINAL
from engine.store.values import among, seconds


class HistoryKind(StrEnum):
    """What is deleted, in this order."""

    INSTALLS = "installs"
    BUILDS = "builds seen"
    HEALTH = "health readings"


class HistoryLook(Struct, frozen=True):
    """What one look has found."""

    found: int
    """Rows that nothing needs any more."""
    upto: int
    """Where the next look begins; the last number that was looked at."""
    is_last: bool


_DONE = among(DONE)
_INSTALLS = f"""
SELECT i.id FROM install i WHERE i.id > :after AND i.id <= :upto AND i.finished_at < :before
    AND i.state IN {among(FINAL)}
    AND i.kb NOT IN (SELECT value FROM json_each(:kept))
    AND i.id <> (SELECT max(n.id) FROM install n WHERE n.device_id = i.device_id)
    AND NOT EXISTS (SELECT 1 FROM install o WHERE o.device_id = i.device_id AND o.open_failure = 1)
    AND NOT (i.state IN {_DONE} AND i.id = (SELECT max(s.id) FROM install s
        WHERE s.device_id = i.device_id AND s.state IN {_DONE} AND s.finished_at < :before))
"""
# Of the builds seen before that time the last of each device stays: it is what the device ran when the period began.
_BUILDS = """
SELECT b.device_id, b.at FROM build_seen b WHERE b.device_id > :after AND b.device_id <= :upto AND b.at < :before
    AND b.at <> (SELECT max(n.at) FROM build_seen n WHERE n.device_id = b.device_id AND n.at < :before)
"""
_HEALTH = """
SELECT kb, at, ring_id, kind FROM health_reading WHERE at < :before AND kb NOT IN (SELECT value FROM json_each(:kept))
"""
_QUERIES = {HistoryKind.INSTALLS: _INSTALLS, HistoryKind.BUILDS: _BUILDS, HistoryKind.HEALTH: _HEALTH}
_DELETES = {
    HistoryKind.INSTALLS: f"DELETE FROM install WHERE id IN ({_INSTALLS})",
    HistoryKind.BUILDS: f"DELETE FROM build_seen WHERE (device_id, at) IN ({_BUILDS})",
    HistoryKind.HEALTH: f"DELETE FROM health_reading WHERE (kb, at, ring_id, kind) IN ({_HEALTH})",
}
_LAST = {
    HistoryKind.INSTALLS: "SELECT max(id) FROM install",
    HistoryKind.BUILDS: "SELECT max(device_id) FROM build_seen",
    HistoryKind.HEALTH: "SELECT 1",
}


class HistoryStore:
    """The finished past of the fleet."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def count(self, kind: HistoryKind, before: datetime, kept: Collection[int], after: int, width: int) -> HistoryLook:
        """How many rows of a stretch nothing needs any more."""
        upto, is_last = self._end(kind, after, width)
        sql = f"SELECT count(*) FROM ({_QUERIES[kind]})"
        found = self._db.execute(sql, _params(before, kept, after, upto)).fetchone()[0]
        return HistoryLook(int(found), upto, is_last)

    def delete(self, kind: HistoryKind, before: datetime, kept: Collection[int], after: int, width: int) -> HistoryLook:
        """Delete them; call it inside a transaction."""
        upto, is_last = self._end(kind, after, width)
        done = self._db.execute(_DELETES[kind], _params(before, kept, after, upto))
        return HistoryLook(done.rowcount, upto, is_last)

    def failed_releases(self) -> frozenset[int]:
        """Releases with open failures: what failed devices share is told by all who attempted the same."""
        return frozenset(row[0] for row in self._db.execute("SELECT DISTINCT kb FROM install WHERE open_failure = 1"))

    def reusable_bytes(self) -> int:
        """Space inside the file that is free for what comes next."""
        pages = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        return int(pages) * int(self._db.execute("PRAGMA page_size").fetchone()[0])

    def compact(self) -> None:
        """Write the file anew without its free space. Others cannot write meanwhile, and it needs as much room again.

        Raises:
            sqlite3.Error: the disk is full, or somebody writes.
        """
        self._db.execute("PRAGMA temp_store = FILE")
        try:
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._db.execute("PRAGMA temp_store = MEMORY")

    def _end(self, kind: HistoryKind, after: int, width: int) -> tuple[int, bool]:
        last = int(self._db.execute(_LAST[kind]).fetchone()[0] or 0)
        upto = after + width
        return upto, upto >= last


def _params(before: datetime, kept: Collection[int], after: int, upto: int) -> dict[str, int | str]:
    return {"before": seconds(before), "kept": json.dumps(sorted(kept)), "after": after, "upto": upto}
