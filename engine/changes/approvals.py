"""Approvals: given, signed by a second person, taken back, and the rules that they follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from msgspec.structs import asdict

from engine.changes.before_after import Standing
from engine.changes.desk import Desk
from engine.model.build import kb_text
from engine.model.clock import to_text
from engine.model.errors import NotFound
from engine.model.intents import ApprovalIntent, Approve, Countersign, Plan, SetPolicy, Withdraw
from engine.model.model import Approval
from engine.rules.plans.approve import ApproveFacts, plan_approve, plan_withdraw
from engine.rules.plans.signing import changed_policy, plan_countersign, plan_set_policy
from engine.rules.rollout.approvals import SETTING, ApprovalPolicy, forbids, policy_from_text
from engine.situation.situation import Situation
from engine.store import Store


def plan(intent: ApprovalIntent, desk: Desk) -> Plan:
    match intent:
        case Approve():
            plan = _approve(intent, desk)
            second_person = _policy(desk.store).second_person
            return desk.tenants.approve(plan, intent, second_person=second_person) if desk.tenants else plan
        case Withdraw():
            approval = _approval(desk.situation, intent.approval_id)
            rings = [desk.situation.ring(name).id for name in approval.rings]
            plan = plan_withdraw(intent, approval, desk.store.installs.waiting(approval.kb, rings), desk.number)
            return desk.tenants.withdraw(plan, intent) if desk.tenants else plan
        case Countersign():
            plan = _countersign(intent, desk)
            return desk.tenants.countersign(plan, intent) if desk.tenants else plan
        case SetPolicy():
            for name in intent.auto_approve or ():
                desk.situation.ring(name)
            return plan_set_policy(intent, _policy(desk.store), desk.number)
        case _:
            assert_never(intent)


def write(_plan: Plan, intent: ApprovalIntent, desk: Desk) -> int:
    store, situation = desk.store, desk.situation
    match intent:
        case Approve():
            store.rollout.add_approval(
                intent.kb,
                [situation.ring(name).name for name in intent.rings] or [ring.name for ring in situation.rings],
                intent.reason,
                desk.by,
                desk.now,
                intent.not_before,
                intent.expires_at,
                needs_second=_policy(store).second_person,
            )
            return 0
        case Withdraw():
            approval = _approval(situation, intent.approval_id)
            store.rollout.withdraw(intent.approval_id, desk.by, desk.now)
            return desk.cancel_waiting(approval.kb, [situation.ring(name).id for name in approval.rings])
        case Countersign():
            store.rollout.sign(intent.approval_id, desk.by, desk.now)
            return 0
        case SetPolicy():
            store.state.set(SETTING, changed_policy(intent, _policy(store)).to_text())
            return 0
        case _:
            assert_never(intent)


def standing(_plan: Plan, intent: ApprovalIntent, store: Store) -> Standing:
    match intent:
        case Approve():
            return {"approvals": _told(store.rollout.approvals(intent.kb))}
        case Withdraw() | Countersign():
            return {"approvals": _told([each for each in store.rollout.approvals() if each.id == intent.approval_id])}
        case SetPolicy():
            return {name.replace("_", " "): value for name, value in asdict(_policy(store)).items()}
        case _:
            assert_never(intent)


def _approve(intent: Approve, desk: Desk) -> Plan:
    situation = desk.situation
    releases = situation.known(intent.kb)
    rings = [situation.ring(name) for name in intent.rings] or list(situation.rings)
    trial = Approval(
        id=0,
        kb=intent.kb,
        rings=tuple(ring.name for ring in rings),
        reason=intent.reason,
        approved_by=desk.by,
        approved_at=desk.now,
        not_before=intent.not_before,
        expires_at=intent.expires_at,
    )
    chosen = {ring.id for ring in rings}
    in_force = situation.standings(intent.kb)
    already = frozenset(each.facts.ring.name for each in in_force if each.facts.approval is not None)
    tried = situation.standings(intent.kb, (*situation.approvals, trial))
    newer = {kb for release in releases if (kb := situation.newer(release)) is not None}
    policy = _policy(desk.store)
    facts = ApproveFacts(
        releases=releases,
        standings=[each for each in tried if each.facts.ring.id in chosen],
        already=already,
        newer_kb=max(newer, default=None),
        forbidden=forbids(policy, releases),
        second_person=policy.second_person,
    )
    return plan_approve(intent, facts, desk.now, desk.number)


def _countersign(intent: Countersign, desk: Desk) -> Plan:
    """What the second signature sets going."""
    approval = _approval(desk.situation, intent.approval_id)
    names = {name.casefold() for name in approval.rings}
    standings = desk.situation.standings(approval.kb)
    devices = sum(each.facts.counts.pending for each in standings if each.facts.ring.name.casefold() in names)
    return plan_countersign(intent, approval, desk.by, devices, desk.number)


def _policy(store: Store) -> ApprovalPolicy:
    """The rules for approvals as they are kept."""
    return policy_from_text(store.state.setting(SETTING))


def _approval(situation: Situation, approval_id: int) -> Approval:
    for each in situation.approvals:
        if each.id == approval_id:
            return each
    raise NotFound(f"There is no approval {approval_id}.", (), "List them with: hotpatch approvals")


def _told(approvals: Sequence[Approval]) -> list[str]:
    return [_words(each) for each in approvals]


def _words(approval: Approval) -> str:
    words = f"{approval.id}: {kb_text(approval.kb)} for {', '.join(approval.rings)} by {approval.approved_by}"
    for name, moment in (("from", approval.not_before), ("until", approval.expires_at)):
        words += f", {name} {to_text(moment)}" if moment is not None else ""
    if approval.needs_second:
        words += f", signed by {approval.seconded_by}" if approval.is_signed else ", waits for a second signature"
    return words + (f", withdrawn by {approval.withdrawn_by}" if approval.withdrawn_at is not None else "")
