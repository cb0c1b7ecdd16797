"""Reads a device list from CSV, row by row. A row that cannot be read costs that row, never those after it."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from engine.errors import BadInput
from engine.inventory.columns import COLUMNS, is_intune, meaning
from engine.inventory.lines import Lines, is_cut, is_foreign
from engine.inventory.rows import BadRow, ImportedRow, Row, RowReader

_DELIMITERS = ",;\t|"
_MOST_LINES = 100
"""In one row. A quote that nobody closed would else take in the rest of the file."""


class Header:
    """The first line of a CSV file: which cell means what."""

    def __init__(self, lines: Lines) -> None:
        """Read it.

        Raises:
            BadInput: no header, two columns that mean the same, no column with the device's name.
        """
        line = lines.next()
        while line and not line.strip():
            line = lines.next()
        named = line.strip("\r\n").casefold()
        self.delimiter = ""
        if named.startswith("sep=") and len(named) == 5:  # a line that spreadsheets put before the header
            self.delimiter, line = named[4], lines.next()
        self.delimiter = self.delimiter or _delimiter_of(line)
        try:
            cells = next(csv.reader([line], delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            raise _bad_header(lines, f"It cannot be read: {error}.") from error
        self.names = [cell.strip() for cell in cells]
        if is_foreign(line):
            raise _bad_header(lines, "It holds bytes that are not UTF-8.")
        self.intune = is_intune(self.names)
        self.fields = [meaning(name, intune=self.intune) for name in self.names]
        self.unknown = tuple(name for name, field in zip(self.names, self.fields, strict=True) if not field and name)
        self._refuse_doubles(lines)
        if "name" not in self.fields:
            shown = ", ".join(name[:30] for name in self.names[:8])
            raise _bad_header(lines, f"No column holds the device's name; its columns are {shown!r}.")

    def _refuse_doubles(self, lines: Lines) -> None:
        first: dict[str, str] = {}
        for name, field in zip(self.names, self.fields, strict=True):
            if field in first:
                raise BadInput(
                    f"the columns {first[field]!r} and {name!r} both mean {field}.",
                    "",
                    "Remove one of them.",
                    file=lines.file,
                    line=lines.number,
                    field=field,
                )
            if field:
                first[field] = name


def read_csv(lines: Lines, header: Header, reader: RowReader) -> Iterator[Row]:
    """The rows after the header."""
    has_last_seen = "last_seen_at" in header.fields
    places = [(place, field) for place, field in enumerate(header.fields) if field]
    width = len(header.fields)
    source = RowSource(lines, header.delimiter)
    while (taken := source.next()) is not None:
        line, cells = taken
        if isinstance(cells, str):
            yield BadRow(line, "", cells)
            continue
        if not any(cells):
            continue
        if len(cells) != width:
            row: Row = BadRow(line, "", f"the row has {len(cells)} cells, the header has {width}")
        else:
            stated = {field: cells[place] for place, field in places}
            row = reader.read(line, stated, header.unknown, has_last_seen=has_last_seen)
        if not isinstance(row, ImportedRow):
            source.distrust()
        yield row


class RowSource:
    """Rows of cells from lines. Lines that were taken into a wrong row by an open quote are handed back."""

    def __init__(self, lines: Lines, delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._taken: list[str] = []
        self._restart()

    def next(self) -> tuple[int, list[str] | str] | None:
        """The number of the row's first line and its cells, or what is wrong with it; None at the end."""
        first = self._lines.number + 1
        self._taken.clear()
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except (csv.Error, _Unreadable) as error:
            self.distrust()
            self._restart()
            return first, _words(str(error))
        return first, cells

    def distrust(self) -> None:
        """The row was wrong: read the lines after its first one again, as rows of their own."""
        if len(self._taken) > 1:
            self._lines.give_back(self._taken[1:])
            self._taken.clear()
            self._restart()

    def _restart(self) -> None:
        self._reader = csv.reader(self._feed(), delimiter=self._delimiter, strict=True)

    def _feed(self) -> Iterator[str]:
        while line := self._lines.next():
            self._taken.append(line)
            if is_cut(line):
                raise _Unreadable("the line is longer than a million characters")
            if is_foreign(line):
                raise _Unreadable("the line holds bytes that are not UTF-8; save the file as CSV UTF-8")
            if len(self._taken) > _MOST_LINES:
                raise _Unreadable("unexpected end of data")
            yield line


class _Unreadable(Exception):
    pass


def _words(said: str) -> str:
    """What the csv module says, in words that help."""
    if "unexpected end of data" in said or "field larger than" in said:
        return "a quote is opened and not closed"
    if "expected after" in said:
        return "something stands between a closing quote and the next delimiter"
    return said


def _delimiter_of(line: str) -> str:
    counts = {sign: line.count(sign) for sign in _DELIMITERS}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else ","


def _bad_header(lines: Lines, why: str) -> BadInput:
    known = ", ".join(column.name for column in COLUMNS[:8])
    return BadInput(
        "the first line is not the header of a device list.",
        why,
        f"It names the columns: {known} ..., or those of Intune's device export. Only name must be there.",
        file=lines.file,
        line=lines.number,
    )
