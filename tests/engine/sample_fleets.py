"""Sample fleets and releases that several test files look at; made once a process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache

from engine.catalog import load_bundled, make_levels
from engine.model.build import Platform
from engine.model.model import Release, Verdict
from engine.model.sample import SampleDevice
from engine.providers.simulated.fleet import generate
from engine.providers.simulated.sample import DEMO_SEED, DEMO_SIZE, DEMO_START
from engine.rules.readiness import assess

MAY_HOTPATCHES = {5089466, 5087423, 5087424}
MAY_LCUS = {5089549, 5087539, 5087545}


@cache
def releases() -> tuple[Release, ...]:
    return tuple(load_bundled().releases)


@cache
def fleet(size: int = DEMO_SIZE, seed: int = DEMO_SEED) -> tuple[SampleDevice, ...]:
    return tuple(generate(releases(), seed=seed, size=size))


@cache
def verdicts() -> tuple[Verdict, ...]:
    levels = {platform: make_levels(platform, releases(), DEMO_START) for platform in Platform}
    return tuple(
        assess(device.facts, levels[device.facts.platform], DEMO_START).verdict
        for device in fleet()
        if device.facts.platform is not None
    )


@cache
def release_of(kb: int, platform: Platform) -> Release:
    return next(each for each in releases() if each.kb == kb and each.platform is platform)


def digest(lines: Iterator[str]) -> str:
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def share(devices: int) -> float:
    return devices / DEMO_SIZE
