"""The questions about proof, as part of `Reads`: compliance over time, and what hotpatching cost and saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from engine.model.build import Platform
from engine.model.clock import Clock
from engine.model.records.fleet import Compliance, Count
from engine.model.records.reports import Mark
from engine.store import Store

if TYPE_CHECKING:
    from engine.model.records.reports import ComplianceReport, CostReport, Period, ReleaseCompliance
    from engine.rules.evidence.rates import Rate

TREND_MONTHS = 12


class _Counting(Protocol):
    """What the questions here ask of the others."""

    @property
    def store(self) -> Store: ...

    @property
    def clock(self) -> Clock: ...

    def counts(self) -> tuple[Count, ...]: ...


class EvidenceReads:
    """Compliance and cost."""

    __slots__ = ()

    store: Store
    clock: Clock

    def compliance(self: _Counting) -> tuple[Compliance, ...]:
        """Protection against the newest month: all platforms together, then each; the marks by the same evidence as
        `compliance_report`."""
        from engine.evidence.evidence import Evidence

        counts = self.counts()
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
        from engine.evidence.evidence import Evidence

        return Evidence(self.store, self.clock.now()).compliance_report(period, filter, progress)

    def compliance_trend(self, months: int = TREND_MONTHS) -> tuple[ReleaseCompliance, ...]:
        """The last months' releases without sites, newest first; months that have closed cost nothing."""
        from engine.evidence.evidence import Evidence

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
