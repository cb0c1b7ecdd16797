"""Who is offered what: which releases are meant for a device, and which of them comes next for it. Pure.

The rollout offers by it, gates count by it, and whatever tells of one device (page, help desk, ticket) asks it. Where
SQL chooses among a million devices it is handed what is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from engine.catalog.levels import Levels
from engine.model.build import Architecture, OsBuild
from engine.model.model import FREE, DeviceState, Release, ReleaseKind, Track, Verdict

TAKES_HOTPATCHES = frozenset({Verdict.READY})
"""Falling back is silent (design rule 11): whoever is not known to be ready takes the LCU, with a restart."""


def takers(kind: ReleaseKind) -> frozenset[Verdict]:
    """Whom a release is meant for among the devices below its build, by what readiness says of them.

    A hotpatch goes to devices that are ready, a baseline to all, another cumulative update to those that take no
    hotpatches. A standalone fix is installed by hand.
    """
    if kind.is_hotpatch:
        return TAKES_HOTPATCHES
    if kind.is_baseline:
        return frozenset(Verdict)
    return frozenset(Verdict) - TAKES_HOTPATCHES if kind.is_cumulative else frozenset()


def takes(kind: ReleaseKind, verdict: Verdict, *, held_off: bool = False) -> bool:
    """Whether a release is meant for a device below its build; `held_off`: off hotpatches until the next baseline."""
    if held_off:
        return kind.is_cumulative
    return verdict in takers(kind)


def offered_in(kind: ReleaseKind) -> frozenset[DeviceState]:
    """The states in which a device is offered a release; a baseline also ends the wait for another restart."""
    return FREE | {DeviceState.RESTART_PENDING} if kind.is_baseline else FREE


def releases_for(
    levels: Levels,
    verdict: Verdict,
    track: Track,
    architectures: Collection[Architecture],
    *,
    held_off: bool = False,
) -> tuple[Release, ...]:
    """The releases that would protect a device which is not, the best first; none for an architecture that is not told.

    On the hotpatch track the newest hotpatch; behind the baseline that one first, which leads back to the track (Learn,
    "Hotpatch updates": devices that are not on the latest baseline get it); else the newest cumulative update.
    """
    hotpatch = levels.current_hotpatch()
    if hotpatch is not None and takes(hotpatch.kind, verdict, held_off=held_off):
        wanted: tuple[Release | None, ...] = (hotpatch,)
    elif track is Track.BEHIND:
        wanted = (levels.baseline, levels.current_lcu())
    else:
        wanted = (levels.current_lcu(),)
    known = dict.fromkeys(each for each in wanted if each is not None)
    return tuple(each for each in known if set(architectures) & set(each.architectures))


def next_release(wanted: tuple[Release, ...], is_open: Callable[[Release], bool]) -> Release | None:
    """What comes next of `releases_for`: the best that is offered in the device's ring, else the best."""
    return next((each for each in wanted if is_open(each)), wanted[0] if wanted else None)


def waits_for_baseline(release: Release, levels: Levels, is_open: Callable[[Release], bool]) -> bool:
    """Whether devices behind the baseline get that one before this update."""
    wanted = releases_for(levels, Verdict.NOT_READY, Track.BEHIND, levels.platform.architectures)
    return release in wanted and next_release(wanted, is_open) != release


def as_good(release: Release, levels: Levels) -> OsBuild | None:
    """The build of the newest hotpatch, which protects a device as well as a cumulative update: it is offered none."""
    hotpatch = levels.current_hotpatch()
    return hotpatch.build if hotpatch is not None and not release.kind.is_baseline and release != hotpatch else None
