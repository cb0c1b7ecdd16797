"""Readiness over a fleet as records: the funnel, verdicts by group, reasons with their fix, the next release. Pure.

`reads.evidence` makes them from the store's sums; reports and documents show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from engine.catalog.calendar import BASELINE_MONTHS, patch_tuesday_moment, planned_kind
from engine.model.build import Platform
from engine.model.model import STALE_REASON, ReleaseKind, Verdict
from engine.model.records.fleet import DeviceRow
from engine.rules.readiness import RULES, reason_words

_STALE_FIX = "Bring the device back to its network and look at its management agent; its facts are then told anew."
_STALE_SOURCE = "Readiness settings: volatile facts older than 14 days are not believed"


class VerdictCount(Struct, frozen=True):
    """Devices of one ring, platform or site by what readiness says of them."""

    name: str
    """"" for devices that have none."""
    devices: int
    eligible: int
    enrolled: int
    """Eligible, with policy or subscription in place."""
    ready: int
    not_ready: int
    unknown: int

    @property
    def ready_share(self) -> float | None:
        """0.0 to 1.0; None without devices."""
        return self.ready / self.devices if self.devices else None


class VerdictCell(Struct, frozen=True):
    """What the store counts: devices alike in these words."""

    ring: str
    platform: str
    verdict: Verdict
    eligible: bool
    enrolled: bool
    devices: int
    site: str | None
    """None for all that are not among the largest."""


class ReasonFix(Struct, frozen=True):
    """One reason for not being ready, with what to do about it."""

    id: str
    words: str
    devices: int
    """Devices that have it, alone or among others."""
    only: int
    """Devices that it alone keeps from hotpatches."""
    is_unknown: bool
    """A fact is missing or too old, as opposed to a prerequisite that is not met."""
    stage: str
    """What it decides: ``eligible``, ``enrolled`` or ``ready``; "" where it concerns all."""
    fix: str
    source: str


class NextRelease(Struct, frozen=True):
    """The next monthly release of a platform by the calendar's pattern, and who restarts for it."""

    platform: Platform
    month: str
    at: datetime
    kind: ReleaseKind
    """BASELINE or HOTPATCH: a plan, for the release is not published."""
    devices: int
    restarts: int
    """Every device in a baseline month; in a hotpatch month those that are not ready, or not known to be, or held off
    hotpatches."""

    @property
    def restart_share(self) -> float | None:
        """0.0 to 1.0; None without devices."""
        return self.restarts / self.devices if self.devices else None

    @property
    def restarting_filter(self) -> str:
        """The restarting devices in the filter language, which does not know who is held off hotpatches."""
        every = f"platform:{self.platform}"
        return every if self.kind.is_baseline else f"{every} readiness:not-ready,unknown"


class ReadinessReport(Struct, frozen=True):
    """Readiness of the devices that a filter matches, as it stands now."""

    made_at: datetime
    filter: str
    total: VerdictCount
    rings: tuple[VerdictCount, ...]
    platforms: tuple[VerdictCount, ...]
    sites: tuple[VerdictCount, ...]
    """The largest ones."""
    other_sites: int
    """Sites that `sites` leaves away."""
    reasons: tuple[ReasonFix, ...]
    """The commonest first; a device with several reasons counts at each."""
    next_releases: tuple[NextRelease, ...]
    without_platform: int
    """Devices whose Windows version has no hotpatch calendar, or is not known; no restart is foretold for them."""
    restarting: tuple[DeviceRow, ...]
    """The first few of the devices that restart at the next release."""

    @property
    def restarts(self) -> int:
        """Devices that restart at the next release of their platform."""
        return sum(each.restarts for each in self.next_releases)


class _Alike(Protocol):
    """Devices alike in what readiness says of them."""

    @property
    def verdict(self) -> Verdict: ...

    @property
    def eligible(self) -> bool | None: ...

    @property
    def enrolled(self) -> bool | None: ...

    @property
    def devices(self) -> int: ...


class Funnel(Struct, frozen=True):
    """How far devices have come towards hotpatches; each number is a part of the one before."""

    devices: int
    eligible: int
    """They could take hotpatches."""
    enrolled: int
    """Eligible, with policy or subscription in place."""
    ready: int
    """They take them now."""


def funnel(cells: Iterable[_Alike]) -> Funnel:
    """The funnel of some devices; what is not known of a device does not count."""
    devices = eligible = enrolled = ready = 0
    for each in cells:
        devices += each.devices
        eligible += each.devices if each.eligible else 0
        enrolled += each.devices if each.eligible and each.enrolled else 0
        ready += each.devices if each.verdict is Verdict.READY else 0
    return Funnel(devices, eligible, enrolled, ready)


def sum_verdicts(name: str, cells: Iterable[VerdictCell]) -> VerdictCount:
    """The cells as one line."""
    rows = list(cells)

    def by(verdict: Verdict) -> int:
        return sum(each.devices for each in rows if each.verdict is verdict)

    steps = funnel(rows)
    return VerdictCount(
        name,
        steps.devices,
        steps.eligible,
        steps.enrolled,
        steps.ready,
        by(Verdict.NOT_READY),
        by(Verdict.UNKNOWN),
    )


def explain_reasons(counts: Mapping[tuple[str, ...], int]) -> tuple[ReasonFix, ...]:
    """Devices by their set of reasons → each reason with its devices and its fix, the commonest first."""
    every: dict[str, int] = {}
    alone: dict[str, int] = {}
    for reasons, devices in counts.items():
        for reason in reasons:
            every[reason] = every.get(reason, 0) + devices
            if len(reasons) == 1:
                alone[reason] = alone.get(reason, 0) + devices
    found = [_explain(reason, devices, alone.get(reason, 0)) for reason, devices in every.items()]
    return tuple(sorted(found, key=lambda each: (-each.devices, each.id)))


def _explain(reason: str, devices: int, only: int) -> ReasonFix:
    is_unknown = reason.endswith("?")
    if reason == STALE_REASON:
        return ReasonFix(reason, reason_words(reason), devices, only, True, "", _STALE_FIX, _STALE_SOURCE)
    rule = next((each for each in RULES if each.id.value == reason.removesuffix("?")), None)
    if rule is None:
        return ReasonFix(reason, reason_words(reason), devices, only, is_unknown, "", "", "")
    fix = rule.learn if is_unknown else rule.fix
    return ReasonFix(reason, reason_words(reason), devices, only, is_unknown, str(rule.stage), fix, rule.source)


def next_release(platform: Platform, now: datetime, count: VerdictCount, held_off: int = 0) -> NextRelease:
    """What the platform's next Patch Tuesday brings by the pattern; out-of-band releases cannot be foretold.

    `held_off`: ready devices that take cumulative updates until the next baseline, since a hotpatch was uninstalled.
    """
    month = f"{now:%Y-%m}"
    if patch_tuesday_moment(month) <= now:
        month = f"{now.replace(day=1) + timedelta(days=31):%Y-%m}"
    number = int(month[5:])
    restarts = count.devices if number in BASELINE_MONTHS else count.not_ready + count.unknown + held_off
    return NextRelease(platform, month, patch_tuesday_moment(month), planned_kind(number), count.devices, restarts)
