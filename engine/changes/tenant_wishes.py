"""What a decision means for tenants: the requests that a plan brings with it, and what it cannot reach there.

The families add it to their plans, and the rollout asks it for its own decisions. It reads only; nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from engine.model.intents import (
    Approve,
    Countersign,
    Plan,
    Recover,
    Refusal,
    Resume,
    Scope,
    SetRing,
    Stop,
    Target,
    Uninstall,
    Withdraw,
)
from engine.model.model import Approval, Ring
from engine.rules.plans.candidates import led_words, plural
from engine.rules.plans.rings import changed_ring, plan_set_ring
from engine.rules.rollout.gates import is_stopped, valid_approval
from engine.rules.tenants.release_wishes import approve, suspend
from engine.rules.tenants.ring_wishes import pause, resume, roll_back, set_days, switch_hotpatch
from engine.rules.tenants.showing import foreign_rules, own_part
from engine.rules.tenants.tenant import Tenant
from engine.rules.tenants.wishes import Asked, quoted, together
from engine.situation.situation import Situation
from engine.situation.tenants import Tenancies
from engine.store import Store
from engine.store.rollout import StopRow

_AT_NEXT_SCAN = "Its devices act on it at their next scan, hours to days later."


class TenantWishes:
    """Adds to plans what they mean for tenants; loaded where a tenant carries part of the rollout."""

    def __init__(self, store: Store, tenancies: Tenancies, situation: Situation) -> None:
        self._store = store
        self._tenancies = tenancies
        self._situation = situation

    # --- releases -----------------------------------------------------------------------------------

    def approving(self, kb: int, rings: Iterable[Ring]) -> Asked:
        """What approving a release for rings asks of tenants."""
        covered = self._covered(kb, lambda approval: approval is not None)
        return self._each(rings, lambda tenant, keys: approve(tenant, kb, keys, covered))

    def suspending(self, kb: int, rings: Iterable[Ring], without: int | None = None) -> Asked:
        """What stopping a release in rings asks of tenants; `without`: an approval that is being withdrawn."""
        covered = self._covered(kb, lambda approval: approval is None, without)
        return self._each(rings, lambda tenant, keys: suspend(tenant, kb, keys, covered))

    def approve(self, plan: Plan, intent: Approve, *, second_person: bool) -> Plan:
        """The plan with its requests. `second_person`: approvals wait for a signature."""
        rings = [self._situation.ring(name) for name in intent.rings] or list(self._situation.rings)
        if plan.refusal is not None or not self._tenancies.of(rings):
            return _with(plan, Asked(left_out=self._gone(rings)))
        providers = ", ".join(self._tenancies.of(rings))
        for given, what in ((intent.not_before, "a later beginning"), (intent.expires_at, "an end")):
            if given is not None:
                why = f"{providers} does not know {what} of an approval."
                return replace(plan, refusal=Refusal("It is not approved.", why, "Decide when it is time, without it."))
        asked = self.approving(intent.kb, rings)
        if second_person and asked.refusal is None:
            later = "Requests to the tenant are sent when the second person has signed."
            return replace(_with(plan, replace(asked, requests=(), steps=())), steps=(*plan.steps, later))
        return _with(plan, replace(asked, left_out=(*asked.left_out, *self._gone(rings))))

    def countersign(self, plan: Plan, intent: Countersign) -> Plan:
        approval = self._approval(intent.approval_id)
        if plan.refusal is not None or approval is None:
            return plan
        return _with(plan, self.approving(approval.kb, self._rings(approval.rings)))

    def withdraw(self, plan: Plan, intent: Withdraw) -> Plan:
        approval = self._approval(intent.approval_id)
        if plan.refusal is not None or approval is None or not approval.is_signed:
            return plan
        return _with(plan, self.suspending(approval.kb, self._rings(approval.rings), without=approval.id))

    def recover(self, plan: Plan, intent: Recover) -> Plan:
        asked = self.suspending(intent.kb, self._situation.rings)
        provider = next(iter(self._tenancies.of(self._situation.rings)), "")
        if not provider:
            return plan
        why = f"Devices of {provider} are not led back one by one: a tenant removes an update from whole rings only."
        instead = f"hotpatch uninstall KB{intent.kb} --ring NAME"
        return _with(plan, replace(asked, warnings=(*asked.warnings, f"{why} For a ring: {instead}")))

    # --- stops --------------------------------------------------------------------------------------

    def stopping(self, scope: Scope) -> Asked:
        """What a pause or halt of this scope asks of tenants."""
        rings = self._in_scope(scope)
        if scope.kb is not None:
            return self.suspending(scope.kb, rings)
        now = self._situation.now
        return self._each(rings, lambda tenant, keys: pause(tenant, keys, now))

    def stop(self, plan: Plan, intent: Stop) -> Plan:
        return _with(plan, self.stopping(intent.scope))

    def resume(self, plan: Plan, intent: Resume, lifted: Sequence[StopRow]) -> Plan:
        """The plan with its requests. `lifted`: the stops that it ends."""
        parts = []
        ended = {each.id for each in lifted}
        staying = [
            (each.scope.kb, each.scope.ring, each.reason)
            for each in self._store.rollout.stops()
            if each.id not in ended
        ]
        for kb in dict.fromkeys(each.scope.kb for each in lifted if each.scope.kb is not None):
            scopes = [each.scope for each in lifted if each.scope.kb == kb]
            rings = [
                ring
                for ring in dict.fromkeys(ring for scope in scopes for ring in self._in_scope(scope))
                if self._valid(kb, ring) is not None
                and not is_stopped([each for each in staying if each[0] is not None], kb, ring.name)
            ]
            parts.append(self.approving(kb, rings))
        if intent.scope.kb is None:
            going = [ring for ring in self._in_scope(intent.scope) if not _is_paused(staying, ring)]
            parts.append(self._each(going, resume))
        asked = together(parts)
        if plan.refusal is not None and asked.requests and not lifted:
            plan = replace(plan, refusal=None)
        return _with(plan, asked)

    # --- rings --------------------------------------------------------------------------------------

    def set_ring(self, plan: Plan, intent: SetRing) -> Plan:
        ring = self._situation.ring(intent.name)
        bound = self._tenancies.by_ring.get(ring.id)
        what = f"Ring {ring.name} is not changed."
        if bound is None:
            if intent.hotpatch is None:
                return plan
            why = "It is no ring of a tenant: its devices take hotpatches when they are ready."
            return replace(plan, refusal=Refusal(what, why, "To keep one back: hotpatch hold, or hotpatch exclude"))
        if bound.gone_at is not None:
            instead = f"Read the tenant again: hotpatch import --from {quoted(bound.provider)}"
            return replace(plan, refusal=Refusal(what, f"{bound.provider} does not have it any more.", instead))
        if foreign := foreign_rules(intent):
            why = f"{bound.provider} carries its rollout and knows no {' or '.join(foreign)}."
            instead = "Change deferral, deadline, grace, gate or hotpatches, or move its groups in the tenant."
            return replace(plan, refusal=Refusal(what, why, instead))
        tenant, key = self._tenancies.tenant(bound.provider), bound.ring.key
        parts = [
            set_days(tenant, key, deferral=intent.deferral_days, deadline=intent.deadline_days, grace=intent.grace_days)
        ]
        if intent.hotpatch is not None:
            parts.append(switch_hotpatch(tenant, key, on=intent.hotpatch, widen=intent.widen))
        asked = writable(tenant, together(parts))
        ours = own_part(intent, bound.ring)
        devices = len(self._store.devices.ids_in_rings([ring.id]))
        own = plan_set_ring(ours, ring, devices, plan.change_number)
        if (asked.requests or asked.refusal is not None) and changed_ring(ours, ring) == ring:
            own = replace(own, steps=(), refusal=None)
        return _with(replace(own, intent=intent, command=plan.command), asked)

    def kept_here(self, intent: SetRing, ring: Ring) -> SetRing:
        """What of the change is ours to make: what a tenant keeps changes when it has done as it was asked."""
        bound = self._tenancies.by_ring.get(ring.id)
        return intent if bound is None else own_part(intent, bound.ring)

    def uninstall(self, plan: Plan, intent: Uninstall) -> Plan:
        if not is_rings_only(intent.target):
            return plan
        rings = [self._situation.ring(name) for name in intent.target.rings]
        theirs = self._tenancies.of(rings)
        if not theirs:
            return plan
        asked = self._each(rings, roll_back)
        reached = {(each.provider, each.ring_key) for each in asked.requests}
        devices = sum(
            self._store.tenant_rings.steered_in(
                [each.ring_id for each in self._tenancies.bound if (provider, each.ring.key) in reached], provider
            )
            for provider in theirs
        )
        led = {led_words(each) for each in theirs}
        plan = replace(
            plan,
            title=f"{plan.title}, and roll back {plural(len(asked.requests), 'ring')} of a tenant"
            if plan.devices
            else f"Roll back ring {', '.join(each.name for each in rings)}",
            steps=plan.steps if plan.devices else (),
            devices=plan.devices + devices,
            restarts=plan.restarts + devices,
            left_out=tuple(each for each in plan.left_out if each.why not in led) if asked.requests else plan.left_out,
            refusal=None if asked.requests and not plan.devices else plan.refusal,
        )
        again = f"They are offered it again unless it is stopped too: hotpatch halt --release KB{intent.kb}"
        return _with(plan, replace(asked, warnings=(*asked.warnings, again)) if asked.requests else asked)

    def mind_holds(self, plan: Plan) -> Plan:
        """Holds and exclusions are ours alone: a tenant does not know them."""
        if not self._tenancies.providers:
            return plan
        words = (
            f"{', '.join(self._tenancies.providers)} does not know holds: devices there are offered what their "
            "policies say. To keep a release from them: hotpatch halt --release KB"
        )
        return replace(plan, warnings=(*plan.warnings, words))

    # --- parts --------------------------------------------------------------------------------------

    def _each(self, rings: Iterable[Ring], wish: Callable[[Tenant, Sequence[str]], Asked]) -> Asked:
        """The wish in each tenant that has some of these rings; refused where one must not be written to."""
        parts = []
        for provider, keys in self._tenancies.of(rings).items():
            tenant = self._tenancies.tenant(provider)
            parts.append(writable(tenant, wish(tenant, keys)))
        return together(parts)

    def _covered(
        self, kb: int, wanted: Callable[[Approval | None], bool], without: int | None = None
    ) -> frozenset[str]:
        """Keys of the tenants' rings whose approval for a release is as wanted."""
        rings = {each.id: each for each in self._situation.rings}
        return frozenset(
            each.ring.key for each in self._tenancies.bound if wanted(self._valid(kb, rings[each.ring_id], without))
        )

    def _valid(self, kb: int, ring: Ring, without: int | None = None) -> Approval | None:
        approvals = [each for each in self._situation.approvals if each.id != without]
        return valid_approval(approvals, kb, ring.name, self._situation.now)

    def _approval(self, approval_id: int) -> Approval | None:
        return next((each for each in self._situation.approvals if each.id == approval_id), None)

    def _rings(self, names: Iterable[str]) -> list[Ring]:
        """Rings by name; one that is not here any more is passed over."""
        wanted = {each.casefold() for each in names}
        return [each for each in self._situation.rings if each.name.casefold() in wanted]

    def _in_scope(self, scope: Scope) -> list[Ring]:
        return [self._situation.ring(scope.ring)] if scope.ring else list(self._situation.rings)

    def _gone(self, rings: Iterable[Ring]) -> tuple[Refusal, ...]:
        """Rings that their tenant does not have any more."""
        found = []
        for ring in rings:
            bound = self._tenancies.by_ring.get(ring.id)
            if bound is not None and bound.gone_at is not None:
                why = f"{bound.provider} does not have it any more."
                found.append(Refusal(f"Ring {ring.name}", why, "Its devices follow what the tenant has now."))
        return tuple(found)


