"""Carries out a script of several statements within the transaction that is open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def run_script(db: Database, script: str) -> None:
    """Every statement of the script; nothing is committed.

    `Database.executescript` asks after each character whether a statement is complete: half a second for the triggers
    of one file. A statement can only end at a semicolon.
    """
    for statement in _statements(script):
        db.execute(statement)


def _statements(script: str) -> Iterator[str]:
    begun = ""
    for part in script.split(";")[:-1]:
        begun += f"{part};"
        if sqlite3.complete_statement(begun):
            yield begun.strip()
            begun = ""
    assert not begun, "a script ends with a semicolon"
