"""The title line: where one is, and on the right the state file's present, speed, driver and mode.

Shown at the top of every screen; it only draws what its screen gives it.
"""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from console.text import cells, clean, clip, moment
from console.widgets.drawing import MUTED, line
from engine.records import StateInfo

_SEPARATOR = " › "


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
    facts: reactive[tuple[str, ...]] = reactive[tuple[str, ...]](())

    def show_info(self, info: StateInfo, *, driving: bool) -> None:
        """The right half, from the state file."""
        self.facts = facts_of(info, driving=driving)

    def render(self) -> Content:
        width = self.content_size.width
        right = "  ".join(clean(part) for part in (self.remark, *self.facts) if part)
        if self.trouble:
            right = f"{clean(self.trouble)}  {right}"
        room = width - cells(right) - 2
        if room < width // 3:
            right = clip(right, width * 2 // 3 - 2)
            room = width - cells(right) - 2
        name, *others = (clean(part) for part in self.crumbs) if self.crumbs else ("",)
        trail = clip(_SEPARATOR.join(["", *others]), max(room - cells(name), 0))
        blanks = width - cells(name) - cells(trail) - cells(right)
        return line(
            (clip(name, max(room, 0)), "bold"),
            trail,
            " " * max(blanks, 0),
            (right, "$at-risk" if self.trouble else MUTED),
        )


def facts_of(info: StateInfo, *, driving: bool) -> tuple[str, ...]:
    """What the right half of the title line says, part by part."""
    parts = []
    if info.read_only:
        parts.append("read-only")
    if not driving and not info.driver:
        parts.append("nobody drives")
    elif not driving:
        parts.append("driven elsewhere")
    if info.demo is not None:
        pace = "stopped" if info.demo.paused else f"×{info.demo.speed:g}"
        parts.append(f"demo {pace}")
    parts.append(moment(info.now))
    return tuple(parts)
