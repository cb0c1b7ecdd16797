"""Judges one device by the rules. `engine.rules.readiness` exports it; the store asks it about whole fleets too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.model.model import STALE_REASON, CheckId, DeviceFacts, Verdict
from engine.rules.readiness.checks import NOT_TOLD
from engine.rules.readiness.model import (
    Check,
    CheckFinding,
    CheckResult,
    CheckRule,
    Context,
    Readiness,
    ReadinessSettings,
    ReadinessStage,
)
from engine.rules.readiness.rules import reason_words, rules_for

if TYPE_CHECKING:
    from engine.catalog.levels import Levels

DEFAULT_SETTINGS = ReadinessSettings()


def assess(
    facts: DeviceFacts, levels: Levels | None, now: datetime, settings: ReadinessSettings = DEFAULT_SETTINGS
) -> Readiness:
    """Judge every prerequisite of a device at a time.

    The verdict follows from the checks: one that is not met makes "not ready"; else one that is unknown
    makes "unknown". `levels` is None where the device's platform has no hotpatch calendar.
    """
    now = now.replace(microsecond=0)
    context = Context(levels, now, settings)
    stale = is_stale(facts.last_seen_at, now, settings)
    judged = [(rule, _with_age(rule, rule.find(facts, context), facts, now, stale=stale)) for rule in rules_for(facts)]
    reason_ids = tuple(_reason_ids(judged, stale=stale))
    return Readiness(
        verdict=verdict_for(finding.result for _, finding in judged),
        checks=tuple(_check(rule, finding, facts, stale=stale) for rule, finding in judged),
        eligible=_stage(judged, ReadinessStage.ELIGIBLE),
        enrolled=_stage(judged, ReadinessStage.ENROLLED),
        reasons=tuple(reason_words(each) for each in reason_ids),
        reason_ids=reason_ids,
        stale_at=None if stale or facts.last_seen_at is None else facts.last_seen_at + settings.max_age,
    )


def with_notes(readiness: Readiness, notes: Mapping[CheckId, str]) -> Readiness:
    """The same judgement with what a provider has to say about single checks, such as why it tells nothing.

    A note stands in for "not told" and follows any other finding. No result changes.
    """
    if not notes:
        return readiness
    return replace(readiness, checks=tuple(_noted(check, notes.get(check.check, "")) for check in readiness.checks))


def _noted(check: Check, note: str) -> Check:
    if not note or check.result is CheckResult.NOT_APPLICABLE:
        return check
    return replace(check, found=note if check.found == NOT_TOLD else f"{check.found}; {note}")


def is_stale(last_seen_at: datetime | None, now: datetime, settings: ReadinessSettings) -> bool:
    """Whether volatile facts are too old to be believed; those of a device that never reported are."""
    return last_seen_at is None or last_seen_at <= too_old_at(now, settings)


def too_old_at(now: datetime, settings: ReadinessSettings) -> datetime:
    """Volatile facts that were told at this time or before are too old to be believed."""
    return now - settings.max_age


def verdict_for(results: Iterable[CheckResult]) -> Verdict:
    """Unmet beats unknown, unknown beats met."""
    found = set(results)
    if CheckResult.NOT_MET in found:
        return Verdict.NOT_READY
    return Verdict.UNKNOWN if CheckResult.UNKNOWN in found else Verdict.READY


def age_words(age: timedelta) -> str:
    """``23 days ago``, in the largest unit that fits."""
    hours = int(age.total_seconds() // 3600)
    if hours < 1:
        return "less than an hour ago"
    if hours < 48:
        return f"{hours} hour{'s' if hours != 1 else ''} ago"
    return f"{hours // 24} days ago"


def _with_age(
    rule: CheckRule, finding: CheckFinding, facts: DeviceFacts, now: datetime, *, stale: bool
) -> CheckFinding:
    """Turn a judgement on an old volatile fact into "unknown", and say how old it is."""
    judged = finding.result in (CheckResult.MET, CheckResult.NOT_MET)
    if not (stale and rule.volatile and judged):
        return finding
    seen = (
        "but the device has never reported"
        if facts.last_seen_at is None
        else f"as of {age_words(now - facts.last_seen_at)}"
    )
    return CheckFinding(CheckResult.UNKNOWN, f"{finding.found}, {seen}", finding.needed, finding.fix)


def _check(rule: CheckRule, finding: CheckFinding, facts: DeviceFacts, *, stale: bool) -> Check:
    fix = ""
    if finding.result is CheckResult.NOT_MET:
        fix = finding.fix or rule.fix
    elif finding.result is CheckResult.UNKNOWN:
        fix = f"Let the device check in. {rule.learn}" if stale and rule.volatile else rule.learn
    return Check(
        check=rule.id,
        title=rule.title,
        result=finding.result,
        found=finding.found,
        needed=finding.needed or rule.needed,
        fix=fix,
        source=rule.source,
        observed_at=facts.last_seen_at,
    )


def _reason_ids(judged: list[tuple[CheckRule, CheckFinding]], *, stale: bool) -> Iterable[str]:
    """What is not met first. Old facts are one reason, not six: ``stale?`` stands for all of them."""
    for rule, finding in judged:
        if finding.result is CheckResult.NOT_MET:
            yield rule.id.value
    hidden_by_age = False
    for rule, finding in judged:
        if finding.result is not CheckResult.UNKNOWN:
            continue
        if stale and rule.volatile:
            hidden_by_age = True
        else:
            yield f"{rule.id}?"
    if hidden_by_age:
        yield STALE_REASON


def _stage(judged: list[tuple[CheckRule, CheckFinding]], stage: ReadinessStage) -> bool | None:
    results = [finding.result for rule, finding in judged if rule.stage is stage]
    if not results:
        return None
    return {Verdict.READY: True, Verdict.NOT_READY: False, Verdict.UNKNOWN: None}[verdict_for(results)]
