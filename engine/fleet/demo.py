"""Demo mode: a state file with the sample fleet, and a clock of its own that can run, stand and be stepped.

A demo's present is kept in its state file, so that every process agrees on it and nothing moves while nobody looks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict

from engine.evidence.closing import close_next
from engine.fleet.upkeep import note_calendar
from engine.model.clock import from_text, to_text
from engine.model.errors import BadInput, StateUnusable
from engine.model.records.fleet import DemoClock
from engine.rules.rollout.presets import preset
from engine.situation.populations import WORTH_FROM, count_populations
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.connection import check_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.providers.simulated.sample import SampleDevice

DEMO_BEGINS = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)
"""The morning after the Patch Tuesday of May 2026."""
DEFAULT_SPEED = 60.0
MAX_SPEED = 86_400.0
SEED = 20260513
BUNDLED_SIZE = 500
_SETTING = "demo"
_CHUNK = 5_000


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


def prepare_demo(
    path: Path,
    *,
    size: int = BUNDLED_SIZE,
    seed: int = SEED,
    scenario: str = "none",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a demo's state file. It appears under its name only when it is complete.

    Raises:
        BadInput: fewer than 20 devices, or an unknown scenario.
        StateUnusable: the file exists already, or its folder cannot be written.
    """
    from engine.providers.simulated import faults_for

    if size < 20:
        raise BadInput(f"A demo of {size} devices is too small.", "", "Ask for 20 or more: --devices 500")
    faults_for(scenario)
    if path.exists():
        raise StateUnusable(f"{path} exists already.", "", "Begin anew with --reset, or name another file.")
    check_place(path, create=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        _fill(unfinished, size, seed, scenario, progress)
        unfinished.replace(path)
    except OSError as error:
        raise StateUnusable(f"{path} cannot be written.", f"{error.strerror}.", "Name a file elsewhere.") from error
    finally:
        for part in (unfinished, *(unfinished.with_name(unfinished.name + end) for end in ("-wal", "-shm"))):
            part.unlink(missing_ok=True)


def _fill(path: Path, size: int, seed: int, scenario: str, progress: Callable[[int, int], None] | None) -> None:
    from engine.catalog import load_bundled
    from engine.providers.simulated.faults import begins_at
    from engine.providers.simulated.fleet import generate
    from engine.providers.simulated.sample_file import load_bundled_fleet
    from engine.store.bulk import BulkLoad

    begins = begins_at(scenario)
    store = Store(path)
    try:
        # Nobody else can see the file yet, so it needs no protection against a crash while it is filled.
        catalog = load_bundled()
        with store.transaction():
            store.releases.replace(catalog)
            for ring in preset():
                store.rollout.save_ring(ring)
            write_demo(store, DemoState(begins, DEFAULT_SPEED, False, seed, scenario))
        bundled = (size, seed, begins) == (BUNDLED_SIZE, SEED, DEMO_BEGINS)
        known = [release for release in catalog.releases if release.released_at <= begins]
        fleet: Iterator[SampleDevice] = (
            load_bundled_fleet() if bundled else generate(known, seed=seed, size=size, now=begins)
        )
        situation = Situation(store, begins)
        ring_ids = {ring.name: ring.id for ring in store.rollout.rings()}
        with BulkLoad(store.connection, ring_ids, situation.all_levels(), begins) as load:
            done = 0
            for chunk in _chunks(fleet, _CHUNK):
                load.add(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, size)
        note_calendar(store, situation)
        if size >= WORTH_FROM:
            count_populations(store, begins)
            while close_next(store, begins):  # else whoever opens the overview first waits for it
                pass
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        store.close()


def _chunks(fleet: Iterator[SampleDevice], size: int) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for each in fleet:
        chunk.append(each)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
