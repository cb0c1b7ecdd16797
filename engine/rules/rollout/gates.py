"""Rings and gates as pure decisions: given this standing and this time, what is due.

The runner acts on them, the screens show them, a forecast runs them ahead of time. Nothing here reads or writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from engine.model.model import UNDER_WAY, Approval, DeviceState, Gate, Release, Ring, Verdict
from engine.model.records.fleet import RingBefore
from engine.rules.rollout.health import HealthVerdict
from engine.rules.rollout.offers import takes


class RingCounts(Struct, frozen=True):
    """Devices of a ring towards one release; every device of its platforms is in exactly one of the five."""

    installed: int = 0
    failed: int = 0
    active: int = 0
    not_ready: int = 0
    """Cannot be offered the release: not ready, held, or not reporting."""
    pending: int = 0

    @property
    def devices(self) -> int:
        return self.installed + self.failed + self.active + self.not_ready + self.pending

    @property
    def offerable(self) -> int:
        """Devices that the release can reach: the denominator of the installed share."""
        return self.devices - self.not_ready

    def withheld(self) -> RingCounts:
        """The same devices under a safeguard hold: what waits cannot be offered the release."""
        return replace(self, not_ready=self.not_ready + self.pending, pending=0)

    def without(self, devices: int) -> RingCounts:
        """The same, when so many of those that wait are excluded from the release."""
        excluded = min(devices, self.pending)
        return replace(self, not_ready=self.not_ready + excluded, pending=self.pending - excluded)

    def with_failed(self, devices: int) -> RingCounts:
        """The same, when so many of those that do not have the release have failed to install this very release."""
        of_pending = min(devices, self.pending)
        of_others = min(devices - of_pending, self.not_ready)
        return replace(
            self,
            failed=self.failed + of_pending + of_others,
            pending=self.pending - of_pending,
            not_ready=self.not_ready - of_others,
        )

    def plus(self, other: RingCounts) -> RingCounts:
        return RingCounts(
            self.installed + other.installed,
            self.failed + other.failed,
            self.active + other.active,
            self.not_ready + other.not_ready,
            self.pending + other.pending,
        )


class ConditionState(StrEnum):
    """HOLDS lets pass, WAITING may hold later by itself, FAILING needs a person."""

    HOLDS = "holds"
    WAITING = "waiting"
    FAILING = "failing"


class GateTest(Struct, frozen=True):
    """One condition of a gate."""

    name: str
    needed: str
    value: str
    state: ConditionState


class GateVerdict(Struct, frozen=True):
    """What a ring's gate says to the ring after it."""

    conditions: tuple[GateTest, ...]
    holds_at: datetime | None
    """When time alone will make it hold; None when it holds already or needs more than time."""

    @property
    def holds(self) -> bool:
        return all(each.state is ConditionState.HOLDS for each in self.conditions)

    @property
    def failing(self) -> GateTest | None:
        return next((each for each in self.conditions if each.state is ConditionState.FAILING), None)


class RingFacts(Struct, frozen=True):
    """What the engine knows of one ring towards one release, before any decision."""

    ring: Ring
    counts: RingCounts
    succeeded: int
    failed: int
    """Installs of this release that ended in this ring; open failures only."""
    share_reached_at: datetime | None
    """When the gate's installed share was reached; None when it is not."""
    opened_at: datetime | None
    approval: Approval | None
    """The valid approval that covers the ring."""
    stopped: str = ""
    """Why the ring is paused or halted for this release."""
    health: HealthVerdict | None = None
    """How its patched devices fare; None where no provider tells."""
    unsigned: str = ""
    """Who has approved it, where a second person must sign yet."""
    tenant: str = ""
    """The provider whose policies carry the ring: it paces itself and waits for no other ring."""
    asked: str = ""
    """What the tenant has not taken yet, in words; "" when nothing."""


class RingStanding(Struct, frozen=True):
    """A ring's facts with what follows from them."""

    facts: RingFacts
    opens_at: datetime | None
    """When deferral and approval let it open; None without an approval."""
    gate: GateVerdict
    waits_for: str
    """Why it has not opened, in words; "" when it has or may."""
    behind: RingBefore | None = None
    """The earlier ring, where `waits_for` tells of one."""


