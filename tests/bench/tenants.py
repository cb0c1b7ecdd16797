"""A pull of a whole tenant against one of a tenth: time a device and peak memory, with throttling on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.fleets import CACHE, hotpatch
from tests.bench.played_tenant import TOKEN_VARIABLE
from tests.bench.processes import use
from tests.bench.table import Line, Section, at_most, duration

_MOST_MEMORY = 1.5
"""Memory of a tenant ten times as large: what is held must not grow with it."""
_DEVICES, _QUICK_DEVICES = 100_000, 10_000


@dataclass(frozen=True, slots=True)
class _Pulled:
    devices: int
    seconds: float
    peak_megabytes: float
    again: float
    """Seconds of a second pull, which asks for lists alone."""


def measure(variables: Mapping[str, str], *, quick: bool) -> Section:
    """The section on tenants."""
    size = _QUICK_DEVICES if quick else _DEVICES
    small, full = _pulled(size // 10, variables), _pulled(size, variables)
    return Section(
        "A tenant (played over loopback, throttling now and then)",
        (
            Line(
                f"pull of {size:,} devices: devices/s",
                f"{full.devices / full.seconds:,.0f} devices/s, {duration(full.seconds)}",
                f"{small.devices / small.seconds:,.0f} devices/s ({small.devices:,} devices)",
            ),
            Line(
                f"pull of {size:,} devices again, nothing changed",
                duration(full.again),
                f"{duration(full.seconds)} (the first)",
                full.again / full.seconds,
            ),
            Line(
                f"pull of {size:,} devices: peak memory",
                f"{full.peak_megabytes:.0f} MB",
                f"{small.peak_megabytes:.0f} MB ({small.devices:,} devices)",
                full.peak_megabytes / small.peak_megabytes,
                (at_most(_MOST_MEMORY, full.peak_megabytes / small.peak_megabytes),),
            ),
        ),
    )


def _pulled(count: int, variables: Mapping[str, str]) -> _Pulled:
    named = {**variables, TOKEN_VARIABLE: "token-of-the-bench"}
    CACHE.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as place, _played(count, named) as address:
        state = Path(place) / "tenant.db"
        words = ("--db", state, "provider", "add", "graph", "--name", "corp", "--base-url", address)
        add = hotpatch(*words, "--token-env", TOKEN_VARIABLE)
        subprocess.run(add, env=named, check=True, capture_output=True)
        command = hotpatch("--db", state, "import", "--from", "corp")
        first, again = use(command, named), use(command, named)
    return _Pulled(count, first.seconds, first.peak_megabytes, again.seconds)


@contextmanager
def _played(count: int, variables: Mapping[str, str]) -> Iterator[str]:
    """The address of a tenant of so many devices in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.played_tenant", str(count)]
    with subprocess.Popen(
        command, env=dict(variables), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as played:
        assert played.stdout is not None
        assert played.stdin is not None
        yield played.stdout.readline().strip()
        played.stdin.close()
        played.wait(timeout=30)
