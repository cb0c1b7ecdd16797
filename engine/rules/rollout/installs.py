"""The life of one install: the legal steps, and what a step means for the device. Pure.

queued ─► offered ─► downloading ─► installing ─► verifying ─► succeeded
   │         │                          └► restart-pending ─┘
   │         └► uninstalling ─► restart-pending ─► verifying ─► uninstalled
   └► cancelled (only what has not started)      any step that is not final ─► failed

Of a tenant's devices only the ends are told: offered ─► succeeded, failed or cancelled (`engine.tenants.status`).
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.model.errors import EngineError
from engine.model.model import DeviceState, InstallState

S = InstallState

STEPS: Mapping[InstallState, frozenset[InstallState]] = {
    S.QUEUED: frozenset({S.OFFERED, S.FAILED, S.CANCELLED}),
    S.OFFERED: frozenset({S.DOWNLOADING, S.UNINSTALLING, S.FAILED, S.CANCELLED}),
    S.DOWNLOADING: frozenset({S.INSTALLING, S.FAILED}),
    S.INSTALLING: frozenset({S.VERIFYING, S.RESTART_PENDING, S.FAILED}),
    S.UNINSTALLING: frozenset({S.RESTART_PENDING, S.FAILED}),
    S.RESTART_PENDING: frozenset({S.VERIFYING, S.FAILED}),
    S.VERIFYING: frozenset({S.SUCCEEDED, S.UNINSTALLED, S.FAILED}),
    S.SUCCEEDED: frozenset(),
    S.FAILED: frozenset(),
    S.UNINSTALLED: frozenset(),
    S.CANCELLED: frozenset(),
}
"""State → the states that may follow. Staying in a state with another stage or progress is always legal."""

NOT_STARTED = (S.QUEUED, S.OFFERED)
"""States in which nothing has happened on the device, so that taking back costs nothing."""


class IllegalStep(EngineError):
    """A provider reported a step that cannot follow the one before."""


def check_step(before: InstallState, after: InstallState) -> None:
    """Let a legal step pass.

    Raises:
        IllegalStep: the step cannot follow; the runner records the install as failed instead of believing it.
    """
    if before.is_final or (after is not before and after not in STEPS[before]):
        raise IllegalStep(f"An install cannot go from {before} to {after}.", "The provider's report is not legal.")


def device_state(active: InstallState | None, *, open_failure: bool, restart_pending: bool, held: bool) -> DeviceState:
    """What is going on with a device, in one word: work under way first, then what is wrong."""
    if active is not None:
        return WHILE[active]
    if open_failure:
        return DeviceState.FAILED
    if restart_pending:
        return DeviceState.RESTART_PENDING
    return DeviceState.HELD if held else DeviceState.IDLE


WHILE: Mapping[InstallState, DeviceState] = {
    S.QUEUED: DeviceState.QUEUED,
    S.OFFERED: DeviceState.QUEUED,
    S.DOWNLOADING: DeviceState.INSTALLING,
    S.INSTALLING: DeviceState.INSTALLING,
    S.VERIFYING: DeviceState.INSTALLING,
    S.UNINSTALLING: DeviceState.UNINSTALLING,
    S.RESTART_PENDING: DeviceState.RESTART_PENDING,
}
"""What goes on with a device while an install on it is in this state."""
