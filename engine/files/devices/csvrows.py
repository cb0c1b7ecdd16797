"""Reads a device list from CSV, row by row. A row that cannot be read costs that row, never those after it."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from engine.files.csvsource import RowSource, delimiter_of
from engine.files.devices.columns import COLUMNS, is_intune, meaning
from engine.files.devices.rows import BadRow, DeviceRowReader, ImportedRow, Row
from engine.files.lines import Lines, is_foreign
from engine.model.errors import BadInput


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
        self.delimiter = self.delimiter or delimiter_of(line)
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


def read_csv(lines: Lines, header: Header, reader: DeviceRowReader) -> Iterator[Row]:
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


def _bad_header(lines: Lines, why: str) -> BadInput:
    known = ", ".join(column.name for column in COLUMNS[:8])
    return BadInput(
        "the first line is not the header of a device list.",
        why,
        f"It names the columns: {known} ..., or those of Intune's device export. Only name must be there.",
        file=lines.file,
        line=lines.number,
    )
