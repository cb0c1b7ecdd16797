"""This checkout and a base measured part by part, in turns, each in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.checkouts import Checkout, base
from tests.bench.comparison import Part, Table, markdown, read_table
from tests.bench.fleets import ROOT

_WRONG_USAGE = 2


def measure(
    commit: str,
    parts: Sequence[str],
    of_the_program: Sequence[str],
    *,
    devices: int,
    rounds: int,
    quick: bool,
    tell: Callable[[str], None],
) -> str:
    """The table of both.

    Parts `of_the_program` call the program alone: there the base's is measured by the code here. In all others each
    side is measured by its own bench, which knows its own rooms.
    """
    there = base(commit)
    with TemporaryDirectory() as place:
        there.check(Path(place))
    owner = "this Python" if there.python == sys.executable else "a Python of its own"
    tell(f"base in {there.root.relative_to(ROOT)}, with {owner}")
    words = ["--devices", str(devices), *(["--quick"] if quick else [])]
    found: list[Part] = []
    for part in parts:
        now: list[Table] = []
        before: list[Table] = []
        of_base = ["--checkout", str(there.root), "--python", there.python] if part in of_the_program else []
        for number in range(rounds):
            tell(f"{part}, round {number + 1} of {rounds}")
            # Whoever comes second finds the machine as the first has left it: they change places.
            for is_base in (True, False) if number % 2 == 0 else (False, True):
                if not is_base:
                    now.append(_bench(Checkout(), part, words))
                elif of_base:
                    before.append(_bench(Checkout(), part, [*words, *of_base]))
                else:
                    before.append(_bench(there, part, words))
        found.append(Part(part, now, before))
    title = f"{devices:,} devices, medians of {rounds} rounds in turns"
    return markdown(title, there.root.name.replace("-", " "), found)


def _bench(checkout: Checkout, part: str, words: Sequence[str]) -> Table:
    """What a checkout's bench says of one part; nothing where it does not know the part."""
    command = [checkout.python, "-m", "tests.bench", "--only", part, *words]
    done = subprocess.run(
        command,
        cwd=checkout.root,
        env={**dict(_own_variables()), "PYTHONPATH": str(checkout.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == _WRONG_USAGE and "invalid choice" in done.stderr:
        return {}
    if done.returncode:
        sys.stderr.write(done.stderr)
        done.check_returncode()
    return read_table(done.stdout)


def _own_variables() -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in os.environ.items() if not name.startswith("PYTHON"))
