"""Compliance: what the counts of protection say, month by month, by platform, ring and site. Pure.

`evidence` calls it. It reads nothing and judges nobody: a device that is not ready is in the denominator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from engine.catalog.protection import Reaches
from engine.model.build import OsBuild, Platform
from engine.model.model import STALE_REASON, UNDER_WAY, DeviceState, ReleaseKind, Verdict
from engine.model.records.reports import CurvePoint, Mark, MarkCount, Offender, ReleaseCompliance, SliceCompliance
from engine.rules.evidence.compliance_count import FOLLOWED, Group, GroupMonth, MonthCount, state_at
from engine.rules.evidence.missing import NOT_OFFERED, UNDER_WAY_WORDS
from engine.rules.readiness import reason_words

SHARES = (0.5, 0.9, 0.95)
_AWAY_AFTER = timedelta(days=7)
"""A device that has been silent for so long is told as away, whatever else is wrong with it."""


class Present(Struct, frozen=True):
    """How groups stand towards a month now: (devices, protected)."""

    by_group: Mapping[Group, tuple[int, int]]


def release_compliance(
    count: MonthCount,
    reaches: Reaches,
    present: Present,
    ring_names: Mapping[int, str] | None,
    now: datetime,
    *,
    kept: bool,
) -> ReleaseCompliance:
    """What a month's counts say; `ring_names` in the order of the rings, None for a record without rings and sites."""
    releases = reaches.of_month(count.month)
    # A ring or a site may be new since a month was kept, and its devices stand in the present alone.
    count = replace(count, groups={**{group: GroupMonth() for group in present.by_group}, **count.groups})
    slices = _Slices(count, {each.main.platform: each.released_at for each in releases}, present, now)
    groups = list(count.groups)
    total = slices.cell(groups)
    return ReleaseCompliance(
        month=count.month,
        released_at=reaches.released_at(count.month),
        releases=tuple(each.record() for each in releases),
        total=slices.of("all", groups),
        platforms=tuple(
            slices.of(platform.value, mine)
            for platform in Platform
            if (mine := [group for group in groups if group.platform is platform])
        ),
        rings=() if ring_names is None else tuple(slices.by_ring(ring_names)),
        sites=() if ring_names is None else tuple(slices.by_site()),
        curve=curve_of(total.steps),
        followed_until=count.until,
        kept=kept,
        first_seen_later=total.arrived,
    )


def _ring(group: Group, ring_names: Mapping[int, str]) -> int | None:
    return group.ring_id if group.ring_id in ring_names else None


class _Slices:
    """Cuts one month's counts."""

    def __init__(
        self, count: MonthCount, released: Mapping[Platform, datetime], present: Present, now: datetime
    ) -> None:
        self._count = count
        self._released = released
        self._present = present
        self._now = now

    def by_ring(self, names: Mapping[int, str]) -> Iterable[SliceCompliance]:
        rings: list[int | None] = [*names, None]
        for ring in rings:
            if mine := [group for group in self._count.groups if _ring(group, names) == ring]:
                yield self.of(names.get(ring, "") if ring is not None else "", mine)

    def by_site(self) -> list[SliceCompliance]:
        found: dict[str, list[Group]] = {}
        for group in self._count.groups:
            found.setdefault(group.site, []).append(group)
        slices = (self.of(site, mine) for site, mine in found.items())
        return sorted(slices, key=lambda each: (-each.devices, each.name))

    def cell(self, groups: Iterable[Group]) -> GroupMonth:
        found = GroupMonth()
        for group in groups:
            each = self._count.groups[group]
            found.add(each.devices, each.arrived, each.steps.items())
        return found

    def of(self, name: str, groups: Sequence[Group]) -> SliceCompliance:
        cell = self.cell(groups)
        devices_now = protected_now = 0
        for group in groups:
            there, protected = self._present.by_group.get(group, (0, 0))
            devices_now += there
            protected_now += protected
        curve = curve_of(cell.steps)
        released = sorted({self._released[group.platform] for group in groups if group.platform in self._released})
        return SliceCompliance(
            name=name,
            devices=cell.devices,
            devices_now=devices_now,
            protected_now=protected_now,
            marks=tuple(self._mark(mark, cell, released) for mark in Mark),
            hours_to=tuple((share, hours_to(curve, share * cell.devices)) for share in SHARES),
            median_hours=hours_to(curve, curve[-1].protected / 2),
        )

    def _mark(self, mark: Mark, cell: GroupMonth, released: Sequence[datetime]) -> MarkCount:
        first, last = (released[0], released[-1]) if released else (self._now, self._now)
        return MarkCount(
            mark=mark,
            ends_at=first + mark.span,
            protected=state_at(cell.steps, mark.hours),
            devices=cell.devices,
            running=self._now < last + mark.span,
        )


def curve_of(steps: Mapping[int, int]) -> tuple[CurvePoint, ...]:
    """The protected devices over time, a point for each hour in which their number changed, from hour 0 on."""
    points = [CurvePoint(0, steps.get(0, 0))]
    for hour in sorted(each for each in steps if each > 0):
        if steps[hour]:
            points.append(CurvePoint(hour, points[-1].protected + steps[hour]))
    return tuple(points)


