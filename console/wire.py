"""Fewer bytes for the same picture: sends only those colours and attributes that differ from the ones in force.

Wraps the driver's writing, for SSH over slow lines; terminals that show ASCII alone get ASCII alone, frames included.
It changes nothing else that a terminal shows, knows no widget, and leaves sequences that it does not know as they are.
"""

from __future__ import annotations

import codecs
import contextlib
import re
import sys
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from console.text import is_ascii, to_ascii

if TYPE_CHECKING:
    from textual.driver import Driver

_TOKEN = re.compile(r"\x1b\[([0-9;]*)m|(?:\r?\n)?(\x1b\[\d+;\d+H)|(\x1b\[\?1049[hl])|\x1b")
"""Attributes; a move of the cursor (a line feed before it does nothing); the other screen; any other escape."""
_BLANKS = re.compile(r" +\Z")
_FLAGS = frozenset((1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 53))
_SEEN_ON_BLANKS = frozenset((4, 7, 9, 21, 53))


class Attributes(Struct, frozen=True):
    """Foreground, background and flags as a terminal keeps them; "" is the terminal's own colour."""

    fore: str = ""
    back: str = ""
    flags: frozenset[int] = frozenset()


_PLAIN = Attributes()
_CUBE = {0: 0, 95: 1, 135: 2, 175: 3, 215: 4, 255: 5}
"""Level of a colour → step in the cube of 6x6x6 that all 256-colour terminals share."""


class Thrift:
    """Rewrites a stream of text and escape sequences; keeps what the terminal has in force between calls."""

    def __init__(self, *, only_ascii: bool = False) -> None:
        self._only_ascii = only_ascii
        self._wanted: Attributes | None = _PLAIN
        self._in_force: Attributes | None = None
        self._known: dict[str, Attributes | None] = {}

    def encode(self, data: str) -> str:
        """The same picture in fewer bytes."""
        out: list[str] = []
        at = 0
        for token in _TOKEN.finditer(data):
            if token.start() > at:
                self._text(data[at : token.start()], out)
            at = token.end()
            codes, move, other_screen = token.groups()
            if codes is not None:
                self._attributes(codes, token.group(), out)
            elif move is not None:
                out.append(move)
            else:
                # An escape that is not known may erase with the colours in force: bring about what was asked for.
                self._bring_about(out)
                out.append(token.group())
                if other_screen is not None:
                    self._in_force = None
        if at < len(data):
            self._text(data[at:], out)
        return "".join(out)

    def _attributes(self, codes: str, raw: str, out: list[str]) -> None:
        wanted = self._wanted
        found = _PLAIN if codes in ("", "0") else self._parse(codes)
        if found is None or wanted is None:
            if wanted is not None:
                self._bring_about(out)
            out.append(raw)
            self._wanted = _PLAIN if codes in ("", "0") else None
            self._in_force = self._wanted
        elif found is _PLAIN or wanted == _PLAIN:
            self._wanted = found
        else:
            self._wanted = Attributes(found.fore or wanted.fore, found.back or wanted.back, found.flags | wanted.flags)

    def _parse(self, codes: str) -> Attributes | None:
        """The attributes that codes set, None when they do more than set some."""
        if codes not in self._known:
            if len(self._known) > 4_096:
                self._known.clear()
            self._known[codes] = _parse(codes)
        return self._known[codes]

    def _text(self, text: str, out: list[str]) -> None:
        if self._only_ascii and not text.isascii():
            text = to_ascii(text)
        wanted, in_force = self._wanted, self._in_force
        if wanted is not None and wanted != in_force:
            if in_force is not None and not wanted.flags & _SEEN_ON_BLANKS and _BLANKS.match(text):
                # Of a blank one sees the ground alone.
                wanted = Attributes(in_force.fore, wanted.back, in_force.flags - _SEEN_ON_BLANKS)
                if wanted == in_force:
                    out.append(text)
                    return
            out.append(_change(in_force, wanted))
            self._in_force = wanted
        out.append(text)

    def _bring_about(self, out: list[str]) -> None:
        if self._wanted is not None and self._wanted != self._in_force:
            out.append(_change(self._in_force, self._wanted))
            self._in_force = self._wanted


