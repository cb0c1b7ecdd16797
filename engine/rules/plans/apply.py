"""Plans for bringing a release to devices now: apply and retry."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field

from engine.model.build import Platform, kb_text
from engine.model.intents import Apply, Plan, Refusal, Retry, Target
from engine.model.model import Release, Verdict
from engine.rules.plans.candidates import Candidate, Obstacle, led_by_tenant, nothing_left, plural, sort_out
from engine.rules.readiness import reason_words
from engine.rules.rollout.offers import offered_in, takes


class ReleaseFacts(Struct, frozen=True):
    """What is known about one KB, for the devices of any platform."""

    kb: int
    releases: Mapping[Platform, Release]
    newer: Mapping[Platform, int]
    """Platform → KB of the release that replaces this one there."""
    approved_rings: frozenset[int]
    """Rings with an approval in force now."""
    ring_names: Mapping[int, str]
    stopped: Callable[[str], str]
    """Ring name → why the release is stopped there, "" when it is not."""
    withheld: frozenset[int] = frozenset()
    """Devices that a safeguard hold keeps it from."""
    excluded: Mapping[int, str] = field(default_factory=dict)
    """Devices that are excluded from it → why."""


def plan_apply(intent: Apply, facts: ReleaseFacts, candidates: Iterable[Candidate], change_number: int) -> Plan:
    """What applying would do: only approved releases, only where they are offered."""
    name = kb_text(intent.kb)
    found = sort_out(candidates, lambda each: obstacle_to_apply(each, facts))
    restart = any(release.restart_required for release in facts.releases.values())
    steps = (
        f"{plural(len(found.ids), 'device')} will be ordered to install {name} now.",
        "Each device restarts once, in its own maintenance time."
        if restart
        else "The code is patched in memory; no device restarts.",
        "A failure stays listed until it is retried or put right.",
    )
    return Plan(
        intent=intent,
        title=f"Apply {name} to {plural(len(found.ids), 'device')}",
        steps=steps,
        devices=len(found.ids),
        restarts=len(found.ids) if restart else 0,
        sample=tuple(found.sample),
        left_out=found.refusals,
        refusal=nothing_left(f"{name} is not applied.", found),
        command=_command("apply", name, intent.target, intent.reason),
        change_number=change_number,
        device_ids=tuple(found.ids),
    )


def obstacle_to_apply(device: Candidate, facts: ReleaseFacts) -> Obstacle | None:
    """Why a release cannot go to a device now; None when it can."""
    name = kb_text(facts.kb)
    if device.tenant:
        return led_by_tenant(device, "Approve the release for its ring; to have it check in: hotpatch sync")
    release = facts.releases.get(device.platform) if device.platform else None
    if release is None or device.architecture not in release.architectures:
        label = device.platform.label if device.platform else "its Windows version"
        return Obstacle(f"{name} is not for {label}.", "Apply the release of its own platform.")
    if device.active:
        return Obstacle("Another install is under way on it.", "Wait until that has ended.")
    if release.build is None:
        return Obstacle(f"The build of {name} is not known yet.", "Bring the catalog up to date.")
    if device.build is not None and device.build >= release.build:
        return Obstacle(f"It has {name} or something later already.", "Nothing needs to be done.")
    if device.ring_id not in facts.approved_rings:
        ring = facts.ring_names.get(device.ring_id or 0, "")
        where = f" for ring {ring}" if ring else ""
        return Obstacle(
            f"{name} is not approved{where}.",
            f'Approve it first: hotpatch approve {name} --ring {shlex.quote(ring or "NAME")} --reason "..."',
        )
    if stopped := facts.stopped(facts.ring_names[device.ring_id]):
        return Obstacle(f"It is stopped: {stopped}.", "Resume it first.")
    if device.id in facts.withheld:
        return Obstacle("A safeguard hold keeps it from this device.", "Lift the hold first: hotpatch holds")
    if (reason := facts.excluded.get(device.id)) is not None:
        return Obstacle(f"It is excluded: {reason}.", "Readmit it first: hotpatch readmit")
    return _obstacle_to_offer(device, release, facts)


def _obstacle_to_offer(device: Candidate, release: Release, facts: ReleaseFacts) -> Obstacle | None:
    """Why Windows Update would not offer the release to the device; anything but a hotpatch may go to any by hand."""
    if (newer := facts.newer.get(release.platform)) is not None:
        return Obstacle(f"{release.name} has been replaced by {kb_text(newer)}.", f"Apply {kb_text(newer)} instead.")
    if not release.kind.is_hotpatch:
        return None
    if not takes(release.kind, device.verdict, held_off=device.held):
        if device.held:
            return Obstacle("It is held off hotpatches.", "It returns when it has taken the next baseline.")
        words = ", ".join(reason_words(reason) for reason in device.reasons) or "reason unknown"
        verb = "It is not ready" if device.verdict is Verdict.NOT_READY else "Its readiness is unknown"
        return Obstacle(
            f"{verb}: {words}.",
            "See what to do: hotpatch device NAME. Until then it takes the LCU with a restart.",
        )
    if device.state not in offered_in(release.kind):
        return Obstacle("A restart is pending on it.", "Restart it, then apply.")
    return None


class FailedAttempt(Struct, frozen=True):
    """An open failure, for the decision whether to try again."""

    device: Candidate
    kb: int
    attempt: int
    failed_at: datetime
    code: int
    """Of the error; 0 where the device told none."""
    is_uninstall: bool


def plan_retry(
    intent: Retry,
    attempts: Iterable[FailedAttempt],
    facts_for: Callable[[int], ReleaseFacts],
    now: datetime,
    change_number: int,
) -> Plan:
    """What retrying would do: the same conditions as for a first attempt, with the back-off and the limit of the error.

    `attempts` come newest first; a device is judged by its newest.
    """
    from engine.rules.failures import retry_decision  # error knowledge is no part of starting up

    listed: dict[int, FailedAttempt] = {}
    for each in attempts:
        listed.setdefault(each.device.id, each)

    def obstacle(device: Candidate) -> Obstacle | None:
        attempt = listed[device.id]
        if device.tenant:
            return led_by_tenant(device, "It tries again by itself at a later scan; to have it check in: hotpatch sync")
        # Who retries by hand has put right what the error needs; the rollout never repeats by itself.
        decision = retry_decision(attempt.code, attempt.attempt, attempt.failed_at, now, repaired=True)
        if not decision.allowed:
            if decision.not_before is not None:
                wait = _wait(decision.not_before - now)
                return Obstacle(decision.why, f"Retry after the back-off, in {wait}.")
            return Obstacle(decision.why, "Give it to somebody: hotpatch escalate; or keep it off: hotpatch exclude")
        if attempt.is_uninstall:
            return None
        return obstacle_to_apply(device, facts_for(attempt.kb))

    found = sort_out((each.device for each in listed.values()), obstacle)
    chosen = [listed[device_id] for device_id in found.ids]
    restarts = sum(
        1
        for each in chosen
        if each.is_uninstall or any(r.restart_required for r in facts_for(each.kb).releases.values())
    )
    what = plural(len(found.ids), "install")
    return Plan(
        intent=intent,
        title=f"Retry {what}",
        steps=(f"{what} will be tried again now.", "Each is a new attempt with its own entry in the history."),
        devices=len(found.ids),
        restarts=restarts,
        sample=tuple(found.sample),
        left_out=found.refusals,
        refusal=_nothing_failed(found.ids, listed) or nothing_left("Nothing is retried.", found),
        command=_command("retry", kb_text(intent.kb) if intent.kb else "", intent.target, intent.reason),
        change_number=change_number,
        device_ids=tuple(found.ids),
    )


def _nothing_failed(ids: list[int], listed: Mapping[int, FailedAttempt]) -> Refusal | None:
    if ids or listed:
        return None
    return Refusal("Nothing is retried.", "No open failure matches.", "See what failed: hotpatch failures")


def _wait(span: timedelta) -> str:
    minutes = max(1, int(span.total_seconds() // 60))
    return plural(minutes, "minute") if minutes < 120 else plural(minutes // 60, "hour")


def _command(verb: str, kb: str, target: Target, reason: str) -> str:
    words = ["hotpatch", verb, *([kb] if kb else []), *target_words(target)]
    if reason:
        words += ["--reason", reason]
    return shlex.join(words)


def target_words(target: Target) -> list[str]:
    """The options of a command line that name this target."""
    words: list[str] = []
    for name in target.names:
        words += ["--device", name]
    for ring in target.rings:
        words += ["--ring", ring]
    if target.filter.strip():
        words += ["--filter", target.filter]
    if target.ids:
        words += ["--ids", ",".join(map(str, target.ids))]
    return words
