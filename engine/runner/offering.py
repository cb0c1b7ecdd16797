"""Opens rings, halts what fails its gate, and offers releases to the devices that are due; the runner calls it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.model.build import kb_text
from engine.model.intents import StopKind
from engine.model.model import InstallAction, Release
from engine.rules.rollout.gates import RingStanding, next_change_at, valid_approval
from engine.rules.rollout.offers import as_good
from engine.rules.rollout.waves import room
from engine.situation.audit import ACTOR, open_ring, record
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.installs import NewInstall

BATCH = 500
"""Offers a transaction: short enough that an operator's change never waits long for the file."""


class Offering:
    """The rollout's hands: what `engine.rules.rollout.gates` finds due is done here."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def next_at(self, now: datetime) -> datetime | None:
        """When time alone may open another ring."""
        situation = Situation(self._store, now)
        moments: list[datetime | None] = []
        openings = self._store.rollout.openings()
        for kb in self._open_kbs(situation):
            waits = [ring for ring in situation.rings if (kb, ring.id) not in openings or len(ring.waves) > 1]
            if not any(valid_approval(situation.approvals, kb, ring.name, now) for ring in waits):
                continue
            found = situation.standings(kb)
            moments.append(next_change_at(found, now))
            moments += [
                situation.wave(each.facts, kb).opens_at
                for each in found
                if each.facts.opened_at is not None and not each.facts.stopped
            ]
        return min((each for each in moments if each is not None), default=None)

    def roll_out(self, now: datetime) -> int:
        """Do what is due now; returns how many rings were opened and devices queued."""
        return sum(self._advance(kb, now) for kb in self._open_kbs(Situation(self._store, now)))

    def _open_kbs(self, situation: Situation) -> list[int]:
        """Releases with an approval in force that are current on some platform."""
        approved = dict.fromkeys(each.kb for each in situation.approvals if each.withdrawn_at is None)
        return [kb for kb in approved if any(r.kb == kb and situation.newer(r) is None for r in situation.releases)]

    def _advance(self, kb: int, now: datetime) -> int:
        """Open the rings of one release that are due, halt it when a gate fails, offer it where it is open."""
        situation = Situation(self._store, now)
        found = situation.standings(kb)
        releases = [release for release in situation.known(kb) if situation.newer(release) is None]
        did = 0
        for index, standing in enumerate(found):
            facts = standing.facts
            if facts.approval is None or not facts.approval.is_valid(now) or facts.stopped:
                continue
            if facts.opened_at is None and standing.waits_for:
                continue
            if self._halt_if_failing(kb, found[: index + 1], now):
                return did + 1
            if facts.opened_at is None:
                self._open(kb, standing, found[:index], now)
                did += 1
                did += self._replace_waiting(kb, facts.ring.id, situation)
            did += self._offer(releases, standing, situation)
        return did

    def _open(self, kb: int, standing: RingStanding, before: Sequence[RingStanding], now: datetime) -> None:
        with self._store.transaction():
            open_ring(self._store, kb, standing, before, now)

    def _halt_if_failing(self, kb: int, found: Sequence[RingStanding], now: datetime) -> bool:
        for standing in found:
            failing = standing.gate.failing
            if failing is None or standing.facts.stopped:
                continue
            ring = standing.facts.ring.name
            why = f"gate of ring {ring}: {failing.name} {failing.value}, needs {failing.needed}"
            with self._store.transaction():
                self._store.rollout.add_stop(StopKind.HALT, kb, None, why, ACTOR, now)
                devices = self._store.installs.cancel_waiting(now, kb, None)
                self._store.installs.refresh_device_states(devices)
                self._suspend(kb, now)
                record(
                    self._store,
                    now,
                    "halt",
                    f"{kb_text(kb)} was halted by itself",
                    kb=kb,
                    rings=(ring,),
                    devices=len(devices),
                    reason=why,
                    details={"before": {"release": "not halted"}, "after": {"release": "halted"}},
                )
                self._store.state.count_change()
            return True
        return False

    def _suspend(self, kb: int, now: datetime) -> None:
        """A halt reaches the tenants too."""
        situation = Situation(self._store, now)
        if situation.tenancies is None:
            return
        from engine.changes.tenant_wishes import TenantWishes

        tenancies = situation.tenancies
        asked = TenantWishes(self._store, tenancies, situation).suspending(kb, situation.rings)
        if asked.refusal is None:
            self._store.tenant_requests.add(asked.requests, tenancies.ring_ids(), ACTOR, now)
            return
        why = f"{asked.refusal.why} {asked.refusal.instead}"
        summary = f"The halt of {kb_text(kb)} was not sent to a tenant: its devices go on as its policies say"
        record(self._store, now, "tenant-not-asked", summary, kb=kb, reason=why)

    def _replace_waiting(self, kb: int, ring_id: int, situation: Situation) -> int:
        """An out-of-band release opens in mid-rollout: what has not started of the one it replaces never does."""
        replaced = {
            older.kb
            for release in situation.known(kb)
            for older in situation.releases
            if older.platform is release.platform and older.kb != kb and situation.newer(older) == kb
        }
        did = 0
        for older_kb in sorted(replaced):
            with self._store.transaction():
                devices = self._store.installs.cancel_waiting(situation.now, older_kb, [ring_id])
                if devices:
                    self._store.installs.refresh_device_states(devices)
                    self._store.state.count_change()
            did += len(devices)
        return did

    def _offer(self, releases: Sequence[Release], standing: RingStanding, situation: Situation) -> int:
        """Queue the devices of an open ring that are due, up to its wave and its limits in flight."""
        ring, now = standing.facts.ring, situation.now
        approval = standing.facts.approval
        limited = ring.max_in_flight or ring.max_share_in_flight
        in_flight = self._store.rollout.in_flight(ring.id) if limited else 0
        queued = 0
        for release in releases:
            wave = situation.wave(standing.facts, release.kb)
            left = room(ring, standing.facts.counts, standing.facts.failed, wave, in_flight, BATCH) - queued
            if left <= 0:
                break
            levels = situation.levels(release.platform)
            devices = self._store.rollout.offerable(
                release,
                ring.id,
                now,
                left,
                withheld=situation.withheld(release.kb),
                spread=len(ring.waves) > 1,
                baseline_first=situation.is_after_baseline(release, levels, ring),
                as_good=as_good(release, levels),
            )
            if not devices:
                continue
            with self._store.transaction():
                queued += self._store.installs.queue(
                    NewInstall(
                        device_id=device.id,
                        ring_id=ring.id,
                        kb=release.kb,
                        platform=release.platform,
                        action=InstallAction.APPLY,
                        attempt=1,
                        by_hand=False,
                        requested_at=now,
                        requested_by=ACTOR,
                        build_before=device.build,
                        follow_up_kb=None,
                        reason=f"rollout, approved by {approval.approved_by}" if approval else "rollout",
                    )
                    for device in devices
                )
                self._store.installs.refresh_device_states([device.id for device in devices])
                self._store.state.count_change()
        return queued
