"""What only a tenant can do: ask devices to check in, expedite a release, send a refused request again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import assert_never

from engine.changes.before_after import Standing
from engine.changes.desk import Desk
from engine.changes.tenant_wishes import is_rings_only, writable
from engine.model.build import kb_text
from engine.model.errors import NotFound
from engine.model.intents import AskAgain, Expedite, Plan, Refusal, Sync, TenantIntent
from engine.model.tenants import RequestState
from engine.rules.plans.apply import target_words
from engine.rules.plans.candidates import SAMPLE, Candidate, Obstacle, nothing_left, plural, sort_out
from engine.rules.tenants.device_wishes import expedite, sync
from engine.rules.tenants.wishes import Asked, together
from engine.store import Store

MOST_SYNCS = 500
"""Devices that are asked at once: Intune takes 100 changes in 20 seconds. Microsoft Graph, "Throttling limits"."""
_NO_TENANT = "It is no device of a tenant."


def plan(intent: TenantIntent, desk: Desk) -> Plan:
    match intent:
        case Sync():
            return _sync(intent, desk)
        case Expedite():
            return _expedite(intent, desk)
        case AskAgain():
            return _ask_again(intent, desk)
        case _:
            assert_never(intent)


def write(_plan: Plan, _intent: TenantIntent, _desk: Desk) -> int:
    """Nothing here: the requests of the plan go into the outbox as those of every change do."""
    return 0


def standing(_plan: Plan, _intent: TenantIntent, _store: Store) -> Standing:
    """Nothing of ours changes by it."""
    return {}


def _sync(intent: Sync, desk: Desk) -> Plan:
    candidates = desk.store.rollout.candidates(desk.situation.target_ids(intent.target))
    where = "Other devices check in by themselves."
    found = sort_out(candidates, lambda each: None if each.tenant else Obstacle(_NO_TENANT, where))
    devices = plural(len(found.ids), "device")
    refusal = nothing_left("No device is asked to check in.", found)
    asked = Asked()
    if len(found.ids) > MOST_SYNCS:
        why = f"{devices} are more than {MOST_SYNCS:,}: the service takes 100 such requests in 20 seconds."
        refusal = Refusal("No device is asked to check in.", why, "Name fewer; all check in a few times a day.")
    elif refusal is None:
        asked = _syncs(found.ids, desk)
        refusal = asked.refusal
        if refusal is None and not asked.requests:
            why = "All of them have been asked already."
            refusal = Refusal("No device is asked to check in.", why, "See: hotpatch requests")
    return Plan(
        intent=intent,
        title=f"Ask {devices} to check in",
        steps=(
            "A device that is on and connected then looks for changed policies, mostly within minutes.",
            "Nothing is installed by it: the device's next scan for updates decides.",
            *asked.steps,
        ),
        devices=len(found.ids),
        restarts=0,
        sample=tuple(found.sample),
        left_out=found.refusals,
        refusal=refusal,
        command=_command(["sync", *target_words(intent.target)], intent.reason),
        change_number=desk.number,
        device_ids=tuple(found.ids),
        requests=() if refusal is not None else asked.requests,
    )


def _syncs(device_ids: Iterable[int], desk: Desk) -> Asked:
    by_provider: dict[str, list[tuple[int, str, str]]] = {}
    for device_id, name, provider, external_id in desk.store.tenant_rings.addresses(device_ids):
        by_provider.setdefault(provider, []).append((device_id, name, external_id))
    tenants = {provider: desk.tenancies.tenant(provider) for provider in by_provider}
    return together(writable(tenants[each], sync(tenants[each], devices)) for each, devices in by_provider.items())


def _expedite(intent: Expedite, desk: Desk) -> Plan:
    releases = {release.platform: release for release in desk.situation.known(intent.kb)}
    name = kb_text(intent.kb)
    what = f"{name} is not expedited."
    rings = [desk.situation.ring(each) for each in intent.target.rings]
    theirs = desk.tenancies.of(rings)
    refusal = _no_expedite(what, intent, theirs)
    asked = Asked()
    if refusal is None:
        asked = together(
            writable(tenant, expedite(tenant, intent.kb, keys, intent.days))
            for tenant, keys in ((desk.tenancies.tenant(provider), keys) for provider, keys in theirs.items())
        )
        refusal = asked.refusal or _nothing_new(what, asked)
    devices, restarts = 0, 0
    sample: list[str] = []
    if refusal is None:
        for each in _members(theirs, desk):
            devices += 1
            release = releases.get(each.platform) if each.platform else None
            lacks = each.build is None or release is None or release.build is None or each.build < release.build
            restarts += lacks
            if lacks and len(sample) < SAMPLE:
                sample.append(each.name)
    others = [each.name for each in rings if desk.tenancies.by_ring.get(each.id) is None]
    return Plan(
        intent=intent,
        title=f"Expedite {name} for {', '.join(each.name for each in rings) or 'no ring'}",
        steps=(
            *asked.steps,
            f"Devices without {name} install it at once, past every deferral and approval, and must restart within "
            f"{plural(intent.days, 'day')}: this is no hotpatch.",
        ),
        devices=devices,
        restarts=restarts,
        sample=tuple(sample),
        left_out=tuple(Refusal(f"Ring {each}", "It is no ring of a tenant.", "") for each in others),
        refusal=refusal,
        warnings=("An expedite is an emergency: it forces a restart, also in the middle of work.", *asked.warnings),
        command=_command(["expedite", name, *target_words(intent.target), "--days", str(intent.days)], intent.reason),
        change_number=desk.number,
        requests=() if refusal is not None else asked.requests,
    )


def _no_expedite(what: str, intent: Expedite, theirs: dict[str, list[str]]) -> Refusal | None:
    if not is_rings_only(intent.target):
        why = "A tenant expedites for groups, and a filter or a single device is none."
        return Refusal(what, why, "Name rings: --ring NAME")
    if not theirs:
        return Refusal(what, "None of these rings is a tenant's.", "Apply it instead: hotpatch apply")
    if not intent.reason.strip():
        return Refusal(what, "An expedite needs a reason.", 'Say why: --reason "..."')
    if not 0 <= intent.days <= 2:
        return Refusal(what, "A restart is forced after 0 to 2 days.", "Choose --days 0, 1 or 2.")
    return None


def _members(theirs: dict[str, list[str]], desk: Desk) -> Iterable[Candidate]:
    keys = {(provider, key) for provider, listed in theirs.items() for key in listed}
    ids = [each.ring_id for each in desk.tenancies.bound if (each.provider, each.ring.key) in keys]
    members = desk.store.devices.ids_in_rings(ids)
    return (each for each in desk.store.rollout.candidates(members) if each.tenant in theirs)


def _ask_again(intent: AskAgain, desk: Desk) -> Plan:
    found = desk.store.tenant_requests.these([intent.request_id])
    if not found:
        raise NotFound(f"There is no request {intent.request_id}.", (), "List them with: hotpatch requests")
    receipt = found[0]
    refusal = None
    if receipt.state is not RequestState.REFUSED:
        why = f"It was not refused: it is {receipt.state}."
        refusal = Refusal("Nothing is sent again.", why, "See: hotpatch requests")
    else:
        refusal = writable(desk.tenancies.tenant(receipt.request.provider), Asked((receipt.request,))).refusal
    return Plan(
        intent=intent,
        title=f"Send again: {receipt.request.why}",
        steps=(f"{receipt.request.provider} refused it before: {receipt.said or 'without a word'}",),
        devices=0,
        restarts=0,
        refusal=refusal,
        command=_command(["requests", "again", str(intent.request_id)], intent.reason),
        change_number=desk.number,
        requests=() if refusal is not None else (receipt.request,),
    )


def _nothing_new(what: str, asked: Asked) -> Refusal | None:
    if asked.requests:
        return None
    return Refusal(what, " ".join(asked.steps) or "There is nothing to ask for.", "See: hotpatch requests")


def _command(words: list[str], reason: str) -> str:
    return shlex.join(["hotpatch", *words, *(["--reason", reason] if reason else [])])
