"""A row of numbers as a small picture one line high: ``▁▂▅▇█``. Pure functions and a widget around them."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from console.widgets.drawing import MUTED, plain

_STEPS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float], width: int = 0, top: float | None = None) -> str:
    """One column a value, the newest at the right; `width` keeps the newest, `top` is the full height.

    Zero is a blank, and anything above it is seen.
    """
    shown = list(values)[-width:] if width else list(values)
    full = top if top is not None else max(shown, default=0.0)
    if full <= 0:
        return " " * len(shown)
    marks = []
    for value in shown:
        step = min(int(value / full * len(_STEPS)), len(_STEPS) - 1)
        marks.append(" " if value <= 0 else _STEPS[max(step, 0)])
    return "".join(marks)


class Trend(Widget):
    """A spark line that takes the width it is given."""

    DEFAULT_CSS = """
    Trend { height: 1; width: 1fr; color: $due; }
    """

    values: reactive[tuple[float, ...]] = reactive[tuple[float, ...]](())
    top: reactive[float | None] = reactive[float | None](None)

    def render(self) -> Content:
        if not self.values:
            return plain("no numbers yet", MUTED)
        return plain(spark(self.values, self.content_size.width, self.top))
