"""Chooses which columns a table shows; none ticked gives those that suit the width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import SelectionList
from textual.widgets.selection_list import Selection

from console.dialogs.base import Dialog
from console.widgets.drawing import plain
from console.widgets.tick_list import TickList


class ColumnsDialog(Dialog[tuple[str, ...]]):
    """Its result is the ids of the ticked columns, in the order of the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", "keep", priority=True),
        Binding("u", "usual", "the usual ones"),
    ]
    DEFAULT_CSS = """
    ColumnsDialog SelectionList { height: auto; max-height: 16; background: $surface; }
    """

    def __init__(self, columns: Sequence[tuple[str, str]], shown: Sequence[str]) -> None:
        super().__init__("Which columns?")
        self._columns, self._shown = tuple(columns), tuple(shown)

    def compose_body(self) -> Iterable[Widget]:
        yield TickList[str](
            *(Selection(plain(title), column_id, column_id in self._shown) for column_id, title in self._columns)
        )

    def hints(self) -> Iterable[tuple[str, str]]:
        return (("space", "tick"), ("enter", "keep"), ("u", "the usual ones"), ("esc", "back"))

    def on_mount(self) -> None:
        self.query_one(SelectionList).focus()

    def action_keep(self) -> None:
        ticked = set(self.query_one(SelectionList).selected)
        self.dismiss(tuple(column_id for column_id, _ in self._columns if column_id in ticked))

    def action_usual(self) -> None:
        self.dismiss(())
