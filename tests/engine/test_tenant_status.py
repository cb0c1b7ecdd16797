"""What a tenant has accepted is shown on its devices as requested, and resolved by what pulls tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.model.build import OsBuild, Platform
from engine.model.intents import Approve, Resume, Scope, Stop, StopKind, Withdraw
from engine.model.model import InstallState
from engine.rules.tenants.arrivals import arrival
from engine.store.tenants.status import REQUESTED
from engine.tenants.status import follow, show
from tests.engine.tenant_desk import BOARD, MAY, NAME, Desk, desk
from tests.tenant import reports
from tests.tenant.quality_policies import HOTPATCH
from tests.tenant.server import Tenant

RINGS = ("Corp Test", "Corp First")


@pytest.fixture
async def corp(tenant: Tenant, tmp_path: Path) -> AsyncIterator[Desk]:
    # Ready, enrolled and on the baseline: what an approval is about.
    for number in (0, 1, 2):
        tenant.state.devices.change(number, osVersion="10.0.26100.8246", lastSyncDateTime="2026-05-20T07:00:00Z")
        tenant.state.devices.change_hardware(number, deviceGuardVirtualizationBasedSecurityState="running")
    found = await desk(tenant, tmp_path)
    yield found
    found.engine.close()


def rows(corp: Desk) -> dict[str, Any]:
    """The newest install of each device, by the device's name."""
    found = corp.store.connection.execute(
        "SELECT d.name, i.*, d.state AS device_state, d.verdict FROM install i JOIN device d ON d.id = i.device_id "
        "ORDER BY i.id"
    )
    return {row["name"]: row for row in found}


def states(corp: Desk) -> Counter[str]:
    return Counter(row["state"] for row in rows(corp).values())


def put(corp: Desk, number: int, build: str, at: str = "2026-05-21T09:00:00Z") -> None:
    """The device has another build by its next check-in."""
    corp.tenant.state.devices.change(number, osVersion=f"10.0.{build}", lastSyncDateTime=at)


async def approved(corp: Desk) -> dict[str, Any]:
    await corp.ask(Approve(kb=MAY, rings=RINGS, reason=BOARD))
    return rows(corp)


async def again(corp: Desk, **by: float) -> None:
    corp.later(**(by or {"hours": 25}))
    await corp.pull()


def counted(corp: Desk) -> bool:
    """The kept totals are those of the devices themselves."""
    kept = corp.store.connection.execute(
        "SELECT state, sum(devices) FROM device_count WHERE devices <> 0 GROUP BY 1 ORDER BY 1"
    ).fetchall()
    real = corp.store.connection.execute("SELECT state, count(*) FROM device GROUP BY 1 ORDER BY 1").fetchall()
    return [tuple(row) for row in kept] == [tuple(row) for row in real]


async def test_an_accepted_approval_is_shown_on_ready_devices_that_lack_it(corp: Desk) -> None:
    assert not rows(corp)
    shown = await approved(corp)
    assert len(shown) == 3
    for name, row in shown.items():
        device = corp.engine.reads.devices.find(name)
        assert (row["state"], row["stage"], row["next_at"], row["kb"]) == ("offered", REQUESTED, None, MAY)
        assert (row["verdict"], device.ring in RINGS) == ("ready", True)
        assert str(device.facts.build) != "26100.8390"
        assert row["device_state"] == "queued"
    assert counted(corp)


async def test_nobody_drives_them_and_no_turn_changes_them(corp: Desk) -> None:
    before = {name: tuple(row) for name, row in (await approved(corp)).items()}
    for _ in range(3):
        await corp.engine.run_due()
        corp.later(hours=5)
    assert {name: tuple(row) for name, row in rows(corp).items()} == before
    assert getattr(corp.corp, "orders", ()) == ()
    assert corp.engine.reads.rollout.active() == ()


async def test_before_the_tenant_has_accepted_nothing_is_shown(corp: Desk) -> None:
    corp.tenant.faults.status(503, "/deviceManagement/windowsQualityUpdatePolicies", method="POST", times=99)
    await corp.ask(Approve(kb=MAY, rings=RINGS, reason=BOARD))
    assert not rows(corp)
    await again(corp)
    assert not rows(corp)


async def test_a_ring_whose_deferral_has_not_passed_shows_nothing_until_it_has(corp: Desk) -> None:
    corp.clock.at = corp.clock.at.replace(month=5, day=12, hour=20)
    await corp.ask(Approve(kb=MAY, rings=RINGS, reason=BOARD))
    assert {corp.engine.reads.devices.find(name).ring for name in rows(corp)} <= {"Corp Test"}
    corp.later(days=2)
    await corp.engine.run_due()
    with corp.store.transaction():
        show(corp.store, NAME, corp.clock.now())
    assert {corp.engine.reads.devices.find(name).ring for name in rows(corp)} >= {"Corp First"}


