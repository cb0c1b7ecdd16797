"""The questions of the readiness and activity reports, as part of `Reads`; never writes.

Each report is read from one state of the file, so that its figures agree with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from engine.model.build import Platform
from engine.model.clock import Clock
from engine.model.records.fleet import AuditRow, DeviceQuery, DeviceRow, ProviderFreshness
from engine.store import Store

if TYPE_CHECKING:
    from engine.rules.evidence.activity import ActivityReport, ChainState, Progress
    from engine.rules.readiness.summary import NextRelease, ReadinessReport

_SITES_SHOWN = 25
_SAMPLE = 20
_DAYS = 30
_TELL_EVERY = 5_000


class SummaryReads:
    """Readiness over the fleet, and what a period brought."""

    __slots__ = ()

    store: Store
    clock: Clock

    def freshness(self) -> tuple[ProviderFreshness, ...]:
        """The systems that devices were told by, the one with the most devices first."""
        from engine.rules.readiness import DEFAULT_SETTINGS
        from engine.store.summaries import freshness

        return freshness(self.store.connection, self.clock.now() - DEFAULT_SETTINGS.max_age)

    def readiness_report(self, filter: str = "", progress: Progress | None = None) -> ReadinessReport:
        """Readiness of the devices that a filter matches, as it stands now.

        Raises:
            BadInput: the filter cannot be read.
        """
        from engine.rules.readiness import summary
        from engine.store.filter_sql import compile_text
        from engine.store.summaries import reason_sets, verdict_cells, verdicts_by_site

        now, connection = self.clock.now(), self.store.connection
        condition = compile_text(filter, now)
        with self.store.snapshot():
            _tell(progress, "Counting devices", 0, 3)
            names = {ring.id: ring.name for ring in self.store.rollout.rings()}
            cells = verdict_cells(connection, condition, names)
            _tell(progress, "Counting sites", 1, 3)
            sites, others = verdicts_by_site(connection, condition, _SITES_SHOWN)
            _tell(progress, "Counting reasons", 2, 3)
            reasons = summary.explain_reasons(reason_sets(connection, condition))
            by_platform = {
                name: summary.sum_verdicts(name, (each for each in cells if each.platform == name))
                for name in (*Platform, "")
            }
            releases = tuple(
                summary.next_release(platform, now, by_platform[platform])
                for platform in Platform
                if by_platform[platform].devices
            )
            sample = tuple(islice(self.each_restarting(filter, releases), _SAMPLE))
        rings = [
            summary.sum_verdicts(name, (each for each in cells if each.ring == name)) for name in (*names.values(), "")
        ]
        return summary.ReadinessReport(
            made_at=now,
            filter=filter,
            total=summary.sum_verdicts("", cells),
            rings=tuple(each for each in rings if each.devices),
            platforms=tuple(each for each in by_platform.values() if each.devices),
            sites=sites,
            other_sites=others,
            reasons=reasons,
            next_releases=releases,
            without_platform=by_platform[""].devices,
            restarting=sample,
        )

    def each_restarting(self, filter: str, releases: tuple[NextRelease, ...]) -> Iterator[DeviceRow]:
        """Every device that a filter matches and that restarts at its platform's next release, platform by platform.

        Raises:
            BadInput: the filter cannot be read.
        """
        for release in releases:
            query = DeviceQuery(f"{filter} {release.restarting_filter}".strip())
            yield from self.store.devices.each(query, self.clock.now())

    def activity_report(
        self,
        since: datetime | None,
        until: datetime | None,
        filter: str = "",
        wanted: Callable[[AuditRow], bool] = lambda _: True,
        progress: Progress | None = None,
    ) -> ActivityReport:
        """What happened from `since` (None: the last 30 days) up to `until` (None: now).

        `wanted` says which decisions count; `filter` is how that was asked for. Installs and failures all count.
        """
        from engine.rules.evidence import activity as summary
        from engine.store.summaries import failure_days, install_days

        now = self.clock.now()
        since, until = self._period(since, until)
        tally = summary.DecisionTally()
        with self.store.snapshot():
            for read, row in enumerate(self.store.audit.between(since, until)):
                if read % _TELL_EVERY == 0:
                    _tell(progress, "Reading decisions", read, 0)
                if wanted(row):
                    tally.take(row)
            _tell(progress, "Counting installs and failures", 1, 3)
            counts = [
                *install_days(self.store.connection, since, until),
                *failure_days(self.store.connection, since, until),
            ]
            _tell(progress, "Verifying the audit", 2, 3)
            chain = self._chain()
            still_open = self.store.cases.count_open()
        by_month, found = summary.stretches(since, until, tally.days, counts)
        return summary.ActivityReport(
            made_at=now,
            since=since,
            until=min(until, now),
            filter=filter,
            records=tally.records,
            by_people=tally.by_people,
            without_reason=tally.without_reason,
            actors=tally.actors(),
            actions=tally.actions(),
            lists=tally.lists(),
            by_month=by_month,
            stretches=found,
            open_failures=still_open,
            chain=chain,
        )

    def each_decision(self, since: datetime | None, until: datetime | None) -> Iterator[AuditRow]:
        """Every audit record of a period, newest first; None as in `activity_report`."""
        return self.store.audit.between(*self._period(since, until))

    def _period(self, since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
        # What is kept is kept in whole seconds: the present second belongs to "until now".
        until = self.clock.now() + timedelta(seconds=1) if until is None else until
        return (until - timedelta(days=_DAYS) if since is None else since), until

    def _chain(self) -> ChainState:
        from engine.rules.evidence.activity import ChainState

        head = self.store.audit.head()
        records, digest = head if head is not None else (0, "")
        return ChainState(records, records, digest, self.store.audit.verify())


def _tell(progress: Progress | None, what: str, done: int, whole: int) -> None:
    if progress is not None:
        progress(what, done, whole)
