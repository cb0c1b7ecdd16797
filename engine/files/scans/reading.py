"""Opens a scanner's export, finds out whose it is, and hands out its rows one by one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from engine.files.csvsource import RowSource, delimiter_of
from engine.files.jsonsource import JsonWindow, line_object
from engine.files.linefile import LineFile
from engine.files.lines import Lines
from engine.files.moments import AmbiguousDate, DateOrder, order_shown_by, read_moment
from engine.files.scans.finding import BadLine, Scanner
from engine.files.scans.layouts import Layout, Places, known_layouts, recognise
from engine.files.scans.rows import ScannedLine, ScanRowReader, text_of
from engine.model.errors import BadInput

_LOOKED_AT = 2_000
"""Rows that are looked at to tell whether 5/6/2026 is in May or in June."""
_LONGEST_HEAD = 200_000
"""Rows before the header. Qualys puts a summary of every host there."""
_STRANGERS = 200
"""So many JSON objects in a row that are no findings: then the file is another one."""
_MOST_LINES = 5_000
"""In one row: the output of a check can be long."""
_DATE_LENGTH = 40


class ScanFile(LineFile):
    """A scanner's export on disk. Only one row of it is in memory at a time."""

    def __init__(self, path: Path, *, dates: DateOrder = DateOrder.UNKNOWN) -> None:
        """Open the file and read its head.

        Args:
            path: The file, gzipped or not.
            dates: What comes first in 5/6/2026; UNKNOWN takes what the file shows, else what the scanner writes.

        Raises:
            BadInput: no such file, empty, not text, no scanner's export.
        """
        self.file = path.name
        self._lines = Lines(path)
        self._table: _Table | None = None
        self._dates = dates
        self.told_at: datetime | None = None
        """When the report was made, by the lines before its header."""
        try:
            self.written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            """The file's own time."""
            if self._lines.first_sign in ("{", "["):
                first = _first_object(path)
                self.layout = first.layout
            else:
                self._table = _Table(self._lines)
                self.layout = self._table.places.layout
                self.told_at = self._table.told_at
                if dates is DateOrder.UNKNOWN:
                    self._dates = _order_in(path, self.layout) or self.layout.dates
        except BaseException:
            self._lines.close()
            raise

    @property
    def scanner(self) -> Scanner:
        """Whose export it is."""
        return self.layout.scanner

    def rows(self) -> Iterator[ScannedLine]:
        """The rows, once.

        Raises:
            BadInput: JSON that breaks off; a date that can be two days.
        """
        with closing(self._lines):
            try:
                if self._table is not None:
                    yield from self._table.rows(self._dates)
                else:
                    yield from self._objects()
            except AmbiguousDate as error:
                raise BadInput(
                    f"{error}.",
                    "",
                    "Say it with --dates day-first or --dates month-first.",
                    file=self.file,
                    line=self._lines.number or None,
                ) from error

    def _objects(self) -> Iterator[ScannedLine]:
        strangers = 0
        for line, stated, wrong in objects(self._lines):
            row = BadLine(line, "", wrong) if wrong else _read_object(line, stated, self._dates)
            strangers = strangers + 1 if row is None else 0
            if strangers > _STRANGERS:
                raise _no_export(self.file, line, "Its objects have other keys.")
            yield (
                row if row is not None else BadLine(line, "", "the object has no cveId with deviceName or machineId")
            )


