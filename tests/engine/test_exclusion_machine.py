"""Random exclusions, ends and passing time: what the rollout may offer always agrees with a model of the rules."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine import Engine
from engine.model.intents import Exclude, Readmit, Target
from engine.model.model import DeviceState, Release
from engine.model.records.fleet import DeviceQuery
from engine.runner.failures import mind_failures
from engine.situation.situation import Situation
from tests.engine.failure_states import CLIENTS, MAY, opened

DEVICES = 6
MAY_LCU = 5089549
_KBS = st.sampled_from([None, MAY, MAY_LCU])


@dataclass(frozen=True)
class _Kept:
    """One exclusion in the model."""

    kb: int | None
    until: datetime | None


class Exclusions(RuleBasedStateMachine):
    """Six ready devices of ring Test, and what a person does to them."""

    prepared: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.engine: Engine = opened(Path(shutil.copy(self.prepared, self.folder / "demo.db")))
        rows = self.engine.reads.devices.each(DeviceQuery("ring:broad readiness:ready state:idle"))
        self.ids = [row.id for row in rows if row.platform in CLIENTS][:DEVICES]
        self.model: dict[int, dict[int | None, _Kept]] = {device_id: {} for device_id in self.ids}
        self.began = self.engine.now()

    def teardown(self) -> None:
        assert self.engine.reads.store.audit.verify() is None
        self.engine.close()
        shutil.rmtree(self.folder)

    def chosen(self, places: set[int]) -> tuple[int, ...]:
        return tuple(self.ids[place] for place in sorted(places))

    def forget_what_has_ended(self) -> None:
        now = self.engine.now()
        for kept in self.model.values():
            for kb in [kb for kb, each in kept.items() if each.until is not None and each.until <= now]:
                del kept[kb]

    @rule(places=st.sets(st.integers(0, DEVICES - 1), min_size=1), kb=_KBS, hours=st.none() | st.integers(1, 60))
    def exclude(self, places: set[int], kb: int | None, hours: int | None) -> None:
        until = None if hours is None else self.engine.now() + timedelta(hours=hours)
        plan = self.engine.plan(Exclude(Target(ids=self.chosen(places)), "model", kb, until))
        for device_id in plan.device_ids:
            self.model[device_id][kb] = _Kept(kb, until)
        if plan.refusal is None:
            self.engine.carry_out(plan)

    @rule(places=st.sets(st.integers(0, DEVICES - 1), min_size=1), kb=_KBS)
    def readmit(self, places: set[int], kb: int | None) -> None:
        plan = self.engine.plan(Readmit(Target(ids=self.chosen(places)), kb=kb))
        for device_id in plan.device_ids:
            kept = self.model[device_id]
            self.model[device_id] = {} if kb is None else {each: one for each, one in kept.items() if each != kb}
        if plan.refusal is None:
            self.engine.carry_out(plan)

    @rule(hours=st.integers(1, 20))
    @precondition(lambda self: self.engine.now() - self.began < timedelta(days=10))
    def time_passes(self, hours: int) -> None:
        assert self.engine.demo is not None
        self.engine.demo.step(timedelta(hours=hours))
        self.forget_what_has_ended()

    @rule()
    def upkeep(self) -> None:
        mind_failures(self.engine.reads.store, self.engine.now())
        states = {self.engine.reads.devices.detail(each).state for each in self.ids if self.model[each]}
        assert states <= {DeviceState.HELD}
        free = {self.engine.reads.devices.detail(each).state for each in self.ids if not self.model[each]}
        assert free <= {DeviceState.IDLE}
        assert mind_failures(self.engine.reads.store, self.engine.now()) == 0

    @invariant()
    def the_rollout_offers_what_is_not_excluded_and_nothing_else(self) -> None:
        store, now = self.engine.reads.store, self.engine.now()
        ring = Situation(store, now).ring("Broad")
        for release in self.releases():
            offered = {each.id for each in store.rollout.offerable(release, ring.id, now, 10_000)}
            for device_id in self.ids:
                kept = self.model[device_id]
                row = store.devices.row(device_id)
                assert row is not None
                if row["platform"] == release.platform:
                    assert (device_id in offered) == (not kept.keys() & {None, release.kb})

    @invariant()
    def what_is_told_of_a_device_is_what_is_kept(self) -> None:
        for device_id in self.ids:
            found = {each.kb: each.until for each in self.engine.reads.devices.exclusions(device_id)}
            assert found == {kb: each.until for kb, each in self.model[device_id].items()}

    def releases(self) -> list[Release]:
        situation = Situation(self.engine.reads.store, self.engine.now())
        return [each for each in situation.releases if each.kb == MAY]


@pytest.fixture(autouse=True)
def _prepared(prepared_demo: Path) -> None:
    Exclusions.prepared = prepared_demo


TestExclusions = Exclusions.TestCase
TestExclusions.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
