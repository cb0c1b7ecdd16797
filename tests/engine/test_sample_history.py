"""The past of the sample fleet: its devices agree with it, and its failures have something in common."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from itertools import pairwise

import pytest

from engine.model.build import OsBuild
from engine.model.model import InstallAction, InstallState, PolicyState, ReleaseKind, VbsState
from engine.model.sample import PastInstall, SampleDevice
from engine.providers.simulated.company import TROUBLED_DRIVER, TROUBLED_MODEL
from engine.providers.simulated.history import SHARED_CODE
from engine.providers.simulated.sample import DEMO_SEED, DEMO_SIZE, DEMO_START
from engine.rules.failures import FailedInstall, base_rates, group_failures
from tests.engine.sample_fleets import MAY_HOTPATCHES, MAY_LCUS, fleet, release_of, releases, share

# --- the past -----------------------------------------------------------------------------------------


@pytest.fixture(params=[(DEMO_SIZE, DEMO_SEED), (800, 99)], ids=["default", "another"])
def any_fleet(request: pytest.FixtureRequest) -> tuple[SampleDevice, ...]:
    size, seed = request.param
    return fleet(size, seed)


def test_builds_agree_with_the_past(any_fleet: tuple[SampleDevice, ...]) -> None:
    for device in any_fleet:
        build = device.history[0].build_before if device.history else device.facts.build
        for install in device.history:
            assert install.build_before == build
            if install.state is InstallState.FAILED:
                assert install.build_after is None
            else:
                assert install.build_after is not None
                build = install.build_after
        assert device.facts.build == build


def test_installs_are_of_releases_that_were_out_for_the_device(any_fleet: tuple[SampleDevice, ...]) -> None:
    for device in any_fleet:
        for install in device.history:
            assert install.platform is device.facts.platform
            release = release_of(install.kb, install.platform)
            assert release.released_at <= install.requested_at
            assert device.facts.architecture in release.architectures
            if install.state is InstallState.SUCCEEDED:
                assert install.build_after == release.build
                assert install.restarted is not release.kind.is_hotpatch


def test_installs_never_overlap_and_end_before_the_device_was_last_seen(any_fleet: tuple[SampleDevice, ...]) -> None:
    for device in any_fleet:
        facts = device.facts
        assert facts.last_seen_at is not None
        assert facts.boot_at is not None
        for install in device.history:
            assert install.requested_at <= install.started_at < install.finished_at <= facts.last_seen_at
        for earlier, later in pairwise(device.history):
            assert earlier.finished_at <= later.requested_at
        restarts = [each.finished_at for each in device.history if each.restarted]
        assert facts.boot_at <= facts.last_seen_at <= DEMO_START
        assert not restarts or max(restarts) <= facts.boot_at


def test_hotpatches_sit_on_the_baseline_of_their_quarter(any_fleet: tuple[SampleDevice, ...]) -> None:
    for device in any_fleet:
        baseline: OsBuild | None = None
        for install in device.history:
            if install.state is InstallState.FAILED:
                continue
            release = release_of(install.kb, install.platform)
            if release.kind.is_baseline:
                baseline = release.build
            elif install.action is InstallAction.UNINSTALL:
                assert install.build_after == baseline
                assert install.restarted
            elif release.kind.is_hotpatch:
                assert baseline is not None
                newest = [
                    each.build
                    for each in releases()
                    if each.platform is install.platform and each.kind.is_baseline
                    if each.released_at <= release.released_at
                ]
                assert newest[-1] == baseline


def test_devices_that_are_not_ready_took_cumulative_updates() -> None:
    blocked = [device for device in fleet() if device.facts.policy is PolicyState.BLOCK]
    assert blocked
    for device in blocked:
        kinds = {release_of(each.kb, each.platform).kind for each in device.history}
        assert kinds <= {ReleaseKind.BASELINE, ReleaseKind.LCU, ReleaseKind.OOB_LCU}


def test_may_waits_for_approval_but_for_a_pilot_off_the_track() -> None:
    for device in fleet():
        assert not {each.kb for each in device.history} & MAY_HOTPATCHES
    pilots = [device for device in fleet() if {each.kb for each in device.history} & MAY_LCUS]
    assert pilots
    assert {device.ring for device in pilots} == {"Test"}
    assert all(device.facts.vbs is not VbsState.RUNNING for device in pilots)


def test_a_failure_is_put_right_or_stays_open(any_fleet: tuple[SampleDevice, ...]) -> None:
    for device in any_fleet:
        for position, install in enumerate(device.history):
            assert (install.error_code is not None) is (install.state is InstallState.FAILED)
            if install.open_failure:
                assert install is device.history[-1]
            elif install.state is InstallState.FAILED and position + 1 < len(device.history):
                later = device.history[position + 1]
                assert (later.kb, later.attempt) == (install.kb, install.attempt + 1)


def test_error_codes_are_in_the_projects_list() -> None:
    text = files("data").joinpath("error_codes.json").read_text(encoding="utf-8")
    known = {int(each["code"], 16) for each in json.loads(text)["codes"]}
    assert {each.error_code for device in fleet() for each in device.history} - {None} <= known


def test_a_few_hotpatches_were_uninstalled_and_the_lcu_followed() -> None:
    devices = [device for device in fleet() if any(_is_uninstall(each) for each in device.history)]
    assert 2 <= len(devices) <= 15
    for device in devices:
        position = next(n for n, each in enumerate(device.history) if _is_uninstall(each))
        removed = device.history[position]
        lcu = next(each for each in device.history[position + 1 :] if each.state is InstallState.SUCCEEDED)
        assert release_of(lcu.kb, lcu.platform).kind is ReleaseKind.LCU
        assert release_of(lcu.kb, lcu.platform).month == release_of(removed.kb, removed.platform).month
        assert removed.requested_by != "engine"
        assert removed.reason


def _is_uninstall(install: PastInstall) -> bool:
    return install.state is InstallState.UNINSTALLED


# --- open failures ------------------------------------------------------------------------------------


def open_failures(devices: tuple[SampleDevice, ...]) -> list[tuple[SampleDevice, PastInstall]]:
    return [(device, each) for device in devices for each in device.history if each.open_failure]


def test_open_failures_are_about_three_per_cent_with_several_codes() -> None:
    found = open_failures(fleet())
    assert 0.02 <= share(len(found)) <= 0.05
    assert len({install.error_code for _, install in found}) >= 6
    kinds = Counter(release_of(install.kb, install.platform).month for _, install in found)
    assert kinds["2026-04"] >= 8
    assert kinds["2026-03"] >= 1


def test_one_code_shares_model_and_driver_and_no_other_does() -> None:
    by_code: dict[int | None, list[SampleDevice]] = {}
    for device, install in open_failures(fleet()):
        by_code.setdefault(install.error_code, []).append(device)
    planted = by_code.pop(SHARED_CODE)
    is_troubled = [(d.facts.model, d.facts.driver) == (TROUBLED_MODEL, TROUBLED_DRIVER) for d in planted]
    assert len(planted) >= 8
    assert 0.85 <= sum(is_troubled) / len(planted) < 1
    models = Counter(device.facts.model for device in fleet())
    assert 0.08 <= share(models[TROUBLED_MODEL]) <= 0.16
    assert Counter(device.facts.site for device in planted).most_common(1)[0][1] / len(planted) <= 0.5
    assert len({device.facts.platform for device in planted}) == 2
    for others in by_code.values():
        assert len(others) <= 3, "a larger group could have something in common by chance"


def test_triage_finds_the_shared_model_and_driver_and_nothing_else() -> None:
    def traits(device: SampleDevice) -> dict[str, str]:
        facts = device.facts
        names = ("model", "driver", "site", "platform", "architecture", "form")
        return {name: str(getattr(facts, name)) for name in names} | {"ring": device.ring}

    failures = [
        FailedInstall(n, n, d.external_id, i.kb, i.error_code or 0, i.finished_at, i.attempt, traits(d))
        for n, (d, i) in enumerate(open_failures(fleet()))
    ]
    groups = group_failures(failures, base_rates(traits(device) for device in fleet()))
    found = {group.code: [factor.parts for factor in group.common] for group in groups if group.common}
    assert found == {SHARED_CODE: [(("model", TROUBLED_MODEL), ("driver", TROUBLED_DRIVER))]}
