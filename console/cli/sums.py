"""Sums over the kept totals, for the commands that tell the fleet at a glance. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import asdict

from engine.model.model import Verdict
from engine.model.records.fleet import Count
from engine.rules.readiness import summary


class FleetTotals(Struct, frozen=True):
    """Sums over the kept totals."""

    devices: int
    protected: int
    funnel: dict[str, int]
    verdicts: dict[str, int]
    platforms: dict[str, int]
    states: dict[str, int]
    tracks: dict[str, int]


def totals(counts: Iterable[Count]) -> FleetTotals:
    """The kept totals as the funnel, and by word."""
    rows = list(counts)

    def total(chosen: Iterable[Count]) -> int:
        return sum(each.devices for each in chosen)

    def by(word_of: Callable[[Count], object]) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in rows:
            word = str(word_of(each) or "unknown")
            found[word] = found.get(word, 0) + each.devices
        return dict(sorted(found.items()))

    return FleetTotals(
        devices=total(rows),
        protected=total(each for each in rows if each.protected),
        funnel=asdict(summary.funnel(rows)),
        verdicts={str(verdict): total(each for each in rows if each.verdict is verdict) for verdict in Verdict},
        platforms=by(lambda each: each.platform),
        states=by(lambda each: each.state),
        tracks=by(lambda each: each.track),
    )
