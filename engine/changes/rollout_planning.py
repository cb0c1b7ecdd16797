"""Facts for the plans of recoveries, holds, signatures and ring rules; `planning` hands them on. Never writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from engine.model.build import Platform
from engine.model.errors import NotFound
from engine.model.filters import parse
from engine.model.intents import Countersign, LiftHold, Plan, Recover, SetHold, SetPolicy, SetRing
from engine.model.model import Approval
from engine.rules.plans.holds import Hold, plan_lift_hold, plan_set_hold
from engine.rules.plans.recover import RecoveryFacts, plan_recover
from engine.rules.plans.rings import changed_ring, plan_set_ring
from engine.rules.plans.signing import plan_countersign, plan_set_policy
from engine.rules.plans.uninstall import WayBack
from engine.rules.rollout.approvals import SETTING, ApprovalPolicy, policy_from_text
from engine.rules.rollout.windows import window_text
from engine.situation.situation import Situation
from engine.store import Store

RolloutIntent: TypeAlias = Countersign | Recover | SetHold | LiftHold | SetPolicy | SetRing


class RolloutPlanner:
    """Plans for the rollout's own intents, for one actor on one store."""

    def __init__(self, store: Store, actor: str) -> None:
        self._store = store
        self._actor = actor

    def policy(self) -> ApprovalPolicy:
        """The rules for approvals as they are kept."""
        return policy_from_text(self._store.state.setting(SETTING))

    def set_ring(self, intent: SetRing, situation: Situation, number: int) -> Plan:
        """What changing a ring's rules does to its members."""
        ring = situation.ring(intent.name)
        devices = len(self._store.devices.ids_in_rings([ring.id]))
        joining = None
        if intent.members is not None and (after := changed_ring(intent, ring)).members:
            names = {each.id: each.name for each in situation.rings}
            before = [each for each in situation.rings if each.position < ring.position]
            found = self._store.members.joining(after, before, situation.now)
            joining = {names.get(ring_id or 0, ""): count for ring_id, count in found.items()}
        return plan_set_ring(intent, ring, devices, number, joining)

    def set_policy(self, intent: SetPolicy, situation: Situation, number: int) -> Plan:
        for name in intent.auto_approve or ():
            situation.ring(name)
        return plan_set_policy(intent, self.policy(), number)

    def countersign(self, intent: Countersign, approval: Approval, situation: Situation, number: int) -> Plan:
        """What the second signature sets going."""
        names = {name.casefold() for name in approval.rings}
        standings = situation.standings(approval.kb)
        devices = sum(each.facts.counts.pending for each in standings if each.facts.ring.name.casefold() in names)
        return plan_countersign(intent, approval, self._actor, devices, number)

    def set_hold(self, intent: SetHold, situation: Situation, number: int) -> Plan:
        """Which devices a hold would concern."""
        platforms = {each.platform for each in situation.known(intent.kb)} if intent.kb is not None else set(Platform)
        parse(intent.filter)
        trial = Hold(0, intent.kb, intent.filter, intent.reason, self._actor, situation.now)
        covered = self._store.safeguards.withheld([trial], situation.now)
        devices = self._store.safeguards.devices(covered, sorted(platforms))
        return plan_set_hold(intent, devices, self._store.safeguards.waiting(intent.kb, covered), number)

    def lift_hold(self, intent: LiftHold, situation: Situation, number: int) -> Plan:
        hold = self.hold(intent.hold_id)
        covered = self._store.safeguards.withheld([hold], situation.now)
        return plan_lift_hold(intent, hold, self._store.safeguards.devices(covered, sorted(Platform)), number)

    def hold(self, hold_id: int) -> Hold:
        """The hold in force with this number.

        Raises:
            NotFound: there is none.
        """
        for each in self._store.safeguards.in_force():
            if each.id == hold_id:
                return each
        raise NotFound(f"There is no safeguard hold {hold_id} in force.", (), "List them with: hotpatch holds")

    def recover(self, intent: Recover, ways: Mapping[Platform, WayBack], situation: Situation, number: int) -> Plan:
        """Which devices a recovery would lead back."""
        running = {each for way in ways.values() for each in self._store.recovery.running(way.release)}
        installing = set(self._store.recovery.installing(intent.kb))
        if not intent.target.is_empty:
            wanted = set(situation.target_ids(intent.target))
            running &= wanted
            installing &= wanted
        having = tuple(self._store.rollout.candidates(sorted(running)))
        facts = RecoveryFacts(
            ways=ways,
            having=having,
            installing=len(installing - running),
            waiting=self._store.installs.waiting(intent.kb, None),
            windows={ring.name: window_text(ring.window) for ring in situation.rings if ring.window is not None},
            is_open=bool(self._store.recovery.all(intent.kb, open_only=True)),
            is_stopped=any(kb in (None, intent.kb) and ring is None for kb, ring, _ in situation.stops),
        )
        return plan_recover(intent, facts, number)
