"""What waits for a person, the most urgent first: gates, tenants, failures, releases, signatures, spent holds.

`Reads.attention` calls it; it crosses the other rooms, reads and never writes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from engine.model.build import Platform, kb_text
from engine.model.clock import Clock
from engine.model.errors import NotFound
from engine.model.model import Approval
from engine.model.records.fleet import Attention, ProviderRow, Urgency
from engine.model.tenants import RequestState
from engine.reads.devices import DeviceReads
from engine.reads.rollout import RolloutReads
from engine.reads.tenants import REMIND, age_of
from engine.rules.plans.candidates import plural
from engine.rules.tenants.inventory import PullStage, where
from engine.situation.failures import Failures
from engine.situation.situation import Situation
from engine.store import Store

_BROKEN_OFF = timedelta(minutes=15)
_LATE = timedelta(hours=1)
"""A request that has waited so long needs somebody to look why."""
_SOON = timedelta(days=2)
"""An approval that runs out within this time unsigned cannot wait for later."""


def attention(store: Store, clock: Clock) -> tuple[Attention, ...]:
    """What waits for a person, the most urgent first."""
    situation = Situation(store, clock.now())
    counts = DeviceReads(store, clock).counts()
    found = [
        Attention(Urgency.NOW, f"{_scope(kb, ring)} is {words}", "rings") for kb, ring, words in situation.own_stops
    ]
    for progress in RolloutReads(store, clock).ring_progress():
        failing = next((each for each in progress.gate if each.needs_person), None)
        if failing is not None and progress.opened_at is not None:
            told = f"{failing.name} {failing.value}"
            text = f"Gate of ring {progress.ring.name} fails for {kb_text(progress.kb)}: {told}"
            found.append(Attention(Urgency.NOW, text, "rings"))
    found += tenant_attention(store, situation)
    found += Failures(store, situation.now).attention()
    found += _waiting_releases(situation, {each.platform for each in counts if each.devices})
    found += waiting_for_people(store, situation)
    for state, urgency, words in (
        ("failed", Urgency.TODAY, "with a failed install"),
        ("restart-pending", Urgency.SOON, "waiting for a restart"),
    ):
        devices = sum(each.devices for each in counts if each.state == state)
        if devices:
            screen = "failures" if state == "failed" else "devices"
            found.append(Attention(urgency, f"{_devices(devices)} {words}", screen, f"state:{state}"))
    for verdict, words in (("not-ready", "not ready"), ("unknown", "with unknown readiness")):
        devices = sum(each.devices for each in counts if each.verdict == verdict)
        if devices:
            found.append(
                Attention(
                    Urgency.SOON,
                    f"{_devices(devices)} {words}: they will restart for the LCU",
                    "devices",
                    f"readiness:{verdict}",
                )
            )
    order = list(Urgency)
    return tuple(sorted(found, key=lambda each: order.index(each.urgency)))


def _waiting_releases(situation: Situation, present: Collection[Platform | None]) -> list[Attention]:
    """The newest release of each platform that has devices; of every platform while there are none at all."""
    decided = {each.kb for each in situation.approvals if each.withdrawn_at is None}
    waiting: dict[int, list[str]] = {}
    for levels in situation.all_levels().values():
        newest = levels.current_hotpatch() or levels.baseline
        if present and levels.platform not in present:
            continue
        if newest is not None and newest.kb not in decided:
            waiting.setdefault(newest.kb, []).append(newest.platform.label)
    return [
        Attention(Urgency.TODAY, f"{kb_text(kb)} for {', '.join(labels)} waits for approval", "releases", kb_text(kb))
        for kb, labels in waiting.items()
    ]


def waiting_for_people(store: Store, situation: Situation) -> list[Attention]:
    """All of it, in no particular order."""
    return [*unsigned(situation), *needing_hands(store), *spent_holds(store, situation)]


def unsigned(situation: Situation) -> list[Attention]:
    """Approvals that count only when a second person has signed them."""
    found = []
    for each in situation.approvals:
        is_over = each.expires_at is not None and each.expires_at <= situation.now
        if each.is_signed or each.withdrawn_at is not None or is_over:
            continue
        what = f"{kb_text(each.kb)} for {', '.join(each.rings)}"
        text = f"{what} waits for a second signature; {each.approved_by} approved it on {_day(each.approved_at)}"
        urgency = Urgency.NOW if _runs_out(each, situation.now) else Urgency.TODAY
        found.append(Attention(urgency, text, "releases", kb_text(each.kb)))
    return found


def _runs_out(approval: Approval, now: datetime) -> bool:
    return approval.expires_at is not None and approval.expires_at - now < _SOON


def needing_hands(store: Store) -> list[Attention]:
    """Recoveries whose devices failed on the way back: the engine never tries those again by itself."""
    found = []
    for each in store.recovery.all(open_only=True):
        devices = store.recovery.standings(each).get("hands", 0)
        if devices:
            need = "1 device needs" if devices == 1 else f"{devices:,} devices need"
            text = f"Recovery from {kb_text(each.kb)}: {need} hands"
            found.append(Attention(Urgency.NOW, text, "failures", "state:failed"))
    return found


def spent_holds(store: Store, situation: Situation) -> list[Attention]:
    """Safeguard holds on releases that newer ones have replaced on every platform: nothing is left to be withheld."""
    found = []
    for each in store.safeguards.in_force():
        if each.kb is None:
            continue
        try:
            newer = [situation.newer(release) for release in situation.known(each.kb)]
        except NotFound:
            continue  # held before it is published
        if all(newer):
            by = ", ".join(dict.fromkeys(kb_text(kb) for kb in newer if kb is not None))
            text = f"Safeguard hold {each.id} on {kb_text(each.kb)} has come to its end: {by} replaced it"
            found.append(Attention(Urgency.SOON, text, "releases", kb_text(each.kb)))
    return found


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %H:%M} UTC"


def _pull_attention(store: Store, now: datetime) -> Iterator[Attention]:
    """Data that grows old, and what keeps it from being read."""
    for each in store.providers.all():
        found = store.tenant_pulls.freshness(each.name) if each.kind == "graph" else None
        if each.kind != "graph":
            continue
        pull = f"hotpatch import --from {each.name}"
        if found is None or found.finished_at is None:
            yield Attention(Urgency.TODAY, f"{each.name} was never pulled. Pull it: {pull}", "devices")
        elif age_of(each.name, found).is_stale(now):
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
    for each in store.tenant_requests.refused_since(situation.now - REMIND):
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


def _scope(kb: int | None, ring: str | None) -> str:
    parts = [*([kb_text(kb)] if kb else []), *([f"ring {ring}"] if ring else [])]
    return " in ".join(parts) or "Everything"


def _devices(count: int) -> str:
    return f"{count:,} device" if count == 1 else f"{count:,} devices"
