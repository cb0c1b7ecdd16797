"""From plan to one transaction: state, audit and change number together. `Engine.carry_out` stands on it.

It plans again inside the transaction, so that what was shown is what happens, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from engine.changes.before_after import Standing, differing, standing
from engine.changes.planning import Planner
from engine.changes.rollout_changes import RolloutChanges
from engine.model.audit import AuditEntry
from engine.model.build import kb_text
from engine.model.errors import PlanOutdated, Refused
from engine.model.intents import (
    Actor,
    After,
    Apply,
    Approve,
    AskAgain,
    Assign,
    Countersign,
    Expedite,
    FailureIntent,
    Intent,
    LiftHold,
    Plan,
    Recover,
    Resume,
    Retry,
    SetHold,
    SetPolicy,
    SetRing,
    Stop,
    StopKind,
    Sync,
    TenantIntent,
    Uninstall,
    Withdraw,
)
from engine.model.model import InstallAction, Release
from engine.rules.plans.candidates import Candidate
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.installs import NewInstall


class Outcome(Struct, frozen=True):
    """What carrying out a plan did."""

    change_number: int
    summary: str
    installs: int
    """How many installs were queued or cancelled."""
    requests: tuple[int, ...] = ()
    """Numbers of the requests that wait to be sent to tenants."""


class CarryOut:
    """Carries out plans for one actor on one store."""

    def __init__(self, store: Store, planner: Planner, actor: Actor) -> None:
        self._store = store
        self._planner = planner
        self._actor = actor
        self._rollout = RolloutChanges(store, actor)

    def carry_out(self, plan: Plan, now: datetime) -> Outcome:
        """Do what the plan says, in one transaction with its audit record.

        Raises:
            Refused: the plan, or the state as it is now, forbids it.
            PlanOutdated: more devices or restarts would come of it than the plan showed.
        """
        with self._store.transaction():
            fresh = self._planner.plan(plan.intent, now)
            if fresh.refusal is not None:
                raise Refused(fresh.refusal.what, fresh.refusal.why, fresh.refusal.instead)
            if fresh.devices > plan.devices or fresh.restarts > plan.restarts:
                raise PlanOutdated(
                    "The fleet has changed since the plan was shown.",
                    f"It would now touch {fresh.devices:,} devices with {fresh.restarts:,} restarts, "
                    f"not {plan.devices:,} with {plan.restarts:,}.",
                    "Look at the plan again.",
                )
            if fresh.requests != plan.requests:
                raise PlanOutdated(
                    "What a tenant would be asked has changed since the plan was shown.",
                    f"It would now be {len(fresh.requests):,} requests, not those {len(plan.requests):,}.",
                    "Look at the plan again.",
                )
            before = standing(self._store, fresh)
            installs = self._write(fresh, now)
            requests = self._ask_tenants(fresh, now)
            after = standing(self._store, fresh)
            self._record(fresh, now, installs, differing(before, after))
            number = self._store.state.count_change()
        return Outcome(number, fresh.title, installs, requests)

    def _ask_tenants(self, plan: Plan, now: datetime) -> tuple[int, ...]:
        if not plan.requests:
            return ()
        from engine.situation.tenants import Tenancies

        return self._store.tenant_requests.add(plan.requests, Tenancies(self._store).ring_ids(), self._actor.name, now)

    def _write(self, plan: Plan, now: datetime) -> int:
        situation = Situation(self._store, now)
        rollout = self._store.rollout
        if isinstance(plan.intent, FailureIntent):
            from engine.changes.failure_changes import FailureChanges

            return FailureChanges(self._store, self._actor).write(plan, plan.intent, situation)
        if isinstance(plan.intent, TenantIntent):
            return 0
        match plan.intent:
            case Apply(kb=kb, reason=reason):
                return self._queue(plan, kb, reason, situation)
            case Uninstall():
                return self._queue_uninstalls(plan, plan.intent, situation)
            case Retry():
                return self._queue_retries(plan, plan.intent, situation)
            case Approve() as intent:
                rings = [situation.ring(name).name for name in intent.rings] or [r.name for r in situation.rings]
                rollout.add_approval(
                    intent.kb,
                    rings,
                    intent.reason,
                    self._actor.name,
                    now,
                    intent.not_before,
                    intent.expires_at,
                    needs_second=self._rollout.policy().second_person,
                )
                return 0
            case Withdraw() as intent:
                approval = self._planner.approval(situation, intent.approval_id)
                rollout.withdraw(intent.approval_id, self._actor.name, now)
                return self._cancel(approval.kb, [situation.ring(name).id for name in approval.rings], now)
            case Stop() as intent:
                return self._write_stop(intent, situation)
            case Resume() as intent:
                stops = self._planner.matching_stops(intent.scope, situation)
                rollout.lift_stops([each.id for each in stops], self._actor.name, now)
                for each in stops:
                    ring_ids = [situation.ring(each.scope.ring).id] if each.scope.ring else None
                    self._store.installs.requeue_waiting(now, each.scope.kb, ring_ids)
                return 0
            case SetRing() | SetPolicy() | SetHold() | LiftHold() | Countersign() | Recover():
                return self._rollout.write(plan.intent, situation)
            case Assign() as intent:
                self._store.devices.assign(plan.device_ids, situation.ring(intent.ring).id)
                self._store.members.pin(plan.device_ids)
                return 0

    def _queue(self, plan: Plan, kb: int, reason: str, situation: Situation) -> int:
        releases = {release.platform: release for release in situation.known(kb)}
        installs = []
        for device in self._store.rollout.candidates(plan.device_ids):
            if device.platform is None:
                continue
            attempts = self._store.installs.failed_attempts(device.id, kb, InstallAction.APPLY)
            release = releases[device.platform]
            installs.append(self._new(device, release, InstallAction.APPLY, attempts + 1, situation.now, reason))
        return self._enqueue(installs)

    def _queue_uninstalls(self, plan: Plan, intent: Uninstall, situation: Situation) -> int:
        ways = self._planner.ways_back(situation, intent.kb)
        installs = []
        for device in self._store.rollout.candidates(plan.device_ids):
            if device.platform is None:
                continue
            way = ways[device.platform]
            new = self._new(device, way.release, InstallAction.UNINSTALL, 1, situation.now, intent.reason)
            follow_up = way.lcu.kb if intent.after is After.LCU and way.lcu else None
            installs.append(replace(new, follow_up_kb=follow_up))
        self._store.rollout.hold_until_baseline(
            plan.device_ids,
            f"{kb_text(intent.kb)} was uninstalled: {intent.reason}",
            self._actor.name,
            situation.now,
        )
        return self._enqueue(installs)

    def _queue_retries(self, plan: Plan, intent: Retry, situation: Situation) -> int:
        chosen = set(plan.device_ids)
        installs = []
        for attempt in self._planner.failed_attempts(situation, intent):
            if attempt.device.id not in chosen or attempt.device.platform is None:
                continue
            chosen.discard(attempt.device.id)
            releases = {release.platform: release for release in situation.known(attempt.kb)}
            action = InstallAction.UNINSTALL if attempt.is_uninstall else InstallAction.APPLY
            installs.append(
                self._new(
                    attempt.device,
                    releases[attempt.device.platform],
                    action,
                    attempt.attempt + 1,
                    situation.now,
                    intent.reason or "retry",
                )
            )
        return self._enqueue(installs)

    def _new(
        self, device: Candidate, release: Release, action: InstallAction, attempt: int, now: datetime, reason: str
    ) -> NewInstall:
        return NewInstall(
            device_id=device.id,
            ring_id=device.ring_id,
            kb=release.kb,
            platform=release.platform,
            action=action,
            attempt=attempt,
            by_hand=True,
            requested_at=now,
            requested_by=self._actor.name,
            build_before=device.build,
            follow_up_kb=None,
            reason=reason,
        )

    def _enqueue(self, installs: list[NewInstall]) -> int:
        queued = self._store.installs.queue(installs)
        self._store.installs.refresh_device_states([each.device_id for each in installs])
        return queued

    def _write_stop(self, intent: Stop, situation: Situation) -> int:
        scope = self._planner.checked(intent.scope, situation)
        ring_id = situation.ring(scope.ring).id if scope.ring else None
        self._store.rollout.add_stop(intent.kind, scope.kb, ring_id, intent.reason, self._actor.name, situation.now)
        if intent.kind is StopKind.PAUSE:
            return 0
        return self._cancel(scope.kb, [ring_id] if ring_id is not None else None, situation.now)

    def _cancel(self, kb: int | None, ring_ids: list[int] | None, now: datetime) -> int:
        devices = self._store.installs.cancel_waiting(now, kb, ring_ids)
        self._store.installs.refresh_device_states(devices)
        return len(devices)

    def _record(self, plan: Plan, now: datetime, installs: int, altered: Mapping[str, Standing]) -> None:
        intent = plan.intent
        action, kb, rings = describe(intent)
        self._store.audit.append(
            AuditEntry(
                at=now,
                actor=self._actor.name,
                origin=self._actor.origin,
                action=action,
                summary=plan.title,
                reason=getattr(intent, "reason", ""),
                kb=kb,
                rings=rings,
                devices=plan.devices,
                details={
                    "steps": list(plan.steps),
                    "restarts": plan.restarts,
                    "installs": installs,
                    "sample": list(plan.sample),
                    "left_out": [{"devices": each.devices, "why": each.why} for each in plan.left_out],
                    "command": plan.command,
                    **_requests_told(plan),
                    **altered,
                },
            )
        )


def _requests_told(plan: Plan) -> Mapping[str, object]:
    """What was asked of tenants, word for word."""
    if not plan.requests:
        return {}
    shown = [
        {"provider": each.provider, "method": each.method, "path": each.address, "body": each.body}
        for each in plan.requests[:_REQUESTS_KEPT]
    ]
    return {"requests": shown, "requests_in_all": len(plan.requests)}


_REQUESTS_KEPT = 50
"""Requests that an audit record holds in full."""


def describe(intent: Intent) -> tuple[str, int | None, tuple[str, ...]]:
    """The audit's verb, release and rings of an intent."""
    if isinstance(intent, FailureIntent):
        from engine.changes.failure_changes import describe_failure_intent

        return describe_failure_intent(intent)
    match intent:
        case Sync(target=target):
            return "sync", None, target.rings
        case Expedite(kb=kb, target=target):
            return "expedite", kb, target.rings
        case AskAgain():
            return "ask-again", None, ()
        case Approve(kb=kb, rings=rings):
            return "approve", kb, rings
        case Withdraw():
            return "withdraw", None, ()
        case Apply(kb=kb, target=target):
            return "apply", kb, target.rings
        case Uninstall(kb=kb, target=target):
            return "uninstall", kb, target.rings
        case Retry(kb=kb, target=target):
            return "retry", kb, target.rings
        case Stop(kind=kind, scope=scope):
            return str(kind), scope.kb, (scope.ring,) if scope.ring else ()
        case Resume(scope=scope):
            return "resume", scope.kb, (scope.ring,) if scope.ring else ()
        case SetRing(name=name):
            return "set-ring", None, (name,)
        case Assign(ring=ring):
            return "assign", None, (ring,)
        case Countersign():
            return "countersign", None, ()
        case Recover(kb=kb, target=target):
            return "recover", kb, target.rings
        case SetHold(kb=kb):
            return "hold", kb, ()
        case LiftHold():
            return "lift-hold", None, ()
        case SetPolicy(auto_approve=rings):
            return "set-policy", None, rings or ()