@pytest.mark.parametrize(
    ("build", "stage", "restarted"),
    [
        ("26100.8390", "build 26100.8390 seen 2026-05-21", 0),
        ("26100.8457", "KB5089549 instead: build 26100.8457 seen 2026-05-21", 1),
    ],
)
async def test_a_build_that_was_seen_proves_it(corp: Desk, build: str, stage: str, restarted: int) -> None:
    name = next(iter(await approved(corp)))
    put(corp, int(name[-6:]), build)
    await again(corp)
    row = rows(corp)[name]
    assert (row["state"], row["stage"], row["restarted"]) == ("succeeded", stage, restarted)
    assert OsBuild.from_int(row["build_after"]) == OsBuild.parse(build)
    assert row["device_state"] == "idle"
    assert counted(corp)


async def test_the_same_pull_twice_changes_nothing(corp: Desk) -> None:
    name = next(iter(await approved(corp)))
    put(corp, int(name[-6:]), "26100.8390")
    await again(corp)
    before = [tuple(row) for row in corp.store.connection.execute("SELECT * FROM install ORDER BY id")]
    with corp.store.transaction():
        assert follow(corp.store, NAME, corp.clock.now()).changes == 0
    await again(corp, hours=2)
    assert [tuple(row) for row in corp.store.connection.execute("SELECT * FROM install ORDER BY id")] == before


async def test_a_withdrawn_approval_cancels_and_a_new_one_shows_again(corp: Desk) -> None:
    count = len(await approved(corp))
    approval = corp.store.rollout.approvals(MAY)[-1].id
    await corp.ask(Withdraw(approval, reason="not now"))
    assert states(corp) == {"cancelled": count}
    await approved(corp)
    assert states(corp) == {"offered": count}
    assert counted(corp)


async def test_what_the_tenant_takes_back_by_itself_is_over(corp: Desk) -> None:
    count = len(await approved(corp))
    corp.tenant.state.tables["quality-approvals"].clear()
    await again(corp)
    assert states(corp) == {"cancelled": count}
    assert "not approved" in next(iter(rows(corp).values()))["stage"]


async def test_a_paused_ring_says_so_and_goes_on_when_resumed(corp: Desk) -> None:
    await corp.ask(Stop(kind=StopKind.PAUSE, scope=Scope(ring="Corp First"), reason="month end"))
    shown = await approved(corp)
    assert {corp.engine.reads.devices.find(name).ring for name in shown} <= {"Corp Test"}
    await corp.ask(Resume(scope=Scope(ring="Corp First"), reason="over"))
    shown = rows(corp)
    assert {corp.engine.reads.devices.find(name).ring for name in shown} >= {"Corp First"}
    await corp.ask(Stop(kind=StopKind.PAUSE, scope=Scope(ring="Corp First"), reason="again"))
    await again(corp)
    stages = {corp.engine.reads.devices.find(name).ring: row["stage"] for name, row in rows(corp).items()}
    assert stages["Corp First"].startswith("requested; not offered now: paused")
    assert set(states(corp)) == {"offered"}


async def test_a_device_that_left_the_rings_or_is_not_ready_any_more_is_not_waited_for(corp: Desk) -> None:
    name = next(iter(await approved(corp)))
    number = int(name[-6:])
    corp.tenant.state.devices.change(number, lastSyncDateTime="2026-05-21T09:00:00Z")
    corp.tenant.state.devices.change_hardware(number, deviceGuardVirtualizationBasedSecurityState="notConfigured")
    await again(corp)
    row = rows(corp)[name]
    installs = corp.store.installs.of_device(row["device_id"])
    found = {install.kb: install for install in installs}
    assert (found[MAY].state, "not ready any more" in found[MAY].stage) == (InstallState.CANCELLED, True)
    # The tenant's item holds the LCU too: that is what the device waits for now.
    assert (found[5089549].state, found[5089549].stage) == (InstallState.OFFERED, REQUESTED)


# --- what reports tell ------------------------------------------------------------------------------


async def test_an_alert_with_a_code_fails_the_install_and_opens_a_failure(corp: Desk) -> None:
    name = next(iter(await approved(corp)))
    reports.alert(corp.tenant.state, HOTPATCH, int(name[-6:]), Win32ErrorCode="-2145124329", entra_only=True)
    await again(corp)
    row = rows(corp)[name]
    assert (row["state"], row["error_code"], row["open_failure"]) == ("failed", 0x80240017, 1)
    assert "could not be installed" in row["stage"]
    assert row["device_state"] == "failed"
    failure = corp.engine.reads.failures.open()
    assert failure
    before = len(rows(corp))
    await again(corp)
    assert (rows(corp)[name]["id"], len(rows(corp))) == (row["id"], before)
    put(corp, int(name[-6:]), "26100.8390", "2026-05-23T09:00:00Z")
    await again(corp)
    row = rows(corp)[name]
    assert (row["state"], row["attempt"], row["device_state"]) == ("succeeded", 2, "idle")
    assert not corp.store.connection.execute("SELECT 1 FROM install WHERE open_failure = 1").fetchone()
    assert counted(corp)


