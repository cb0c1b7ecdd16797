"""What a ring of the sample company could have installed by now, from the real releases of each platform.

`history` lives a device's story through it. Decides nothing about a single device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import NamedTuple

from msgspec import Struct

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Release, ReleaseKind

BEGINS_AT = datetime(2025, 10, 1, tzinfo=UTC)
"""Where the past of every sample device begins."""
FRESH = timedelta(days=7)
"""A release younger than this waits for approval: nobody has it but the pilots of ring Test off the hotpatch track."""
DEFERRAL_DAYS: Mapping[str, int] = {"Test": 0, "First": 1, "Fast": 5, "Broad": 9, "Last": 10}
"""Learn, "Autopatch group policies" (March 2025)."""


class Due(NamedTuple):
    """A release and when a ring is offered it."""

    release: Release
    offered_at: datetime


class Shelf(Struct, frozen=True):
    """The releases of one platform and architecture, ring by ring, in the order of time."""

    on_track: Mapping[str, tuple[Due, ...]]
    """Baselines and hotpatches."""
    cumulative: Mapping[str, tuple[Due, ...]]
    """What devices off the hotpatch track take."""
    month_lcu: Mapping[str, Release]
    oob_lcu: Mapping[str, Release]
    """Out-of-band LCUs by month, of quarters that are over."""
    build_on_track: OsBuild | None
    """The build before the first release of `on_track`."""
    build_cumulative: OsBuild | None


def shelves(
    releases: Sequence[Release], now: datetime, *, keep: int | None = None
) -> dict[tuple[Platform, Architecture], Shelf]:
    """What each platform and architecture could have by `now`; `keep` limits the past to so many releases."""
    known = sorted(
        (each for each in releases if each.build is not None and each.released_at <= now),
        key=lambda each: (each.released_at, each.kb),
    )
    return {
        (platform, architecture): _shelf(
            [each for each in known if each.platform is platform and architecture in each.architectures], now, keep
        )
        for platform in Platform
        for architecture in platform.architectures
    }


def _shelf(known: Sequence[Release], now: datetime, keep: int | None) -> Shelf:
    track = [each for each in known if each.kind.is_baseline or each.kind.is_hotpatch]
    lcus = [each for each in known if each.kind.is_cumulative]
    settled_track = [each for each in track if each.released_at <= now - FRESH]
    settled_lcus = [each for each in lcus if each.released_at <= now - FRESH]
    first_track, first_lcu = _first(settled_track, keep), _first(settled_lcus, keep)
    newest_baseline = max((each.released_at for each in track if each.kind.is_baseline), default=now)
    return Shelf(
        on_track={ring: _dues(settled_track[first_track:], days) for ring, days in DEFERRAL_DAYS.items()},
        cumulative={
            ring: _dues((lcus if ring == "Test" else settled_lcus)[first_lcu:], days)
            for ring, days in DEFERRAL_DAYS.items()
        },
        month_lcu={each.month: each for each in lcus if each.kind is ReleaseKind.LCU},
        oob_lcu={
            each.month: each for each in lcus if each.kind is ReleaseKind.OOB_LCU and each.released_at < newest_baseline
        },
        build_on_track=settled_track[first_track - 1].build if first_track else None,
        build_cumulative=settled_lcus[first_lcu - 1].build if first_lcu else None,
    )


def _first(releases: Sequence[Release], keep: int | None) -> int:
    """The position of the first release that the past knows."""
    begin = sum(each.released_at < BEGINS_AT for each in releases)
    return begin if keep is None else max(begin, len(releases) - keep)


def _dues(releases: Sequence[Release], deferral_days: int) -> tuple[Due, ...]:
    """When a ring is offered each release; one that is superseded before its day comes is never offered."""
    deferral = timedelta(days=deferral_days)
    return tuple(
        Due(release, release.released_at + deferral)
        for release, later in zip_longest(releases, releases[1:])
        if later is None or later.released_at > release.released_at + deferral or not _covers(later, release)
    )


def _covers(later: Release, earlier: Release) -> bool:
    """Whether a device that takes the later one no longer needs the earlier."""
    return later.kind.is_cumulative or (later.kind.is_hotpatch and earlier.kind.is_hotpatch)
