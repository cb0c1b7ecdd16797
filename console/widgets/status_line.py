"""The title line: where one is, and on the right the state file's present, speed, driver and mode.

Shown at the top of every screen; it only draws what its screen gives it.
"""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from console.data_ages import age_words
from console.text import cells, clean, clip, moment
from console.widgets.drawing import MUTED, line
from engine.model.records.fleet import StateInfo

_SEPARATOR = " › "
_LEAST_TRAIL = 24
"""Cells that the crumbs keep before anything at the right is left away."""

Fact = tuple[str, int]
"""Words, and how soon they are left away where there is no room: the highest first."""


class StatusLine(Widget):
    """One line: ``Devices › ring:fast -ready › PC-0412``   ``3 marked  read-only  13 May 09:00  ×60``."""

    DEFAULT_CSS = """
    StatusLine { height: 1; dock: top; background: $panel; color: $foreground; padding: 0 1; }
    """

    crumbs: reactive[tuple[str, ...]] = reactive[tuple[str, ...]](())
    """Where one is, the screen's name first."""
    remark: reactive[str] = reactive("")
    """What the screen counts: ``512 devices, 3 marked``."""
    trouble: reactive[str] = reactive("")
    """Set while what is shown could not be read again: ``not read since 09:01``."""
    doing: reactive[str] = reactive("")
    """What is being done in the background: ``report: Reading evidence 40 %``."""
    facts: reactive[tuple[Fact, ...]] = reactive[tuple[Fact, ...]](())
    """The right half, from `facts_of`."""
    is_stale: reactive[bool] = reactive(False)
    """What is shown of a tenant is too old to act on."""

    def show_info(self, info: StateInfo, *, driving: bool) -> None:
        """The right half, from the state file."""
        self.facts = facts_of(info, driving=driving)
        self.is_stale = any(each.is_stale(info.now) for each in info.tenants)

    def render(self) -> Content:
        width = self.content_size.width
        name, *others = (clean(part) for part in self.crumbs) if self.crumbs else ("",)
        trail = _SEPARATOR.join(["", *others]) if others else ""
        right = "  ".join(self._right(width - cells(name) - min(cells(trail), _LEAST_TRAIL) - 2))
        trail = clip(trail, max(width - cells(name) - cells(right) - 2, 0))
        blanks = width - cells(name) - cells(trail) - cells(right)
        return line(
            (clip(name, width), "bold"),
            trail,
            " " * max(blanks, 0),
            (clip(right, width - cells(name)), "$at-risk" if self.trouble or self.is_stale else MUTED),
        )

    def _right(self, room: int) -> list[str]:
        """What fits of the right half: the clock and what limits one stay longest."""
        parts = [
            (clean(self.trouble), 0),
            (clean(self.doing), 1),
            (clean(self.remark), 2),
            *((clean(words), rank) for words, rank in self.facts),
        ]
        shown = [part for part in parts if part[0]]
        while len(shown) > 1 and sum(cells(words) + 2 for words, _ in shown) - 2 > room:
            shown.remove(max(shown, key=lambda part: part[1]))
        return [words for words, _ in shown]


def facts_of(info: StateInfo, *, driving: bool) -> tuple[Fact, ...]:
    """What the right half of the title line says, part by part."""
    parts: list[Fact] = []
    if info.read_only:
        parts.append(("read-only", 1))
    # The oldest first: it is what decides whether the screen can be believed.
    oldest = sorted(info.tenants, key=lambda each: (each.pulled_at is not None, each.pulled_at or info.now))
    if oldest:
        more = f" +{len(oldest) - 1}" if len(oldest) > 1 else ""
        parts.append((age_words(oldest[0], info.now) + more, 1 if oldest[0].is_stale(info.now) else 2))
    if not driving and not info.driver:
        parts.append(("nobody drives", 4))
    elif not driving:
        parts.append(("driven elsewhere", 5))
    if info.demo is not None:
        pace = "stopped" if info.demo.paused else f"×{info.demo.speed:g}"
        parts.append((f"demo {pace}", 3))
    parts.append((moment(info.now), 0))
    return tuple(parts)
