"""Commands as a script calls them, process and all, against a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from engine import open_engine
from engine.records import Anchor, AnchorKind, DeviceQuery
from tests.bench.fleets import SMALL, Fleet, hotpatch
from tests.bench.table import Line, Section, duration
from tests.bench.timing import Timed, compare, timed


def measure(full: Fleet, small: Fleet, variables: Mapping[str, str], *, quick: bool) -> Section:
    """The section on commands."""
    return Section("Commands, process and all", tuple(_lines(full, small, variables, 3 if quick else 9)))


def _lines(full: Fleet, small: Fleet, variables: Mapping[str, str], repetitions: int) -> Iterable[Line]:
    nothing = _call([sys.executable, "-c", "pass"], variables)
    for name, words in (("status", "status"), ("device", "device NAME")):
        here, base = (_call(_command(name, fleet), variables) for fleet in (full, small))
        by_size, by_python = compare(here, base, repetitions), compare(here, nothing, repetitions)
        shown = f"`hotpatch {words} --json`"
        yield Line(shown, duration(by_size.full), f"{duration(by_size.base)} ({SMALL:,} devices)", by_size.ratio)
        yield Line(shown, duration(by_python.full), f"{duration(by_python.base)} (`python -c pass`)", by_python.ratio)


def _command(name: str, fleet: Fleet) -> list[str]:
    words = [name] if name == "status" else [name, _some_name(fleet)]
    return hotpatch("--db", fleet.path, *words, "--json")


def _some_name(fleet: Fleet) -> str:
    with open_engine(fleet.path, read_only=True) as engine:
        return engine.reads.device_page(DeviceQuery(), Anchor(AnchorKind.NAME, name="m"), 1).rows[0].name


def _call(command: Sequence[str], variables: Mapping[str, str]) -> Timed:
    def run() -> None:
        # `status` ends with 3 when something needs attention: that is no failure here.
        done = subprocess.run(command, env=dict(variables), stdout=subprocess.DEVNULL, check=False)
        if done.returncode not in (0, 3):
            done.check_returncode()

    return timed(run)
