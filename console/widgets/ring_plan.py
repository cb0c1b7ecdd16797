"""The rings' rules as a picture: days after release, when each ring is offered it and by when it must be installed.

The rings screen shows it where there is room. It draws rules, not a forecast: a gate can hold a ring up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from console.text import cells, fit
from console.widgets.drawing import MUTED, STRONG, Part, line, lines
from engine.model.model import Ring

_NAME = 12
_LEAST_DAYS = 7
_EVERY_DAY, _STEP = 3, 5
"""From so many cells a day every day has its number; below that every fifth."""
_DEFERRAL, _OFFERED, _GRACE = ("·", MUTED), ("█", "$due"), ("░", "$at-risk")


def plan_text(rings: Sequence[Ring], released_at: datetime, now: datetime, width: int) -> Content:
    """A line for each ring under an axis of days; today is marked where it is on the axis."""
    days = max([ring.deferral_days + max(ring.deadline_days, 1) + ring.grace_days for ring in rings], default=0)
    days = max(days, _LEAST_DAYS)
    each = max((width - _NAME - 2) // days, 1)
    shown = min(days, (width - _NAME - 2) // each)
    return lines(
        [
            line(("By the rules", STRONG), ("  days after release; a gate can hold a ring up", MUTED)),
            line(" " * (_NAME + 2), *_axis(shown, each, (now - released_at) // timedelta(days=1))),
            *(line("  ", fit(f"{ring.position} {ring.name}", _NAME), *_bar(ring, shown, each)) for ring in rings),
            line(
                " " * (_NAME + 2),
                *(part for (glyph, style), words in _LEGEND for part in ((glyph, style), (f" {words}   ", MUTED))),
            ),
        ]
    )


_LEGEND = ((_DEFERRAL, "deferral"), (_OFFERED, "offered, until the deadline"), (_GRACE, "grace"))


def _axis(days: int, each: int, today: int) -> list[Part]:
    """Numbers of days where there is room for them, and today."""
    step = 1 if each >= _EVERY_DAY else _STEP
    parts: list[Part] = []
    at = 0
    for day in range(days):
        label = "today" if day == today else str(day)
        begin = day * each
        beside_today = each < _EVERY_DAY and 0 < abs(day - today) * each < len("today") + 1
        if begin < at or (day != today and (day % step or beside_today)):
            continue
        parts += [" " * (begin - at), (label, STRONG if day == today else MUTED)]
        at = begin + cells(label)
        parts.append(" ")
        at += 1
    return parts


def _bar(ring: Ring, days: int, each: int) -> list[Part]:
    offered = max(ring.deadline_days, 1)
    stretches = ((_DEFERRAL, ring.deferral_days), (_OFFERED, offered), (_GRACE, ring.grace_days))
    room = days * each
    parts: list[Part] = []
    for (glyph, style), length in stretches:
        drawn = min(length * each, room)
        room -= drawn
        parts.append((glyph * drawn, style))
    return parts


class RingPlan(Widget):
    """The picture for the rings of one release."""

    DEFAULT_CSS = "RingPlan { height: auto; width: 1fr; padding: 1 2 0 2; }"

    rings: reactive[tuple[Ring, ...]] = reactive[tuple[Ring, ...]]((), layout=True)
    released_at: reactive[datetime | None] = reactive[datetime | None](None)
    now: reactive[datetime | None] = reactive[datetime | None](None)

    def render(self) -> Content:
        if not self.rings or self.released_at is None or self.now is None:
            return Content("")
        return plan_text(self.rings, self.released_at, self.now, self.content_size.width)
