"""Puts the proof together: reads the store, has it counted, and makes the reports on compliance.

`reads.evidence` asks on behalf of both fronts, the runner lets it keep months that have closed. Writes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.catalog import make_levels
from engine.catalog.protection import NOTHING, Reaches, make_reaches
from engine.model.build import OsBuild, Platform
from engine.model.model import Release
from engine.model.records.reports import (
    ComplianceReport,
    DriftRow,
    Mark,
    Offender,
    Period,
    PublishedFigure,
    ReleaseCompliance,
)
from engine.rules.evidence.compliance import Laggard, Present, assumptions, offender, release_compliance
from engine.rules.evidence.compliance_count import (
    CLOSES_AFTER,
    FOLLOWED,
    FleetSums,
    Group,
    GroupMonth,
    MonthCount,
    MonthSums,
    Roster,
    count_months,
    reach_of_sum,
    sum_months,
)
from engine.rules.failures.errorcodes import code_text, explain
from engine.rules.retention import PRUNED_BEFORE
from engine.store import Store
from engine.store.evidence import ClosedCount, ClosedMonth
from engine.store.filter_sql import SqlCondition, compile_text
from engine.store.values import seconds

if TYPE_CHECKING:
    from engine.store.evidence import UnprotectedRow

Progress = Callable[[int, int], None]
"""How many changes have been read, of how many."""
_EARLY = timedelta(days=2)
"""A release's hour is known less surely than its day: what came just before it counts from the first hour on."""
OFFENDERS = 50
"""The longest unprotected devices that a report names."""
_EVERY_DEVICE = SqlCondition("1", ())


