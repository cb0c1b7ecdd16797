"""What every table has: lines it draws itself, a cursor that stays on its row, marks, an order, keys and mouse.

`fleet_table` asks for its rows page by page, `small_table` is given them all. A step of the cursor redraws two lines;
neither knows the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import ClassVar, Generic, TypeVar, cast

from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from console.columns import Column, Placed, place
from console.keys import TABLE, bindings
from console.messages import CursorMoved, MarksChanged, RowOpened, SortWanted
from console.shell import Shell
from console.text import Tone
from console.widgets.marks import Marks
from console.widgets.painter import PREFIX, Look, Painter
from console.widgets.window import RowWindow
from engine.model.errors import EngineError

Row = TypeVar("Row")

_WHEEL_ROWS = 3


class KeyedTable(Widget, Generic[Row], can_focus=True):
    """The common part of both tables."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--cursor-away",
        "table--mark",
        "table--words",
        *(f"table--{severity.value.replace('_', '-')}" for severity in Tone if severity.value),
    }
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(TABLE)]
    DEFAULT_CSS = """
    KeyedTable {
        height: 1fr; width: 1fr; background: $background; color: $foreground;
        & .table--header { color: $muted; text-style: bold; background: $background; }
        & .table--cursor { color: $cursor-text; background: $cursor; }
        & .table--cursor-away { color: $foreground; background: $cursor-away; }
        & .table--mark { color: $mark; }
        & .table--words { color: $muted; }
        & .table--ok { color: $ok; }
        & .table--due { color: $due; }
        & .table--at-risk { color: $at-risk; }
        & .table--failed { color: $failed; }
        & .table--unknown { color: $unknown; }
    }
    """

    sort: reactive[str] = reactive("", init=False)
    """The sort key the list is ordered by."""
    descending: reactive[bool] = reactive(False, init=False)
    chosen: reactive[tuple[str, ...]] = reactive[tuple[str, ...]]((), init=False)
    """Ids of the columns to show, in order; empty for those that suit the width."""

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
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.marks = Marks()
        self.empty_words: tuple[str, str] = (f"No {noun}.", "")
        """What to say when the list is empty, and what would help."""
        self._noun = noun
        self._window: RowWindow[Row] = RowWindow(row_id)
        self._answered = False
        self._failure: EngineError | None = None
        self._range_from = 0
        self._painter: Painter[Row] | None = None
        self._painted: dict[int, Strip] = {}
        self.set_reactive(KeyedTable.sort, sort)

    # --- for its screen -----------------------------------------------------------------------------

    def restart(self) -> None:
        """The list is another one, or in another order: to its top."""
        raise NotImplementedError

    def reload(self) -> None:
        """The list may have changed: the cursor stays on its row."""
        raise NotImplementedError

    def jump(self, beginning: str) -> None:
        """To the first row that begins like this."""
        raise NotImplementedError

    def present(self) -> datetime:
        """The present that ages are told against."""
        return cast(Shell, self.app).present()

    @property
    def cursor_row(self) -> Row | None:
        """The row one stands on."""
        return self._window.row

    @property
    def total(self) -> int | None:
        """How many rows the list has; None while nobody has counted."""
        return self._window.total

    @property
    def rows_shown(self) -> Sequence[Row]:
        """The rows in view."""
        return self._window.shown()

    @property
    def placed(self) -> Sequence[Placed[Row]]:
        """The columns in view."""
        return self._paint().placed

    def clear_marks(self) -> None:
        """Take all marks away."""
        self.marks.clear()
        self._marks_changed()

    def mark_everything(self) -> None:
        """Mark all that the list's filter matches."""
        self.marks.mark_everything()
        self._marks_changed()

    # --- moving -------------------------------------------------------------------------------------

    def _moved(self, move: Callable[[], None]) -> None:
        """Run a move of the window, then redraw what it changed and nothing else."""
        window = self._window
        offset, cursor = window.offset, window.cursor
        move()
        if self.marks.in_range and window.cursor != cursor:
            self._cover_range()
        if window.offset != offset:
            self.refresh(Region(0, 1, self.size.width, self.size.height - 1))
            self._scrolled()
        elif window.cursor != cursor:
            low, high = sorted((cursor, window.cursor))
            changed = range(low, high + 1) if self.marks.in_range else (cursor, window.cursor)
            for index in changed:
                self._refresh_line(1 + index - offset)
        if window.cursor != cursor:
            self._tell_cursor()
        self._look_ahead()

    def _look_ahead(self) -> None:
        """The cursor has moved: more rows may be needed soon."""

    def _scrolled(self) -> None:
        """Other rows are in view."""

    def _tell_cursor(self) -> None:
        self.post_message(CursorMoved(self, self._window.row))

    def action_cursor_down(self) -> None:
        self._moved(lambda: self._window.move_to(self._window.cursor + 1))

    def action_cursor_up(self) -> None:
        self._moved(lambda: self._window.move_to(self._window.cursor - 1))

    def _page(self, rows: int) -> None:
        window = self._window

        def move() -> None:
            line = window.cursor - window.offset
            window.scroll(rows)
            at_edge = window.offset == 0 if rows < 0 else window.offset + window.height >= len(window.rows)
            window.move_to(window.cursor + rows if at_edge else window.offset + line)

        self._moved(move)

    def action_page_down(self) -> None:
        self._page(self._window.height)

    def action_page_up(self) -> None:
        self._page(-self._window.height)

    def action_half_down(self) -> None:
        self._page(max(self._window.height // 2, 1))

    def action_half_up(self) -> None:
        self._page(-max(self._window.height // 2, 1))

    def action_cursor_top(self) -> None:
        self._moved(lambda: self._window.move_to(0))

    def action_cursor_end(self) -> None:
        self._moved(lambda: self._window.move_to(len(self._window.rows) - 1))

    def action_open(self) -> None:
        if (row := self._window.row) is not None:
            self.post_message(RowOpened(self, row))

    # --- marks --------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark the row, or take its mark away, and go on."""
        row_id = self._window.id
        if row_id is None:
            return
        if self.marks.everything:
            self.marks.clear()
        else:
            self.marks.toggle(row_id)
        self._marks_changed()
        self.action_cursor_down()

    def action_range(self) -> None:
        """Begin a range at the cursor, or end it."""
        if self.marks.in_range:
            self.marks.end_range()
        elif self._window.row is not None and not self.marks.everything:
            self.marks.begin_range()
            self._range_from = self._window.cursor
            self._cover_range()
        self._marks_changed()

    def _covered(self) -> list[Hashable]:
        low, high = sorted((self._range_from, self._window.cursor))
        return [self._window.row_id(row) for row in self._window.rows[max(low, 0) : high + 1]]

    def _cover_range(self) -> None:
        self.marks.cover(self._covered())
        self.post_message(MarksChanged(self))

    def _marks_changed(self) -> None:
        self.refresh_changed()
        self.post_message(MarksChanged(self))

    # --- order and columns --------------------------------------------------------------------------

    def order_by(self, sort: str, *, descending: bool = False) -> None:
        """Order the list; its screen hears SortWanted before rows are asked for."""
        self.sort, self.descending = sort, descending
        self.post_message(SortWanted(self, sort, descending))
        self.restart()
        self._refresh_line(0)

    def action_sort_next(self) -> None:
        keys = [placed.column.sort for placed in self.placed if placed.column.sort]
        if keys:
            following = keys[(keys.index(self.sort) + 1) % len(keys)] if self.sort in keys else keys[0]
            self.order_by(following)

    def action_sort_reverse(self) -> None:
        if self.sort:
            self.order_by(self.sort, descending=not self.descending)

    def watch_chosen(self) -> None:
        self._repaint()

    # --- drawing ------------------------------------------------------------------------------------

    def _repaint(self) -> None:
        """Look, width or columns have changed."""
        self._painter = None
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._painter = None

    def _paint(self) -> Painter[Row]:
        if self._painter is None:
            width = max(self.size.width, 1)
            style = self.get_component_rich_style
            self._painter = Painter(
                place(self.columns, max(width - PREFIX, 1), self.chosen),
                width,
                Look(
                    base=self.rich_style,
                    header=style("table--header"),
                    cursor=style("table--cursor"),
                    cursor_away=style("table--cursor-away"),
                    mark=style("table--mark"),
                    words=style("table--words"),
                    severities={
                        severity: style(f"table--{severity.value.replace('_', '-')}")
                        for severity in Tone
                        if severity is not Tone.NONE
                    },
                ),
            )
        return self._painter

    def render_line(self, y: int) -> Strip:
        strip = self._line(y)
        self._painted[y] = strip
        return strip

    def refresh_changed(self) -> None:
        """Redraw the lines whose picture has changed, and no other."""
        for y in range(self.size.height):
            if self._painted.get(y) != self._line(y):
                self._refresh_line(y)

    def _line(self, y: int) -> Strip:
        painter = self._paint()
        if y == 0:
            return painter.header(self.sort, descending=self.descending, places=self._places())
        index = self._window.offset + y - 1
        if index < len(self._window.rows) and y <= self._window.height:
            row = self._window.rows[index]
            return painter.row(
                row,
                self.present(),
                cursor=index == self._window.cursor,
                focused=self.has_focus,
                marked=self._window.row_id(row) in self.marks,
            )
        words = self._words() if not self._window.rows else ()
        return painter.words(words[y - 2]) if 2 <= y < 2 + len(words) else painter.blank()

    def _words(self) -> tuple[str, ...]:
        """What stands in a table without rows: it is being read, it could not be, or there are none."""
        if self._failure is not None:
            sentences = (self._failure.args[0], self._failure.why, self._failure.instead)
            return tuple(str(sentence) for sentence in sentences if sentence)
        if not self._answered:
            return (f"Reading {self._noun} …",)
        return tuple(sentence for sentence in self.empty_words if sentence)

    def _places(self) -> Sequence[str]:
        """Which rows are in view, longest words first, for the header's right end."""
        return ()

    def _refresh_line(self, y: int) -> None:
        self.refresh(Region(0, y, self.size.width, 1))

    def _on_resize(self, event: events.Resize) -> None:
        self._painter = None
        self._window.resize(event.size.height - 1)
        self.refresh()  # what was drawn before this message had the height of before
        if self._answered:
            self._look_ahead()

    def on_focus(self) -> None:
        self._refresh_line(1 + self._window.cursor - self._window.offset)

    def on_blur(self) -> None:
        self._refresh_line(1 + self._window.cursor - self._window.offset)

    # --- mouse --------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            placed = self._paint().column_at(event.x)
            if placed is not None and placed.column.sort:
                turned = placed.column.sort == self.sort and not self.descending
                self.order_by(placed.column.sort, descending=turned)
            return
        index = self._window.offset + event.y - 1
        if index < len(self._window.rows):
            self._moved(lambda: self._window.move_to(index))
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._moved(lambda: self._window.scroll(_WHEEL_ROWS))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._moved(lambda: self._window.scroll(-_WHEEL_ROWS))
