"""Asks for one line of text: a reason, a file name, a number. Knows nothing of what it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual import on
from textual.widget import Widget
from textual.widgets import Input, Static

from console.dialogs.base import Dialog
from console.text import Tone
from console.widgets.drawing import MUTED, plain, severity_text


class AskDialog(Dialog[str]):
    """One question; its result is the text, without blanks around it. `check` returns what is wrong, "" if nothing."""

    def __init__(
        self,
        title: str,
        label: str,
        *,
        value: str = "",
        hint: str = "",
        check: Callable[[str], str] = lambda text: "" if text else "Write something, or leave with esc.",
    ) -> None:
        super().__init__(title)
        self._label, self._value, self._hint, self._check = label, value, hint, check

    def compose_body(self) -> Iterable[Widget]:
        yield Static(plain(self._label))
        yield Input(value=self._value, compact=True, id="text")
        yield Static(plain(self._hint, MUTED), id="wrong")

    def hints(self) -> Iterable[tuple[str, str]]:
        return (("enter", "go on"), ("esc", "back"))

    def on_mount(self) -> None:
        self.query_one("#text", Input).focus()

    @on(Input.Submitted, "#text")
    def _enter(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        wrong = self._check(text)
        if wrong:
            self.query_one("#wrong", Static).update(severity_text(Tone.AT_RISK, wrong))
        else:
            self.dismiss(text)
