"""The plan of a recovery: every device led back from a bad hotpatch, with all restarts shown beforehand.

There is no automatic rollback (Microsoft Learn, "Hotpatch updates"): uninstall and restart, then the LCU and restart.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from msgspec import Struct

from engine.model.build import Platform, kb_text
from engine.model.intents import After, Plan, Recover, Refusal
from engine.rules.plans.apply import target_words
from engine.rules.plans.candidates import SAMPLE, Candidate, plural
from engine.rules.plans.uninstall import WayBack


class RecoveryFacts(Struct, frozen=True):
    """What a recovery would find."""

    ways: Mapping[Platform, WayBack]
    having: Sequence[Candidate]
    """Devices of the target that run the hotpatch."""
    installing: int
    """Devices on which it is going in now: they follow when that has ended."""
    waiting: int
    """Installs of it that have not started."""
    windows: Mapping[str, str]
    """Ring → its maintenance window in words, for rings that have one."""
    is_open: bool
    """A recovery of this release is under way."""
    is_stopped: bool


def plan_recover(intent: Recover, facts: RecoveryFacts, change_number: int) -> Plan:
    """What recovering would do, step by step, in devices and restarts."""
    name = kb_text(intent.kb)
    devices = len(facts.having) + facts.installing
    each_restarts = 2 if intent.then is After.LCU else 1
    reopened = max((way.reopened for way in facts.ways.values()), default=0)
    return Plan(
        intent=intent,
        title=f"Recover {plural(devices, 'device')} from {name}",
        steps=_steps(intent, facts, devices),
        devices=devices,
        restarts=each_restarts * devices,
        sample=tuple(each.name for each in facts.having[:SAMPLE]),
        refusal=_refusal(intent, facts, devices),
        warnings=(
            (
                f"{reopened:,} vulnerabilities are open again on a device from its first restart until "
                + ("the LCU is in." if intent.then is After.LCU else "the next baseline is in."),
            )
            if reopened and devices
            else ()
        ),
        command=shlex.join(
            [
                "hotpatch",
                "recover",
                name,
                *target_words(intent.target),
                "--reason",
                intent.reason,
                "--then",
                intent.then,
            ]
        ),
        change_number=change_number,
        device_ids=tuple(each.id for each in facts.having),
    )


def _steps(intent: Recover, facts: RecoveryFacts, devices: int) -> tuple[str, ...]:
    name = kb_text(intent.kb)
    steps = [
        f"{name} stays halted."
        if facts.is_stopped
        else f"{name} is halted: nothing new starts, {plural(facts.waiting, 'install')} that wait are cancelled.",
        f"{name} is uninstalled from {plural(devices, 'device')}, with {plural(devices, 'restart')}.",
    ]
    if facts.installing:
        steps.append(f"{plural(facts.installing, 'device')} of these are still installing it and follow when done.")
    if intent.then is After.LCU:
        lcus = sorted({way.lcu.name for way in facts.ways.values() if way.lcu})
        steps.append(f"{' or '.join(lcus)} follows, with {plural(devices, 'restart')} more; they are protected again.")
    else:
        steps.append("They stay on their baseline: the vulnerabilities that it closed are open again.")
    steps += [f"Ring {ring} restarts in its window, {window}." for ring, window in facts.windows.items()]
    steps.append("They are held off hotpatches and return when they have taken the next baseline.")
    steps.append("Devices that turn up with it later are led back too; what fails is listed as needing hands.")
    return tuple(steps)


def _refusal(intent: Recover, facts: RecoveryFacts, devices: int) -> Refusal | None:
    name = kb_text(intent.kb)
    what = f"No recovery from {name} is begun."
    if not any(way.release.kind.is_hotpatch for way in facts.ways.values()):
        return Refusal(
            what, f"{name} is no hotpatch.", "Cumulative updates are removed on the device, with DISM; see the runbook."
        )
    if facts.is_open:
        return Refusal(what, "One is under way.", f"See how far it is: hotpatch recovery {name}")
    if not intent.reason.strip():
        return Refusal(what, "A recovery needs a reason.", 'Say why: --reason "..."')
    if intent.then is After.LCU and any(way.lcu is None for way in facts.ways.values()):
        return Refusal(what, f"There is no LCU of the month of {name} yet.", "Choose to stay on the baseline.")
    if not devices:
        return Refusal(what, f"No device runs {name}.", f"To stop it from spreading: hotpatch halt --release {name}")
    return None
