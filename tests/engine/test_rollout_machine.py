"""Random commands, clock steps, provider answers and restarts of the process, and what must hold after each."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlite_utils import Database

from engine import Engine, open_engine
from engine.fleet.demo import prepare_demo
from engine.model.errors import EngineError, Unreachable
from engine.model.intents import (
    Actor,
    After,
    Apply,
    Approve,
    Assign,
    Countersign,
    Intent,
    LiftHold,
    Recover,
    Resume,
    Retry,
    Scope,
    SetHold,
    SetPolicy,
    SetRing,
    Stop,
    StopKind,
    Target,
    Uninstall,
    Withdraw,
)
from engine.model.model import InstallState
from engine.providers.base import InstallReport, Order
from engine.providers.simulated import Faults, SimulatedProvider
from engine.store.schema import recount
from tests.engine.rollout_desk import MAY, SEED

RINGS = ("Test", "First", "Fast", "Broad", "Last")
SERVER = 5087423
_ring = st.sampled_from(RINGS)
_kb = st.sampled_from((MAY, MAY, SERVER))
_names = st.lists(_ring, max_size=3, unique=True).map(tuple)

_prepared: list[Path] = []


def prepared() -> Path:
    """One small demo for all runs of the machine."""
    if not _prepared:
        path = Path(tempfile.mkdtemp(prefix="hotpatch-machine-")) / "prepared.db"
        prepare_demo(path, size=40, seed=SEED)
        _prepared.append(path)
    return _prepared[0]


class Moody(SimulatedProvider):
    """A provider that is sometimes out of reach, repeats itself, or talks nonsense."""

    mood = "well"

    async def report(self, orders: Sequence[Order], now: datetime) -> Sequence[InstallReport]:
        if self.mood == "away":
            raise Unreachable("No answer.", "The service is down.", "Try again later.")
        told = list(await super().report(orders, now))
        if self.mood == "forgetful":
            return told[::2]
        if self.mood == "confused":
            return [
                InstallReport(each.install_id, each.at, InstallState.VERIFYING, "verify", 90, each.at)
                if index % 3 == 0
                else each
                for index, each in enumerate(told)
            ]
        return told


class RolloutMachine(RuleBasedStateMachine):
    """One operator, one runner, one clock."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hotpatch-machine-"))
        self.path = Path(shutil.copy(prepared(), self.folder / "machine.db"))
        self.provider = Moody(SEED, Faults(failure_share=0.15, crashing_kbs=frozenset({SERVER})))
        self.engine: Engine = self._opened("mia")
        self.pace = timedelta(0)
        """How much time passes after each command."""

    def _opened(self, who: str) -> Engine:
        return open_engine(self.path, actor=Actor(who, "test"), providers={"simulated": self.provider})

    def _sit_down(self, who: str) -> None:
        self.engine.give_back_lease()
        self.engine.close()
        self.engine = self._opened(who)

    def teardown(self) -> None:
        self.engine.close()
        shutil.rmtree(self.folder)

    def _do(self, intent: Intent) -> None:
        """Refusals are answers too; nothing else may come of an intent."""
        try:
            plan = self.engine.plan(intent)
            if plan.refusal is None:
                self.engine.carry_out(plan)
        except EngineError as error:
            assert error.what
        self._live(self.pace)

    def _live(self, span: timedelta) -> None:
        """Let the runner work while time passes."""
        assert self.engine.demo is not None
        until = self.engine.now() + span
        asyncio.run(self.engine.run_until_idle(until=until))
        self.engine.demo.step_to(until)

    # --- what an operator does ----------------------------------------------------------------------

    @initialize(
        names=st.sampled_from(((), (), ("Test", "First"), ("First", "Broad"))),
        policy=st.sampled_from((False, False, True)),
        hours=st.sampled_from((0, 2, 11, 30)),
    )
    def begin(self, names: tuple[str, ...], policy: bool, hours: int) -> None:
        if policy:
            self._do(SetPolicy(second_person=True))
        self.pace = timedelta(hours=hours)
        self._do(Approve(MAY, names, "May"))

    @rule(kb=_kb, names=_names, days=st.sampled_from((None, 1, 4)))
    def approve(self, kb: int, names: tuple[str, ...], days: int | None) -> None:
        expires = None if days is None else self.engine.now() + timedelta(days=days)
        self._do(Approve(kb, names, "tested", expires_at=expires))

    @rule(number=st.integers(1, 4))
    def withdraw(self, number: int) -> None:
        self._do(Withdraw(number, "changed our minds"))

    @rule(number=st.integers(1, 4), other=st.booleans())
    def countersign(self, number: int, other: bool) -> None:
        if not other:
            self._do(Countersign(number))
            return
        self._sit_down("ben")
        self._do(Countersign(number))
        self._sit_down("mia")

    @rule(kb=_kb, ring=_ring)
    def apply(self, kb: int, ring: str) -> None:
        self._do(Apply(kb, Target(rings=(ring,)), "now"))

    @rule(ring=_ring, then=st.sampled_from(After))
    def uninstall(self, ring: str, then: After) -> None:
        self._do(Uninstall(MAY, Target(rings=(ring,)), "trouble", then))

    @rule(then=st.sampled_from(After))
    def recover(self, then: After) -> None:
        self._do(Recover(MAY, "crashes", then=then))

    @rule(ring=_ring)
    def retry(self, ring: str) -> None:
        self._do(Retry(Target(rings=(ring,)), reason="again"))

    @rule(kind=st.sampled_from(StopKind), kb=st.sampled_from((None, MAY)), ring=st.sampled_from((None, *RINGS)))
    def stop(self, kind: StopKind, kb: int | None, ring: str | None) -> None:
        self._do(Stop(kind, Scope(kb, ring), "wait"))

    @rule()
    def resume(self) -> None:
        self._do(Resume(Scope()))

    @rule(ring=_ring, other=_ring)
    def assign(self, ring: str, other: str) -> None:
        self._do(Assign(Target(rings=(ring,), filter="form:laptop"), other, "moved"))

    @rule(
        ring=_ring,
        waves=st.sampled_from((None, (0.2, 1.0), (0.1, 0.5, 1.0), (1.0,))),
        members=st.sampled_from((None, "form:server", "form:desktop", "")),
        window=st.sampled_from((None, "", "daily 20:00-06:00 Europe/Berlin")),
        limit=st.sampled_from((None, 0, 2)),
    )
    def set_ring(
        self, ring: str, waves: tuple[float, ...] | None, members: str | None, window: str | None, limit: int | None
    ) -> None:
        self._do(SetRing(ring, max_in_flight=limit, waves=waves, members=members, window=window))

    @rule(kb=st.sampled_from((None, MAY)), words=st.sampled_from(("form:laptop", "site:berlin", "")))
    def hold(self, kb: int | None, words: str) -> None:
        self._do(SetHold(kb, words, "known problem"))

    @rule(number=st.integers(1, 3))
    def lift(self, number: int) -> None:
        self._do(LiftHold(number))

    # --- what the world does ------------------------------------------------------------------------

    @rule(mood=st.sampled_from(("well", "well", "away", "forgetful", "confused")))
    def change_mood(self, mood: str) -> None:
        self.provider.mood = mood

    @rule(hours=st.sampled_from((1, 4, 24, 96)), turns=st.integers(0, 3))
    def nobody_looks(self, hours: int, turns: int) -> None:
        assert self.engine.demo is not None
        self.engine.demo.step(timedelta(hours=hours))
        for _ in range(turns):
            asyncio.run(self.engine.run_due())

    @rule(hours=st.sampled_from((1, 8, 24, 96)))
    def the_runner_works(self, hours: int) -> None:
        self._live(timedelta(hours=hours))

    @rule()
    def the_process_is_killed(self) -> None:
        self.engine.reads.store.connection.execute("UPDATE lease SET pid = 999999999")
        self.engine.close()
        self.engine = self._opened("mia")

    # --- what must hold -----------------------------------------------------------------------------

    @invariant()
    def every_device_is_in_exactly_one_ring(self) -> None:
        db = self.engine.reads.store.connection
        assert db.execute("SELECT count(*) FROM device WHERE ring_id IS NULL").fetchone()[0] == 0
        assert sum(row.devices for row in self.engine.reads.rollout.rings()) == 40

    @invariant()
    def no_device_is_worked_on_twice_at_once(self) -> None:
        twice = self.engine.reads.store.connection.execute(
            "SELECT device_id FROM install WHERE next_at IS NOT NULL GROUP BY device_id HAVING count(*) > 1"
        ).fetchall()
        assert twice == []

    @invariant()
    def no_install_was_queued_without_a_valid_approval(self) -> None:
        """The way back, and the LCU that follows it, are decided by the uninstall or the recovery."""
        rows = self.engine.reads.store.connection.execute(
            "SELECT i.kb, i.requested_at, i.reason, r.name AS ring FROM install i JOIN ring r ON r.id = i.ring_id "
            "WHERE i.kb IN (?, ?) AND i.action = 'apply'",
            (MAY, SERVER),
        ).fetchall()
        approvals = self.engine.reads.rollout.approvals()
        for row in rows:
            at = row["requested_at"]
            assert any(
                each.kb == row["kb"]
                and row["ring"] in each.rings
                and (not each.needs_second or each.seconded_at is not None)
                and int((each.seconded_at or each.approved_at).timestamp()) <= at
                and (each.withdrawn_at is None or int(each.withdrawn_at.timestamp()) >= at)
                and (each.expires_at is None or int(each.expires_at.timestamp()) > at)
                for each in approvals
            ), dict(row)

    @invariant()
    def no_ring_opened_before_its_time_and_its_gate(self) -> None:
        feed = list(reversed(self.engine.reads.activity.audit(5000)))
        for row in feed:
            if row.action != "ring-opened":
                continue
            release = self.engine.reads.releases.of_kb(row.kb or 0)[0].release
            ring = next(each.ring for each in self.engine.reads.rollout.rings() if each.ring.name == row.rings[0])
            assert row.at >= release.released_at + timedelta(days=ring.deferral_days)
            held = row.details["held"]
            assert isinstance(held, list)
            assert all(held), row.details["gate"]

    @invariant()
    def counts_add_up(self) -> None:
        for each in self.engine.reads.rollout.ring_progress():
            assert each.installed + each.failed + each.active + each.not_ready + each.pending == each.devices
        recovery = self.engine.reads.rollout.recovery(MAY)
        if recovery is not None:
            parts = (recovery.waiting, recovery.uninstalling, recovery.restart_pending, recovery.protecting)
            assert sum(parts) + recovery.done + recovery.needs_hands == recovery.devices
        store = self.engine.reads.store
        kept = sorted(self.engine.reads.devices.counts(), key=repr)
        with store.transaction():
            recount(Database(store.connection, execute_plugins=False))
        assert sorted(self.engine.reads.devices.counts(), key=repr) == kept

    @invariant()
    def states_say_what_goes_on(self) -> None:
        wrong = self.engine.reads.store.connection.execute(
            "SELECT d.id, d.state FROM device d WHERE (d.state IN ('queued', 'installing', 'uninstalling')) <> "
            "EXISTS (SELECT 1 FROM install i WHERE i.device_id = d.id AND i.next_at IS NOT NULL "
            "AND i.state <> 'restart-pending')"
        ).fetchall()
        assert [tuple(row) for row in wrong] == []

    @invariant()
    def the_audit_chain_verifies(self) -> None:
        assert self.engine.reads.store.audit.verify() is None


RolloutMachine.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=16,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestRolloutMachine = RolloutMachine.TestCase
