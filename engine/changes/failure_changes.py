"""Writes what plans of exclusions, escalations and known problems say; `changes` calls it inside its transaction."""

from __future__ import annotations

from engine.changes.failures import FailurePlanner
from engine.model.intents import (
    Actor,
    EndEscalation,
    Escalate,
    Exclude,
    FailureIntent,
    HoldForProblem,
    LiftKnownProblem,
    MarkKnownProblem,
    Plan,
    Readmit,
    Role,
    TakeBack,
)
from engine.rules.failures import escalation_due
from engine.situation.failures import Failures
from engine.situation.situation import Situation
from engine.store import Store


class FailureChanges:
    """What people do about failures, for one actor on one store."""

    def __init__(self, store: Store, actor: Actor) -> None:
        self._store = store
        self._actor = actor
        self._planner = FailurePlanner(store, actor.name, Role.APPROVER)

    def write(self, plan: Plan, intent: FailureIntent, situation: Situation) -> int:
        """Do it; returns how many installs were cancelled."""
        now, by = situation.now, self._actor.name
        match intent:
            case Exclude():
                self._store.exclusions.add(plan.device_ids, intent.kb, intent.until, intent.reason, by, now)
                waiting = self._store.exclusions.waiting_on(plan.device_ids, intent.kb)
                cancelled = self._store.exclusions.cancel(waiting, "excluded", now)
                self._store.installs.refresh_device_states(plan.device_ids)
                return cancelled
            case Readmit():
                self._store.exclusions.lift(plan.device_ids, intent.kb, by, now)
                self._store.installs.refresh_device_states(plan.device_ids)
                return 0
            case TakeBack():
                chosen = set(plan.device_ids)
                waiting = self._store.exclusions.waiting_on(plan.device_ids, intent.kb)
                mine = [each for each in waiting if each.by_hand and each.device_id in chosen]
                cancelled = self._store.exclusions.cancel(mine, "taken back", now)
                self._store.installs.refresh_device_states(plan.device_ids)
                return cancelled
            case Escalate():
                self._escalate(plan, intent, situation)
                return 0
            case EndEscalation():
                self._store.escalations.end(intent.escalation_id, intent.outcome, by, now)
                return 0
            case MarkKnownProblem():
                return self._mark(intent, situation)
            case HoldForProblem():
                return self._hold(intent.problem_id, intent.reason, situation)
            case LiftKnownProblem():
                problem = self._planner.of_problem(intent.problem_id, situation)
                if problem.holds and problem.safeguard_id is not None:
                    self._store.safeguards.lift(problem.safeguard_id, by, now)
                if not intent.only_hold:
                    self._store.problems.lift(intent.problem_id, by, now)
                return 0

    def _escalate(self, plan: Plan, intent: Escalate, situation: Situation) -> None:
        failures = Failures(self._store, situation.now)
        code = failures.of_group(intent.group)[0] if intent.group.strip() and intent.target.is_empty else None
        chosen = set(plan.device_ids)
        cases = [case for case in failures.cases() if case.device_id in chosen and code in (None, case.code)]
        due_at = intent.due_at or escalation_due(cases, situation.now, failures.targets) or situation.now
        self._store.escalations.add(
            code, plan.device_ids, intent.owner.strip(), intent.reason, due_at, self._actor.name, situation.now
        )

    def _mark(self, intent: MarkKnownProblem, situation: Situation) -> int:
        code, kb, _ = self._planner.subject(intent, situation)
        number = self._store.problems.add(
            intent.title.strip(), code, kb, intent.filter.strip(), intent.note, self._actor.name, situation.now
        )
        return self._hold(number, "", situation) if intent.hold else 0

    def _hold(self, problem_id: int, reason: str, situation: Situation) -> int:
        """Withhold the problem's release; what has not started is cancelled. Returns how many installs."""
        problem = self._planner.of_problem(problem_id, situation)
        assert problem.kb is not None
        words = f"known problem {problem.id}: {problem.title}" + (f" ({reason})" if reason else "")
        hold = self._store.safeguards.add(problem.kb, problem.filter, words, self._actor.name, situation.now)
        self._store.problems.attach_hold(problem.id, hold)
        covered = self._planner.covered(problem.kb, problem.filter, situation)
        devices = self._store.safeguards.cancel(problem.kb, covered, situation.now)
        self._store.installs.refresh_device_states(devices)
        return len(devices)


def describe_failure_intent(intent: FailureIntent) -> tuple[str, int | None, tuple[str, ...]]:
    """The audit's verb, release and rings of an intent."""
    match intent:
        case Exclude(kb=kb, target=target):
            return "exclude", kb, target.rings
        case Readmit(kb=kb, target=target):
            return "readmit", kb, target.rings
        case TakeBack(kb=kb, target=target):
            return "take-back", kb, target.rings
        case Escalate(target=target):
            return "escalate", None, target.rings
        case EndEscalation():
            return "end-escalation", None, ()
        case MarkKnownProblem(kb=kb):
            return "mark-known-problem", kb, ()
        case HoldForProblem():
            return "hold-for-problem", None, ()
        case LiftKnownProblem():
            return "lift-known-problem", None, ()