def opens_at(released_at: datetime, ring: Ring, approval: Approval) -> datetime:
    """Release plus deferral, but not before it was approved or the approval begins."""
    moments = [released_at + timedelta(days=ring.deferral_days), approval.approved_at]
    moments += [each for each in (approval.not_before, approval.seconded_at) if each is not None]
    return max(moments)


def sample_needed(gate: Gate, counts: RingCounts) -> int:
    """How many installs make up the gate's installed share."""
    return math.ceil(gate.min_installed_share * counts.offerable)


def judge_gate(facts: RingFacts, now: datetime) -> GateVerdict:
    """Whether a ring has shown what the next one waits for.

    A ring that the release cannot reach at all holds: no device is offered it, so there is nothing to learn.
    """
    gate, counts = facts.ring.gate, facts.counts
    if counts.offerable == 0:
        nothing = GateTest("devices", "at least one", "none to offer it to", ConditionState.HOLDS)
        return GateVerdict((nothing,), None)
    installed = _installed_condition(gate, counts, facts)
    failed = _failed_condition(gate, facts)
    soak, soak_ends = _soak_condition(gate, facts, now)
    conditions = (installed, failed, soak, *_health_condition(gate, facts))
    only_soak = soak.state is ConditionState.WAITING and all(
        each.state is ConditionState.HOLDS for each in conditions if each is not soak
    )
    return GateVerdict(conditions, soak_ends if only_soak else None)


def _installed_condition(gate: Gate, counts: RingCounts, facts: RingFacts) -> GateTest:
    share = counts.installed / counts.offerable
    holds = facts.share_reached_at is not None or counts.installed >= sample_needed(gate, counts)
    return GateTest(
        "installed",
        f"at least {gate.min_installed_share:.0%}",
        f"{share:.0%} ({counts.installed} of {counts.offerable})",
        ConditionState.HOLDS if holds else ConditionState.WAITING,
    )


def _failed_condition(gate: Gate, facts: RingFacts) -> GateTest:
    ended = facts.succeeded + facts.failed
    share = facts.failed / ended if ended else 0.0
    too_many = share > gate.max_failed_share
    state = ConditionState.FAILING if too_many and ended >= gate.min_sample else ConditionState.HOLDS
    return GateTest(
        "failed",
        f"at most {gate.max_failed_share:.0%} of {gate.min_sample} or more",
        f"{share:.0%} ({facts.failed} of {ended})",
        state,
    )


