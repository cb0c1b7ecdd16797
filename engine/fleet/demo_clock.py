"""A demo's clock: a time of its own that can run, stand and be stepped, and what else the state keeps of the demo.

A demo's present is kept in its state file, so that every process agrees on it and nothing moves while nobody looks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import asdict

from engine.model.clock import from_text, to_text
from engine.model.errors import BadInput, StateUnusable
from engine.model.records.fleet import DemoClock
from engine.store import Store

MAX_SPEED = 86_400.0
_SETTING = "demo"


class DemoState(Struct, frozen=True):
    """What a demo's state file keeps of the demo itself."""

    now: datetime
    speed: float
    paused: bool
    seed: int
    scenario: str


class DemoControl:
    """The clock of a demo and its controls."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def state(self) -> DemoState:
        found = read_demo(self._store)
        if found is None:
            raise StateUnusable(f"{self._store.path} is no demo.", "", "Make one with: hotpatch demo")
        return found

    def now(self) -> datetime:
        return self.state.now

    def clock(self) -> DemoClock:
        state = self.state
        return DemoClock(state.speed, state.paused)

    def step(self, by: timedelta) -> None:
        """Let time pass at once.

        Raises:
            BadInput: backwards.
        """
        if by < timedelta(0):
            raise BadInput("A demo's clock cannot go back.", "", "Begin anew with: hotpatch demo --reset")
        self._change(lambda state: state.now + by, None, None)

    def step_to(self, moment: datetime) -> None:
        """Let time pass until then; nothing happens when that is past."""
        self._change(lambda state: max(state.now, moment), None, None)

    def tick(self, real_seconds: float) -> None:
        """Let time pass at the demo's speed; nothing happens while it is paused."""
        if not self.state.paused:
            self._change(lambda state: state.now + timedelta(seconds=real_seconds * state.speed), None, None)

    def set_speed(self, speed: float) -> None:
        """Seconds of the demo in one second of life, 1 to 86,400."""
        self._change(None, min(max(speed, 1.0), MAX_SPEED), None)

    def pause(self) -> None:
        self._change(None, None, True)

    def resume(self) -> None:
        self._change(None, None, False)

    def _change(self, move: Callable[[DemoState], datetime] | None, speed: float | None, paused: bool | None) -> None:
        with self._store.transaction():
            state = self.state
            write_demo(
                self._store,
                DemoState(
                    now=move(state) if move else state.now,
                    speed=state.speed if speed is None else speed,
                    paused=state.paused if paused is None else paused,
                    seed=state.seed,
                    scenario=state.scenario,
                ),
            )


def read_demo(store: Store) -> DemoState | None:
    """The demo that a state file holds, None for a real fleet."""
    text = store.state.setting(_SETTING)
    if text is None:
        return None
    kept = json.loads(text)
    return DemoState(from_text(kept["now"]), kept["speed"], kept["paused"], kept["seed"], kept["scenario"])


def write_demo(store: Store, state: DemoState) -> None:
    kept = asdict(state)
    kept["now"] = to_text(state.now)
    store.state.set(_SETTING, json.dumps(kept))