class _Table:
    """A CSV export: whatever stands before the header is passed over."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.told_at: datetime | None = None
        self._is_nested = False
        self._delimiter = delimiter_of(lines.head.split("\n", 1)[0])
        for _ in range(_LONGEST_HEAD):
            line = lines.next()
            if not line:
                break
            cells = self._cells_of(line)
            places = recognise(cells)
            if places is not None:
                self.places, self._names = places, cells
                return
            self._note_dates(cells)
        raise _no_export(lines.file, None, "No line of it is the header of one.")

    def _cells_of(self, line: str) -> list[str]:
        """The cells of a line that may be the header. Qualys also writes a whole row as one quoted cell."""
        for delimiter in dict.fromkeys((self._delimiter, delimiter_of(line))):
            cells = _split(line, delimiter)
            self._delimiter, self._is_nested = delimiter, False
            if len(cells) == 1 and delimiter_of(cells[0]) in cells[0]:
                inner = _split(cells[0], ",")
                if recognise(inner) is not None:
                    self._is_nested = True
                    return inner
            if recognise(cells) is not None:
                return cells
        return _split(line, self._delimiter)

    def _note_dates(self, cells: Sequence[str]) -> None:
        for cell in cells:
            text = cell.strip()
            if not 8 <= len(text) <= _DATE_LENGTH or not any(sign.isdigit() for sign in text):
                continue
            try:
                moment = read_moment(text, DateOrder.MONTH_FIRST)
            except ValueError:
                continue
            if moment is not None and (self.told_at is None or moment > self.told_at):
                self.told_at = moment

    def cells(self) -> Iterator[tuple[int, list[str] | str, RowSource]]:
        """The rows after the header as cells, or what is wrong with one."""
        source = RowSource(self._lines, self._delimiter, most_lines=_MOST_LINES, takes_foreign=True)
        while (taken := source.next()) is not None:
            line, cells = taken
            if self._is_nested and not isinstance(cells, str) and len(cells) == 1:
                cells = _split(cells[0], ",")
            if isinstance(cells, str) or any(cells):
                yield line, cells, source

    def rows(self, dates: DateOrder) -> Iterator[ScannedLine]:
        reader = ScanRowReader(self.places, dates)
        index = {name: place for place, name in reversed(list(enumerate(self._names)))}
        wanted = [index[name] for name in reader.columns]
        width = len(self._names)
        for line, cells, source in self.cells():
            if isinstance(cells, str):
                yield BadLine(line, "", cells)
                continue
            if len(cells) != width:
                source.distrust()
                yield BadLine(line, "", f"the row has {len(cells)} cells, the header has {width}")
                continue
            yield reader.read(line, [cells[place] for place in wanted])


def objects(lines: Lines) -> Iterator[tuple[int, Any, str]]:
    """JSON values with their lines, or what is wrong: one object a line, an array, or pages with a ``value``.

    Raises:
        BadInput: an array or a page that is no JSON; where the next value begins cannot be told then.
    """
    start = "".join(lines.head[:400].split())
    if start.startswith("["):
        yield from _array(JsonWindow(lines), is_page=False)
    elif start.startswith(('{"@odata', '{"value"')):
        window = JsonWindow(lines)
        while window.peek():
            yield from _page(window)
    else:
        while line := lines.next():
            if line.strip():
                stated, wrong = line_object(line)
                yield lines.number, stated, wrong


def _page(window: JsonWindow) -> Iterator[tuple[int, Any, str]]:
    """One answer of Defender's service: its values stand under ``value``."""
    window.take("{")
    while True:
        _, key = window.value()
        window.take(":")
        if key == "value" and window.peek() == "[":
            yield from _array(window, is_page=True)
        else:
            window.value()
        if window.peek() == "}":
            window.take("}")
            return
        window.take(",")


def _array(window: JsonWindow, *, is_page: bool) -> Iterator[tuple[int, Any, str]]:
    window.take("[")
    while window.peek() != "]":
        line, stated = window.value()
        yield line, stated, ""
        if window.peek() != "]":
            window.take(",")
    window.take("]")
    if not is_page and window.peek():
        raise window.wrong("something stands after the end of the array")


@lru_cache(maxsize=64)
def _reader_of(names: tuple[str, ...], dates: DateOrder) -> ScanRowReader | None:
    places = recognise(names)
    return None if places is None else ScanRowReader(places, dates)


def _read_object(line: int, stated: Any, dates: DateOrder) -> ScannedLine | None:
    reader = _reader_of(tuple(stated), dates) if isinstance(stated, dict) else None
    if reader is None:
        return None
    return reader.read(line, [text_of(stated[name]) for name in reader.columns])


def _first_object(path: Path) -> Places:
    """The layout of the first object that is a finding; an export without any is Defender's."""
    with closing(Lines(path)) as lines:
        some = [stated for _, stated, wrong in islice(objects(lines), _STRANGERS) if not wrong]
    for stated in some:
        places = recognise(tuple(stated)) if isinstance(stated, dict) else None
        if places is not None:
            return places
    if some:
        raise _no_export(path.name, None, "Its objects have other keys.")
    return _NO_FINDINGS


def _order_in(path: Path, layout: Layout) -> DateOrder | None:
    """The order of day and month that the file's first rows prove."""
    shown = set()
    with closing(Lines(path)) as lines:
        table = _Table(lines)
        wanted = [table._names.index(name) for name in table.places.headers(layout.seen_at)]
        for _, cells, _ in islice(table.cells(), _LOOKED_AT) if wanted else ():
            if not isinstance(cells, str):
                shown |= {order_shown_by(cells[place]) for place in wanted if place < len(cells)}
    shown.discard(DateOrder.UNKNOWN)
    return shown.pop() if len(shown) == 1 else None


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _no_export(file: str, line: int | None, why: str) -> BadInput:
    return BadInput(
        "this is no scanner's export that can be read.",
        why,
        f"Give a CSV export of Nessus, Qualys or Defender, or Defender's JSON. Known are: {known_layouts()}.",
        file=file,
        line=line,
    )


_DEFENDER = recognise(("CveId", "DeviceName"))
assert _DEFENDER is not None
_NO_FINDINGS = _DEFENDER
