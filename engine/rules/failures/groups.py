"""Failures by cause, then code, then what the devices have in common. Pure.

The engine's reads call it with rows of the store and base counts; the failures screen and `hotpatch failures` show it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from engine.model.causes import Cause, RetryWorth
from engine.rules.failures.errorcodes import ErrorKnowledge, code_text, explain
from engine.rules.failures.factors import BaseRates, CommonFactor, FactorRules, common_factors

BaseFor = Callable[[Mapping[int, int]], BaseRates | None]
"""KB → how many devices of a group failed at it; → base rates of the devices that attempted these releases."""

_SAMPLE = 5


class FailedInstall(Struct, frozen=True):
    """One install that failed, with the traits of its device."""

    install_id: int
    device_id: int
    device_name: str
    kb: int
    code: int
    """Signed or unsigned; 0 where the device told none."""
    failed_at: datetime
    attempts: int
    traits: Mapping[str, str]
    """``model``, ``driver``, ``site``, ``build``, ``ring``, ``platform``, ``architecture``, ``form``; "" is unknown."""


class FailureGroup(Struct, frozen=True):
    """All failures with one code, and so with one cause and one next step."""

    key: str
    """``network/0x8024402C``; stays the same while failures come and go."""
    cause: Cause
    code: int
    symbol: str
    meaning: str
    remedy: str
    retry: RetryWorth
    retry_after: str
    known: bool
    """False where the code is not in the table and its cause is a guess."""
    devices: int
    device_ids: tuple[int, ...]
    install_ids: tuple[int, ...]
    sample: tuple[str, ...]
    """The first few device names in the order of the alphabet."""
    kbs: tuple[int, ...]
    attempts: int
    """The most attempts that any of its installs has had."""
    common: tuple[CommonFactor, ...]
    first_failed_at: datetime
    last_failed_at: datetime


class CauseSummary(Struct, frozen=True):
    """One class of cause over all its codes, and what its devices have in common whatever the code."""

    cause: Cause
    devices: int
    installs: int
    codes: tuple[int, ...]
    """Most devices first."""
    common: tuple[CommonFactor, ...]
    first_failed_at: datetime
    last_failed_at: datetime


class CauseStanding(Struct, frozen=True):
    """One class of cause as an overview tells it."""

    cause: Cause
    devices: int
    codes: tuple[int, ...]
    """Most devices first."""
    shared: str
    """What most devices of one of its codes have in common, "" when nothing stands out: ``10 of 11 are Surface``."""
    remedy: str
    """What to do about the commonest of its codes."""


def cause_standings(groups: Sequence[FailureGroup]) -> tuple[CauseStanding, ...]:
    """Groups summed by cause, most devices first; a device counts once however many codes it has."""
    devices: dict[Cause, set[int]] = {}
    for group in groups:
        devices.setdefault(group.cause, set()).update(group.device_ids)
    shared = shared_by_code(groups)
    return standings_of(
        {group.code: group.devices for group in groups}, {cause: len(found) for cause, found in devices.items()}, shared
    )


def shared_by_code(groups: Iterable[FailureGroup]) -> dict[int, str]:
    """Code → the strongest thing that its devices share, in words."""
    return {group.code: f"{group.common[0].share_text} are {group.common[0].value}" for group in groups if group.common}


def standings_of(
    by_code: Mapping[int, int], by_cause: Mapping[Cause, int], shared: Mapping[int, str]
) -> tuple[CauseStanding, ...]:
    """The same from counted devices: by code, by cause, and what the devices of a code share."""
    codes: dict[Cause, list[int]] = {}
    for code in sorted(by_code, key=lambda code: (-by_code[code], code)):
        codes.setdefault(explain(code).cause, []).append(code)
    found = [
        CauseStanding(
            cause=cause,
            devices=by_cause[cause],
            codes=tuple(mine),
            shared=next((shared[code] for code in mine if code in shared), ""),
            remedy=explain(mine[0]).remedy,
        )
        for cause, mine in codes.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.devices, each.cause)))


def group_failures(
    failures: Iterable[FailedInstall], base: BaseRates | BaseFor | None, rules: FactorRules | None = None
) -> tuple[FailureGroup, ...]:
    """One group a code; the cause with the most devices first, within it the code with the most devices.

    `base` is one population for all, or is asked for each group's own KBs. Without it nothing is said about what
    devices share.
    """
    by_code: dict[int, list[FailedInstall]] = {}
    for failure in failures:
        by_code.setdefault(failure.code % (1 << 32), []).append(failure)
    groups = [_group(explain(code), members, base, rules, len(by_code)) for code, members in by_code.items()]
    weight: dict[Cause, int] = {}
    for group in groups:
        weight[group.cause] = weight.get(group.cause, 0) + group.devices
    groups.sort(key=lambda group: (-weight[group.cause], group.cause, -group.devices, group.code))
    return tuple(groups)


def summarise_causes(
    failures: Iterable[FailedInstall], base: BaseRates | BaseFor | None, rules: FactorRules | None = None
) -> tuple[CauseSummary, ...]:
    """One summary a cause, most devices first; finds what is shared where each single code has too few devices."""
    by_cause: dict[Cause, list[FailedInstall]] = {}
    for failure in failures:
        by_cause.setdefault(explain(failure.code).cause, []).append(failure)
    summaries = [_summary(cause, members, base, rules, len(by_cause)) for cause, members in by_cause.items()]
    summaries.sort(key=lambda each: (-each.devices, each.cause))
    return tuple(summaries)


def _group(
    knowledge: ErrorKnowledge,
    members: Sequence[FailedInstall],
    base: BaseRates | BaseFor | None,
    rules: FactorRules | None,
    groups: int,
) -> FailureGroup:
    latest = _latest_by_device(members)
    return FailureGroup(
        key=f"{knowledge.cause}/{code_text(knowledge.code)}",
        cause=knowledge.cause,
        code=knowledge.code,
        symbol=knowledge.symbol,
        meaning=knowledge.meaning,
        remedy=knowledge.remedy,
        retry=knowledge.retry,
        retry_after=knowledge.retry_after,
        known=knowledge.known,
        devices=len(latest),
        device_ids=tuple(sorted(latest)),
        install_ids=tuple(sorted({member.install_id for member in members})),
        sample=tuple(sorted({member.device_name for member in members})[:_SAMPLE]),
        kbs=tuple(sorted({member.kb for member in members})),
        attempts=max(member.attempts for member in members),
        common=_common(latest, base, rules, groups),
        first_failed_at=min(member.failed_at for member in members),
        last_failed_at=max(member.failed_at for member in members),
    )


def _summary(
    cause: Cause,
    members: Sequence[FailedInstall],
    base: BaseRates | BaseFor | None,
    rules: FactorRules | None,
    groups: int,
) -> CauseSummary:
    latest = _latest_by_device(members)
    devices_of: dict[int, set[int]] = {}
    for member in members:
        devices_of.setdefault(member.code % (1 << 32), set()).add(member.device_id)
    return CauseSummary(
        cause=cause,
        devices=len(latest),
        installs=len({member.install_id for member in members}),
        codes=tuple(sorted(devices_of, key=lambda code: (-len(devices_of[code]), code))),
        common=_common(latest, base, rules, groups),
        first_failed_at=min(member.failed_at for member in members),
        last_failed_at=max(member.failed_at for member in members),
    )


def _latest_by_device(members: Sequence[FailedInstall]) -> dict[int, FailedInstall]:
    """A device counts once, however often it failed, with what it was at its last failure."""
    latest: dict[int, FailedInstall] = {}
    for member in members:
        seen = latest.get(member.device_id)
        if seen is None or seen.failed_at < member.failed_at:
            latest[member.device_id] = member
    return latest


def _common(
    latest: Mapping[int, FailedInstall], base: BaseRates | BaseFor | None, rules: FactorRules | None, groups: int
) -> tuple[CommonFactor, ...]:
    rules = rules or FactorRules()
    if callable(base):
        # Counting a population costs a pass over it; a group that is too small to be judged is spared that.
        is_judged = len(latest) >= rules.min_devices
        base = base(Counter(failure.kb for failure in latest.values())) if is_judged else None
    if base is None:
        return ()
    return common_factors([failure.traits for failure in latest.values()], base, rules, groups)
