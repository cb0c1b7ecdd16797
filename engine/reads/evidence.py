"""The questions about proof: readiness over the fleet, compliance over time, and what hotpatching cost and saved.

Each report is read from one state of the file, so that its figures agree with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from engine.evidence.evidence import Evidence
from engine.model.build import Platform
from engine.model.records.fleet import Compliance, DeviceQuery, DeviceRow
from engine.model.records.reports import Mark
from engine.reads.devices import DeviceReads
from engine.reads.room import Room, tell
from engine.store.filter_sql import compile_text

if TYPE_CHECKING:
    from engine.model.records.reports import ComplianceReport, CostReport, Period, ReleaseCompliance
    from engine.rules.evidence.activity import Progress
    from engine.rules.evidence.rates import Rate
    from engine.rules.readiness.summary import NextRelease, ReadinessReport

TREND_MONTHS = 12
_SITES_SHOWN = 25
_SAMPLE = 20


class EvidenceReads(Room, frozen=True):
    """Readiness, compliance and cost."""

    def compliance(self) -> tuple[Compliance, ...]:
        """Protection against the newest month: all platforms together, then each; the marks by the same evidence as
        `compliance_report`."""
        counts = DeviceReads(self.store, self.clock).counts()
        rows = []
        for release in Evidence(self.store, self.clock.now()).present():
            for each in release.platforms:
                platform = Platform(each.name)
                if (released := release.on(platform)) is None or not each.devices_now:
                    continue
                rows.append(
                    Compliance(
                        month=release.month,
                        platform=platform,
                        released_at=released.released_at,
                        devices=sum(count.devices for count in counts if count.platform is platform),
                        protected=sum(c.devices for c in counts if c.platform is platform and c.protected),
                        within_24h=each.mark(Mark.DAY).protected,
                        within_5d=each.mark(Mark.FIVE_DAYS).protected,
                        within_3w=each.mark(Mark.THREE_WEEKS).protected,
                    )
                )
        rows = _newest_of_each(rows)
        return (_together(rows), *rows) if rows else ()

    def compliance_report(
        self,
        period: Period | None = None,
        filter: str = "",
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> ComplianceReport:
        """Protection within 24 hours, 5 days and 3 weeks of each month's release, and who lags behind.

        `period` None is everything that the state file tells of; `progress` is given (changes read, of how many).

        Raises:
            BadInput: the filter cannot be read.
        """
        return Evidence(self.store, self.clock.now()).compliance_report(period, filter, progress)

    def compliance_trend(self, months: int = TREND_MONTHS) -> tuple[ReleaseCompliance, ...]:
        """The last months' releases without rings and sites, newest first; from kept sums, so quick in any fleet."""
        return Evidence(self.store, self.clock.now()).trend(months)

    def cost_report(
        self,
        period: Period | None = None,
        filter: str = "",
        *,
        rates: Iterable[Rate] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> CostReport:
        """Restarts that happened and restarts avoided, in numbers and money; `rates` go before ours.

        Raises:
            BadInput: the filter cannot be read.
        """
        from engine.evidence.costing import Costing

        return Costing(self.store, self.clock.now()).report(period, filter, tuple(rates), progress)

    def readiness_report(self, filter: str = "", progress: Progress | None = None) -> ReadinessReport:
        """Readiness of the devices that a filter matches, as it stands now.

        Raises:
            BadInput: the filter cannot be read.
        """
        from engine.rules.readiness import summary
        from engine.store.summaries import reason_sets, verdict_cells

        now, connection = self.clock.now(), self.store.connection
        condition = compile_text(filter, now)
        with self.store.snapshot():
            tell(progress, "Counting devices", 0, 2)
            names = {ring.id: ring.name for ring in self.store.rollout.rings()}
            cells, every_site = verdict_cells(connection, condition, names, _SITES_SHOWN)
            tell(progress, "Counting reasons", 1, 2)
            reasons = summary.explain_reasons(reason_sets(connection, condition))
            by_platform = {
                name: summary.sum_verdicts(name, (each for each in cells if each.platform == name))
                for name in (*Platform, "")
            }
            held_off = self.store.devices.held_off_counts(filter, now)
            releases = tuple(
                summary.next_release(platform, now, by_platform[platform], held_off.get(platform, 0))
                for platform in Platform
                if by_platform[platform].devices
            )
            sample = tuple(islice(self.each_restarting(filter, releases), _SAMPLE))
        sites = [
            summary.sum_verdicts(site, (each for each in cells if each.site == site))
            for site in {each.site for each in cells}
            if site is not None
        ]
        rings = [
            summary.sum_verdicts(name, (each for each in cells if each.ring == name)) for name in (*names.values(), "")
        ]
        return summary.ReadinessReport(
            made_at=now,
            filter=filter,
            total=summary.sum_verdicts("", cells),
            rings=tuple(each for each in rings if each.devices),
            platforms=tuple(each for each in by_platform.values() if each.devices),
            sites=tuple(sorted(sites, key=lambda each: (-each.devices, each.name))),
            other_sites=every_site - len(sites),
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
            if not release.kind.is_baseline:
                yield from self.store.devices.each_held_off(filter, release.platform, self.clock.now())


def _newest_of_each(rows: Sequence[Compliance]) -> list[Compliance]:
    """One row a platform, in the order of the platforms."""
    newest: dict[Platform | None, Compliance] = {}
    for row in rows:
        if row.platform not in newest or newest[row.platform].month < row.month:
            newest[row.platform] = row
    return [newest[platform] for platform in Platform if platform in newest]


def _together(rows: Sequence[Compliance]) -> Compliance:
    return Compliance(
        month=max(each.month for each in rows),
        platform=None,
        released_at=max(each.released_at for each in rows),
        devices=sum(each.devices for each in rows),
        protected=sum(each.protected for each in rows),
        within_24h=sum(each.within_24h for each in rows),
        within_5d=sum(each.within_5d for each in rows),
        within_3w=sum(each.within_3w for each in rows),
    )
