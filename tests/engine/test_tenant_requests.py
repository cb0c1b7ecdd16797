"""From a decision to the tenant and back: planned, written with it, sent once, read back; killed and throttled too."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.model.errors import Refused
from engine.model.intents import (
    After,
    Apply,
    Approve,
    Assign,
    Countersign,
    Exclude,
    Expedite,
    Resume,
    Scope,
    SetPolicy,
    SetRing,
    Stop,
    StopKind,
    Sync,
    Target,
    Uninstall,
    Withdraw,
)
from engine.model.model import Gate
from engine.model.tenants import RequestState, Wish
from tests.engine.tenant_desk import APPROVE, BOARD, MAY, PAIR, PAUSE, Desk, desk, sent
from tests.tenant.quality_policies import HOTPATCH, MAY_ITEM, PLAIN, policies, status_of
from tests.tenant.server import Tenant
from tests.tenant.update_policies import MAY_ENTRY, add_policy, add_ring, approvals_of
from tests.tenant.update_rings import ring_id, rings

# --- planning ---------------------------------------------------------------------------------------


async def test_a_plan_sends_nothing_and_says_word_for_word_what_would_be_sent(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    plan = found.plan(APPROVE)
    assert plan.refusal is None
    assert [(each.method, each.address, each.body) for each in plan.requests] == [
        (
            "POST",
            f"/beta/deviceManagement/windowsQualityUpdatePolicies/{HOTPATCH}/bulkAction",
            {"action": "approve", "ids": [MAY_ITEM]},
        )
    ]
    assert "Its devices act on it at their next scan, hours to days later." in plan.steps
    assert tenant.writes == []


async def test_an_approval_by_ring_that_a_policy_cannot_give_is_refused(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    with pytest.raises(Refused, match="is not approved") as refused:
        found.carry_out(Approve(MAY, ("Corp Test",), BOARD))
    assert "reaches Corp First too" in refused.value.why


async def test_a_provider_for_reading_only_is_refused_with_what_makes_it_possible(
    tenant: Tenant, tmp_path: Path
) -> None:
    found = await desk(tenant, tmp_path, writes=False)
    for intent in (APPROVE, PAUSE, SetRing("Corp Broad", deferral_days=9), Sync(Target(rings=("Corp Test",)))):
        plan = found.plan(intent)
        assert plan.refusal is not None
        assert plan.refusal.instead == "Switch writing on: hotpatch provider writes corp on"
        assert plan.requests == ()


@pytest.mark.parametrize("rule", ["max_in_flight", "wave_soak_hours", "members", "window"])
async def test_rules_that_no_tenant_knows_are_refused(tenant: Tenant, tmp_path: Path, rule: str) -> None:
    found = await desk(tenant, tmp_path)
    value: Any = {"members": "site:berlin", "window": "sat 22:00-23:00 UTC"}.get(rule, 5)
    refusal = found.plan(SetRing("Corp Broad", **{rule: value})).refusal
    assert refusal is not None
    assert "carries its rollout and knows no" in refusal.why


async def test_a_gate_is_ours_and_is_set_without_asking_the_tenant(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    assert found.carry_out(SetRing("Corp Broad", gate=Gate(soak_hours=1))) == ()
    assert found.ring("Corp Broad").gate.soak_hours == 1


async def test_nothing_is_done_to_one_device_on_demand(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    device = Target(ids=(1,))
    for intent in (
        Apply(MAY, device),
        Uninstall(MAY, device, "bad", After.STAY),
        Assign(device, "Corp Broad"),
    ):
        plan = found.plan(intent)
        assert plan.refusal is not None
        assert plan.refusal.why.startswith("corp leads it by policy")
        assert plan.requests == ()


async def test_hotpatches_cannot_be_switched_for_a_ring_of_ours(tmp_path: Path, tenant: Tenant) -> None:
    found = Desk(tenant, tmp_path / "state.db")
    refusal = found.plan(SetRing("Test", hotpatch=True)).refusal
    assert refusal is not None
    assert "no ring of a tenant" in refusal.why


async def test_a_beginning_or_an_end_of_an_approval_is_refused(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    later = found.clock.now() + timedelta(days=2)
    for intent in (Approve(MAY, PAIR, BOARD, not_before=later), Approve(MAY, PAIR, BOARD, expires_at=later)):
        assert found.plan(intent).refusal is not None


async def test_holds_and_exclusions_say_that_the_tenant_does_not_know_them(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    plan = found.plan(Exclude(Target(ids=(1,)), "test bench", kb=MAY))
    assert any("corp does not know holds" in each for each in plan.warnings)


# --- sending ----------------------------------------------------------------------------------------


async def test_an_approval_arrives_once_and_is_read_back(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    (receipt,) = await found.ask(APPROVE)
    assert receipt.state is RequestState.CONFIRMED
    assert receipt.request_id
    assert status_of(tenant.state, HOTPATCH, MAY_ITEM) == "approved"
    assert status_of(tenant.state, PLAIN, MAY_ITEM) == "unknown"
    await found.engine.deliver()
    assert len(tenant.writes) == 1
    assert found.engine.reads.rollout.approvals(MAY)[0].rings == PAIR


async def test_pause_and_resume_of_a_ring(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    (paused,) = await found.ask(PAUSE)
    assert paused.state is RequestState.CONFIRMED
    assert rings(tenant.state)[ring_id(3)]["qualityUpdatesPaused"] is True
    side = next(row.tenant for row in found.engine.reads.rollout.rings() if row.ring.name == "Corp Broad")
    assert side is not None
    assert side.pause_expires_at == found.clock.now() + timedelta(days=35)
    (resumed,) = await found.ask(Resume(Scope(ring="Corp Broad")))
    assert resumed.request.body == {
        "@odata.type": "#microsoft.graph.windowsUpdateForBusinessConfiguration",
        "qualityUpdatesPaused": False,
    }
    assert rings(tenant.state)[ring_id(3)]["qualityUpdatesPaused"] is False


async def test_a_pause_made_in_the_tenant_is_resumed_from_here(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    rings(tenant.state)[ring_id(3)]["qualityUpdatesPaused"] = True
    await found.pull_rings()
    (resumed,) = await found.ask(Resume(Scope(ring="Corp Broad")))
    assert resumed.state is RequestState.CONFIRMED


async def test_a_rings_days_change_here_when_the_tenant_has_changed_them(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    numbers = found.carry_out(SetRing("Corp Broad", deferral_days=9, deadline_days=5))
    assert found.ring("Corp Broad").deferral_days == 5
    await found.engine.deliver()
    (receipt,) = found.receipts(numbers)
    assert receipt.request.body == {
        "@odata.type": "#microsoft.graph.windowsUpdateForBusinessConfiguration",
        "qualityUpdatesDeferralPeriodInDays": 9,
    }
    assert found.ring("Corp Broad").deferral_days == 9
    before = len(found.audit("tenant-change"))
    await found.pull_rings()
    assert len(found.audit("tenant-change")) == before


async def test_hotpatches_are_switched_for_all_rings_of_the_policy(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    refusal = found.plan(SetRing("Corp Test", hotpatch=False)).refusal
    assert refusal is not None
    assert "reaches Corp First" in refusal.why
    assert "--widen" in refusal.instead
    (receipt,) = await found.ask(SetRing("Corp Test", hotpatch=False, widen=True))
    assert receipt.state is RequestState.CONFIRMED
    assert policies(tenant.state)[HOTPATCH]["hotpatchEnabled"] is False
    told = {row.ring.name: row.tenant.hotpatch for row in found.engine.reads.rollout.rings() if row.tenant}
    assert told == {"Corp Test": False, "Corp First": False, "Corp Broad": False}


async def test_halting_a_release_suspends_it_and_resuming_approves_it_again(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    await found.ask(APPROVE)
    halted = await found.ask(Stop(StopKind.HALT, Scope(kb=MAY), "crashes"))
    assert {each.request.policy for each in halted} == {HOTPATCH, PLAIN}
    assert status_of(tenant.state, HOTPATCH, MAY_ITEM) == "suspended"
    (again,) = await found.ask(Resume(Scope(kb=MAY)))
    assert (again.request.wish, again.request.policy) == (Wish.APPROVE, HOTPATCH)
    assert status_of(tenant.state, PLAIN, MAY_ITEM) == "suspended"


async def test_withdrawing_an_approval_suspends_it(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    await found.ask(APPROVE)
    approval = found.engine.reads.rollout.approvals(MAY)[0]
    (receipt,) = await found.ask(Withdraw(approval.id, "not yet"))
    assert receipt.request.wish is Wish.SUSPEND
    assert status_of(tenant.state, HOTPATCH, MAY_ITEM) == "suspended"


async def test_where_two_must_sign_the_tenant_is_asked_after_the_second(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    found.carry_out(SetPolicy(second_person=True))
    assert found.carry_out(APPROVE) == ()
    other = found.open(who="noor")
    approval = other.reads.rollout.approvals(MAY)[0]
    numbers = other.carry_out(other.plan(Countersign(approval.id))).requests
    await other.deliver()
    assert [each.state for each in found.receipts(numbers)] == [RequestState.CONFIRMED]
    other.close()


async def test_a_whole_ring_is_rolled_back_with_all_its_restarts_counted(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    intent = Uninstall(MAY, Target(rings=("Corp First",)), "crashes")
    plan = found.plan(intent)
    assert (plan.devices, plan.restarts) == (5, 5)
    assert "whichever that is" in plan.steps[0]
    (receipt,) = await found.ask(intent)
    assert receipt.state is RequestState.CONFIRMED
    assert rings(tenant.state)[ring_id(2)]["qualityUpdatesWillBeRolledBack"] is True
    assert found.engine.reads.rollout.active() == ()


async def test_an_expedite_makes_its_profile_and_assigns_it(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    intent = Expedite(MAY, Target(rings=("Corp First",)), "exploited", days=0)
    plan = found.plan(intent)
    assert plan.devices == 5
    assert 0 < plan.restarts <= 5
    made, given = await found.ask(intent)
    assert made.created == next(iter(tenant.state.tables["profiles"]))
    assert given.state is RequestState.ACCEPTED
    assert len(tenant.state.tables["profiles"][made.created]["assignments"]) == 1


@pytest.mark.parametrize(
    "target", [Target(filter="name:PC"), Target(ids=(1,)), Target(rings=("Corp First",), filter="name:PC")]
)
async def test_an_expedite_goes_to_whole_rings_alone(tenant: Tenant, tmp_path: Path, target: Target) -> None:
    found = await desk(tenant, tmp_path)
    refusal = found.plan(Expedite(MAY, target, "exploited")).refusal
    assert refusal is not None
    assert refusal.instead == "Name rings: --ring NAME"


async def test_devices_are_asked_to_check_in(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    receipts = await found.ask(Sync(Target(rings=("Corp Test",))))
    assert [each.state for each in receipts] == [RequestState.ACCEPTED] * 2
    assert all(path.endswith("/syncDevice") for _, path in sent(tenant))
    assert found.store.tenant_requests.next_at(found.clock.now()) is None


async def test_the_second_generation_is_approved_suspended_and_paused(tenant: Tenant, tmp_path: Path) -> None:
    tenant.state.tables["no-quality-policies"]["x"] = {}
    tenant.state.tables["no-configurations"]["x"] = {}
    add_policy(tenant.state, "p-1", "Patch Tuesday")
    add_ring(tenant.state, "p-1", "r-1", "Pilot", 1, deferral=2)
    found = await desk(tenant, tmp_path)
    (given,) = await found.ask(Approve(MAY, ("Pilot",), BOARD))
    assert given.state is RequestState.CONFIRMED
    (approval,) = approvals_of(tenant.state, "p-1").values()
    assert (approval["catalogEntryId"], approval["status"]) == (MAY_ENTRY, "approved")
    (halted,) = await found.ask(Stop(StopKind.HALT, Scope(kb=MAY), "crashes"))
    assert (halted.request.method, approval["status"]) == ("PATCH", "suspended")
    (paused,) = await found.ask(Stop(StopKind.PAUSE, Scope(ring="Pilot"), "freeze"))
    assert paused.state is RequestState.CONFIRMED
    (days, switched) = await found.ask(SetRing("Pilot", deferral_days=4, deadline_days=9, hotpatch=False))
    assert (days.request.body or {})["deferralInDays"] == 4
    assert (switched.request.body or {})["isHotpatchEnabled"] is False
    assert (found.ring("Pilot").deferral_days, found.ring("Pilot").deadline_days) == (4, 9)
