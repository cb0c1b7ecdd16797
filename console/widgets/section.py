"""The head of a part of a screen: its title, a rule, and a remark at the right."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from console.text import cells, clean, clip, is_ascii
from console.widgets.drawing import MUTED, STRONG, line, plain


def rule_line(title: Content, remark: str, width: int) -> Content:
    """``Needs you ─────────────── 1-4 of 7`` on exactly `width` cells, or as much of it as fits."""
    remark = clip(clean(remark), max(width - title.cell_length - 4, 0))
    rule = width - title.cell_length - cells(remark) - (2 if remark else 1)
    return line(
        title,
        " ",
        (("-" if is_ascii() else "─") * max(rule, 0), "$rule"),
        (f" {remark}" if remark else "", MUTED),
    )


class SectionTitle(Widget):
    """One line above a list. Bright while the list has the keys."""

    DEFAULT_CSS = """
    SectionTitle { height: 1; width: 1fr; }
    """

    remark: reactive[str] = reactive("")
    is_live: reactive[bool] = reactive(False)

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title

    def render(self) -> Content:
        title = plain(self._title, "$key bold" if self.is_live else STRONG)
        return rule_line(title, self.remark, self.content_size.width)
