"""A bad patch on a real state file: it halts by itself, and every device is led back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.model.errors import Refused
from engine.model.intents import After, Recover, Resume, Retry, Scope, Stop, StopKind, Target, Uninstall
from engine.model.model import DeviceState
from engine.model.records.rollout import RecoveryProgress
from tests.engine.rollout_desk import JUNE, MAY, MAY_LCU, approve, carry_out, desk, devices, opened
from tests.states import prepared


@pytest.fixture(scope="module")
def halted() -> Path:
    """A bad patch, approved for every ring and run until nothing is due. Copy it."""
    import asyncio

    def make(path: Path) -> None:
        desk(path.parent, size=200, scenario="bad-patch", seed=5, name=path.name)
        with opened(path) as engine:
            approve(engine)
            asyncio.run(engine.run_until_idle())
            engine.give_back_lease()

    return prepared("bad-patch-200-halted", make)


@pytest.fixture
def state(halted: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "halted.db"
    copy.write_bytes(halted.read_bytes())
    return copy


HAS_IT = "build:26100.8390,26200.8390"


def counted(progress: RecoveryProgress | None) -> RecoveryProgress:
    assert progress is not None
    parts = (
        progress.waiting,
        progress.uninstalling,
        progress.restart_pending,
        progress.protecting,
        progress.done,
        progress.needs_hands,
    )
    assert sum(parts) == progress.devices
    return progress


def test_a_bad_patch_halts_by_itself_before_broad_and_says_why(state: Path) -> None:
    with opened(state) as engine:
        feed = list(reversed(engine.reads.activity.audit(200)))
        opened_rings = [row.rings[0] for row in feed if row.action == "ring-opened" and row.kb == MAY]
        assert "Broad" not in opened_rings
        halt = next(row for row in feed if row.action == "halt" and row.kb == MAY)
        assert halt.actor == "engine"
        assert "health" in halt.reason
        assert "patched devices" in halt.reason
        assert engine.reads.rollout.active() == ()
        assert any(row.anomalies for row in engine.reads.rollout.health(MAY))
        broad = next(each for each in engine.reads.rollout.ring_progress(MAY) if each.ring.name == "Broad")
        assert broad.opened_at is None
        assert broad.stopped


async def test_recovery_shows_its_restarts_and_loses_no_device(state: Path) -> None:
    with opened(state) as engine:
        having = {row.id for row in devices(engine, HAS_IT)}
        assert len(having) >= 8
        plan = engine.plan(Recover(MAY, "crashes since the hotpatch"))
        assert (plan.devices, plan.restarts) == (len(having), 2 * len(having))
        assert "open again" in plan.warnings[0]
        assert any("KB5089549" in step for step in plan.steps)
        engine.carry_out(plan)
        assert counted(engine.reads.rollout.recovery(MAY)).devices == len(having)
        for _ in range(6):
            await engine.run_until_idle(until=engine.now() + timedelta(hours=9))
            assert engine.demo is not None
            engine.demo.step(timedelta(hours=1))
            assert counted(engine.reads.rollout.recovery(MAY)).devices == len(having)
        await engine.run_until_idle()
        progress = counted(engine.reads.rollout.recovery(MAY))
        assert devices(engine, HAS_IT) == []
        assert progress.done + progress.needs_hands == len(having)
        after = {row.id: row for row in devices(engine, "")}
        for device_id in having:
            history = {(each.kb, str(each.state)) for each in engine.reads.devices.detail(device_id).installs}
            assert (MAY, "uninstalled") in history
            row = after[device_id]
            assert row.state in (DeviceState.HELD, DeviceState.FAILED)
            assert row.protected or row.state is DeviceState.FAILED
        assert progress.restarts_done >= 2 * progress.done
        assert engine.reads.store.audit.verify() is None


async def test_recovered_devices_return_with_the_next_baseline(state: Path) -> None:
    with opened(state) as engine:
        carry_out(engine, Recover(MAY, "crashes", then=After.LCU))
        await engine.run_until_idle()
        held = {row.id for row in devices(engine, "state:held")}
        assert held
        assert engine.demo is not None
        engine.demo.step_to(datetime(2026, 6, 10, 9, tzinfo=UTC))
        await engine.run_due()
        approve(engine, kb=JUNE)
        await engine.run_until_idle()
        after = {row.id: row for row in devices(engine, "")}
        back = [each for each in held if after[each].protected]
        assert len(back) >= len(held) - 1
        assert all(after[each].state is not DeviceState.HELD for each in back)
        ended = counted(engine.reads.rollout.recovery(MAY))
        assert ended.ended_at is not None


async def test_a_device_whose_uninstall_was_cancelled_or_that_comes_late_is_taken_up_again(state: Path) -> None:
    with opened(state) as engine:
        carry_out(engine, Recover(MAY, "crashes", Target(rings=("Test",)), After.STAY))
        carry_out(engine, Stop(StopKind.HALT, Scope(), "stop the world"))
        assert engine.reads.rollout.active() == ()
        await engine.run_until_idle()
        assert devices(engine, f"ring:test {HAS_IT}")
        carry_out(engine, Resume(Scope()))
        carry_out(engine, Stop(StopKind.HALT, Scope(kb=MAY), "still bad"))
        await engine.run_until_idle()
        left = {row.name for row in devices(engine, f"ring:test {HAS_IT}")}
        assert left <= {each.device_name for each in counted(engine.reads.rollout.recovery(MAY)).hands}
        assert devices(engine, f"ring:first {HAS_IT}"), "only the target is led back"


async def test_a_halted_release_can_still_be_uninstalled(state: Path) -> None:
    with opened(state) as engine:
        row = devices(engine, HAS_IT)[0]
        carry_out(engine, Uninstall(MAY, Target(ids=(row.id,)), "crashes", After.STAY))
        await engine.run_until_idle()
        assert engine.reads.devices.detail(row.id).installs[0].state == "uninstalled"


async def test_what_fails_is_named_and_can_be_retried(state: Path) -> None:
    with opened(state) as engine:
        carry_out(engine, Recover(MAY, "crashes"))
        row = devices(engine, HAS_IT)[0]
        db = engine.reads.store.connection
        db.execute(
            "UPDATE install SET state = 'failed', stage = 'remove package', open_failure = 1, error_code = ?, "
            "finished_at = requested_at, next_at = NULL WHERE device_id = ? AND next_at IS NOT NULL",
            (0x80073712, row.id),
        )
        await engine.run_until_idle()
        progress = counted(engine.reads.rollout.recovery(MAY))
        assert row.name in {each.device_name for each in progress.hands}
        assert "0x80073712" in next(each.why for each in progress.hands if each.device_id == row.id)
        engine.demo.step(timedelta(days=1))  # type: ignore[union-attr]
        plan = engine.plan(Retry(Target(ids=(row.id,))))
        assert plan.refusal is None, plan.refusal
        engine.carry_out(plan)
        await engine.run_until_idle()
        assert row.id not in {each.id for each in devices(engine, HAS_IT)}


def test_a_recovery_is_refused_with_the_way_out(state: Path) -> None:
    with opened(state) as engine:
        assert "reason" in str(engine.plan(Recover(MAY, " ")).refusal)
        lcu = engine.plan(Recover(MAY_LCU, "x")).refusal
        assert lcu is not None
        assert "no hotpatch" in lcu.why
        carry_out(engine, Recover(MAY, "crashes"))
        with pytest.raises(Refused, match="under way"):
            carry_out(engine, Recover(MAY, "again"))
