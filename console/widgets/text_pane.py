"""A text that scrolls: details beside or below a list. It draws lines itself and repaints only those that changed.

Screens of lists show one; it knows no records.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from console.keys import bindings
from console.widgets.drawing import MUTED
from console.widgets.paragraphs import Para, lay_out, para, unwrapped

_WHEEL_ROWS = 3
_BAR_CELLS = 2
"""The bar, and a blank before it."""


class TextPane(Widget, can_focus=True):
    """Details in words. Scrolls by the keys of a list when it has the focus; a bar at the right says where one is."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"text-pane--bar"}
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(("down", "up", "page_down", "page_up", "half_down", "half_up", "top", "end"))
    ]
    DEFAULT_CSS = """
    TextPane {
        padding: 0 1; height: 1fr; width: 1fr; background: $background; color: $foreground;
        & .text-pane--bar { color: $rule; }
        &:focus .text-pane--bar { color: $key; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._about: Hashable = None
        self._shown: tuple[Para, ...] = ()
        self._lines: list[Strip] = []
        self._laid_out_for = -1
        self._offset = 0
        self._painted: dict[int, Strip] = {}

    def show(self, about: Hashable, paras: Sequence[Para]) -> None:
        """Show the details of one thing; `about` says which, and another one begins at its top."""
        self._shown = tuple(paras)
        self._laid_out_for = -1
        if about != self._about:
            self._about, self._offset = about, 0
        self._refresh_changed()

    def say(self, sentence: str) -> None:
        """A sentence in place of details."""
        self.show(None, [para((sentence, MUTED))])

    @property
    def plain(self) -> str:
        """What is shown, one paragraph a line, without its looks."""
        return unwrapped(self._shown)

    @property
    def first_line(self) -> int:
        """How many lines stand above what is in view."""
        return self._offset

    # --- drawing ------------------------------------------------------------------------------------

    def _text(self) -> list[Strip]:
        """The lines, laid out for the present width; the last two cells of each are left to the bar."""
        width = max(self.content_size.width - _BAR_CELLS, 1)
        if self._laid_out_for != width:
            self._laid_out_for = width
            content = lay_out(self._shown, width) if self._shown else Content("")
            self._lines = Visual.to_strips(self, content, width, None, self.visual_style)
            self._offset = self._valid(self._offset)
        return self._lines

    def _valid(self, offset: int) -> int:
        return min(max(offset, 0), max(len(self._lines) - self.content_size.height, 0))

    def render_line(self, y: int) -> Strip:
        strip = self._line(y)
        self._painted[y] = strip
        return strip

    def _line(self, y: int) -> Strip:
        lines, width = self._text(), self.content_size.width
        index = self._offset + y
        strip = lines[index] if index < len(lines) else Strip.blank(0, self.rich_style)
        body = strip.extend_cell_length(width - 1, self.rich_style).crop(0, width - 1)
        bar = self._bar(y)
        style = self.rich_style if bar == " " else self.get_component_rich_style("text-pane--bar")
        return Strip([*body, Segment(bar, style)], width)

    def _bar(self, y: int) -> str:
        """The bar's cell on a line: there beside the part of the text that is in view."""
        height, total = self.content_size.height, len(self._lines)
        if total <= height or not height:
            return " "
        length = max(height * height // total, 1)
        begin = (height - length) * self._offset // (total - height)
        return "┃" if begin <= y < begin + length else " "

    def _refresh_changed(self) -> None:
        for y in range(self.content_size.height):
            if self._painted.get(y) != self._line(y):
                self.refresh(Region(0, y, self.content_size.width, 1))

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._laid_out_for = -1

    def _on_resize(self, event: events.Resize) -> None:  # noqa: ARG002
        self._laid_out_for = -1
        self._painted.clear()

    # --- scrolling ----------------------------------------------------------------------------------

    def _go(self, offset: int) -> None:
        self._text()
        self._offset = self._valid(offset)
        self._refresh_changed()

    def action_cursor_down(self) -> None:
        self._go(self._offset + 1)

    def action_cursor_up(self) -> None:
        self._go(self._offset - 1)

    def action_page_down(self) -> None:
        self._go(self._offset + max(self.content_size.height - 1, 1))

    def action_page_up(self) -> None:
        self._go(self._offset - max(self.content_size.height - 1, 1))

    def action_half_down(self) -> None:
        self._go(self._offset + max(self.content_size.height // 2, 1))

    def action_half_up(self) -> None:
        self._go(self._offset - max(self.content_size.height // 2, 1))

    def action_cursor_top(self) -> None:
        self._go(0)

    def action_cursor_end(self) -> None:
        self._go(len(self._text()))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._go(self._offset + _WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._go(self._offset - _WHEEL_ROWS)
