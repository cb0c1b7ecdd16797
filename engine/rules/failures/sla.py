"""Service levels of failures: by when somebody must have noticed, acted, and put it right. Pure.

The engine's reads call it for groups, devices and the overview. Hours run around the clock, weekends included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import product
from math import inf
from typing import Any

from msgspec import Struct, field

from engine.model.errors import BadInput
from engine.model.model import Severity


class SlaStage(StrEnum):
    """What has to happen to a failure, in this order."""

    DETECT = "detect"
    """The console knows of it; counts from the failure."""
    ACT = "act"
    """Somebody retried, excluded, escalated or planned a recovery; counts from the detection."""
    FIX = "fix"
    """The device is protected after all, or excluded; counts from the detection."""


class SlaState(StrEnum):
    OK = "ok"
    DUE_SOON = "due-soon"
    OVERDUE = "overdue"


class SlaTarget(Struct, frozen=True):
    """The time allowed for each stage."""

    detect: timedelta
    act: timedelta
    fix: timedelta

    def __post_init__(self) -> None:
        if not timedelta(0) < self.act <= self.fix or self.detect <= timedelta(0):
            raise BadInput(
                "The SLA targets do not fit together.",
                "Each must be longer than nothing, and the fix cannot be due before the first action.",
                "Set act to at most fix.",
                field="sla",
            )

    def seconds(self) -> SlaSeconds:
        """The same for many failures at once."""
        return (self.detect.total_seconds(), self.act.total_seconds(), self.fix.total_seconds())

    def allowed(self, stage: SlaStage) -> timedelta:
        """The time for one stage."""
        return {SlaStage.DETECT: self.detect, SlaStage.ACT: self.act, SlaStage.FIX: self.fix}[stage]


SlaSeconds = tuple[float, float, float]
"""The seconds allowed to detect, to act and to fix."""
SlaSpan = tuple[int, int, int | None, int | None, SlaSeconds]
"""A failure as bare numbers: when it failed, was detected, acted on and put right, in seconds since 1970, and the
time allowed. It has been detected in any case: the console knows of it."""

_HOURS, _DAYS = timedelta(hours=1), timedelta(days=1)


def _default_severities() -> Mapping[Severity, SlaTarget]:
    return {
        Severity.CRITICAL: SlaTarget(1 * _DAYS, 4 * _HOURS, 1 * _DAYS),
        Severity.IMPORTANT: SlaTarget(1 * _DAYS, 1 * _DAYS, 5 * _DAYS),
        Severity.MODERATE: SlaTarget(2 * _DAYS, 3 * _DAYS, 21 * _DAYS),
        Severity.LOW: SlaTarget(2 * _DAYS, 5 * _DAYS, 21 * _DAYS),
        Severity.UNRATED: SlaTarget(1 * _DAYS, 1 * _DAYS, 5 * _DAYS),
    }


class SlaTargets(Struct, frozen=True):
    """Targets by the severity of the release and by ring.

    The fix times are the three compliance marks: a day, five days, three weeks. Detection allows for devices that
    report once a day, and up to 48 hours end to end (Windows quality and feature update reports overview). Times to
    act are this project's judgement. "Unrated" is treated as important: nobody knows yet.
    """

    severities: Mapping[Severity, SlaTarget] = field(default_factory=_default_severities)
    act_pace: Mapping[str, float] = field(default_factory=lambda: {"test": 0.5, "first": 0.5, "ring 1": 0.5})
    """Ring name in lower case → factor on the time to act. Early rings are quicker: the rollout waits for them."""
    due_soon_share: float = 0.25
    """A stage is due soon in this last part of its time."""

    def target(self, severity: Severity, ring: str = "") -> SlaTarget:
        """The target for a failure of this severity in this ring; an unknown ring has no factor."""
        plain = self.severities.get(severity) or _default_severities()[severity]
        pace = self.act_pace.get(ring.strip().casefold(), 1.0)
        return plain if pace == 1.0 else SlaTarget(plain.detect, min(plain.fix, plain.act * pace), plain.fix)


DEFAULT_TARGETS = SlaTargets()


class FailureTimes(Struct, frozen=True):
    """When what happened to one failure; None where it has not."""

    failed_at: datetime
    detected_at: datetime | None = None
    acted_at: datetime | None = None
    fixed_at: datetime | None = None

    def done_at(self, stage: SlaStage) -> datetime | None:
        """When the stage was reached. A fix is an action, and what was acted on had been detected."""
        if stage is SlaStage.FIX:
            return self.fixed_at
        if stage is SlaStage.ACT:
            return _earliest(self.acted_at, self.fixed_at)
        return _earliest(self.detected_at, self.acted_at, self.fixed_at)


class Sla(Struct, frozen=True):
    """How one failure stands."""

    stage: SlaStage
    """The next stage that is open; FIX when all is done."""
    due_at: datetime
    state: SlaState
    missed: tuple[SlaStage, ...]
    """Stages that were late or are overdue, also those that have been reached since."""


class SlaSum(Struct, frozen=True):
    """How all open failures stand together; the due time is that of the most urgent one."""

    due_at: datetime
    open: int
    """Failures whose devices are neither put right nor excluded."""
    due_soon: int
    overdue: int
    missed: Mapping[SlaStage, int]
    """How many were late, or are, for each stage."""


class SlaSummary(Struct, frozen=True):
    """How many failures stand, for the overview. Times are medians of what has been reached."""

    open: int
    due_soon: int
    overdue: int
    missed: Mapping[SlaStage, int]
    typical: Mapping[SlaStage, timedelta | None]


def severity_for(worst: Severity, *, exploited: bool) -> Severity:
    """The severity that the SLA goes by: whatever is exploited already is critical."""
    return Severity.CRITICAL if exploited else worst


def due_at(
    stage: SlaStage, times: FailureTimes, severity: Severity, ring: str = "", targets: SlaTargets = DEFAULT_TARGETS
) -> datetime:
    """By when a stage must be reached."""
    return _start(stage, times) + targets.target(severity, ring).allowed(stage)


def sla_state(
    started_at: datetime,
    due: datetime,
    now: datetime,
    done_at: datetime | None = None,
    due_soon_share: float = DEFAULT_TARGETS.due_soon_share,
) -> SlaState:
    """Where a stage stands: judged by when it was done, otherwise by now. The due time itself is still in time."""
    if (done_at or now) > due:
        return SlaState.OVERDUE
    if done_at is None and now > due - (due - started_at) * due_soon_share:
        return SlaState.DUE_SOON
    return SlaState.OK


def judge(
    times: FailureTimes, severity: Severity, ring: str, now: datetime, targets: SlaTargets = DEFAULT_TARGETS
) -> Sla:
    """How one failure stands now: the next open stage, its due time and state, and every stage missed."""
    target = targets.target(severity, ring)
    detected, acted, fixed = times.done_at(SlaStage.DETECT), times.done_at(SlaStage.ACT), times.fixed_at
    allowed = (target.detect, target.act, target.fix)
    stage, begun, due, missed, _ = _stand(times.failed_at, detected, acted, fixed, allowed, now)
    return Sla(stage, due, sla_state(begun, due, now, fixed, targets.due_soon_share), missed)


def _stand(
    failed: Any, detected: Any, acted: Any, fixed: Any, allowed: tuple[Any, Any, Any], now: Any
) -> tuple[SlaStage, Any, Any, tuple[SlaStage, ...], bool]:
    """The next open stage, when it began and is due, the stages missed, and whether one of these is still open.

    Counts with moments and spans of time, and as well with bare seconds: a large fleet has several ten thousand.
    """
    detect, act, fix = allowed
    started = failed if detected is None else detected
    detect_due, act_due, fix_due = failed + detect, started + act, started + fix
    late_detect = (now if detected is None else detected) > detect_due
    late_act = (now if acted is None else acted) > act_due
    late_fix = (now if fixed is None else fixed) > fix_due
    missed = _MISSED[late_detect, late_act, late_fix]
    is_late = (late_fix and fixed is None) or (late_act and acted is None) or (late_detect and detected is None)
    if detected is None:
        return SlaStage.DETECT, failed, detect_due, missed, is_late
    if acted is None:
        return SlaStage.ACT, started, act_due, missed, is_late
    return SlaStage.FIX, started, fix_due, missed, is_late


_MISSED = {
    marks: tuple(stage for stage, mark in zip(SlaStage, marks, strict=True) if mark)
    for marks in product((False, True), repeat=3)
}


def sum_spans(spans: Iterable[tuple[SlaSpan, int]], now: datetime, due_soon_share: float) -> SlaSum | None:
    """How many failures stand together, each with how many are judged like it; None without any."""
    at = now.timestamp()
    missed = dict.fromkeys(_MISSED.values(), 0)
    open_count = soon = overdue = 0
    worst_overdue = worst_soon = worst_ok = inf
    for (failed, detected, acted, fixed, allowed), alike in spans:
        if fixed is not None and (acted is None or fixed < acted):
            acted = fixed
        if acted is not None and acted < detected:
            detected = acted
        _, begun, due, late_for, is_late = _stand(failed, detected, acted, fixed, allowed, at)
        missed[late_for] += alike
        if fixed is not None:
            continue
        open_count += alike
        if is_late:
            overdue += alike
            worst_overdue = min(worst_overdue, due)
        elif at > due - (due - begun) * due_soon_share:
            soon += alike
            worst_soon = min(worst_soon, due)
        else:
            worst_ok = min(worst_ok, due)
    if not any(missed.values()):
        return None
    first = next((each for each in (worst_overdue, worst_soon, worst_ok) if each < inf), at)
    return SlaSum(
        due_at=datetime.fromtimestamp(first, UTC),
        open=open_count,
        due_soon=soon,
        overdue=overdue,
        missed={stage: sum(n for stages, n in missed.items() if stage in stages) for stage in SlaStage},
    )


def summarise_sla(
    failures: Iterable[tuple[FailureTimes, Severity, str]], now: datetime, targets: SlaTargets = DEFAULT_TARGETS
) -> SlaSummary:
    """Counts and typical times over failures, each with its severity and ring.

    `overdue` and `due_soon` count open failures by the next open stage; a failure whose fix is overdue counts too.
    """
    open_count = soon = overdue = 0
    missed = dict.fromkeys(SlaStage, 0)
    took: dict[SlaStage, list[timedelta]] = {stage: [] for stage in SlaStage}
    for times, severity, ring in failures:
        sla = judge(times, severity, ring, now, targets)
        for stage in SlaStage:
            if (done := times.done_at(stage)) is not None:
                took[stage].append(max(timedelta(0), done - _start(stage, times)))
        for stage in sla.missed:
            missed[stage] += 1
        if times.fixed_at is None:
            open_count += 1
            late = any(times.done_at(stage) is None for stage in sla.missed)
            overdue += late
            soon += not late and sla.state is SlaState.DUE_SOON
    return SlaSummary(open_count, soon, overdue, missed, {stage: _median(spans) for stage, spans in took.items()})


def _start(stage: SlaStage, times: FailureTimes) -> datetime:
    if stage is SlaStage.DETECT:
        return times.failed_at
    return times.done_at(SlaStage.DETECT) or times.failed_at


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _median(spans: list[timedelta]) -> timedelta | None:
    if not spans:
        return None
    spans = sorted(spans)
    middle = len(spans) // 2
    return spans[middle] if len(spans) % 2 else (spans[middle - 1] + spans[middle]) / 2
