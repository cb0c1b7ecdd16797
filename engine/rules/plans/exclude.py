"""Plans for keeping releases from devices, letting the devices back in, and taking back what has not started."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from engine.model.build import Platform, kb_text
from engine.model.intents import Exclude, Plan, Readmit, Refusal, TakeBack
from engine.model.model import Release
from engine.rules.failures import Exclusion
from engine.rules.plans.apply import target_words
from engine.rules.plans.candidates import Candidate, Obstacle, Sorted, nothing_left, plural, sort_out

Exclusions = Mapping[int, tuple[Exclusion, ...]]
"""Device id → what is kept from it now."""


class WaitingInstall(Struct, frozen=True):
    """An install that nothing has happened for on its device yet."""

    install_id: int
    device_id: int
    device_name: str
    kb: int
    by_hand: bool
    requested_by: str


def plan_exclude(
    intent: Exclude,
    releases: Mapping[Platform, Release],
    candidates: Iterable[Candidate],
    in_force: Exclusions,
    waiting: Mapping[int, int],
    now: datetime,
    change_number: int,
) -> Plan:
    """What excluding would do; `waiting` tells for each device how many of its installs have not started."""
    name = kb_text(intent.kb) if intent.kb is not None else "every release"
    failed = 0

    def obstacle(device: Candidate) -> Obstacle | None:
        nonlocal failed
        found = _obstacle_to_exclude(device, intent, releases, in_force.get(device.id, ()))
        failed += found is None and device.failed_kb is not None and intent.kb in (None, device.failed_kb)
        return found

    found = sort_out(candidates, obstacle)
    cancelled = sum(waiting.get(device_id, 0) for device_id in found.ids)
    return Plan(
        intent=intent,
        title=f"Exclude {plural(len(found.ids), 'device')} from {name}",
        steps=_exclude_steps(intent, name, found, cancelled, failed),
        devices=len(found.ids),
        restarts=0,
        sample=tuple(found.sample),
        left_out=found.refusals,
        refusal=_exclude_refusal(intent, now) or nothing_left("No device is excluded.", found),
        warnings=()
        if intent.kb is not None or not found.ids
        else (
            "Baselines are kept from them too: after the next one they have drifted and are open to what it closes.",
        ),
        command=_exclude_command(intent),
        change_number=change_number,
        device_ids=tuple(found.ids),
    )


def _obstacle_to_exclude(
    device: Candidate, intent: Exclude, releases: Mapping[Platform, Release], in_force: Sequence[Exclusion]
) -> Obstacle | None:
    if any(
        each.kb == intent.kb and not each.until_baseline and each.until == intent.until and each.reason == intent.reason
        for each in in_force
    ):
        return Obstacle("It is excluded so already.", "Nothing needs to be done.")
    if intent.kb is None:
        return None
    name = kb_text(intent.kb)
    release = releases.get(device.platform) if device.platform else None
    if release is None:
        label = device.platform.label if device.platform else "its Windows version"
        return Obstacle(f"{name} is not for {label}.", "Name the release of its own platform.")
    if release.build is not None and device.build is not None and device.build >= release.build:
        return Obstacle(f"It has {name} or something later already.", "To remove a hotpatch: hotpatch uninstall")
    return None


def _exclude_steps(intent: Exclude, name: str, found: Sorted, cancelled: int, failed: int) -> tuple[str, ...]:
    until = f"until {_time(intent.until)}" if intent.until is not None else "until they are readmitted"
    steps = [f"{name[0].upper()}{name[1:]} is withheld from {plural(len(found.ids), 'device')} {until}."]
    if intent.kb is not None:
        steps.append("It ends earlier when the release is replaced by a newer one.")
    if cancelled:
        steps.append(f"{plural(cancelled, 'install')} will be cancelled; what has started is allowed to end.")
    if failed:
        steps.append(f"{plural(failed, 'failure')} will be listed as excluded, its service level no longer running.")
    return tuple(steps)


def _exclude_refusal(intent: Exclude, now: datetime) -> Refusal | None:
    what = "No device is excluded."
    if not intent.reason.strip():
        return Refusal(what, "An exclusion needs a reason.", 'Say why: --reason "..."')
    if intent.until is not None and intent.until <= now:
        return Refusal(what, f"{_time(intent.until)} has passed.", "Choose a later end, or none.")
    return None


def _exclude_command(intent: Exclude) -> str:
    words = ["hotpatch", "exclude", *_release_words(intent.kb), *target_words(intent.target)]
    words += ["--reason", intent.reason]
    words += ["--until", intent.until.isoformat()] if intent.until is not None else []
    return shlex.join(words)


def plan_readmit(intent: Readmit, candidates: Iterable[Candidate], in_force: Exclusions, change_number: int) -> Plan:
    """What ending exclusions would do."""

    def obstacle(device: Candidate) -> Obstacle | None:
        mine = in_force.get(device.id, ())
        if any(not each.until_baseline and intent.kb in (None, each.kb) for each in mine):
            return None
        if any(each.until_baseline for each in mine):
            return Obstacle(
                "It is held off hotpatches since one was uninstalled.",
                "That ends by itself when it has taken the next baseline.",
            )
        return Obstacle("It is not excluded.", "Nothing needs to be done.")

    found = sort_out(candidates, obstacle)
    words = ["hotpatch", "readmit", *_release_words(intent.kb), *target_words(intent.target)]
    return Plan(
        intent=intent,
        title=f"Readmit {plural(len(found.ids), 'device')}",
        steps=(
            f"{plural(len(found.ids), 'device')} will be offered releases again where the ring is open.",
            "What has failed on them is retried only by hand.",
        ),
        devices=len(found.ids),
        restarts=0,
        sample=tuple(found.sample),
        left_out=found.refusals,
        refusal=nothing_left("No device is readmitted.", found),
        command=shlex.join([*words, *_reason_words(intent.reason)]),
        change_number=change_number,
        device_ids=tuple(found.ids),
    )


def plan_take_back(intent: TakeBack, waiting: Iterable[WaitingInstall], own: str | None, change_number: int) -> Plan:
    """What taking back would cancel; `own` is the one person whose installs may be taken back, None for everybody's."""
    found = Sorted()
    for each in waiting:
        obstacle = _obstacle_to_take_back(each, own)
        if obstacle is None:
            found.ids.append(each.device_id)
            found.sample.append(each.device_name)
        else:
            found.left_out[obstacle] = found.left_out.get(obstacle, 0) + 1
            found.left_out_sample.setdefault(obstacle, each.device_name)
    what = "Nothing is taken back."
    nothing = Refusal(what, "No install waits on these devices.", "What has started is allowed to end.")
    words = ["hotpatch", "take-back", *_release_words(intent.kb), *target_words(intent.target)]
    return Plan(
        intent=intent,
        title=f"Take back {plural(len(found.ids), 'install')}",
        steps=(
            f"{plural(len(found.ids), 'install')} will be cancelled before anything has happened on the device.",
            "Where a retry is taken back, the failure before it is open as it was.",
        ),
        devices=len(found.ids),
        restarts=0,
        sample=tuple(found.sample[:5]),
        left_out=found.refusals,
        refusal=nothing_left(what, found) if found.ids or found.left_out else nothing,
        command=shlex.join([*words, *_reason_words(intent.reason)]),
        change_number=change_number,
        device_ids=tuple(found.ids),
    )


def _obstacle_to_take_back(install: WaitingInstall, own: str | None) -> Obstacle | None:
    if not install.by_hand:
        return Obstacle(
            "The rollout offers it; nobody has asked for it by hand.", "Exclude the device, or pause the release."
        )
    if own is not None and install.requested_by != own:
        return Obstacle(f"{install.requested_by} has asked for it.", "Ask them, or an operator, to take it back.")
    return None


def _release_words(kb: int | None) -> list[str]:
    return [] if kb is None else ["--release", kb_text(kb)]


def _reason_words(reason: str) -> list[str]:
    return ["--reason", reason] if reason else []


def _time(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b %Y %H:%M} UTC"
