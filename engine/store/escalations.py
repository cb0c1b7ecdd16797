"""Keeps escalations: failures that were given to somebody, with a time by when they must be put right."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from engine.rules.failures import Escalation
from engine.store.values import moment, seconds, time_of

_COLUMNS = """e.*,
    (SELECT count(*) FROM escalation_device m WHERE m.escalation_id = e.id) AS devices,
    (SELECT count(*) FROM escalation_device m WHERE m.escalation_id = e.id AND EXISTS
        (SELECT 1 FROM install i WHERE i.device_id = m.device_id AND i.open_failure = 1)) AS open_devices"""


class EscalationStore:
    """The escalations of the state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(
        self,
        code: int | None,
        device_ids: Iterable[int],
        owner: str,
        reason: str,
        due_at: datetime,
        by: str,
        at: datetime,
    ) -> int:
        """Keep a new escalation; returns its number."""
        cursor = self._db.execute(
            "INSERT INTO escalation (code, owner, reason, due_at, escalated_by, escalated_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (code, owner, reason, seconds(due_at), by, seconds(at)),
        )
        number = int(cursor.lastrowid or 0)
        self._db.executemany(
            "INSERT INTO escalation_device VALUES (?, ?)", ((number, device_id) for device_id in device_ids)
        )
        return number

    def end(self, escalation_id: int, outcome: str, by: str, at: datetime) -> None:
        """Close it; one that is closed stays as it is."""
        self._db.execute(
            "UPDATE escalation SET ended_at = ?, ended_by = ?, outcome = ? WHERE id = ? AND ended_at IS NULL",
            (seconds(at), by, outcome, escalation_id),
        )

    def open(self) -> tuple[tuple[Escalation, frozenset[int]], ...]:
        """Escalations that have not ended, the first due first, with the ids of their devices."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM escalation e WHERE e.ended_at IS NULL ORDER BY e.due_at, e.id")
        return tuple((_escalation(row), self._members(row["id"])) for row in rows.fetchall())

    def settled(self) -> tuple[Escalation, ...]:
        """Escalations that have not ended although none of their failures is open any more."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM escalation e WHERE e.ended_at IS NULL AND NOT EXISTS ("
            "SELECT 1 FROM escalation_device m JOIN install i ON i.device_id = m.device_id "
            "WHERE m.escalation_id = e.id AND i.open_failure = 1) AND NOT EXISTS ("
            "SELECT 1 FROM install i WHERE i.open_failure = 1 AND ifnull(i.error_code, 0) = e.code)"
        )
        return tuple(_escalation(row) for row in rows)

    def all(self, limit: int = 200) -> tuple[Escalation, ...]:
        """Escalations, ended ones too, newest first."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM escalation e ORDER BY e.id DESC LIMIT ?", (limit,))
        return tuple(_escalation(row) for row in rows)

    def find(self, escalation_id: int) -> Escalation | None:
        row = self._db.execute(f"SELECT {_COLUMNS} FROM escalation e WHERE e.id = ?", (escalation_id,)).fetchone()
        return None if row is None else _escalation(row)

    def of_device(self, device_id: int) -> tuple[Escalation, ...]:
        """Escalations of a device that have not ended: its own, and those of the group of its open failure."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM escalation e WHERE e.ended_at IS NULL AND ("
            "EXISTS (SELECT 1 FROM escalation_device m WHERE m.escalation_id = e.id AND m.device_id = :device) "
            "OR e.code IN (SELECT ifnull(i.error_code, 0) FROM install i "
            "WHERE i.device_id = :device AND i.open_failure = 1)) "
            "ORDER BY e.due_at, e.id",
            {"device": device_id},
        )
        return tuple(_escalation(row) for row in rows)

    def _members(self, escalation_id: int) -> frozenset[int]:
        rows = self._db.execute("SELECT device_id FROM escalation_device WHERE escalation_id = ?", (escalation_id,))
        return frozenset(row[0] for row in rows)


def _escalation(row: sqlite3.Row) -> Escalation:
    return Escalation(
        id=row["id"],
        code=row["code"],
        owner=row["owner"],
        reason=row["reason"],
        due_at=time_of(row["due_at"]),
        escalated_by=row["escalated_by"],
        escalated_at=time_of(row["escalated_at"]),
        devices=row["devices"],
        open_devices=row["open_devices"],
        ended_at=moment(row["ended_at"]),
        ended_by=row["ended_by"],
        outcome=row["outcome"],
    )
