"""Checkouts of the program: this one, and a commit's to measure it against, kept in ``.bench/`` with its own demos.

A base may have other rooms and another schema. So what is asked of it is only: ``python -m console``, the table of its
own ``python -m tests.bench``, and `environment` and `prepare` of its ``tests.bench.fleets``, which therefore stay.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.bench.fleets import CACHE, ROOT, Fleet, environment

_PREPARE = """
import sys
from pathlib import Path
from tests.bench.fleets import environment, prepare
print(prepare(int(sys.argv[1]), environment(Path(sys.argv[2])), afresh=False).path)
"""
_WHERE = "import console, engine; print(console.__file__); print(engine.__file__)"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder with the program, and the Python that runs it."""

    root: Path = ROOT
    python: str = sys.executable

    def variables(self, place: Path) -> dict[str, str]:
        """What a measured process gets: no code from the folder it is called in, and none but this checkout's."""
        return {**environment(place), "PYTHONPATH": str(self.root), "PYTHONSAFEPATH": "1"}

    def hotpatch(self, *words: str | Path) -> list[str]:
        """The command line of a call of the program."""
        return [self.python, "-m", "console", *map(str, words)]

    def prepare(self, size: int, place: Path) -> Fleet:
        """A fleet of a size, made by the program of this checkout when it is not there yet."""
        command = [self.python, "-c", _PREPARE, str(size), str(place)]
        done = subprocess.run(command, env=self.variables(place), check=True, stdout=subprocess.PIPE, text=True)
        return Fleet(size, Path(done.stdout.strip()))

    def check(self, place: Path) -> None:
        """Be certain that it is this checkout's code that runs.

        Raises:
            RuntimeError: it is other code.
        """
        done = subprocess.run(
            [self.python, "-c", _WHERE], env=self.variables(place), check=True, stdout=subprocess.PIPE, text=True
        )
        for found in done.stdout.split():
            if not Path(found).is_relative_to(self.root):
                raise RuntimeError(f"{found} would be measured, which is not in {self.root}")


def base(commit: str) -> Checkout:
    """The checkout of a commit; made when it is not there yet.

    Raises:
        CalledProcessError: there is no such commit, or what it depends on cannot be installed.
    """
    name = _git("rev-parse", "--verify", "--short=12", f"{commit}^{{commit}}").decode().strip()
    root = CACHE / f"base-{name}"
    if not root.exists():
        unfinished = root.with_suffix(".unfinished")
        unfinished.mkdir(parents=True, exist_ok=True)
        archive = unfinished / "archive"
        archive.write_bytes(_git("archive", "--format=tar", name))
        with tarfile.open(archive) as opened:
            opened.extractall(unfinished, filter="data")
        archive.unlink()
        unfinished.replace(root)
    _lend_shared()
    python = _python(root)
    # Nobody pays for the first compilation.
    subprocess.run([python, "-m", "compileall", "-q", "console", "engine"], cwd=root, check=True)
    return Checkout(root, python)


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def _lend_shared() -> None:
    """The bench looks for Microsoft's documents beside its checkout."""
    shared, lent = ROOT.parent / "shared", CACHE / "shared"
    if shared.exists() and not lent.exists():
        lent.symlink_to(shared, target_is_directory=True)


def _python(root: Path) -> str:
    """The Python at work, if all that the base requires is required here in the same words; else one of its own."""
    if requirements(root / "pyproject.toml") <= requirements(ROOT / "pyproject.toml"):
        return sys.executable
    python = root / ".venv" / "bin" / "python"
    ready = root / ".venv" / ".installed"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(root / ".venv")], check=True)
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--editable",
            ".[dev]",
        ]
        subprocess.run(install, cwd=root, check=True, env={**os.environ, "PYTHONPATH": ""}, stdout=sys.stderr)
        ready.touch()
    return str(python)


def requirements(pyproject: Path) -> set[str]:
    """What a pyproject.toml says the program and its tests need."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return {*project["dependencies"], *project["optional-dependencies"]["dev"]}
