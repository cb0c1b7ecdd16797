"""The rings of one release, two lines each: numbers under column titles, and the bar with where the ring stands.

Its screen gives it rows and hears CursorMoved and RowOpened; a ring that has not changed is not drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from console.columns import Cell, ring_standing_cell
from console.keys import bindings
from console.messages import CursorMoved, RowOpened
from console.text import cells, clip, count, fit, is_ascii
from console.widgets.drawing import MUTED, Part, cell, line, lines
from console.widgets.ring_bar import bar, progress_shares
from console.widgets.ring_text import release_head
from engine.model.records.fleet import ReleaseRow, RingProgress

_PREFIX = 2
_GAP = 2
_TITLES = ("Devices", "Installed", "Active", "Failed", "Waiting", "Not ready")
_WIDTHS = tuple(len(title) + (2 if index else 0) for index, title in enumerate(_TITLES))
_WIDEST_NAME = 24
_INDENT = 4


def name_width(width: int) -> int:
    """Cells for a ring's number and name in a list of this width."""
    return min(max(width - _PREFIX - sum(_WIDTHS) - _GAP * len(_WIDTHS), 6), _WIDEST_NAME)


def header(row: RingProgress, width: int) -> Content:
    """The column titles; with the glyphs of the bar's parts they are its legend too."""
    glyphs = [("", ""), *((f"{each.glyph} ", each.style) for each in progress_shares(row))]
    parts: list[Part] = [(" " * _PREFIX + fit("Ring", name_width(width)), MUTED)]
    for title, column, (glyph, style) in zip(_TITLES, _WIDTHS, glyphs, strict=True):
        blanks = " " * (_GAP + column - cells(glyph + title))
        parts += [blanks, (glyph, style or MUTED), (title, MUTED)]
    return line(*parts)


def number_line(row: RingProgress, width: int, *, cursor: str = "") -> Content:
    """A ring's name and numbers. `cursor` is the style of the line under the cursor, "" elsewhere."""
    pointer = (">" if is_ascii() else "›") if cursor else " "
    parts: list[Part] = [fit(f"{pointer} {row.ring.position} {row.ring.name}", _PREFIX + name_width(width))]
    numbers = [(row.devices, ""), *((each.amount, each.style) for each in progress_shares(row))]
    for column, (number, style) in zip(_WIDTHS, numbers, strict=True):
        parts.append((fit(count(number) if number else "·", column + _GAP, "right"), style if number else MUTED))
    content = line(*parts)
    if not cursor:
        return content
    return Content.styled(content.plain + " " * max(width - cells(content.plain), 0), cursor)


