"""A failure group as people work on it: its service level, what a retry would do, who owns it, what is known. Pure.

`engine.situation.failures` makes the views; the failures screen, `hotpatch failures` and the plans of escalations read
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from engine.model.causes import Cause, RetryWorth
from engine.rules.failures.cases import Escalation, FailureCase, KnownProblem
from engine.rules.failures.errorcodes import code_text
from engine.rules.failures.factors import CommonFactor
from engine.rules.failures.groups import FailureGroup
from engine.rules.failures.sla import DEFAULT_TARGETS, Sla, SlaStage, SlaState, SlaTargets


class GroupSla(Struct, frozen=True):
    """How the failures of a group stand; stage, due time and state are those of the most urgent one."""

    stage: SlaStage
    due_at: datetime
    state: SlaState
    open: int
    """Failures whose devices are neither put right nor excluded."""
    due_soon: int
    overdue: int
    missed: Mapping[SlaStage, int]
    """How many were late, or are, for each stage."""


class RetryOutlook(Struct, frozen=True):
    """What a retry of the whole group by a person who has put right the cause would do."""

    now: int
    """Devices that may be tried again at once."""
    waiting: int
    """Devices whose back-off has not passed."""
    refused: int
    """Devices that are not tried again: the limit is reached, or it would end the same."""
    next_at: datetime | None
    """When the first of those waiting may be tried."""
    needs: str
    """What must be done first, ``the repair``; "" for nothing."""
    why: str
    """The commonest reason against it, in words; "" where all may be tried."""


class FailureGroupView(Struct, frozen=True):
    """A failure group with everything that is known and done about it."""

    group: FailureGroup
    sla: GroupSla
    retry: RetryOutlook
    escalations: tuple[Escalation, ...]
    """Open ones: of the group, and of devices in it."""
    known_problems: tuple[KnownProblem, ...]
    excluded: int
    """Devices of the group that the release is kept from."""

    @property
    def key(self) -> str:
        return self.group.key

    @property
    def cause(self) -> Cause:
        return self.group.cause

    @property
    def code(self) -> str:
        """``0x800F0922``."""
        return code_text(self.group.code)

    @property
    def symbol(self) -> str:
        return self.group.symbol

    @property
    def devices(self) -> int:
        return self.group.devices

    @property
    def common(self) -> tuple[CommonFactor, ...]:
        return self.group.common

    @property
    def remedy(self) -> str:
        return self.group.remedy

    @property
    def filter(self) -> str:
        """The filter that lists its devices."""
        return f"error:{self.code}"


def view_groups(
    groups: Iterable[FailureGroup],
    cases: Iterable[FailureCase],
    escalations: Sequence[tuple[Escalation, frozenset[int]]],
    problems: Sequence[KnownProblem],
    now: datetime,
    targets: SlaTargets = DEFAULT_TARGETS,
) -> tuple[FailureGroupView, ...]:
    """Join groups with the cases of their installs; escalations come with the ids of their devices."""
    by_code: dict[int, list[FailureCase]] = {}
    for case in cases:
        by_code.setdefault(case.code, []).append(case)
    views = []
    for group in groups:
        mine = by_code.get(group.code, [])
        devices = set(group.device_ids)
        views.append(
            FailureGroupView(
                # The group knows the attempts that are open; its failures may have begun with earlier ones.
                group=replace(
                    group, first_failed_at=min([group.first_failed_at, *(case.times.failed_at for case in mine)])
                ),
                sla=group_sla(mine, now, targets) or _unknown(group),
                retry=retry_outlook(mine, now, group.retry_after if group.retry is RetryWorth.AFTER_FIX else ""),
                escalations=tuple(
                    each for each, members in escalations if each.code == group.code or not members.isdisjoint(devices)
                ),
                known_problems=tuple(each for each in problems if each.is_about(group.code, group.kbs)),
                excluded=sum(case.is_excluded for case in mine),
            )
        )
    return tuple(views)


def group_sla(cases: Sequence[FailureCase], now: datetime, targets: SlaTargets = DEFAULT_TARGETS) -> GroupSla | None:
    """The service level of several failures together; None without any."""
    if not cases:
        return None
    judged = [(case, case.sla(now, targets)) for case in cases]
    states = [_state(case, sla) for case, sla in judged]
    opened = [
        (_RANK[state], sla.due_at, place)
        for place, ((case, sla), state) in enumerate(zip(judged, states, strict=True))
        if case.times.fixed_at is None
    ]
    _, _, place = min(opened, default=(0, now, 0))
    worst = judged[place][1]
    missed = Counter(stage for _, sla in judged for stage in sla.missed)
    is_open = [case.times.fixed_at is None for case in cases]
    return GroupSla(
        stage=worst.stage,
        due_at=worst.due_at,
        state=states[place] if opened else SlaState.OK,
        open=sum(is_open),
        due_soon=sum(state is SlaState.DUE_SOON and here for state, here in zip(states, is_open, strict=True)),
        overdue=sum(state is SlaState.OVERDUE and here for state, here in zip(states, is_open, strict=True)),
        missed={stage: missed[stage] for stage in SlaStage},
    )


def retry_outlook(cases: Iterable[FailureCase], now: datetime, needs: str = "") -> RetryOutlook:
    """What retrying these failures by hand would do."""
    allowed = waiting = refused = 0
    moments: list[datetime] = []
    reasons: Counter[str] = Counter()
    for case in cases:
        decision = case.retry(now)
        if decision.allowed:
            allowed += 1
            continue
        reasons[decision.why] += 1
        if decision.not_before is None:
            refused += 1
        else:
            waiting += 1
            moments.append(decision.not_before)
    why = reasons.most_common(1)[0][0] if reasons else ""
    return RetryOutlook(allowed, waiting, refused, min(moments, default=None), needs, why)


def escalation_due(
    cases: Sequence[FailureCase], now: datetime, targets: SlaTargets = DEFAULT_TARGETS
) -> datetime | None:
    """By when whoever is given these failures must have them put right; None without any that is open.

    It is the earliest time for the fix. Where that is past, the new owner gets the time that a first action may take.
    """
    opened = [case for case in cases if case.times.fixed_at is None]
    if not opened:
        return None
    earliest = min(case.due_at(SlaStage.FIX, targets) for case in opened)
    if earliest > now:
        return earliest
    return now + min(targets.target(case.severity, case.ring).act for case in opened)


def _state(case: FailureCase, sla: Sla) -> SlaState:
    """A failure whose later stage is late is overdue, whatever its next open stage says."""
    if any(case.times.done_at(stage) is None for stage in sla.missed):
        return SlaState.OVERDUE
    return sla.state


def _unknown(group: FailureGroup) -> GroupSla:
    return GroupSla(SlaStage.ACT, group.first_failed_at, SlaState.OK, 0, 0, 0, dict.fromkeys(SlaStage, 0))


_RANK = {SlaState.OVERDUE: 0, SlaState.DUE_SOON: 1, SlaState.OK: 2}