class Evidence:
    """What the state file proves, at one time."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self._now = now.replace(microsecond=0)
        self._releases: tuple[Release, ...] = tuple(
            each for each in store.releases.releases() if each.released_at <= now
        )
        self.reaches: Reaches = make_reaches(self._releases, now)
        pruned = store.state.setting(PRUNED_BEFORE)
        self._whole_from = datetime.fromisoformat(pruned) if pruned else None
        """Before this, history was deleted."""

    # --- compliance ---------------------------------------------------------------------------------

    def compliance_report(self, period: Period | None, filter: str, progress: Progress | None) -> ComplianceReport:
        """Compliance of the months of a period; None for all that anything is known of.

        Raises:
            BadInput: the filter cannot be read.
        """
        condition = compile_text(filter, self._now)
        with self._store.snapshot():
            begin = self._store.evidence.records_begin()
            indexes, left_out, shown = self._months_of(period, begin, use_kept=not filter.strip())
            roster = self._roster(condition, begin)
            # A filter asks about the devices of today; what was kept counts those of its own time.
            releases = self._months(roster, indexes, use_kept=not filter.strip(), progress=progress)
            offenders, total = self._offenders(condition)
            return ComplianceReport(
                made_at=self._now,
                period=shown,
                filter=filter.strip(),
                devices=roster.devices(),
                records_begin=begin,
                releases=releases,
                offenders=offenders,
                offenders_total=total,
                drift=self._drift(condition),
                figures=_figures(),
                assumptions=assumptions(releases, begin, filter.strip(), left_out=left_out),
            )

    def trend(self, months: int) -> tuple[ReleaseCompliance, ...]:
        """The last months without rings and sites, newest first, as an overview needs them."""
        with self._store.snapshot():
            begin = self._store.evidence.records_begin()
            indexes, _, _ = self._months_of(None, begin, use_kept=True)
            return self._in_whole(indexes[-months:], begin, use_kept=True)

    def present(self) -> tuple[ReleaseCompliance, ...]:
        """The newest month of every platform without rings and sites, counted now; a month for each that differs."""
        with self._store.snapshot():
            begin = self._store.evidence.records_begin()
            there = {Platform(name) for name, *_ in self._store.evidence.build_counts()}
            indexes = sorted({self.reaches.current(platform) for platform in there} - {NOTHING})
            return self._in_whole(indexes, begin, use_kept=False)

    def _in_whole(
        self, indexes: Sequence[int], begin: datetime | None, *, use_kept: bool
    ) -> tuple[ReleaseCompliance, ...]:
        """Months without rings and sites, from the kept sums; device by device where these cannot tell it."""
        kept = self._kept(indexes, None) if use_kept else {}
        counted = [index for index in indexes if index not in kept]
        sums = self._sum(indexes, counted, begin)
        if sums is None:
            return self._months(self._roster(None, begin), indexes, use_kept=use_kept, progress=None)
        return tuple(
            release_compliance(
                kept.get(index) or sums.months[index],
                self.reaches,
                Present(sums.present[index]),
                None,
                self._now,
                kept=index in kept,
            )
            for index in reversed(indexes)
        )

    def _sum(self, indexes: Sequence[int], counted: Sequence[int], begin: datetime | None) -> MonthSums | None:
        evidence, first = self._store.evidence, min(counted, default=len(self.reaches.months))
        if evidence.tells_of_later(self._now):
            return None
        since = min((self.reaches.released_at(self.reaches.months[index]) for index in counted), default=self._now)
        builds = [
            build
            for build in evidence.flow_builds()
            if any(reach_of_sum(self.reaches, platform, build) >= first for platform in Platform)
        ]
        sums = FleetSums(
            devices=evidence.build_counts(),
            flows=evidence.flows(builds),
            records_begin=-(-seconds(begin) // 3_600) if begin is not None else 0,
            since=seconds(since - _EARLY) // 3_600,
        )
        return sum_months(self.reaches, indexes, counted, sums, self._now)

    def _months_of(
        self, period: Period | None, begin: datetime | None, *, use_kept: bool
    ) -> tuple[list[int], int, Period]:
        """The indexes of the months to show, how many were asked for in vain, and the period that is shown.

        A month whose three weeks had passed before the first record is left out, and one whose records were deleted:
        nothing is known of it, unless it was kept.
        """
        months = self.reaches.months
        kept = {each.month for each in self._store.evidence.closed_months()} if use_kept else set()
        asked = [index for index, month in enumerate(months) if period is None or _in(period, month)]
        known = [index for index in asked if months[index] in kept or self._is_known(months[index], begin)]
        if period is not None:
            return known, len(asked) - len(known), period
        first, last = (months[known[0]], months[known[-1]]) if known else (f"{self._now:%Y-%m}", f"{self._now:%Y-%m}")
        return known, 0, Period(first, last)

    def _is_known(self, month: str, begin: datetime | None) -> bool:
        released_at = self.reaches.released_at(month)
        if released_at + Mark.THREE_WEEKS.span <= (begin or self._now):
            return False
        return self._whole_from is None or released_at >= self._whole_from

    def _roster(self, condition: SqlCondition | None, begin: datetime | None) -> Roster:
        """The devices that match, with their rings and sites; None for all, without them."""
        evidence = self._store.evidence
        roster = Roster(self.reaches, evidence.highest_id())
        if condition is None:
            for platform, ring_id, build in evidence.alike():
                roster.add_alike(platform, None, build, evidence.ids_alike(platform, ring_id, build))
        else:
            roster.add(evidence.members(condition))
        roster.arrive(evidence.first_sightings(), seconds(begin) if begin is not None else 0)
        return roster

    def _months(
        self, roster: Roster, indexes: Sequence[int], *, use_kept: bool, progress: Progress | None
    ) -> tuple[ReleaseCompliance, ...]:
        names = {ring.id: ring.name for ring in self._store.rollout.rings()}
        with_sites = any(group.site for group in roster.groups)
        with_rings = any(group.ring_id is not None for group in roster.groups)

        def group(count: ClosedCount) -> Group:
            ring_id = count.ring_id if with_rings else None
            return Group(count.platform, ring_id, count.site if with_sites else "")

        kept = self._kept(indexes, group) if use_kept else {}
        counted = self._count(roster, [index for index in indexes if index not in kept], progress)
        return tuple(
            release_compliance(
                kept.get(index) or counted[index],
                self.reaches,
                Present(roster.now_in(index)),
                names,
                self._now,
                kept=index in kept,
            )
            for index in reversed(indexes)
        )

    def _count(self, roster: Roster, indexes: Sequence[int], progress: Progress | None) -> dict[int, MonthCount]:
        if not indexes:
            return {}
        released = [self.reaches.released_at(self.reaches.months[index]) for index in indexes]
        since, until = min(released) - _EARLY, min(self._now, max(released) + FOLLOWED)
        evidence = self._store.evidence
        told: Callable[[int], None] | None = None
        if progress is not None:
            total = evidence.changes_between(since, until)

            def told(done: int) -> None:
                progress(min(done, total), total)

        return count_months(roster, indexes, evidence.changes(since, until), self._now, told)

    # --- months that have closed --------------------------------------------------------------------

    def _kept(self, indexes: Sequence[int], group_of: Callable[[ClosedCount], Group] | None) -> dict[int, MonthCount]:
        """What was kept of months whose releases are still known as they were then; None leaves rings and sites out."""
        months = {self.reaches.months[index]: index for index in indexes}
        valid = {
            each.month: each
            for each in self._store.evidence.closed_months()
            if each.month in months and self._stands(each)
        }
        found = {months[name]: MonthCount(name, each.until) for name, each in valid.items()}
        for month, count in self._store.evidence.closed_counts(list(valid), whole=group_of is None):
            group = Group(count.platform, None, "") if group_of is None else group_of(count)
            cell = found[months[month]].groups.setdefault(group, GroupMonth())
            cell.add(count.devices, count.arrived, count.steps)
        return found

    def month_to_close(self) -> str | None:
        """The oldest month that has closed and is not kept as it is known now; None when there is none."""
        begin = self._store.evidence.records_begin()
        if begin is None:
            return None
        kept = {each.month: each for each in self._store.evidence.closed_months()}
        for month in self.reaches.months:
            if self.reaches.released_at(month) + CLOSES_AFTER > self._now:
                return None
            if self._is_known(month, begin) and (month not in kept or not self._stands(kept[month])):
                return month
        return None

    def _stands(self, kept: ClosedMonth) -> bool:
        """Whether a month's releases are still known as they were; where its records are gone, it stands anyway."""
        if self._whole_from is not None and kept.released_at < self._whole_from:
            return True
        return kept.releases == self._releases_text(kept.month)

    def close_month(self, month: str) -> None:
        """Count a month once more and keep it, in a transaction of its own."""
        index = self.reaches.months.index(month)
        released_at = self.reaches.released_at(month)
        with self._store.snapshot():
            begin = self._store.evidence.records_begin()
            roster = self._roster(_EVERY_DEVICE, begin)
            count = self._count(roster, [index], None)[index]
        closed = ClosedMonth(month, released_at, count.until, self._now, self._releases_text(month))
        with self._store.transaction():
            self._store.evidence.close_month(closed, _closed_counts(count))

    def _releases_text(self, month: str) -> str:
        """What the counts of a month rest on; another text means that they must be counted anew."""
        return " ".join(
            f"{each.main.platform}:{each.main.kb}:{each.main.build}:{each.lcu.build if each.lcu else None}"
            f":{seconds(each.released_at)}"
            for each in self.reaches.of_month(month)
        )

    # --- who lags behind ----------------------------------------------------------------------------

    def _offenders(self, condition: SqlCondition) -> tuple[tuple[Offender, ...], int]:
        cells: list[tuple[datetime, Platform, int | None, int]] = []
        total = 0
        for platform, build, devices in self._store.evidence.builds(condition):
            current = self.reaches.current(platform)
            reach = self.reaches.of(build, is_server=platform.is_server)
            if current == NOTHING or reach >= current:
                continue
            total += devices
            lacks = next(
                month for month in self.reaches.by_platform[platform][reach + 1 :] if month is not None
            )  # the current month at the latest
            cells.append((lacks.released_at, platform, build, reach))
        cells.sort(key=lambda each: (each[2] is None, each[0], each[1]))
        found: list[Offender] = []
        for _, platform, build, reach in cells:
            if len(found) >= 2 * OFFENDERS:
                break
            rows = self._store.evidence.unprotected(platform, build, condition, OFFENDERS)
            found += [offender(_laggard(row), self.reaches, reach, self._now) for row in rows]
        found.sort(key=lambda each: (not each.build, each.unprotected_since, each.device_name, each.device_id))
        return tuple(found[:OFFENDERS]), total

    def _drift(self, condition: SqlCondition) -> tuple[DriftRow, ...]:
        baselines = {
            platform: baseline
            for platform in Platform
            if (baseline := make_levels(platform, self._releases, self._now).baseline) is not None
        }
        rings = self._store.rollout.rings()
        names = {ring.id: ring.name for ring in rings}
        order = {ring.name: ring.position for ring in rings}
        since = {platform: each.released_at for platform, each in baselines.items()}
        rows = [
            DriftRow(
                ring=names.get(row.ring_id, "") if row.ring_id is not None else "",
                platform=row.platform,
                baseline_kb=baselines[row.platform].kb,
                since=baselines[row.platform].released_at,
                devices=row.devices,
                behind=row.behind,
                not_seen=row.not_seen,
            )
            for row in self._store.evidence.behind(condition, since)
        ]
        platforms = list(Platform)
        rows.sort(key=lambda each: (order.get(each.ring, len(order) + 1), platforms.index(each.platform)))
        return tuple(rows)


def _in(period: Period, month: str) -> bool:
    return period.first <= month <= period.last


def _closed_counts(count: MonthCount) -> Iterable[ClosedCount]:
    for group, cell in count.groups.items():
        if cell.devices or cell.steps:
            steps = tuple(sorted(cell.steps.items()))
            yield ClosedCount(group.platform, group.ring_id, group.site, cell.devices, cell.arrived, steps)


def _laggard(row: UnprotectedRow) -> Laggard:
    error = ""
    if row.error_code is not None:
        error = f"{code_text(row.error_code)}, {explain(row.error_code).cause.label}"
    return Laggard(
        device_id=row.device_id,
        name=row.name,
        user=row.user,
        ring=row.ring,
        site=row.site,
        platform=row.platform,
        build=OsBuild.from_int(row.build) if row.build is not None else None,
        verdict=row.verdict,
        reasons=row.reasons,
        state=row.state,
        error=error,
        held=row.held,
        last_seen_at=row.last_seen_at,
        first_seen_at=row.first_seen_at,
        lost_at=row.lost_at,
    )


def _figures() -> tuple[PublishedFigure, ...]:
    from engine.rules.evidence.published import published_figures

    return published_figures()
