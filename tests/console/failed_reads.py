"""What every screen does when a read fails: it says so, and the next read mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.screens.base import ConsoleScreen
from engine.model.errors import EngineError
from tests.console.driver import desk


async def is_told_and_mended(
    state: Path, monkeypatch: pytest.MonkeyPatch, *, start: str, read: str, kind: type[ConsoleScreen], then: str
) -> None:
    """`read` names the function that fails; `then` is what the screen shows once it does not."""

    def broken(*_: object) -> object:
        raise EngineError("The disk is gone.", "Nothing answers.", "Plug it in.")

    with monkeypatch.context() as patched:
        patched.setattr(read, broken)
        async with desk(state, start=start) as d:
            assert d.shows("The disk is gone.", "Plug it in.", "not read")
            patched.undo()
            screen = d.screen
            assert isinstance(screen, kind)
            screen.load()
            await d.idle()
            assert d.shows(then)
            assert "not read" not in d.title_line()
