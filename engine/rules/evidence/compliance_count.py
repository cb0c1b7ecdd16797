"""Counts protection over time: one pass over what happened to builds, for any number of months at once. Pure.

`evidence` feeds it with streams from the store and hands what it finds to `compliance`. Made for twelve million
changes on a million devices: flat arrays by device id, no object a row, nothing kept of a change.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field

from engine.catalog.protection import NOTHING, Reaches, ReachTable
from engine.model.build import Platform
from engine.model.records.reports import Mark

FOLLOWED = timedelta(days=35)
"""How long after its release a month's curve is counted: until after the next Patch Tuesday."""
CLOSES_AFTER = FOLLOWED + timedelta(days=7)
"""A month is kept for good when so much has passed: devices that were away have told what they had by then."""
_TOLD_EVERY = 50_000


class Group(Struct, frozen=True):
    """Devices that are told apart by nothing that a report asks for."""

    platform: Platform
    ring_id: int | None
    site: str


class GroupMonth(Struct):
    """One group against one month's release."""

    devices: int = 0
    arrived: int = 0
    """Seen for the first time after the release."""
    steps: dict[int, int] = field(default_factory=dict)
    """Hours after the release → by how many the protected devices changed; what happened before counts for hour 0."""

    def add(self, devices: int, arrived: int, steps: Iterable[tuple[int, int]]) -> None:
        """Count another group's devices in, `steps` as (hour, by how many)."""
        self.devices += devices
        self.arrived += arrived
        mine = self.steps
        for hour, by in steps:
            mine[hour] = mine.get(hour, 0) + by


class MonthCount(Struct):
    """All groups against one month's release."""

    month: str
    until: datetime
    """Up to here it was counted: the present, or the end of `FOLLOWED`."""
    groups: dict[Group, GroupMonth] = field(default_factory=dict)


class FleetSums(Struct, frozen=True):
    """What the state file keeps counted of the fleet, with nothing of a single device.

    A device counts under its platform and the hour since 1970 in which it was first seen, rounded up; 0 for one that
    was always there as far as is known. A build is as the store writes it, minus a KB where an install told none, or
    0 for an unknown one.
    """

    devices: Sequence[tuple[str, int, int, int]]
    """(Platform, first hour, build, devices) as things stand."""
    flows: Iterable[tuple[int, str, int, int, int]]
    """(Hour rounded up, platform, first hour, build, by how many the devices with that build changed then)."""
    records_begin: int
    """The hour from which on records were kept: no device is known for longer."""
    since: int
    """The hour from which on changes count: somewhat before the first month's release."""


class MonthSums(Struct, frozen=True):
    """Months counted from sums, each platform as one group."""

    months: Mapping[int, MonthCount]
    present: Mapping[int, Mapping[Group, tuple[int, int]]]
    """Month → platform → (devices, those protected against it) as things stand."""


