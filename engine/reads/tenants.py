"""The questions about tenants: what they were asked for, and how far what they tell can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from engine.model.records.fleet import DataAge, ProviderRow, ProviderStanding
from engine.model.tenants import Receipt
from engine.reads.room import Room
from engine.rules.tenants.inventory import Freshness, PullStage, where
from engine.store import Store

_LIST = 200
REMIND = timedelta(days=7)
"""How long a refused request is called to mind."""


class TenantReads(Room, frozen=True):
    """Requests, and the age of what is known."""

    def requests(self, limit: int = _LIST) -> tuple[Receipt, ...]:
        """What tenants were asked for, and what they answered; the latest first."""
        return self.store.tenant_requests.all(limit)

    def these_requests(self, ids: Sequence[int]) -> tuple[Receipt, ...]:
        """What became of these requests, in their order."""
        return self.store.tenant_requests.these(ids)

    def ages(self) -> tuple[DataAge, ...]:
        """How old what is shown of each tenant is; cheap enough to ask every second."""
        return data_ages(self.store)

    def providers(self) -> tuple[ProviderStanding, ...]:
        """Every tenant, and how far what it tells can be relied on; nothing is asked of it for that."""
        now = self.clock.now()
        rows = [each for each in self.store.providers.all() if each.kind == "graph"]
        return tuple(_standing(self.store, each, now) for each in rows)


def data_ages(store: Store) -> tuple[DataAge, ...]:
    """The same for whoever has no more than the store."""
    names = [each.name for each in store.providers.all() if each.kind == "graph"]
    return tuple(age_of(name, store.tenant_pulls.freshness(name)) for name in names)


def age_of(name: str, found: Freshness | None) -> DataAge:
    """How old what was told by a pull is; of no pull, nothing."""
    return DataAge(name, found.finished_at if found else None, found.oldest_fact_at if found else None)


def _standing(store: Store, row: ProviderRow, now: datetime) -> ProviderStanding:
    found = store.tenant_pulls.freshness(row.name)
    refused = store.tenant_requests.refused_since(now - REMIND)
    unfinished = found is not None and found.stage is not PullStage.DONE
    return ProviderStanding(
        name=row.name,
        kind=row.kind,
        devices=store.providers.device_count(row.name),
        waiting=store.tenant_status.open_counts(row.name),
        waiting_since=store.tenant_status.oldest_open(row.name),
        writes=row.writes,
        age=age_of(row.name, found),
        requests_open=len(store.tenant_requests.open(row.name)),
        requests_refused=sum(each.request.provider == row.name for each in refused),
        pulling=where(found.stage, found.tally.done, found.tally.total) if found is not None and unfinished else "",
        is_pulled_now=found is not None and unfinished and found.is_claimed,
        problem=found.problem if found is not None else "",
        needs_sign_in=found is not None and found.needs_sign_in,
    )
