"""Writes the bundled sample fleet: ``python -m engine.providers.simulated [FILE]``, called by ``make sample-fleet``.

The default file is the project's own `data/sample_fleet.jsonl`; the catalog gives the releases.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engine.catalog import load_bundled
from engine.providers.simulated.fleet import generate
from engine.providers.simulated.sample import DEMO_SEED, DEMO_SIZE, DEMO_START
from engine.providers.simulated.sample_file import FILE_NAME, dump_fleet


def write(path: Path) -> None:
    """Write the default fleet of the bundled catalog; the file appears only when it is whole."""
    known = [release for release in load_bundled().releases if release.released_at <= DEMO_START]
    lines = dump_fleet(generate(known), seed=DEMO_SEED, size=DEMO_SIZE, now=DEMO_START)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)
    unfinished.replace(path)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[3] / "data" / FILE_NAME)
