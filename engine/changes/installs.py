"""Installs asked for by hand: a release applied now, a hotpatch removed, a failed attempt tried again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from msgspec.structs import replace

from engine.changes.before_after import Standing
from engine.changes.desk import Desk
from engine.model.build import kb_text
from engine.model.intents import After, Apply, InstallIntent, Plan, Retry, Uninstall
from engine.model.model import InstallAction, Release
from engine.rules.plans.apply import FailedAttempt, plan_apply, plan_retry
from engine.rules.plans.candidates import Candidate
from engine.rules.plans.uninstall import plan_uninstall
from engine.store import Store
from engine.store.installs import NewInstall


def plan(intent: InstallIntent, desk: Desk) -> Plan:
    match intent:
        case Apply():
            facts = desk.situation.release_facts(intent.kb)
            return plan_apply(intent, facts, desk.candidates(intent.target), desk.number)
        case Uninstall():
            ways = desk.ways_back(intent.kb)
            plan = plan_uninstall(intent, ways, desk.candidates(intent.target), desk.number)
            return desk.tenants.uninstall(plan, intent) if desk.tenants else plan
        case Retry():
            attempts = list(_failed_attempts(intent, desk))
            return plan_retry(intent, attempts, desk.situation.release_facts_for_retry, desk.now, desk.number)
        case _:
            assert_never(intent)


def write(plan: Plan, intent: InstallIntent, desk: Desk) -> int:
    match intent:
        case Apply():
            installs = _applied(plan, intent, desk)
        case Uninstall():
            installs = _uninstalled(plan, intent, desk)
        case Retry():
            installs = _retried(plan, intent, desk)
        case _:
            assert_never(intent)
    queued = desk.store.installs.queue(installs)
    desk.store.installs.refresh_device_states([each.device_id for each in installs])
    return queued


def standing(_plan: Plan, _intent: InstallIntent, _store: Store) -> Standing:
    """Nothing but the devices themselves."""
    return {}


def _failed_attempts(intent: Retry, desk: Desk) -> Iterator[FailedAttempt]:
    wanted = set(desk.situation.target_ids(intent.target))
    rows = [row for row in desk.store.installs.failures() if row.device_id in wanted and intent.kb in (None, row.kb)]
    by_id = {each.id: each for each in desk.store.rollout.candidates(sorted({r.device_id for r in rows}))}
    for row in rows:
        yield FailedAttempt(
            device=by_id[row.device_id],
            kb=row.kb,
            attempt=row.attempt,
            failed_at=row.failed_at,
            code=row.error_code,
            is_uninstall=row.action is InstallAction.UNINSTALL,
        )


def _applied(plan: Plan, intent: Apply, desk: Desk) -> list[NewInstall]:
    releases = {release.platform: release for release in desk.situation.known(intent.kb)}
    installs = []
    for device in desk.store.rollout.candidates(plan.device_ids):
        if device.platform is None:
            continue
        attempts = desk.store.installs.failed_attempts(device.id, intent.kb, InstallAction.APPLY)
        release = releases[device.platform]
        installs.append(_new(desk, device, release, InstallAction.APPLY, attempts + 1, intent.reason))
    return installs


def _uninstalled(plan: Plan, intent: Uninstall, desk: Desk) -> list[NewInstall]:
    """The orders to remove it; what was removed stays off until the next baseline."""
    ways = desk.ways_back(intent.kb)
    installs = []
    for device in desk.store.rollout.candidates(plan.device_ids):
        if device.platform is None:
            continue
        way = ways[device.platform]
        new = _new(desk, device, way.release, InstallAction.UNINSTALL, 1, intent.reason)
        follow_up = way.lcu.kb if intent.after is After.LCU and way.lcu else None
        installs.append(replace(new, follow_up_kb=follow_up))
    why = f"{kb_text(intent.kb)} was uninstalled: {intent.reason}"
    desk.store.rollout.hold_until_baseline(plan.device_ids, why, desk.by, desk.now)
    return installs


def _retried(plan: Plan, intent: Retry, desk: Desk) -> list[NewInstall]:
    chosen = set(plan.device_ids)
    installs = []
    for attempt in _failed_attempts(intent, desk):
        device = attempt.device
        if device.id not in chosen or device.platform is None:
            continue
        chosen.discard(device.id)
        releases = {release.platform: release for release in desk.situation.known(attempt.kb)}
        action = InstallAction.UNINSTALL if attempt.is_uninstall else InstallAction.APPLY
        reason = intent.reason or "retry"
        installs.append(_new(desk, device, releases[device.platform], action, attempt.attempt + 1, reason))
    return installs


def _new(
    desk: Desk, device: Candidate, release: Release, action: InstallAction, attempt: int, reason: str
) -> NewInstall:
    return NewInstall(
        device_id=device.id,
        ring_id=device.ring_id,
        kb=release.kb,
        platform=release.platform,
        action=action,
        attempt=attempt,
        by_hand=True,
        requested_at=desk.now,
        requested_by=desk.by,
        build_before=device.build,
        follow_up_kb=None,
        reason=reason,
    )
