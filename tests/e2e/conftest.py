"""What the end-to-end tests share: a home of one's own, and a demo that is ready to be opened in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of the person who runs the program; it is also the working folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def state(prepared_demo: Path, home: Path) -> Path:
    """A demo's state file, at the demo's beginning."""
    return Path(shutil.copy(prepared_demo, home / "fleet.db"))