def _soak_condition(gate: Gate, facts: RingFacts, now: datetime) -> tuple[GateTest, datetime | None]:
    needed = f"{gate.soak_hours} h after the share is reached"
    if gate.soak_hours == 0:
        return GateTest("soak", "none", "none needed", ConditionState.HOLDS), None
    if facts.share_reached_at is None:
        return GateTest("soak", needed, "not begun", ConditionState.WAITING), None
    ends = facts.share_reached_at + timedelta(hours=gate.soak_hours)
    passed = now - facts.share_reached_at
    state = ConditionState.HOLDS if now >= ends else ConditionState.WAITING
    hours = int(passed.total_seconds() // 3600)
    return GateTest("soak", needed, f"{hours} h", state), ends


def _health_condition(gate: Gate, facts: RingFacts) -> tuple[GateTest, ...]:
    """No condition where nothing is known of health; it fails only on what a comparison has shown."""
    health = facts.health
    if not gate.judge_health or health is None:
        return ()
    needed = "patched devices fare like those not patched"
    if health.anomalies:
        return (GateTest("health", needed, "; ".join(health.anomalies), ConditionState.FAILING),)
    compared = f"{health.patched} patched with {health.control} not patched"
    value = f"nothing stands out, {compared}" if health.is_judged else f"too few to judge, {compared}"
    return (GateTest("health", needed, value, ConditionState.HOLDS),)


def standings(released_at: datetime, rings: Sequence[RingFacts], now: datetime) -> tuple[RingStanding, ...]:
    """Each ring's standing towards one release, first ring first.

    The gate before a ring is that of the nearest earlier ring that the release is approved for or open in:
    a ring nobody approved it for cannot hold the others up.
    """
    found: list[RingStanding] = []
    before: RingStanding | None = None
    for facts in rings:
        moment = opens_at(released_at, facts.ring, facts.approval) if facts.approval else None
        standing = RingStanding(facts, moment, judge_gate(facts, now), "")
        wait = _waits_for(standing, before, now)
        if isinstance(wait, RingBefore):
            standing = replace(standing, waits_for=wait.words, behind=wait)
        else:
            standing = replace(standing, waits_for=wait)
        found.append(standing)
        if facts.approval is not None or facts.opened_at is not None:
            before = standing
    return tuple(found)


def _waits_for(standing: RingStanding, before: RingStanding | None, now: datetime) -> str | RingBefore:
    facts = standing.facts
    if facts.opened_at is not None:
        return ""
    if facts.approval is None or standing.opens_at is None:
        return f"a second person beside {facts.unsigned}" if facts.unsigned else "approval"
    if facts.stopped:
        return facts.stopped
    if now < standing.opens_at:
        return "deferral" if facts.ring.deferral_days else "its time"
    if facts.tenant:
        return facts.asked
    if before is not None and before.facts.opened_at is None:
        return RingBefore(before.facts.ring.name)
    if before is not None and not before.gate.holds:
        waiting = next(each for each in before.gate.conditions if each.state is not ConditionState.HOLDS)
        return RingBefore(before.facts.ring.name, f"{waiting.name} {waiting.value}, needs {waiting.needed}")
    return ""


def next_change_at(found: Sequence[RingStanding], now: datetime) -> datetime | None:
    """The next time at which time alone may open a ring; None when none will."""
    moments: list[datetime] = []
    for index, standing in enumerate(found):
        if standing.facts.opened_at is not None or standing.facts.approval is None or standing.facts.stopped:
            continue
        if standing.opens_at is not None and standing.opens_at > now:
            moments.append(standing.opens_at)
        moments.extend(
            earlier.gate.holds_at
            for earlier in found[:index]
            if earlier.gate.holds_at is not None and earlier.gate.holds_at > now
        )
    return min(moments, default=None)


def count_ring(cells: Iterable[tuple[bool, bool, str, int]], release: Release) -> RingCounts:
    """The five counts from ``(has the build, ready, state, devices)`` of one ring and platform.

    Whom a release is meant for is decided in `offers`; a device that takes hotpatches does not count towards an
    ordinary LCU. A device with a failed install waits or is not ready here like any other: whether it was this release
    that failed, `with_failed` is told.
    """
    installed = active = not_ready = pending = 0
    for has_build, ready, state, devices in cells:
        is_meant = takes(release.kind, Verdict.READY if ready else Verdict.NOT_READY)
        if has_build:
            installed += devices
        elif state == DeviceState.RESTART_PENDING and release.kind.is_hotpatch:
            not_ready += devices  # some earlier change waits for a restart; a hotpatch itself never does
        elif state in UNDER_WAY:
            active += devices
        elif not release.kind.is_hotpatch:
            pending += devices if is_meant else 0
        elif is_meant and state != DeviceState.HELD:
            pending += devices
        else:
            not_ready += devices
    return RingCounts(installed, 0, active, not_ready, pending)


def is_stopped(stops: Iterable[tuple[int | None, str | None, str]], kb: int, ring: str) -> str:
    """Why a release is stopped in a ring, "" when it is not; stops are ``(kb, ring, words)``."""
    for stop_kb, stop_ring, words in stops:
        if stop_kb in (None, kb) and (stop_ring is None or stop_ring.casefold() == ring.casefold()):
            return words
    return ""


def unsigned_by(approvals: Iterable[Approval], kb: int, ring: str, now: datetime) -> str:
    """Who has approved a release for a ring without the second person that policy asks for; "" for nobody."""
    signed = (replace(each, seconded_at=now) for each in approvals if not each.is_signed)
    found = valid_approval(signed, kb, ring, now)
    return found.approved_by if found else ""


def valid_approval(approvals: Iterable[Approval], kb: int, ring: str, now: datetime) -> Approval | None:
    """The approval that lets a release into a ring now or, with `not_before`, later."""
    for each in approvals:
        if each.kb != kb or each.withdrawn_at is not None or not each.is_signed:
            continue
        if each.expires_at is not None and each.expires_at <= now:
            continue
        if any(ring.casefold() == name.casefold() for name in each.rings):
            return each
    return None
