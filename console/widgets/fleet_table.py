"""A table over a list of any length: it holds a few screens of rows and asks its screen for more.

Knows pages and messages, never the engine; a page is found from the row before it, never by counting from the top.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from textual.reactive import reactive

from console.columns import Column
from console.messages import PageWanted, PositionWanted, RowSpan
from console.text import count
from console.widgets.table import KeyedTable
from engine.model.errors import EngineError
from engine.model.records.fleet import Anchor, AnchorKind

Row = TypeVar("Row")


class FleetTable(KeyedTable[Row]):
    """The table of devices. Its screen answers PageWanted with `show_pages` and PositionWanted with `show_position`,
    tells the total with `show_total`, and calls `reload` when the fleet has changed, `restart` for another list."""

    place: reactive[str] = reactive("", init=False, repaint=False)
    """Which rows are in view, of how many, as far as somebody has counted: ``22-42 of 500``, ``500``. Watched rather
    than posted, so that whoever shows it is drawn together with the rows."""

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        row_id: Callable[[Row], Hashable],
        *,
        sort: str = "",
        noun: str = "rows",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(columns, row_id, sort=sort, noun=noun, id=id, classes=classes)
        self._serial = 0
        self._pending = ""
        self._limit = 0
        self._again = False

    def restart(self) -> None:
        """The list is another one: to its top."""
        self.marks.end_range()
        self._window.count(None)
        self._want("restart", RowSpan(Anchor(AnchorKind.TOP), self._window.asked))

    def reload(self) -> None:
        """The list may have changed: read the rows in the window again, the cursor stays on its row."""
        if self._pending and self._pending != "reload":
            self._again = True
            return
        window = self._window
        if window.at_top or not isinstance(window.id, int):
            self._want("reload", RowSpan(Anchor(AnchorKind.TOP), max(len(window.rows), window.asked)))
        else:
            self._want_around("reload", window.id)

    def go_to(self, row_id: int) -> None:
        """Put the cursor on a row wherever it is in the list."""
        index = self._window.index_of(row_id)
        if index is not None:
            self._moved(lambda: self._window.move_to(index))
        else:
            self._want_around(f"to:{row_id}", row_id)

    def jump(self, beginning: str) -> None:
        """To the first row whose name is this or later."""
        self._want("name", RowSpan(Anchor(AnchorKind.NAME, name=beginning), self._window.asked))

    def show_pages(self, serial: int, pages: Sequence[tuple[Sequence[Row], int]]) -> None:
        """The rows that were asked for, a page a stretch, each with its first position (-1: not known)."""
        if serial != self._serial:
            return
        kind, self._pending = self._pending, ""
        self._answered, self._failure = True, None
        before = self._window.id
        self._fill(kind, pages)
        if self._window.id != before or kind in ("restart", "end"):
            self._tell_cursor()
        self.refresh_changed()
        self._scrolled()
        if self._again:
            self._again = False
            self.reload()
        else:
            self._look_ahead()

    def show_total(self, total: int) -> None:
        """How many rows the list has."""
        self._window.count(total)
        self._scrolled()

    def show_position(self, serial: int, first: int | None) -> None:
        """How many rows stand before the first row of the window."""
        if serial == self._serial and first is not None and self._window.first is None:
            self._window.first = first
            self._scrolled()

    def show_failure(self, serial: int, error: EngineError) -> None:
        """The rows could not be read; those that are there stay."""
        if serial in (0, self._serial):
            self._pending = ""
            self._failure = error
            self.refresh_changed()

    def _scrolled(self) -> None:
        shown, total = self._window.place(), self._window.total
        of = "" if total is None else count(total)
        numbers = "" if shown is None else f"{count(shown[0])}-{count(shown[1])}"
        self.place = f"{numbers} of {of}" if numbers and of else numbers or of

    # --- asking for rows ----------------------------------------------------------------------------

    def _want(self, kind: str, *stretches: RowSpan) -> None:
        self._serial += 1
        self._pending = kind
        self._limit = stretches[-1].limit
        self.post_message(PageWanted(self, self._serial, stretches))

    def _want_around(self, kind: str, row_id: int) -> None:
        asked = self._window.asked
        self._want(
            kind,
            RowSpan(Anchor(AnchorKind.BEFORE, row_id), asked),
            RowSpan(Anchor(AnchorKind.AT, row_id), asked),
        )

    def _look_ahead(self) -> None:
        window = self._window
        if self._pending:
            return
        if window.wants_after and isinstance(last := window.row_id(window.rows[-1]), int):
            self._want("after", RowSpan(Anchor(AnchorKind.AFTER, last), window.asked))
        elif window.wants_before and isinstance(first := window.row_id(window.rows[0]), int):
            self._want("before", RowSpan(Anchor(AnchorKind.BEFORE, first), window.asked))
        elif window.first is None and window.rows and isinstance(first := window.row_id(window.rows[0]), int):
            self.post_message(PositionWanted(self, self._serial, first))

    def _fill(self, kind: str, pages: Sequence[tuple[Sequence[Row], int]]) -> None:
        window, asked = self._window, self._limit
        rows, first = pages[-1]
        known = None if first < 0 else first
        if kind == "after":
            if self.marks.in_range:
                self._keep_range()
            window.append(rows, at_end=len(rows) < asked)
        elif kind == "before":
            window.prepend(rows, at_top=len(rows) < asked)
            self._range_from += len(rows)
        elif len(pages) == 2:
            above = pages[0][0]
            wanted = window.row_id(rows[0]) if rows else None
            keep = window.id if kind == "reload" else wanted
            window.replace([*above, *rows], first=None, at_top=len(above) < asked, at_end=len(rows) < asked, keep=keep)
        elif kind == "end":
            window.replace(rows, first=known, at_top=len(rows) < asked, at_end=True)
            window.move_to(len(rows) - 1)
        elif kind == "name" and not rows:
            self._want("end", RowSpan(Anchor(AnchorKind.END), window.asked))
        elif kind == "name":
            window.cursor = window.offset = 0
            window.replace(rows, first=known, at_top=known == 0, at_end=len(rows) < asked)
        else:
            keep = window.id if kind == "reload" else None
            if kind == "restart":
                window.cursor = window.offset = 0
            window.replace(rows, first=0, at_top=True, at_end=len(rows) < asked, keep=keep)

    def _keep_range(self) -> None:
        """Rows of a range that may leave the window keep their mark."""
        self.marks.keep_covered(self._covered())
        self._range_from = self._window.cursor

    # --- far moves ----------------------------------------------------------------------------------

    def action_cursor_top(self) -> None:
        if self._window.at_top:
            super().action_cursor_top()
        else:
            self._want("restart", RowSpan(Anchor(AnchorKind.TOP), self._window.asked))

    def action_cursor_end(self) -> None:
        if self._window.at_end:
            super().action_cursor_end()
        else:
            self._want("end", RowSpan(Anchor(AnchorKind.END), self._window.asked))
