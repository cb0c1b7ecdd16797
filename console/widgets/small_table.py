"""A table over a list that is small by nature: rings, releases, failures, work under way. It holds all its rows.

Looks and moves like the table of devices; orders its rows itself. Its screen gives it rows and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from console.columns import Column
from console.text import count
from console.widgets.table import KeyedTable
from engine.model.errors import EngineError

Row = TypeVar("Row")


class SmallTable(KeyedTable[Row]):
    """A table that is given all its rows with `show_rows`."""

    _given: Sequence[Row] = ()

    def show_rows(self, rows: Sequence[Row]) -> None:
        """All rows, in the order of the engine; the table's own order, if one is set, goes first."""
        self._given = tuple(rows)
        self._answered, self._failure = True, None
        before = self._window.row
        self._show(self._window.id)
        if self._window.row != before:
            self._tell_cursor()

    def show_error(self, error: EngineError) -> None:
        """The rows could not be read."""
        self._failure = error
        self.refresh_changed()

    def go_to_row(self, row_id: object) -> bool:
        """Put the cursor on a row; False when there is no such row."""
        index = self._window.index_of(row_id)
        if index is not None:
            self._moved(lambda: self._window.move_to(index))
        return index is not None

    def jump(self, beginning: str) -> None:
        """To the first row whose first column begins like this."""
        column = self.columns[0]
        now = self.present()
        wanted = beginning.casefold()
        for index, row in enumerate(self._window.rows):
            if column.cell(row, now).text.casefold().startswith(wanted):
                self._moved(lambda index=index: self._window.move_to(index))  # type: ignore[misc]
                return

    def restart(self) -> None:
        self._window.cursor = self._window.offset = 0
        self._show(None)
        self._tell_cursor()

    def reload(self) -> None:
        self._show(self._window.id)

    def _show(self, keep: object) -> None:
        rows = self._ordered()
        self._window.replace(rows, first=0, at_top=True, at_end=True, keep=keep)
        self.refresh_changed()

    def _scrolled(self) -> None:
        self._refresh_line(0)

    def _places(self) -> Sequence[str]:
        shown = self._window.place()
        if shown is None:
            return ()
        numbers = f"{count(shown[0])}-{count(shown[1])}"
        return (f"{numbers} of {count(len(self._window.rows))}", numbers)

    def _ordered(self) -> list[Row]:
        rows = list(self._given)
        column = next((each for each in self.columns if each.sort and each.sort == self.sort), None)
        if column is None:
            return rows
        now = self.present()
        return sorted(rows, key=lambda row: order_key(column, row, now), reverse=self.descending)


def order_key(column: Column[Any], row: Any, now: Any) -> tuple[object, ...]:
    """What a row is ordered by in a column: its own order, else the shown text without regard to case."""
    return column.order(row) if column.order is not None else (column.cell(row, now).text.casefold(),)
