"""Reads a device list from JSON, one object at a time: an array of objects, or one object a line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from engine.errors import BadInput
from engine.inventory.columns import is_intune, meaning
from engine.inventory.lines import Lines, is_cut, is_foreign
from engine.inventory.rows import BadRow, Row, RowReader

_STRETCH = 65_536
_LARGEST_OBJECT = 1_000_000
"""Characters. What is longer is no device, or no JSON."""

_MOST_KEYS = 200

# Numbers with a point stay text: 26100.8390 is a build, and as a number it would lose its last digit.
_DECODER = json.JSONDecoder(parse_float=str)
_BLANKS = " \t\r\n"


def read_lines(lines: Lines, reader: RowReader) -> Iterator[Row]:
    """One object a line; a line that is none costs that line."""
    while line := lines.next():
        text = line.strip()
        if not text:
            continue
        if is_cut(line):
            yield BadRow(lines.number, "", "the line is longer than a million characters")
            continue
        if is_foreign(text):
            yield BadRow(lines.number, "", "the line holds bytes that are not UTF-8")
            continue
        try:
            stated = _DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            yield BadRow(lines.number, "", f"not a JSON object: {_said(error)}")
            continue
        yield _row(lines.number, stated, reader)


def read_array(lines: Lines, reader: RowReader) -> Iterator[Row]:
    """The objects of one array.

    Raises:
        BadInput: the text is no JSON; where the next object begins cannot be told then.
    """
    window = _Window(lines)
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


class _Window:
    """A moving part of the file: as much as one object needs."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._text = ""
        self._at = 0
        self._counted_to = 0
        self._line = 1
        self._ended = False

    def peek(self) -> str:
        """The next sign that is no blank; "" at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, sign: str) -> None:
        found = self.peek()
        if found != sign:
            shown = f"{found!r} stands where {sign!r} should" if found else "the file ends in the middle of the array"
            raise self.wrong(shown)
        self._at += 1

    def value(self) -> tuple[int, Any]:
        """The line on which the next value begins, and the value."""
        if not self.peek():
            raise self.wrong("the file ends in the middle of the array")
        while True:
            line = self._line_here()
            try:
                stated, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError:
                raise self.wrong("an object is nested too deeply") from None
            except ValueError as error:
                if len(self._text) - self._at <= _LARGEST_OBJECT and self._more():
                    continue
                raise self.wrong(_said(error)) from error
            # A number at the edge of the window may go on; so may nothing else.
            if end == len(self._text) and self._more():
                continue
            self._at = end
            return line, stated

    def wrong(self, why: str) -> BadInput:
        return BadInput(
            "the file is not JSON.",
            f"{why[:1].upper()}{why[1:]}.",
            "Export it again, or write one object a line: then one wrong line costs that line alone.",
            file=self._lines.file,
            line=self._line_here(),
        )

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        return self._line

    def _more(self) -> bool:
        if self._ended:
            return False
        part = self._lines.read(_STRETCH)
        self._ended = not part
        if is_foreign(part):
            raise self.wrong("the file holds bytes that are not UTF-8")
        self._line_here()
        self._text, self._at, self._counted_to = self._text[self._at :] + part, 0, 0
        return not self._ended


@dataclass(frozen=True, slots=True)
class _Keys:
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


def _row(line: int, stated: Any, reader: RowReader) -> Row:
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


def _said(error: Exception) -> str:
    """What the decoder says; its own words go by characters of the part it saw."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return getattr(error, "msg", str(error)).rstrip(".").casefold()
