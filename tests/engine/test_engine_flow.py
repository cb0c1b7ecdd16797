"""The engine on a real state file: approve, apply, uninstall, retry, stop, and what must always hold."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from engine import Engine, open_engine
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.errors import LeaseHeld, NotFound, PlanOutdated, Refused
from engine.model.intents import (
    Actor,
    After,
    Apply,
    Approve,
    Assign,
    Intent,
    Resume,
    Retry,
    Role,
    Scope,
    SetRing,
    Stop,
    StopKind,
    Target,
    Uninstall,
    Withdraw,
)
from engine.model.model import DeviceState, InstallState, Release, ReleaseKind, Verdict
from engine.model.records.fleet import DeviceQuery, DeviceRow
from engine.rules.plans.apply import FailedAttempt, ReleaseFacts, obstacle_to_apply, plan_retry
from engine.rules.plans.candidates import Candidate
from engine.rules.plans.uninstall import WayBack, plan_uninstall
from engine.store import Store
from engine.store.schema import recount

MAY = 5089466
APRIL_BASELINE = OsBuild(26100, 8246)
MAY_BUILDS = {Platform.WIN11_24H2: OsBuild(26100, 8390), Platform.WIN11_25H2: OsBuild(26200, 8390)}


def opened(path: Path, **options: object) -> Engine:
    return open_engine(path, actor=Actor("mia", "jump01 test"), **options)  # type: ignore[arg-type]


NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
HOTPATCH = Release(
    MAY,
    Platform.WIN11_24H2,
    ReleaseKind.HOTPATCH,
    "2026-05",
    NOW,
    MAY_BUILDS[Platform.WIN11_24H2],
    (Architecture.X64,),
    False,
    "test",
)
READY = Candidate(
    id=1,
    name="LON-1",
    ring_id=1,
    platform=Platform.WIN11_24H2,
    architecture=Architecture.X64,
    build=APRIL_BASELINE,
    verdict=Verdict.READY,
    reasons=(),
    state=DeviceState.IDLE,
    held=False,
    active=False,
    failed_kb=None,
)


def facts_of(release: Release) -> ReleaseFacts:
    return ReleaseFacts(MAY, {release.platform: release}, {}, frozenset({1}), {1: "Test"}, lambda ring: "")


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({}, ""),
        ({"build": OsBuild(26100, 8389)}, ""),
        ({"build": OsBuild(26100, 8390)}, "It has KB5089466 or something later already."),
        ({"build": None}, ""),
        ({"platform": Platform.SERVER_2025}, "KB5089466 is not for Server 2025."),
        ({"architecture": Architecture.ARM64}, "KB5089466 is not for Windows 11 24H2."),
        ({"platform": None}, "KB5089466 is not for its Windows version."),
        ({"verdict": Verdict.NOT_READY}, "It is not ready: reason unknown."),
        ({"verdict": Verdict.UNKNOWN}, "Its readiness is unknown: reason unknown."),
        ({"ring_id": 2}, "KB5089466 is not approved."),
    ],
)
def test_a_release_goes_to_whoever_lacks_it_and_can_take_it(known: dict[str, Any], why: str) -> None:
    obstacle = obstacle_to_apply(replace(READY, **known), facts_of(HOTPATCH))
    assert (obstacle.why if obstacle else "") == why


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(seconds=1), "1 minute"),
        (timedelta(minutes=59, seconds=59), "59 minutes"),
        (timedelta(hours=2, seconds=-1), "119 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=3, seconds=-1), "2 hours"),
    ],
)
def test_a_wait_is_told_in_minutes_up_to_two_hours(left: timedelta, words: str) -> None:
    """A network failure waits for four hours after the third attempt."""
    failed_at = NOW + left - timedelta(hours=4)
    attempt = FailedAttempt(READY, MAY, 3, failed_at, 0x80072EE2, is_uninstall=False)
    (left_out,) = plan_retry(Retry(Target(ids=(1,))), [attempt], lambda _: facts_of(HOTPATCH), NOW, 1).left_out
    assert left_out.instead == f"Retry after the back-off, in {words}."


@pytest.mark.parametrize(
    ("is_uninstall", "restart_required", "restarts"), [(True, False, 1), (False, True, 1), (False, False, 0)]
)
def test_a_retry_restarts_what_is_uninstalled_or_asks_for_it(
    is_uninstall: bool, restart_required: bool, restarts: int
) -> None:
    facts = facts_of(replace(HOTPATCH, restart_required=restart_required))
    attempt = FailedAttempt(READY, MAY, 1, NOW - timedelta(days=9), 0x80072EE2, is_uninstall=is_uninstall)
    assert plan_retry(Retry(Target(ids=(1,))), [attempt], lambda _: facts, NOW, 1).restarts == restarts


def test_what_is_not_approved_is_approved_by_the_rings_name_where_it_has_one() -> None:
    facts = replace(facts_of(HOTPATCH), approved_rings=frozenset())
    named, nameless = (obstacle_to_apply(replace(READY, ring_id=ring_id), facts) for ring_id in (1, None))
    assert named is not None
    assert nameless is not None
    assert named.why == "KB5089466 is not approved for ring Test."
    assert "--ring Test " in named.instead
    assert nameless.why == "KB5089466 is not approved."
    assert "--ring NAME " in nameless.instead


def test_a_retry_of_nothing_says_that_nothing_failed_and_else_what_stands_against_it() -> None:
    attempt = FailedAttempt(READY, MAY, 1, NOW, 0x80072EE2, is_uninstall=False)

    def refusal(now: datetime, *attempts: FailedAttempt) -> str:
        found = plan_retry(Retry(Target(ids=(1,))), attempts, lambda _: facts_of(HOTPATCH), now, 1).refusal
        return found.why if found else ""

    assert refusal(NOW) == "No open failure matches."
    assert refusal(NOW, attempt) == "It failed once; the next try has to wait."
    assert refusal(NOW + timedelta(hours=1), attempt) == ""


@pytest.mark.parametrize(("reopened", "devices", "warnings"), [((2, 7), 1, 1), ((0, 0), 1, 0), ((2, 7), 0, 0)])
def test_an_uninstall_warns_of_the_most_that_is_open_again(
    reopened: tuple[int, ...], devices: int, warnings: int
) -> None:
    ways = {
        platform: WayBack(HOTPATCH, None, None, count) for platform, count in zip(MAY_BUILDS, reopened, strict=True)
    }
    having = [replace(READY, build=HOTPATCH.build)] * devices
    found = plan_uninstall(Uninstall(MAY, Target(ids=(1,)), "no", After.STAY), ways, having, 1).warnings
    assert len(found) == warnings
    assert all(each.startswith("7 vulnerabilities ") for each in found)


@pytest.mark.parametrize(("revision", "removed"), [(8389, False), (8390, True), (8391, False), (None, False)])
def test_a_hotpatch_is_uninstalled_where_it_is_what_runs(revision: int | None, removed: bool) -> None:
    ways = {Platform.WIN11_24H2: WayBack(HOTPATCH, None, None, 0)}
    device = replace(READY, build=OsBuild(26100, revision) if revision is not None else None)
    plan = plan_uninstall(Uninstall(MAY, Target(ids=(1,)), "no", After.STAY), ways, [device], 1)
    assert (plan.refusal is None) is removed


def die(engine: Engine) -> None:
    """Close without giving the lease back, and let its holder be a process that is gone, as after kill -9."""
    engine.reads.store.connection.execute("UPDATE lease SET pid = 999999999")
    engine.close()


def carry_out(engine: Engine, intent: Intent) -> None:
    engine.carry_out(engine.plan(intent))


def devices(engine: Engine, filter_text: str) -> list[DeviceRow]:
    return list(engine.reads.devices.each(DeviceQuery(filter_text)))


def ready_client(engine: Engine, ring: str = "Test") -> DeviceRow:
    return next(row for row in devices(engine, f"ring:{ring} readiness:ready") if row.platform in MAY_BUILDS)


def approve(engine: Engine, *rings: str, kb: int = MAY) -> None:
    carry_out(engine, Approve(kb, rings, "tested on the bench"))


async def test_apply_before_approval_is_refused_and_says_how_to_approve(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        name = ready_client(engine).name
        plan = engine.plan(Apply(MAY, Target(names=(name,))))
        assert plan.refusal is not None
        assert "not approved" in plan.refusal.why
        assert "hotpatch approve KB5089466 --ring Test" in plan.refusal.instead
        with pytest.raises(Refused, match="not approved"):
            engine.carry_out(plan)
        assert engine.reads.activity.audit() == ()


async def test_an_approved_release_reaches_the_ready_devices_of_its_ring_only(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        await engine.run_until_idle()
        approve(engine, "Test")
        waiting = [row for row in devices(engine, "ring:Test readiness:ready") if row.platform in MAY_BUILDS]
        await engine.run_until_idle()
        after = {row.name: row for row in devices(engine, "ring:Test")}
        for row in waiting:
            assert row.platform is not None
            now = after[row.name]
            assert now.build == MAY_BUILDS[row.platform] or now.state is DeviceState.FAILED
        assert sum(after[row.name].protected for row in waiting) >= len(waiting) - 1
        others = [row for row in devices(engine, "-ring:Test") if row.build in MAY_BUILDS.values()]
        assert others == []
        feed = engine.reads.activity.audit()
        first = feed[-1]
        assert (first.action, first.actor, first.reason) == ("approve", "mia", "tested on the bench")
        assert any(row.action == "ring-opened" and row.rings == ("Test",) for row in feed)
        assert engine.reads.store.audit.verify() is None


async def test_a_hotpatched_device_kept_its_boot_time(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        device = ready_client(engine)
        before = engine.reads.devices.detail(device.id).facts
        approve(engine, "Test")
        carry_out(engine, Apply(MAY, Target(ids=(device.id,)), "now"))
        await engine.run_until_idle()
        after = engine.reads.devices.detail(device.id)
        latest = after.installs[0]
        assert latest.state in (InstallState.SUCCEEDED, InstallState.FAILED)
        assert after.facts.boot_at == before.boot_at
        assert not latest.restarted


async def test_apply_again_unknown_and_foreign_releases_are_refused(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test")
        await engine.run_until_idle()
        done = next(row for row in devices(engine, "ring:Test protected:yes") if row.platform in MAY_BUILDS)
        plan = engine.plan(Apply(MAY, Target(ids=(done.id,))))
        assert plan.refusal is not None
        assert "already" in plan.refusal.why
        with pytest.raises(NotFound, match="no release KB1234567"):
            engine.plan(Apply(1234567, Target(ids=(done.id,))))
        with pytest.raises(NotFound, match="no ring"):
            engine.plan(Approve(MAY, ("Testt",), "x"))
        server = engine.plan(Apply(5087423, Target(ids=(done.id,))))
        assert server.refusal is not None
        assert "is not for Windows 11" in server.refusal.why


async def test_june_is_not_known_before_its_day_and_then_everybody_has_drifted(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        await engine.run_until_idle()
        with pytest.raises(NotFound):
            engine.plan(Approve(5094126, ("Test",), "too early"))
        assert engine.demo is not None
        on_track = len(devices(engine, "track:hotpatch"))
        assert on_track > 300
        engine.demo.step(timedelta(days=28))
        await engine.run_until_idle()
        kinds = {row.release.kind for row in engine.reads.releases.of_kb(5094126)}
        assert kinds == {"unplanned-baseline"}
        assert devices(engine, "track:hotpatch") == []
        assert any(row.action == "release-published" and row.kb == 5094126 for row in engine.reads.activity.audit())


async def test_uninstall_restarts_goes_back_to_the_baseline_and_holds_the_device(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test")
        await engine.run_until_idle()
        done = next(row for row in devices(engine, "ring:Test protected:yes") if row.platform is Platform.WIN11_24H2)
        boot = engine.reads.devices.detail(done.id).facts.boot_at
        plan = engine.plan(Uninstall(MAY, Target(ids=(done.id,)), "printer trouble", After.STAY))
        assert (plan.devices, plan.restarts) == (1, 1)
        assert "open again" in plan.warnings[0]
        engine.carry_out(plan)
        await engine.run_until_idle()
        after = engine.reads.devices.detail(done.id)
        assert after.installs[0].state is InstallState.UNINSTALLED
        assert after.facts.build == APRIL_BASELINE
        assert after.facts.boot_at != boot
        assert after.state is DeviceState.HELD
        assert "printer trouble" in after.holds[0]
        again = engine.plan(Apply(MAY, Target(ids=(done.id,))))
        assert again.refusal is not None
        assert "held off" in again.refusal.why


async def test_uninstall_then_lcu_shows_both_restarts_and_protects_again(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test")
        await engine.run_until_idle()
        done = next(row for row in devices(engine, "ring:Test protected:yes") if row.platform is Platform.WIN11_24H2)
        plan = engine.plan(Uninstall(MAY, Target(ids=(done.id,)), "bad", After.LCU))
        assert plan.restarts == 2
        assert any("KB5089549" in step for step in plan.steps)
        engine.carry_out(plan)
        await engine.run_until_idle()
        after = engine.reads.devices.detail(done.id)
        states = [(each.kb, each.state) for each in after.installs[:2]]
        assert (MAY, InstallState.UNINSTALLED) in states
        if (5089549, InstallState.SUCCEEDED) in states:
            assert after.facts.build == OsBuild(26100, 8457)
            assert after.protected


async def test_a_retry_is_a_new_attempt_and_closes_the_failure(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        failure = next(row for row in engine.reads.failures.open() if row.kb == 5083769 and row.attempt < 3)
        approve(engine, failure.ring, kb=5083769)
        carry_out(engine, Withdraw(engine.reads.rollout.approvals(5083769)[0].id, "not now"))
        refused = engine.plan(Retry(Target(ids=(failure.device_id,))))
        assert refused.refusal is not None, "a withdrawn approval refuses the retry too"
        approve(engine, failure.ring, kb=5083769)
        plan = engine.plan(Retry(Target(ids=(failure.device_id,))))
        assert plan.refusal is None
        assert plan.restarts == 1
        engine.carry_out(plan)
        await engine.run_until_idle()
        latest = engine.reads.devices.detail(failure.device_id).installs[0]
        assert latest.attempt == failure.attempt + 1


async def test_two_consoles_never_both_drive(demo_state: Path) -> None:
    with opened(demo_state) as one, opened(demo_state) as other:
        first = await one.run_due()
        second = await other.run_due()
        assert (first.driving, second.driving) == (True, False)
        with pytest.raises(LeaseHeld, match="Another process"):
            await other.run_until_idle()
        one.give_back_lease()
        assert (await other.run_due()).driving


async def test_a_dead_holders_lease_is_taken_over_at_once(demo_state: Path) -> None:
    store = Store(demo_state)
    with store.transaction():
        store.connection.execute(
            "INSERT INTO lease VALUES (1, 'gone', ?, 999999999, 0, 4102444800)", (store.lease.host,)
        )
    store.close()
    with opened(demo_state) as engine:
        assert (await engine.run_due()).driving


def test_read_only_and_roles_refuse_in_the_one_door(demo_state: Path) -> None:
    with opened(demo_state, read_only=True) as engine:
        plan = engine.plan(Approve(MAY, ("Test",), "x"))
        assert plan.refusal is not None
        assert "read-only" in plan.refusal.why
        with pytest.raises(Exception, match=r"read-?only"):
            engine.carry_out(plan)
    with opened(demo_state, role=Role.HELP_DESK) as engine:
        assert engine.may(Approve) is not None
        assert engine.may(Uninstall) is not None
        assert engine.may(Retry) is None
        with pytest.raises(Refused, match="role is help-desk"):
            engine.carry_out(engine.plan(Approve(MAY, ("Test",), "x")))


def test_a_plan_that_would_now_do_more_is_not_carried_out(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "First")
        plan = engine.plan(Apply(MAY, Target(rings=("First",))))
        extra = ready_client(engine, "Broad")
        carry_out(engine, Assign(Target(ids=(extra.id,)), "First", "one more"))
        with pytest.raises(PlanOutdated, match="has changed"):
            engine.carry_out(plan)
        assert engine.reads.rollout.active() == ()


async def test_halt_cancels_what_waits_and_resume_goes_on(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test", "First")
        carry_out(engine, Apply(MAY, Target(rings=("First",))))
        queued = len(engine.reads.rollout.active())
        assert queued > 5
        carry_out(engine, Stop(StopKind.HALT, Scope(kb=MAY), "printers fail"))
        assert engine.reads.rollout.active() == ()
        blocked = engine.plan(Apply(MAY, Target(rings=("First",))))
        assert blocked.refusal is not None
        assert "printers fail" in blocked.refusal.why
        await engine.run_until_idle()
        assert devices(engine, "ring:First protected:yes") == []
        carry_out(engine, Resume(Scope(kb=MAY)))
        carry_out(engine, Apply(MAY, Target(rings=("First",))))
        await engine.run_until_idle()
        assert devices(engine, "ring:First protected:yes")


async def test_pause_holds_what_waits_and_it_starts_after_resume(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test")
        carry_out(engine, Apply(MAY, Target(rings=("Test",))))
        waiting = len(engine.reads.rollout.active())
        carry_out(engine, Stop(StopKind.PAUSE, Scope(ring="Test"), "wait for lunch"))
        await engine.run_until_idle()
        assert len(engine.reads.rollout.active()) == waiting
        assert engine.demo is not None
        engine.demo.step(timedelta(hours=5))
        carry_out(engine, Resume(Scope(ring="Test")))
        resumed_at = engine.now()
        await engine.run_until_idle()
        assert engine.reads.rollout.active() == ()
        done = [
            each for row in devices(engine, "ring:Test") for each in engine.reads.devices.detail(row.id).installs[:1]
        ]
        moved = [each for each in done if each.kb == MAY and each.finished_at is not None]
        assert moved
        assert all(each.finished_at is not None and each.finished_at >= resumed_at for each in moved)


async def test_withdrawing_cancels_what_has_not_started(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "First")
        carry_out(engine, Apply(MAY, Target(rings=("First",))))
        approval = engine.reads.rollout.approvals(MAY)[0]
        carry_out(engine, Withdraw(approval.id, "changed our minds"))
        assert engine.reads.rollout.active() == ()
        refused = engine.plan(Apply(MAY, Target(rings=("First",))))
        assert refused.refusal is not None


def test_a_rings_rules_can_be_changed_and_are_checked(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        carry_out(engine, SetRing("broad", deferral_days=7))
        assert next(row.ring.deferral_days for row in engine.reads.rollout.rings() if row.ring.name == "Broad") == 7
        too_long = engine.plan(SetRing("Broad", deferral_days=31))
        assert too_long.refusal is not None
        assert "0 to 30" in too_long.refusal.instead
        assert engine.reads.activity.audit()[0].action == "set-ring"


async def test_killed_between_any_two_turns_nothing_is_lost_or_done_twice(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        approve(engine, "Test", "First")
        carry_out(engine, Apply(MAY, Target(rings=("Test",))))
        wanted = {row.device_id for row in engine.reads.rollout.active()}
    for _ in range(12):
        engine = opened(demo_state)
        assert engine.demo is not None
        await engine.run_due()
        engine.demo.step(timedelta(minutes=3))
        die(engine)
    with opened(demo_state) as engine:
        await engine.run_until_idle()
        rows = engine.reads.store.connection.execute(
            "SELECT device_id, count(*) FROM install WHERE kb = ? GROUP BY device_id HAVING count(*) > 1", (MAY,)
        ).fetchall()
        assert rows == []
        for device_id in wanted:
            latest = engine.reads.devices.detail(device_id).installs[0]
            assert latest.kb == MAY
            assert latest.state.is_final


async def test_kept_totals_equal_a_full_recount_after_everything(demo_state: Path) -> None:
    from sqlite_utils import Database

    with opened(demo_state) as engine:
        approve(engine, "Test", "First", "Fast")
        await engine.run_until_idle()
        kept = sorted((c for c in engine.reads.devices.counts()), key=repr)
        store = engine.reads.store
        with store.transaction():
            recount(Database(store.connection, execute_plugins=False))
        assert sorted((c for c in engine.reads.devices.counts()), key=repr) == kept


async def test_rings_open_in_order_each_after_its_gate(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        carry_out(engine, Approve(MAY, (), "all rings"))
        await engine.run_until_idle()
        opened_rings = [
            row.rings[0] for row in reversed(engine.reads.activity.audit(500)) if row.action == "ring-opened"
        ]
        assert opened_rings == ["Test", "First", "Fast", "Broad", "Last"]
        for progress in engine.reads.rollout.ring_progress(MAY):
            parts = (progress.installed, progress.failed, progress.active, progress.not_ready, progress.pending)
            assert sum(parts) == progress.devices
            assert progress.active == 0
        assert engine.reads.evidence.compliance()[0].protected > 250


def test_the_same_seed_gives_the_same_state(demo_state: Path, tmp_path: Path) -> None:
    from engine.fleet.demo import prepare_demo

    other = tmp_path / "again.db"
    prepare_demo(other)
    texts = []
    for path in (demo_state, other):
        db = sqlite3.connect(path)
        texts.append([tuple(row) for row in db.execute("SELECT * FROM device ORDER BY id")])
        texts.append([tuple(row) for row in db.execute("SELECT * FROM install ORDER BY id")])
        db.close()
    assert texts[0] == texts[2]
    assert texts[1] == texts[3]


def test_a_ready_device_is_ready_by_every_check(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        row = ready_client(engine)
        readiness = engine.reads.devices.readiness(row.id)
        assert readiness.verdict is Verdict.READY
        assert {check.result for check in readiness.checks} <= {"met", "not-applicable"}
