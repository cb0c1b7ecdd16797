from __future__ import annotations

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
