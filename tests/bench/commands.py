"""Commands as a script calls them, process and all, against a Python that does nothing or only loads what they need."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from tests.bench.checkouts import Checkout
from tests.bench.fleets import SMALL, Fleet
from tests.bench.processes import use
from tests.bench.table import Line, Section, duration
from tests.bench.timing import Timed, compare

_LOADS = "import json, sqlite3, click"


def measure(full: Fleet, small: Fleet, checkout: Checkout, variables: Mapping[str, str], *, quick: bool) -> Section:
    """The section on commands."""
    return Section("Commands, process and all", tuple(_lines(full, small, checkout, variables, quick=quick)))


def _lines(
    full: Fleet, small: Fleet, checkout: Checkout, variables: Mapping[str, str], *, quick: bool
) -> Iterable[Line]:
    repetitions, seldom = (3, 1) if quick else (9, 3)
    size = f"({SMALL:,} devices)"

    def call(fleet: Fleet, *words: str) -> list[str]:
        return checkout.hotpatch("--db", fleet.path, *words, "--json")

    nothing = _wall([checkout.python, "-c", "pass"], variables)
    loads = _wall([checkout.python, "-c", _LOADS], variables)
    names = {fleet.path: _some_name(call(fleet, "devices", "--limit", "1"), variables) for fleet in (full, small)}
    for shown, words in (("status", ("status",)), ("device NAME", ("device",))):
        here, base = (
            _wall(call(fleet, *words, *([names[fleet.path]] if words == ("device",) else [])), variables)
            for fleet in (full, small)
        )
        by_size, by_python = compare(here, base, repetitions), compare(here, nothing, repetitions)
        what = f"`hotpatch {shown} --json`"
        yield Line(what, duration(by_size.full), f"{duration(by_size.base)} {size}", by_size.ratio)
        yield Line(what, duration(by_python.full), f"{duration(by_python.base)} (`python -c pass`)", by_python.ratio)
        if shown == "status":
            pair = compare(base, loads, repetitions)
            against = f"(`python -c '{_LOADS}'`)"
            what = f"{what} of {SMALL:,} devices"
            yield Line(what, duration(pair.full), f"{duration(pair.base)} {against}", pair.ratio)
            # Beside other work on the machine this differs less.
            used = (_processor(each, variables) for each in (call(small, "status"), [checkout.python, "-c", _LOADS]))
            pair = compare(*used, repetitions)
            what = f"{what}: processor time"
            yield Line(what, duration(pair.full), f"{duration(pair.base)} {against}", pair.ratio)
    lists, short = (_processor(call(fleet, "devices"), variables) for fleet in (full, small))
    pair = compare(lists, short, seldom, warm=False)
    yield Line("`hotpatch devices --json`: processor time", duration(pair.full), f"{duration(pair.base)} {size}")


def _some_name(command: Sequence[str], variables: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=dict(variables), stdout=subprocess.PIPE, check=True)
    return str(json.loads(done.stdout)[0]["name"])


def _wall(command: Sequence[str], variables: Mapping[str, str]) -> Timed:
    return lambda: use(command, variables).seconds


def _processor(command: Sequence[str], variables: Mapping[str, str]) -> Timed:
    return lambda: use(command, variables).processor_seconds