class Roster:
    """The devices that count, by id: their group, what they are protected by now, and since when they are known."""

    def __init__(self, reaches: Reaches, highest_id: int) -> None:
        self.reaches = reaches
        self.groups: list[Group] = []
        self.group_of = array("I", bytes(4 * (highest_id + 1)))
        """Device id → 1 + index in `groups`; 0 for a device that does not count."""
        self.reach_now = array("h", [NOTHING]) * (highest_id + 1)
        self.first_seen: dict[int, int] = {}
        """Device id → when; the others were always there as far as is known."""
        self.now: dict[tuple[int, int], int] = {}
        """(Index in `groups`, reach) → devices."""
        self._tables = {server: reaches.table(is_server=server) for server in (False, True)}
        self.tables: list[ReachTable] = []
        """Parallel to `groups`."""

    def add(self, members: Iterable[Sequence[object]]) -> None:
        """Take in devices as (id, platform, ring id or -1, site, build, ...)."""
        known: dict[tuple[object, object, object], int] = {}
        group_of, reach_now, now, tables = self.group_of, self.reach_now, self.now, self.tables
        top = len(group_of)
        for device, platform, ring, site, build, *_ in members:
            key = (platform, ring, site)
            group = known.get(key)
            if group is None:
                group = known[key] = self._new_group(str(platform), ring, str(site))
            if not isinstance(device, int) or device >= top:
                continue  # came in after the roster was begun
            reach = tables[group][build]  # type: ignore[index]
            group_of[device] = group + 1
            reach_now[device] = reach
            cell = (group, reach)
            now[cell] = now.get(cell, 0) + 1

    def add_alike(self, platform: Platform, ring_id: int | None, build: int | None, ids: Iterable[tuple[int]]) -> None:
        """Take in devices that have all of this in common, whatever their site; quicker than one by one."""
        found = Group(platform, ring_id, "")
        group = self.groups.index(found) if found in self.groups else self._new_group(platform, ring_id, "")
        reach = self.tables[group][build]
        group_of, reach_now, number = self.group_of, self.reach_now, group + 1
        top, count = len(group_of), 0
        for (device,) in ids:
            if device < top:
                group_of[device] = number
                reach_now[device] = reach
                count += 1
        self.now[group, reach] = self.now.get((group, reach), 0) + count

    def _new_group(self, platform: str, ring: object, site: str) -> int:
        found = Platform(platform)
        self.groups.append(Group(found, ring if isinstance(ring, int) and ring >= 0 else None, site))
        self.tables.append(self._tables[found.is_server])
        return len(self.groups) - 1

    def arrive(self, sightings: Iterable[tuple[int, int]], records_begin: int) -> None:
        """Note when devices were first seen; nobody is known for longer than records were kept."""
        group_of = self.group_of
        top = len(group_of)
        self.first_seen = {
            device: max(at, records_begin) for device, at in sightings if device < top and group_of[device]
        }

    def devices(self) -> int:
        return sum(self.now.values())

    def now_in(self, index: int) -> dict[Group, tuple[int, int]]:
        """Group → (devices, those protected against the month), as things stand."""
        found: dict[Group, tuple[int, int]] = {}
        for (group, reach), devices in self.now.items():
            if self.reaches.month(self.groups[group].platform, index) is not None:
                total, protected = found.get(self.groups[group], (0, 0))
                found[self.groups[group]] = (total + devices, protected + (devices if reach >= index else 0))
        return found


def count_months(
    roster: Roster,
    indexes: Sequence[int],
    changes: Iterable[tuple[int, int, int | None, int | None]],
    now: datetime,
    progress: Callable[[int], None] | None = None,
) -> dict[int, MonthCount]:
    """Count the months with these indexes of `roster.reaches.months` from every change since the first of them.

    A device counts as protected from a change that brings the month's protection until one that takes it away: at
    every hour the curve says what was so then. `progress` is told how many changes have been read.
    """
    counter = _Counter(roster, indexes, now)
    counter.read(changes, progress)
    counter.read_present()
    return counter.result()


