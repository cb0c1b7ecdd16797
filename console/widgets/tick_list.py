"""A list whose entries can be ticked; `[x]` and `[ ]` tell the tick where there is no colour.

Dialogs use it. Textual's own draws the same sign for both and tells them apart by colour alone.
"""

from __future__ import annotations

from typing import TypeVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widgets import SelectionList

T = TypeVar("T")
_BUTTON_SEGMENTS = 3


class TickList(SelectionList[T]):
    """Textual's list with signs; it has no frame, so that nothing moves when it gets the focus."""

    DEFAULT_CSS = """
    TickList, TickList:focus { border: none; padding: 0; }
    """

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        index = self.scroll_offset.y + y
        if index >= self.option_count:
            return strip
        button, rest = list(strip)[:_BUTTON_SEGMENTS], list(strip)[_BUTTON_SEGMENTS:]
        ticked = self.get_option_at_index(index).value in self.selected
        signs = "[x]" if ticked else "[ ]"
        inner = button[1].style
        return Strip([*(Segment(sign, inner) for sign in signs), *rest], strip.cell_length)
