"""Writes what plans of recoveries, holds, signatures and rules say; `changes` calls it inside its transaction."""

from __future__ import annotations

from typing import TypeAlias

from engine.changes.recoveries import Recovering
from engine.changes.rollout_planning import RolloutPlanner
from engine.model.intents import Actor, Countersign, LiftHold, Recover, SetHold, SetPolicy, SetRing, StopKind
from engine.rules.plans.rings import changed_ring
from engine.rules.plans.signing import changed_policy
from engine.rules.rollout.approvals import SETTING, ApprovalPolicy
from engine.situation.situation import Situation
from engine.store import Store

RolloutIntent: TypeAlias = Countersign | Recover | SetHold | LiftHold | SetPolicy | SetRing


class RolloutChanges:
    """The rollout's own intents, for one actor on one store."""

    def __init__(self, store: Store, actor: Actor) -> None:
        self._store = store
        self._actor = actor
        self._planner = RolloutPlanner(store, actor.name)

    def policy(self) -> ApprovalPolicy:
        return self._planner.policy()

    def write(self, intent: RolloutIntent, situation: Situation) -> int:
        """Do it; returns how many installs were queued or cancelled."""
        now, by = situation.now, self._actor.name
        match intent:
            case SetRing():
                ring = situation.ring(intent.name)
                self._store.rollout.save_ring(changed_ring(_kept_here(intent, ring.id, situation), ring))
                if intent.members is not None:
                    self._store.members.follow(self._store.rollout.rings(), now)
                return 0
            case SetPolicy():
                self._store.state.set(SETTING, changed_policy(intent, self._planner.policy()).to_text())
                return 0
            case Countersign():
                self._store.rollout.sign(intent.approval_id, by, now)
                return 0
            case SetHold():
                self._store.safeguards.add(intent.kb, intent.filter, intent.reason, by, now)
                covered = self._store.safeguards.withheld(
                    [each for each in self._store.safeguards.in_force() if each.kb == intent.kb], now
                )
                devices = self._store.safeguards.cancel(intent.kb, covered, now)
                self._store.installs.refresh_device_states(devices)
                return len(devices)
            case LiftHold():
                self._store.safeguards.lift(intent.hold_id, by, now)
                return 0
            case Recover():
                return self._recover(intent, situation)

    def _recover(self, intent: Recover, situation: Situation) -> int:
        if not any(kb == intent.kb and ring is None for kb, ring, _ in situation.stops):
            reason = f"recovery: {intent.reason}"
            self._store.rollout.add_stop(StopKind.HALT, intent.kb, None, reason, self._actor.name, situation.now)
        cancelled = self._store.installs.cancel_waiting(situation.now, intent.kb, None)
        self._store.installs.refresh_device_states(cancelled)
        number = self._store.recovery.add(
            intent.kb, intent.then, intent.target, intent.reason, self._actor.name, situation.now
        )
        recovery = next(each for each in self._store.recovery.all(intent.kb) if each.id == number)
        return Recovering(self._store).order(recovery, Situation(self._store, situation.now))


def _kept_here(intent: SetRing, ring_id: int, situation: Situation) -> SetRing:
    """What of the change is ours to make: what a tenant keeps changes when it has done as it was asked."""
    bound = situation.tenancies.by_ring.get(ring_id) if situation.tenancies is not None else None
    if bound is None:
        return intent
    from engine.rules.tenants.showing import own_part

    return own_part(intent, bound.ring)