def writable(tenant: Tenant, asked: Asked) -> Asked:
    """The wish, or the refusal of it where nothing may be changed in the tenant."""
    if tenant.writes or not asked.requests:
        return asked
    provider = tenant.provider
    refusal = Refusal(
        f"Nothing is sent to {provider}.",
        "It is open for reading only.",
        f"Switch writing on: hotpatch provider writes {quoted(provider)} on",
    )
    return replace(asked, refusal=refusal)


def is_rings_only(target: Target) -> bool:
    """Whether a target is whole rings, as a tenant can be asked for."""
    return bool(target.rings) and not (target.names or target.ids or target.filter.strip())


def _with(plan: Plan, asked: Asked) -> Plan:
    """The plan with what it asks of tenants; one that is refused asks nothing."""
    refusal = plan.refusal or asked.refusal
    told = (*asked.steps, _AT_NEXT_SCAN) if asked.requests else asked.steps
    return replace(
        plan,
        steps=(*plan.steps, *told),
        left_out=(*plan.left_out, *asked.left_out),
        warnings=(*plan.warnings, *asked.warnings),
        refusal=refusal,
        requests=() if refusal is not None else (*plan.requests, *asked.requests),
    )


def _is_paused(staying: Iterable[tuple[int | None, str | None, str]], ring: Ring) -> bool:
    """Whether a pause of all releases goes on in the ring."""
    return any(kb is None and name in (None, ring.name) for kb, name, _ in staying)
