"""Whether patched devices fare worse than devices of the same kind that are not patched yet. Pure.

The gate of a ring asks it; the words say why it fired. It compares sums, knows no device and no time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

MIN_PATCHED = 4
"""Below this many patched devices nothing is judged."""
MIN_CONTROL = 10
"""Below this many unpatched devices of a kind, all kinds together are the comparison."""
MIN_AFFECTED = 3
MIN_TIMES = 3.0
"""How many times more often than on unpatched devices it must happen."""
CHANCE = 1e-4
"""The greatest probability, by a Poisson tail, at which chance is not believed."""
MAX_OVERHEAD = 0.03
"""Of CPU or memory, over that of unpatched devices, as a mean."""
MIN_FOR_MEANS = 10


class KindHealth(Struct, frozen=True):
    """The last 24 hours of a sample of devices of one kind. Events count devices, not events."""

    kind: str
    devices: int
    crashed: int
    restarted: int
    failed: int
    """Devices with a service that failed."""
    cpu: float
    """Sum of the overheads against each device's own before."""
    memory: float


class HealthVerdict(Struct, frozen=True):
    """What the comparison says."""

    patched: int
    control: int
    anomalies: tuple[str, ...]
    """Each as a sentence with its numbers; empty when nothing stands out."""

    @property
    def is_judged(self) -> bool:
        return self.patched >= MIN_PATCHED and self.control >= MIN_CONTROL


_EVENTS: Mapping[str, str] = {
    "crashed": "crashes",
    "restarted": "unexpected restarts",
    "failed": "service failures",
}
_OVERHEADS: Mapping[str, str] = {"cpu": "CPU load", "memory": "memory use"}


@lru_cache(256)
def compare(patched: tuple[KindHealth, ...], control: tuple[KindHealth, ...]) -> HealthVerdict:
    """Judge the patched devices by what would be usual for devices of their kinds."""
    count = sum(each.devices for each in patched)
    others = sum(each.devices for each in control)
    verdict = HealthVerdict(count, others, ())
    if not verdict.is_judged:
        return verdict
    found = [words for name in _EVENTS if (words := _events(name, patched, control))]
    if count >= MIN_FOR_MEANS:
        found += [words for name in _OVERHEADS if (words := _overhead(name, patched, control))]
    return HealthVerdict(count, others, tuple(found))


def _events(name: str, patched: Sequence[KindHealth], control: Sequence[KindHealth]) -> str:
    devices = sum(each.devices for each in patched)
    affected = sum(getattr(each, name) for each in patched)
    expected = sum(each.devices * _usual_share(name, each.kind, control) for each in patched)
    if affected < MIN_AFFECTED or affected < MIN_TIMES * expected or tail(affected, expected) >= CHANCE:
        return ""
    others = sum(each.devices for each in control)
    usual = sum(getattr(each, name) for each in control)
    return (
        f"{_EVENTS[name]} on {affected} of {devices} patched devices ({affected / devices:.0%}), "
        f"on {usual} of {others} not patched ({usual / others:.0%})"
    )


def _usual_share(name: str, kind: str, control: Sequence[KindHealth]) -> float:
    """Of unpatched devices of the kind, those with the event; never nought, so that few devices prove little."""
    same = [each for each in control if each.kind == kind]
    if sum(each.devices for each in same) < MIN_CONTROL:
        same = list(control)
    return float(sum(getattr(each, name) for each in same) + 1) / (sum(each.devices for each in same) + 2)


def _overhead(name: str, patched: Sequence[KindHealth], control: Sequence[KindHealth]) -> str:
    mean = sum(getattr(each, name) for each in patched) / sum(each.devices for each in patched)
    usual = sum(getattr(each, name) for each in control) / sum(each.devices for each in control)
    if mean - usual < MAX_OVERHEAD:
        return ""
    return f"{_OVERHEADS[name]} {mean:+.1%} on patched devices, {usual:+.1%} on those not patched"


def tail(count: int, expected: float) -> float:
    """The probability that a Poisson variable of this mean is `count` or more."""
    term = below = math.exp(-expected)
    for step in range(1, count):
        term *= expected / step
        below += term
    return max(0.0, 1.0 - below)
