"""A text that scrolls: details beside or below a list. Draws what it is given and repaints only what has changed.

Screens of lists show one; it knows no records.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.keys import bindings
from console.widgets.drawing import MUTED, plain


class TextPane(VerticalScroll, can_focus=True):
    """Details in words. Scrolls by the keys of a list when it has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(("down", "up", "page_down", "page_up", "half_down", "half_up", "top", "end"))
    ]
    DEFAULT_CSS = """
    TextPane { padding: 0 1; scrollbar-size-vertical: 1; background: $background; color: $foreground; }
    TextPane > Static { height: auto; width: 1fr; }
    """

    _about: Hashable = None
    _shown: Content | None = None

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def show(self, about: Hashable, content: Content) -> None:
        """Show the details of one thing; `about` says which, and another one begins at its top."""
        if self._shown is None or self._shown.plain != content.plain or self._shown.spans != content.spans:
            self._shown = content
            self.query_one(Static).update(content)
        if about != self._about:
            self._about = about
            self.scroll_home(animate=False)

    def say(self, sentence: str) -> None:
        """A sentence in place of details."""
        self.show(None, plain(sentence, MUTED))

    @property
    def plain(self) -> str:
        """What is shown, without its looks."""
        return self._shown.plain if self._shown is not None else ""

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
