"""What every dialog has: a frame, a title, a body that scrolls, escape as the way back, harmless focus.

Dialogs are opened with `push_screen_wait` from a worker in the group "dialog"; a new one each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from console.widgets.drawing import KEY, MUTED, Part, line, plain

T = TypeVar("T")
_FRAME_ROWS = 4
"""The frame's border, and a blank line below the title and above the hints."""


class Dialog(ModalScreen[T | None], Generic[T]):
    """Asks or tells one thing. Its result is None when it was left.

    A subclass yields its body's widgets from `compose_body`, names its keys in `hints`, and focuses in `on_mount`
    what does no harm when Enter is pressed by mistake.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "back")]
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > #frame {
        width: 76; max-width: 96%; height: auto; max-height: 96%;
        background: $surface; border: round $rule; padding: 0 1;
    }
    Dialog #dialog-title { height: auto; text-style: bold; margin-bottom: 1; }
    Dialog #dialog-body { height: auto; max-height: 100%; }
    Dialog #dialog-hints { height: auto; margin-top: 1; }
    Dialog Input { border: none; height: 1; padding: 0 1; background: $panel; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical(id="frame"):
            yield Static(plain(self._title), id="dialog-title")
            with VerticalScroll(id="dialog-body", can_focus=False):
                yield from self.compose_body()
            yield Static(self.hint_line(), id="dialog-hints")

    def on_resize(self) -> None:
        """The body takes what title and hints leave, and scrolls."""
        self.call_after_refresh(self._fit_body)

    def _fit_body(self) -> None:
        taken = self.query_one("#dialog-title").outer_size.height + self.query_one("#dialog-hints").outer_size.height
        room = self.size.height * 96 // 100 - _FRAME_ROWS - taken
        self.query_one("#dialog-body").styles.max_height = max(room, 3)

    def compose_body(self) -> Iterable[Widget]:
        """The widgets of the body."""
        return ()

    def hints(self) -> Iterable[tuple[str, str]]:
        """Keys and what they do."""
        return (("esc", "back"),)

    def hint_line(self) -> Content:
        """The keys at the foot of the frame."""
        parts: list[Part] = []
        for key, words in self.hints():
            parts += [(key, KEY), (f" {words}   ", MUTED)]
        return line(*parts)

    def show_hints(self) -> None:
        """The keys have changed."""
        self.query_one("#dialog-hints", Static).update(self.hint_line())

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Leave with a result, once: what a key repeats would take the screen below away too."""
        if not self.is_mounted:  # its widgets are still being made, and are looked for when they are
            self.call_later(self.dismiss, result)
            return AwaitComplete()
        return super().dismiss(result) if self.is_active else AwaitComplete()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is pressed before the dialog stands does nothing, unless it leaves."""
        if not self.is_mounted and action != "back":
            return False
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Leave; nothing happens."""
        self.dismiss(None)

    def action_scroll_body(self, direction: str) -> None:
        """Scroll the body by keys when nothing in it takes them."""
        body: Any = self.query_one("#dialog-body", VerticalScroll)
        getattr(body, f"scroll_{direction}")(animate=False)
