"""The whole life of one install on a simulated device, written before it is lived.

The same order gives the same life in any process and at any time, so a provider that is killed has forgotten nothing.
Steps are legal by `engine.rules.rollout.installs`, their times rise and their progress never falls; a stage names one
step only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from engine.model.build import OsBuild, Platform
from engine.model.model import DeviceFacts, FormFactor, InstallAction, InstallState, VbsState, Window
from engine.providers.base import InstallReport, Order
from engine.providers.simulated.draws import between, pick, share, spread, words
from engine.providers.simulated.faults import Faults
from engine.providers.simulated.presence import Absence, in_maintenance_window, is_dark, on_from
from engine.rules.rollout.windows import next_window

S = InstallState

WAIT_FOR_SCAN = "waiting for the next scan"
WAIT_FOR_DEVICE = "device is switched off"
NO_CHECK_IN = "device does not check in"
RESTART_BY_USER = "waiting for a restart"
RESTART_BY_NIGHT = "waiting for the maintenance window"
AFTER_RESTART = "finish after the restart"
DONE = "done"

SCAN_EVERY = timedelta(hours=4)
GIVE_UP_AFTER = timedelta(days=14)
"""How long an order waits for a device that never checks in."""
TIMED_OUT = 0x80240021
HOTPATCH_REFUSED = 0xC00000BB
"""STATUS_NOT_SUPPORTED of the kernel's NtManageHotPatch: no hotpatch without VBS."""


class Phase(Struct, frozen=True):
    """A stage of an install: what it counts for, and how many seconds it may take."""

    state: InstallState
    stage: str
    progress: int
    shortest: int
    longest: int


_HOTPATCH = (
    Phase(S.OFFERED, "offered", 2, 5, 60),
    Phase(S.DOWNLOADING, "find content", 4, 10, 40),
    Phase(S.DOWNLOADING, "download package", 8, 45, 380),
    Phase(S.DOWNLOADING, "check package", 38, 5, 20),
    Phase(S.INSTALLING, "verify signature", 42, 5, 25),
    Phase(S.INSTALLING, "prepare", 50, 10, 60),
    Phase(S.INSTALLING, "redirect functions", 62, 3, 15),
    Phase(S.INSTALLING, "drain old calls", 74, 5, 180),
    Phase(S.VERIFYING, "verify", 90, 20, 90),
)
_CUMULATIVE = (
    Phase(S.OFFERED, "offered", 2, 5, 60),
    Phase(S.DOWNLOADING, "find content", 4, 10, 60),
    Phase(S.DOWNLOADING, "download package", 6, 240, 1_500),
    Phase(S.DOWNLOADING, "check package", 36, 15, 60),
    Phase(S.INSTALLING, "verify signature", 40, 5, 30),
    Phase(S.INSTALLING, "update servicing stack", 44, 40, 180),
    Phase(S.INSTALLING, "stage components", 52, 240, 1_200),
    Phase(S.RESTART_PENDING, RESTART_BY_USER, 80, 0, 0),
    Phase(S.VERIFYING, AFTER_RESTART, 90, 180, 720),
)
_UNINSTALL = (
    Phase(S.OFFERED, "offered", 2, 5, 60),
    Phase(S.UNINSTALLING, "find package", 10, 10, 40),
    Phase(S.UNINSTALLING, "remove package", 30, 60, 300),
    Phase(S.RESTART_PENDING, RESTART_BY_USER, 70, 0, 0),
    Phase(S.VERIFYING, AFTER_RESTART, 90, 60, 300),
)

_Failure = tuple[str, int]
_DOWNLOAD_FAILURES: list[tuple[_Failure, int]] = [
    (("find content", 0x8024402C), 10),
    (("find content", 0x80072EE2), 6),
    (("download package", 0x80D02002), 18),
    (("download package", 0x80246007), 5),
    (("check package", 0x80070070), 8),
    (("verify signature", 0x800B0100), 2),
]
_HOTPATCH_FAILURES = spread(
    [
        *_DOWNLOAD_FAILURES,
        (("prepare", HOTPATCH_REFUSED), 12),
        (("prepare", 0x80073712), 12),
        (("prepare", 0x80240016), 5),
        (("redirect functions", 0x800F0922), 9),
        (("redirect functions", 0x80070020), 8),
        (("drain old calls", 0x800F0920), 5),
    ]
)
_CUMULATIVE_FAILURES = spread(
    [
        *_DOWNLOAD_FAILURES,
        (("update servicing stack", 0x800F0823), 6),
        (("stage components", 0x80073712), 14),
        (("stage components", 0x800F0831), 7),
        (("stage components", 0x80070643), 7),
        ((AFTER_RESTART, 0x800F0922), 12),
        ((AFTER_RESTART, 0x80242014), 5),
    ]
)
_UNINSTALL_FAILURES = spread(
    [
        (("find package", 0x800F0825), 2),
        (("remove package", 0x80073712), 2),
        ((AFTER_RESTART, 0x80242014), 1),
    ]
)


