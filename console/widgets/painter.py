"""How a row, the header and words become one line of a table. Called by tables only; as few styles a line as it can.

Every text is cleaned and cut here, so nothing in a row can leave its column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from console.columns import GAP, Cell, Placed
from console.text import Tone, cells, clean, fit, is_ascii, sign

Row = TypeVar("Row")

PREFIX = 2
"""Cells before the first column: the cursor's sign and the mark."""


class Look(Struct, frozen=True):
    """The styles of a table, resolved from the theme."""

    base: Style
    header: Style
    cursor: Style
    cursor_away: Style
    mark: Style
    words: Style
    severities: dict[Tone, Style]


class Painter(Struct, Generic[Row], frozen=True):
    """Paints lines for one width, one set of columns and one look."""

    placed: Sequence[Placed[Row]]
    width: int
    look: Look

    def row(self, row: Row, now: datetime, *, cursor: bool, focused: bool, marked: bool) -> Strip:
        """One row. Under the cursor it has one style throughout; the signs still tell the severities."""
        ascii_only = is_ascii()
        pointer = (">" if ascii_only else "›") if cursor else " "
        mark = ("*" if ascii_only else "◆") if marked else " "
        pieces: list[tuple[str, Style]] = [(pointer, self.look.base), (mark, self.look.mark)]
        for index, placed in enumerate(self.placed):
            cell = placed.column.cell(row, now)
            style = self.look.severities.get(cell.severity, self.look.base)
            if index:
                pieces.append((" " * GAP, self.look.base))
            pieces.append((cell_line(cell, placed.width, placed.column.align), style))
        if cursor:
            style = self.look.cursor if focused else self.look.cursor_away
            pieces = [(text, style) for text, _ in pieces]
            return self._strip(pieces, style)
        return self._strip(pieces, self.look.base)

    def header(self, sort: str, *, descending: bool, places: Sequence[str] = ()) -> Strip:
        """The titles, the sign of the order on its column, and at the right the first of `places` that has room:
        which rows are in view."""
        up, down = ("^", "v") if is_ascii() else ("▲", "▼")
        titles = []
        for placed in self.placed:
            title = placed.column.title
            if sort and placed.column.sort == sort:
                title = fit(title, min(cells(title), placed.width - 1)) + (down if descending else up)
            titles.append(fit(title, placed.width, placed.column.align))
        text = " " * PREFIX + (" " * GAP).join(titles)
        titles_end = cells(text.rstrip())
        for place in places:
            room = self.width - cells(place) - 1
            if titles_end < room:
                text = fit(text.rstrip(), room) + place + " "
                break
        return self._strip([(text, self.look.header)], self.look.header)

    def words(self, text: str, style: Style | None = None) -> Strip:
        """A line of words instead of a row."""
        style = style or self.look.words
        return self._strip([(" " * PREFIX + clean(text), style)], style)

    def blank(self) -> Strip:
        """A line with nothing."""
        return self._strip([], self.look.base)

    def column_at(self, x: int) -> Placed[Row] | None:
        """The column under a cell of the line."""
        begin = PREFIX
        for placed in self.placed:
            if begin <= x < begin + placed.width:
                return placed
            begin += placed.width + GAP
        return None

    def _strip(self, pieces: Iterable[tuple[str, Style]], rest: Style) -> Strip:
        """Neighbours of one style become one segment; blanks take the style of what is beside them."""
        texts: list[str] = []
        styles: list[Style] = []
        used = 0
        for text, style in pieces:
            if used >= self.width:
                break
            text = fit(text, min(cells(text), self.width - used))
            used += cells(text)
            if texts and (styles[-1] is style or (text.isspace() and styles[-1].bgcolor == style.bgcolor)):
                texts[-1] += text
            else:
                texts.append(text)
                styles.append(style)
        if used < self.width:
            blanks = " " * (self.width - used)
            if texts:
                texts[-1] += blanks
            else:
                texts.append(blanks)
                styles.append(rest)
        return Strip(map(Segment, texts, styles), self.width)


def cell_line(cell: Cell, width: int, align: str) -> str:
    """A cell as cleaned text with its sign, exactly as wide as its column."""
    mark = sign(cell.severity)
    shown = clean(cell.text)
    return fit(f"{mark} {shown}" if mark else shown, width, align)
