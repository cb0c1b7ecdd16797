"""Keeps known problems: what people have found to be behind failures. Their safeguard holds stand in `safeguards`."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from engine.rules.failures import KnownProblem
from engine.store.values import seconds, time_of

_COLUMNS = """p.*, EXISTS (SELECT 1 FROM safeguard s WHERE s.id = p.safeguard_id AND s.lifted_at IS NULL) AS holds"""


class ProblemStore:
    """The known problems of the state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(
        self, title: str, code: int | None, kb: int | None, filter_text: str, note: str, by: str, at: datetime
    ) -> int:
        """Keep a new problem; returns its number."""
        cursor = self._db.execute(
            "INSERT INTO known_problem (title, code, kb, filter, note, marked_by, marked_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (title, code, kb, filter_text, note, by, seconds(at)),
        )
        return int(cursor.lastrowid or 0)

    def attach_hold(self, problem_id: int, safeguard_id: int) -> None:
        """The safeguard hold that stands for the problem."""
        self._db.execute("UPDATE known_problem SET safeguard_id = ? WHERE id = ?", (safeguard_id, problem_id))

    def lift(self, problem_id: int, by: str, at: datetime) -> None:
        """The problem is solved, or was none."""
        self._db.execute(
            "UPDATE known_problem SET lifted_at = ?, lifted_by = ? WHERE id = ? AND lifted_at IS NULL",
            (seconds(at), by, problem_id),
        )

    def in_force(self) -> tuple[KnownProblem, ...]:
        """Problems that have not been lifted, oldest first."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM known_problem p WHERE p.lifted_at IS NULL ORDER BY p.id")
        return tuple(_problem(row) for row in rows)


def _problem(row: sqlite3.Row) -> KnownProblem:
    return KnownProblem(
        id=row["id"],
        title=row["title"],
        code=row["code"],
        kb=row["kb"],
        filter=row["filter"],
        note=row["note"],
        holds=bool(row["holds"]),
        safeguard_id=row["safeguard_id"],
        marked_by=row["marked_by"],
        marked_at=time_of(row["marked_at"]),
    )