def script(order: Order, seed: int, faults: Faults) -> tuple[InstallReport, ...]:
    """Every step of the order's life, the last one final.

    A function of seed, device, release, action, attempt and time of request, and of facts that an install does not
    change (form, site, VBS). The order's state and stage play no part.
    """
    device = order.device
    if is_dark(device.name):
        return _never(order)
    word = words(f"{seed}/{device.name}/{order.release.kb}/{order.action}/{order.attempt}")
    life = _Life(order, Absence.of(device.name, seed, faults))
    life.wait_for_offer(word)
    failure = _failure(order, faults, word)
    for index, phase in enumerate(_phases(order)):
        life.enter(phase, word[4 + index], word[14])
        if failure is not None and failure[0] == phase.stage:
            life.end(S.FAILED, error_code=failure[1])
            break
    else:
        is_apply = order.action is InstallAction.APPLY
        life.end(S.SUCCEEDED if is_apply else S.UNINSTALLED, build=order.result_build or _own_build(order))
    return life.reports()


def _own_build(order: Order) -> OsBuild | None:
    return order.release.build if order.action is InstallAction.APPLY else None


def _phases(order: Order) -> Sequence[Phase]:
    if order.action is InstallAction.UNINSTALL:
        return _UNINSTALL
    return _HOTPATCH if order.release.kind.is_hotpatch else _CUMULATIVE


def _failure(order: Order, faults: Faults, word: tuple[int, ...]) -> _Failure | None:
    """At which stage this attempt fails, and with which code; None when it succeeds."""
    if order.action is InstallAction.UNINSTALL:
        return pick(_UNINSTALL_FAILURES, word[1]) if share(word[0]) < _chance(order, faults) / 2 else None
    is_hotpatch = order.release.kind.is_hotpatch
    needs_vbs = is_hotpatch and order.release.platform is not Platform.SERVER_2022
    if needs_vbs and order.device.vbs in (VbsState.OFF, VbsState.NOT_RUNNING):
        return "prepare", HOTPATCH_REFUSED
    if order.release.kb in faults.failing_kbs:
        # Drawn from the device alone: a device that the release breaks on is not cured by trying again.
        unlucky = share(words(f"fragile/{order.device.name}/{order.release.kb}")[0]) < faults.failing_share
        return ("redirect functions" if is_hotpatch else "stage components", faults.failing_code) if unlucky else None
    if share(word[0]) >= _chance(order, faults):
        return None
    failure = pick(_HOTPATCH_FAILURES if is_hotpatch else _CUMULATIVE_FAILURES, word[1])
    return ("prepare", 0x80073712) if failure[1] == HOTPATCH_REFUSED and not needs_vbs else failure


def _chance(order: Order, faults: Faults) -> float:
    return faults.failure_share if order.attempt <= 1 else faults.retry_failure_share


def _never(order: Order) -> tuple[InstallReport, ...]:
    """The life of an order to a device that has left: it waits, and then it is given up."""
    begins_at = _begin(order)
    ends_at = begins_at + GIVE_UP_AFTER
    return (
        InstallReport(order.install_id, begins_at, S.QUEUED, NO_CHECK_IN, 0, ends_at),
        InstallReport(order.install_id, ends_at, S.FAILED, NO_CHECK_IN, 0, None, TIMED_OUT),
    )


def _begin(order: Order) -> datetime:
    """Whole seconds, as the store keeps them: a step must be due at the very second that was told."""
    return datetime.fromtimestamp(math.ceil(order.requested_at.timestamp()), UTC)


