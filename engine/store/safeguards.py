"""Keeps safeguard holds, and turns those of a release into one condition over its devices."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from engine.model.model import NOT_STARTED
from engine.rules.plans.holds import Hold
from engine.store.filter_sql import SqlCondition, compile_text
from engine.store.values import among, placeholders, seconds, time_of

NOTHING = SqlCondition("0", ())


class SafeguardStore:
    """The safeguard holds of the state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, kb: int | None, filter_text: str, reason: str, by: str, at: datetime) -> int:
        cursor = self._db.execute(
            "INSERT INTO safeguard (kb, filter, reason, held_by, held_at) VALUES (?, ?, ?, ?, ?)",
            (kb, filter_text, reason, by, seconds(at)),
        )
        return int(cursor.lastrowid or 0)

    def lift(self, hold_id: int, by: str, at: datetime) -> None:
        self._db.execute(
            "UPDATE safeguard SET lifted_by = ?, lifted_at = ? WHERE id = ? AND lifted_at IS NULL",
            (by, seconds(at), hold_id),
        )

    def in_force(self) -> tuple[Hold, ...]:
        """Holds that have not been lifted, oldest first."""
        rows = self._db.execute("SELECT * FROM safeguard WHERE lifted_at IS NULL ORDER BY id")
        return tuple(
            Hold(row["id"], row["kb"], row["filter"], row["reason"], row["held_by"], time_of(row["held_at"]))
            for row in rows
        )

    def withheld(self, holds: Sequence[Hold], now: datetime) -> SqlCondition:
        """Which devices (alias ``d``) any of these holds covers; never true for none."""
        if not holds:
            return NOTHING
        parts = [compile_text(each.filter, now) for each in holds]
        where = " OR ".join(f"({part.where})" for part in parts)
        return SqlCondition(f"ifnull(({where}), 0)", tuple(value for part in parts for value in part.params))

    def covering(self, device_id: int, now: datetime) -> tuple[Hold, ...]:
        """The holds in force whose filter a device matches, and whose release is for its platform."""
        found = []
        for each in self.in_force():
            covered = self.withheld([each], now)
            row = self._db.execute(
                "SELECT 1 FROM device d WHERE d.id = ? AND (? IS NULL OR EXISTS (SELECT 1 FROM release r "
                f"WHERE r.kb = ? AND r.platform = d.platform AND ifnull(d.build, 0) < r.build)) AND {covered.where}",
                (device_id, each.kb, each.kb, *covered.params),
            ).fetchone()
            if row is not None:
                found.append(each)
        return tuple(found)

    def ids(self, condition: SqlCondition) -> frozenset[int]:
        """The devices that a condition covers."""
        if condition is NOTHING:
            return frozenset()
        rows = self._db.execute(f"SELECT d.id FROM device d WHERE {condition.where}", tuple(condition.params))
        return frozenset(row[0] for row in rows)

    def devices(self, condition: SqlCondition, platforms: Sequence[str]) -> int:
        """How many devices of these platforms a condition covers."""
        row = self._db.execute(
            f"SELECT count(*) FROM device d WHERE d.platform IN ({placeholders(len(platforms))}) AND {condition.where}",
            (*platforms, *condition.params),
        )
        return int(row.fetchone()[0])

    def waiting(self, kb: int | None, condition: SqlCondition) -> int:
        """How many installs of a release on such devices have not started; None is any release."""
        row = self._db.execute(
            f"SELECT count(*) FROM install i WHERE {_WAITING} AND {_on(condition)}", _of(kb, condition)
        )
        return int(row.fetchone()[0])

    def cancel(self, kb: int | None, condition: SqlCondition, now: datetime) -> list[int]:
        """Cancel them; returns the devices."""
        rows = self._db.execute(
            "UPDATE install AS i SET state = 'cancelled', stage = 'cancelled', next_at = NULL, finished_at = ? "
            f"WHERE {_WAITING} AND {_on(condition)} RETURNING device_id",
            (seconds(now), *_of(kb, condition)),
        ).fetchall()
        return [row[0] for row in rows]


_WAITING = (
    f"i.next_at IS NOT NULL AND i.state IN {among(NOT_STARTED)} AND i.action = 'apply' AND (? IS NULL OR i.kb = ?)"
)


def _on(condition: SqlCondition) -> str:
    return f"i.device_id IN (SELECT d.id FROM device d WHERE {condition.where})"


def _of(kb: int | None, condition: SqlCondition) -> tuple[object, ...]:
    return (kb, kb, *condition.params)