def bar_line(row: RingProgress, width: int, stands: Cell) -> Content:
    """The bar, and beside it where the ring stands."""
    standing = cell(stands)
    bar_width = max(min((width - _INDENT) // 2, 60), 8)
    room = max(width - _INDENT - bar_width - 3, 0)
    if cells(standing.plain) > room:
        standing = Content.styled(clip(standing.plain, room), standing.spans[0].style if standing.spans else "")
    return line(" " * _INDENT, bar(progress_shares(row), bar_width), "  ", standing)


class ReleaseHead(Widget):
    """The release that the rings are shown for."""

    DEFAULT_CSS = "ReleaseHead { height: 2; width: 1fr; padding: 0 2; }"

    rows: reactive[tuple[ReleaseRow, ...]] = reactive[tuple[ReleaseRow, ...]](())
    """The release on each of its platforms."""
    progress: reactive[tuple[RingProgress, ...]] = reactive[tuple[RingProgress, ...]](())
    place: reactive[str] = reactive("")
    """Which one of how many: ``1 of 3``."""

    def render(self) -> Content:
        if not self.rows:
            return Content("")
        return release_head(self.rows, self.progress, self.place, self.content_size.width)


class RingHeader(Widget):
    """The column titles."""

    DEFAULT_CSS = "RingHeader { height: 1; width: 1fr; text-style: bold; }"

    row: reactive[RingProgress | None] = reactive[RingProgress | None](None)
    """Any ring: the glyphs are taken from it."""

    def render(self) -> Content:
        return header(self.row, self.size.width) if self.row is not None else Content("")


class RingCard(Widget):
    """One ring."""

    DEFAULT_CSS = "RingCard { height: 2; width: 1fr; }"

    row: reactive[RingProgress | None] = reactive[RingProgress | None](None)
    cursor: reactive[str] = reactive("")
    """The style of its first line while the cursor stands on it."""
    standing: reactive[Cell] = reactive(Cell(""))
    """Not the time itself: what is said changes far less often."""

    def render(self) -> Content:
        if self.row is None:
            return Content("")
        width = self.size.width
        return lines([number_line(self.row, width, cursor=self.cursor), bar_line(self.row, width, self.standing)])


class RingList(VerticalScroll, can_focus=True):
    """The rings, with a cursor that stays on its ring."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(("down", "up", "page_down", "page_up", "half_down", "half_up", "top", "end", "open"))
    ]
    DEFAULT_CSS = """
    RingList { height: auto; scrollbar-size-vertical: 1; background: $background; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: tuple[RingProgress, ...] = ()
        self._at = 0
        self._told: RingProgress | None = None

    def compose(self) -> ComposeResult:
        return iter(())

    @property
    def rows(self) -> Sequence[RingProgress]:
        """The rings shown."""
        return self._rows

    @property
    def cursor_row(self) -> RingProgress | None:
        """The ring under the cursor."""
        return self._rows[self._at] if self._at < len(self._rows) else None

    def show_rows(self, rows: Sequence[RingProgress], now: datetime) -> None:
        """The rings of a release, first ring first; the cursor stays on its ring."""
        before = self.cursor_row
        self._rows = tuple(rows)
        if before is not None:
            same = [index for index, row in enumerate(self._rows) if row.ring.id == before.ring.id]
            self._at = same[0] if same else self._at
        self._at = min(self._at, max(len(self._rows) - 1, 0))
        cards = list(self.query(RingCard))
        if len(cards) < len(self._rows):
            more = [RingCard() for _ in range(len(self._rows) - len(cards))]
            self.mount(*more)
            cards += more
        for card, row in zip(cards, self._rows, strict=False):
            card.row, card.standing, card.display = row, ring_standing_cell(row, now), True
        for card in cards[len(self._rows) :]:
            card.display = False
        self._show_cursor()

    def go_to_ring(self, name: str) -> bool:
        """Put the cursor on a ring by name; False when there is none."""
        for index, row in enumerate(self._rows):
            if row.ring.name.casefold() == name.casefold():
                self._move_to(index)
                return True
        return False

    def _show_cursor(self) -> None:
        style = "$cursor-text on $cursor" if self.has_focus else "$foreground on $cursor-away"
        for index, card in enumerate(self.query(RingCard)):
            card.cursor = style if index == self._at else ""
            if index == self._at:
                card.scroll_visible(animate=False)
        if self.cursor_row != self._told:
            self._told = self.cursor_row
            self.post_message(CursorMoved(self, self.cursor_row))

    def _move_to(self, index: int) -> None:
        self._at = min(max(index, 0), max(len(self._rows) - 1, 0))
        self._show_cursor()

    def action_cursor_down(self) -> None:
        self._move_to(self._at + 1)

    def action_cursor_up(self) -> None:
        self._move_to(self._at - 1)

    def action_page_down(self) -> None:
        self._move_to(self._at + max(self.size.height // 2, 1))

    def action_page_up(self) -> None:
        self._move_to(self._at - max(self.size.height // 2, 1))

    def action_half_down(self) -> None:
        self._move_to(self._at + max(self.size.height // 4, 1))

    def action_half_up(self) -> None:
        self._move_to(self._at - max(self.size.height // 4, 1))

    def action_cursor_top(self) -> None:
        self._move_to(0)

    def action_cursor_end(self) -> None:
        self._move_to(len(self._rows) - 1)

    def action_open(self) -> None:
        if self.cursor_row is not None:
            self.post_message(RowOpened(self, self.cursor_row))

    def on_focus(self) -> None:
        self._show_cursor()

    def on_blur(self) -> None:
        self._show_cursor()

    def on_click(self, event: events.Click) -> None:
        for index, card in enumerate(self.query(RingCard)):
            if event.widget is card:
                self._move_to(index)
                if event.chain == 2:
                    self.action_open()