def hours_to(curve: Sequence[CurvePoint], wanted: float) -> int | None:
    """When so many devices were first protected; None when they never were, or when there is nobody to wait for."""
    if wanted <= 0:
        return None
    return next((point.hours for point in curve if point.protected >= wanted - 1e-9), None)


# --- devices that lag behind ------------------------------------------------------------------------


class Laggard(Struct, frozen=True):
    """A device without the current month's protection, as the store tells it."""

    device_id: int
    name: str
    user: str
    ring: str
    site: str
    platform: Platform
    build: OsBuild | None
    verdict: Verdict
    reasons: tuple[str, ...]
    state: DeviceState
    error: str
    """The code and cause of its open failure in words, "" without one."""
    held: bool
    last_seen_at: datetime | None
    first_seen_at: datetime | None
    lost_at: datetime | None


def offender(laggard: Laggard, reaches: Reaches, reach: int, now: datetime) -> Offender:
    """How long a device has been without protection, and why."""
    missing = [
        month
        for month in reaches.by_platform[laggard.platform][reach + 1 :]
        if month is not None  # a platform does not get something every month
    ]
    since = missing[0].released_at if missing else now
    later = [each for each in (laggard.first_seen_at, laggard.lost_at) if each is not None and each > since]
    return Offender(
        device_id=laggard.device_id,
        device_name=laggard.name,
        user=laggard.user,
        ring=laggard.ring,
        site=laggard.site,
        platform=laggard.platform,
        build=str(laggard.build) if laggard.build is not None else "",
        unprotected_since=max([since, *later]),
        missing=len(missing),
        reason=why_unprotected(laggard, now, is_hotpatch=bool(missing) and missing[-1].main.kind.is_hotpatch),
        last_seen_at=laggard.last_seen_at,
    )


_UNDER_WAY_WORDS = {**UNDER_WAY_WORDS, DeviceState.INSTALLING: "installing now"}
"""The words of 0.1, which scripts know."""


def why_unprotected(laggard: Laggard, now: datetime, *, is_hotpatch: bool) -> str:
    """The first reason that explains it: away, held, under way, failed, not ready, not offered."""
    seen = laggard.last_seen_at
    if seen is None:
        return "never heard from"
    if now - seen >= _AWAY_AFTER:
        return f"away: not heard from since {seen:%d %b %Y}"
    if laggard.held:
        return "kept off releases by an operator"
    if laggard.state in UNDER_WAY:
        return _UNDER_WAY_WORDS[laggard.state]
    if laggard.error:
        return f"install failed: {laggard.error}"
    unmet = [reason_words(each) for each in laggard.reasons if each != STALE_REASON]
    if laggard.verdict is Verdict.NOT_READY and unmet:
        return f"not ready: {', '.join(unmet)}" + ("; waits for the LCU" if is_hotpatch else "")
    if laggard.verdict is Verdict.UNKNOWN and unmet:
        return f"readiness unknown: {', '.join(unmet)}"
    return NOT_OFFERED


# --- assumptions ------------------------------------------------------------------------------------


def assumptions(
    releases: Iterable[ReleaseCompliance], records_begin: datetime | None, filter: str, *, left_out: int
) -> tuple[str, ...]:
    """What the numbers rest on, in sentences."""
    shown = list(releases)
    told = [
        "Protected means: the device runs the month's hotpatch or its LCU, or something later on its track, whichever "
        "way it got there. Hotpatches are compared by when they were released, cumulative updates by build.",
        "Every device of the platform counts, ready for hotpatches or not.",
        "The clock starts with the month's release of Patch Tuesday; an out-of-band release starts no new one.",
        "Deferrals are not taken off: a ring that is offered a release after ten days cannot be protected before.",
        "A mark tells what was so at that moment: a device whose release was uninstalled before it does not count, one "
        "that got it back does. Times are rounded up to whole hours.",
        "Proof is what our installs reported, and builds that imports and check-ins told. A device that was protected "
        "when it was first told counts from that check-in on, and one that was first seen after a month's three weeks "
        "does not count for that month.",
        "A device counts for the platform, the ring and the site that it has now; one that has left the fleet does not "
        "count.",
        f"A curve is followed for {FOLLOWED.days} days; a share that was reached later counts as not reached.",
    ]
    if any(each.kept for each in shown):
        told.append(
            "Months that have closed are shown as they were measured then, with the rings, sites and devices of "
            "that time."
            if not filter
            else "Months are counted from the devices that match now."
        )
    arrived = sum(each.first_seen_later for each in shown)
    if arrived:
        told.append(
            f"In the months shown {arrived:,} times a device was first seen after a release that it counts for."
        )
    if left_out:
        since = f" of {records_begin:%d %b %Y}" if records_begin is not None else ""
        told.append(f"{left_out} earlier months lie before the first record{since}: nothing is known of them.")
    provisional = sorted({each.month for each in shown for release in each.releases if release.provisional})
    if provisional:
        told.append(f"Known from a second-hand source only: the releases of {', '.join(provisional)}.")
    unplanned = sorted(
        {each.month for each in shown for r in each.releases if r.kind is ReleaseKind.UNPLANNED_BASELINE}
    )
    if unplanned:
        told.append(f"An unplanned baseline, with a restart, came in {', '.join(unplanned)}.")
    return tuple(told)
