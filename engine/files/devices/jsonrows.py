"""Reads a device list from JSON, one object at a time: an array of objects, or one object a line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.files.devices.columns import is_intune, meaning
from engine.files.devices.rows import BadRow, DeviceRowReader, Row
from engine.files.jsonsource import JsonWindow, line_object
from engine.files.lines import Lines

_MOST_KEYS = 200


def read_lines(lines: Lines, reader: DeviceRowReader) -> Iterator[Row]:
    """One object a line; a line that is none costs that line."""
    while line := lines.next():
        if not line.strip():
            continue
        stated, wrong = line_object(line)
        yield BadRow(lines.number, "", wrong) if wrong else _row(lines.number, stated, reader)


def read_array(lines: Lines, reader: DeviceRowReader) -> Iterator[Row]:
    """The objects of one array.

    Raises:
        BadInput: the text is no JSON; where the next object begins cannot be told then.
    """
    window = JsonWindow(lines)
    window.take("[")
    if window.peek() == "]":
        window.take("]")
    else:
        for count in itertools.count(1):
            line, stated = window.value()
            row = _row(line, stated, reader)
            # Arrays often stand on one line, so the line alone would not find the object.
            yield replace(row, reason=f"{row.reason} (object {count})") if isinstance(row, BadRow) else row
            if window.peek() == "]":
                window.take("]")
                break
            window.take(",")
    if window.peek():
        raise window.wrong("something stands after the end of the array")


class _Keys(Struct, frozen=True):
    """What the keys of an object mean; most objects of a file have the same."""

    fields: tuple[tuple[str, str], ...]
    """Key and field, for the keys that are read."""
    unknown: tuple[str, ...]
    double: str
    """A field that two keys mean, "" where there is none."""
    has_last_seen: bool


@lru_cache(maxsize=64)
def _keys(names: tuple[str, ...]) -> _Keys:
    intune = is_intune(names)
    meant = [(name, meaning(name, intune=intune)) for name in names]
    fields = [field for _, field in meant if field]
    return _Keys(
        fields=tuple((name, field) for name, field in meant if field),
        unknown=tuple(name for name, field in meant if not field),
        double=next((field for field in fields if fields.count(field) > 1), ""),
        has_last_seen="last_seen_at" in fields,
    )


def _row(line: int, stated: Any, reader: DeviceRowReader) -> Row:
    if not isinstance(stated, dict):
        return BadRow(line, "", f"a device must be an object, this is {_kind(stated)}")
    if len(stated) > _MOST_KEYS:
        return BadRow(line, "", f"the object has more than {_MOST_KEYS} keys")
    keys = _keys(tuple(stated))
    if keys.double:
        return BadRow(line, keys.double, f"two keys mean {keys.double}")
    cells = {field: stated[name] for name, field in keys.fields if stated[name] is not None}
    return reader.read(line, cells, keys.unknown, has_last_seen=keys.has_last_seen)


def _kind(stated: Any) -> str:
    if isinstance(stated, str):
        return "a text"
    if stated is None:
        return "null"
    return "a list" if isinstance(stated, list) else "a number"
