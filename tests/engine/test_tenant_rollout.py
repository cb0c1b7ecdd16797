"""The rollout beside a tenant: nothing is ordered on its devices, its rings open by its rules, gates halt there too."""

from __future__ import annotations

from pathlib import Path

from engine.model.build import OsBuild
from engine.model.intents import Recover, Retry, SetPolicy, SetRing, Target, Uninstall
from engine.model.model import Gate
from tests.engine.tenant_desk import APPROVE, MAY, PAIR, desk
from tests.tenant.quality_policies import HOTPATCH, MAY_ITEM, status_of
from tests.tenant.server import Tenant

# --- the rollout ------------------------------------------------------------------------------------


async def test_the_rollout_orders_nothing_on_a_tenants_devices(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    found.carry_out(APPROVE)
    for _ in range(4):
        await found.engine.run_due()
        found.later(days=2)
    assert found.engine.reads.rollout.active() == ()
    opened = {each.ring.name: each.opened_at is not None for each in found.engine.reads.rollout.ring_progress(MAY)}
    assert opened == {"Corp Test": True, "Corp First": True, "Corp Broad": False}


async def test_a_ring_opens_when_the_tenant_has_taken_the_approval(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    tenant.state.denied.append(("POST", "/deviceManagement/windowsQualityUpdatePolicies"))
    await found.ask(APPROVE)
    await found.engine.run_due()
    first = found.engine.reads.rollout.ring_progress(MAY)[0]
    assert (first.opened_at, first.waits_for) == (None, "corp to take the approval")


async def test_a_failing_gate_halts_and_the_tenant_is_asked_to_suspend(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    await found.ask(APPROVE)
    found.carry_out(SetRing("Corp First", gate=Gate(min_sample=1, max_failed_share=0.0)))
    await found.engine.run_due()
    with found.store.transaction():
        found.store.connection.execute(
            "INSERT INTO install (device_id, ring_id, kb, platform, action, state, stage, progress, attempt, by_hand, "
            "requested_at, requested_by, finished_at, error_code, open_failure, reason) "
            "SELECT id, ring_id, ?, platform, 'apply', 'failed', '', 0, 1, 0, ?, 'corp', ?, 2149842976, 1, '' "
            "FROM device WHERE ring_id = ? LIMIT 1",
            (MAY, *(int(found.clock.now().timestamp()),) * 2, found.ring("Corp First").id),
        )
    for _ in range(3):
        await found.engine.run_due()
    assert [each.scope.kb for each in found.engine.reads.rollout.stops()] == [MAY]
    assert status_of(tenant.state, HOTPATCH, MAY_ITEM) == "suspended"


async def test_new_releases_are_approved_by_policy_only_where_the_tenants_policy_allows_it(
    tenant: Tenant, tmp_path: Path
) -> None:
    found = await desk(tenant, tmp_path)
    found.carry_out(SetPolicy(auto_approve=("Corp Test",)))
    await found.engine.run_due()
    assert found.engine.reads.rollout.approvals(MAY) == ()
    found.carry_out(SetPolicy(auto_approve=PAIR))
    for _ in range(2):
        await found.engine.run_due()
    assert status_of(tenant.state, HOTPATCH, MAY_ITEM) == "approved"


async def test_a_recovery_suspends_and_leads_no_device_of_a_tenant_back(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    await found.ask(APPROVE)
    plan = found.plan(Recover(MAY, "crashes"))
    assert any("a tenant removes an update from whole rings only" in each for each in plan.warnings)
    assert plan.devices == 0


async def test_a_retry_leaves_a_tenants_devices_to_themselves(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    with found.store.transaction():
        found.store.connection.execute(
            "INSERT INTO install (device_id, ring_id, kb, platform, action, state, stage, progress, attempt, by_hand, "
            "requested_at, requested_by, finished_at, error_code, open_failure, reason) "
            "SELECT id, ring_id, ?, platform, 'apply', 'failed', '', 0, 1, 0, 1, 'corp', 1, 2149842976, 1, '' "
            "FROM device LIMIT 1",
            (MAY,),
        )
    refusal = found.plan(Retry(Target(rings=("Corp Test", "Corp First", "Corp Broad")))).refusal
    assert refusal is not None
    assert refusal.why.startswith("corp leads it by policy")


async def test_in_a_ring_of_both_kinds_each_device_goes_its_own_way(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    ring = found.ring("Corp First")
    with found.store.transaction():
        (ours,) = found.store.connection.execute(
            "UPDATE device SET provider = 'by hand' WHERE id = (SELECT id FROM device WHERE ring_id = ? "
            "AND verdict = 'ready' AND state = 'idle' AND build < ? LIMIT 1) RETURNING id",
            (ring.id, OsBuild(26100, 8390).as_int()),
        ).fetchone()
    await found.ask(APPROVE)
    await found.engine.run_due()
    assert [each.device_id for each in found.engine.reads.rollout.active()] == [ours]
    plan = found.plan(Uninstall(MAY, Target(rings=("Corp First",)), "crashes"))
    assert (plan.devices, len(plan.requests)) == (4, 1)
    assert [each.devices for each in plan.left_out] == [1]
    assert "Another install is under way" in plan.left_out[0].why
