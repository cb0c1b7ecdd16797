"""The calendar's picture: twelve month cards in four quarters, or three large ones. One month has the cursor.

Its screen gives it the months of a year and hears by how many months the cursor wants to move; it knows no engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.visual import RenderOptions
from textual.widget import Widget

from console.keys import bindings
from console.shell import Shell
from console.text import month as month_text
from console.widgets.drawing import fitted, plain
from console.widgets.month_card import framed, quarter_lines, year_lines, year_strip
from engine.catalog.calendar import MonthPlan

COLUMNS = 3
_LEAST_CARD = 5
_TALLEST_CARD = 12
_TALLEST_QUARTER = 26
_GAP = 1
_STRIP, _STRIP_FROM = 2, 22
"""Lines of the year below a quarter, and the height from which on it is shown."""


class MonthGrid(Widget, can_focus=True):
    """Months of one platform. `zoomed` shows the quarter of the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(("left", "right", "down", "up", "page_down", "page_up", "top", "end", "open"))
    ]
    DEFAULT_CSS = """
    MonthGrid { height: 1fr; width: 1fr; background: $background; color: $foreground; }
    """

    class Moved(Message):
        """The cursor wants to go on by so many months."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    class Opened(Message):
        """Enter on a month."""

        def __init__(self, plan: MonthPlan) -> None:
            super().__init__()
            self.plan = plan

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._plans: tuple[MonthPlan, ...] = ()
        self._sentences: tuple[Content, ...] = (plain("Reading the calendar …", "$muted"),)
        self._cursor = 0
        self._zoomed = False
        self._cards: dict[int, list[Content]] = {}
        self._cards_fit = self.size

    # --- for its screen -----------------------------------------------------------------------------

    def show(self, plans: Sequence[MonthPlan], cursor: int, *, zoomed: bool) -> None:
        """The twelve months of a year, the index of the one with the cursor, and whether its quarter is shown alone."""
        self._sentences = ()
        before = self._place()
        if tuple(plans) != self._plans or zoomed != self._zoomed:
            self._plans, self._zoomed, self._cursor = tuple(plans), zoomed, cursor
            self.redraw()
        elif cursor != self._cursor:
            old, self._cursor = self._cursor, cursor
            if self._place() != before:
                self.redraw()
            else:
                self._redraw_card(old)
                self._redraw_card(cursor)

    def say(self, *sentences: Content) -> None:
        """Sentences in place of the months."""
        self._sentences, self._plans = sentences, ()
        self.redraw()

    def redraw(self) -> None:
        """Time has passed, or the size has changed."""
        self._cards.clear()
        self.refresh()

    @property
    def cursor_plan(self) -> MonthPlan | None:
        """The month under the cursor."""
        return self._plans[self._cursor] if self._cursor < len(self._plans) else None

    # --- where the cards stand ----------------------------------------------------------------------

    @property
    def _card_height(self) -> int:
        if self._zoomed:
            room = self.size.height - (_STRIP if self._has_strip else 0)
            return min(max(room, _LEAST_CARD), _TALLEST_QUARTER)
        return min(max(self.size.height // 4, _LEAST_CARD), _TALLEST_CARD)

    @property
    def _has_strip(self) -> bool:
        """Whether there is room for the year below a quarter."""
        return self._zoomed and self.size.height >= _STRIP_FROM

    def _place(self) -> tuple[int, int]:
        """The first row of cards in view, and how many rows are."""
        row = self._cursor // COLUMNS
        if self._zoomed:
            return row, 1
        rows = min(max(self.size.height // self._card_height, 1), 4)
        return (0 if rows == 4 else min(max(row - rows + 1, 0), 4 - rows)), rows

    def _card_width(self, column: int) -> int:
        """The first cards take what three cannot share."""
        room = self.size.width - _GAP * (COLUMNS - 1)
        return room // COLUMNS + (1 if column < room % COLUMNS else 0)

    def _redraw_card(self, index: int) -> None:
        self._cards.pop(index, None)
        first, rows = self._place()
        row, column = divmod(index, COLUMNS)
        if first <= row < first + rows:
            x = sum(self._card_width(each) + _GAP for each in range(column))
            height = self._card_height
            self.refresh(Region(x, (row - first) * height, self._card_width(column), height))

    def _card(self, index: int) -> list[Content]:
        if self._cards_fit != self.size:  # lines are drawn before the news of another size arrives
            self._cards_fit = self.size
            self._cards.clear()
        if index not in self._cards:
            plan, now = self._plans[index], cast(Shell, self.app).present()
            width, height = self._card_width(index % COLUMNS), self._card_height
            room = width - 4
            rows = quarter_lines(plan, room, now) if self._zoomed else year_lines(plan, room, height - 2, now)
            self._cards[index] = framed(
                plan,
                rows,
                width,
                height,
                is_now=plan.month == f"{now:%Y-%m}",
                cursor=index == self._cursor,
                title=month_text(plan.month) if self._zoomed else "",
            )
        return self._cards[index]

    # --- drawing ------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        if not self._plans:
            return self._strip(self._sentences[y - 1] if 1 <= y <= len(self._sentences) else plain(""))
        first, rows = self._place()
        row, within = divmod(y, self._card_height)
        if row >= rows:
            is_strip = self._has_strip and y == self._card_height + _STRIP - 1
            return self._strip(year_strip(self._plans, self._cursor, self.size.width) if is_strip else plain(""))
        indices = range((first + row) * COLUMNS, (first + row + 1) * COLUMNS)
        return self._strip(Content(" " * _GAP).join([self._card(index)[within] for index in indices]))

    def _strip(self, content: Content) -> Strip:
        width = self.size.width
        found = fitted(content, width).render_strips(width, 1, self.visual_style, RenderOptions(self._get_style, {}))
        return found[0] if found else Strip.blank(width)

    def _on_resize(self, event: events.Resize) -> None:  # noqa: ARG002 - the size is the widget's
        self.redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._cards.clear()

    # --- keys and mouse -----------------------------------------------------------------------------

    def _move(self, by: int) -> None:
        self.post_message(self.Moved(by))

    def action_cursor_left(self) -> None:
        self._move(-1)

    def action_cursor_right(self) -> None:
        self._move(1)

    def action_cursor_up(self) -> None:
        self._move(-COLUMNS)

    def action_cursor_down(self) -> None:
        self._move(COLUMNS)

    def action_page_up(self) -> None:
        self._move(-COLUMNS if self._zoomed else -12)

    def action_page_down(self) -> None:
        self._move(COLUMNS if self._zoomed else 12)

    def action_cursor_top(self) -> None:
        self._move(-self._cursor)

    def action_cursor_end(self) -> None:
        self._move(11 - self._cursor)

    def action_open(self) -> None:
        if (plan := self.cursor_plan) is not None:
            self.post_message(self.Opened(plan))

    def on_click(self, event: events.Click) -> None:
        first, rows = self._place()
        row = event.y // self._card_height
        if not self._plans or row >= rows:
            return
        x = 0
        for column in range(COLUMNS):
            x += self._card_width(column) + _GAP
            if event.x < x:
                self._move((first + row) * COLUMNS + column - self._cursor)
                if event.chain == 2:
                    self.action_open()
                return
