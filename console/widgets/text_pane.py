"""A text that scrolls: details beside or below a list. Draws what it is given and repaints only what has changed.

Screens of lists show one; it knows no records.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

from console.keys import bindings
from console.widgets.drawing import MUTED
from console.widgets.paragraphs import Para, lay_out, para, unwrapped


class Paragraphs(Widget):
    """Paragraphs as high as they need to be."""

    DEFAULT_CSS = "Paragraphs { height: auto; width: 1fr; }"

    paras: reactive[tuple[Para, ...]] = reactive[tuple[Para, ...]]((), layout=True)

    def render(self) -> Content:
        return lay_out(self.paras, self.content_size.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return lay_out(self.paras, width).plain.count("\n") + 1


class TextPane(VerticalScroll, can_focus=True):
    """Details in words. Scrolls by the keys of a list when it has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(("down", "up", "page_down", "page_up", "half_down", "half_up", "top", "end"))
    ]
    DEFAULT_CSS = """
    TextPane {
        padding: 0 1; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        background: $background; color: $foreground;
    }
    """

    _about: Hashable = None
    _shown: tuple[Para, ...] = ()

    def compose(self) -> ComposeResult:
        yield Paragraphs()

    def show(self, about: Hashable, paras: Sequence[Para]) -> None:
        """Show the details of one thing; `about` says which, and another one begins at its top."""
        if not _same(self._shown, paras):
            self._shown = tuple(paras)
            self.query_one(Paragraphs).paras = self._shown
        if about != self._about:
            self._about = about
            self.scroll_home(animate=False)

    def say(self, sentence: str) -> None:
        """A sentence in place of details."""
        self.show(None, [para((sentence, MUTED))])

    @property
    def plain(self) -> str:
        """What is shown, one paragraph a line, without its looks."""
        return unwrapped(self._shown)

    # --- scrolling ----------------------------------------------------------------------------------

    def _by(self, rows: int) -> None:
        self.scroll_relative(y=rows, animate=False)

    def action_cursor_down(self) -> None:
        self._by(1)

    def action_cursor_up(self) -> None:
        self._by(-1)

    def action_page_down(self) -> None:
        self._by(max(self.size.height - 1, 1))

    def action_page_up(self) -> None:
        self._by(-max(self.size.height - 1, 1))

    def action_half_down(self) -> None:
        self._by(max(self.size.height // 2, 1))

    def action_half_up(self) -> None:
        self._by(-max(self.size.height // 2, 1))

    def action_cursor_top(self) -> None:
        self.scroll_home(animate=False)

    def action_cursor_end(self) -> None:
        self.scroll_end(animate=False)


def _same(one: Sequence[Para], other: Sequence[Para]) -> bool:
    """Whether both look the same; contents compare by their text alone."""
    if len(one) != len(other):
        return False
    return all(
        a.plain == b.plain and a.head.spans == b.head.spans and a.body.spans == b.body.spans
        for a, b in zip(one, other, strict=True)
    )
