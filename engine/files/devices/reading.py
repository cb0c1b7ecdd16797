"""Opens a device list, finds out what form it has, and hands out its rows one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from engine.files.csvsource import RowSource
from engine.files.devices.csvrows import Header, read_csv
from engine.files.devices.jsonrows import read_array, read_lines
from engine.files.devices.rows import DeviceRowReader, Row
from engine.files.linefile import LineFile
from engine.files.lines import Lines
from engine.files.moments import DateOrder, order_shown_by

IMPORT_PROVIDER = "import"
"""The provider of devices that come from a file: nothing reaches them but the next file."""

_LOOKED_AT = 2_000
"""Rows that are looked at to tell whether 5/6/2026 is in May or in June."""


class FileForm(StrEnum):
    """What a device list looks like."""

    CSV = "CSV"
    INTUNE = "Intune's device export"
    JSON_ARRAY = "a JSON array"
    JSON_LINES = "JSON, one object a line"


class DeviceFile(LineFile):
    """A device list on disk. Only one row of it is in memory at a time."""

    def __init__(
        self,
        path: Path,
        told_at: datetime,
        *,
        provider: str = IMPORT_PROVIDER,
        dates: DateOrder = DateOrder.UNKNOWN,
    ) -> None:
        """Open the file and read its head.

        Args:
            path: The file.
            told_at: When the facts were told where the file has no check-ins: the time of the import.
            provider: What the devices' provider is called.
            dates: What comes first in 5/6/2026, where the file itself does not show it.

        Raises:
            BadInput: no such file, empty, not text, no device list.
        """
        self._lines = Lines(path)
        self._header: Header | None = None
        self.unknown_columns: tuple[str, ...] = ()
        if self._lines.first_sign == "[":
            self.form = FileForm.JSON_ARRAY
        elif self._lines.first_sign == "{":
            self.form = FileForm.JSON_LINES
        else:
            try:
                self._header = Header(self._lines)
            except BaseException:
                self._lines.close()
                raise
            self.form = FileForm.INTUNE if self._header.intune else FileForm.CSV
            self.unknown_columns = self._header.unknown
            if dates is DateOrder.UNKNOWN:
                dates = _order_in(path, self._header)
        self._reader = DeviceRowReader(
            intune=self.form is FileForm.INTUNE, told_at=told_at, provider=provider, dates=dates
        )

    def rows(self) -> Iterator[Row]:
        """The rows, once.

        Raises:
            BadInput: the file is a JSON array that breaks off or is no JSON.
        """
        with closing(self._lines):
            if self._header is not None:
                yield from read_csv(self._lines, self._header, self._reader)
            elif self.form is FileForm.JSON_LINES:
                yield from read_lines(self._lines, self._reader)
            else:
                yield from read_array(self._lines, self._reader)


def read_devices(path: Path, told_at: datetime, *, provider: str = IMPORT_PROVIDER) -> Iterator[Row]:
    """The rows of a device list; see `DeviceFile`."""
    yield from DeviceFile(path, told_at, provider=provider).rows()


def _order_in(path: Path, header: Header) -> DateOrder:
    """The order of day and month that the file's first rows prove."""
    places = [place for place, field in enumerate(header.fields) if field in ("last_seen_at", "boot_at")]
    if not places:
        return DateOrder.UNKNOWN
    shown = set()
    with closing(Lines(path)) as lines:
        Header(lines)
        source = RowSource(lines, header.delimiter)
        for _, cells in islice(iter(source.next, None), _LOOKED_AT):
            if not isinstance(cells, str):
                shown |= {order_shown_by(cells[place]) for place in places if place < len(cells)}
    shown.discard(DateOrder.UNKNOWN)
    return shown.pop() if len(shown) == 1 else DateOrder.UNKNOWN
