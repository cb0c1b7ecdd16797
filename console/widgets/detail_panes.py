"""Details under a list: two texts side by side where there is room, one below the other where there is not.

Screens of releases and failures show it; it draws what it is given.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from typing import cast

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer

from console.shell import Shell
from console.widgets.drawing import MUTED
from console.widgets.paragraphs import BLANK, Para, para, unwrapped
from console.widgets.text_pane import TextPane

_SIDE_BY_SIDE = 110
_PATIENCE = 0.12
"""Seconds within which a second move counts as hurried."""


class DetailPanes(Horizontal):
    """What something is, and what more there is to say about it."""

    DEFAULT_CSS = """
    DetailPanes { height: 50%; min-height: 6; border-top: solid $rule; }
    DetailPanes > TextPane { width: 1fr; height: 100%; }
    DetailPanes > #more { border-left: solid $rule; }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._about: Hashable = None
        self._facts: tuple[Para, ...] = ()
        self._more: tuple[Para, ...] = ()
        self._moved_at = 0.0
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield TextPane(id="facts")
        yield TextPane(id="more")

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self, _: events.Resize) -> None:
        self._draw()

    def show(self, about: Hashable, facts: Sequence[Para], more: Sequence[Para] = ()) -> None:
        """Show one thing; `about` says which, and another one begins at its top."""
        hurried = about != self._about and time.monotonic() - self._moved_at < _PATIENCE
        if about != self._about:
            self._moved_at = time.monotonic()
        self._about, self._facts, self._more = about, tuple(facts), tuple(more)
        if hurried:
            self._draw_at_rest()
        elif self._timer is None:
            self._draw()

    def say(self, sentence: str) -> None:
        """A sentence in place of details."""
        self.show(None, [para((sentence, MUTED))])

    def read(self) -> None:
        """Take the focus."""
        self.query_one("#facts", TextPane).focus()

    @property
    def plain(self) -> str:
        """All that is shown, one paragraph a line, without its looks."""
        return unwrapped((*self._facts, BLANK, *self._more) if self._more else self._facts)

    def _draw_at_rest(self) -> None:
        """Wait until the cursor rests: a held key does not draw every thing that it passes."""
        background = cast(Shell, self.app).background
        if self._timer is None:
            background.hold()
        else:
            self._timer.stop()
        self._timer = self.set_timer(_PATIENCE, self._rested)

    def _rested(self) -> None:
        self._timer = None
        self._draw()
        cast(Shell, self.app).background.release()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        facts, more = self.query_one("#facts", TextPane), self.query_one("#more", TextPane)
        more.display = self.size.width >= _SIDE_BY_SIDE and bool(self._more)
        if more.display:
            facts.show(self._about, self._facts)
            more.show(self._about, self._more)
        else:
            facts.show(self._about, (*self._facts, BLANK, *self._more) if self._more else self._facts)
