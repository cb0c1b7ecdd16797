"""Demo mode: writes a state file with the sample fleet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.evidence.closing import close_next
from engine.fleet.demo_clock import DemoState, write_demo
from engine.fleet.upkeep import note_calendar
from engine.model.errors import BadInput, StateUnusable
from engine.rules.rollout.presets import preset
from engine.situation.populations import WORTH_FROM, count_populations
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.connection import check_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.model.sample import SampleDevice

DEMO_BEGINS = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)
"""The morning after the Patch Tuesday of May 2026."""
DEFAULT_SPEED = 60.0
SEED = 20260513
BUNDLED_SIZE = 500
_CHUNK = 5_000


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
