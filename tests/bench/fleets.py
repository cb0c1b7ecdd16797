"""Prepared demos to measure on, kept in ``.bench/`` by size and schema; preparing one is a measurement itself."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import engine.store.schema
from engine import open_engine
from engine.store.connection import SCHEMA_VERSION
from tests.bench.processes import use

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".bench"
SMALL = 1_000
"""What every size is compared with."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A state file with so many simulated devices, its clock standing still."""

    size: int
    path: Path
    seconds: float = 0.0
    """What preparing took; 0 where the file was there already."""
    peak_megabytes: float = 0.0


def environment(place: Path) -> dict[str, str]:
    """What a measured process gets: a common terminal, and no configuration or state of the person's own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HOTPATCH_", "XDG_", "SSH_", "PYTHON", "TEXTUAL")) and name != "NO_COLOR"
    }
    folders = {f"XDG_{kind}_HOME": str(place) for kind in ("STATE", "CONFIG", "CACHE", "DATA")}
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    return {**kept, **folders, **terminal, "PYTHONPATH": str(ROOT)}


def hotpatch(*words: str | Path) -> list[str]:
    """The command line of a call of the program."""
    return [sys.executable, "-m", "console", *map(str, words)]


def prepare(size: int, variables: Mapping[str, str], *, afresh: bool) -> Fleet:
    """A fleet of a size. `afresh` prepares it anew, to measure that."""
    CACHE.mkdir(exist_ok=True)
    schema = hashlib.sha256(Path(engine.store.schema.__file__).read_bytes()).hexdigest()[:8]
    path = CACHE / f"fleet-{size}-v{SCHEMA_VERSION}-{schema}.db"
    if path.exists() and not afresh:
        return Fleet(size, path)
    for old in CACHE.glob(f"fleet-{size}-v*"):
        old.unlink()
    command = hotpatch("demo", "--db", path, "--prepare", "--devices", str(size))
    used = use(command, variables)
    with open_engine(path) as opened:
        assert opened.demo is not None
        opened.demo.pause()
    return Fleet(size, path, used.seconds, used.peak_megabytes)
