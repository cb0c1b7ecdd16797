"""Counts restarts, device by device and servicing month by servicing month, from what really happened. Pure.

`costing` feeds it with a stream from the store; `cost` puts prices on the sums. Never counts from the calendar's
pattern: a month without a record on a device counts nothing for it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from engine.catalog.calendar import Month, patch_tuesday_moment
from engine.model.build import Platform
from engine.model.model import Release, ReleaseKind
from engine.model.records.reports import Period, RestartSums

SEEN, DONE, UNDONE, FAILED = range(4)
"""How a happening is known: a build that was seen, an install, an uninstall, an install that failed."""
NO_SUMS = RestartSums(0, 0, 0, 0, 0, 0)
_SERVED, _HOTPATCHED, _RECORDED, _INFERRED, _TOUCHED = 1, 2, 4, 8, 16
_TOLD_EVERY = 50_000
_MOST = 255

Happening = tuple[int, int, int | None, int | None, int, int]
"""When, device, build, KB, restarted, and how it is known."""
Change = tuple[int, int, int | None, int | None]
"""When, device, build, KB."""


class ServicingMonth(Struct, frozen=True):
    """From one Patch Tuesday to the next."""

    month: str
    begins_at: datetime
    ends_at: datetime


class CostGroup(Struct, frozen=True):
    """Devices that a cost report tells apart."""

    platform: Platform
    ring_id: int | None
    eligible: bool | None


class CostCell(Struct, frozen=True):
    """One group in one servicing month."""

    month: str
    group: CostGroup
    sums: RestartSums
    avoidable: int
    """Devices that restarted for an update although their platform had a hotpatch that month."""


def servicing_months(period: Period, now: datetime) -> tuple[ServicingMonth, ...]:
    """The servicing months of a period that have begun, oldest first."""
    found = []
    month = Month.parse(period.first)
    while str(month) <= period.last:
        begins = patch_tuesday_moment(str(month))
        if begins > now:
            break
        found.append(ServicingMonth(str(month), begins, patch_tuesday_moment(str(month.next()))))
        month = month.next()
    return tuple(found)


def servicing_month_of(moment: datetime) -> str:
    """The servicing month that a moment lies in."""
    month = Month(moment.year, moment.month)
    return str(month if patch_tuesday_moment(str(month)) <= moment else month.previous())


class Kinds:
    """What a KB or a build is: a hotpatch, or something that comes with a restart."""

    def __init__(self, releases: Iterable[Release]) -> None:
        self._by_kb: dict[int, int] = {}
        self._hotpatches: set[tuple[bool, int]] = set()
        self._cumulative: set[tuple[bool, int]] = set()
        self.hotpatch_months: set[tuple[Platform, str]] = set()
        for release in releases:
            taken = _SERVED | _HOTPATCHED if release.kind.is_hotpatch else _SERVED if release.kind.is_cumulative else 0
            self._by_kb[release.kb] = taken
            if release.kind is ReleaseKind.HOTPATCH:
                self.hotpatch_months.add((release.platform, release.month))
            if release.build is None:
                continue
            key = (release.platform.is_server, release.build.as_int())
            if release.kind.is_hotpatch:
                self._hotpatches.add(key)
            elif release.kind.is_cumulative:
                self._cumulative.add(key)

    def taken_with(self, kb: int | None) -> int:
        """The flags that an install of a KB sets; none for a companion or an unknown KB."""
        return self._by_kb.get(kb, 0) if kb is not None else 0

    def is_hotpatch(self, build: int, *, is_server: bool) -> bool:
        return (is_server, build) in self._hotpatches

    def is_cumulative(self, build: int, *, is_server: bool) -> bool:
        return (is_server, build) in self._cumulative


class RestartCounter:
    """One pass: `add` the devices, `know` what was seen before, `read` the happenings, then take the `cells`."""

    def __init__(
        self, kinds: Kinds, months: Sequence[ServicingMonth], highest_id: int, telling: Collection[str]
    ) -> None:
        """Begin; `telling` names the providers whose records of installs tell restarts.

        What other systems have done is known by the builds that were seen alone: their records prove no restart and
        none avoided.
        """
        size = highest_id + 1
        self._kinds = kinds
        self._months = months
        self._telling = telling
        self._groups: list[CostGroup] = []
        self._tells: list[bool] = []
        """Parallel to `_groups`."""
        self._group_of = array("I", bytes(4 * size))
        self.devices: dict[CostGroup, int] = {}
        self._builds = array("q", bytes(8 * size))
        """The last build that is known of a device; 0 for none."""
        self._flags = bytearray(size)
        self._restarts = bytearray(size)
        self._touched = array("I")
        self._found: list[CostCell] = []

    def add(self, members: Iterable[Sequence[object]]) -> None:
        """Take in devices as (id, platform, ring id or -1, site, build, eligible, provider)."""
        known: dict[tuple[object, object, object, bool], int] = {}
        counts: dict[int, int] = {}
        for device, platform, ring, _, _, eligible, provider in members:
            tells = provider in self._telling
            key = (platform, ring, eligible, tells)
            group = known.get(key)
            if group is None:
                ring_id = ring if isinstance(ring, int) and ring >= 0 else None
                self._groups.append(
                    CostGroup(Platform(str(platform)), ring_id, None if eligible is None else eligible == 1)
                )
                self._tells.append(tells)
                group = known[key] = len(self._groups)
            if isinstance(device, int) and device < len(self._group_of):
                self._group_of[device] = group
                counts[group] = counts.get(group, 0) + 1
        for group, devices in counts.items():
            found = self._groups[group - 1]
            self.devices[found] = self.devices.get(found, 0) + devices

    def know(self, changes: Iterable[Change]) -> None:
        """What devices ran before the first month; what is seen later is compared with it."""
        top = len(self._builds)
        for _, device, build, _ in changes:
            if build and device < top:
                self._builds[device] = build

    def read(self, happenings: Iterable[Happening], progress: Callable[[int], None] | None = None) -> None:
        """Count what happened, in the order of time, from the first month's begin on."""
        months = list(self._months)
        if not months:
            return
        month = months.pop(0)
        ends = int(month.ends_at.timestamp())
        count, top = 0, len(self._group_of)
        for at, device, build, kb, restarted, source in happenings:
            count += 1
            if progress is not None and not count % _TOLD_EVERY:
                progress(count)
            while at >= ends and months:
                self._close(month)
                month = months.pop(0)
                ends = int(month.ends_at.timestamp())
            if device >= top or not (group := self._group_of[device]):
                continue
            if not self._flags[device]:
                self._touched.append(device)
                self._flags[device] = _TOUCHED
            if source == SEEN or not self._tells[group - 1]:
                self._see(device, build or 0, is_server=self._groups[group - 1].platform.is_server)
            else:
                self._record(device, build or 0, kb, restarted, source)
        self._close(month)
        if progress is not None:
            progress(count)

    def _see(self, device: int, build: int, *, is_server: bool) -> None:
        if not build:
            return
        before = self._builds[device]
        self._builds[device] = build
        # A first sighting is no change, and going back to an older build is no update.
        if not before or build <= before:
            return
        if self._kinds.is_hotpatch(build, is_server=is_server):
            self._flags[device] |= _SERVED | _HOTPATCHED
        elif self._kinds.is_cumulative(build, is_server=is_server):
            self._flags[device] |= _SERVED | _INFERRED

    def _record(self, device: int, build: int, kb: int | None, restarted: int, source: int) -> None:
        if source == DONE:
            taken = self._kinds.taken_with(kb)
            self._flags[device] |= taken | _RECORDED if taken & _HOTPATCHED and not restarted else taken
        if build and build == self._builds[device]:
            # A check-in told the build before the install's own report did: it is one and the same restart.
            self._flags[device] &= ~_INFERRED
        if restarted and self._restarts[device] < _MOST:
            self._restarts[device] += 1
        if build:
            self._builds[device] = build

    def _close(self, month: ServicingMonth) -> None:
        """Add up what the touched devices did in a month, and begin anew."""
        cells: dict[int, list[int]] = {}
        has_hotpatch = [(group.platform, month.month) in self._kinds.hotpatch_months for group in self._groups]
        flags_of, restarts_of, group_of = self._flags, self._restarts, self._group_of
        for device in self._touched:
            flags, restarts, group = flags_of[device], restarts_of[device], group_of[device] - 1
            flags_of[device] = restarts_of[device] = 0
            cell = cells.get(group)
            if cell is None:
                cell = cells[group] = [0] * 7
            restarted = restarts or flags & _INFERRED
            cell[0] += flags & _SERVED
            cell[2] += restarts
            if flags & _INFERRED:
                cell[3] += 1
            if flags & _HOTPATCHED:
                cell[1] += 1
                if not restarted:
                    cell[4 if flags & _RECORDED else 5] += 1
            if restarted and has_hotpatch[group]:
                cell[6] += 1
        for group, cell in cells.items():
            self._found.append(CostCell(month.month, self._groups[group], RestartSums(*cell[:6]), cell[6]))
        self._touched = array("I")

    def cells(self) -> tuple[CostCell, ...]:
        """Every group and month in which something happened, oldest first."""
        return tuple(self._found)


def add_up(cells: Iterable[RestartSums]) -> RestartSums:
    total = NO_SUMS
    for each in cells:
        total = total.plus(each)
    return total
