"""A tenant on its bad days, and tenants of odd shapes: a pull takes what it can get, and says what it could not."""

from __future__ import annotations

from typing import Any

import pytest

from engine.model.errors import Denied, ProviderError
from engine.model.model import CheckId, PolicyState, VbsState
from engine.model.records.fleet import DeviceQuery
from engine.model.tenants import RingKind
from engine.rules.tenants.inventory import Cursor
from tests.engine.tenant_pulls import NAME, Puller, facts, picture, policy, ring, tells
from tests.tenant.fleet import entra_device_id, intune_id
from tests.tenant.state import group_id

DEVICES = "/deviceManagement/managedDevices"


# --- bad days ---------------------------------------------------------------------------------------


async def test_throttled_all_the_way_it_still_arrives(corp: Puller) -> None:
    corp.tenant.faults.throttle(DEVICES, nth=2, times=3)
    corp.tenant.faults.throttle("/$batch", nth=1, times=2, retry_after=None)
    corp.tenant.faults.throttle_part(DEVICES, nth=3, times=4)
    corp.tenant.faults.throttle_part("/users", nth=2, times=2)
    corp.tenant.faults.throttle("/groups", nth=2, times=2)
    report = await corp.pull()
    assert (report.rows, report.faults) == (25, ())
    assert facts(corp, 0).vbs is VbsState.RUNNING


async def test_a_service_that_falls_silent_is_gone_on_with_later(corp: Puller) -> None:
    corp.tenant.faults.status(503, DEVICES, nth=2, times=50)
    with pytest.raises(ProviderError):
        await corp.pull()
    assert corp.store.tenant_pulls.last(NAME).cursor.next_link
    corp.tenant.faults._script.clear()
    corp.tenant.requests.clear()
    assert (await corp.pull()).rows == 25
    assert all("skiptoken" in seen.query for seen in corp.tenant.asked(DEVICES) if not seen.in_batch)


async def test_a_device_deleted_in_mid_paging_or_before_its_details_is_not_taken_in(corp: Puller) -> None:
    corp.tenant.faults.before(lambda state: state.devices.delete(24), DEVICES, nth=2)
    corp.tenant.faults.before(lambda state: state.devices.delete(1), "/$batch")
    report = await corp.pull()
    assert report.rows == 23
    assert not [row for row in corp.fleet() if "PC-000001" in row or "PC-000024" in row]


@pytest.mark.parametrize("status", [400, 410])
async def test_a_kept_link_that_the_service_has_forgotten_begins_the_list_anew(corp: Puller, status: int) -> None:
    await corp.steps(2)
    corp.tenant.state.devices.delete(0)
    corp.tenant.faults.status(status, DEVICES, times=1)
    report = await corp.pull()
    assert report.rows == 24


@pytest.mark.parametrize("path", ["/admin/windows/updates/updatableAssets", "/groups"])
async def test_so_does_one_within_any_other_list(corp: Puller, path: str) -> None:
    corp.tenant.faults.status(410, f"~{path}.*skiptoken", times=1)
    assert (await corp.pull()).faults == ()
    assert facts(corp, 0).policy is PolicyState.ALLOW


async def test_a_list_that_never_ends_well_is_given_up(corp: Puller) -> None:
    corp.tenant.faults.status(400, f"~{DEVICES}.*skiptoken", times=99)
    with pytest.raises(ProviderError):
        await corp.pull()
    corp.tenant.faults._script.clear()
    assert (await corp.pull()).rows == 25


async def test_pages_that_go_in_a_circle_are_noticed(corp: Puller) -> None:
    links: list[str] = []

    def back(body: Any) -> Any:
        links.append(body.get("@odata.nextLink", ""))
        return {**body, "@odata.nextLink": links[0]}

    corp.tenant.faults.rewrite(back, DEVICES, times=99)
    with pytest.raises(ProviderError, match="does not end"):
        await corp.pull()
    assert len(corp.tenant.asked(DEVICES)) < 60


def test_a_circle_of_any_length_is_found() -> None:
    for lead in range(5):
        for length in range(1, 9):
            cursor, followed = Cursor(), 0
            while True:
                link = str(followed if followed < lead else lead + (followed - lead) % length)
                moved = cursor.followed(link)
                followed += 1
                if moved is None:
                    break
                cursor = moved
            assert followed <= 6 * (lead + length), (lead, length)


async def test_what_the_tenant_denies_stays_unknown_with_the_reason_and_the_rest_comes_in(corp: Puller) -> None:
    corp.tenant.state.denied += [("GET", "/users"), ("GET", "/admin"), ("GET", f"{DEVICES}/")]
    report = await corp.pull()
    assert report.rows == 25
    assert [each.partition(":")[0] for each in sorted(report.faults)] == ["details", "enrolment", "licences"]
    device = corp.engine.reads.devices.find("PC-000000")
    checks = {check.check: check.found for check in corp.engine.reads.devices.readiness(device.id).checks}
    assert "denied" in checks[CheckId.LICENCE]
    assert "denied" in checks[CheckId.VBS]


async def test_groups_that_may_not_be_read_leave_policies_unknown(corp: Puller) -> None:
    corp.tenant.state.denied.append(("GET", "/groups"))
    report = await corp.pull()
    assert [each.partition(":")[0] for each in report.faults] == ["members"]
    assert {row[0] for row in corp.store.connection.execute("SELECT policy FROM device")} == {"unknown"}


async def test_rings_that_are_denied_leave_what_was_known(corp: Puller, monkeypatch: pytest.MonkeyPatch) -> None:
    await corp.pull()
    tells(monkeypatch, Denied("The rings were denied.", "A role is missing."))
    corp.later(hours=2)
    report = await corp.pull()
    assert report.faults == ("rings: The rings were denied. A role is missing.",)
    assert facts(corp, 0).policy is PolicyState.ALLOW
    assert corp.engine.reads.devices.find("PC-000000").ring == "Test"


