"""Safeguard holds: a release withheld from devices, or every release, and the end of that."""

from __future__ import annotations

from typing import assert_never

from engine.changes.before_after import Standing, of_holds
from engine.changes.desk import Desk
from engine.model.build import Platform
from engine.model.errors import NotFound
from engine.model.filters import parse
from engine.model.intents import HoldIntent, LiftHold, Plan, SetHold
from engine.rules.plans.holds import Hold, plan_lift_hold, plan_set_hold
from engine.store import Store


def plan(intent: HoldIntent, desk: Desk) -> Plan:
    safeguards = desk.store.safeguards
    match intent:
        case SetHold():
            plan = _set_hold(intent, desk)
            return desk.tenants.mind_holds(plan) if desk.tenants else plan
        case LiftHold():
            hold = _hold(desk.store, intent.hold_id)
            covered = safeguards.withheld([hold], desk.now)
            return plan_lift_hold(intent, hold, safeguards.devices(covered, sorted(Platform)), desk.number)
        case _:
            assert_never(intent)


def write(_plan: Plan, intent: HoldIntent, desk: Desk) -> int:
    safeguards = desk.store.safeguards
    match intent:
        case SetHold():
            safeguards.add(intent.kb, intent.filter, intent.reason, desk.by, desk.now)
            covered = safeguards.withheld([each for each in safeguards.in_force() if each.kb == intent.kb], desk.now)
            devices = safeguards.cancel(intent.kb, covered, desk.now)
            desk.store.installs.refresh_device_states(devices)
            return len(devices)
        case LiftHold():
            safeguards.lift(intent.hold_id, desk.by, desk.now)
            return 0
        case _:
            assert_never(intent)


def standing(_plan: Plan, _intent: HoldIntent, store: Store) -> Standing:
    return of_holds(store)


def _set_hold(intent: SetHold, desk: Desk) -> Plan:
    """Which devices a hold would concern."""
    kb = intent.kb
    platforms = {each.platform for each in desk.situation.known(kb)} if kb is not None else set(Platform)
    parse(intent.filter)
    safeguards = desk.store.safeguards
    trial = Hold(0, kb, intent.filter, intent.reason, desk.by, desk.now)
    covered = safeguards.withheld([trial], desk.now)
    devices = safeguards.devices(covered, sorted(platforms))
    return plan_set_hold(intent, devices, safeguards.waiting(kb, covered), desk.number)


def _hold(store: Store, hold_id: int) -> Hold:
    """The hold in force with this number.

    Raises:
        NotFound: there is none.
    """
    for each in store.safeguards.in_force():
        if each.id == hold_id:
            return each
    raise NotFound(f"There is no safeguard hold {hold_id} in force.", (), "List them with: hotpatch holds")
