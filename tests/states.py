"""State files for tests: prepared once a run, for all its processes, and copied for each test that wants one."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.fleet.demo import prepare_demo

_folders: list[Path] = []
"""While tests run: the folder that all processes of the run share, and this process's own."""


@pytest.fixture(scope="session", autouse=True)
def _run_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    own = tmp_path_factory.getbasetemp()
    _folders[:] = [own.parent if "PYTEST_XDIST_WORKER" in os.environ else own, own]


def prepared(name: str, make: Callable[[Path], None]) -> Path:
    """A state file that the first process to ask for it makes while others wait; each has a copy of its own.

    Do not write to it: copy it. `make` gets the path of a file that does not exist, and leaves it closed there.
    """
    shared, own = _folders
    copy = own / f"{name}.db"
    if copy.exists():
        return copy
    made = shared / f"{name}.made"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            begun = made.with_suffix(".begun")
            begun.unlink(missing_ok=True)
            make(begun)
            begun.rename(made)
    return Path(shutil.copy(made, copy))


@pytest.fixture(scope="session")
def prepared_demo() -> Path:
    """The bundled sample fleet at the demo's beginning. Do not write to it: copy it."""
    return prepared("prepared", prepare_demo)


@pytest.fixture
def demo_state(prepared_demo: Path, tmp_path: Path) -> Path:
    """A demo's state file of the test's own."""
    return Path(shutil.copy(prepared_demo, tmp_path / "demo.db"))
