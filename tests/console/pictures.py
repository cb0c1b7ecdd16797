"""Pictures of screens for snapshot tests: the same state, size, signs and look every time, and at rest.

Text assertions say what a screen means; a picture only notices that it looks different.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from console.app import HotpatchApp
from console.background import Background
from console.settings import Settings
from engine import Engine, open_engine
from engine.model.clock import Clock
from engine.model.intents import Actor
from tests.console.driver import Desk

SIZES = ((80, 24), (160, 45))
"""The two sizes at which every screen is pictured."""


def same_picture(
    snap_compare: Callable[..., bool],
    path: Path,
    start: str,
    size: tuple[int, int],
    keys: Sequence[str] = (),
    clock: Clock | None = None,
    **settings: Any,
) -> bool:
    """Whether a screen looks as it did: opened on a state file, after these keys, at rest. Nobody drives."""

    def opener() -> Engine:
        return open_engine(path, actor=Actor("tester", "test console"), clock=clock)

    app = HotpatchApp(
        Background(opener, driving=False, poll_seconds=0.02), Settings(animation="none", **settings), start=start
    )

    async def press(pilot: Pilot[None]) -> None:
        desk = Desk(app, pilot, path)
        await desk.idle()
        await desk.press(*keys)

    return snap_compare(app, terminal_size=size, run_before=press)