def _parse(codes: str) -> Attributes | None:
    found = _PLAIN
    rest = codes.split(";")
    while rest:
        code = rest.pop(0)
        number = int(code) if code else 0
        if number in _FLAGS:
            found = replace(found, flags=found.flags | {number})
        elif number in (38, 48):
            take = {"2": 4, "5": 2}.get(rest[0] if rest else "")
            if take is None or len(rest) < take:
                return None
            colour = _shortest(code, rest[:take])
            del rest[:take]
            found = replace(found, fore=colour) if number == 38 else replace(found, back=colour)
        elif 30 <= number <= 37 or 90 <= number <= 97:
            found = replace(found, fore=code)
        elif 40 <= number <= 47 or 100 <= number <= 107:
            found = replace(found, back=code)
        elif number in (39, 49):
            # The terminal's own colour: the same as none after a reset, which is the only place it is sent from.
            continue
        else:
            return None
    return found


def _shortest(code: str, rest: list[str]) -> str:
    """A colour as its number among the 256 where it is exactly one of them. The first 22 may be redefined by users'
    schemes and are left alone."""
    if rest[0] == "2":
        red, green, blue = (int(part or 0) for part in rest[1:])
        steps = [_CUBE.get(part) for part in (red, green, blue)]
        if red == green == blue and red % 10 == 8 and 8 <= red <= 238:
            return f"{code};5;{232 + (red - 8) // 10}"
        if None not in steps:
            number = 16 + 36 * (steps[0] or 0) + 6 * (steps[1] or 0) + (steps[2] or 0)
            if number > 21:
                return f"{code};5;{number}"
    return ";".join([code, *rest])


def _change(before: Attributes | None, after: Attributes) -> str:
    """The shortest sequence that leads from one set of attributes to another."""
    full = [*map(str, sorted(after.flags)), *(part for part in (after.fore, after.back) if part)]
    if before is None:
        return f"\x1b[{';'.join(['0', *full])}m"
    lost = before.flags - after.flags or (before.fore and not after.fore) or (before.back and not after.back)
    if lost:
        return f"\x1b[{';'.join(['0', *full])}m" if full else "\x1b[0m"
    parts = [str(flag) for flag in sorted(after.flags - before.flags)]
    parts += [after.fore] if after.fore != before.fore else []
    parts += [after.back] if after.back != before.back else []
    return f"\x1b[{';'.join(parts)}m" if parts else ""


class Outliving:
    """A terminal's file that may go away while it is written to.

    Textual writes in a thread behind a short queue: were the thread to end over the error, the next full queue would
    block the program for ever, instead of letting it notice that its terminal has gone.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def thrifty(driver_class: type[Driver]) -> type[Driver]:
    """The same driver, writing less, and not ending over what it cannot read."""
    _read_leniently(driver_class)

    class ThriftyDriver(driver_class):  # type: ignore[misc, valid-type]
        """Writes through a `Thrift`, to a terminal that may go away."""

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            file = getattr(self, "_file", None)
            if file is not None:
                self._file: Any = Outliving(file)

        def write(self, data: str) -> None:
            if not hasattr(self, "_thrift"):
                self._thrift = Thrift(only_ascii=is_ascii())
            super().write(self._thrift.encode(data))

    return ThriftyDriver


def _read_leniently(driver_class: type[Driver]) -> None:
    """Bytes that are no UTF-8, from a terminal of another character set or a noisy line, become a sign that means
    nothing; Textual's own decoder ends the program."""
    names = vars(sys.modules[driver_class.__module__])
    if "getincrementaldecoder" in names:
        names["getincrementaldecoder"] = lambda name: partial(codecs.getincrementaldecoder(name), "replace")
