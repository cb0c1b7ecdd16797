"""Which devices the rules cannot tell apart; whoever judges a whole fleet judges each kind once.

Says nothing of what a fact counts for: only where, along builds and texts, an answer can change at all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from msgspec.structs import replace

from engine.catalog.levels import Levels
from engine.model.build import OsBuild, Platform
from engine.model.model import DeviceFacts
from engine.rules.readiness.licences import licences
from engine.rules.readiness.values import EDITION_NAMES, FLOORS, edition_class


def as_judged(facts: DeviceFacts, turning_points: Sequence[OsBuild]) -> DeviceFacts:
    """A device that every rule and the calendar answer as they answer this one; words may differ.

    Builds and texts, of which there is no end, become one of a few each: the first build of the stretch between
    two turning points, one name of the edition's class, "" for a licence that no list has.
    """
    return replace(
        facts,
        build=facts.build and _first_alike(facts.build, turning_points),
        edition=_EDITION.get(edition_class(facts.edition), ""),
        licence=facts.licence if facts.licence in licences() else "",
    )


_EDITION = {kind: names[0] for kind, names in EDITION_NAMES.items()}


def turning_points(platform: Platform | None, levels: Levels | None) -> tuple[OsBuild, ...]:
    """The builds, rising, at which a comparison with rules or known releases can change its answer for a platform.

    A stretch ends with its build number in any case; that needs no point.
    """
    points = set(FLOORS.get(platform, {}).values()) if platform else set()
    if levels is not None:
        releases = (levels.baseline, *levels.hotpatches, *levels.cumulative, *levels.companions)
        for build in (release.build for release in releases if release is not None):
            if build is not None:
                points |= {build, OsBuild(build.number, build.revision + 1)}
    return tuple(sorted(points))


def _first_alike(build: OsBuild, points: Sequence[OsBuild]) -> OsBuild:
    first = OsBuild(build.number, 0)
    place = bisect_right(points, build)
    return max(first, points[place - 1]) if place else first
