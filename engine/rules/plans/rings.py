"""Plans for changing a ring's rules and its members."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from engine.model.filters import Comparison, parse
from engine.model.intents import Assign, Plan, Refusal, SetRing
from engine.model.model import Gate, Ring
from engine.rules.plans.apply import target_words
from engine.rules.plans.candidates import Candidate, led_by_tenant, nothing_left, plural, sort_out
from engine.rules.rollout.windows import parse_window, window_text

DEFERRAL_LIMIT = 30
"""Days; Microsoft Graph beta, "windowsUpdates qualityUpdateRing"."""

_NUMBERS = ("deferral_days", "deadline_days", "grace_days", "max_in_flight", "wave_soak_hours")
_RULES = (*_NUMBERS, "max_share_in_flight", "waves", "members")


def changed_ring(intent: SetRing, ring: Ring) -> Ring:
    """The ring with the intent's rules.

    Raises:
        BadInput: the window or the filter of its members cannot be read.
    """
    given = {name: getattr(intent, name) for name in (*_RULES, "gate")}
    changed = replace(ring, **{name: value for name, value in given.items() if value is not None})
    if intent.members is not None:
        changed = replace(changed, members=str(parse(intent.members)))
    return changed if intent.window is None else replace(changed, window=parse_window(intent.window))


def plan_set_ring(
    intent: SetRing, ring: Ring, devices: int, change_number: int, joining: Mapping[str, int] | None = None
) -> Plan:
    """What changes in the ring's rules; `joining` says from which rings how many devices its members come.

    Raises:
        BadInput: the window or the filter of its members cannot be read.
    """
    after = changed_ring(intent, ring)
    changes = [
        f"{rule.replace('_', ' ')}: {_shown(rule, getattr(ring, rule))} → {_shown(rule, getattr(after, rule))}"
        for rule in _RULES
        if getattr(ring, rule) != getattr(after, rule)
    ]
    if ring.window != after.window:
        changes.append(f"window: {window_text(ring.window) or 'none'} → {window_text(after.window) or 'none'}")
    if ring.gate != after.gate:
        changes.append(f"gate: {gate_words(ring)} → {gate_words(after)}")
    joined = joining or {}
    changes += [f"{plural(count, 'device')} join it from {name or 'no ring'}." for name, count in joined.items()]
    return Plan(
        intent=intent,
        title=f"Change ring {ring.name}",
        steps=(*changes, "A ring that has opened for a release stays open; its gate and limits count at once."),
        devices=devices + sum(joined.values()),
        restarts=0,
        refusal=_set_refusal(ring, after, changes),
        command=_set_command(intent, ring),
        change_number=change_number,
    )


def _set_refusal(ring: Ring, after: Ring, changes: Sequence[str]) -> Refusal | None:
    what = f"Ring {ring.name} is not changed."
    if not changes:
        return Refusal(what, "It has these rules already.", "Name another value.")
    if not 0 <= after.deferral_days <= DEFERRAL_LIMIT:
        why = f"A deferral of {after.deferral_days} days is not possible."
        return Refusal(what, why, f"Choose 0 to {DEFERRAL_LIMIT} days.")
    if min(getattr(after, rule) for rule in _NUMBERS) < 0:
        return Refusal(what, "A rule cannot be negative.", "Choose 0 or more.")
    if not 0 <= after.max_share_in_flight <= 1:
        return Refusal(what, "A share lies between 0 and 1.", "Choose 0 for no limit, or for example 0.25.")
    rising = list(after.waves) == sorted(set(after.waves)) and after.waves[:1] > (0.0,) and after.waves[-1] == 1.0
    if not rising:
        return Refusal(what, "Waves must rise and end with all devices.", "Choose for example 1%, 10%, 50%, 100%.")
    looped = [each for each in parse(after.members).terms if isinstance(each, Comparison) and each.field == "ring"]
    if looped:
        return Refusal(what, "Its members cannot depend on the ring they are in.", "Leave ring: out of the filter.")
    return None


def _set_command(intent: SetRing, ring: Ring) -> str:
    words = ["hotpatch", "rings", "set", ring.name]
    for rule in _NUMBERS:
        if getattr(intent, rule) is not None:
            words += [f"--{rule.removesuffix('_days').replace('_', '-')}", str(getattr(intent, rule))]
    if intent.max_share_in_flight is not None:
        words += ["--max-share-in-flight", f"{100 * intent.max_share_in_flight:g}%"]
    words += ["--waves", _shown("waves", intent.waves)] if intent.waves is not None else []
    words += ["--window", intent.window or "none"] if intent.window is not None else []
    words += ["--members", intent.members] if intent.members is not None else []
    words += _gate_words_of_command(intent.gate, ring.gate) if intent.gate is not None else []
    words += ["--hotpatch", "on" if intent.hotpatch else "off"] if intent.hotpatch is not None else []
    words += ["--widen"] if intent.widen else []
    words += ["--reason", intent.reason] if intent.reason else []
    return shlex.join(words)


def _gate_words_of_command(gate: Gate, before: Gate) -> list[str]:
    """Only what changes; shares in per cent, as the command takes them."""
    words: list[str] = []
    for option, new, old in (
        ("--min-installed", 100 * gate.min_installed_share, 100 * before.min_installed_share),
        ("--max-failed", 100 * gate.max_failed_share, 100 * before.max_failed_share),
        ("--min-sample", gate.min_sample, before.min_sample),
        ("--soak", gate.soak_hours, before.soak_hours),
    ):
        words += [option, f"{new:g}"] if new != old else []
    if gate.judge_health != before.judge_health:
        words.append("--health" if gate.judge_health else "--no-health")
    return words


def _shown(rule: str, value: object) -> str:
    if rule == "waves" and isinstance(value, tuple):
        return ",".join(f"{100 * share:g}%" for share in value)
    return str(value) if value != "" else "none"


def gate_words(ring: Ring) -> str:
    """A gate in one line."""
    gate = ring.gate
    return (
        f"installed ≥ {gate.min_installed_share:.0%}, failed ≤ {gate.max_failed_share:.0%} "
        f"of {gate.min_sample}+, soak {gate.soak_hours} h" + ("" if gate.judge_health else ", health not judged")
    )


def plan_assign(intent: Assign, ring: Ring, candidates: Iterable[Candidate], change_number: int) -> Plan:
    """Which devices move; a device is in exactly one ring, so they leave the one they were in."""
    moving = (each for each in candidates if each.ring_id != ring.id)
    found = sort_out(moving, lambda each: led_by_tenant(each, _IN_GROUPS) if each.tenant else None)
    ids = found.ids
    refusal = None
    if not ids:
        refusal = nothing_left("No device is moved.", found) if found.left_out else None
        why = f"All of them are in ring {ring.name} already."
        refusal = refusal or Refusal("No device is moved.", why, "Name other devices.")
    return Plan(
        intent=intent,
        title=f"Move {plural(len(ids), 'device')} to ring {ring.name}",
        steps=(f"{plural(len(ids), 'device')} leave their ring and follow the rules of {ring.name}.",),
        devices=len(ids),
        restarts=0,
        sample=tuple(found.sample),
        left_out=found.refusals,
        refusal=refusal,
        command=shlex.join(["hotpatch", "assign", "--to", ring.name, *target_words(intent.target)]),
        change_number=change_number,
        device_ids=tuple(ids),
    )


_IN_GROUPS = "Put it into another group in the tenant; the next import shows it in that ring."
