"""The filter language on one page: how to write it, the fields, the views by name. Made from the engine's own table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.dialogs.base import Dialog
from console.text import fit
from console.widgets.drawing import KEY, MUTED, STRONG, line, lines, plain


class FilterHelp(Dialog[None]):
    """Shows the page; `views` are those of the settings."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_body('down')", "down"),
        Binding("up,k", "scroll_body('up')", "up"),
        Binding("pagedown,space", "scroll_body('page_down')", "page down"),
        Binding("pageup", "scroll_body('page_up')", "page up"),
    ]

    def __init__(self, views: Mapping[str, str]) -> None:
        super().__init__("Filters")
        self._views = views

    def compose_body(self) -> Iterable[Widget]:
        yield Static(filter_text(self._views))

    def hints(self) -> Iterable[tuple[str, str]]:
        return (("esc", "back"), ("j k pgdn pgup", "scroll"))


def filter_text(views: Mapping[str, str]) -> Content:
    """Syntax, fields and views."""
    from engine.model.filters import FIELDS, SYNTAX, VIEWS

    rows = [plain("How to write it", STRONG)]
    rows += [line((fit(example, 34), KEY), "  ", (meaning, MUTED)) for example, meaning in SYNTAX]
    rows += [plain(""), plain("Fields", STRONG)]
    rows += [line((fit(field.name, 14), KEY), field.help, (f"   {field.example}", MUTED)) for field in FIELDS]
    rows += [plain(""), plain("Views", STRONG)]
    rows += [line((fit(view.name, 18), KEY), view.title, (f"   {view.filter}", MUTED)) for view in VIEWS]
    rows += [line((fit(name, 18), KEY), (f"yours   {text}", MUTED)) for name, text in views.items()]
    return lines(rows)
