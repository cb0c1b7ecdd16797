"""What a column, a cell and a placed column are, and which columns a table of a given width shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct

from console import text
from console.text import Tone

Row = TypeVar("Row")


class Cell(Struct, frozen=True):
    """What one column shows of one row. The text is as the engine gave it: whoever draws it cleans it."""

    text: str
    severity: Tone = Tone.NONE


class Column(Struct, Generic[Row], frozen=True):
    """One column of one list."""

    id: str
    title: str
    width: int
    """Cells it needs, its severity sign included."""
    cell: Callable[[Row, datetime], Cell]
    """The row and the present → what is shown."""
    align: str = "left"
    from_width: int = 0
    """The least width of the table in which it is shown; commands and CSV show all."""
    sort: str = ""
    """The sort key it orders by: one of the engine's for devices, its own id for lists kept in memory; "" for none."""
    order: Callable[[Row], tuple[object, ...]] | None = None
    """For lists kept in memory: what to sort by, where the shown text would sort wrongly."""
    grow: int = 0
    """Its part of the room that is left over."""


class Placed(Struct, Generic[Row], frozen=True):
    """A column with the width it got."""

    column: Column[Row]
    width: int


GAP = 1


def place(columns: Sequence[Column[Row]], width: int, chosen: Sequence[str] = ()) -> tuple[Placed[Row], ...]:
    """The columns that a table of this width shows, with their widths.

    `chosen` names columns in the order wanted, whatever their `from_width`; empty takes the usual ones. Columns that
    no longer fit are left away from the right; what is left over goes to those that grow.
    """
    by_id = {column.id: column for column in columns}
    if chosen:
        wanted = [by_id[each] for each in chosen if each in by_id]
    else:
        wanted = [column for column in columns if column.from_width <= width]
    taken: list[Column[Row]] = []
    used = 0
    for column in wanted:
        need = column.width + (GAP if taken else 0)
        if used + need > width and taken:
            break
        taken.append(column)
        used += need
    spare = max(width - used, 0)
    parts = sum(column.grow for column in taken)
    placed = []
    for column in taken:
        extra = spare * column.grow // parts if parts and column.grow else 0
        spare, parts = spare - extra, parts - column.grow
        placed.append(Placed(column, min(column.width + extra, width)))
    return tuple(placed)


def number_cell(value: int, severity: Tone = Tone.NONE) -> Cell:
    """A count; nothing much where it is zero."""
    return Cell(text.count(value), severity) if value else Cell("·")
