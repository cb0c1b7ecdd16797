"""Writes what a list shows to a CSV or JSON file: guarded against formulas, complete or not there at all.

Called by screens (key `e`) and commands. It knows columns and rows, no engine.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from console.columns import Column
from console.files import write_whole
from console.text import clean
from engine.model.errors import BadInput

Row = TypeVar("Row")

_FORMULA = "=+-@\t\r\n|%"
"""A spreadsheet reads a cell that begins like this as a formula or a command."""
FORMATS = ("csv", "json")


def guard(text: str) -> str:
    """A cell that no spreadsheet runs: cleaned, and with an apostrophe where it would begin a formula."""
    return inert(clean(text))


def inert(shown: str) -> str:
    """A cleaned cell with an apostrophe where a spreadsheet would begin a formula."""
    begins = shown.lstrip(" \N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}")[:1]
    return f"'{shown}" if begins and (begins in _FORMULA or begins in "＝＋－＠") else shown


def csv_lines(columns: Sequence[Column[Row]], rows: Iterable[Row], now: datetime) -> Iterator[str]:
    """The list as CSV (RFC 4180), line by line, the titles first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")

    def take() -> str:
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    writer.writerow([column.title for column in columns])
    yield take()
    for row in rows:
        writer.writerow([guard(column.cell(row, now).text) for column in columns])
        yield take()


def json_lines(columns: Sequence[Column[Row]], rows: Iterable[Row], now: datetime) -> Iterator[str]:
    """The list as one JSON array of objects, ASCII only, line by line."""
    before = "[\n"
    for row in rows:
        record = {column.id: column.cell(row, now).text for column in columns}
        yield before + json.dumps(record, ensure_ascii=True)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def write_list(path: Path, columns: Sequence[Column[Row]], rows: Iterable[Row], now: datetime, *, state: Path) -> int:
    """Write a list to a file whose name ends in .csv or .json; returns how many rows.

    Raises:
        BadInput: the name ends otherwise, or as `write_whole`.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise BadInput("This kind of file is not known.", "", "Let its name end in .csv or .json.", file=str(path))
    counted = 0

    def counting() -> Iterator[Row]:
        nonlocal counted
        for row in rows:
            counted += 1
            yield row

    lines = csv_lines if kind == "csv" else json_lines
    write_whole(path, lines(columns, counting(), now), state=state)
    return counted
