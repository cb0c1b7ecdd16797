"""``python -m tests.bench [--devices N] [--quick] [--write]``: measures everything in one run and prints one table."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import commands, documents, evidence, importing, reading, reconciling, tenants, terminal
from tests.bench.fleets import ROOT, SMALL, environment, prepare
from tests.bench.table import Section, markdown, write_into

USUAL_DEVICES = 100_000
_PARTS = ("reading", "evidence", "terminal", "commands", "importing", "reconciling", "tenants", "documents")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 whatever comes out."""
    asked = _parser().parse_args(arguments)
    parts = asked.only or _PARTS
    sections: list[Section] = []
    with TemporaryDirectory() as place:
        variables = environment(Path(place))
        afresh = not asked.quick and "importing" in parts
        _tell(f"two demos, of {SMALL:,} and of {asked.devices:,} devices")
        small = prepare(SMALL, variables, afresh=afresh)
        full = prepare(asked.devices, variables, afresh=afresh)
        for part in parts:
            _tell(part)
            if part == "reading":
                sections.append(reading.measure(full.path, small.path, quick=asked.quick))
            elif part == "evidence":
                sections.append(evidence.measure(full, small))
            elif part == "terminal":
                sections.append(terminal.measure(full, small, variables, quick=asked.quick))
            elif part == "commands":
                sections.append(commands.measure(full, small, variables, quick=asked.quick))
            elif part == "importing":
                sections.append(importing.measure(full, small, quick=asked.quick))
            elif part == "reconciling":
                sections.append(reconciling.measure(full, variables, quick=asked.quick))
            elif part == "tenants":
                sections.append(tenants.measure(variables, quick=asked.quick))
            else:
                sections.append(documents.measure())
    table = markdown(f"{asked.devices:,} devices", [*sections, _machine()])
    sys.stdout.write(f"{table}\n")
    if asked.write:
        write_into(ROOT / "README.md", table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--devices", type=_devices, default=USUAL_DEVICES, metavar="N", help="size of the large fleet")
    parser.add_argument("--quick", action="store_true", help="few repetitions, on the demos of the run before")
    parser.add_argument("--only", action="append", choices=_PARTS, help="this part; may be given several times")
    parser.add_argument("--write", action="store_true", help="put the table into README.md too")
    return parser


def _devices(text: str) -> int:
    number = int(text.replace(",", "").replace("_", ""))
    if number <= SMALL:
        raise argparse.ArgumentTypeError(f"more than {SMALL:,}: that is what it is compared with")
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
