"""Recoveries: begun by a person, then driven: every device that runs the bad release is ordered back, and protected.

The runner calls `Recovering` each turn, so that no device is lost: one that finishes installing late, comes back from
leave, or whose order was cancelled by a halt is taken up then. A failure waits for a person and is never retried by
itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.changes.before_after import Standing, of_stops
from engine.changes.desk import Desk, lcu_of_month
from engine.model.build import kb_text
from engine.model.intents import After, Plan, Recover, RecoveryIntent, StopKind
from engine.model.model import InstallAction, Release
from engine.rules.plans.recover import RecoveryFacts, plan_recover
from engine.rules.rollout.windows import window_text
from engine.situation.audit import record
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.installs import NewInstall
from engine.store.recovery import RecoveryRow


def plan(intent: RecoveryIntent, desk: Desk) -> Plan:
    plan = _recover(intent, desk)
    return desk.tenants.recover(plan, intent) if desk.tenants else plan


def write(_plan: Plan, intent: RecoveryIntent, desk: Desk) -> int:
    store, now = desk.store, desk.now
    if not any(kb == intent.kb and ring is None for kb, ring, _ in desk.situation.stops):
        store.rollout.add_stop(StopKind.HALT, intent.kb, None, f"recovery: {intent.reason}", desk.by, now)
    desk.cancel_waiting(intent.kb, None)
    number = store.recovery.add(intent.kb, intent.then, intent.target, intent.reason, desk.by, now)
    recovery = next(each for each in store.recovery.all(intent.kb) if each.id == number)
    return Recovering(store).order(recovery, Situation(store, now))


def standing(_plan: Plan, intent: RecoveryIntent, store: Store) -> Standing:
    recoveries = [f"{each.id}: {kb_text(each.kb)}" for each in store.recovery.all(intent.kb, open_only=True)]
    return {"recoveries": recoveries, **of_stops(store)}


def _recover(intent: Recover, desk: Desk) -> Plan:
    """Which devices a recovery would lead back."""
    store, situation = desk.store, desk.situation
    ways = desk.ways_back(intent.kb)
    running = {each for way in ways.values() for each in store.recovery.running(way.release)}
    installing = set(store.recovery.installing(intent.kb))
    if not intent.target.is_empty:
        wanted = set(situation.target_ids(intent.target))
        running &= wanted
        installing &= wanted
    facts = RecoveryFacts(
        ways=ways,
        having=tuple(store.rollout.candidates(sorted(running))),
        installing=len(installing - running),
        waiting=store.installs.waiting(intent.kb, None),
        windows={ring.name: window_text(ring.window) for ring in situation.rings if ring.window is not None},
        is_open=bool(store.recovery.all(intent.kb, open_only=True)),
        is_stopped=any(kb in (None, intent.kb) and ring is None for kb, ring, _ in situation.stops),
    )
    return plan_recover(intent, facts, desk.number)


class Recovering:
    """The recoveries that go on."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def drive(self, now: datetime) -> int:
        """Order what is due in every open recovery; returns how many installs were queued."""
        recoveries = self._store.recovery.all(open_only=True)
        if not recoveries:
            return 0
        situation = Situation(self._store, now)
        did = 0
        for each in recoveries:
            if self._is_over(each, situation):
                did += self._end(each, now)
                continue
            if self._has_work(each, situation):
                with self._store.transaction():
                    did += self.order(each, situation)
                    self._store.state.count_change()
        return did

    def order(self, recovery: RecoveryRow, situation: Situation) -> int:
        """Queue what one recovery lacks; call it inside a transaction. Returns how many installs."""
        queued = 0
        for release in situation.known(recovery.kb):
            leaving = self._leaving(recovery, release, situation)
            joined = self._store.recovery.join(recovery.id, leaving, situation.now)
            self._store.rollout.hold_until_baseline(
                joined, f"recovered from {release.name}: {recovery.reason}", recovery.begun_by, situation.now
            )
            lcu = lcu_of_month(situation.releases, release) if recovery.then is After.LCU else None
            queued += self._queue(recovery, release, InstallAction.UNINSTALL, leaving, situation.now, lcu)
            if lcu is not None:
                waiting = self._store.recovery.to_protect(recovery.id, release, lcu)
                queued += self._queue(recovery, lcu, InstallAction.APPLY, waiting, situation.now, None)
        return queued

    def _has_work(self, recovery: RecoveryRow, situation: Situation) -> bool:
        for release in situation.known(recovery.kb):
            if self._leaving(recovery, release, situation):
                return True
            lcu = lcu_of_month(situation.releases, release) if recovery.then is After.LCU else None
            if lcu is not None and self._store.recovery.to_protect(recovery.id, release, lcu):
                return True
        return False

    def _leaving(self, recovery: RecoveryRow, release: Release, situation: Situation) -> Sequence[int]:
        """Devices that run the release and are not being worked on, within the recovery's target."""
        if not release.kind.is_hotpatch:
            return ()
        found = self._store.recovery.to_uninstall(release)
        if not found or recovery.target.is_empty:
            return found
        wanted = set(situation.target_ids(recovery.target))
        return [each for each in found if each in wanted]

    def _queue(
        self,
        recovery: RecoveryRow,
        release: Release,
        action: InstallAction,
        device_ids: Sequence[int],
        now: datetime,
        follow_up: Release | None,
    ) -> int:
        queued = self._store.installs.queue(
            NewInstall(
                device_id=device.id,
                ring_id=device.ring_id,
                kb=release.kb,
                platform=release.platform,
                action=action,
                attempt=self._store.installs.failed_attempts(device.id, release.kb, action) + 1,
                by_hand=action is InstallAction.UNINSTALL,
                requested_at=now,
                requested_by=recovery.begun_by,
                build_before=device.build,
                follow_up_kb=follow_up.kb if follow_up else None,
                reason=f"recovery from {kb_text(recovery.kb)}: {recovery.reason}",
            )
            for device in list(self._store.rollout.candidates(device_ids))
        )
        self._store.installs.refresh_device_states(device_ids)
        return queued

    def _is_over(self, recovery: RecoveryRow, situation: Situation) -> bool:
        """A newer baseline leads the last devices on: nothing remains to be led back."""
        newer = [_newer_baseline(situation, release) for release in situation.known(recovery.kb)]
        return all(newer)

    def _end(self, recovery: RecoveryRow, now: datetime) -> int:
        with self._store.transaction():
            self._store.recovery.end(recovery.id, now)
            left = {name: n for name, n in self._store.recovery.standings(recovery).items() if name != "done"}
            record(
                self._store,
                now,
                "recovery-ended",
                f"The recovery from {kb_text(recovery.kb)} ended: a newer baseline is out",
                kb=recovery.kb,
                devices=sum(left.values()),
                details={"not done": left},
            )
            self._store.state.count_change()
        return 1


def _newer_baseline(situation: Situation, release: Release) -> bool:
    baseline = situation.levels(release.platform).baseline
    return baseline is not None and baseline.released_at > release.released_at
