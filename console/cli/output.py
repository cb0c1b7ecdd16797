"""The only writer of stdout: one JSON document, a table, CSV, or plain lines.

Commands call it with rows and columns. Everything meant for people is cleaned here; JSON is ASCII only, so that no
name can act on a terminal.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from console import text
from console.cli.documents import plain
from console.columns import Cell, Column, place
from console.terminal import shows_unicode
from console.text import Tone, clean
from engine.model.errors import EngineError

if TYPE_CHECKING:
    from rich.text import Text

Row = TypeVar("Row")

_COLOURS = {
    Tone.OK: "green",
    Tone.DUE: "cyan",
    Tone.AT_RISK: "yellow",
    Tone.FAILED: "bold red",
    Tone.UNKNOWN: "magenta",
}
_GAP = 2
_CHUNK = 100
"""Lines written at once."""


class OutputClosed(Exception):
    """Whoever read our output has gone, as `head` does; not an error."""


class Style(Struct, frozen=True):
    """How people want to read."""

    plain: bool = False
    """Tab-separated words without signs, colours or columns drawn: for screen readers, grep and awk."""
    colour: bool = True


# --- JSON -------------------------------------------------------------------------------------------


def document(value: object, now: datetime | None = None) -> None:
    """One JSON document of records, or of mappings and lists that may hold records.

    Raises:
        TypeError: what a record tells depends on the time, and `now` was not given.
    """
    _write(json.dumps(plain(value, now), ensure_ascii=True, indent=2, allow_nan=False) + "\n")


def array(items: Iterable[str]) -> None:
    """One JSON array of items that are JSON, one a line; written as they come: a million need no memory."""
    rest = iter(items)
    before = "[\n"
    while chunk := list(islice(rest, _CHUNK)):
        _write(before + ",\n".join(chunk))
        before = ",\n"
    _write("[]\n" if before == "[\n" else "\n]\n")


# --- for people -------------------------------------------------------------------------------------


def line(words: str = "", severity: Tone = Tone.NONE, style: Style | None = None) -> None:
    """One line of words, its sign before it."""
    style = style or Style()
    shown = clean(words) if style.plain else signed(Cell(words, severity))
    if severity is Tone.NONE or not _is_colourful(style):
        _write(shown + "\n")
    else:
        _print_rich(_rich_text(shown, severity), style)


def heading(words: str, style: Style) -> None:
    """The title of a part."""
    if not _is_colourful(style):
        _write(clean(words) + "\n")
        return
    from rich.text import Text

    _print_rich(Text(clean(words), style="bold"), style)


def pairs(rows: Iterable[tuple[str, str]], style: Style) -> None:
    """Names with values, one pair a line."""
    shown = [(clean(name), clean(value)) for name, value in rows]
    width = max((text.cells(name) for name, _ in shown), default=0)
    for name, value in shown:
        _write(f"{name}\t{value}\n" if style.plain else f"{text.fit(name, width)}  {value}\n")


def table(columns: Sequence[Column[Row]], rows: Iterable[Row], now: datetime, style: Style) -> None:
    """A table of rows. A terminal gets the columns that fit, as the console would show them; a pipe gets all."""
    if style.plain:
        _write("\t".join(column.title for column in columns) + "\n")
        for row in rows:
            _write("\t".join(clean(column.cell(row, now).text) for column in columns) + "\n")
    elif is_terminal():
        _rich_table(columns, rows, now, style)
    else:
        _aligned(columns, rows, now)


def signed(cell: Cell) -> str:
    """A cell's text, cleaned, with its severity's sign before it."""
    mark = text.sign(cell.severity)
    return f"{mark} {clean(cell.text)}" if mark else clean(cell.text)


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def _aligned(columns: Sequence[Column[Row]], rows: Iterable[Row], now: datetime) -> None:
    """Nothing is cut: whoever reads a pipe decides about widths."""
    shown = [[signed(column.cell(row, now)) for column in columns] for row in rows]
    titles = [clean(column.title) for column in columns]
    widths = [max(map(text.cells, each)) for each in zip(titles, *shown, strict=True)]
    for cells in (titles, *shown):
        parts = [
            text.fit(cell, width, column.align) for cell, width, column in zip(cells, widths, columns, strict=True)
        ]
        _write((" " * _GAP).join(parts).rstrip() + "\n")


def _rich_table(columns: Sequence[Column[Row]], rows: Iterable[Row], now: datetime, style: Style) -> None:
    from rich.table import Table

    placed = place(columns, terminal_width())
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", highlight=False)
    for each in placed:
        shown.add_column(
            _rich_text(clean(each.column.title), Tone.NONE),
            justify="right" if each.column.align == "right" else "left",
            width=each.width,
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        cells = [each.column.cell(row, now) for each in placed]
        shown.add_row(*(_rich_text(signed(cell), cell.severity) for cell in cells))
    _print_rich(shown, style)


def terminal_width() -> int:
    """How wide the terminal is; 80 where nobody tells."""
    import shutil

    return shutil.get_terminal_size((80, 24)).columns


def _rich_text(words: str, severity: Tone) -> Text:
    from rich.text import Text

    return Text(words, style=_COLOURS.get(severity, ""), no_wrap=True, overflow="ellipsis", end="")


def _is_colourful(style: Style) -> bool:
    return style.colour and not style.plain and is_terminal() and "NO_COLOR" not in os.environ


def _print_rich(shown: object, style: Style) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(
        width=terminal_width(),
        no_color=not _is_colourful(style),
        highlight=False,
        markup=False,
        emoji=False,
        force_terminal=_is_colourful(style),
    )
    with console.capture() as caught:
        console.print(shown, soft_wrap=isinstance(shown, Text))
    _write(caught.get())


# --- the stream -------------------------------------------------------------------------------------


def prepare() -> None:
    """Once, at the start: what the terminal's encoding cannot show is replaced instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if sys.stdout is not None:
        environment = os.environ if is_terminal() else {}
        text.use_ascii(not shows_unicode(environment, sys.stdout.encoding or ""))


def raw(content: str) -> None:
    """Text that is complete and safe as it is, such as CSV or an iCalendar file."""
    _write(content)


def as_utf8() -> None:
    """What follows is a file's content: it is UTF-8, whatever the terminal's encoding, unless it goes to a terminal."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not is_terminal():
        sys.stdout.reconfigure(encoding="utf-8", errors="strict")


def flush() -> None:
    """Bring everything out.

    Raises:
        OutputClosed: nobody reads any more.
        EngineError: it cannot be written, for example because a disk is full.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (BrokenPipeError, ValueError) as error:
        raise OutputClosed from error
    except OSError as error:
        raise _unwritable(error) from error


def abandon() -> None:
    """Give up stdout, so that the interpreter does not complain about it when it ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return


def _write(content: str) -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(content)
    except (BrokenPipeError, ValueError) as error:
        raise OutputClosed from error
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> EngineError:
    abandon()
    return EngineError("The output cannot be written.", f"{error.strerror}.", "Send it somewhere else.")
