"""The questions about the rollout: rings, approvals, installs, recoveries, deadlines, holds, health, ring conflicts."""

from __future__ import annotations

from datetime import datetime

from engine.model.model import UNDER_WAY, Approval, DeviceState, Verdict
from engine.model.records.fleet import ActiveInstall, GateCondition, RingProgress, RingRow
from engine.model.records.rollout import HandsRow, HealthRow, LateDevice, RecoveryProgress, RingConflict
from engine.reads.devices import DeviceReads
from engine.reads.room import Room
from engine.rules.evidence.missing import why_missing
from engine.rules.plans.holds import Hold
from engine.rules.rollout.approvals import SETTING, ApprovalPolicy, policy_from_text
from engine.rules.rollout.deadlines import Lateness, deadline_of
from engine.rules.rollout.gates import ConditionState, RingStanding
from engine.rules.rollout.offers import TAKES_HOTPATCHES, takes
from engine.situation.situation import Situation
from engine.store.health import CONTROL
from engine.store.late import MissingRow
from engine.store.recovery import MemberRow, RecoveryRow
from engine.store.rollout import StopRow

_LIST = 200
"""Names that a read gives at most where it also counts."""
_SILENT_DAYS = 7
"""A device of a recovery that has not been heard from for so long needs hands."""


class RolloutReads(Room, frozen=True):
    """Rings and what happens in them."""

    def rings(self) -> tuple[RingRow, ...]:
        """Rings with their members, whatever the release."""
        counts, tenancies = DeviceReads(self.store, self.clock).counts(), self._situation().tenancies
        rows = []
        for ring in self.store.rollout.rings():
            mine = [each for each in counts if each.ring == ring.name]
            rows.append(
                RingRow(
                    ring=ring,
                    devices=sum(each.devices for each in mine),
                    ready=sum(each.devices for each in mine if each.verdict is Verdict.READY),
                    protected=sum(each.devices for each in mine if each.protected),
                    failed=sum(each.devices for each in mine if each.state is DeviceState.FAILED),
                    active=sum(each.devices for each in mine if each.state in UNDER_WAY),
                    tenant=tenancies.side(ring.id) if tenancies is not None else None,
                )
            )
        return tuple(rows)

    def approvals(self, kb: int | None = None) -> tuple[Approval, ...]:
        return self.store.rollout.approvals(kb)

    def stops(self) -> tuple[StopRow, ...]:
        """Pauses and halts that have not been lifted."""
        return self.store.rollout.stops()

    def active(self, limit: int = 200) -> tuple[ActiveInstall, ...]:
        """Installs that are under way."""
        return self.store.installs.active(limit)

    def ring_progress(self, kb: int | None = None) -> tuple[RingProgress, ...]:
        """How far releases have come, ring by ring: one release, or all that are current.

        Raises:
            NotFound: this release is not published.
        """
        situation = self._situation()
        kbs = [kb] if kb is not None else self._current_kbs(situation)
        return tuple(
            _ring_progress(each, standing, situation) for each in kbs for standing in situation.standings(each)
        )

    def _current_kbs(self, situation: Situation) -> list[int]:
        """What the rings are about now: the newest hotpatch or baseline of each platform, and what is approved."""
        current = []
        for levels in situation.all_levels().values():
            newest = levels.current_hotpatch() or levels.baseline
            if newest is not None:
                current.append(newest.kb)
        approved = [
            each.kb
            for each in situation.approvals
            if each.is_valid(situation.now)
            and any(r.kb == each.kb and situation.newer(r) is None for r in situation.releases)
        ]
        return list(dict.fromkeys([*current, *approved]))

    def policy(self) -> ApprovalPolicy:
        """The rules for approvals."""
        return policy_from_text(self.store.state.setting(SETTING))

    def safeguards(self) -> tuple[Hold, ...]:
        """Safeguard holds in force, oldest first."""
        return self.store.safeguards.in_force()

    def ring_conflicts(self, limit: int = _LIST) -> tuple[RingConflict, ...]:
        """Devices that several rings claim by filter, or that stand by hand elsewhere than where they match."""
        return self.store.members.conflicts(self.store.rollout.rings(), self.clock.now(), limit)

    def recoveries(self) -> tuple[RecoveryProgress, ...]:
        """Every recovery, the latest first."""
        return tuple(self._recovery(row) for row in reversed(self.store.recovery.all()))

    def recovery(self, kb: int) -> RecoveryProgress | None:
        """The latest recovery from a release; None when there was none.

        Raises:
            NotFound: the release is not published.
        """
        self._situation().known(kb)
        rows = self.store.recovery.all(kb)
        return self._recovery(rows[-1]) if rows else None

    def _recovery(self, row: RecoveryRow) -> RecoveryProgress:
        counts = self.store.recovery.standings(row)
        now = self.clock.now()
        hands = [_failed(each) for each in self.store.recovery.members(row, "hands", _LIST)]
        silent = [
            _silent(each, each.last_seen_at)
            for each in self.store.recovery.members(row, "waiting", _LIST)
            if each.last_seen_at is None or (now - each.last_seen_at).days >= _SILENT_DAYS
        ]
        steps = 2 if row.then == "lcu" else 1
        before = sum(counts.get(each, 0) for each in ("waiting", "uninstalling", "restart-pending"))
        left = before * steps + counts.get("protecting", 0)
        return RecoveryProgress(
            id=row.id,
            kb=row.kb,
            then=row.then,
            reason=row.reason,
            begun_by=row.begun_by,
            begun_at=row.begun_at,
            ended_at=row.ended_at,
            devices=sum(counts.values()),
            waiting=counts.get("waiting", 0),
            uninstalling=counts.get("uninstalling", 0),
            restart_pending=counts.get("restart-pending", 0),
            protecting=counts.get("protecting", 0),
            done=counts.get("done", 0),
            needs_hands=counts.get("hands", 0),
            restarts_done=self.store.recovery.restarts(row),
            restarts_left=left,
            hands=(*hands, *silent),
        )

    def health(self, kb: int) -> tuple[HealthRow, ...]:
        """The latest comparison of patched with not patched devices, ring by ring; empty where nothing is told."""
        situation = self._situation()
        taken_at, readings = self.store.health.latest(kb)
        verdicts = situation.health(kb)
        if taken_at is None:
            return ()
        rows = []
        for ring in situation.rings:
            if (verdict := verdicts.get(ring.id)) is None:
                continue
            names = [name for each in readings if each.ring_id == ring.id != CONTROL for name in each.names]
            rows.append(
                HealthRow(
                    ring.name, kb, taken_at, verdict.patched, verdict.control, verdict.anomalies, tuple(names[:_LIST])
                )
            )
        return tuple(rows)

    def late_devices(self, kb: int, *, overdue_only: bool = True, limit: int = _LIST) -> tuple[LateDevice, ...]:
        """Devices of open rings without a release that they can take, and how they stand towards its deadline.

        The worst first: overdue, away, in grace, due. Who is not ready for a hotpatch has no deadline for it.

        Raises:
            NotFound: the release is not published.
        """
        situation = self._situation()
        openings = self.store.rollout.openings()
        found: list[LateDevice] = []
        for release in situation.known(kb):
            for ring in situation.rings:
                if (opened_at := openings.get((kb, ring.id))) is None:
                    continue
                deadline = deadline_of(ring, opened_at)
                if overdue_only and deadline.deadline_at > situation.now:
                    continue
                for row in self.store.late.missing(release, ring.id, situation.now, limit):
                    lateness = deadline.lateness(row.last_seen_at, situation.now)
                    is_silent = lateness is Lateness.AWAY and row.verdict not in TAKES_HOTPATCHES
                    if not takes(release.kind, row.verdict) and not is_silent:
                        continue
                    if overdue_only and lateness not in (Lateness.OVERDUE, Lateness.AWAY):
                        continue
                    found.append(_late(row, kb, lateness, deadline.deadline_at, situation.now))
        order = list(Lateness)
        found.sort(key=lambda each: (order.index(Lateness(each.lateness)), each.deadline_at, each.device_name))
        return tuple(found[:limit])


