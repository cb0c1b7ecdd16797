"""Plans for changing a ring's rules and its members."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from engine.intents import Assign, Plan, Refusal, SetRing
from engine.model import Ring
from engine.plans.apply import target_words
from engine.plans.candidates import plural

DEFERRAL_LIMIT = 30
"""Days; Microsoft Graph beta, "windowsUpdates qualityUpdateRing"."""

_RULES = ("deferral_days", "deadline_days", "grace_days", "max_in_flight")


def changed_ring(intent: SetRing, ring: Ring) -> Ring:
    """The ring with the intent's rules."""

    def chosen(new: int | None, old: int) -> int:
        return old if new is None else new

    return Ring(
        id=ring.id,
        name=ring.name,
        position=ring.position,
        deferral_days=chosen(intent.deferral_days, ring.deferral_days),
        deadline_days=chosen(intent.deadline_days, ring.deadline_days),
        grace_days=chosen(intent.grace_days, ring.grace_days),
        max_in_flight=chosen(intent.max_in_flight, ring.max_in_flight),
        gate=ring.gate if intent.gate is None else intent.gate,
    )


def plan_set_ring(intent: SetRing, ring: Ring, devices: int, change_number: int) -> Plan:
    """What changes in the ring's rules; it counts for what has not opened yet."""
    after = changed_ring(intent, ring)
    changes = [
        f"{rule.replace('_', ' ')}: {getattr(ring, rule)} → {getattr(after, rule)}"
        for rule in _RULES
        if getattr(ring, rule) != getattr(after, rule)
    ]
    if ring.gate != after.gate:
        changes.append(f"gate: {gate_words(ring)} → {gate_words(after)}")
    refusal = None
    if not changes:
        refusal = Refusal(f"Ring {ring.name} is not changed.", "It has these rules already.", "Name another value.")
    elif not 0 <= after.deferral_days <= DEFERRAL_LIMIT:
        refusal = Refusal(
            f"Ring {ring.name} is not changed.",
            f"A deferral of {after.deferral_days} days is not possible.",
            f"Choose 0 to {DEFERRAL_LIMIT} days.",
        )
    elif min(after.deadline_days, after.grace_days, after.max_in_flight) < 0:
        refusal = Refusal(f"Ring {ring.name} is not changed.", "A rule cannot be negative.", "Choose 0 or more.")
    words = ["hotpatch", "rings", "set", ring.name]
    for rule in _RULES:
        if getattr(intent, rule) is not None:
            words += [f"--{rule.removesuffix('_days').replace('_', '-')}", str(getattr(intent, rule))]
    return Plan(
        intent=intent,
        title=f"Change ring {ring.name}",
        steps=(*changes, "A ring that has opened for a release goes on by the rules it opened with."),
        devices=devices,
        restarts=0,
        refusal=refusal,
        command=shlex.join(words),
        change_number=change_number,
    )


def gate_words(ring: Ring) -> str:
    """A gate in one line."""
    gate = ring.gate
    return (
        f"installed ≥ {gate.min_installed_share:.0%}, failed ≤ {gate.max_failed_share:.0%} "
        f"of {gate.min_sample}+, soak {gate.soak_hours} h"
    )


def plan_assign(intent: Assign, ring: Ring, ids: Sequence[int], sample: Sequence[str], change_number: int) -> Plan:
    """Which devices move; a device is in exactly one ring, so they leave the one they were in."""
    return Plan(
        intent=intent,
        title=f"Move {plural(len(ids), 'device')} to ring {ring.name}",
        steps=(f"{plural(len(ids), 'device')} leave their ring and follow the rules of {ring.name}.",),
        devices=len(ids),
        restarts=0,
        sample=tuple(sample),
        refusal=None
        if ids
        else Refusal("No device is moved.", f"All of them are in ring {ring.name} already.", "Name other devices."),
        command=shlex.join(["hotpatch", "assign", "--to", ring.name, *target_words(intent.target)]),
        change_number=change_number,
        device_ids=tuple(ids),
    )
