"""A line at the foot of a screen to type a filter or a name into, with history, suggestions and what is wrong.

Its screen opens it, hears Typed, Entered and Left, and says what is wrong; the line knows no filter language.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from console.text import Tone
from console.widgets.drawing import KEY, MUTED, Part, line, plain, severity_text


class Completion(Struct, frozen=True):
    """What the text could become."""

    text: str
    label: str
    help: str = ""


Suggest = Callable[[str], Sequence[Completion]]
"""The text so far → what it could become, the likeliest first."""
_MOST_SHOWN = 6


class AskInput(Input):
    """An input whose arrows walk the history and whose tab takes the first suggestion."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "history(-1)", "older", show=False),
        Binding("down", "history(1)", "newer", show=False),
        Binding("tab", "complete", "complete", show=False),
        Binding("escape", "leave", "back", show=False),
    ]

    def action_history(self, step: int) -> None:
        self.screen.query_one(AskLine).walk_history(step)

    def action_complete(self) -> None:
        self.screen.query_one(AskLine).complete()

    def action_leave(self) -> None:
        self.screen.query_one(AskLine).leave()


class AskLine(Widget):
    """Hidden until opened; one line for the text, one for suggestions or what is wrong."""

    DEFAULT_CSS = """
    AskLine { display: none; dock: bottom; height: 2; background: $panel; margin-bottom: 1; padding: 0 1; }
    AskLine Horizontal { height: 1; }
    AskLine #ask-prompt { width: auto; color: $key; text-style: bold; }
    AskLine AskInput { width: 1fr; height: 1; border: none; padding: 0; background: $panel; }
    AskLine #ask-hint { height: 1; width: 1fr; }
    """

    class Typed(Message):
        """The text has changed."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    class Entered(Typed):
        """The text is meant."""

    class Left(Typed):
        """The line was left; `text` is what stood there when it was opened."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._purpose = ""
        self._before = ""
        self._suggest: Suggest | None = None
        self._suggestions: Sequence[Completion] = ()
        self._history: tuple[str, ...] = ()
        self._at = 0
        self._hint = ""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("", id="ask-prompt")
            yield AskInput(compact=True, select_on_focus=False)
        yield Static("", id="ask-hint")

    @property
    def is_open(self) -> bool:
        """Whether somebody is typing here."""
        return bool(self.display) and bool(self._purpose)

    def open(
        self,
        purpose: str,
        prompt: str,
        value: str = "",
        *,
        suggest: Suggest | None = None,
        history: Sequence[str] = (),
        hint: str = "",
    ) -> None:
        """Show the line and take the keys. `purpose` comes back in every message; `history` has the newest last."""
        self._purpose, self._before, self._hint = purpose, value, hint
        self._suggest, self._history, self._at = suggest, tuple(history), len(history)
        self.query_one("#ask-prompt", Static).update(plain(f"{prompt} "))
        field = self.query_one(AskInput)
        with field.prevent(Input.Changed):
            field.value = value
        field.cursor_position = len(value)
        self.display = True
        field.focus()
        self._show_suggestions(value)

    def close(self) -> None:
        """Hide the line; its screen puts the focus home."""
        self._purpose = ""
        self.display = False

    def say_wrong(self, words: str) -> None:
        """What is wrong with the text; "" takes it back."""
        if words:
            self.query_one("#ask-hint", Static).update(severity_text(Tone.AT_RISK, words))
        else:
            self._show_suggestions(self.query_one(AskInput).value)

    def walk_history(self, step: int) -> None:
        """An older or a newer text."""
        if not self._history:
            return
        self._at = min(max(self._at + step, 0), len(self._history))
        text = self._history[self._at] if self._at < len(self._history) else self._before
        field = self.query_one(AskInput)
        field.value = text
        field.cursor_position = len(text)

    def complete(self) -> None:
        """Take the first suggestion."""
        if self._suggestions:
            field = self.query_one(AskInput)
            field.value = self._suggestions[0].text
            field.cursor_position = len(field.value)

    def leave(self) -> None:
        """Go without the text."""
        purpose = self._purpose
        self.close()
        self.post_message(self.Left(purpose, self._before))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self._purpose:
            self._show_suggestions(event.value)
            self.post_message(self.Typed(self._purpose, event.value))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._purpose:
            self.post_message(self.Entered(self._purpose, event.value.strip()))

    def _show_suggestions(self, text: str) -> None:
        self._suggestions = self._suggest(text)[:_MOST_SHOWN] if self._suggest is not None else ()
        hint = self.query_one("#ask-hint", Static)
        if self._suggestions:
            parts: list[Part] = [("tab ", KEY)]
            for index, each in enumerate(self._suggestions):
                parts += [(each.label, "" if index == 0 else MUTED), "  "]
            parts.append((self._suggestions[0].help, MUTED))
            hint.update(line(*parts))
        else:
            hint.update(plain(self._hint, MUTED))
