"""The runner without a screen: the hotpatch of May over a whole simulated fleet, from approval until all is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from tests.bench.checkouts import Checkout
from tests.bench.fleets import CACHE
from tests.bench.processes import Used, use
from tests.bench.table import Line, Section, duration

_DEVICES, _QUICK_DEVICES = 20_000, 2_000
_PART = 10
"""Compared with a fleet so many times smaller: steps a second must not sink with size."""
_KB = "KB5089466"


@dataclass(frozen=True, slots=True)
class _Rollout:
    devices: int
    steps: int
    used: Used

    @property
    def pace(self) -> str:
        return f"{self.steps / self.used.seconds:,.0f} steps/s, {duration(self.used.seconds)}"


def measure(checkout: Checkout, variables: Mapping[str, str], *, quick: bool) -> Section:
    """The section on the runner."""
    size = _QUICK_DEVICES if quick else _DEVICES
    small, full = _roll_out(size // _PART, checkout, variables), _roll_out(size, checkout, variables)
    against = f"({small.devices:,} devices, {small.steps:,} steps)"
    return Section(
        "Runner",
        (
            Line(f"a whole rollout over {size:,} devices ({full.steps:,} steps)", full.pace, f"{small.pace} {against}"),
            Line(
                f"a whole rollout over {size:,} devices: processor time",
                duration(full.used.processor_seconds),
                f"{duration(small.used.processor_seconds)} {against}",
            ),
            Line(
                f"a whole rollout over {size:,} devices: peak memory",
                f"{full.used.peak_megabytes:.0f} MB",
                f"{small.used.peak_megabytes:.0f} MB {against}",
                full.used.peak_megabytes / small.used.peak_megabytes,
            ),
        ),
    )


def _roll_out(size: int, checkout: Checkout, variables: Mapping[str, str]) -> _Rollout:
    CACHE.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as place, TemporaryFile() as output:
        state = Path(place) / "rollout.db"
        use(checkout.hotpatch("demo", "--db", state, "--prepare", "--devices", str(size)), variables)
        approve = ("approve", _KB, "--all-rings", "--reason", "measured", "--yes")
        use(checkout.hotpatch("--db", state, *approve), variables)
        used = use(checkout.hotpatch("--db", state, "run", "--until-idle", "--json"), variables, output)
        output.seek(0)
        return _Rollout(size, json.load(output)["steps"], used)
