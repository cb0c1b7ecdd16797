"""What every test stands on: folders of its own, no user configuration, a fixed terminal, quick hypothesis runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Compiled code is kept, whatever the environment says: each process of a run would otherwise compile all of it anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile(
    "house", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("house")

pytest_plugins = [
    "tests.slow",
    "tests.states",
    "tests.tenant.fixtures",
    "tests.tenant.coverage",
    "tests.engine.tenant_pulls",
]

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
"""Facts and documents beside the project; absent in a clone elsewhere."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, and say why, what needs the folder beside the project."""
    if SHARED.is_dir():
        return
    skip = pytest.mark.skip(reason="needs the ../shared folder of facts and documents")
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State, configuration and cache in a folder of the test's own; a terminal that is the same everywhere."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("STATE", "CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    for name in ("HOTPATCH_DB", "NO_COLOR", "SSH_TTY", "SSH_CONNECTION", "TMUX", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TZ", "UTC")
    return home
