"""A tenant's rings, read from the tenant that tests play and shown as ours: the tenant wins, its changes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.errors import Unreachable
from engine.model.intents import Approve
from engine.model.tenants import PolicyKind, Reach, RingKind
from engine.providers.graph.client import Limits
from engine.providers.graph.rings import read_rings
from tests.engine.tenant_desk import BOARD, MAY, MAY_LCU, NAME, PAUSE, Desk, desk
from tests.tenant.fixtures import FakeTime, client_of
from tests.tenant.fleet import NOW
from tests.tenant.quality_policies import HOTPATCH, MAY_ITEM, PLAIN, approvals, policies, policy_row
from tests.tenant.server import Tenant
from tests.tenant.state import group_id
from tests.tenant.update_policies import MAY_ENTRY, add_policy, add_ring, approvals_of
from tests.tenant.update_rings import ring_id, rings

POLICIES = "/beta/deviceManagement/windowsQualityUpdatePolicies"


def no_intune(tenant: Tenant) -> None:
    """A tenant without Intune's policies and update rings."""
    tenant.state.tables["no-quality-policies"]["x"] = {}
    tenant.state.tables["no-configurations"]["x"] = {}


# --- reading ----------------------------------------------------------------------------------------


async def test_intunes_rings_come_with_the_policies_that_reach_them(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        picture = await read_rings(client, NOW)
    assert [(each.name, each.deferral_days, each.deadline_days, each.grace_days) for each in picture.rings] == [
        ("Corp Test", 0, 1, 0),
        ("Corp First", 1, 2, 2),
        ("Corp Broad", 5, 5, 2),
    ]
    assert [each.policies for each in picture.rings] == [(HOTPATCH,), (HOTPATCH,), (PLAIN,)]
    assert [each.hotpatch for each in picture.rings] == [True, True, False]
    assert picture.told == frozenset(RingKind)
    assert picture.approvals_of == {HOTPATCH, PLAIN}
    assert {each.kbs for each in picture.items} >= {(MAY, MAY_LCU)}
    assert picture.groups == tuple(group_id(number) for number in (1, 2, 3))
    assert tenant.writes == []


async def test_the_newer_policies_are_read_with_rings_and_approvals(tenant: Tenant) -> None:
    no_intune(tenant)
    add_policy(tenant.state, "p-1", "Patch Tuesday")
    add_ring(tenant.state, "p-1", "r-1", "Pilot", 1, deferral=2)
    approvals_of(tenant.state, "p-1")["a-1"] = {"id": "a-1", "catalogEntryId": MAY_ENTRY, "status": "approved"}
    async with client_of(tenant) as client:
        picture = await read_rings(client, NOW)
    ring = picture.rings[0]
    assert (ring.key, ring.kind, ring.deferral_days, ring.hotpatch) == ("ring:p-1/r-1", RingKind.RING, 2, True)
    assert ring.reach == Reach((group_id(1),))
    assert [(each.policy, each.is_approved, each.approval_id) for each in picture.approvals] == [
        ("updates/p-1", True, "a-1")
    ]
    assert any(MAY in each.kbs and each.kind is PolicyKind.UPDATES for each in picture.items)


async def test_a_tenant_without_either_has_no_rings(tenant: Tenant) -> None:
    no_intune(tenant)
    async with client_of(tenant) as client:
        picture = await read_rings(client, NOW)
    assert picture.rings == ()
    assert picture.untold == ()


async def test_what_may_not_be_read_is_named_and_the_rest_is_read(tenant: Tenant) -> None:
    tenant.state.denied.append(("GET", "/admin/windows/updates/policies"))
    async with client_of(tenant) as client:
        picture = await read_rings(client, NOW)
    assert picture.told == {RingKind.UPDATE_RING, RingKind.POLICY}
    assert len(picture.rings) == 3
    assert picture.untold[0].startswith("The newer update policies and rings could not be read.")


async def test_approvals_that_are_not_told_stay_unknown(tenant: Tenant) -> None:
    tenant.faults.status(404, "~retrieveWindowsQualityUpdateCatalogItemDetails", times=10)
    async with client_of(tenant) as client:
        picture = await read_rings(client, NOW)
    assert picture.approvals_of == frozenset()
    assert picture.untold == ("The service does not tell what is approved in Hotpatch, No hotpatch.",)


async def test_a_service_that_does_not_answer_fails_the_reading(tenant: Tenant) -> None:
    tenant.faults.status(503, "/beta/deviceManagement/windowsQualityUpdatePolicies", times=50)
    async with client_of(tenant, time=FakeTime(), limits=Limits(attempts=2)) as client:
        with pytest.raises(Unreachable):
            await read_rings(client, NOW)


async def test_unknown_members_types_and_values_survive(tenant: Tenant) -> None:
    row = policies(tenant.state)[HOTPATCH]
    row["assignments"].append(
        {"id": "x", "target": {"@odata.type": "#microsoft.graph.allLicensedUsersAssignmentTarget"}}
    )
    row["approvalSettings"][0]["windowsQualityUpdateCadence"] = "unknownFutureValue"
    rings(tenant.state)[ring_id(1)]["qualityUpdatesDeferralPeriodInDays"] = 0
    rings(tenant.state)[ring_id(2)]["deadlineForQualityUpdatesInDays"] = None
    async with client_of(tenant) as client:
        picture = await read_rings(client, NOW)
    found = next(each for each in picture.policies if each.id == HOTPATCH)
    assert found.reach.all_users
    assert found.rules[0].cadence == "unknownFutureValue"
    assert picture.rings[1].deadline_days is None


# --- taking over ------------------------------------------------------------------------------------


async def test_the_tenants_rings_take_the_place_of_the_preset_ones_in_order_of_deferral(
    tenant: Tenant, tmp_path: Path
) -> None:
    found = await desk(tenant, tmp_path)
    assert [(each.name, each.deferral_days) for each in found.store.rollout.rings()] == [
        ("Corp Test", 0),
        ("Corp First", 1),
        ("Corp Broad", 5),
    ]
    devices = {row.ring.name: row.devices for row in found.engine.reads.rollout.rings()}
    assert devices == {"Corp Test": 2, "Corp First": 5, "Corp Broad": 18}
    side = found.engine.reads.rollout.rings()[0].tenant
    assert side is not None
    assert (side.provider, side.kind, side.hotpatch, side.also) == (NAME, "update ring", True, ("Corp First",))


async def test_a_preset_ring_that_something_knows_of_stays(tenant: Tenant, tmp_path: Path) -> None:
    found = Desk(tenant, tmp_path / "state.db")
    found.add_provider()
    found.carry_out(Approve(MAY, ("Test",), BOARD))
    await found.pull_rings()
    names = [each.name for each in found.store.rollout.rings()]
    assert names == ["Test", "Corp Test", "Corp First", "Corp Broad"]


async def test_a_name_that_is_taken_gets_the_tenants_name_in_front(tenant: Tenant, tmp_path: Path) -> None:
    rings(tenant.state)[ring_id(1)]["displayName"] = "test"
    rings(tenant.state)[ring_id(2)]["displayName"] = "Test"
    found = Desk(tenant, tmp_path / "state.db")
    found.add_provider()
    found.carry_out(Approve(MAY, ("Test",), BOARD))
    await found.pull_rings()
    assert [each.name for each in found.store.rollout.rings()] == ["Test", "corp test", "corp Test 2", "Corp Broad"]


async def test_reading_the_same_again_changes_and_tells_nothing(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    before = len(found.audit("tenant-change"))
    again = await found.pull_rings()
    assert (again.new, again.changed, again.gone) == ([], [], [])
    assert len(found.audit("tenant-change")) == before


async def test_what_the_tenant_changes_by_itself_wins_and_is_told_with_before_and_after(
    tenant: Tenant, tmp_path: Path
) -> None:
    found = await desk(tenant, tmp_path)
    row = rings(tenant.state)[ring_id(3)]
    row.update({"qualityUpdatesDeferralPeriodInDays": 9, "qualityUpdatesPaused": True})
    row["qualityUpdatesPauseExpiryDateTime"] = "2026-06-01T00:00:00Z"
    found.later(hours=4)
    await found.pull_rings()
    assert found.ring("Corp Broad").deferral_days == 9
    record = found.audit("tenant-change")[0]
    assert record.summary == "corp changed ring Corp Broad by itself: deferral 5 → 9, paused no → yes"
    assert record.details["before"] == {"deferral": 5, "paused": False}
    assert record.details["after"] == {"deferral": 9, "paused": True}
    side = next(row.tenant for row in found.engine.reads.rollout.rings() if row.ring.name == "Corp Broad")
    assert side is not None
    assert side.changed == "deferral 5 → 9, paused no → yes"
    progress = next(each for each in found.engine.reads.rollout.ring_progress(MAY) if each.ring.name == "Corp Broad")
    assert progress.stopped == "paused in corp until 01 Jun 2026"
    assert any("paused in corp" in each.text for each in found.engine.reads.attention())


async def test_a_ring_that_is_gone_is_kept_and_marked_and_may_come_back(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    row = rings(tenant.state).pop(ring_id(1))
    taken = await found.pull_rings()
    assert taken.gone == ["Corp Test"]
    side = found.engine.reads.rollout.rings()[0].tenant
    assert side is not None
    assert side.gone_at == found.clock.now()
    refused = found.plan(Approve(MAY, ("Corp Test",), BOARD))
    assert refused.requests == ()
    assert any("does not have it any more" in each.why for each in refused.left_out)
    rings(tenant.state)[ring_id(1)] = row
    await found.pull_rings()
    side = found.engine.reads.rollout.rings()[0].tenant
    assert side is not None
    assert side.gone_at is None
    assert side.changed.startswith("is there again")


async def test_rings_that_could_not_be_read_are_not_taken_for_gone(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    tenant.state.denied.append(("GET", "/deviceManagement/deviceConfigurations"))
    taken = await found.pull_rings()
    assert taken.gone == []
    told = found.store.tenant_rings.told(NAME)
    assert told is not None
    assert told.untold[0].startswith("Intune's update rings and quality-update policies could not be read.")
    assert found.store.tenant_rings.policies(NAME)


async def test_what_is_approved_there_is_approved_here(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    for policy_id in (HOTPATCH, PLAIN):
        approvals(tenant.state)[f"{policy_id}/{MAY_ITEM}"] = {"status": "approved"}
    await found.pull_rings()
    given = [each for each in found.engine.reads.rollout.approvals(MAY) if each.approved_by == NAME]
    assert [each.rings for each in given] == [("Corp Test", "Corp First", "Corp Broad")]
    assert given[0].reason == "approved in corp"
    await found.pull_rings()
    assert len(found.engine.reads.rollout.approvals(MAY)) == 1


async def test_what_is_suspended_there_is_stopped_here(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    approvals(tenant.state)[f"{HOTPATCH}/{MAY_ITEM}"] = {"status": "suspended"}
    await found.pull_rings()
    stopped = {each.ring.name: each.stopped for each in found.engine.reads.rollout.ring_progress(MAY)}
    assert stopped == {"Corp Test": "suspended in corp", "Corp First": "suspended in corp", "Corp Broad": ""}
    record = found.audit("tenant-change")[0]
    assert record.summary.startswith("corp changed its policy Hotpatch by itself: KB5089466, KB5089549: not decided")


async def test_a_policy_for_an_outer_group_reaches_the_rings_of_the_groups_within(
    tenant: Tenant, tmp_path: Path
) -> None:
    tenant.state.tables["quality-policies"][HOTPATCH] = policy_row(HOTPATCH, "Outer", 9, hotpatch=True)
    found = await desk(tenant, tmp_path)
    assert [each.name for each in found.store.rollout.rings()] == ["Corp Test", "Corp First", "Corp Broad"]
    assert {each.ring.policies for each in found.store.tenant_rings.bound()} == {(HOTPATCH,)}


async def test_two_tenants_may_have_rings_of_the_same_name(tenant: Tenant, tmp_path: Path) -> None:
    from engine.tenants.rings import take_over_rings

    found = await desk(tenant, tmp_path)
    async with client_of(tenant) as client:
        picture = await read_rings(client, NOW)
    with found.store.transaction():
        taken = take_over_rings(found.store, "lab", picture, NOW)
    assert taken.new == ["lab Corp Test", "lab Corp First", "lab Corp Broad"]
    assert len({each.ring_id for each in found.store.tenant_rings.bound()}) == 6


async def test_names_from_the_tenant_cannot_act(tenant: Tenant, tmp_path: Path) -> None:
    rings(tenant.state)[ring_id(1)]["displayName"] = "Evil\x1b[31m\nRing\u202e"
    found = await desk(tenant, tmp_path)
    names = [each.name for each in found.store.rollout.rings()]
    assert all(each.isprintable() for each in names)
    assert names[0].startswith("Evil")


async def test_another_persons_plan_goes_out_of_date_when_the_tenant_changes(tenant: Tenant, tmp_path: Path) -> None:
    from engine.model.errors import PlanOutdated
    from engine.model.intents import SetRing

    found = await desk(tenant, tmp_path)
    plan = found.plan(SetRing("Corp Broad", deferral_days=7, deadline_days=9))
    rings(tenant.state)[ring_id(3)]["qualityUpdatesDeferralPeriodInDays"] = 7
    await found.pull_rings()
    with pytest.raises(PlanOutdated):
        found.engine.carry_out(plan)


async def test_a_release_for_platforms_without_devices_waits_for_nobody(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    told = [each.text for each in found.engine.reads.attention() if "waits for approval" in each.text]
    assert told
    assert not any("Server" in each for each in told)


async def test_a_pause_that_has_ended_is_none_and_can_be_made_anew(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    row = rings(tenant.state)[ring_id(3)]
    row["qualityUpdatesPaused"] = True
    row["qualityUpdatesPauseExpiryDateTime"] = "2026-05-01T00:00:00Z"
    await found.pull_rings()
    side = next(row.tenant for row in found.engine.reads.rollout.rings() if row.ring.name == "Corp Broad")
    assert side is not None
    assert side.paused is False
    (request,) = found.plan(PAUSE).requests
    assert request.body == {
        "@odata.type": "#microsoft.graph.windowsUpdateForBusinessConfiguration",
        "qualityUpdatesPaused": True,
    }


async def test_ids_are_the_same_in_capitals_and_small_letters(tenant: Tenant) -> None:
    no_intune(tenant)
    add_policy(tenant.state, "p-1", "Patch Tuesday")
    add_ring(tenant.state, "p-1", "r-1", "Pilot", 1, deferral=2)
    approval = {"id": "a-1", "catalogEntryId": MAY_ENTRY.upper(), "status": "approved"}
    approvals_of(tenant.state, "p-1")["a-1"] = approval
    assert MAY_ENTRY.upper() != MAY_ENTRY
    async with client_of(tenant) as client:
        picture = await read_rings(client, NOW)
    assert [each.item_id for each in picture.approvals] == [MAY_ENTRY]
