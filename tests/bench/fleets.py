"""Prepared demos to measure on, kept in ``.bench/`` by size and schema; preparing one is a measurement itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import engine.store.schema
from engine import open_engine
from engine.store.connection import SCHEMA_VERSION

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
    begin = time.perf_counter()
    command = hotpatch("demo", "--db", path, "--prepare", "--devices", str(size))
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=said)
    with open_engine(path) as opened:
        assert opened.demo is not None
        opened.demo.pause()
    # Linux tells kilobytes, macOS bytes.
    return Fleet(size, path, seconds, usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10))
