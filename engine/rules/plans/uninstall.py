"""Plans for removing a hotpatch: the steps, and the restarts, before anyone confirms.

There is no automatic rollback (Microsoft Learn, "Hotpatch updates"): uninstall and restart, then the LCU and restart.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from msgspec import Struct

from engine.model.build import OsBuild, Platform, kb_text
from engine.model.intents import After, Plan, Uninstall
from engine.model.model import Release
from engine.rules.plans.apply import target_words
from engine.rules.plans.candidates import Candidate, Obstacle, led_by_tenant, nothing_left, plural, sort_out


class WayBack(Struct, frozen=True):
    """For one platform: what the hotpatch is removed to, and what protects the device afterwards."""

    release: Release
    baseline: Release | None
    """The baseline that the hotpatch sits on, which is what the device runs after the uninstall."""
    lcu: Release | None
    """That month's LCU."""
    reopened: int
    """How many CVEs are open again until the LCU is in."""


def plan_uninstall(
    intent: Uninstall, ways: Mapping[Platform, WayBack], candidates: Iterable[Candidate], change_number: int
) -> Plan:
    """What uninstalling would do; only a hotpatch that is the device's newest can be uninstalled."""
    name = kb_text(intent.kb)
    found = sort_out(candidates, lambda each: _obstacle(each, intent, ways))
    each_restarts = 2 if intent.after is After.LCU else 1
    reopened = max((way.reopened for way in ways.values()), default=0)
    return Plan(
        intent=intent,
        title=f"Uninstall {name} from {plural(len(found.ids), 'device')}",
        steps=_steps(intent, ways, len(found.ids)),
        devices=len(found.ids),
        restarts=each_restarts * len(found.ids),
        sample=tuple(found.sample),
        left_out=found.refusals,
        refusal=nothing_left(f"{name} is not uninstalled.", found),
        warnings=(
            (f"{plural(reopened, 'vulnerability').replace('ys', 'ies')} will be open again until then.",)
            if reopened and found.ids
            else ()
        ),
        command=shlex.join(
            [
                "hotpatch",
                "uninstall",
                name,
                *target_words(intent.target),
                "--reason",
                intent.reason,
                "--then",
                intent.after,
            ]
        ),
        change_number=change_number,
        device_ids=tuple(found.ids),
    )


def _steps(intent: Uninstall, ways: Mapping[Platform, WayBack], devices: int) -> tuple[str, ...]:
    name = kb_text(intent.kb)
    baselines = sorted({f"{way.baseline.name} ({way.baseline.build})" for way in ways.values() if way.baseline})
    steps = [
        f"{name} is uninstalled from {plural(devices, 'device')}; each restarts to finish it.",
        f"They are then back on their baseline, {' or '.join(baselines)}."
        if baselines
        else "They are then back on their baseline.",
    ]
    if intent.after is After.LCU:
        cumulative = sorted({way.lcu.name for way in ways.values() if way.lcu})
        steps.append(f"{' or '.join(cumulative)} follows, with a second restart; they are protected again.")
    else:
        steps.append("They stay there: the vulnerabilities that the hotpatch closed are open again.")
    steps.append("They are held off hotpatches until they have taken the next baseline.")
    return tuple(steps)


def _obstacle(device: Candidate, intent: Uninstall, ways: Mapping[Platform, WayBack]) -> Obstacle | None:
    name = kb_text(intent.kb)
    if device.tenant:
        return led_by_tenant(
            device, "Roll its whole ring back, hotpatch uninstall KB --ring NAME; see the runbook too."
        )
    way = ways.get(device.platform) if device.platform else None
    if way is None:
        label = device.platform.label if device.platform else "its Windows version"
        return Obstacle(f"{name} is not for {label}.", "Name the release that the device has.")
    if not way.release.kind.is_hotpatch:
        return Obstacle(
            f"{name} is no hotpatch.", "Cumulative updates are removed on the device, with DISM; see the runbook."
        )
    if device.active:
        return Obstacle("Another install is under way on it.", "Wait until that has ended.")
    if not _has(device.build, way.release):
        return Obstacle(f"It does not run {name}.", "Uninstall the hotpatch that it runs: hotpatch device NAME")
    if intent.after is After.LCU and way.lcu is None:
        return Obstacle(f"There is no LCU of the month of {name} yet.", "Choose to stay on the baseline.")
    return None


def _has(build: OsBuild | None, release: Release) -> bool:
    return build is not None and build == release.build
