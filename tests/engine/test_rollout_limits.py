"""What holds in the very moment, and at the very number, at which a rollout's rules change their mind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.model.build import Platform
from engine.model.model import Approval, DeviceState, Gate, Release, ReleaseKind, Ring
from engine.rules.rollout.deadlines import Lateness, deadline_of
from engine.rules.rollout.gates import (
    ConditionState,
    GateVerdict,
    RingCounts,
    RingFacts,
    RingStanding,
    count_ring,
    is_stopped,
    judge_gate,
    next_change_at,
    standings,
    valid_approval,
)
from engine.rules.rollout.windows import is_open, next_window, parse_window

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
SIGNED = Approval(1, 5, ("R",), "tested", "mia", NOW - 9 * DAY)


def ring_facts(gate: Gate, counts: RingCounts, **more: Any) -> RingFacts:
    known = {"succeeded": 0, "failed": 0, "share_reached_at": None, "opened_at": None, "approval": None, **more}
    return RingFacts(Ring(1, "R", 1, 2, 2, 2, 0, gate), counts, **known)


def state_of(condition: str, facts: RingFacts, now: datetime = NOW) -> ConditionState:
    return next(each.state for each in judge_gate(facts, now).conditions if each.name == condition)


# --- counts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("excluded", "left"),
    [
        (2, RingCounts(installed=4, pending=1, not_ready=4)),
        (3, RingCounts(installed=4, not_ready=5)),
        (9, RingCounts(installed=4, not_ready=5)),
    ],
)
def test_only_devices_that_wait_are_excluded(excluded: int, left: RingCounts) -> None:
    assert RingCounts(installed=4, pending=3, not_ready=2).without(excluded) == left


@pytest.mark.parametrize(
    ("failed", "left"),
    [
        (2, RingCounts(installed=4, failed=3, pending=1, not_ready=2)),
        (4, RingCounts(installed=4, failed=5, not_ready=1)),
        (9, RingCounts(installed=4, failed=6)),
    ],
)
def test_failures_are_taken_from_those_that_wait_and_then_from_those_not_ready(failed: int, left: RingCounts) -> None:
    assert RingCounts(installed=4, failed=1, pending=3, not_ready=2).with_failed(failed) == left


@pytest.mark.parametrize(
    ("kind", "state", "counted"),
    [
        (ReleaseKind.HOTPATCH, DeviceState.IDLE, RingCounts(pending=1)),
        (ReleaseKind.HOTPATCH, DeviceState.HELD, RingCounts(not_ready=1)),
        (ReleaseKind.HOTPATCH, DeviceState.QUEUED, RingCounts(active=1)),
        (ReleaseKind.HOTPATCH, DeviceState.RESTART_PENDING, RingCounts(not_ready=1)),
        (ReleaseKind.BASELINE, DeviceState.IDLE, RingCounts(pending=1)),
        (ReleaseKind.BASELINE, DeviceState.HELD, RingCounts(pending=1)),
        (ReleaseKind.BASELINE, DeviceState.RESTART_PENDING, RingCounts(active=1)),
    ],
)
def test_a_device_is_counted_by_what_goes_on_with_it(
    kind: ReleaseKind, state: DeviceState, counted: RingCounts
) -> None:
    release = Release(5, Platform.WIN11_24H2, kind, "2026-05", NOW, None, (), False, "test")
    assert count_ring([(False, True, state, 1)], release) == counted
    assert count_ring([(True, True, state, 1)], release) == RingCounts(installed=1)


# --- gates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("installed", "state"), [(8, ConditionState.HOLDS), (7, ConditionState.WAITING)])
def test_the_share_is_reached_with_its_last_device(installed: int, state: ConditionState) -> None:
    counts = RingCounts(installed=installed, pending=10 - installed)
    assert state_of("installed", ring_facts(Gate(min_installed_share=0.8), counts)) is state


@pytest.mark.parametrize(("failed", "state"), [(5, ConditionState.HOLDS), (6, ConditionState.FAILING)])
def test_as_many_failures_as_are_allowed_are_allowed(failed: int, state: ConditionState) -> None:
    gate = Gate(max_failed_share=0.25, min_sample=10)
    facts = ring_facts(gate, RingCounts(installed=10), succeeded=20 - failed, failed=failed)
    assert state_of("failed", facts) is state


@pytest.mark.parametrize(("ended", "state"), [(10, ConditionState.FAILING), (9, ConditionState.HOLDS)])
def test_failures_count_from_the_smallest_sample_on(ended: int, state: ConditionState) -> None:
    facts = ring_facts(Gate(max_failed_share=0.1, min_sample=10), RingCounts(installed=10), failed=ended)
    assert state_of("failed", facts) is state


@pytest.mark.parametrize(("late", "state"), [(SECOND * 0, ConditionState.HOLDS), (-SECOND, ConditionState.WAITING)])
def test_a_soak_is_over_at_its_end(late: timedelta, state: ConditionState) -> None:
    reached = ring_facts(Gate(soak_hours=24), RingCounts(installed=10), share_reached_at=NOW - DAY)
    assert state_of("soak", reached, NOW + late) is state


@pytest.mark.parametrize(
    ("now", "failed", "holds_at"), [(NOW - SECOND, 0, NOW), (NOW - SECOND, 9, None), (NOW, 0, None)]
)
def test_a_gate_holds_by_time_alone_where_nothing_but_its_soak_is_missing(
    now: datetime, failed: int, holds_at: datetime | None
) -> None:
    gate = Gate(soak_hours=24, max_failed_share=0.1, min_sample=1)
    facts = ring_facts(gate, RingCounts(installed=10), share_reached_at=NOW - DAY, failed=failed)
    assert judge_gate(facts, now).holds_at == holds_at


@pytest.mark.parametrize(
    ("approval", "opened_at", "waits_for"),
    [
        (None, None, ""),
        (SIGNED, None, "ring R"),
        (SIGNED, NOW, "gate of ring R: installed 0% (0 of 4), needs at least 80%"),
        (None, NOW, "gate of ring R: installed 0% (0 of 4), needs at least 80%"),
    ],
)
def test_the_gate_before_a_ring_is_that_of_one_with_an_approval_or_open_already(
    approval: Approval | None, opened_at: datetime | None, waits_for: str
) -> None:
    gate = Gate(min_installed_share=0.8)
    before = ring_facts(gate, RingCounts(pending=4), approval=approval, opened_at=opened_at)
    _, found = standings(NOW - 9 * DAY, [before, ring_facts(gate, RingCounts(pending=4), approval=SIGNED)], NOW)
    assert found.waits_for == waits_for


@pytest.mark.parametrize(
    ("stop_kb", "stop_ring", "stopped"),
    [
        (None, None, True),
        (5, None, True),
        (6, None, False),
        (None, "r", True),
        (5, "r", True),
        (6, "r", False),
        (None, "Broad", False),
        (5, "Broad", False),
    ],
)
def test_a_stop_holds_for_the_release_and_the_ring_that_it_names(
    stop_kb: int | None, stop_ring: str | None, stopped: bool
) -> None:
    assert is_stopped([(stop_kb, stop_ring, "a finding")], 5, "R") == ("a finding" if stopped else "")


@pytest.mark.parametrize(("late", "waits_for"), [(SECOND * 0, ""), (-SECOND, "deferral")])
def test_a_ring_may_open_in_the_second_in_which_its_deferral_ends(late: timedelta, waits_for: str) -> None:
    facts = ring_facts(Gate(), RingCounts(pending=4), approval=SIGNED)
    (found,) = standings(NOW - 2 * DAY, [facts], NOW + late)
    assert (found.opens_at, found.waits_for) == (NOW, waits_for)


def test_what_is_due_now_is_no_change_to_come() -> None:
    facts = ring_facts(Gate(), RingCounts(pending=4), approval=SIGNED)
    gate_at = [GateVerdict((), NOW + DAY), GateVerdict((), None)]
    earlier, waiting = (RingStanding(facts, NOW, verdict, "") for verdict in gate_at)
    assert next_change_at([waiting], NOW) is None
    assert next_change_at([waiting], NOW - SECOND) == NOW
    assert next_change_at([earlier, waiting], NOW) == NOW + DAY
    assert next_change_at([earlier, waiting], NOW + DAY) is None
    assert next_change_at([earlier, waiting], NOW - SECOND) == NOW


@pytest.mark.parametrize("known", [{"opened_at": NOW}, {"approval": None}, {"stopped": "a finding"}])
def test_time_alone_opens_no_ring_that_is_open_or_stopped_or_that_nobody_approved(known: dict[str, Any]) -> None:
    facts = ring_facts(Gate(), RingCounts(pending=4), **{"approval": SIGNED, **known})
    assert next_change_at([RingStanding(facts, NOW + DAY, GateVerdict((), None), "")], NOW) is None


@pytest.mark.parametrize(("late", "valid"), [(SECOND * 0, False), (-SECOND, True)])
def test_an_approval_has_ended_in_the_second_of_its_end(late: timedelta, valid: bool) -> None:
    ends = Approval(1, 5, ("R",), "tested", "mia", NOW - DAY, expires_at=NOW)
    assert (valid_approval([ends], 5, "R", NOW + late) is ends) is valid
    assert ends.is_valid(NOW + late) is valid


def test_an_approval_begins_in_the_second_of_its_beginning() -> None:
    begins = Approval(1, 5, ("R",), "tested", "mia", NOW - DAY, not_before=NOW)
    assert begins.is_valid(NOW)
    assert not begins.is_valid(NOW - SECOND)


# --- deadlines ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "seen_after", "lateness"),
    [
        (-SECOND, -SECOND, Lateness.DUE),
        (SECOND * 0, -SECOND, Lateness.AWAY),
        (SECOND * 0, SECOND * 0, Lateness.GRACE),
        (2 * DAY - SECOND, DAY, Lateness.GRACE),
        (2 * DAY, DAY, Lateness.OVERDUE),
    ],
)
def test_lateness_changes_at_the_deadline_and_at_the_end_of_the_grace(
    after: timedelta, seen_after: timedelta, lateness: Lateness
) -> None:
    deadline = deadline_of(Ring(1, "R", 1, 0, 3, 2, 0, Gate()), NOW - 3 * DAY)
    assert deadline.deadline_at == NOW
    assert deadline.lateness(NOW + seen_after, NOW + after) is lateness


# --- windows --------------------------------------------------------------------------------------------


def test_a_window_is_open_from_its_first_second_to_the_one_before_its_end() -> None:
    window = parse_window("daily 09:00-17:00 UTC")
    assert window is not None
    ends = NOW + timedelta(hours=8)
    assert [is_open(window, at) for at in (NOW - SECOND, NOW, ends - SECOND, ends)] == [False, True, True, False]
    assert next_window(window, ends) == (NOW + DAY, ends + DAY)
