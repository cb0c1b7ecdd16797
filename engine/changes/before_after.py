"""What a change finds and what it leaves, for the audit: the decisions and sums that an intent can alter.

`changes` asks before and after it writes, inside the transaction. It reads only; names of devices stand in the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from engine.model.build import kb_text
from engine.model.clock import to_text
from engine.model.intents import (
    Approve,
    Assign,
    Countersign,
    EndEscalation,
    Escalate,
    HoldForProblem,
    Intent,
    LiftHold,
    LiftKnownProblem,
    MarkKnownProblem,
    Plan,
    Recover,
    Resume,
    SetHold,
    SetPolicy,
    SetRing,
    Stop,
    Withdraw,
)
from engine.model.model import Approval, Ring
from engine.rules.plans.rings import gate_words
from engine.rules.rollout.approvals import SETTING, policy_from_text
from engine.rules.rollout.windows import window_text
from engine.store import Store
from engine.store.rollout import StopRow

if TYPE_CHECKING:
    from engine.rules.failures import Escalation

Standing = Mapping[str, object]
_RULES = "deferral_days deadline_days grace_days max_in_flight max_share_in_flight wave_soak_hours members".split()


def standing(store: Store, plan: Plan) -> Standing:
    """How that which the plan can change stands now."""
    intent = plan.intent
    found: dict[str, object] = dict(_decisions(store, intent))
    if plan.device_ids:
        ids = plan.device_ids
        found["devices"] = store.standing.states(ids)
        found["under way"] = store.standing.under_way(ids)
        found["excluded"] = store.standing.excluded(ids)
        if isinstance(intent, Assign):
            found["rings"] = store.standing.rings(ids)
    return found


def differing(before: Standing, after: Standing) -> dict[str, Standing]:
    """Of two standings what is not the same in both, as ``before`` and ``after``."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {
        "before": {name: before[name] for name in names if name in before},
        "after": {name: after[name] for name in names if name in after},
    }


def _decisions(store: Store, intent: Intent) -> Standing:
    match intent:
        case SetRing(name=name):
            wanted = name.strip().casefold()
            rings = [each for each in store.rollout.rings() if each.name.casefold() == wanted]
            return _ring(rings[0]) if rings else {}
        case SetPolicy():
            policy = asdict(policy_from_text(store.state.setting(SETTING)))
            return {name.replace("_", " "): value for name, value in policy.items()}
        case Approve(kb=kb):
            return {"approvals": _approvals(store.rollout.approvals(kb))}
        case Withdraw(approval_id=number) | Countersign(approval_id=number):
            return {"approvals": _approvals([each for each in store.rollout.approvals() if each.id == number])}
        case Stop() | Resume():
            return {"stops": _stops(store.rollout.stops())}
        case SetHold() | LiftHold() | MarkKnownProblem() | HoldForProblem() | LiftKnownProblem():
            problems = [f"{each.id}: {each.title}" for each in store.problems.in_force()]
            return {"holds": _holds(store), "known problems": problems}
        case Escalate() | EndEscalation():
            return {"escalations": [_escalation(each) for each, _ in store.escalations.open()]}
        case Recover(kb=kb):
            recoveries = [f"{each.id}: {kb_text(each.kb)}" for each in store.recovery.all(kb, open_only=True)]
            return {"recoveries": recoveries, "stops": _stops(store.rollout.stops())}
    return {}


def _ring(ring: Ring) -> Standing:
    rules = {name.replace("_", " "): getattr(ring, name) for name in _RULES}
    return {**rules, "waves": list(ring.waves), "window": window_text(ring.window), "gate": gate_words(ring)}


def _approvals(approvals: Sequence[Approval]) -> list[str]:
    return [_approval(each) for each in approvals]


def _approval(approval: Approval) -> str:
    words = f"{approval.id}: {kb_text(approval.kb)} for {', '.join(approval.rings)} by {approval.approved_by}"
    for name, moment in (("from", approval.not_before), ("until", approval.expires_at)):
        words += f", {name} {to_text(moment)}" if moment is not None else ""
    if approval.needs_second:
        words += f", signed by {approval.seconded_by}" if approval.is_signed else ", waits for a second signature"
    return words + (f", withdrawn by {approval.withdrawn_by}" if approval.withdrawn_at is not None else "")


def _stops(stops: Sequence[StopRow]) -> list[str]:
    found = []
    for each in stops:
        scope = [*([kb_text(each.scope.kb)] if each.scope.kb else []), *([each.scope.ring] if each.scope.ring else [])]
        found.append(f"{each.id}: {each.kind} of {' in '.join(scope) or 'everything'} by {each.stopped_by}")
    return found


def _holds(store: Store) -> list[str]:
    return [f"{each.id}: {each.words} by {each.held_by}" for each in store.safeguards.in_force()]


def _escalation(escalation: Escalation) -> str:
    return f"{escalation.id}: {escalation.devices} devices to {escalation.owner}, due {to_text(escalation.due_at)}"
