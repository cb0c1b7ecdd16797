"""What the tests of the rollout share: small prepared demos, an operator's hands, the fleet's invariants."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from engine import Engine, open_engine
from engine.fleet.demo import prepare_demo
from engine.model.intents import Actor, Approve, Intent
from engine.model.records.fleet import DeviceQuery, DeviceRow
from engine.providers.simulated import NO_FAILURES, SimulatedProvider
from tests.states import prepared

MAY = 5089466
MAY_LCU = 5089549
JUNE = 5094126
SEED = 7


def desk(folder: Path, *, size: int = 120, scenario: str = "none", seed: int = SEED, name: str = "small.db") -> Path:
    """A small demo of its own; prepared once and copied."""
    make = partial(prepare_demo, size=size, seed=seed, scenario=scenario)
    kept = prepared(f"{scenario}-{size}-{seed}", make)
    return Path(shutil.copy(kept, folder / name))


def opened(path: Path, *, who: str = "mia", sound: bool = False) -> Engine:
    """The engine for one operator; `sound` lets nothing fail by chance."""
    providers = {"simulated": SimulatedProvider(SEED, NO_FAILURES)} if sound else None
    return open_engine(path, actor=Actor(who, "jump01 test"), providers=providers)


def carry_out(engine: Engine, intent: Intent) -> None:
    engine.carry_out(engine.plan(intent))


def approve(engine: Engine, *rings: str, kb: int = MAY) -> None:
    carry_out(engine, Approve(kb, rings, "tested on the bench"))


def devices(engine: Engine, filter_text: str) -> list[DeviceRow]:
    return list(engine.reads.devices.each(DeviceQuery(filter_text)))
