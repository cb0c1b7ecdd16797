"""How far a release has come in a ring, as one line: installed, under way, failed, waiting, not ready.

Each part has a glyph of its own, so that the bar reads without colours. Pure functions and a widget around them.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from console.columns import ring_progress_cell
from console.text import count, fit, kb, share
from console.widgets.drawing import MUTED, STRONG, Part, cell, line, lines, plain
from engine.model.records.fleet import RingProgress


class Share(Struct, frozen=True):
    """One part of a bar."""

    amount: int
    glyph: str
    style: str
    name: str


def split_cells(amounts: Sequence[int], width: int) -> list[int]:
    """`width` cells for the amounts, in proportion; what is there at all gets at least one cell while there is room."""
    whole = sum(amounts)
    if whole <= 0 or width <= 0:
        return [0] * len(amounts)
    exact = [amount * width / whole for amount in amounts]
    parts = [max(int(each), 1 if amount > 0 else 0) for each, amount in zip(exact, amounts, strict=True)]
    while sum(parts) > width:
        largest = max(
            range(len(parts)), key=lambda index: (parts[index] > 1, parts[index] - exact[index], parts[index])
        )
        parts[largest] -= 1
    while sum(parts) < width:
        neediest = max(range(len(parts)), key=lambda index: exact[index] - parts[index] if amounts[index] else -1.0)
        parts[neediest] += 1
    return parts


def bar(shares: Sequence[Share], width: int) -> Content:
    """Shares side by side on exactly `width` cells; an empty one is a dotted line."""
    if not any(each.amount for each in shares):
        return plain("·" * max(width, 0), MUTED)
    found = split_cells([each.amount for each in shares], width)
    return line(*((each.glyph * cells, each.style) for each, cells in zip(shares, found, strict=True) if cells))


def progress_shares(progress: RingProgress) -> tuple[Share, ...]:
    """The five parts of a ring's progress."""
    return (
        Share(progress.installed, "█", "$ok", "installed"),
        Share(progress.active, "▓", "$due", "under way" if progress.tenant is None else "requested"),
        Share(progress.failed, "✗", "$failed", "failed"),
        Share(progress.pending, "░", "$muted", "waiting"),
        Share(progress.not_ready, "·", "$at-risk", "not ready"),
    )


def legend(progress: RingProgress) -> Content:
    """What the parts of a bar are, those that are there: ``█ 12 installed  ✗ 1 failed``."""
    parts: list[Part] = []
    for each in progress_shares(progress):
        if each.amount:
            parts += [(each.glyph, each.style), f" {count(each.amount)} {each.name}  "]
    return line(*parts) if parts else plain("no devices", MUTED)


def ring_line(progress: RingProgress, width: int) -> Content:
    """Name, bar, share and state of a ring on one line."""
    name = fit(progress.ring.name, 7)
    done = fit(share(progress.installed, progress.devices), 6, "right")
    room = max(width - 7 - 6 - 2 - 20, 8)
    return line((name, STRONG), bar(progress_shares(progress), room), done, "  ", cell(ring_progress_cell(progress)))


class RingBars(Widget):
    """The rings of one release, a line each, in their order."""

    DEFAULT_CSS = """
    RingBars { height: auto; width: 1fr; }
    """

    progress: reactive[tuple[RingProgress, ...]] = reactive[tuple[RingProgress, ...]]((), layout=True)

    def __init__(self, *, title: bool = True, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title

    def render(self) -> Content:
        if not self.progress:
            return plain("No release is approved yet.", MUTED)
        rows = [plain(kb(self.progress[0].kb), STRONG)] if self._title else []
        rows += [ring_line(each, self.content_size.width or 60) for each in self.progress]
        return lines(rows)
