"""Calls `hotpatch` as a person or a script would, in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.cli import run

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Called:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


def call(*arguments: str | Path) -> Called:
    """One call in this process, without a terminal."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(each) for each in arguments])
    return Called(code, out.getvalue(), err.getvalue())


def command(*arguments: str | Path) -> list[str]:
    """The command line of a call in a process of its own."""
    return [sys.executable, "-m", "console", *map(str, arguments)]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of such a process."""
    return {**os.environ, "PYTHONPATH": str(PROJECT), **(more or {})}


def spawn(*arguments: str | Path, more: Mapping[str, str] | None = None, cwd: Path | None = None) -> Called:
    """One call in a process of its own."""
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(more),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    return Called(done.returncode, done.stdout, done.stderr)
