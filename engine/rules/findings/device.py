"""A device as reconciliation looks at it: what it runs, and since when it stood at which level. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from engine.catalog.closing import Closings
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Cve
from engine.rules.findings.judgement import LevelSource


class InstallStep(Struct, frozen=True):
    """A finished install or uninstall of this console."""

    id: int
    kb: int
    is_uninstall: bool
    requested_at: datetime
    finished_at: datetime
    build_before: OsBuild | None
    build_after: OsBuild | None


class Seen(Struct, frozen=True):
    """A build that an import or a check-in told first at this time."""

    at: datetime
    build: OsBuild


class Failure(Struct, frozen=True):
    """An install that failed and has not been put right since."""

    kb: int
    error_code: int | None
    failed_at: datetime


class TargetDevice(Struct, frozen=True):
    """One device of the fleet."""

    id: int
    name: str
    domain: str
    platform: Platform | None
    architecture: Architecture | None
    build: OsBuild | None
    restart_pending: bool
    last_seen_at: datetime | None
    steps: tuple[InstallStep, ...] = ()
    """Oldest first."""
    seen: tuple[Seen, ...] = ()
    """Oldest first."""
    failures: tuple[Failure, ...] = ()
    """Newest first."""


class Reached(Struct, frozen=True):
    """From when on a device stood at a level."""

    at: datetime | None
    build: OsBuild | None
    companions: frozenset[int]
    evidence: LevelSource
    install_id: int | None = None


def history(device: TargetDevice, companions: frozenset[int]) -> tuple[Reached, ...]:
    """The levels a device has stood at, oldest first; the last one is where it stands now.

    `companions` are the KBs of standalone packages: installing one leaves the build as it is.
    """
    found: list[Reached] = []
    beside: frozenset[int] = frozenset()
    first = device.steps[0] if device.steps else None
    seen_before = first is not None and any(each.at <= first.requested_at for each in device.seen)
    if first is not None and first.build_before is not None and not seen_before:
        found.append(Reached(first.requested_at, first.build_before, beside, LevelSource.BEFORE_INSTALL, first.id))
    for event in _in_order(device.steps, device.seen):
        build = found[-1].build if found else None
        if isinstance(event, Seen):
            reached = Reached(event.at, event.build, beside, LevelSource.SEEN)
        else:
            if event.kb in companions:
                beside = beside - {event.kb} if event.is_uninstall else beside | {event.kb}
            build = event.build_after or build
            reached = Reached(event.finished_at, build, beside, LevelSource.INSTALL, event.id)
        if not found or (reached.build, reached.companions) != (found[-1].build, found[-1].companions):
            found.append(reached)
    if device.build is not None and (not found or found[-1].build != device.build):
        found.append(Reached(device.last_seen_at, device.build, beside, LevelSource.CHECK_IN))
    return tuple(found)


def open_cves(device: TargetDevice, closings: Closings) -> tuple[Cve, ...]:
    """The CVEs that are open on a device where it stands now, worst first; none on a platform without a calendar."""
    if device.platform is None:
        return ()
    reached = history(device, closings.companions)
    build, beside = (reached[-1].build, reached[-1].companions) if reached else (None, frozenset[int]())
    return closings.open_cves(device.platform, device.architecture, build, beside)


def _in_order(steps: Iterable[InstallStep], seen: Iterable[Seen]) -> list[InstallStep | Seen]:
    """An install and a check-in of the same moment: the install first, for it tells more."""
    events: list[InstallStep | Seen] = [*steps, *seen]
    return sorted(events, key=lambda each: (each.at, 1) if isinstance(each, Seen) else (each.finished_at, 0))
