"""Plans for what only a tenant can do: ask devices to check in, expedite a release, send a refused request again.

`planning` calls it. It reads only.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from engine.changes.tenants import is_rings_only, writable
from engine.model.build import kb_text
from engine.model.errors import NotFound
from engine.model.intents import AskAgain, Expedite, Plan, Refusal, Sync, TenantIntent
from engine.model.tenants import RequestState
from engine.rules.plans.apply import target_words
from engine.rules.plans.candidates import SAMPLE, Candidate, Obstacle, nothing_left, plural, sort_out
from engine.rules.tenants.device_wishes import expedite, sync
from engine.rules.tenants.wishes import Asked, together
from engine.situation.situation import Situation
from engine.situation.tenants import Tenancies
from engine.store import Store

MOST_SYNCS = 500
"""Devices that are asked at once: Intune takes 100 changes in 20 seconds. Microsoft Graph, "Throttling limits"."""
_NO_TENANT = "It is no device of a tenant."


class TenantActions:
    """Plans the tenants' own intents, for one question."""

    def __init__(self, store: Store, tenancies: Tenancies, situation: Situation) -> None:
        self._store = store
        self._tenancies = tenancies
        self._situation = situation

    def plan(self, intent: TenantIntent, change_number: int) -> Plan:
        """What the intent asks of tenants.

        Raises:
            NotFound, BadInput: it names something that does not exist.
        """
        match intent:
            case Sync():
                return self._sync(intent, change_number)
            case Expedite():
                return self._expedite(intent, change_number)
            case AskAgain():
                return self._ask_again(intent, change_number)

    def _sync(self, intent: Sync, change_number: int) -> Plan:
        candidates = self._store.rollout.candidates(self._situation.target_ids(intent.target))
        where = "Other devices check in by themselves."
        found = sort_out(candidates, lambda each: None if each.tenant else Obstacle(_NO_TENANT, where))
        devices = plural(len(found.ids), "device")
        refusal = nothing_left("No device is asked to check in.", found)
        asked = Asked()
        if len(found.ids) > MOST_SYNCS:
            why = f"{devices} are more than {MOST_SYNCS:,}: the service takes 100 such requests in 20 seconds."
            refusal = Refusal("No device is asked to check in.", why, "Name fewer; all check in a few times a day.")
        elif refusal is None:
            asked = self._syncs(found.ids)
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
            change_number=change_number,
            device_ids=tuple(found.ids),
            requests=() if refusal is not None else asked.requests,
        )

    def _syncs(self, device_ids: Iterable[int]) -> Asked:
        by_provider: dict[str, list[tuple[int, str, str]]] = {}
        for device_id, name, provider, external_id in self._store.tenant_rings.addresses(device_ids):
            by_provider.setdefault(provider, []).append((device_id, name, external_id))
        tenants = {provider: self._tenancies.tenant(provider) for provider in by_provider}
        return together(writable(tenants[each], sync(tenants[each], devices)) for each, devices in by_provider.items())

    def _expedite(self, intent: Expedite, change_number: int) -> Plan:
        releases = {release.platform: release for release in self._situation.known(intent.kb)}
        name = kb_text(intent.kb)
        what = f"{name} is not expedited."
        rings = [self._situation.ring(each) for each in intent.target.rings]
        theirs = self._tenancies.of(rings)
        refusal = self._no_expedite(what, intent, theirs)
        asked = Asked()
        if refusal is None:
            asked = together(
                writable(tenant, expedite(tenant, intent.kb, keys, intent.days))
                for tenant, keys in ((self._tenancies.tenant(provider), keys) for provider, keys in theirs.items())
            )
            refusal = asked.refusal or _nothing_new(what, asked)
        devices, restarts = 0, 0
        sample: list[str] = []
        if refusal is None:
            for each in self._members(theirs):
                devices += 1
                release = releases.get(each.platform) if each.platform else None
                lacks = each.build is None or release is None or release.build is None or each.build < release.build
                restarts += lacks
                if lacks and len(sample) < SAMPLE:
                    sample.append(each.name)
        others = [each.name for each in rings if self._tenancies.by_ring.get(each.id) is None]
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
            command=_command(
                ["expedite", name, *target_words(intent.target), "--days", str(intent.days)], intent.reason
            ),
            change_number=change_number,
            requests=() if refusal is not None else asked.requests,
        )

    def _no_expedite(self, what: str, intent: Expedite, theirs: dict[str, list[str]]) -> Refusal | None:
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

    def _members(self, theirs: dict[str, list[str]]) -> Iterable[Candidate]:
        keys = {(provider, key) for provider, listed in theirs.items() for key in listed}
        ids = [each.ring_id for each in self._tenancies.bound if (each.provider, each.ring.key) in keys]
        members = self._store.devices.ids_in_rings(ids)
        return (each for each in self._store.rollout.candidates(members) if each.tenant in theirs)

    def _ask_again(self, intent: AskAgain, change_number: int) -> Plan:
        found = self._store.tenant_requests.these([intent.request_id])
        if not found:
            raise NotFound(f"There is no request {intent.request_id}.", (), "List them with: hotpatch requests")
        receipt = found[0]
        refusal = None
        if receipt.state is not RequestState.REFUSED:
            why = f"It was not refused: it is {receipt.state}."
            refusal = Refusal("Nothing is sent again.", why, "See: hotpatch requests")
        else:
            refusal = writable(self._tenancies.tenant(receipt.request.provider), Asked((receipt.request,))).refusal
        return Plan(
            intent=intent,
            title=f"Send again: {receipt.request.why}",
            steps=(f"{receipt.request.provider} refused it before: {receipt.said or 'without a word'}",),
            devices=0,
            restarts=0,
            refusal=refusal,
            command=_command(["requests", "again", str(intent.request_id)], intent.reason),
            change_number=change_number,
            requests=() if refusal is not None else (receipt.request,),
        )


def _nothing_new(what: str, asked: Asked) -> Refusal | None:
    if asked.requests:
        return None
    return Refusal(what, " ".join(asked.steps) or "There is nothing to ask for.", "See: hotpatch requests")


def _command(words: list[str], reason: str) -> str:
    return shlex.join(["hotpatch", *words, *(["--reason", reason] if reason else [])])
