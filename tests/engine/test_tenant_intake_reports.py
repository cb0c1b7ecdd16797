"""The pull's reports: alerts page by page, exports asked for once whatever dies, waited for politely."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.model.intents import Approve
from engine.providers.graph.reports import JOBS
from engine.rules.tenants.inventory import PullStage
from engine.store.tenants.outcomes import KEEP, ExportState
from engine.tenants.pull import TenantIntake
from tests.engine.tenant_desk import BOARD, MAY, NAME, Desk, desk
from tests.tenant import reports
from tests.tenant.fixtures import FakeTime, client_of
from tests.tenant.quality_policies import HOTPATCH, PLAIN
from tests.tenant.server import Tenant

ERRORS, STATES = "QualityUpdateDeviceErrorsByPolicy", "QualityUpdateDeviceStatusByPolicy"
BLOB = "/blob/"


@pytest.fixture
async def corp(tenant: Tenant, tmp_path: Path) -> AsyncIterator[Desk]:
    """Two devices of a tenant wait for a release, so that exports are worth asking for."""
    for number in (0, 1):
        tenant.state.devices.change(number, osVersion="10.0.26100.8246", lastSyncDateTime="2026-05-20T07:00:00Z")
        tenant.state.devices.change_hardware(number, deviceGuardVirtualizationBasedSecurityState="running")
    found = await desk(tenant, tmp_path)
    await found.ask(Approve(kb=MAY, rings=("Corp Test", "Corp First"), reason=BOARD))
    found.later(hours=5)
    tenant.requests.clear()
    yield found
    found.engine.close()


def intake(corp: Desk) -> TenantIntake:
    from engine.model.intents import Actor

    return TenantIntake(corp.store, corp.clock, Actor("mia", "test"), corp.engine.info().role, read_only=False)


def asked(corp: Desk) -> int:
    return len(corp.tenant.asked(JOBS, "POST"))


def told(corp: Desk) -> set[tuple[str, str, int | None]]:
    rows = corp.store.connection.execute("SELECT source, course, code FROM tenant_outcome")
    return {tuple(row) for row in rows}


async def test_alerts_of_every_policy_are_walked_page_by_page(corp: Desk) -> None:
    for number in range(25):
        reports.alert(corp.tenant.state, PLAIN, number, Win32ErrorCode="0x80070070")
    report = await corp.pull()
    assert report.faults == ()
    assert told(corp) == {("alert", "failed", 0x80070070)}
    assert corp.store.connection.execute("SELECT count(*) FROM tenant_outcome").fetchone()[0] == 25
    corp.tenant.state.tables["alerts"].clear()
    corp.later(hours=2)
    await corp.pull()
    assert not told(corp)


async def test_four_exports_are_asked_for_once_and_again_when_they_are_old(corp: Desk) -> None:
    reports.exported(corp.tenant.state, ERRORS, HOTPATCH, 0, Win32ErrorCode="-2145124329")
    await corp.pull()
    assert (asked(corp), told(corp)) == (4, {("error", "failed", 0x80240017)})
    corp.later(hours=2)
    await corp.pull()
    assert asked(corp) == 4
    corp.later(hours=3)
    await corp.pull()
    assert asked(corp) == 8


async def test_nothing_is_asked_for_while_nothing_is_waited_for_or_writing_is_off(corp: Desk) -> None:
    async with client_of(corp.tenant, writes=False) as client:
        await intake(corp).pull(NAME, client)
    assert not corp.tenant.writes
    corp.later(hours=2)
    for number in range(25):
        corp.tenant.state.devices.change(number, osVersion="10.0.26100.8390")
    async with client_of(corp.tenant, writes=False) as client:
        await intake(corp).pull(NAME, client)
    corp.later(hours=2)
    corp.tenant.requests.clear()
    await corp.pull()
    assert asked(corp) == 0


async def test_a_dry_run_reads_alerts_and_asks_for_no_export(corp: Desk) -> None:
    async with client_of(corp.tenant) as client:
        await intake(corp).pull(NAME, client, dry_run=True)
    assert not corp.tenant.writes
    assert corp.tenant.asked("/deviceManagement/reports/get")
    corp.tenant.requests.clear()
    await corp.pull()
    assert (asked(corp), len(corp.tenant.asked("/deviceManagement/managedDevices"))) == (4, 0)


async def test_killed_after_any_step_no_export_is_asked_for_twice(corp: Desk) -> None:
    reports.slow(corp.tenant.state, 3)
    stage = PullStage.DEVICES
    steps = 0
    while stage is not PullStage.DONE:
        async with client_of(corp.tenant) as client:
            stage = (await intake(corp).step(NAME, client)).stage
        with corp.store.transaction():
            corp.store.connection.execute("UPDATE tenant_pull SET pid = 999999999, holder = 'dead' WHERE holder <> ''")
        corp.later(minutes=2)
        steps += 1
        assert steps < 200
    assert asked(corp) == 4


async def test_an_export_whose_answer_was_lost_is_found_again(corp: Desk) -> None:
    corp.tenant.state.now = corp.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    corp.tenant.faults.close(JOBS, method="POST", after=True)
    assert [each.partition(":")[0] for each in (await corp.pull()).faults] == ["reports"]
    assert [each.state for each in corp.store.tenant_outcomes.exports(NAME)] == [ExportState.ASKING]
    corp.later(hours=2)
    await corp.pull()
    assert asked(corp) == 4
    assert {each.state for each in corp.store.tenant_outcomes.exports(NAME)} == {ExportState.DONE}


async def test_a_slow_export_is_waited_for_longer_and_longer_then_left_to_the_next_pull(corp: Desk) -> None:
    reports.slow(corp.tenant.state, 60)
    time = FakeTime()
    async with client_of(corp.tenant, time=time) as client:
        report = await intake(corp).pull(NAME, client)
    assert report.done
    looks = corp.tenant.asked(f"{JOBS}/", "GET")
    assert 40 <= len(looks) <= 60
    assert max(time.slept) <= 60
    assert {each.state for each in corp.store.tenant_outcomes.exports(NAME)} == {ExportState.BEGUN}
    corp.tenant.state.tables["looks"].update({key: {"left": 1} for key in corp.tenant.state.tables["looks"]})
    corp.later(hours=2)
    await corp.pull()
    assert {each.state for each in corp.store.tenant_outcomes.exports(NAME)} == {ExportState.DONE}
    assert asked(corp) == 4


async def test_a_turn_does_not_wait_for_an_export_that_is_not_due(corp: Desk) -> None:
    reports.slow(corp.tenant.state, 9)
    work = intake(corp)
    async with client_of(corp.tenant) as client:
        pull = await work.step(NAME, client)
        while work.waits_until(pull) is None:
            pull = await work.step(NAME, client)
        until = work.waits_until(pull)
        corp.tenant.requests.clear()
        assert (await work.step(NAME, client)) == pull
        assert not corp.tenant.requests
    assert until is not None
    assert until > corp.clock.now()


@pytest.mark.parametrize("harm", ["denied", "refused", "failed there", "file gone", "no zip", "silent"])
async def test_a_report_that_does_not_come_costs_itself_alone_and_is_said(corp: Desk, harm: str) -> None:
    state = corp.tenant.state
    if harm == "denied":
        state.denied.append(("POST", JOBS))
    elif harm == "refused":
        corp.tenant.faults.status(400, JOBS, method="POST", times=9)
    elif harm == "failed there":
        corp.tenant.faults.member("status", "failed", f"/beta{JOBS}/", times=99)
    elif harm == "silent":
        corp.tenant.faults.close(BLOB, times=99)
    elif harm == "file gone":
        corp.tenant.faults.status(404, BLOB, times=99)
    else:
        corp.tenant.faults.status(200, BLOB, times=99, body=b"<html>no</html>", content_type="text/html")
    report = await corp.pull()
    assert report.rows == 25
    assert [each.partition(":")[0] for each in report.faults] == ["reports"]
    assert 1 <= asked(corp) <= 4
    assert asked(corp) == 1 or harm != "denied"
    assert not told(corp)


async def test_alerts_that_are_denied_leave_exports_their_chance(corp: Desk) -> None:
    corp.tenant.state.denied.append(("POST", "/deviceManagement/reports/get"))
    report = await corp.pull()
    assert [each.partition(":")[0] for each in report.faults] == ["reports"]
    assert asked(corp) == 4


async def test_the_key_to_a_file_is_kept_nowhere(corp: Desk) -> None:
    await corp.pull()
    corp.engine.close()
    for path in corp.path.parent.iterdir():
        assert b"key-of-the-file" not in path.read_bytes(), path.name
    corp.engine = corp.open()


async def test_reports_of_policies_that_are_gone_are_forgotten(corp: Desk) -> None:
    reports.alert(corp.tenant.state, PLAIN, 3)
    await corp.pull()
    assert told(corp)
    del corp.tenant.state.tables["quality-policies"][PLAIN]
    corp.later(hours=2)
    await corp.pull()
    assert not told(corp)
    assert {each.policy for each in corp.store.tenant_outcomes.exports(NAME)} == {HOTPATCH}


async def test_a_row_of_a_report_finds_its_device_by_search_not_by_looking_at_all(corp: Desk) -> None:
    names = ("provider", "policy", "source", "course", "code", "words", "kb", "released", "at", "pull", "id")
    plan = corp.store.connection.execute(f"EXPLAIN QUERY PLAN {KEEP}", dict.fromkeys(names)).fetchall()
    found = [row["detail"] for row in plan if "tenant_device" in row["detail"]]
    assert len(found) == 2
    assert all(each.startswith("SEARCH") and "_id=?" in each for each in found)