async def test_a_failure_of_a_release_that_only_the_tenant_approved_is_told_too(corp: Desk) -> None:
    reports.alert(corp.tenant.state, HOTPATCH, 1, Win32ErrorCode="-2145124329", TargetKBNumber=f"KB{MAY}")
    reports.alert(corp.tenant.state, HOTPATCH, 2, Win32ErrorCode="0x80070643")
    reports.alert(corp.tenant.state, HOTPATCH, 0, TargetKBNumber="KB5083769", Win32ErrorCode="0x80070643")
    await again(corp)
    found = {row.device_name: (row.kb, row.error_code) for row in corp.engine.reads.failures.open()}
    assert sorted(found.values()) == [(MAY, 0x80070643), (MAY, 0x80240017)]
    assert {row["reason"] for row in rows(corp).values()} == {f"told by {NAME}; not asked for from here"}
    assert counted(corp)
    count = corp.store.connection.execute("SELECT count(*) FROM install").fetchone()[0]
    await again(corp)
    assert corp.store.connection.execute("SELECT count(*) FROM install").fetchone()[0] == count
    put(corp, 1, "26100.8390", "2026-05-23T09:00:00Z")
    put(corp, 2, "26100.8390", "2026-05-23T09:00:00Z")
    await again(corp)
    assert corp.engine.reads.failures.open() == ()


@pytest.mark.parametrize(
    "members",
    [
        {"AlertStatus": "Resolved", "Win32ErrorCode": "0x80070643"},
        {"StartDateTimeUTC": "2026-04-20T08:00:00Z", "Win32ErrorCode": "0x80070643"},
        {"TargetKBNumber": "KB5083769", "Win32ErrorCode": "0x80070643"},
        {"AlertClassification": "Informational"},
    ],
)
async def test_an_alert_that_is_over_older_or_about_something_else_fails_nothing(
    corp: Desk, members: dict[str, str]
) -> None:
    name = next(iter(await approved(corp)))
    reports.alert(corp.tenant.state, HOTPATCH, int(name[-6:]), **members)
    await again(corp)
    assert rows(corp)[name]["state"] == "offered"


async def test_a_word_of_the_tenant_that_is_new_is_shown_as_it_is(corp: Desk) -> None:
    name = next(iter(await approved(corp)))
    state = {"CurrentDeviceUpdateStatus": "Offering", "CurrentDeviceUpdateSubstatus": "QuantumPhase"}
    reports.exported(
        corp.tenant.state,
        "QualityUpdateDeviceStatusByPolicy",
        HOTPATCH,
        int(name[-6:]),
        EventDateTimeUTC="2026-05-21T01:00:00Z",
        **state,
    )
    await again(corp)
    row = rows(corp)[name]
    assert row["state"] == "offered"
    assert row["stage"] == f"{REQUESTED}; corp says: Offering, QuantumPhase (2026-05-21)"


async def test_an_exported_error_without_a_known_code_goes_through_triage(corp: Desk) -> None:
    name = next(iter(await approved(corp)))
    reports.exported(
        corp.tenant.state,
        "QualityUpdateDeviceErrorsByPolicy",
        HOTPATCH,
        int(name[-6:]),
        AlertMessage="Something new",
        Win32ErrorCode="0xC1DEAD99",
        ExpediteQUReleaseDate="2026-05-12",
    )
    await again(corp)
    row = rows(corp)[name]
    assert (row["state"], row["error_code"]) == ("failed", 0xC1DEAD99)
    assert any(each.error_code == 0xC1DEAD99 for each in corp.engine.reads.failures.open())


# --- pure -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "proof"),
    [
        ("26100.8390", (False, MAY)),
        ("26100.8457", (True, 5089549)),
        ("26100.8655", (True, 5094126)),
        ("26100.8460", (True, None)),
        ("26100.9999", (True, None)),
        ("26100.8328", None),
        ("26100.8246", None),
        ("26100.8400", None),
        ("26200.8390", None),
    ],
)
def test_a_build_is_compared_on_its_track(corp: Desk, build: str, proof: tuple[bool, int | None] | None) -> None:
    releases = corp.store.releases.releases()
    release = next(each for each in releases if (each.kb, each.platform) == (MAY, Platform.WIN11_24H2))
    found = arrival(release, OsBuild.parse(build), releases)
    assert (found and (found.restarted, found.by and found.by.kb)) == proof
