"""Counts why devices are not ready, from the index that holds the reasons; shared by overview and reports."""

from __future__ import annotations

import sqlite3

from engine.model.model import Verdict
from engine.model.records.fleet import ReasonCount


def reason_counts(connection: sqlite3.Connection) -> tuple[ReasonCount, ...]:
    """Devices that are not ready by what keeps them from it, the most devices first."""
    rows = connection.execute(
        "SELECT reasons, count(*) AS n FROM device WHERE verdict IN (?, ?) GROUP BY reasons ORDER BY n DESC, reasons",
        (Verdict.NOT_READY, Verdict.UNKNOWN),
    )
    return tuple(ReasonCount(tuple(row["reasons"].split(",")) if row["reasons"] else (), row["n"]) for row in rows)
