"""Ring rules, signatures, holds, members and scenarios on a real state file."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from engine.model.errors import BadInput, NotFound, Refused
from engine.model.intents import (
    Apply,
    Approve,
    Assign,
    Countersign,
    LiftHold,
    Recover,
    Resume,
    Scope,
    SetHold,
    SetPolicy,
    SetRing,
    Stop,
    StopKind,
    Target,
    Withdraw,
)
from engine.model.model import Gate, Ring
from engine.rules.plans.rings import plan_set_ring
from engine.rules.rollout.windows import is_open, parse_window
from tests.engine.rollout_desk import JUNE, MAY, approve, carry_out, desk, devices, opened

HAS_IT = "build:26100.8390,26200.8390"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rollout")


async def test_waves_offer_a_ring_its_shares_one_after_the_other(folder: Path) -> None:
    with opened(desk(folder), sound=True) as engine:
        carry_out(engine, SetRing("Broad", deferral_days=0, waves=(0.1, 0.5, 1.0), wave_soak_hours=6))
        approve(engine, "Broad")
        await engine.run_due()
        before = next(each for each in engine.reads.rollout.ring_progress(MAY) if each.ring.name == "Broad")
        reachable = before.devices - before.not_ready
        first = before.active
        assert 0 < first <= reachable * 0.1 + 1
        assert before.wave.startswith("wave 1 of 3 (10%)")
        moments: list[tuple[datetime, int]] = []

        def note(now: datetime, _done: int) -> None:
            queued = engine.reads.store.connection.execute(
                "SELECT count(*) FROM install WHERE kb = ? AND ring_id = 4", (MAY,)
            ).fetchone()[0]
            moments.append((now, queued))

        await engine.run_until_idle(progress=note)
        sizes = sorted({queued for _, queued in moments})
        assert sizes[0] == first, (sizes, moments)
        assert any(first < size <= reachable * 0.5 + 1 for size in sizes)
        begun = {size: min(now for now, queued in moments if queued == size) for size in sizes}
        assert begun[sizes[1]] - begun[first] >= timedelta(hours=6), "a wave soaks"
        after = next(each for each in engine.reads.rollout.ring_progress(MAY) if each.ring.name == "Broad")
        assert (after.pending, after.active) == (0, 0)


async def test_a_share_in_flight_is_never_exceeded(folder: Path) -> None:
    with opened(desk(folder, size=60), sound=True) as engine:
        carry_out(engine, SetRing("Broad", deferral_days=0, max_share_in_flight=0.1))
        approve(engine, "Broad")
        most = 0

        def note(_now: datetime, _done: int) -> None:
            nonlocal most
            progress = next(each for each in engine.reads.rollout.ring_progress(MAY) if each.ring.name == "Broad")
            most = max(most, progress.active)
            assert progress.active <= max(1, 0.1 * (progress.devices - progress.not_ready))

        await engine.run_until_idle(progress=note)
        assert most > 1


async def test_restarts_keep_to_the_rings_window_and_hotpatches_need_none(folder: Path) -> None:
    text = "sat,sun 22:00-04:00 Europe/Berlin"
    window = parse_window(text)
    assert window is not None
    with opened(desk(folder, scenario="baseline-month", size=60), sound=True) as engine:
        for ring in engine.reads.rollout.rings():
            carry_out(engine, SetRing(ring.ring.name, window=text, deferral_days=0))
        approve(engine, kb=JUNE)
        await engine.run_until_idle()
        boots = [
            (each.id, engine.reads.devices.detail(row.id).facts.boot_at)
            for row in devices(engine, "")
            for each in engine.reads.devices.detail(row.id).installs[:1]
            if each.kb == JUNE and each.state == "succeeded"
        ]
        assert len(boots) > 40
        assert all(boot_at is not None and is_open(window, boot_at) for _, boot_at in boots)


async def test_overdue_devices_are_named_and_told_once(folder: Path) -> None:
    with opened(desk(folder, scenario="offline-wave", size=60)) as engine:
        approve(engine)
        await engine.run_until_idle()
        late = engine.reads.rollout.late_devices(MAY)
        assert late
        assert {each.lateness for each in late} <= {"overdue", "away"}
        assert all(each.why for each in late)
        told = [row for row in engine.reads.activity.audit(300) if row.action == "deadline-passed" and row.kb == MAY]
        assert len({row.rings for row in told}) == len(told)


def test_ring_rules_are_kept_audited_and_refused_when_impossible(folder: Path) -> None:
    with opened(desk(folder)) as engine:
        carry_out(
            engine,
            SetRing(
                "Fast",
                waves=(0.01, 0.1, 0.5, 1.0),
                max_share_in_flight=0.25,
                window="sat 22:00-04:00 Europe/Berlin",
                gate=Gate(judge_health=False),
            ),
        )
        fast = next(row.ring for row in engine.reads.rollout.rings() if row.ring.name == "Fast")
        assert fast.waves == (0.01, 0.1, 0.5, 1.0)
        assert fast.window == parse_window("sat 22:00-04:00 Europe/Berlin")
        assert not fast.gate.judge_health
        entry = engine.reads.activity.audit()[0]
        assert (entry.action, entry.rings) == ("set-ring", ("Fast",))
        assert any("1%,10%,50%,100%" in str(step) for step in entry.details["steps"])  # type: ignore[attr-defined]
        carry_out(engine, SetRing("Fast", window=""))
        assert next(row.ring for row in engine.reads.rollout.rings() if row.ring.name == "Fast").window is None
        for wrong in (
            SetRing("Fast", waves=(0.5, 0.1, 1.0)),
            SetRing("Fast", waves=(0.5,)),
            SetRing("Fast", max_share_in_flight=1.5),
            SetRing("Fast", members="ring:broad"),
            SetRing("Fast", wave_soak_hours=-1),
        ):
            refusal = engine.plan(wrong).refusal
            assert refusal is not None, wrong
            assert refusal.instead
        with pytest.raises(BadInput):
            engine.plan(SetRing("Fast", window="whenever"))
        with pytest.raises(BadInput):
            engine.plan(SetRing("Fast", members="colour:red"))


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        ({"deferral_days": 0}, False),
        ({"deferral_days": 30}, False),
        ({"deferral_days": 31}, True),
        ({"deferral_days": -1}, True),
        ({"max_in_flight": 0}, False),
        ({"max_in_flight": -1}, True),
        ({"grace_days": 0}, False),
        ({"grace_days": -1}, True),
        ({"max_share_in_flight": 0.0}, False),
        ({"max_share_in_flight": 1.0}, False),
        ({"max_share_in_flight": -0.01}, True),
        ({"max_share_in_flight": 1.01}, True),
        ({"waves": (0.01, 1.0)}, False),
        ({"waves": (0.0, 1.0)}, True),
        ({"waves": (0.5, 0.5, 1.0)}, True),
        ({"waves": (0.5, 0.9)}, True),
        ({"members": "site:lab"}, False),
        ({"members": "site:lab ring:broad"}, True),
        ({"deadline_days": 4}, True),  # as it is already
    ],
)
def test_a_rings_rules_are_taken_up_to_their_limits(rules: dict[str, Any], refused: bool) -> None:
    ring = Ring(1, "Fast", 1, 3, 4, 5, 6, Gate(), max_share_in_flight=0.5, waves=(0.1, 1.0))
    assert (plan_set_ring(SetRing("Fast", **rules), ring, 9, 1).refusal is not None) is refused


def test_a_rings_plan_names_windows_and_where_its_members_come_from() -> None:
    ring, window = Ring(1, "Fast", 1, 3, 4, 5, 6, Gate()), "sat 22:00-04:00 UTC"
    steps = plan_set_ring(SetRing("Fast", window=window), ring, 9, 1, {"Broad": 2, "": 1}).steps
    assert steps[0].startswith("window: none → sat 22:00-04:00")
    assert steps[1:3] == ("2 devices join it from Broad.", "1 device join it from no ring.")
    back = plan_set_ring(SetRing("Fast", window=""), replace(ring, window=parse_window(window)), 9, 1).steps
    assert back[0].startswith("window: sat 22:00-04:00")
    assert back[0].endswith(" → none")


# --- approvals --------------------------------------------------------------------------------------


async def test_a_second_person_must_sign_and_cannot_be_the_first(folder: Path) -> None:
    path = desk(folder)
    with opened(path) as engine:
        carry_out(engine, SetPolicy(second_person=True))
        approve(engine, "Test")
        approval = engine.reads.rollout.approvals(MAY)[0]
        await engine.run_until_idle()
        assert not any(row.action == "ring-opened" for row in engine.reads.activity.audit())
        test = next(each for each in engine.reads.rollout.ring_progress(MAY) if each.ring.name == "Test")
        assert test.waits_for == "a second person beside mia"
        own = engine.plan(Countersign(approval.id)).refusal
        assert own is not None
        assert "two persons" in own.why
        refused = engine.plan(Apply(MAY, Target(rings=("Test",)))).refusal
        assert refused is not None
    with opened(path, who="ben") as engine:
        plan = engine.plan(Countersign(approval.id))
        assert plan.devices > 0
        engine.carry_out(plan)
        assert engine.plan(Countersign(approval.id)).refusal is not None
        engine.reads.store.connection.execute("DELETE FROM lease")
        await engine.run_until_idle()
        assert any(row.action == "ring-opened" for row in engine.reads.activity.audit())
        signed = engine.reads.rollout.approvals(MAY)[0]
        assert (signed.approved_by, signed.seconded_by) == ("mia", "ben")


async def test_policy_approves_new_releases_for_ring_test_once(folder: Path) -> None:
    with opened(desk(folder)) as engine:
        carry_out(engine, SetPolicy(auto_approve=("Test",)))
        with pytest.raises(NotFound):
            engine.plan(SetPolicy(auto_approve=("Tset",)))
        await engine.run_until_idle()
        mine = engine.reads.rollout.approvals(MAY)
        assert [(each.rings, each.approved_by) for each in mine] == [(("Test",), "engine")]
        carry_out(engine, Withdraw(mine[0].id, "not this one"))
        await engine.run_until_idle()
        assert len(engine.reads.rollout.approvals(MAY)) == 1, "what somebody withdrew stays withdrawn"


def test_policy_forbids_releases_that_nobody_confirms(folder: Path) -> None:
    with opened(desk(folder)) as engine:
        engine.reads.store.connection.execute("UPDATE release SET provisional = 1 WHERE kb = ?", (MAY,))
        carry_out(engine, SetPolicy(confirmed_only=True))
        with pytest.raises(Refused, match="no Microsoft document"):
            approve(engine, "Test")
        again = engine.plan(SetPolicy(confirmed_only=True)).refusal
        assert again is not None


async def test_a_safeguard_hold_keeps_a_release_from_devices_until_it_is_lifted(folder: Path) -> None:
    with opened(desk(folder, size=60), sound=True) as engine:
        model = devices(engine, "ring:broad readiness:ready")[0].model
        wanted = f'model:"{model}"'
        plan = engine.plan(SetHold(MAY, wanted, "docking stations"))
        assert plan.devices == len([row for row in devices(engine, wanted) if row.platform])
        engine.carry_out(plan)
        approve(engine)
        held = devices(engine, f"{wanted} readiness:ready")
        refused = engine.plan(Apply(MAY, Target(ids=tuple(row.id for row in held)))).refusal
        assert refused is not None
        assert "safeguard hold" in refused.why
        await engine.run_until_idle()
        assert devices(engine, f"{wanted} {HAS_IT}") == []
        assert devices(engine, HAS_IT)
        for progress in engine.reads.rollout.ring_progress(MAY):
            assert progress.pending == 0, "who is held back counts as not ready, and does not hold up the ring"
        carry_out(engine, LiftHold(engine.reads.rollout.safeguards()[0].id))
        await engine.run_until_idle()
        assert devices(engine, f"{wanted} {HAS_IT}")
        nothing = engine.plan(SetHold(None, "", "all")).refusal
        assert nothing is not None
        assert "halt" in nothing.instead


# --- members ----------------------------------------------------------------------------------------


async def test_members_follow_their_filter_except_who_was_placed_by_hand(folder: Path) -> None:
    with opened(desk(folder)) as engine:
        laptops = {row.id for row in devices(engine, "form:laptop")}
        pinned = devices(engine, "form:laptop ring:broad")[0]
        carry_out(engine, Assign(Target(ids=(pinned.id,)), "Last", "the boss"))
        plan = engine.plan(SetRing("Fast", members="form:laptop"))
        assert any("join it from Broad" in step for step in plan.steps)
        engine.carry_out(plan)
        assert {row.id for row in devices(engine, "ring:fast form:laptop")} == laptops - {pinned.id}
        carry_out(engine, SetRing("Last", members=f"site:{pinned.site}"))
        conflicts = engine.reads.rollout.ring_conflicts(1000)
        assert all(each.ring for each in conflicts)
        mine = next(each for each in conflicts if each.device_id == pinned.id)
        assert (mine.ring, mine.by_hand) == ("Last", True)
        both = [each for each in conflicts if each.claimed_by == ("Fast", "Last") and not each.by_hand]
        assert both
        assert {each.ring for each in both} == {"Fast"}, "the first ring has it"
        everybody = sum(row.devices for row in engine.reads.rollout.rings())
        assert everybody == engine.info().devices
        db = engine.reads.store.connection
        stray = next(iter(laptops - {pinned.id}))
        db.execute("UPDATE device SET ring_id = 4 WHERE id = ?", (stray,))
        await engine.run_due()
        assert engine.reads.devices.detail(stray).ring == "Fast"


# --- scenarios --------------------------------------------------------------------------------------


async def test_an_out_of_band_release_replaces_the_one_under_way(folder: Path) -> None:
    with opened(desk(folder, scenario="oob", size=60)) as engine:
        approve(engine, kb=5079420)
        await engine.run_until_idle(until=engine.now() + timedelta(days=3))
        assert engine.demo is not None
        engine.demo.step(timedelta(days=1))
        await engine.run_due()
        approve(engine, kb=5084597)
        await engine.run_until_idle()
        names = {ring.ring.name: ring for ring in engine.reads.rollout.ring_progress(5079420)}
        assert names["Broad"].opened_at is None
        assert all(each.opened_at for each in engine.reads.rollout.ring_progress(5084597))
        assert engine.reads.rollout.active() == ()
        late = engine.reads.store.connection.execute(
            "SELECT count(*) FROM install WHERE kb = 5079420 AND requested_at > ?", (int(engine.now().timestamp()),)
        ).fetchone()[0]
        assert late == 0


async def test_a_failing_patch_halts_by_itself(folder: Path) -> None:
    with opened(desk(folder, size=200, scenario="failing-patch", seed=5)) as engine:
        approve(engine)
        await engine.run_until_idle()
        halt = next(row for row in engine.reads.activity.audit(200) if row.action == "halt")
        assert "failed" in halt.reason
        assert all(
            each.opened_at is None for each in engine.reads.rollout.ring_progress(MAY) if each.ring.name == "Broad"
        )


async def test_after_a_halt_and_resume_the_rollout_goes_on_where_it_stood(folder: Path) -> None:
    with opened(desk(folder), sound=True) as engine:
        carry_out(engine, SetRing("Broad", deferral_days=0))
        approve(engine, "Broad")
        await engine.run_due()
        assert engine.reads.rollout.active()
        carry_out(engine, Stop(StopKind.HALT, Scope(kb=MAY), "wait"))
        assert engine.reads.rollout.active() == ()
        carry_out(engine, Resume(Scope(kb=MAY)))
        await engine.run_until_idle()
        broad = next(each for each in engine.reads.rollout.ring_progress(MAY) if each.ring.name == "Broad")
        assert (broad.pending, broad.failed) == (0, 0) or broad.installed
        assert broad.pending == 0, "a device whose install was cancelled by a halt is offered it again"


def test_the_new_verbs_know_their_roles(folder: Path) -> None:
    from engine import open_engine
    from engine.model.intents import Actor, Role

    with open_engine(desk(folder), actor=Actor("sam"), role=Role.HELP_DESK) as engine:
        for kind in (Countersign, Recover, SetHold, LiftHold, SetPolicy, Approve):
            assert engine.may(kind) is not None
