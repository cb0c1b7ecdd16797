"""A tenant's inventory comes in step by step: whole, once, and onward from wherever it was killed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.model.errors import LeaseHeld, Refused
from engine.model.intents import Role
from engine.model.model import CheckId, PolicyState, VbsState
from engine.model.records.fleet import DeviceQuery
from engine.rules.tenants.inventory import PullStage
from engine.store.tenants.pull import PullStore
from engine.tenants.pull import batches
from tests.engine.tenant_pulls import NAME, Puller, facts, picture, policy, puller, ring, tells
from tests.tenant.fleet import entra_device_id, entra_object_id, intune_id, user_id
from tests.tenant.server import Tenant

DEVICES = "/deviceManagement/managedDevices"


def asked(tenant: Tenant) -> Counter[str]:
    """What was asked for besides batches, whose parts are counted instead."""
    return Counter(f"{seen.path}?{seen.query}" for seen in tenant.requests if not seen.path.endswith("$batch"))


# --- the whole way ----------------------------------------------------------------------------------


async def test_devices_come_in_with_details_licences_policies_and_rings(corp: Puller) -> None:
    seen: list[PullStage] = []
    report = await corp.pull(progress=lambda each: seen.append(each.stage))
    assert (report.done, report.rows, report.added.devices, report.faults) == (True, 25, 25, ())
    assert report.form == "Microsoft Graph"
    assert list(dict.fromkeys(seen)) == [PullStage.DEVICES, *list(PullStage)[1:8]]
    rows = {row.name: row for row in corp.engine.reads.devices.each(DeviceQuery())}
    assert Counter(row.ring for row in rows.values()) == {"Test": 2, "First": 5, "Broad": 18}
    first = facts(corp, 0)
    assert (first.licence, first.vbs, first.policy, first.policy_name) == (
        "m365-e3",
        VbsState.RUNNING,
        PolicyState.ALLOW,
        "Hotpatch",
    )
    assert facts(corp, 20).policy is PolicyState.BLOCK
    assert facts(corp, 16).policy is PolicyState.UNKNOWN  # its join to Entra is not valid
    assert facts(corp, 5).licence == "none"
    assert facts(corp, 8).licence == ""
    record = corp.engine.reads.activity.audit()[0]
    assert (record.action, record.devices) == ("import", 25)
    assert not corp.tenant.writes


async def test_three_ids_of_a_device_are_kept_apart(corp: Puller) -> None:
    await corp.pull()
    row = corp.store.connection.execute("SELECT * FROM tenant_device WHERE intune_id = ?", (intune_id(3),)).fetchone()
    assert (row["entra_id"], row["object_id"], row["user_id"]) == (entra_device_id(3), entra_object_id(3), user_id(3))


async def test_a_device_says_what_graph_does_not_report(corp: Puller) -> None:
    await corp.pull()
    reads = corp.engine.reads

    def checks(number: int) -> dict[CheckId, str]:
        device = reads.devices.find(f"PC-{number:06d}")
        return {check.check: check.found for check in reads.devices.readiness(device.id).checks}

    assert checks(9)[CheckId.CHPE] == "Graph does not report CHPE"
    assert "no primary user" in checks(8)[CheckId.LICENCE]
    assert "invalidAzureADJoin" in checks(16)[CheckId.MANAGEMENT]
    assert "PendingActivation" in checks(7)[CheckId.LICENCE]


async def test_pulling_again_asks_for_lists_alone_and_changes_nothing(corp: Puller) -> None:
    await corp.pull()
    before, records = corp.fleet(), len(corp.engine.reads.activity.audit())
    corp.later(hours=2)
    corp.tenant.requests.clear()
    report = await corp.pull()
    assert (report.added.devices, report.changed.devices, report.gone.devices) == (0, 0, 0)
    assert corp.fleet() == before
    assert len(corp.engine.reads.activity.audit()) == records
    assert not corp.tenant.asked("/$batch")


async def test_only_devices_that_synced_since_are_asked_for_their_details(corp: Puller) -> None:
    await corp.pull()
    corp.tenant.state.devices.change(4, lastSyncDateTime="2026-05-20T09:00:00Z", osVersion="10.0.26100.8457")
    corp.tenant.state.devices.change_hardware(4, deviceGuardVirtualizationBasedSecurityState="notConfigured")
    corp.tenant.requests.clear()
    corp.later(hours=2)
    report = await corp.pull()
    assert [seen.path.rpartition("/")[2] for seen in corp.tenant.asked(DEVICES) if seen.in_batch] == [intune_id(4)]
    assert report.changed.devices == 1
    assert (facts(corp, 4).vbs, str(facts(corp, 4).build)) == (VbsState.OFF, "26100.8457")
    seen = corp.store.connection.execute(
        "SELECT count(*) FROM build_seen b JOIN device d ON d.id = b.device_id WHERE d.name = 'PC-000004'"
    ).fetchone()[0]
    assert seen == 2


async def test_licences_are_read_once_a_user_and_again_when_they_are_old(corp: Puller) -> None:
    await corp.pull()
    users = [seen.path for seen in corp.tenant.asked("/users")]
    assert len(users) == len(set(users)) > 0
    corp.later(hours=25)
    corp.tenant.requests.clear()
    await corp.pull()
    assert sorted(seen.path for seen in corp.tenant.asked("/users")) == sorted(users)


async def test_what_the_tenant_does_not_say_any_more_does_not_hold_any_more(corp: Puller) -> None:
    await corp.pull()
    corp.tenant.state.devices.change(0, userId="", userPrincipalName="")
    corp.later(hours=2)
    await corp.pull()
    assert (facts(corp, 0).user, facts(corp, 0).licence) == ("", "")


async def test_gone_devices_are_kept_unless_their_removal_is_asked_for(corp: Puller) -> None:
    await corp.pull()
    corp.tenant.state.devices.delete(3)
    corp.later(hours=2)
    report = await corp.pull()
    assert (report.gone.devices, report.gone.sample, report.removed) == (1, ("PC-000003",), 0)
    assert len(corp.fleet()) == 25
    corp.later(hours=2)
    assert (await corp.pull(remove_gone=True)).removed == 1
    assert len(corp.fleet()) == 24
    assert corp.store.connection.execute("SELECT count(*) FROM tenant_device").fetchone()[0] == 24


async def test_a_dry_run_tells_what_would_change_and_spares_the_pull_after_it_the_reading(corp: Puller) -> None:
    number = corp.engine.change_number()
    report = await corp.pull(dry_run=True)
    assert (report.done, report.added.devices) == (False, 25)
    assert corp.fleet() == []
    assert corp.engine.change_number() == number
    asked_then = len(corp.tenant.requests)
    assert (await corp.pull()).added.devices == 25
    assert len(corp.tenant.requests) == asked_then


async def test_what_was_read_long_ago_is_read_again(corp: Puller) -> None:
    await corp.pull(dry_run=True)
    corp.later(hours=2)
    corp.tenant.state.devices.delete(0)
    assert (await corp.pull()).rows == 24


# --- killed, and two at once ------------------------------------------------------------------------


async def test_killed_after_any_step_it_goes_on_there_and_asks_for_nothing_twice(
    tenant: Tenant, empty_fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tells(monkeypatch, picture([ring("Test", 2)], [policy("Hotpatch", 3, hotpatch=True)]))
    monkeypatch.setattr(batches, "AT_ONCE", 4)
    tenant.state.devices.count = 7
    tenant.state.divide()
    tenant.state.page_size = 4
    whole = puller(tenant, tmp_path / "whole.db", empty_fleet)
    steps = 0
    while (await whole.steps(1)).stage is not PullStage.DONE:
        steps += 1
    reference, requests = whole.fleet(), asked(tenant)
    whole.engine.close()
    assert steps > 10
    for killed_after in range(1, steps + 1):
        tenant.requests.clear()
        path = tmp_path / f"{killed_after}.db"
        first = puller(tenant, path, empty_fleet)
        await first.steps(killed_after)
        first.dies()
        second = puller(tenant, path)
        report = await second.pull()
        assert (report.added.devices, asked(tenant)) == (7, requests), killed_after
        assert second.fleet() == reference
        assert [record.action for record in second.engine.reads.activity.audit()].count("import") == 1
        second.engine.close()


async def test_killed_within_a_step_nothing_of_it_is_kept(
    tenant: Tenant, empty_fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tells(monkeypatch, picture([ring("Test", 2)], [policy("Hotpatch", 3, hotpatch=True)]))
    tenant.state.devices.count = 7
    tenant.state.divide()
    tenant.state.page_size = 4
    move, moves = PullStore.move, [0]

    def counted(store: PullStore, *arguments: Any) -> None:
        move(store, *arguments)
        moves[0] += 1
        if moves[0] == dies_at:
            raise KeyboardInterrupt

    dies_at = 0
    monkeypatch.setattr(PullStore, "move", counted)
    whole = puller(tenant, tmp_path / "whole.db", empty_fleet)
    await whole.pull()
    reference, last = whole.fleet(), moves[0]
    whole.engine.close()
    for nth in range(1, last + 1):
        path = tmp_path / f"{nth}.db"
        moves[0], dies_at = 0, nth
        first = puller(tenant, path, empty_fleet)
        with pytest.raises(KeyboardInterrupt):
            await first.pull()
        first.dies()
        dies_at = 0
        second = puller(tenant, path)
        await second.pull()
        assert second.fleet() == reference, nth
        second.engine.close()


async def test_of_two_processes_one_pulls_and_the_other_says_so(corp: Puller, tmp_path: Path) -> None:
    await corp.steps(2)
    other = puller(corp.tenant, tmp_path / "fleet.db")
    with pytest.raises(LeaseHeld, match=r"Another process pulls from corp.*process \d+, at devices"):
        await other.pull()
    other.engine.close()
    corp.intake().release(NAME)
    again = puller(corp.tenant, tmp_path / "fleet.db")
    assert (await again.pull()).rows == 25
    again.engine.close()


async def test_a_process_that_lost_its_pull_keeps_nothing_more(corp: Puller, tmp_path: Path) -> None:
    await corp.steps(1)
    with corp.store.transaction():
        corp.store.connection.execute("UPDATE tenant_pull SET claimed_until = 0")
    other = puller(corp.tenant, tmp_path / "fleet.db")
    await other.steps(1)
    stale = corp.store.tenant_pulls.last(NAME)
    with pytest.raises(LeaseHeld), corp.store.transaction():
        corp.store.tenant_pulls.move(stale, corp.clock.now())
    other.engine.close()


async def test_a_pull_broken_off_long_ago_begins_anew(corp: Puller) -> None:
    await corp.steps(2)
    corp.tenant.state.devices.delete(0)
    corp.later(hours=25)
    assert (await corp.pull()).rows == 24
    assert corp.store.tenant_pulls.last(NAME).number == 2


# --- who may, and how old it is ---------------------------------------------------------------------


async def test_a_viewer_and_a_read_only_console_pull_nothing(corp: Puller) -> None:
    for role, read_only in ((Role.VIEWER, False), (Role.APPROVER, True)):
        with pytest.raises(Refused, match="Cannot pull devices from a tenant"):
            await corp.intake(role, read_only=read_only).pull(NAME, None)  # type: ignore[arg-type]
    assert not corp.tenant.requests


async def test_the_age_of_the_data_is_that_of_its_oldest_fact(corp: Puller) -> None:
    pulls = corp.store.tenant_pulls
    assert pulls.freshness(NAME) is None
    begun = corp.clock.now()
    await corp.pull()
    corp.later(hours=3)
    await corp.steps(1)
    found = pulls.freshness("CORP")
    assert (found.finished_at, found.oldest_fact_at, found.stage) == (begun, begun, PullStage.DEVICES)
    await corp.pull()
    found = pulls.freshness(NAME)
    assert (found.finished_at, found.oldest_fact_at) == (corp.clock.now(), begun)


async def test_a_removed_provider_leaves_nothing_behind(corp: Puller) -> None:
    await corp.pull()
    with corp.store.transaction():
        corp.store.tenant_inventory.forget(NAME)
    for table in ("tenant_pull", "tenant_device", "tenant_user", "tenant_assignment", "tenant_group", "tenant_member"):
        assert corp.store.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


async def test_rings_and_policies_as_the_tenant_itself_keeps_them(
    tenant: Tenant, empty_fleet: Path, tmp_path: Path
) -> None:
    process = puller(tenant, tmp_path / "fleet.db", empty_fleet)
    report = await process.pull()
    assert report.rows == 25
    rows = {row.name: row for row in process.engine.reads.devices.each(DeviceQuery())}
    assert all(row.ring for row in rows.values())
    assert len({row.ring for row in rows.values()}) == 3
    assert facts(process, 0).policy is PolicyState.ALLOW
    assert facts(process, 20).policy is PolicyState.BLOCK
    process.engine.close()


async def test_a_few_thousand_devices_with_throttling_on(corp: Puller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tenant.server.contract", lambda: None)  # as large a fleet is not held against it
    corp.tenant.state.devices.count = 2_500
    corp.tenant.state.divide()
    corp.tenant.state.page_size = 500
    for nth in range(5, 100, 20):
        corp.tenant.faults.throttle(nth=nth)
        corp.tenant.faults.throttle_part(nth=nth * 10)
    report = await corp.pull()
    assert (report.rows, report.added.devices, report.faults) == (2_500, 2_500, ())
    assert sum(count.devices for count in corp.engine.reads.devices.counts()) == 2_500
    counted = corp.store.connection.execute("SELECT vbs, count(*) FROM device GROUP BY vbs")
    assert dict(map(tuple, counted)) == {"running": 1786, "enabled-not-running": 357, "off": 357}
