"""From intent to plan: reads the facts and hands them to the pure plans. `Engine.plan` stands on it.

It never writes; `changes` carries plans out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from engine.changes.rollout_planning import RolloutPlanner
from engine.model.build import Platform
from engine.model.errors import NotFound
from engine.model.intents import (
    Actor,
    Apply,
    Approve,
    Assign,
    Countersign,
    FailureIntent,
    Intent,
    LiftHold,
    Plan,
    Recover,
    Refusal,
    Resume,
    Retry,
    Role,
    Scope,
    SetHold,
    SetPolicy,
    SetRing,
    Stop,
    TenantIntent,
    Uninstall,
    Withdraw,
)
from engine.model.model import Approval, InstallAction, Release, ReleaseKind
from engine.rules.plans.apply import FailedAttempt, plan_apply, plan_retry
from engine.rules.plans.approve import ApproveFacts, plan_approve, plan_withdraw
from engine.rules.plans.candidates import Candidate
from engine.rules.plans.permissions import may
from engine.rules.plans.rings import plan_assign
from engine.rules.plans.stops import plan_resume, plan_stop, scope_words
from engine.rules.plans.uninstall import WayBack, plan_uninstall
from engine.rules.rollout.approvals import forbids
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.rollout import StopRow


class Planner:
    """Plans intents for one actor on one store."""

    def __init__(self, store: Store, actor: Actor, role: Role, *, read_only: bool) -> None:
        self._store = store
        self._actor = actor
        self._role = role
        self._read_only = read_only
        self._rollout = RolloutPlanner(store, actor.name)

    def plan(self, intent: Intent, now: datetime) -> Plan:
        """What the intent would do; reads only.

        Raises:
            NotFound, BadInput: it names something that does not exist.
        """
        forbidden = may(type(intent), self._role, read_only=self._read_only)
        situation = Situation(self._store, now)
        plan = self._with_tenants(self._plan(intent, situation), situation)
        return replace(plan, refusal=forbidden, requests=()) if forbidden else plan

    def _with_tenants(self, plan: Plan, situation: Situation) -> Plan:
        """The plan with what it asks of the tenants that carry part of the rollout."""
        if situation.tenancies is None:
            if isinstance(plan.intent, SetRing) and plan.intent.hotpatch is not None:
                why = "It is no ring of a tenant: its devices take hotpatches when they are ready."
                refusal = Refusal(f"Ring {plan.intent.name} is not changed.", why, "To keep one back: hotpatch hold")
                return replace(plan, refusal=refusal)
            return plan
        # Loaded on use: most fleets have no tenant.
        from engine.changes.tenants import TenantPlanner

        intent = plan.intent
        lifted = self.matching_stops(intent.scope, situation) if isinstance(intent, Resume) else ()
        second_person = self._rollout.policy().second_person
        planner = TenantPlanner(self._store, situation.tenancies, situation)
        return planner.extended(plan, second_person=second_person, lifted=lifted)

    def _plan(self, intent: Intent, situation: Situation) -> Plan:
        number = self._store.state.change_number()
        if isinstance(intent, FailureIntent):
            # Loaded on use: error knowledge and triage are no part of starting up.
            from engine.changes.failures import FailurePlanner

            return FailurePlanner(self._store, self._actor.name, self._role).plan(intent, situation, number)
        if isinstance(intent, TenantIntent):
            return self._plan_tenant_intent(intent, situation, number)
        match intent:
            case Apply():
                facts = situation.release_facts(intent.kb)
                return plan_apply(intent, facts, self._candidates(situation, intent), number)
            case Uninstall():
                ways = self.ways_back(situation, intent.kb)
                return plan_uninstall(intent, ways, self._candidates(situation, intent), number)
            case Retry():
                attempts = list(self.failed_attempts(situation, intent))
                return plan_retry(intent, attempts, situation.release_facts_for_retry, situation.now, number)
            case Approve():
                return self._plan_approve(intent, situation, number)
            case Withdraw():
                approval = self.approval(situation, intent.approval_id)
                waiting = self._store.installs.waiting(approval.kb, [situation.ring(n).id for n in approval.rings])
                return plan_withdraw(intent, approval, waiting, number)
            case Stop():
                return self._plan_stop(intent, situation, number)
            case Resume():
                lifted = [
                    f"{each.kind} of {scope_words(each.scope)} by {each.stopped_by} ({each.reason})"
                    for each in self.matching_stops(intent.scope, situation)
                ]
                return plan_resume(intent, lifted, number)
            case SetRing():
                return self._rollout.set_ring(intent, situation, number)
            case SetPolicy():
                return self._rollout.set_policy(intent, situation, number)
            case SetHold():
                return self._rollout.set_hold(intent, situation, number)
            case LiftHold():
                return self._rollout.lift_hold(intent, situation, number)
            case Countersign():
                approval = self.approval(situation, intent.approval_id)
                return self._rollout.countersign(intent, approval, situation, number)
            case Recover():
                return self._rollout.recover(intent, self.ways_back(situation, intent.kb), situation, number)
            case Assign():
                return plan_assign(intent, situation.ring(intent.ring), self._candidates(situation, intent), number)

    def _plan_tenant_intent(self, intent: TenantIntent, situation: Situation, number: int) -> Plan:
        from engine.changes.tenant_orders import TenantActions
        from engine.situation.tenants import Tenancies

        tenancies = situation.tenancies or Tenancies(self._store)
        return TenantActions(self._store, tenancies, situation).plan(intent, number)

    def _candidates(self, situation: Situation, intent: Apply | Uninstall | Assign) -> Iterator[Candidate]:
        yield from self._store.rollout.candidates(situation.target_ids(intent.target))

    def _plan_approve(self, intent: Approve, situation: Situation, number: int) -> Plan:
        releases = situation.known(intent.kb)
        rings = [situation.ring(name) for name in intent.rings] or list(situation.rings)
        trial = Approval(
            id=0,
            kb=intent.kb,
            rings=tuple(ring.name for ring in rings),
            reason=intent.reason,
            approved_by=self._actor.name,
            approved_at=situation.now,
            not_before=intent.not_before,
            expires_at=intent.expires_at,
        )
        chosen = {ring.id for ring in rings}
        in_force = situation.standings(intent.kb)
        already = frozenset(each.facts.ring.name for each in in_force if each.facts.approval is not None)
        tried = situation.standings(intent.kb, (*situation.approvals, trial))
        newer = {kb for release in releases if (kb := situation.newer(release)) is not None}
        facts = ApproveFacts(
            releases=releases,
            standings=[each for each in tried if each.facts.ring.id in chosen],
            already=already,
            newer_kb=max(newer, default=None),
            forbidden=forbids(self._rollout.policy(), releases),
            second_person=self._rollout.policy().second_person,
        )
        return plan_approve(intent, facts, situation.now, number)

    def _plan_stop(self, intent: Stop, situation: Situation, number: int) -> Plan:
        scope = self.checked(intent.scope, situation)
        ring_id = situation.ring(scope.ring).id if scope.ring else None
        waiting, under_way = self._store.installs.in_scope(scope.kb, ring_id)
        already = any(each.scope == scope for each in self.matching_stops(scope, situation))
        return plan_stop(intent, waiting=waiting, under_way=under_way, change_number=number, already=already)

    def checked(self, scope: Scope, situation: Situation) -> Scope:
        if scope.kb is not None:
            situation.known(scope.kb)
        return Scope(scope.kb, situation.ring(scope.ring).name) if scope.ring else scope

    def matching_stops(self, scope: Scope, situation: Situation) -> list[StopRow]:
        """Stops that a resume of this scope lifts: those within it; everything lifts all."""
        checked = self.checked(scope, situation)
        return [
            each
            for each in self._store.rollout.stops()
            if checked.kb in (None, each.scope.kb) and checked.ring in (None, each.scope.ring)
        ]

    def failed_attempts(self, situation: Situation, intent: Retry) -> Iterator[FailedAttempt]:
        wanted = set(situation.target_ids(intent.target))
        rows = [
            row for row in self._store.installs.failures() if row.device_id in wanted and intent.kb in (None, row.kb)
        ]
        by_id = {each.id: each for each in self._store.rollout.candidates(sorted({r.device_id for r in rows}))}
        for row in rows:
            yield FailedAttempt(
                device=by_id[row.device_id],
                kb=row.kb,
                attempt=row.attempt,
                failed_at=row.failed_at,
                code=row.error_code,
                is_uninstall=row.action is InstallAction.UNINSTALL,
            )

    def approval(self, situation: Situation, approval_id: int) -> Approval:
        for each in situation.approvals:
            if each.id == approval_id:
                return each
        raise NotFound(f"There is no approval {approval_id}.", (), "List them with: hotpatch approvals")

    def ways_back(self, situation: Situation, kb: int) -> dict[Platform, WayBack]:
        catalog = None
        found = {}
        for release in situation.known(kb):
            sits_on = [
                each
                for each in situation.releases
                if each.platform is release.platform
                and each.kind.is_baseline
                and each.released_at <= release.released_at
            ]
            reopened = 0
            if release.kind.is_hotpatch:
                catalog = catalog or self._store.releases.catalog().known_at(situation.now)
                reopened = len(catalog.cve_ids(release))
            found[release.platform] = WayBack(
                release=release,
                baseline=sits_on[-1] if sits_on else None,
                lcu=twin_among(situation.releases, release),
                reopened=reopened,
            )
        return found


def twin_among(releases: Sequence[Release], release: Release) -> Release | None:
    """The ordinary LCU of the same month and platform, without loading the whole catalog."""
    return next(
        (
            each
            for each in releases
            if each.platform is release.platform and each.month == release.month and each.kind is ReleaseKind.LCU
        ),
        None,
    )
