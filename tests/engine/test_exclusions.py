"""Excluding devices from releases, letting them in again, and taking back what has not started."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.model.build import OsBuild, Platform
from engine.model.errors import NotFound
from engine.model.intents import Apply, Approve, Exclude, Readmit, Retry, Role, TakeBack, Target
from engine.model.model import DeviceState, InstallState, Release, ReleaseKind, Verdict
from engine.model.records.fleet import DeviceQuery
from engine.rules.failures import Exclusion
from engine.rules.plans.candidates import Candidate
from engine.rules.plans.exclude import WaitingInstall, plan_exclude, plan_readmit, plan_take_back
from tests.engine.failure_states import (
    APRIL,
    CLIENTS,
    DAY,
    HOUR,
    MAY,
    MAY_LCU,
    approve,
    carry_out,
    fail,
    on,
    opened,
    ready,
    refusal,
)

# --- exclude ------------------------------------------------------------------------------------------


async def test_an_excluded_device_is_not_offered_the_release_and_says_why(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        device, other = ready(engine, 2)
        plan = engine.plan(Exclude(on(device), "the owner presents at a fair", MAY, engine.now() + 5 * DAY))
        assert (plan.devices, plan.restarts, plan.sample) == (1, 0, (device.name,))
        assert plan.command == (
            f"hotpatch exclude --release KB5089466 --ids {device.id} --reason 'the owner presents at a fair' "
            "--until 2026-05-18T09:00:00+00:00"
        )
        engine.carry_out(plan)
        detail = engine.reads.devices.detail(device.id)
        assert detail.state is DeviceState.HELD
        assert detail.holds == ("KB5089466: the owner presents at a fair, by mia, until 2026-05-18 09:00 UTC",)
        approve(engine, "Test")
        applied = engine.plan(Apply(MAY, on(device)))
        assert applied.refusal is not None
        assert applied.refusal.why == "It is excluded: the owner presents at a fair."
        await engine.run_until_idle(until=engine.now() + DAY)
        assert engine.reads.devices.detail(device.id).installs[0].kb != MAY
        assert engine.reads.devices.detail(other.id).installs[0].kb == MAY
        record = next(row for row in engine.reads.activity.audit() if row.action == "exclude")
        assert (record.actor, record.kb, record.devices, record.reason) == (
            "mia",
            MAY,
            1,
            "the owner presents at a fair",
        )


async def test_an_exclusion_ends_at_its_time_and_the_rollout_goes_on(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        (device,) = ready(engine)
        approve(engine, "Test")
        carry_out(engine, Exclude(on(device), "until the audit is over", MAY, engine.now() + 3 * DAY))
        await engine.run_until_idle()
        after = engine.reads.devices.detail(device.id)
        assert after.installs[0].kb == MAY
        assert after.holds == ()
        ended = next(row for row in engine.reads.activity.audit(500) if row.action == "exclusion-ended")
        assert ended.summary.startswith("1 device was readmitted")
        assert engine.reads.store.audit.verify() is None


def test_between_two_turns_the_time_of_an_exclusion_counts_too(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test")
        (device,) = ready(engine)
        carry_out(engine, Exclude(on(device), "over lunch", MAY, engine.now() + HOUR))
        assert engine.demo is not None
        engine.demo.step(2 * HOUR)
        assert engine.plan(Apply(MAY, on(device))).refusal is None
        assert engine.reads.devices.exclusions(device.id) == ()


async def test_readmitting_lets_the_device_in_again(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        device, other = ready(engine, 2)
        carry_out(engine, Exclude(on(device), "a mistake", MAY))
        plan = engine.plan(Readmit(on(device, other), "it was a mistake"))
        assert plan.device_ids == (device.id,)
        assert [each.why for each in plan.left_out] == ["It is not excluded."]
        engine.carry_out(plan)
        assert engine.reads.devices.detail(device.id).state is DeviceState.IDLE
        approve(engine, "Test")
        await engine.run_until_idle(until=engine.now() + DAY)
        assert engine.reads.devices.detail(device.id).installs[0].kb == MAY
        assert "not excluded" in refusal(engine, Readmit(on(device)))


async def test_excluded_from_everything_means_baselines_too(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        rows = engine.reads.devices.each(DeviceQuery("ring:broad track:behind state:idle seen<2d"))
        kept, other = [row for row in rows if row.platform in CLIENTS][:2]
        plan = engine.plan(Exclude(on(kept), "sealed for evidence"))
        assert "Baselines are kept from them too" in plan.warnings[0]
        engine.carry_out(plan)
        carry_out(engine, Approve(APRIL, (), "catch up"))
        refused = engine.plan(Apply(APRIL, on(kept)))
        assert refused.refusal is not None
        assert refused.refusal.why == "It is excluded: sealed for evidence."
        carry_out(engine, Apply(APRIL, on(other)))
        await engine.run_until_idle(until=engine.now() + 3 * DAY)
        assert (
            engine.reads.devices.detail(kept.id).installs[:1] == ()
            or engine.reads.devices.detail(kept.id).installs[0].kb != APRIL
        )
        assert engine.reads.devices.detail(other.id).installs[0].kb == APRIL


def test_excluded_devices_do_not_keep_a_baselines_gate_waiting(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        before = {row.ring.name: row for row in engine.reads.rollout.ring_progress(APRIL)}["Broad"]
        rows = [
            row
            for row in engine.reads.devices.each(DeviceQuery("ring:broad track:behind state:idle"))
            if row.platform in CLIENTS
        ]
        assert rows
        carry_out(engine, Exclude(on(*rows), "retired next week", APRIL))
        after = {row.ring.name: row for row in engine.reads.rollout.ring_progress(APRIL)}["Broad"]
        assert after.pending == before.pending - len(rows)
        assert after.not_ready == before.not_ready + len(rows)
        assert after.devices == before.devices


def test_waiting_installs_are_cancelled_and_started_ones_are_let_go_on(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test")
        waiting, started = ready(engine, 2)
        carry_out(engine, Apply(MAY, on(waiting, started)))
        with engine.reads.store.transaction():
            engine.reads.store.connection.execute(
                "UPDATE install SET state = 'downloading' WHERE device_id = ? AND kb = ?", (started.id, MAY)
            )
        plan = engine.plan(Exclude(on(waiting, started), "stop it", MAY))
        assert any("1 install will be cancelled" in step for step in plan.steps)
        done = engine.carry_out(plan)
        assert done.installs == 1
        assert engine.reads.devices.detail(waiting.id).installs[0].state is InstallState.CANCELLED
        assert [each.device_id for each in engine.reads.rollout.active()] == [started.id]


def test_what_cannot_be_excluded_is_left_out_by_reason(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        (client,) = ready(engine)
        server = next(row for row in engine.reads.devices.each(DeviceQuery("platform:server-2025")))
        plan = engine.plan(Exclude(on(client, server), "no", MAY))
        assert plan.device_ids == (client.id,)
        assert [each.why for each in plan.left_out] == ["KB5089466 is not for Server 2025."]
        engine.carry_out(plan)
        assert "already" in refusal(engine, Exclude(on(client), "no", MAY))
        assert "needs a reason" in refusal(engine, Exclude(on(client), "  ", MAY))
        assert "has passed" in refusal(engine, Exclude(on(client), "no", MAY, engine.now() - HOUR))
        assert "later already" in refusal(engine, Exclude(on(client), "no", APRIL))
        with pytest.raises(NotFound):
            engine.plan(Exclude(on(client), "no", 1234567))


SECOND = timedelta(seconds=1)
NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
WHO = Target(names=("LON-1",))
RELEASE = Release(
    MAY, Platform.WIN11_24H2, ReleaseKind.HOTPATCH, "2026-05", NOW, OsBuild(26100, 8390), (), False, "test"
)


def candidate(build: OsBuild | None = None, **known: Any) -> Candidate:
    state = {"verdict": Verdict.READY, "reasons": (), "state": DeviceState.IDLE, "held": False, "active": False}
    facts = {"failed_kb": None, "platform": Platform.WIN11_24H2, "architecture": None, **state, **known}
    return Candidate(id=1, name="LON-1", ring_id=1, build=build, **facts)


def why_not_excluded(intent: Exclude, device: Candidate, *in_force: Exclusion) -> str:
    plan = plan_exclude(intent, {Platform.WIN11_24H2: RELEASE}, [device], {1: in_force}, {}, NOW, 1)
    return plan.refusal.why if plan.refusal else ""


@pytest.mark.parametrize(
    ("until", "why"),
    [
        (NOW - SECOND, "Wed 13 May 2026 08:59 UTC has passed."),
        (NOW, "Wed 13 May 2026 09:00 UTC has passed."),
        (NOW + SECOND, ""),
        (None, ""),
    ],
)
def test_an_exclusion_ends_later_than_now(until: datetime | None, why: str) -> None:
    assert why_not_excluded(Exclude(WHO, "no", MAY, until), candidate()) == why


@pytest.mark.parametrize(("revision", "excluded"), [(8389, True), (8390, False), (8391, False), (None, True)])
def test_only_a_device_below_the_release_can_be_kept_from_it(revision: int | None, excluded: bool) -> None:
    device = candidate(OsBuild(26100, revision) if revision is not None else None)
    why = "" if excluded else "It has KB5089466 or something later already."
    assert why_not_excluded(Exclude(WHO, "no", MAY), device) == why
    assert why_not_excluded(Exclude(WHO, "no"), device) == ""


@pytest.mark.parametrize(
    ("in_force", "already"),
    [
        (Exclusion(MAY, False, NOW + DAY, "no", "mia"), True),
        (Exclusion(None, False, NOW + DAY, "no", "mia"), False),
        (Exclusion(MAY, True, NOW + DAY, "no", "mia"), False),
        (Exclusion(MAY, False, None, "no", "mia"), False),
        (Exclusion(MAY, False, NOW + DAY, "another", "mia"), False),
    ],
)
def test_an_exclusion_that_differs_in_anything_is_another(in_force: Exclusion, already: bool) -> None:
    why = why_not_excluded(Exclude(WHO, "no", MAY, NOW + DAY), candidate(), in_force)
    assert why == ("It is excluded so already." if already else "")


@pytest.mark.parametrize(
    ("kb", "in_force", "why"),
    [
        (None, Exclusion(MAY, False, None, "no", "mia"), ""),
        (MAY, Exclusion(MAY, False, None, "no", "mia"), ""),
        (APRIL, Exclusion(MAY, False, None, "no", "mia"), "It is not excluded."),
        (MAY, Exclusion(None, False, None, "no", "mia"), "It is not excluded."),
        (None, Exclusion(None, True, None, "no", "mia"), "It is held off hotpatches since one was uninstalled."),
    ],
)
def test_readmitting_ends_the_exclusion_that_it_names(kb: int | None, in_force: Exclusion, why: str) -> None:
    refusal = plan_readmit(Readmit(WHO, kb=kb), [candidate()], {1: (in_force,)}, 1).refusal
    assert (refusal.why if refusal else "") == why


@pytest.mark.parametrize(
    ("kb", "failed_kb", "told"), [(MAY, MAY, True), (None, MAY, True), (MAY, APRIL, False), (MAY, None, False)]
)
def test_failures_of_what_is_kept_away_are_told(kb: int | None, failed_kb: int | None, told: bool) -> None:
    device = candidate(failed_kb=failed_kb)
    plan = plan_exclude(Exclude(WHO, "no", kb), {Platform.WIN11_24H2: RELEASE}, [device], {}, {}, NOW, 1)
    assert any(each.startswith("1 failure will be listed as excluded") for each in plan.steps) is told


def test_keeping_every_release_away_warns_of_baselines_where_a_device_is_left() -> None:
    def warnings(intent: Exclude, *devices: Candidate) -> int:
        return len(plan_exclude(intent, {Platform.WIN11_24H2: RELEASE}, devices, {}, {}, NOW, 1).warnings)

    assert warnings(Exclude(WHO, "no"), candidate()) == 1
    assert warnings(Exclude(WHO, "no")) == 0
    assert warnings(Exclude(WHO, "no", MAY), candidate()) == 0


@pytest.mark.parametrize(
    ("by_hand", "own", "taken"),
    [(True, None, 1), (True, "tom", 1), (True, "mia", 0), (False, None, 0), (False, "tom", 0)],
)
def test_only_what_somebody_asked_for_is_taken_back_by_those_who_may(
    by_hand: bool, own: str | None, taken: int
) -> None:
    plan = plan_take_back(TakeBack(WHO), [WaitingInstall(7, 1, "LON-1", MAY, by_hand, "tom")], own, 1)
    assert (plan.devices, plan.refusal is None) == (taken, taken == 1)


def test_another_exclusion_from_the_same_release_takes_the_place_of_the_first(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        (device,) = ready(engine)
        carry_out(engine, Exclude(on(device), "for a day", MAY, engine.now() + DAY))
        carry_out(engine, Exclude(on(device), "for a week", MAY, engine.now() + 7 * DAY))
        carry_out(engine, Exclude(on(device), "from all", None))
        assert [each.reason for each in engine.reads.devices.exclusions(device.id)] == ["for a week", "from all"]
        carry_out(engine, Readmit(on(device), kb=MAY))
        assert [each.reason for each in engine.reads.devices.exclusions(device.id)] == ["from all"]


async def test_an_exclusion_from_one_release_ends_when_it_is_replaced(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        (device,) = ready(engine)
        carry_out(engine, Exclude(on(device), "printer trouble", MAY))
        assert engine.demo is not None
        engine.demo.step(timedelta(days=28))
        await engine.run_due()
        assert engine.reads.devices.exclusions(device.id) == ()
        assert engine.reads.devices.detail(device.id).state is not DeviceState.HELD
        ended = next(row for row in engine.reads.activity.audit(500) if row.action == "exclusion-ended")
        assert "is replaced" in ended.summary
        assert ended.kb == MAY


async def test_an_exclusion_from_another_release_does_not_keep_the_hotpatch_away(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        (device,) = ready(engine)
        carry_out(engine, Exclude(on(device), "no LCU here", MAY_LCU))
        assert engine.reads.devices.detail(device.id).state is DeviceState.HELD
        approve(engine, "Test")
        await engine.run_until_idle(until=engine.now() + DAY)
        assert engine.reads.devices.detail(device.id).installs[0].kb == MAY


def test_the_hold_after_an_uninstall_is_not_readmitted(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        (device,) = ready(engine)
        store = engine.reads.store
        with store.transaction():
            store.rollout.hold_until_baseline(
                [device.id], "KB5089466 was uninstalled: label printer", "mia", engine.now()
            )
            store.installs.refresh_device_states([device.id])
        assert "held off hotpatches" in refusal(engine, Readmit(on(device)))
        assert engine.reads.devices.detail(device.id).holds == (
            "KB5089466 was uninstalled: label printer, by mia, until the next baseline is installed",
        )


def test_excluded_failures_are_told_apart_and_cannot_be_retried(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        group = engine.reads.failures.views()[0]
        chosen = group.group.device_ids[:4]
        carry_out(engine, Exclude(Target(ids=chosen), "new hardware is ordered", APRIL))
        after = engine.reads.failures.views()[0]
        assert (after.devices, after.excluded, after.sla.open) == (11, 4, 7)
        assert all(engine.reads.devices.detail(each).state is DeviceState.FAILED for each in chosen)
        plan = engine.plan(Retry(Target(ids=chosen)))
        assert {each.why for each in plan.left_out} <= {
            "It is excluded: new hardware is ordered.",
            "It failed 3 times, 3 is the limit. Escalate it.",
        }
        assert plan.devices == 0


# --- take back ----------------------------------------------------------------------------------------


def test_a_retry_is_taken_back_while_nothing_has_started(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        failure = next(row for row in engine.reads.failures.open() if row.kb == APRIL and row.attempt < 3)
        carry_out(engine, Retry(Target(ids=(failure.device_id,)), reason="disk is free again"))
        assert engine.reads.devices.detail(failure.device_id).state is DeviceState.QUEUED
        plan = engine.plan(TakeBack(Target(ids=(failure.device_id,)), reason="wrong device"))
        assert plan.devices == 1
        assert plan.command == f"hotpatch take-back --ids {failure.device_id} --reason 'wrong device'"
        assert engine.carry_out(plan).installs == 1
        detail = engine.reads.devices.detail(failure.device_id)
        assert detail.state is DeviceState.FAILED, "the failure is open as it was"
        assert (detail.installs[0].state, detail.installs[0].stage) == (InstallState.CANCELLED, "taken back")
        assert engine.plan(Retry(Target(ids=(failure.device_id,)))).refusal is None
        assert "No install waits" in refusal(engine, TakeBack(Target(ids=(failure.device_id,))))


def test_the_help_desk_takes_back_its_own_only(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test")
        mine, theirs = ready(engine, 2)
        carry_out(engine, Apply(MAY, on(theirs)))
    failing = mine.id
    with opened(demo_state, "tom", Role.HELP_DESK) as desk:
        fail(desk, [failing], at=desk.now() - 3 * DAY)
        carry_out(desk, Retry(Target(ids=(failing,))))
        plan = desk.plan(TakeBack(Target(ids=(failing, theirs.id))))
        assert plan.device_ids == (failing,)
        assert [each.why for each in plan.left_out] == ["mia has asked for it."]
        desk.carry_out(plan)
        assert [each.device_id for each in desk.reads.rollout.active()] == [theirs.id]
    with opened(demo_state, "ops", Role.OPERATOR) as ops:
        carry_out(ops, TakeBack(Target(ids=(theirs.id,))))
        assert ops.reads.rollout.active() == ()


async def test_what_the_rollout_offers_is_not_taken_back(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test")
        await engine.run_due()
        queued = engine.reads.rollout.active()
        assert queued
        assert "nobody has asked for it" in refusal(engine, TakeBack(Target(ids=(queued[0].device_id,))))