async def test_one_kind_of_rings_that_is_not_told_stays_as_it_was(
    corp: Puller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await corp.pull()
    newer = picture(told=frozenset({RingKind.RING}), untold=("Intune's update rings could not be read.",))
    tells(monkeypatch, newer)
    corp.later(hours=2)
    report = await corp.pull()
    assert report.faults == ("rings: Intune's update rings could not be read.",)
    assert (report.changed.devices, corp.engine.reads.devices.find("PC-000000").ring) == (0, "Test")
    assert facts(corp, 0).policy is PolicyState.ALLOW


async def test_unknown_enum_members_and_nulls_come_through(corp: Puller) -> None:
    for name, value in (("processorArchitecture", "risc5"), ("managementAgent", "newAgent"), ("skuFamily", None)):
        corp.tenant.faults.member(name, value, DEVICES, times=99)
    report = await corp.pull()
    assert report.rows == 25
    assert facts(corp, 0).architecture is None


async def test_two_entries_for_one_device_the_newer_counts_and_the_history_stays(corp: Puller) -> None:
    await corp.pull()
    old = corp.engine.reads.devices.find("PC-000002")
    number = corp.tenant.state.devices.add()
    corp.tenant.state.devices.change(
        number, deviceName="PC-000002", azureADDeviceId=entra_device_id(2), lastSyncDateTime="2026-05-20T09:00:00Z"
    )
    corp.later(hours=2)
    report = await corp.pull()
    assert (report.rows, report.skipped, report.added.devices, report.gone.devices) == (25, 1, 0, 0)
    assert corp.engine.reads.devices.find("PC-000002").id == old.id
    external = corp.store.connection.execute("SELECT external_id FROM device WHERE id = ?", (old.id,)).fetchone()[0]
    assert external == intune_id(number)


async def test_devices_of_one_name_stay_two(corp: Puller) -> None:
    corp.tenant.state.devices.change(1, deviceName="PC-000000")
    assert (await corp.pull()).rows == 25
    assert sum(row.name == "PC-000000" for row in corp.engine.reads.devices.each(DeviceQuery())) == 2


async def test_devices_that_entra_does_not_know_come_in_without_policy(corp: Puller) -> None:
    for number in (0, 1):
        corp.tenant.state.devices.change(number, azureADDeviceId="00000000-0000-0000-0000-000000000000")
    assert (await corp.pull()).rows == 25
    assert facts(corp, 0).policy is PolicyState.NO_POLICY


async def test_macs_and_telephones_are_left_out(corp: Puller) -> None:
    corp.tenant.state.devices.change(0, operatingSystem="iOS")
    corp.tenant.faults.rewrite(
        lambda body: {**body, "value": [*body["value"], {"id": "x", "operatingSystem": "iOS"}]}, DEVICES
    )
    report = await corp.pull()
    assert (report.rows, report.skipped) == (24, 1)


async def test_an_empty_tenant_is_no_error(corp: Puller) -> None:
    corp.tenant.state.devices.count = 0
    report = await corp.pull()
    assert (report.rows, report.added.devices) == (0, 0)


# --- rings and policies -----------------------------------------------------------------------------


async def test_a_device_in_two_rings_is_in_the_first_and_exclusions_win(
    corp: Puller, monkeypatch: pytest.MonkeyPatch
) -> None:
    tells(
        monkeypatch,
        picture(
            [ring("Late", 9, deferral=7), ring("Early", 1, 2, deferral=1, excluded=(1,))],
            [policy("All", hotpatch=True, all_devices=True, excluded=(group_id(3),)), policy("Off", 2, hotpatch=False)],
        ),
    )
    await corp.pull()
    rings = {row.name: row.ring for row in corp.engine.reads.devices.each(DeviceQuery())}
    assert (rings["PC-000000"], rings["PC-000003"], rings["PC-000020"]) == ("Late", "Early", "Late")
    assert [facts(corp, each).policy for each in (0, 3, 20)] == [
        PolicyState.ALLOW,
        PolicyState.UNKNOWN,
        PolicyState.NO_POLICY,
    ]
    device = corp.engine.reads.devices.find("PC-000003")
    found = {check.check: check.found for check in corp.engine.reads.devices.readiness(device.id).checks}
    assert "All allows hotpatches and Off blocks them" in found[CheckId.POLICY]


async def test_users_in_a_group_bring_their_devices_into_its_ring(
    corp: Puller, monkeypatch: pytest.MonkeyPatch
) -> None:
    tells(monkeypatch, picture([ring("Pilot", 5)], [policy("Users", 5, hotpatch=True)]))
    group = corp.tenant.state.groups[group_id(1)]
    corp.tenant.state.groups[group_id(5)] = type(group)(group_id(5), "People", users=[10])
    await corp.pull()
    assert corp.engine.reads.devices.find("PC-000010").ring == "Pilot"
    assert facts(corp, 10).policy is PolicyState.NO_POLICY


async def test_a_device_that_left_its_group_leaves_the_ring_and_the_policy(corp: Puller) -> None:
    await corp.pull()
    corp.tenant.state.groups[group_id(1)].devices = [1]
    corp.later(hours=2)
    await corp.pull()
    assert corp.engine.reads.devices.find("PC-000000").ring == ""
    assert facts(corp, 0).policy is PolicyState.NO_POLICY


async def test_a_group_that_is_gone_has_no_members(corp: Puller) -> None:
    del corp.tenant.state.groups[group_id(1)]
    report = await corp.pull()
    assert report.faults == ()
    assert corp.engine.reads.devices.find("PC-000000").ring == ""
