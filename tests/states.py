"""State files for tests: one prepared demo a session, copied for each test that wants it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.fleet.demo import prepare_demo


@pytest.fixture(scope="session")
def prepared_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled sample fleet at the demo's beginning. Do not write to it: copy it."""
    path = tmp_path_factory.mktemp("demo") / "prepared.db"
    prepare_demo(path)
    return path


@pytest.fixture
def demo_state(prepared_demo: Path, tmp_path: Path) -> Path:
    """A demo's state file of the test's own."""
    return Path(shutil.copy(prepared_demo, tmp_path / "demo.db"))
