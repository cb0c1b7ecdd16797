"""``python -m tests.bench [--devices N] [--quick] [--only PART] [--write]``: measures in one run and prints one table.

``--base COMMIT`` measures this checkout and that commit's in turns and prints both.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import (
    commands,
    documents,
    evidence,
    importing,
    reading,
    reconciling,
    rollout,
    rounds,
    tenants,
    terminal,
)
from tests.bench.checkouts import Checkout
from tests.bench.fleets import ROOT, SMALL, Fleet, environment, prepare
from tests.bench.table import Section, markdown, write_into

USUAL_DEVICES = 100_000
_PARTS = (
    *("reading", "evidence", "terminal", "commands", "importing", "reconciling", "tenants", "rollout", "documents"),
)
_OF_THE_PROGRAM = ("terminal", "commands", "rollout")
"""They call the program alone, so that they can measure any checkout's."""
_USUAL_ROUNDS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 whatever comes out."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    parts = tuple(dict.fromkeys(asked.only or _PARTS))
    if asked.base:
        if asked.checkout or asked.write:
            parser.error("--base goes neither with --checkout nor with --write")
        sizes = {"devices": asked.devices, "rounds": asked.rounds}
        table = rounds.measure(asked.base, parts, _OF_THE_PROGRAM, **sizes, quick=asked.quick, tell=_tell)
        sys.stdout.write(f"{table}\n")
        return 0
    if asked.checkout and not set(parts) <= set(_OF_THE_PROGRAM):
        parser.error(f"--checkout goes with --only {', '.join(_OF_THE_PROGRAM)}: the rest is measured from within")
    checkout = Checkout(asked.checkout, asked.python) if asked.checkout else Checkout()
    sections = _measure(parts, checkout, asked.devices, quick=asked.quick)
    table = markdown(f"{asked.devices:,} devices", [*sections, _machine()])
    sys.stdout.write(f"{table}\n")
    if asked.write:
        write_into(ROOT / "docs" / "reference" / "performance.md", table)
    return 0


def _measure(parts: Sequence[str], checkout: Checkout, devices: int, *, quick: bool) -> list[Section]:
    sections: list[Section] = []
    with TemporaryDirectory() as place:
        variables = checkout.variables(Path(place))
        checkout.check(Path(place))
        afresh = not quick and "importing" in parts

        @cache
        def fleet(size: int) -> Fleet:
            _tell(f"a demo of {size:,} devices")
            if checkout.root != ROOT:
                return checkout.prepare(size, Path(place))
            return prepare(size, environment(Path(place)), afresh=afresh)

        for part in parts:
            _tell(part)
            if part == "reading":
                sections.append(reading.measure(fleet(devices).path, fleet(SMALL).path, quick=quick))
            elif part == "evidence":
                sections.append(evidence.measure(fleet(devices), fleet(SMALL)))
            elif part == "terminal":
                sections.append(terminal.measure(fleet(devices), fleet(SMALL), checkout, variables, quick=quick))
            elif part == "commands":
                sections.append(commands.measure(fleet(devices), fleet(SMALL), checkout, variables, quick=quick))
            elif part == "importing":
                sections.append(importing.measure(fleet(devices), fleet(SMALL), quick=quick))
            elif part == "reconciling":
                sections.append(reconciling.measure(fleet(devices), variables, quick=quick))
            elif part == "tenants":
                sections.append(tenants.measure(variables, quick=quick))
            elif part == "rollout":
                sections.append(rollout.measure(checkout, variables, quick=quick))
            else:
                sections.append(documents.measure())
    return sections


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--devices", type=_devices, default=USUAL_DEVICES, metavar="N", help="size of the large fleet")
    parser.add_argument("--quick", action="store_true", help="few repetitions, on the demos of the run before")
    parser.add_argument("--only", action="append", choices=_PARTS, help="this part; may be given several times")
    parser.add_argument("--base", metavar="COMMIT", help="measure that commit too, in turns")
    parser.add_argument("--rounds", type=_rounds, default=_USUAL_ROUNDS, metavar="N", help="turns of each, with --base")
    parser.add_argument("--checkout", type=Path, metavar="FOLDER", help="measure the program in that folder")
    parser.add_argument("--python", default=sys.executable, help="what runs it, with --checkout")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reference too")
    return parser


def _devices(text: str) -> int:
    number = int(text.replace(",", "").replace("_", ""))
    if number <= SMALL:
        raise argparse.ArgumentTypeError(f"more than {SMALL:,}: that is what it is compared with")
    return number


def _rounds(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one")
    return number


def _machine() -> Section:
    """What it was measured on; no name of the machine."""
    words = (
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, Textual {version('textual')}"
    )
    return Section(f"Measured in one run, medians, on {words}", ())


def _tell(what: str) -> None:
    sys.stderr.write(f"measuring: {what} …\n")


if __name__ == "__main__":
    sys.exit(main())
