"""Puts the facts of a cost report together from the store; `reads.evidence` asks it on behalf of both fronts.

Reads one state of the file and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from engine.model.records.reports import CostReport, Period
from engine.providers.opening import SIMULATED
from engine.rules.evidence.cost import CostFacts, ServerCohort, cost_report
from engine.rules.evidence.cost_count import Kinds, RestartCounter, ServicingMonth, servicing_month_of, servicing_months
from engine.rules.evidence.rates import Rate, RateBook
from engine.rules.retention import PRUNED_BEFORE
from engine.store import Store
from engine.store.filter_sql import compile_text

Progress = Callable[[int, int], None]
_SECOND = timedelta(seconds=1)
_TELLING = frozenset({SIMULATED})
"""Providers that report each step of an install. A tenant works by policy: nobody sees whether a device restarted."""
_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)


class Costing:
    """What hotpatching cost and saved, at one time."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self._now = now.replace(microsecond=0)

    def report(
        self, period: Period | None, filter: str, rates: tuple[Rate, ...], progress: Progress | None
    ) -> CostReport:
        """The report of a period of servicing months; None for all that anything is known of.

        Raises:
            BadInput: the filter cannot be read.
        """
        condition = compile_text(filter, self._now)
        evidence = self._store.evidence
        with self._store.snapshot():
            begin = self._records_begin()
            present = servicing_month_of(self._now)
            shown = period or Period(servicing_month_of(begin) if begin is not None else present, present)
            months = self._known(servicing_months(shown, self._now), begin)
            releases = [each for each in self._store.releases.releases() if each.released_at <= self._now]
            counter = RestartCounter(Kinds(releases), months, evidence.highest_id(), _TELLING)
            counter.add(evidence.members(condition))
            if months:
                # The store's spans leave their begin out and have their end in; a month is the other way round.
                since = months[0].begins_at - _SECOND
                until = min(self._now, months[-1].ends_at - _SECOND)
                counter.know(evidence.changes(_LONG_AGO, since))
                told: Callable[[int], None] | None = None
                if progress is not None:
                    total = evidence.changes_between(since, until)

                    def told(done: int) -> None:
                        progress(min(done, total), total)

                counter.read(evidence.happenings(since, until), told)
            servers = tuple(
                ServerCohort(
                    each.first_seen_at,
                    each.servers,
                    each.cores,
                    each.unknown_cores,
                    each.enrolled,
                    each.enrolled_cores,
                )
                for each in evidence.arc_servers(condition)
            )
            facts = CostFacts(
                made_at=self._now,
                period=shown,
                filter=filter.strip(),
                devices=counter.devices,
                records_begin=begin,
                months=tuple(each.month for each in months),
                running_month=next((each.month for each in months if each.ends_at > self._now), ""),
                cells=counter.cells(),
                servers=servers,
                ring_names={ring.id: ring.name for ring in self._store.rollout.rings()},
            )
        return cost_report(facts, RateBook(rates))

    def _records_begin(self) -> datetime | None:
        """Since when the records are whole: what was deleted cannot be counted."""
        begin = self._store.evidence.records_begin()
        pruned = self._store.state.setting(PRUNED_BEFORE)
        if begin is None or not pruned:
            return begin
        return max(begin, datetime.fromisoformat(pruned))

    def _known(self, months: tuple[ServicingMonth, ...], begin: datetime | None) -> tuple[ServicingMonth, ...]:
        """Without months that were over before the records begin."""
        return tuple(each for each in months if begin is None or each.ends_at > begin)
