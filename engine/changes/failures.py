"""Help for failed installs: exclusions, what is taken back, escalations, known problems."""

from __future__ import annotations

from collections import Counter
from typing import assert_never

from engine.changes.before_after import Standing, of_holds
from engine.changes.desk import Desk
from engine.model.clock import to_text
from engine.model.filters import parse
from engine.model.intents import (
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
from engine.rules.failures import Escalation, FailureCase, escalation_due
from engine.rules.plans.escalate import EscalateFacts, plan_end_escalation, plan_escalate
from engine.rules.plans.exclude import plan_exclude, plan_readmit, plan_take_back
from engine.rules.plans.holds import Hold
from engine.rules.plans.known_problems import ProblemFacts, plan_hold_for_problem, plan_lift_problem, plan_mark
from engine.situation.failures import Failures
from engine.store import Store
from engine.store.filter_sql import SqlCondition


def plan(intent: FailureIntent, desk: Desk) -> Plan:
    exclusions = desk.store.exclusions
    match intent:
        case Exclude():
            return _minding_holds(_exclude(intent, desk), desk)
        case Readmit():
            ids = desk.situation.target_ids(intent.target)
            in_force = exclusions.of_devices(ids, desk.now)
            return plan_readmit(intent, desk.store.rollout.candidates(ids), in_force, desk.number)
        case TakeBack():
            waiting = exclusions.waiting_on(desk.situation.target_ids(intent.target), intent.kb)
            own = desk.by if desk.role in (Role.VIEWER, Role.HELP_DESK) else None
            return plan_take_back(intent, waiting, own, desk.number)
        case Escalate():
            return _escalate(intent, desk)
        case EndEscalation():
            return plan_end_escalation(intent, _failures(desk).escalation(intent.escalation_id), desk.number)
        case MarkKnownProblem():
            plan = _mark(intent, desk)
            return _minding_holds(plan, desk) if intent.hold else plan
        case HoldForProblem():
            problem = _failures(desk).problem(intent.problem_id)
            concerned, held_up = _concerned(problem.kb, problem.filter, desk)
            return _minding_holds(plan_hold_for_problem(intent, problem, concerned, held_up, desk.number), desk)
        case LiftKnownProblem():
            problem = _failures(desk).problem(intent.problem_id)
            concerned, _ = _concerned(problem.kb, problem.filter, desk)
            return plan_lift_problem(intent, problem, concerned, desk.number)
        case _:
            assert_never(intent)


def write(plan: Plan, intent: FailureIntent, desk: Desk) -> int:
    """Do it; returns how many installs were cancelled."""
    now, by = desk.now, desk.by
    match intent:
        case Exclude():
            desk.store.exclusions.add(plan.device_ids, intent.kb, intent.until, intent.reason, by, now)
            waiting = desk.store.exclusions.waiting_on(plan.device_ids, intent.kb)
            cancelled = desk.store.exclusions.cancel(waiting, "excluded", now)
            desk.store.installs.refresh_device_states(plan.device_ids)
            return cancelled
        case Readmit():
            desk.store.exclusions.lift(plan.device_ids, intent.kb, by, now)
            desk.store.installs.refresh_device_states(plan.device_ids)
            return 0
        case TakeBack():
            chosen = set(plan.device_ids)
            waiting = desk.store.exclusions.waiting_on(plan.device_ids, intent.kb)
            mine = [each for each in waiting if each.by_hand and each.device_id in chosen]
            cancelled = desk.store.exclusions.cancel(mine, "taken back", now)
            desk.store.installs.refresh_device_states(plan.device_ids)
            return cancelled
        case Escalate():
            _write_escalation(plan, intent, desk)
            return 0
        case EndEscalation():
            desk.store.escalations.end(intent.escalation_id, intent.outcome, by, now)
            return 0
        case MarkKnownProblem():
            return _write_mark(intent, desk)
        case HoldForProblem():
            return _write_hold(intent.problem_id, intent.reason, desk)
        case LiftKnownProblem():
            problem = _failures(desk).problem(intent.problem_id)
            if problem.holds and problem.safeguard_id is not None:
                desk.store.safeguards.lift(problem.safeguard_id, by, now)
            if not intent.only_hold:
                desk.store.problems.lift(intent.problem_id, by, now)
            return 0
        case _:
            assert_never(intent)


def standing(_plan: Plan, intent: FailureIntent, store: Store) -> Standing:
    match intent:
        case MarkKnownProblem() | HoldForProblem() | LiftKnownProblem():
            return of_holds(store)
        case Escalate() | EndEscalation():
            return {"escalations": [_words(each) for each, _ in store.escalations.open()]}
        case Exclude() | Readmit() | TakeBack():
            return {}  # the devices themselves tell it
        case _:
            assert_never(intent)


def _exclude(intent: Exclude, desk: Desk) -> Plan:
    releases = {}
    if intent.kb is not None:
        releases = {release.platform: release for release in desk.situation.known(intent.kb)}
    ids = desk.situation.target_ids(intent.target)
    waiting = Counter(each.device_id for each in desk.store.exclusions.waiting_on(ids, intent.kb))
    in_force = desk.store.exclusions.of_devices(ids, desk.now)
    candidates = desk.store.rollout.candidates(ids)
    return plan_exclude(intent, releases, candidates, in_force, waiting, desk.now, desk.number)


def _escalate(intent: Escalate, desk: Desk) -> Plan:
    code, cases = _failures_of(intent, desk)
    devices = {case.device_id for case in cases}
    facts = EscalateFacts(
        code=code,
        cases=cases,
        due_at=escalation_due(cases, desk.now, _failures(desk).targets),
        already=[
            (each, members)
            for each, members in desk.store.escalations.open()
            if not members.isdisjoint(devices) or (code is not None and each.code == code)
        ],
    )
    return plan_escalate(intent, facts, desk.now, desk.number)


def _failures_of(intent: Escalate, desk: Desk) -> tuple[int | None, tuple[FailureCase, ...]]:
    """The failures that are meant. A part of a group is escalated as devices, so that it keeps to them."""
    failures = _failures(desk)
    code, cases = failures.of_group(intent.group) if intent.group.strip() else (None, failures.cases())
    if code is not None and intent.target.is_empty:
        return code, cases
    wanted = set(desk.situation.target_ids(intent.target))
    return None, tuple(case for case in cases if case.device_id in wanted)


def _mark(intent: MarkKnownProblem, desk: Desk) -> Plan:
    parse(intent.filter)
    code, kb, failed = _subject(intent, desk)
    concerned, waiting = _concerned(kb, intent.filter, desk) if intent.hold else (0, 0)
    facts = ProblemFacts(code, kb, failed, concerned, waiting, desk.store.problems.in_force())
    return plan_mark(intent, facts, desk.number)


def _subject(intent: MarkKnownProblem, desk: Desk) -> tuple[int | None, int | None, int]:
    """What a known problem is about: code, release, and how many devices fail with it now."""
    if intent.kb is not None:
        desk.situation.known(intent.kb)
    if not intent.group.strip():
        return None, intent.kb, 0
    code, cases = _failures(desk).of_group(intent.group)
    released = {release.kb: release.released_at for release in desk.situation.releases}
    newest = max({case.kb for case in cases}, key=lambda kb: (kb in released, released.get(kb), kb))
    return code, intent.kb or newest, len({case.device_id for case in cases})


def _concerned(kb: int | None, filter_text: str, desk: Desk) -> tuple[int, int]:
    """Devices that a hold would keep from a release and that do not have it, and installs that wait on them."""
    if kb is None:
        return 0, 0
    covered = _covered(kb, filter_text, desk)
    devices = 0
    for release in desk.situation.known(kb):
        if release.build is None:
            continue
        without = SqlCondition(
            f"({covered.where}) AND ifnull(d.build, 0) < ?", (*covered.params, release.build.as_int())
        )
        devices += desk.store.safeguards.devices(without, [release.platform])
    return devices, desk.store.safeguards.waiting(kb, covered)


def _covered(kb: int, filter_text: str, desk: Desk) -> SqlCondition:
    """The devices that a hold of this release with this filter covers."""
    trial = Hold(0, kb, filter_text, "", desk.by, desk.now)
    return desk.store.safeguards.withheld([trial], desk.now)


def _write_escalation(plan: Plan, intent: Escalate, desk: Desk) -> None:
    failures = _failures(desk)
    code = failures.of_group(intent.group)[0] if intent.group.strip() and intent.target.is_empty else None
    chosen = set(plan.device_ids)
    cases = [case for case in failures.cases() if case.device_id in chosen and code in (None, case.code)]
    due_at = intent.due_at or escalation_due(cases, desk.now, failures.targets) or desk.now
    desk.store.escalations.add(code, plan.device_ids, intent.owner.strip(), intent.reason, due_at, desk.by, desk.now)


def _write_mark(intent: MarkKnownProblem, desk: Desk) -> int:
    code, kb, _ = _subject(intent, desk)
    number = desk.store.problems.add(
        intent.title.strip(), code, kb, intent.filter.strip(), intent.note, desk.by, desk.now
    )
    return _write_hold(number, "", desk) if intent.hold else 0


def _write_hold(problem_id: int, reason: str, desk: Desk) -> int:
    """Withhold the problem's release; what has not started is cancelled. Returns how many installs."""
    problem = _failures(desk).problem(problem_id)
    assert problem.kb is not None
    words = f"known problem {problem.id}: {problem.title}" + (f" ({reason})" if reason else "")
    hold = desk.store.safeguards.add(problem.kb, problem.filter, words, desk.by, desk.now)
    desk.store.problems.attach_hold(problem.id, hold)
    covered = _covered(problem.kb, problem.filter, desk)
    devices = desk.store.safeguards.cancel(problem.kb, covered, desk.now)
    desk.store.installs.refresh_device_states(devices)
    return len(devices)


def _minding_holds(plan: Plan, desk: Desk) -> Plan:
    return desk.tenants.mind_holds(plan) if desk.tenants else plan


def _failures(desk: Desk) -> Failures:
    return Failures(desk.store, desk.now)


def _words(escalation: Escalation) -> str:
    return f"{escalation.id}: {escalation.devices} devices to {escalation.owner}, due {to_text(escalation.due_at)}"