def _late(row: MissingRow, kb: int, lateness: Lateness, deadline_at: datetime, now: datetime) -> LateDevice:
    why = why_missing(row, is_hotpatch=False)
    if lateness is Lateness.AWAY:
        why = f"not heard from since {row.last_seen_at:%a %d %b %H:%M} UTC" if row.last_seen_at else "never heard from"
    elif row.restart_pending_since is not None:
        why = f"restart pending for {max(1, int((now - row.restart_pending_since).total_seconds() // 3600))} h"
    return LateDevice(
        device_id=row.device_id,
        device_name=row.name,
        user=row.user,
        ring=row.ring,
        kb=kb,
        lateness=lateness,
        deadline_at=deadline_at,
        why=why,
        restart_pending_since=row.restart_pending_since,
    )


def _failed(row: MemberRow) -> HandsRow:
    code = f" with 0x{row.error_code:08X}" if row.error_code is not None else ""
    return HandsRow(row.device_id, row.name, row.ring, f"a step failed{code}", row.error_code)


def _silent(row: MemberRow, seen_at: datetime | None) -> HandsRow:
    since = f"since {seen_at:%d %b %Y}" if seen_at else "ever"
    return HandsRow(row.device_id, row.name, row.ring, f"not heard from {since}", None)


def _ring_progress(kb: int, standing: RingStanding, situation: Situation) -> RingProgress:
    facts = standing.facts
    is_open = facts.opened_at is not None
    counts = facts.counts
    return RingProgress(
        ring=facts.ring,
        kb=kb,
        devices=counts.devices,
        installed=counts.installed,
        failed=counts.failed,
        active=counts.active,
        not_ready=counts.not_ready,
        pending=counts.pending,
        approved=facts.approval is not None,
        opens_at=standing.opens_at,
        opened_at=facts.opened_at,
        stopped=facts.stopped,
        waits_for=standing.waits_for,
        behind=standing.behind,
        gate=tuple(
            GateCondition(each.name, each.needed, each.value, each.state is ConditionState.HOLDS)
            for each in standing.gate.conditions
        ),
        wave=situation.wave(facts, kb).words if is_open else "",
        deadline_at=deadline_of(facts.ring, facts.opened_at).deadline_at if facts.opened_at else None,
        tenant=situation.tenancies.side(facts.ring.id) if situation.tenancies is not None else None,
    )