class _Step(NamedTuple):
    at: datetime
    state: InstallState
    stage: str
    progress: int
    error_code: int | None
    build: OsBuild | None
    boot_at: datetime | None


class _Life:
    """Writes the steps down, one after the other, each when the one before has taken its time."""

    def __init__(self, order: Order, absence: Absence | None) -> None:
        self._order = order
        self._device: DeviceFacts = order.device
        self._absence = absence
        self._at = _begin(order)
        self._steps: list[_Step] = []

    def wait_for_offer(self, word: tuple[int, ...]) -> None:
        """By hand within minutes, else at the device's next scan, and always only while it is switched on."""
        order = self._order
        if order.by_hand:
            scan_at = self._at + timedelta(0, between(60, 240, word[2]))
        else:
            phase = between(0, int(SCAN_EVERY.total_seconds()) - 1, words(f"scan/{self._device.name}")[0])
            passed = (int(self._at.timestamp()) - phase) % int(SCAN_EVERY.total_seconds())
            scan_at = self._at + SCAN_EVERY - timedelta(0, passed)
        on_at = self._there(on_from(self._device, scan_at))
        # The user does not start the computer and the scan in the same second.
        offered_at = scan_at if on_at == scan_at else on_at + timedelta(0, between(60, 900, word[3]))
        self._write(S.QUEUED, WAIT_FOR_SCAN if on_at == scan_at else WAIT_FOR_DEVICE, 0)
        self._at = offered_at

    def enter(self, phase: Phase, word: int, restart_word: int) -> None:
        """Begin a phase, and let the time pass that it takes."""
        self._at = self._there(self._at)
        if phase.state is S.RESTART_PENDING:
            self._write(phase.state, self._restart_stage(), phase.progress)
            self._at = self._there(self._restart_at(restart_word))
            return
        boot_at = self._at if phase.stage == AFTER_RESTART else None
        self._write(phase.state, phase.stage, phase.progress, boot_at=boot_at)
        self._at += timedelta(0, between(phase.shortest, phase.longest, word))

    def end(self, state: InstallState, *, error_code: int | None = None, build: OsBuild | None = None) -> None:
        """Write the final step; a failure stays at the stage and the progress where it happened."""
        self._at = self._there(self._at)
        last = self._steps[-1]
        failed = state is S.FAILED
        self._write(
            state, last.stage if failed else DONE, last.progress if failed else 100, error_code=error_code, build=build
        )

    def reports(self) -> tuple[InstallReport, ...]:
        """The steps, each with the time of the next."""
        later = [step.at for step in self._steps[1:]]
        return tuple(
            InstallReport(
                self._order.install_id,
                step.at,
                step.state,
                step.stage,
                step.progress,
                next_at,
                step.error_code,
                step.build,
                step.boot_at,
            )
            for step, next_at in zip(self._steps, [*later, None], strict=True)
        )

    def _there(self, at: datetime) -> datetime:
        return at if self._absence is None else self._absence.after(at)

    def _restart_stage(self) -> str:
        by_night = self._order.window is not None or self._device.form is FormFactor.SERVER
        return RESTART_BY_NIGHT if by_night else RESTART_BY_USER

    def _restart_at(self, word: int) -> datetime:
        """In the ring's window, where it has one. Else servers in the next night; people within their working day,
        or when they start in the morning."""
        if self._order.window is not None:
            return self._in_window(self._order.window, word)
        if self._device.form is FormFactor.SERVER:
            return in_maintenance_window(self._device, self._at, word)
        wished = self._at + timedelta(0, between(900, 9 * 3_600, word))
        return on_from(self._device, wished)

    def _in_window(self, window: Window, word: int) -> datetime:
        """A moment in the first window in which the device is there; a device is woken for its window."""
        at = self._at
        while True:
            begin, end = next_window(window, at)
            earliest = max(begin, at)
            moment = earliest + timedelta(0, int((end - earliest).total_seconds()) * word >> 32)
            if (there := self._there(moment)) == moment:
                return moment
            at = there

    def _write(
        self,
        state: InstallState,
        stage: str,
        progress: int,
        *,
        error_code: int | None = None,
        build: OsBuild | None = None,
        boot_at: datetime | None = None,
    ) -> None:
        self._steps.append(_Step(self._at, state, stage, progress, error_code, build, boot_at))
