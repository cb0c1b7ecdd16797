"""A fleet whose traits hang together as they do in life, and failures of its devices; for the tests of triage."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from engine.rules.failures import BaseRates, FailedInstall, base_rates

NOW = datetime(2026, 5, 20, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Device = dict[str, str]

_MODELS = {
    "Latitude 7450": (0.06, "laptop", ("Intel Graphics 31.0.101", "Intel Graphics 32.0.15")),
    "Latitude 5540": (0.22, "laptop", ("Intel Graphics 31.0.101", "Intel Graphics 32.0.15")),
    "EliteBook 840": (0.25, "laptop", ("Intel Graphics 31.0.101", "AMD Graphics 24.10")),
    "Surface Pro 11": (0.07, "laptop", ("Adreno X1 30.1",)),
    "OptiPlex 7010": (0.25, "desktop", ("Intel Graphics 31.0.101", "NVIDIA 552.44")),
    "PowerEdge R760": (0.15, "server", ("Matrox 9.0.3",)),
}
_SITES = {"London": 0.4, "Leeds": 0.2, "Berlin": 0.2, "Austin": 0.12, "Pune": 0.08}
_RINGS = {"Test": 0.01, "First": 0.04, "Fast": 0.15, "Broad": 0.7, "Last": 0.1}


def _pick(dice: random.Random, shares: Mapping[str, float]) -> str:
    return dice.choices(list(shares), list(shares.values()))[0]


def _device(dice: random.Random) -> Device:
    model = _pick(dice, {name: row[0] for name, row in _MODELS.items()})
    _, form, drivers = _MODELS[model]
    site = _pick(dice, _SITES)
    platform = "server-2025" if form == "server" else dice.choice(("win11-24h2", "win11-24h2", "win11-25h2"))
    number = "26200" if platform == "win11-25h2" else "26100"
    return {
        "model": model,
        "driver": drivers[0] if site in ("London", "Leeds") and dice.random() < 0.8 else dice.choice(drivers),
        "site": "" if dice.random() < 0.03 else site,
        "ring": _pick(dice, _RINGS),
        "platform": platform,
        "build": f"{number}.{dice.choice(('8246', '8246', '8390', '7979', '8037'))}",
        "architecture": "arm64" if model == "Surface Pro 11" else "x64",
        "form": form,
    }


@cache
def fleet_of(seed: int, size: int = 2000) -> tuple[tuple[Device, ...], BaseRates]:
    dice = random.Random(seed)
    fleet = tuple(_device(dice) for _ in range(size))
    return fleet, base_rates(fleet)


def failures_of(devices: Sequence[Mapping[str, str]], code: int = 0x80070020, first_id: int = 0) -> list[FailedInstall]:
    return [
        FailedInstall(first_id + n, first_id + n, f"LON-LT-{first_id + n:04}", 5089466, code, NOW - n * HOUR, 1, traits)
        for n, traits in enumerate(devices)
    ]


def having(fleet: Sequence[Device], **traits: str) -> list[Device]:
    return [device for device in fleet if traits.items() <= device.items()]
