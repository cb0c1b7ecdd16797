"""Containers of lists that Textual lays out and paints once where it would do both twice.

A widget's virtual size is set while the screen is laid out, and Textual answers with one more layout and one more paint
of it. Nothing here depends on a virtual size but scroll bars, and these ask for a layout of their own.
"""

from __future__ import annotations

from textual.containers import Vertical, VerticalScroll
from textual.geometry import Size
from textual.message import Message
from textual.reactive import Reactive


class Board(VerticalScroll, can_focus=False):
    """Columns of lists, scrolled where they are longer than the screen."""

    virtual_size = Reactive(Size(0, 0), repaint=False)

    class Sized(Message):
        """It has another size: there may be room for more, or for less."""

    def on_resize(self) -> None:
        self.post_message(self.Sized())


class Stack(Vertical):
    """Lists, or columns of them."""

    virtual_size = Reactive(Size(0, 0), repaint=False)
