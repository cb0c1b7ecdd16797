from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.model import DeviceState, InstallState
from engine.rules.rollout.installs import (
    NOT_STARTED,
    STEPS,
    IllegalStep,
    check_step,
    device_state,
    was_hotpatched,
)

states = st.sampled_from(list(InstallState))


@given(states, states)
def test_only_the_drawn_steps_are_legal(before: InstallState, after: InstallState) -> None:
    legal = not before.is_final and (after is before or after in STEPS[before])
    if legal:
        check_step(before, after)
    else:
        with pytest.raises(IllegalStep):
            check_step(before, after)


def test_every_state_can_be_reached_and_every_life_can_end() -> None:
    reached = {InstallState.QUEUED}
    for _ in STEPS:
        reached |= {after for state in reached for after in STEPS[state]}
    assert reached == set(InstallState)
    for state in InstallState:
        assert state.is_final == (not STEPS[state])
        assert state.is_final or InstallState.FAILED in STEPS[state]


def test_only_what_has_not_started_can_be_cancelled() -> None:
    assert {state for state in STEPS if InstallState.CANCELLED in STEPS[state]} == set(NOT_STARTED)


@given(st.booleans(), st.booleans(), st.booleans())
def test_work_under_way_hides_what_is_wrong(open_failure: bool, restart_pending: bool, held: bool) -> None:
    def told(active: InstallState | None) -> DeviceState:
        return device_state(active, open_failure=open_failure, restart_pending=restart_pending, held=held)

    assert told(InstallState.DOWNLOADING) is DeviceState.INSTALLING
    assert told(InstallState.QUEUED) is DeviceState.QUEUED
    if open_failure:
        assert told(None) is DeviceState.FAILED
    elif restart_pending:
        assert told(None) is DeviceState.RESTART_PENDING
    else:
        assert told(None) is (DeviceState.HELD if held else DeviceState.IDLE)


@pytest.mark.parametrize(
    ("boot_after", "restart_pending", "build_changed", "proven"),
    [(1, False, True, True), (2, False, True, False), (1, True, True, False), (1, False, False, False)],
)
def test_a_hotpatch_is_proven_by_all_three_signs(
    boot_after: int, restart_pending: bool, build_changed: bool, proven: bool
) -> None:
    before, after = (datetime(2026, 5, day, tzinfo=UTC) for day in (1, boot_after))
    assert was_hotpatched(before, after, restart_pending=restart_pending, build_changed=build_changed) is proven
