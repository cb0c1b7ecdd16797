"""Asks for one of a few things: a release, a ring, an answer. Shows at most what a person can look over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Generic, TypeVar

from msgspec import Struct
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from console.dialogs.base import Dialog
from console.widgets.drawing import MUTED, line, plain

T = TypeVar("T")
_MOST = 100


class Choice(Struct, Generic[T], frozen=True):
    """One thing to choose."""

    value: T
    label: str
    note: str = ""


class ChooseDialog(Dialog[T], Generic[T]):
    """One question with a few answers; its result is the value of the chosen one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move('down')", "down"),
        Binding("k", "move('up')", "up"),
    ]
    DEFAULT_CSS = """
    ChooseDialog OptionList { height: auto; max-height: 14; border: none; padding: 0; background: $surface; }
    """

    def __init__(self, title: str, choices: Sequence[Choice[T]], *, label: str = "", at: int = 0) -> None:
        super().__init__(title)
        self._choices = tuple(choices[:_MOST])
        self._label, self._at = label, at

    def compose_body(self) -> Iterable[Widget]:
        if self._label:
            yield Static(plain(self._label, MUTED))
        width = max((len(choice.label) for choice in self._choices), default=0) + 2
        options = [
            Option(line(choice.label.ljust(width), (choice.note, MUTED)), id=str(index))
            for index, choice in enumerate(self._choices)
        ]
        yield OptionList(*options, markup=False, compact=True)

    def hints(self) -> Iterable[tuple[str, str]]:
        return (("enter", "choose"), ("esc", "back"))

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.focus()
        if self._choices:
            options.highlighted = min(self._at, len(self._choices) - 1)

    def action_move(self, direction: str) -> None:
        options = self.query_one(OptionList)
        if direction == "down":
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._choices[event.option_index].value)
