"""The questions about what was decided and done: the audit, its chain, and what a period brought."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.model.audit import AuditCheck, Head
from engine.model.records.fleet import AuditRow
from engine.reads.room import Room, tell

if TYPE_CHECKING:
    from engine.rules.evidence.activity import ActivityReport, ChainState, Progress
    from engine.safekeeping.audit_lines import AuditExport

_DAYS = 30
_TELL_EVERY = 5_000


class ActivityReads(Room, frozen=True):
    """Decisions, newest first, and what became of them."""

    def audit(self, limit: int = 200, before: int | None = None) -> tuple[AuditRow, ...]:
        """Decisions, newest first."""
        return self.store.audit.page(limit, before)

    def audit_check(self, outside: Head | None = None, on_progress: Callable[[int], None] | None = None) -> AuditCheck:
        """Follow the chain of the whole audit; `outside` is a head that was kept elsewhere."""
        with self.store.snapshot():
            return self.store.audit.check(outside, on_progress)

    def audit_lines(
        self, since: datetime | None = None, on_progress: Callable[[int], None] | None = None
    ) -> AuditExport:
        """The audit, or its part from a time on, as lines that can be verified without this program.

        Raises:
            NotFound: there is no record from that time on.
        """
        from engine.safekeeping.audit_lines import AuditExport

        return AuditExport(self.store, since, on_progress)

    def last_backup(self) -> datetime | None:
        """When a backup of this state was last made."""
        kept = self.store.state.setting("last-backup")
        return None if kept is None else datetime.fromisoformat(kept)

    def report(
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
                    tell(progress, "Reading decisions", read, 0)
                if wanted(row):
                    tally.take(row)
            tell(progress, "Counting installs and failures", 1, 3)
            counts = [
                *install_days(self.store.connection, since, until),
                *failure_days(self.store.connection, since, until),
            ]
            tell(progress, "Verifying the audit", 2, 3)
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
        """Every audit record of a period, newest first; None as in `report`."""
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
