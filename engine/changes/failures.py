"""Facts for the plans of exclusions, escalations and known problems; `planning` hands them on. Never writes."""

from __future__ import annotations

from collections import Counter

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
from engine.rules.failures import FailureCase, KnownProblem, escalation_due
from engine.rules.plans.escalate import EscalateFacts, plan_end_escalation, plan_escalate
from engine.rules.plans.exclude import plan_exclude, plan_readmit, plan_take_back
from engine.rules.plans.holds import Hold
from engine.rules.plans.known_problems import ProblemFacts, plan_hold_for_problem, plan_lift_problem, plan_mark
from engine.situation.failures import Failures
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.filter_sql import SqlCondition


class FailurePlanner:
    """Plans what people do about failures, for one actor on one store."""

    def __init__(self, store: Store, actor: str, role: Role) -> None:
        self._store = store
        self._actor = actor
        self._role = role

    def plan(self, intent: FailureIntent, situation: Situation, number: int) -> Plan:
        """What the intent would do.

        Raises:
            NotFound, BadInput: it names something that does not exist.
        """
        match intent:
            case Exclude():
                return self._exclude(intent, situation, number)
            case Readmit():
                ids = situation.target_ids(intent.target)
                in_force = self._store.exclusions.of_devices(ids, situation.now)
                return plan_readmit(intent, self._store.rollout.candidates(ids), in_force, number)
            case TakeBack():
                waiting = self._store.exclusions.waiting_on(situation.target_ids(intent.target), intent.kb)
                own = self._actor if self._role in (Role.VIEWER, Role.HELP_DESK) else None
                return plan_take_back(intent, waiting, own, number)
            case Escalate():
                return self._escalate(intent, situation, number)
            case EndEscalation():
                escalation = Failures(self._store, situation.now).escalation(intent.escalation_id)
                return plan_end_escalation(intent, escalation, number)
            case MarkKnownProblem():
                return self._mark(intent, situation, number)
            case HoldForProblem():
                problem = Failures(self._store, situation.now).problem(intent.problem_id)
                concerned, held_up = self.concerned(problem.kb, problem.filter, situation)
                return plan_hold_for_problem(intent, problem, concerned, held_up, number)
            case LiftKnownProblem():
                problem = Failures(self._store, situation.now).problem(intent.problem_id)
                concerned, _ = self.concerned(problem.kb, problem.filter, situation)
                return plan_lift_problem(intent, problem, concerned, number)

    def _exclude(self, intent: Exclude, situation: Situation, number: int) -> Plan:
        releases = {}
        if intent.kb is not None:
            releases = {release.platform: release for release in situation.known(intent.kb)}
        ids = situation.target_ids(intent.target)
        waiting = Counter(each.device_id for each in self._store.exclusions.waiting_on(ids, intent.kb))
        in_force = self._store.exclusions.of_devices(ids, situation.now)
        candidates = self._store.rollout.candidates(ids)
        return plan_exclude(intent, releases, candidates, in_force, waiting, situation.now, number)

    def _escalate(self, intent: Escalate, situation: Situation, number: int) -> Plan:
        code, cases = self._failures_of(intent, situation)
        devices = {case.device_id for case in cases}
        facts = EscalateFacts(
            code=code,
            cases=cases,
            due_at=escalation_due(cases, situation.now, Failures(self._store, situation.now).targets),
            already=[
                (each, members)
                for each, members in self._store.escalations.open()
                if not members.isdisjoint(devices) or (code is not None and each.code == code)
            ],
        )
        return plan_escalate(intent, facts, situation.now, number)

    def _failures_of(self, intent: Escalate, situation: Situation) -> tuple[int | None, tuple[FailureCase, ...]]:
        """The failures that are meant. A part of a group is escalated as devices, so that it keeps to them."""
        failures = Failures(self._store, situation.now)
        code, cases = failures.of_group(intent.group) if intent.group.strip() else (None, failures.cases())
        if code is not None and intent.target.is_empty:
            return code, cases
        wanted = set(situation.target_ids(intent.target))
        return None, tuple(case for case in cases if case.device_id in wanted)

    def _mark(self, intent: MarkKnownProblem, situation: Situation, number: int) -> Plan:
        parse(intent.filter)
        code, kb, failed = self.subject(intent, situation)
        concerned, waiting = self.concerned(kb, intent.filter, situation) if intent.hold else (0, 0)
        facts = ProblemFacts(code, kb, failed, concerned, waiting, self._store.problems.in_force())
        return plan_mark(intent, facts, number)

    def subject(self, intent: MarkKnownProblem, situation: Situation) -> tuple[int | None, int | None, int]:
        """What a known problem is about: code, release, and how many devices fail with it now."""
        if intent.kb is not None:
            situation.known(intent.kb)
        if not intent.group.strip():
            return None, intent.kb, 0
        code, cases = Failures(self._store, situation.now).of_group(intent.group)
        released = {release.kb: release.released_at for release in situation.releases}
        newest = max({case.kb for case in cases}, key=lambda kb: (kb in released, released.get(kb), kb))
        return code, intent.kb or newest, len({case.device_id for case in cases})

    def concerned(self, kb: int | None, filter_text: str, situation: Situation) -> tuple[int, int]:
        """Devices that a hold would keep from a release and that do not have it, and installs that wait on them."""
        if kb is None:
            return 0, 0
        covered = self.covered(kb, filter_text, situation)
        devices = 0
        for release in situation.known(kb):
            if release.build is None:
                continue
            without = SqlCondition(
                f"({covered.where}) AND ifnull(d.build, 0) < ?", (*covered.params, release.build.as_int())
            )
            devices += self._store.safeguards.devices(without, [release.platform])
        return devices, self._store.safeguards.waiting(kb, covered)

    def covered(self, kb: int, filter_text: str, situation: Situation) -> SqlCondition:
        """The devices that a hold of this release with this filter covers."""
        trial = Hold(0, kb, filter_text, "", self._actor, situation.now)
        return self._store.safeguards.withheld([trial], situation.now)

    def of_problem(self, problem_id: int, situation: Situation) -> KnownProblem:
        """One known problem in force.

        Raises:
            NotFound: there is none with this number.
        """
        return Failures(self._store, situation.now).problem(problem_id)
