"""Rings: their rules, and which devices are in them."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from engine.changes.before_after import Standing
from engine.changes.desk import Desk
from engine.model.intents import Assign, Plan, Refusal, RingIntent, SetRing
from engine.model.model import Ring
from engine.rules.plans.rings import changed_ring, gate_words, plan_assign, plan_set_ring
from engine.rules.rollout.windows import window_text
from engine.store import Store

_RULES = "deferral_days deadline_days grace_days max_in_flight max_share_in_flight wave_soak_hours members".split()


def plan(intent: RingIntent, desk: Desk) -> Plan:
    match intent:
        case SetRing():
            return _with_tenants(_set_ring(intent, desk), intent, desk)
        case Assign():
            ring = desk.situation.ring(intent.ring)
            return plan_assign(intent, ring, desk.candidates(intent.target), desk.number)
        case _:
            assert_never(intent)


def write(plan: Plan, intent: RingIntent, desk: Desk) -> int:
    store, situation = desk.store, desk.situation
    match intent:
        case SetRing():
            ring = situation.ring(intent.name)
            kept_here = desk.tenants.kept_here(intent, ring) if desk.tenants else intent
            store.rollout.save_ring(changed_ring(kept_here, ring))
            if intent.members is not None:
                store.members.follow(store.rollout.rings(), desk.now)
            return 0
        case Assign():
            store.devices.assign(plan.device_ids, situation.ring(intent.ring).id)
            store.members.pin(plan.device_ids)
            return 0
        case _:
            assert_never(intent)


def standing(plan: Plan, intent: RingIntent, store: Store) -> Standing:
    match intent:
        case SetRing():
            wanted = intent.name.strip().casefold()
            ring = next((each for each in store.rollout.rings() if each.name.casefold() == wanted), None)
            return _told(ring) if ring is not None else {}
        case Assign():
            return {"rings": store.standing.rings(plan.device_ids)}
        case _:
            assert_never(intent)


def _set_ring(intent: SetRing, desk: Desk) -> Plan:
    """What changing a ring's rules does to its members."""
    ring = desk.situation.ring(intent.name)
    devices = len(desk.store.devices.ids_in_rings([ring.id]))
    joining = None
    if intent.members is not None and (after := changed_ring(intent, ring)).members:
        names = {each.id: each.name for each in desk.situation.rings}
        before = [each for each in desk.situation.rings if each.position < ring.position]
        found = desk.store.members.joining(after, before, desk.now)
        joining = {names.get(ring_id or 0, ""): count for ring_id, count in found.items()}
    return plan_set_ring(intent, ring, devices, desk.number, joining)


def _with_tenants(plan: Plan, intent: SetRing, desk: Desk) -> Plan:
    if desk.tenants is not None:
        return desk.tenants.set_ring(plan, intent)
    if intent.hotpatch is None:
        return plan
    why = "It is no ring of a tenant: its devices take hotpatches when they are ready."
    refusal = Refusal(f"Ring {intent.name} is not changed.", why, "To keep one back: hotpatch hold")
    return replace(plan, refusal=refusal)


def _told(ring: Ring) -> Standing:
    rules = {name.replace("_", " "): getattr(ring, name) for name in _RULES}
    return {**rules, "waves": list(ring.waves), "window": window_text(ring.window), "gate": gate_words(ring)}
