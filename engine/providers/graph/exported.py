"""The file of an export: rows out of a ZIP that holds one CSV or JSON file, streamed within limits.

The pull calls it. The file comes from outside: names in it are never used as paths, nothing is unpacked to disk, and
what is longer than any such report ends the reading with an error.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from engine.providers.graph.answers import AnswerUnusable
from engine.providers.graph.reports import Row, column_name, row_of

LONGEST_FILE = 1_500_000_000
"""Unpacked bytes; the report of a million devices has some 400 million."""
LONGEST_JSON = 64_000_000
"""JSON is not asked for and is read whole."""
MOST_ROWS = 5_000_000
_LONGEST_LINE = 1_000_000
_MOST_FILES = 50
_FORMS = (".csv", ".json")


def exported_rows(packed: IO[bytes], longest: int = LONGEST_FILE) -> Iterator[Row]:
    """The rows of the one report in the file, by their columns.

    Raises:
        AnswerUnusable: it is no such file, is damaged, or is longer than any report.
    """
    try:
        with zipfile.ZipFile(packed) as archive:
            yield from _rows_of(archive, longest)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, csv.Error, OSError) as error:
        raise AnswerUnusable("The exported report cannot be unpacked.", f"{type(error).__name__}.") from error


def _rows_of(archive: zipfile.ZipFile, longest: int) -> Iterator[Row]:
    entries = [each for each in archive.infolist() if not each.is_dir()]
    reports = [each for each in entries if each.filename.casefold().endswith(_FORMS)]
    if len(reports) != 1 or len(entries) > _MOST_FILES:
        raise AnswerUnusable(
            "The exported report is not one file.",
            f"The archive holds {len(entries):,} files, {len(reports):,} of them tables; one is expected.",
        )
    entry = reports[0]
    if entry.flag_bits & 1:
        raise AnswerUnusable("The exported report cannot be unpacked.", "It is encrypted.")
    is_json = entry.filename.casefold().endswith(".json")
    with archive.open(entry) as file:
        bounded = _Bounded(file, min(longest, LONGEST_JSON) if is_json else longest)
        yield from _from_json(bounded) if is_json else _from_csv(bounded)


class _Bounded(io.RawIOBase):
    """A stream that does not give more than so many bytes: what the archive says of its lengths is not believed."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._most = self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._file.read(len(buffer))
        self._left -= len(found)
        if self._left < 0:
            raise AnswerUnusable("The exported report is too long.", f"More than {self._most:,} bytes unpacked.")
        buffer[: len(found)] = found
        return len(found)


def _from_csv(file: _Bounded) -> Iterator[Row]:
    text = io.TextIOWrapper(io.BufferedReader(file, 1 << 16), "utf-8-sig", errors="replace", newline="")
    rows = csv.reader(iter(lambda: text.readline(_LONGEST_LINE), ""))
    names = [column_name(each) for each in next(rows, [])]
    for number, cells in enumerate(rows):
        if number >= MOST_ROWS:
            raise AnswerUnusable("The exported report is too long.", f"More than {MOST_ROWS:,} rows.")
        if cells:
            yield row_of(names, cells)


def _from_json(file: _Bounded) -> Iterator[Row]:
    try:
        told = json.loads(io.BufferedReader(file).read().decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise AnswerUnusable("The exported report is no JSON.", "Its file says it were.") from error
    values = told.get("values") if isinstance(told, dict) else told
    if not isinstance(values, list):
        raise AnswerUnusable("The exported report is no table.", "It holds no list of rows.")
    for each in values:
        if isinstance(each, dict):
            yield {column_name(name): value for name, value in each.items()}
