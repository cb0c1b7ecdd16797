"""Lines over time in a few rows of text: dots of Braille, or letters where only ASCII is drawn. Pure functions.

Screens and panels give it series of points and put what comes back into a widget. It knows no records; a colour never
stands alone, the legend names each series with its mark.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from textual.content import Content

from console.text import cells, fit, is_ascii
from console.widgets.drawing import MUTED, Part, line

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Braille's dots by row and column of a cell."""
_BLANK = 0x2800
_MARK = "◇"
_AXIS = 6
"""Cells before the plot: ``100 % ``."""


class PlotLine(Struct, frozen=True):
    """One line of a plot; x and y between 0.0 and 1.0."""

    name: str
    points: Sequence[tuple[float, float]]
    style: str
    letter: str
    """Its mark where only ASCII is drawn."""
    is_stepped: bool = False
    """Whether a value holds until the next point, instead of going there in a straight line."""
    is_marked: bool = False
    """Points alone, each with a sign of its own: what others reached at some moments."""


class _Cell(Struct):
    dots: int = 0
    is_marked: bool = False
    letter: str = ""
    style: str = ""


def plot(series: Sequence[PlotLine], labels: Sequence[tuple[float, str]], width: int, height: int) -> list[Content]:
    """`height` rows of plot and one of labels below; the later series are drawn over the earlier ones, but for marks.

    The axis goes from 0 to 100 %. Labels are (x, words), shown where they fit.
    """
    room, rows = max(width - _AXIS, 4), max(height, 2)
    canvas = [[_Cell() for _ in range(room)] for _ in range(rows)]
    for each in series:
        _draw(each, canvas)
    found = []
    for index, row in enumerate(canvas):
        tick = {0: "100 %", rows - 1: "0 %"}.get(index, "50 %" if rows >= 5 and index == rows // 2 else "")
        parts: list[Part] = [(fit(tick, _AXIS - 1, "right") + " ", MUTED)]
        parts += _runs(row, on_grid=bool(tick))
        found.append(line(*parts))
    found.append(_label_row(labels, room))
    return found


def legend(series: Sequence[PlotLine]) -> Content:
    """The series with their marks: ``⠤ 24 h  ⠤ 5 d``."""
    parts: list[Part] = []
    for each in series:
        mark = each.letter if is_ascii() else (_MARK if each.is_marked else "⠤⠤")
        parts += ["  " if parts else "", (mark, each.style), (f" {each.name}", MUTED)]
    return line(*parts)


def _draw(series: PlotLine, canvas: list[list[_Cell]]) -> None:
    wide, high = len(canvas[0]) * 2, len(canvas) * 4

    def place(x: float, y: float) -> tuple[int, int]:
        column = round(min(max(x, 0.0), 1.0) * (wide - 1))
        return column, high - 1 - round(min(max(y, 0.0), 1.0) * (high - 1))

    before: tuple[int, int] | None = None
    for x, y in series.points:
        column, row = place(x, y)
        if before is None or series.is_marked:
            _dot(canvas, column, row, series)
        elif series.is_stepped:
            for between in range(before[0], column + 1):
                _dot(canvas, between, before[1], series)
            for between in range(min(before[1], row), max(before[1], row) + 1):
                _dot(canvas, column, between, series)
        else:
            _line(canvas, before, (column, row), series)
        before = (column, row)


def _line(canvas: list[list[_Cell]], start: tuple[int, int], end: tuple[int, int], series: PlotLine) -> None:
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for step in range(steps + 1):
        x = start[0] + (end[0] - start[0]) * step / steps
        y = start[1] + (end[1] - start[1]) * step / steps
        _dot(canvas, round(x), round(y), series)


def _dot(canvas: list[list[_Cell]], column: int, row: int, series: PlotLine) -> None:
    cell = canvas[row // 4][column // 2]
    cell.dots |= _DOTS[row % 4][column % 2]
    if not cell.is_marked:
        cell.letter, cell.style, cell.is_marked = series.letter, series.style, series.is_marked


def _runs(row: Sequence[_Cell], *, on_grid: bool) -> list[Part]:
    """A row of cells as few parts: neighbours of one style together."""
    ascii_only = is_ascii()
    grid = "." if ascii_only else "┈"
    parts: list[Part] = []
    text, style = "", ""
    for cell in row:
        if cell.dots:
            drawn = _MARK if cell.is_marked else chr(_BLANK + cell.dots)
            shown, wanted = (cell.letter if ascii_only else drawn), cell.style
        else:
            shown, wanted = (grid if on_grid else " "), "$rule"
        if wanted != style and text:
            parts.append((text, style))
            text = ""
        text, style = text + shown, wanted
    if text:
        parts.append((text, style))
    return parts


def _label_row(labels: Sequence[tuple[float, str]], room: int) -> Content:
    """The labels under their places, as many as do not touch; the last one is always there."""
    row = [" "] * room
    taken = room + 1
    for x, words in sorted(labels, reverse=True):
        size = cells(words)
        begin = min(max(round(x * (room - 1)) - size // 2, 0), room - size)
        if size and begin >= 0 and begin + size < taken:
            row[begin : begin + size] = list(words)
            taken = begin
    return line((" " * _AXIS + "".join(row), MUTED))
