"""The simulated provider: legal lives, the same in every process, with believable times."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.build import OsBuild
from engine.model.model import DeviceFacts, FormFactor, InstallState, ReleaseKind
from engine.providers.base import InstallReport, Order, Provider
from engine.providers.simulated import (
    NO_FAILURES,
    Faults,
    SimulatedProvider,
    is_dark,
    load_bundled_fleet,
    script,
)
from engine.providers.simulated.company import ZONE_OF_CITY
from engine.providers.simulated.presence import on_from
from engine.providers.simulated.sample import DEMO_START
from engine.rules.rollout.installs import check_step
from tests.engine.simulated_orders import (
    BASELINE_BUILD,
    DEVICES,
    FAULTS,
    ORDERS,
    SEEDS,
    S,
    device,
    fleet,
    lived,
    many,
    order,
    release,
    server,
    tell,
    uninstall,
)

# --- the script ---------------------------------------------------------------------------------------


@given(ORDERS, SEEDS, FAULTS)
def test_every_life_is_legal_and_ends(wanted: Order, seed: int, faults: Faults) -> None:
    steps = script(wanted, seed, faults)
    state = S.QUEUED
    for step in steps:
        check_step(state, step.state)
        state = step.state
    assert state.is_final
    assert (state is S.FAILED) is (steps[-1].error_code is not None)
    assert steps[-1].next_at is None
    assert all(step.install_id == wanted.install_id for step in steps)


@given(ORDERS, SEEDS, FAULTS)
def test_times_rise_and_progress_never_falls(wanted: Order, seed: int, faults: Faults) -> None:
    steps = script(wanted, seed, faults)
    assert steps[0].at >= wanted.requested_at
    for earlier, later in pairwise(steps):
        assert earlier.at < later.at
        assert earlier.next_at == later.at
        assert earlier.progress <= later.progress
    assert all(step.at.microsecond == 0 and 0 <= step.progress <= 100 for step in steps)
    assert (steps[-1].progress == 100) is (steps[-1].state is not S.FAILED)
    assert len({(step.state, step.stage) for step in steps}) == len(steps), "a stage names one step"


@given(ORDERS, SEEDS, FAULTS, st.sampled_from(InstallState), st.text(max_size=5))
def test_a_life_does_not_depend_on_what_the_order_knows(
    wanted: Order, seed: int, faults: Faults, state: InstallState, stage: str
) -> None:
    known = replace(wanted, state=state, stage=stage)
    assert script(known, seed, faults) == script(wanted, seed, faults)


@pytest.mark.parametrize("hash_seed", ["0", "99"])
def test_other_processes_write_the_same_lives(hash_seed: str) -> None:
    program = (
        "from tests.engine.simulated_orders import many\n"
        "from engine.providers.simulated import script, Faults\n"
        "print([script(each, 5, Faults()) for each in many(40)])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
    )
    assert ran.stdout.strip() == str([script(each, 5, Faults()) for each in many(40)])


def test_a_hotpatch_goes_in_without_a_restart() -> None:
    steps = lived(order())
    stages = [step.stage for step in steps if step.state is S.INSTALLING]
    assert stages == ["verify signature", "prepare", "redirect functions", "drain old calls"]
    assert [step.state for step in steps if step.state is not S.INSTALLING and step.state is not S.DOWNLOADING] == [
        S.QUEUED,
        S.OFFERED,
        S.VERIFYING,
        S.SUCCEEDED,
    ]
    assert all(step.boot_at is None for step in steps)
    assert steps[-1].build == OsBuild(26100, 8390)
    assert all(step.build is None for step in steps[:-1])


@pytest.mark.parametrize("kind", [kind for kind in ReleaseKind if not kind.is_hotpatch])
def test_every_other_release_restarts_once(kind: ReleaseKind) -> None:
    steps = lived(order(release=release(kind)))
    assert [step.state for step in steps][-3:] == [S.RESTART_PENDING, S.VERIFYING, S.SUCCEEDED]
    boots = [step for step in steps if step.boot_at is not None]
    assert [(step.state, step.boot_at) for step in boots] == [(S.VERIFYING, boots[0].at)]
    assert steps[-1].build == OsBuild(26100, 8390)


def test_an_uninstall_restarts_and_leads_back_to_the_baseline() -> None:
    steps = lived(uninstall())
    assert [step.state for step in steps] == [
        S.QUEUED,
        S.OFFERED,
        S.UNINSTALLING,
        S.UNINSTALLING,
        S.RESTART_PENDING,
        S.VERIFYING,
        S.UNINSTALLED,
    ]
    assert steps[-1].build == BASELINE_BUILD
    assert steps[-2].boot_at == steps[-2].at
    assert lived(uninstall(result_build=None))[-1].build is None, "the hotpatch's own build would be a lie"


def test_by_hand_an_online_device_is_offered_within_minutes_and_done_within_half_an_hour() -> None:
    for wanted in many(200):
        steps = lived(wanted)
        if steps[0].stage == "device is switched off":
            continue
        offered = next(step for step in steps if step.state is S.OFFERED)
        assert timedelta(minutes=1) <= offered.at - DEMO_START <= timedelta(minutes=4)
        assert timedelta(minutes=2) < steps[-1].at - DEMO_START < timedelta(minutes=30)


def test_in_a_rollout_devices_are_offered_at_their_next_scan() -> None:
    waits = [
        (next(step for step in lived(each) if step.state is S.OFFERED).at - DEMO_START)
        for each in many(300, by_hand=False)
        if lived(each)[0].stage == "waiting for the next scan"
    ]
    assert timedelta(0) < min(waits)
    assert max(waits) <= timedelta(hours=4)
    assert max(waits) - min(waits) > timedelta(hours=3)
    later = [replace(each, requested_at=DEMO_START + timedelta(minutes=1)) for each in many(50, by_hand=False)]
    same = [lived(a)[1].at == lived(b)[1].at for a, b in zip(later, many(50, by_hand=False), strict=True)]
    assert sum(same) >= 45, "a scan comes when it comes, whenever it was asked for"


@pytest.mark.parametrize(("site", "form"), [("London", FormFactor.LAPTOP), ("Sydney", FormFactor.LAPTOP)])
def test_laptops_are_offered_in_their_offices_working_hours(site: str, form: FormFactor) -> None:
    zone = ZoneInfo(ZONE_OF_CITY[site])
    night = datetime(2026, 5, 16, 2, 0, tzinfo=zone)  # a Saturday
    for number in range(40):
        wanted = order(device=device(f"X-{number}", site=site, form=form), requested_at=night.astimezone(UTC))
        offered_at = next((step.at for step in lived(wanted) if step.state is S.OFFERED), None)
        if offered_at is None:
            assert is_dark(f"X-{number}")
            continue
        local = offered_at.astimezone(zone)
        assert local.weekday() < 5
        assert 7 <= local.hour < 20
        assert lived(wanted)[0].stage == "device is switched off"


def test_servers_and_cloud_pcs_are_always_on() -> None:
    night = datetime(2026, 5, 16, 1, 0, tzinfo=UTC)
    for form in (FormFactor.SERVER, FormFactor.CLOUD_PC):
        assert on_from(device(form=form), night) == night
    desktops = [on_from(device(f"LON-DT-{n:04d}", form=FormFactor.DESKTOP), night) == night for n in range(200)]
    assert 50 < sum(desktops) < 130, "some desktops are left on over night"


def test_servers_restart_at_night_and_laptops_within_a_working_day() -> None:
    baseline = release(ReleaseKind.BASELINE)
    for number in range(60):
        name = f"BER-SRV-APP{number:02d}"
        if is_dark(name):
            continue
        steps = lived(order(device=server(name, site="Berlin"), release=baseline))
        boot = next(step.boot_at for step in steps if step.boot_at)
        local = boot.astimezone(ZoneInfo("Europe/Berlin"))
        assert local.hour >= 22 or local.hour < 4
        assert boot - steps[0].at < timedelta(days=1)
        pending = next(step for step in steps if step.state is S.RESTART_PENDING)
        assert pending.stage == "waiting for the maintenance window"
    for wanted in many(60, release=baseline):
        steps = lived(wanted)
        pending = next(step for step in steps if step.state is S.RESTART_PENDING)
        boot = next(step.boot_at for step in steps if step.boot_at)
        assert boot is not None
        assert boot - pending.at < timedelta(days=12)


# --- the provider -------------------------------------------------------------------------------------


def test_capabilities_are_those_of_a_provider_that_can_do_everything() -> None:
    provider: Provider = SimulatedProvider()
    can = provider.capabilities()
    assert provider.name == "simulated"
    assert can.install_now
    assert can.uninstall_device
    assert can.reports_progress
    assert can.reports_health
    assert can.note


async def test_the_fleet_is_listed_once() -> None:
    provider = SimulatedProvider(fleet=load_bundled_fleet)
    listed = [each async for each in provider.devices(None)]
    assert [each.external_id for each in listed] == [each.external_id for each in fleet()]
    assert [each async for each in provider.devices(DEMO_START)] == []
    assert [each async for each in SimulatedProvider().devices(None)] == []


async def test_reports_of_many_orders_come_in_the_order_of_time() -> None:
    reports = await SimulatedProvider(1).report(many(30), DEMO_START + timedelta(minutes=20))
    assert [each.at for each in reports] == sorted(each.at for each in reports)
    assert {each.install_id for each in reports} == set(range(30))


def live_through(wanted: Order, provider: SimulatedProvider) -> list[InstallReport]:
    """What a runner sees that asks whenever it was told to, keeping only state and stage between."""
    now = wanted.requested_at
    seen: list[InstallReport] = []
    for _ in range(40):
        reports = tell(provider, wanted, now)
        assert reports, "an order is always answered"
        for each in reports:
            check_step(wanted.state, each.state)
            wanted = replace(wanted, state=each.state, stage=each.stage)
        seen.extend(reports)
        if wanted.state.is_final:
            break
        next_at = reports[-1].next_at
        assert next_at is not None
        assert next_at > now
        now = next_at
    return seen


@given(ORDERS, SEEDS, FAULTS)
def test_following_next_at_tells_exactly_the_script(wanted: Order, seed: int, faults: Faults) -> None:
    provider = SimulatedProvider(seed, faults)
    told = live_through(wanted, provider)
    fresh = [each for each in told if each in script(wanted, seed, faults)]
    assert tuple(fresh) == script(wanted, seed, faults)


@given(ORDERS, SEEDS, FAULTS, st.lists(st.timedeltas(timedelta(seconds=1), timedelta(hours=5)), min_size=5))
def test_asking_at_any_time_misses_no_step_and_never_goes_back(
    wanted: Order, seed: int, faults: Faults, pauses: list[timedelta]
) -> None:
    # Each question goes to a new provider, as after a process that was killed.
    life = script(wanted, seed, faults)
    order_now, now = wanted, wanted.requested_at
    told: list[InstallReport] = []
    for pause in [timedelta(0), *pauses]:
        now += pause
        reports = tell(SimulatedProvider(seed, faults), order_now, now)
        told.extend(reports)
        order_now = replace(order_now, state=reports[-1].state, stage=reports[-1].stage)
        if order_now.state.is_final:
            break
    assert [each.progress for each in told] == sorted(each.progress for each in told)
    met = [each for each in told if each in life]
    assert tuple(met) == tuple(each for each in life if each.at <= now)


@given(ORDERS, DEVICES, SEEDS, st.integers(0, 12))
def test_facts_that_change_under_an_install_never_make_it_illegal(
    wanted: Order, other: DeviceFacts, seed: int, change_after: int
) -> None:
    provider = SimulatedProvider(seed, Faults(failure_share=0.3))
    now = wanted.requested_at
    for turn in range(80):
        facts = replace(other, name=wanted.device.name) if turn >= change_after else wanted.device
        wanted = replace(wanted, device=facts)
        reports = tell(provider, wanted, now)
        for each in reports:
            check_step(wanted.state, each.state)
            wanted = replace(wanted, state=each.state, stage=each.stage)
        if wanted.state.is_final:
            return
        now = max(now + timedelta(minutes=1), reports[-1].next_at or now)
    pytest.fail("the install never ended")


def test_between_two_steps_the_present_is_told_with_moving_progress() -> None:
    wanted = order()
    life = lived(wanted)
    place = next(n for n, step in enumerate(life) if step.stage == "download package")
    step, later = life[place], life[place + 1]
    known = replace(wanted, state=step.state, stage=step.stage)
    half = step.at + (later.at - step.at) / 2
    (present,) = tell(SimulatedProvider(1, NO_FAILURES), known, half)
    assert (present.state, present.stage, present.at) == (step.state, step.stage, half)
    assert step.progress < present.progress < later.progress
    assert present.next_at == later.at


def test_a_known_end_is_told_again() -> None:
    life = lived(order())
    known = replace(order(), state=life[-1].state, stage=life[-1].stage)
    (told,) = tell(SimulatedProvider(1, NO_FAILURES), known, life[-1].at + timedelta(days=1))
    assert told.state is S.SUCCEEDED
    assert told.next_at is None


def test_outcomes_are_spread_over_time() -> None:
    """A rollout to many devices does not end in one second."""
    ends = Counter(script(each, 2, NO_FAILURES)[-1].at for each in many(300, by_hand=False))
    assert ends.most_common(1)[0][1] <= 4
