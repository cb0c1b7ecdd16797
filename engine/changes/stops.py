"""Stops: pauses and halts of a scope, and their end."""

from __future__ import annotations

from typing import assert_never

from engine.changes.before_after import Standing, of_stops
from engine.changes.desk import Desk
from engine.model.intents import Plan, Resume, Scope, Stop, StopIntent, StopKind
from engine.rules.plans.stops import plan_resume, plan_stop, scope_words
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.rollout import StopRow


def plan(intent: StopIntent, desk: Desk) -> Plan:
    match intent:
        case Stop():
            plan = _stop(intent, desk)
            return desk.tenants.stop(plan, intent) if desk.tenants else plan
        case Resume():
            lifted = _matching(intent.scope, desk)
            words = [
                f"{each.kind} of {scope_words(each.scope)} by {each.stopped_by} ({each.reason})" for each in lifted
            ]
            plan = plan_resume(intent, words, desk.number)
            return desk.tenants.resume(plan, intent, lifted) if desk.tenants else plan
        case _:
            assert_never(intent)


def write(_plan: Plan, intent: StopIntent, desk: Desk) -> int:
    store, situation = desk.store, desk.situation
    match intent:
        case Stop():
            scope = _checked(intent.scope, situation)
            ring_id = situation.ring(scope.ring).id if scope.ring else None
            store.rollout.add_stop(intent.kind, scope.kb, ring_id, intent.reason, desk.by, desk.now)
            if intent.kind is StopKind.PAUSE:
                return 0
            return desk.cancel_waiting(scope.kb, [ring_id] if ring_id is not None else None)
        case Resume():
            stops = _matching(intent.scope, desk)
            store.rollout.lift_stops([each.id for each in stops], desk.by, desk.now)
            for each in stops:
                ring_ids = [situation.ring(each.scope.ring).id] if each.scope.ring else None
                store.installs.requeue_waiting(desk.now, each.scope.kb, ring_ids)
            return 0
        case _:
            assert_never(intent)


def standing(_plan: Plan, _intent: StopIntent, store: Store) -> Standing:
    return of_stops(store)


def _stop(intent: Stop, desk: Desk) -> Plan:
    scope = _checked(intent.scope, desk.situation)
    ring_id = desk.situation.ring(scope.ring).id if scope.ring else None
    waiting, under_way = desk.store.installs.in_scope(scope.kb, ring_id)
    already = any(each.scope == scope for each in _matching(scope, desk))
    return plan_stop(intent, waiting=waiting, under_way=under_way, change_number=desk.number, already=already)


def _checked(scope: Scope, situation: Situation) -> Scope:
    """The scope with its ring as it is written; a release or ring that is not known is an error."""
    if scope.kb is not None:
        situation.known(scope.kb)
    return Scope(scope.kb, situation.ring(scope.ring).name) if scope.ring else scope


def _matching(scope: Scope, desk: Desk) -> list[StopRow]:
    """Stops that a resume of this scope lifts: those within it; everything lifts all."""
    checked = _checked(scope, desk.situation)
    return [
        each
        for each in desk.store.rollout.stops()
        if checked.kb in (None, each.scope.kb) and checked.ring in (None, each.scope.ring)
    ]
