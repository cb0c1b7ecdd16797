"""JSON values from a file, one at a time: a moving window over an array, or one object a line."""

from __future__ import annotations

import json
from typing import Any

from engine.files.lines import Lines, is_cut, is_foreign
from engine.model.errors import BadInput

_STRETCH = 65_536
_LARGEST_OBJECT = 1_000_000
"""Characters. What is longer is no row, or no JSON."""

# Numbers with a point stay text: 26100.8390 is a build, and as a number it would lose its last digit.
_DECODER = json.JSONDecoder(parse_float=str)
_BLANKS = " \t\r\n"


def line_object(line: str) -> tuple[Any, str]:
    """The value that stands on one line, and what is wrong with it, "" when nothing is."""
    if is_cut(line):
        return None, "the line is longer than a million characters"
    text = line.strip()
    if is_foreign(text):
        return None, "the line holds bytes that are not UTF-8"
    try:
        return _DECODER.decode(text), ""
    except (ValueError, RecursionError) as error:
        return None, f"not a JSON object: {_said(error)}"


class JsonWindow:
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


def _said(error: Exception) -> str:
    """What the decoder says; its own words go by characters of the part it saw."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return getattr(error, "msg", str(error)).rstrip(".").casefold()
