"""What a screen or a command may ask about tenants: requests, and what of them needs a person; never writes.

`reads.Reads` stands on it, so that both fronts ask one door.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from engine.model.clock import Clock
from engine.model.records.data_age import DataAge, ProviderStanding
from engine.model.records.fleet import Attention, ProviderRow, Urgency
from engine.rules.plans.candidates import plural
from engine.rules.tenants.inventory import Freshness, PullStage, where
from engine.rules.tenants.model import Receipt, RequestState
from engine.situation.situation import Situation
from engine.store import Store

_LIST = 200
_REMIND = timedelta(days=7)
"""How long a refused request is called to mind."""
_BROKEN_OFF = timedelta(minutes=15)
_LATE = timedelta(hours=1)
"""A request that has waited so long needs somebody to look why."""


class TenantReads:
    """The questions about tenants."""

    __slots__ = ()

    store: Store
    clock: Clock

    def requests(self, limit: int = _LIST) -> tuple[Receipt, ...]:
        """What tenants were asked for, and what they answered; the latest first."""
        return self.store.tenant_requests.all(limit)

    def these_requests(self, ids: Sequence[int]) -> tuple[Receipt, ...]:
        """What became of these requests, in their order."""
        return self.store.tenant_requests.these(ids)

    def ages(self) -> tuple[DataAge, ...]:
        """How old what is shown of each tenant is; cheap enough to ask every second."""
        names = [each.name for each in self.store.providers.all() if each.kind == "graph"]
        return tuple(_age(name, self.store.tenant_pulls.freshness(name)) for name in names)

    def providers(self) -> tuple[ProviderStanding, ...]:
        """Every tenant, and how far what it tells can be relied on; nothing is asked of it for that."""
        now = self.clock.now()
        rows = [each for each in self.store.providers.all() if each.kind == "graph"]
        return tuple(_standing(self.store, each, now) for each in rows)


def _age(name: str, found: Freshness | None) -> DataAge:
    return DataAge(name, found.finished_at if found else None, found.oldest_fact_at if found else None)


def _standing(store: Store, row: ProviderRow, now: datetime) -> ProviderStanding:
    found = store.tenant_pulls.freshness(row.name)
    refused = store.tenant_requests.refused_since(now - _REMIND)
    unfinished = found is not None and found.stage is not PullStage.DONE
    return ProviderStanding(
        name=row.name,
        kind=row.kind,
        devices=store.providers.device_count(row.name),
        waiting=store.tenant_status.open_counts(row.name),
        waiting_since=store.tenant_status.oldest_open(row.name),
        writes=row.writes,
        age=_age(row.name, found),
        requests_open=len(store.tenant_requests.open(row.name)),
        requests_refused=sum(each.request.provider == row.name for each in refused),
        pulling=where(found.stage, found.tally.done, found.tally.total) if found is not None and unfinished else "",
        is_pulled_now=found is not None and unfinished and found.is_claimed,
        problem=found.problem if found is not None else "",
        needs_sign_in=found is not None and found.needs_sign_in,
    )


def _pull_attention(store: Store, now: datetime) -> Iterator[Attention]:
    """Data that grows old, and what keeps it from being read."""
    for each in store.providers.all():
        found = store.tenant_pulls.freshness(each.name) if each.kind == "graph" else None
        if each.kind != "graph":
            continue
        pull = f"hotpatch import --from {each.name}"
        if found is None or found.finished_at is None:
            yield Attention(Urgency.TODAY, f"{each.name} was never pulled. Pull it: {pull}", "devices")
        elif _age(each.name, found).is_stale(now):
            age = plural(int((now - found.finished_at).total_seconds() // 3600), "hour")
            yield Attention(Urgency.TODAY, f"What is shown of {each.name} is {age} old. Pull it: {pull}", "devices")
        if found is None:
            continue
        if found.needs_sign_in:
            yield Attention(Urgency.NOW, f"{each.name} needs a sign-in. {_sign_in(each)}", "devices")
        elif found.problem:
            yield Attention(Urgency.TODAY, f"{each.name} could not be pulled: {found.problem}", "devices")
        elif found.stage is not PullStage.DONE and not found.is_claimed and now - found.moved_at > _BROKEN_OFF:
            at = where(found.stage, found.tally.done, found.tally.total)
            yield Attention(Urgency.SOON, f"A pull of {each.name} was broken off at {at}. Go on: {pull}", "devices")


def _sign_in(row: ProviderRow) -> str:
    """What a person does about it: a code signs a person in, everything else signs in by itself."""
    from engine.providers.graph.config import SignInWay

    way = json.loads(row.config)
    if way.get("sign_in") == SignInWay.TOKEN:
        return f"Put a new token into {way.get('token_env', 'its variable')}, then: hotpatch import --from {row.name}"
    if way.get("sign_in", SignInWay.DEVICE_CODE) == SignInWay.DEVICE_CODE:
        return f"Sign in: hotpatch provider login {row.name}"
    return f"Look step by step: hotpatch provider check {row.name}"


def tenant_attention(store: Store, situation: Situation) -> Iterator[Attention]:
    """What of tenants waits for a person."""
    if situation.tenancies is None:
        return
    yield from _pull_attention(store, situation.now)
    for each in store.tenant_requests.refused_since(situation.now - _REMIND):
        words = f"{each.request.provider} refused: {each.request.why}"
        yield Attention(Urgency.NOW, f"{words}. See: hotpatch requests", "rings")
    late = [
        each
        for each in store.tenant_requests.open()
        if each.state is RequestState.WAITING and each.asked_at <= situation.now - _LATE
    ]
    if late:
        words = f"{plural(len(late), 'request')} to {late[0].request.provider} could not be sent for an hour or more"
        yield Attention(Urgency.TODAY, f"{words}. See: hotpatch requests", "rings")
    current = {each.kb for each in situation.releases if situation.newer(each) is None}
    told = [stop for stop in situation.tenancies.stops() if stop[0] is None or stop[0] in current]
    for kb, ring, words in told:
        what = f"KB{kb} in ring {ring}" if kb is not None else f"Ring {ring}"
        yield Attention(Urgency.TODAY, f"{what}: {words}", "rings")
