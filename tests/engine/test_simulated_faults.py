"""What goes wrong on simulated devices: failures, devices that are gone, scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.build import Platform
from engine.model.errors import BadInput
from engine.model.model import ReleaseKind, VbsState
from engine.providers.base import InstallReport, Order
from engine.providers.simulated import (
    NO_FAILURES,
    SCENARIOS,
    Faults,
    SimulatedProvider,
    check_in_at,
    faults_for,
    is_dark,
    script,
)
from engine.providers.simulated.faults import DEMO_HOTPATCHES
from engine.providers.simulated.sample import DEMO_SEED, DEMO_START
from tests.engine.simulated_orders import (
    NAMES,
    S,
    device,
    fleet,
    lived,
    many,
    order,
    release,
    server,
)

# --- failures -----------------------------------------------------------------------------------------


def outcomes(orders: Sequence[Order], faults: Faults, seed: int = 3) -> list[InstallReport]:
    return [script(each, seed, faults)[-1] for each in orders]


@pytest.mark.parametrize("kind", [ReleaseKind.HOTPATCH, ReleaseKind.BASELINE])
def test_about_three_per_cent_fail_and_most_retries_help(kind: ReleaseKind) -> None:
    first = many(release=release(kind))
    failed = [each for each, end in zip(first, outcomes(first, Faults()), strict=True) if end.state is S.FAILED]
    assert 0.018 <= len(failed) / len(first) <= 0.045
    codes = {end.error_code for end in outcomes(failed, Faults())}
    assert len(codes) >= 6
    again = outcomes([replace(each, attempt=2) for each in failed], Faults())
    assert sum(end.state is S.SUCCEEDED for end in again) / len(again) >= 0.7


def test_nothing_fails_without_failures() -> None:
    assert {end.state for end in outcomes(many(400), NO_FAILURES)} == {S.SUCCEEDED}


def test_codes_suit_the_stage() -> None:
    always = Faults(failure_share=1.0)
    by_stage: dict[str, set[int | None]] = {}
    for end in outcomes(many(), always) + outcomes(many(release=release(ReleaseKind.LCU)), always):
        by_stage.setdefault(end.stage, set()).add(end.error_code)
    assert by_stage["download package"] == {0x80D02002, 0x80246007}
    assert by_stage["check package"] == {0x80070070}
    assert 0xC00000BB in by_stage["prepare"]
    assert 0x80073712 in by_stage["stage components"]
    assert by_stage["finish after the restart"] == {0x800F0922, 0x80242014}
    assert not by_stage["stage components"] & by_stage["download package"]


@pytest.mark.parametrize("vbs", [VbsState.OFF, VbsState.NOT_RUNNING])
def test_a_hotpatch_is_refused_where_vbs_does_not_run(vbs: VbsState) -> None:
    end = lived(order(device=device(vbs=vbs)))[-1]
    assert (end.state, end.error_code, end.stage) == (S.FAILED, 0xC00000BB, "prepare")
    assert lived(order(device=device(vbs=vbs), release=release(ReleaseKind.LCU)))[-1].state is S.SUCCEEDED
    on_2022 = release(platform=Platform.SERVER_2022)
    assert lived(order(device=server(vbs=vbs), release=on_2022))[-1].state is S.SUCCEEDED
    codes = {each.error_code for each in outcomes(many(release=on_2022), Faults(failure_share=1.0))}
    assert 0xC00000BB not in codes


def test_a_cumulative_update_that_fails_after_the_restart_has_restarted() -> None:
    always = Faults(failure_share=1.0)
    lives = [script(each, 3, always) for each in many(300, release=release(ReleaseKind.BASELINE))]
    late = [steps for steps in lives if steps[-1].stage == "finish after the restart"]
    assert late
    assert all(steps[-2].boot_at is not None and steps[-1].build is None for steps in late)


def test_every_ready_device_of_ring_test_takes_the_may_hotpatch_in_the_demo() -> None:
    kbs = {Platform.SERVER_2025: 5087423, Platform.SERVER_2022: 5087424}
    for each in fleet():
        if each.ring != "Test" or each.facts.vbs is not VbsState.RUNNING or each.facts.platform is None:
            continue
        hotpatch = release(kb=kbs.get(each.facts.platform, 5089466), platform=each.facts.platform)
        for by_hand in (True, False):
            wanted = order(device=each.facts, release=hotpatch, by_hand=by_hand)
            end = script(wanted, DEMO_SEED, Faults())[-1]
            assert end.state is S.SUCCEEDED, each.external_id
            assert end.at - DEMO_START < timedelta(hours=6)


# --- devices that are gone ----------------------------------------------------------------------------


def dark_name() -> str:
    return next(name for name in (f"LON-LT-{n:04d}" for n in range(500)) if is_dark(name))


def test_an_order_to_a_dark_device_is_given_up() -> None:
    steps = lived(order(device=device(dark_name())))
    assert [step.state for step in steps] == [S.QUEUED, S.FAILED]
    assert steps[-1].at == DEMO_START + timedelta(days=14)
    assert steps[-1].error_code == 0x80240021


def test_few_devices_are_dark() -> None:
    assert 0.02 <= sum(is_dark(f"LON-LT-{n:05d}") for n in range(20_000)) / 20_000 <= 0.035


@given(st.integers(0, 300 * 86_400), NAMES)
def test_devices_check_in_every_day_unless_dark(passed: int, name: str) -> None:
    now = DEMO_START + timedelta(seconds=passed)
    seen_at = DEMO_START - timedelta(hours=7)
    later = check_in_at(name, seen_at, now)
    if is_dark(name):
        assert later == seen_at
    else:
        assert now - timedelta(days=1) < later <= now
        assert later.time() == seen_at.time()
        assert check_in_at(name, later, now) == later
    assert check_in_at(name, now + timedelta(hours=1), now) == now + timedelta(hours=1)


# --- scenarios ----------------------------------------------------------------------------------------


def test_scenarios_by_name() -> None:
    assert faults_for("none") == faults_for("") == Faults()
    assert faults_for("failing-patch").failing_kbs == DEMO_HOTPATCHES
    assert faults_for("bad-patch").crashing_kbs == DEMO_HOTPATCHES
    assert faults_for("offline-wave").wave_share > 0.2
    with pytest.raises(BadInput) as caught:
        faults_for("earthquake")
    assert all(name in caught.value.instead for name in SCENARIOS)


def test_a_failing_patch_fails_on_most_devices_with_one_code_and_stays_so() -> None:
    faults = faults_for("failing-patch")
    orders = many(400)
    failed = [each for each, end in zip(orders, outcomes(orders, faults), strict=True) if end.state is S.FAILED]
    assert 0.7 <= len(failed) / len(orders) <= 0.9
    assert {end.error_code for end in outcomes(failed, faults)} == {faults.failing_code}
    again = outcomes([replace(each, attempt=2) for each in failed], faults)
    assert all(end.state is S.FAILED for end in again)
    others = outcomes(many(400, release=release(kb=5083769, kind=ReleaseKind.BASELINE)), faults)
    assert sum(end.state is S.FAILED for end in others) / 400 < 0.06


def test_a_bad_patch_installs_well_and_then_makes_devices_crash() -> None:
    faults = faults_for("bad-patch")
    assert sum(end.state is S.SUCCEEDED for end in outcomes(many(400), faults)) >= 370
    provider = SimulatedProvider(4, faults)
    now = DEMO_START + timedelta(hours=20)
    facts = [replace(each.facts, last_seen_at=now) for each in fleet() if not is_dark(each.external_id)]
    patched = [provider.health(each.name, each, 5089466, DEMO_START, now) for each in facts]
    plain = [provider.health(each.name, each, 5083769, DEMO_START - timedelta(days=20), now) for each in facts]
    fresh = [provider.health(each.name, each, 5089466, now - timedelta(minutes=30), now) for each in facts]

    def crashes(signals: Sequence[object]) -> float:
        return sum(getattr(each, "crashes", 0) for each in signals) / len(signals)

    assert crashes(plain) < 0.04
    assert crashes(fresh) == crashes(plain), "crashes come with use, not with the install"
    assert crashes(patched) > 20 * max(crashes(plain), 0.01)
    suffering = [each for each in patched if each is not None and each.crashes > 1]
    assert 0.3 <= len(suffering) / len(patched) <= 0.5
    assert all(each.unexpected_restarts and each.cpu_overhead > 0.02 for each in suffering)
    good = [SimulatedProvider(4).health(each.name, each, 5089466, DEMO_START, now) for each in facts]
    assert good == plain


def test_health_is_the_same_whenever_it_is_asked_and_unknown_for_a_silent_device() -> None:
    now = DEMO_START + timedelta(hours=3)
    one = SimulatedProvider(9, faults_for("bad-patch"))
    other = SimulatedProvider(9, faults_for("bad-patch"))
    for each in fleet()[:60]:
        assert one.health(each.external_id, each.facts, 5089466, DEMO_START, now) == other.health(
            each.external_id, each.facts, 5089466, DEMO_START, now
        )
    silent = next(each for each in fleet() if is_dark(each.external_id))
    assert one.health(silent.external_id, silent.facts, None, None, now) is None
    assert one.health("X", device("X", last_seen_at=None), None, None, now) is None


def test_overheads_of_a_sound_patch_stay_under_two_per_cent() -> None:
    provider = SimulatedProvider(4)
    for each in fleet()[:200]:
        signals = provider.health(each.external_id, each.facts, 5089466, DEMO_START, DEMO_START + timedelta(hours=9))
        if signals is not None:
            assert abs(signals.cpu_overhead) < 0.02
            assert abs(signals.memory_overhead) < 0.02


def test_an_offline_wave_takes_many_devices_away_for_days() -> None:
    faults = faults_for("offline-wave")
    begins_at = faults.wave_begins_at
    late = many(400, by_hand=True, requested_at=begins_at + timedelta(hours=8))
    calm = [lived(each)[1].at for each in late]
    wave = [script(each, 1, replace(NO_FAILURES, wave_share=faults.wave_share))[1].at for each in late]
    delayed = [after - before for before, after in zip(calm, wave, strict=True) if after != before]
    assert 0.25 <= len(delayed) / len(late) <= 0.45
    assert timedelta(days=1) < max(delayed) <= timedelta(days=12)
    early = many(50, requested_at=DEMO_START)
    ends = [script(each, 1, replace(NO_FAILURES, wave_share=1.0))[-1].at for each in early]
    assert sum(end < begins_at for end in ends) >= 45, "the wave comes later than the demo begins"