class _Counter:
    def __init__(self, roster: Roster, indexes: Sequence[int], now: datetime) -> None:
        self._roster = roster
        self._now = int(now.timestamp())
        reaches = roster.reaches
        self._indexes = sorted(indexes)
        self._until = [-1] * len(reaches.months)
        for index in self._indexes:
            end = reaches.released_at(reaches.months[index]) + FOLLOWED
            self._until[index] = min(self._now, int(end.timestamp()))
        self._released: list[list[int]] = []
        """Group → month → second of release; a month that does not count lies in the far future."""
        for group in roster.groups:
            months = [reaches.month(group.platform, index) for index in range(len(reaches.months))]
            self._released.append([2**62 if each is None else int(each.released_at.timestamp()) for each in months])
        self._reach = array("h", [NOTHING]) * len(roster.group_of)
        self._steps: dict[tuple[int, int, int], int] = {}
        self._late, self._gone = self._arrivals()

    def _arrivals(self) -> tuple[dict[int, int], dict[tuple[int, int], list[int]]]:
        """Device → the first month that it counts for; (group, month) → devices not in it yet, arrived within it."""
        roster = self._roster
        late: dict[int, int] = {}
        found: dict[tuple[int, int], list[int]] = {}
        first = [min((each[index] for index in self._indexes), default=2**62) for each in self._released]
        for device, seen_at in roster.first_seen.items():
            group = roster.group_of[device] - 1
            if seen_at <= first[group]:
                continue
            released = self._released[group]
            for index in self._indexes:
                if released[index] >= seen_at or released[index] == 2**62:
                    continue
                cell = found.setdefault((group, index), [0, 0])
                if seen_at > min(released[index] + Mark.THREE_WEEKS.hours * 3_600, self._now):
                    cell[0] += 1
                    late[device] = index + 1
                else:
                    cell[1] += 1
        return late, found

    def read(
        self, changes: Iterable[tuple[int, int, int | None, int | None]], progress: Callable[[int], None] | None
    ) -> None:
        group_of, reach_of, tables, late = self._roster.group_of, self._reach, self._roster.tables, self._late
        top = len(group_of)
        count = 0
        for at, device, build, kb in changes:
            count += 1
            if progress is not None and not count % _TOLD_EVERY:
                progress(count)
            if device >= top or not (group := group_of[device]):
                continue
            group -= 1
            reach = tables[group][build] if build is not None else self._reach_of_kb(group, kb)
            before = reach_of[device]
            if reach != before:
                reach_of[device] = reach
                self._step(at, group, before, reach, late.get(device, 0))
        if progress is not None:
            progress(count)

    def _reach_of_kb(self, group: int, kb: int | None) -> int:
        """What an install protects against whose provider told no build afterwards; nothing after an uninstall."""
        platform = self._roster.groups[group].platform
        return NOTHING if kb is None else self._roster.reaches.of_kb(kb, platform)

    def _step(self, at: int, group: int, before: int, reach: int, first: int) -> None:
        released, steps = self._released[group], self._steps
        low, high, by = (before, reach, 1) if reach > before else (reach, before, -1)
        for index in range(max(low + 1, first), high + 1):
            if self._until[index] >= at and released[index] < 2**62:
                key = (group, index, max(0, -((released[index] - at) // 3_600)))
                steps[key] = steps.get(key, 0) + by

    def read_present(self) -> None:
        """What a device has now and no change explains counts from now on."""
        running = [index for index in self._indexes if self._until[index] == self._now]
        if not running:
            return
        until, self._until = self._until, [each if each == self._now else -1 for each in self._until]
        group_of, reach_of, late, first = self._roster.group_of, self._reach, self._late, running[0]
        for device, (before, reach) in enumerate(zip(reach_of, self._roster.reach_now, strict=True)):
            if reach != before and (reach >= first or before >= first) and group_of[device]:
                self._step(self._now, group_of[device] - 1, before, reach, late.get(device, 0))
        self._until = until

    def result(self) -> dict[int, MonthCount]:
        reaches, groups = self._roster.reaches, self._roster.groups
        found: dict[int, MonthCount] = {}
        for index in self._indexes:
            until = datetime.fromtimestamp(self._until[index], reaches.released_at(reaches.months[index]).tzinfo)
            found[index] = MonthCount(reaches.months[index], until)
        for (group, _), devices in self._roster.now.items():
            for index, month in found.items():
                if self._released[group][index] < 2**62:
                    month.groups.setdefault(groups[group], GroupMonth()).devices += devices
        for (group, index), (absent, arrived) in self._gone.items():
            cell = found[index].groups[groups[group]]
            cell.devices -= absent
            cell.arrived += arrived
        for (group, index, hour), by in self._steps.items():
            if by and index in found:
                found[index].groups[groups[group]].steps[hour] = by
        return found


def reach_of_sum(reaches: Reaches, platform: Platform, build: int) -> int:
    """The reach of a build as `FleetSums` has it."""
    return reaches.of_kb(-build, platform) if build < 0 else reaches.of(build or None, is_server=platform.is_server)


def sum_months(
    reaches: Reaches, indexes: Sequence[int], counted: Sequence[int], sums: FleetSums, now: datetime
) -> MonthSums | None:
    """What `count_months` finds of the months `counted`, and how things stand towards those in `indexes`.

    No change is read, and no device. None where sums by the hour cannot tell it: where a release did not come on the
    hour, or where a device had a month's build before changes count, which is protection only from the next word on.
    """
    counter = _SumCounter(reaches, counted, sums, now)
    if not counter.is_exact():
        return None
    return MonthSums(counter.result(), {index: counter.present(index) for index in indexes})


class _SumCounter:
    def __init__(self, reaches: Reaches, counted: Sequence[int], sums: FleetSums, now: datetime) -> None:
        self._reaches, self._counted, self._sums, self._now = reaches, sorted(counted), sums, now
        self._released = {
            platform: {
                index: int(month.released_at.timestamp())
                for index in self._counted
                if (month := reaches.month(platform, index)) is not None
            }
            for platform in Platform
        }
        begins = {index: reaches.released_at(reaches.months[index]) for index in self._counted}
        self._until = {index: min(now, at + FOLLOWED) for index, at in begins.items()}
        self._standing: dict[tuple[Platform, int, int], int] = {}
        """(Platform, first hour, reach) → devices."""
        for name, first, build, devices in sums.devices:
            platform = Platform(name)
            key = (platform, max(first, sums.records_begin) if first else 0, reach_of_sum(reaches, platform, build))
            self._standing[key] = self._standing.get(key, 0) + devices
        self._flows = list(sums.flows)

    def is_exact(self) -> bool:
        if any(at % 3_600 for each in self._released.values() for at in each.values()):
            return False
        first = min(self._counted, default=0)
        early: dict[tuple[str, int], int] = {}
        for hour, name, _, build, by in self._flows:
            if hour <= self._sums.since:
                early[name, build] = early.get((name, build), 0) + by
        return not any(
            by and reach_of_sum(self._reaches, Platform(name), build) >= first for (name, build), by in early.items()
        )

    def present(self, index: int) -> dict[Group, tuple[int, int]]:
        found: dict[Group, tuple[int, int]] = {}
        for (platform, _, reach), devices in self._standing.items():
            if devices and self._reaches.month(platform, index) is not None:
                group = Group(platform, None, "")
                total, protected = found.get(group, (0, 0))
                found[group] = (total + devices, protected + (devices if reach >= index else 0))
        return found

    def result(self) -> dict[int, MonthCount]:
        found = {index: MonthCount(self._reaches.months[index], self._until[index]) for index in self._counted}
        for (platform, first, reach), devices in self._standing.items():
            counts_from, arrived = self._arrival(platform, first)
            for index, released in self._released[platform].items():
                if not devices:
                    continue
                cell = found[index].groups.setdefault(Group(platform, None, ""), GroupMonth())
                if index in counts_from:
                    cell.devices += devices
                    cell.arrived += devices if index in arrived else 0
                    if reach >= index and self._until[index] == self._now:
                        # All that have it now; what the flows explain of them is taken off below.
                        self._add(cell, self._hour_of(self._now) - released // 3_600, devices)
        kinds: dict[tuple[str, int, int], list[tuple[int, GroupMonth, int, int]]] = {}
        for hour, name, first, build, by in self._flows:
            if hour <= self._sums.since or not by:
                continue
            kind = (name, first, build)
            if (cells := kinds.get(kind)) is None:
                cells = kinds[kind] = self._cells(found, *kind)
            for until, cell, released, present in cells:
                if hour <= until:
                    self._add(cell, hour - released, by)
                    if present:
                        self._add(cell, present - released, -by)
        for month in found.values():
            for cell in month.groups.values():
                for hour in [hour for hour, by in cell.steps.items() if not by]:
                    del cell.steps[hour]
        return found

    def _cells(
        self, found: Mapping[int, MonthCount], name: str, first: int, build: int
    ) -> list[tuple[int, GroupMonth, int, int]]:
        """For each month that a build protects against: the last hour that counts, the cell, the hour of release, and
        the present hour where the month still runs, else 0."""
        platform, present = Platform(name), self._hour_of(self._now)
        reach = reach_of_sum(self._reaches, platform, build)
        counts_from, _ = self._arrival(platform, max(first, self._sums.records_begin) if first else 0)
        cells = []
        for index, released in self._released[platform].items():
            group = Group(platform, None, "")
            if index <= reach and index in counts_from and group in found[index].groups:
                runs = self._until[index] == self._now
                until = present if runs else self._hour_of(self._until[index])
                cells.append((until, found[index].groups[group], released // 3_600, present if runs else 0))
        return cells

    def _arrival(self, platform: Platform, first: int) -> tuple[set[int], set[int]]:
        """The months that count devices first seen in this hour, and those within whose three weeks they arrived."""
        released = {index: at // 3_600 for index, at in self._released[platform].items()}
        if not first or first <= min(released.values(), default=0):
            return set(released), set()
        absent = {index for index, at in released.items() if first > at + Mark.THREE_WEEKS.hours}
        arrived = {index for index, at in released.items() if at < first} - absent
        return set(released) - absent, arrived

    @staticmethod
    def _add(cell: GroupMonth, hour: int, by: int) -> None:
        hour = max(0, hour)
        cell.steps[hour] = cell.steps.get(hour, 0) + by

    @staticmethod
    def _hour_of(moment: datetime) -> int:
        return -(-int(moment.timestamp()) // 3_600)


def state_at(steps: Mapping[int, int], hours: int) -> int:
    """How many were protected so many hours after the release."""
    return sum(by for hour, by in steps.items() if hour <= hours)
