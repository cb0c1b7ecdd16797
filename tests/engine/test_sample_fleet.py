"""The sample fleet: the same for everybody, and a believable company."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import islice

import pytest

from engine.catalog import make_levels
from engine.model.build import Architecture, Platform
from engine.model.model import ChpeState, FormFactor, Management, PolicyState, Subscription, VbsState, Verdict
from engine.providers.simulated.fleet import generate
from engine.providers.simulated.presence import is_dark
from engine.providers.simulated.sample import DEMO_SEED, DEMO_SIZE, DEMO_START
from engine.providers.simulated.sample_file import FILE_NAME, dump_fleet, load_bundled_fleet
from tests.engine.sample_fleets import digest, fleet, releases, share, verdicts

# --- the same for everybody ---------------------------------------------------------------------------


def test_bundled_file_is_what_the_generator_makes() -> None:
    expected = "".join(dump_fleet(fleet(), seed=DEMO_SEED, size=DEMO_SIZE, now=DEMO_START))
    bundled = files("data").joinpath(FILE_NAME).read_text(encoding="utf-8")
    assert bundled == expected, "data/sample_fleet.jsonl is out of date; write it anew with: make sample-fleet"


def test_bundled_file_reads_back_as_the_generated_devices() -> None:
    assert tuple(load_bundled_fleet()) == fleet()


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_other_processes_make_the_same_bytes(hash_seed: str) -> None:
    program = (
        "import hashlib\n"
        "from engine.catalog import load_bundled\n"
        "from engine.providers.simulated.fleet import generate\n"
        "from engine.providers.simulated.sample import DEMO_START\n"
        "from engine.providers.simulated.sample_file import dump_fleet\n"
        "fleet = generate(load_bundled().releases, seed=7, size=120)\n"
        "lines = dump_fleet(fleet, seed=7, size=120, now=DEMO_START)\n"
        "print(hashlib.sha256(''.join(lines).encode()).hexdigest())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.stdout.strip() == digest(dump_fleet(fleet(120, 7), seed=7, size=120, now=DEMO_START))


def test_another_seed_makes_another_company() -> None:
    first, second = fleet(120, 7), fleet(120, 8)
    assert first != second
    assert len({device.external_id for device in first} & {device.external_id for device in second}) < 110


def test_order_of_releases_and_later_ones_do_not_matter() -> None:
    known = [each for each in releases() if each.released_at <= DEMO_START]
    assert tuple(generate(list(reversed(known)), size=60)) == tuple(generate(releases(), size=60))


def test_no_releases_leave_devices_without_past_and_build() -> None:
    for device in generate([], size=30):
        assert device.history == ()
        assert device.facts.build is None


# --- a company ----------------------------------------------------------------------------------------


def test_names_serials_and_tags_are_unique_and_fit_windows() -> None:
    devices = fleet(3_000, 5)
    assert len({device.external_id for device in devices}) == len(devices)
    assert len({device.facts.serial for device in devices}) == len(devices)
    assert len({device.facts.asset_tag for device in devices}) == len(devices)
    for device in devices:
        assert device.external_id == device.facts.name
        assert len(device.facts.name) <= 15, "a Windows computer name has at most 15 letters"
        assert device.facts.name.isascii()


def test_the_devices_that_documents_name_are_there_at_every_size() -> None:
    for size in (20, DEMO_SIZE):
        alice = [device for device in fleet(size) if device.facts.user == "alice@contoso.com"]
        assert [device.external_id for device in alice] == ["LON-LT-0042"]
        assert alice[0].facts.domain == "CONTOSO"


def test_every_client_has_a_user_and_no_server_has_one() -> None:
    for device in fleet():
        facts = device.facts
        if facts.form is FormFactor.SERVER:
            assert facts.user == ""
        else:
            local, _, domain = facts.user.partition("@")
            assert domain == "contoso.com"
            assert local.isascii()
            assert " " in facts.user_name
    assert any(not device.facts.user_name.isascii() for device in fleet())


def test_fleet_is_as_varied_as_a_company() -> None:
    facts = [device.facts for device in fleet()]
    assert len({each.site for each in facts}) >= 10
    assert len({each.model for each in facts}) >= 18
    forms = Counter(each.form for each in facts)
    assert share(forms[FormFactor.LAPTOP]) > 0.45
    assert share(forms[FormFactor.DESKTOP]) > 0.12
    assert 0.05 < share(forms[FormFactor.CLOUD_PC]) < 0.18
    assert 0.08 < share(forms[FormFactor.SERVER]) < 0.2
    platforms = Counter(each.platform for each in facts)
    assert all(platforms[platform] >= 12 for platform in Platform)
    arm = [each for each in facts if each.architecture is Architecture.ARM64]
    assert 0.04 < share(len(arm)) < 0.13
    assert {each.platform for each in arm} == {Platform.WIN11_24H2, Platform.WIN11_25H2}
    editions = {(each.platform, each.edition) for each in facts if each.form is FormFactor.SERVER}
    assert {
        (Platform.SERVER_2025, "Datacenter: Azure Edition"),
        (Platform.SERVER_2025, "Standard"),
        (Platform.SERVER_2025, "Datacenter"),
        (Platform.SERVER_2022, "Datacenter: Azure Edition"),
    } <= editions


# --- readiness ----------------------------------------------------------------------------------------


def test_most_devices_are_ready() -> None:
    counts = Counter(verdicts())
    assert 0.74 <= share(counts[Verdict.READY]) <= 0.81
    assert share(counts[Verdict.NOT_READY]) > 0.12
    assert share(counts[Verdict.UNKNOWN]) > 0.03


def test_every_readiness_failure_has_a_believable_share() -> None:
    facts = [device.facts for device in fleet()]
    clients = [each for each in facts if each.form is not FormFactor.SERVER]
    arm = [each for each in clients if each.architecture is Architecture.ARM64]
    baselines = {platform: make_levels(platform, releases(), DEMO_START).baseline for platform in Platform}
    behind = [
        each
        for each in facts
        if each.platform and each.build and (baseline := baselines[each.platform]) and baseline.build
        if each.build < baseline.build
    ]
    vbs = sum(each.vbs in (VbsState.OFF, VbsState.NOT_RUNNING) for each in facts)
    licences = sum(
        each.licence in ("none", "office-e3", "business-standard", "m365-f1", "windows-365-business")
        for each in clients
    )
    policies = sum(each.policy in (PolicyState.BLOCK, PolicyState.NO_POLICY) for each in clients)
    unknown = sum(
        each.vbs is VbsState.UNKNOWN or each.licence == "" or each.policy is PolicyState.UNKNOWN for each in clients
    )
    assert 0.035 <= share(vbs) <= 0.07
    assert 0.015 <= share(licences) <= 0.045
    assert 0.025 <= share(policies) <= 0.06
    assert 0.008 <= share(sum(each.management is Management.NONE for each in clients)) <= 0.025
    assert 0.015 <= share(unknown) <= 0.045
    assert 0.035 <= share(len(behind)) <= 0.075
    assert 0.1 <= sum(each.chpe is ChpeState.ENABLED for each in arm) / len(arm) <= 0.4
    assert any(each.vbs is VbsState.OFF for each in facts)
    assert any(each.vbs is VbsState.NOT_RUNNING for each in facts)
    assert any(each.policy is PolicyState.BLOCK for each in facts)
    assert any(
        each.management is Management.ARC and each.subscription is not Subscription.ENABLED
        for each in facts
        if each.platform is Platform.SERVER_2025
    )


def test_dark_devices_were_seen_weeks_ago_and_all_others_in_these_days() -> None:
    dark = [device for device in fleet() if is_dark(device.external_id)]
    assert 0.015 <= share(len(dark)) <= 0.04
    for device in fleet():
        seen_at = device.facts.last_seen_at
        assert seen_at is not None
        age = DEMO_START - seen_at
        if is_dark(device.external_id):
            assert timedelta(days=20) <= age <= timedelta(days=92)
        else:
            assert timedelta(0) <= age < timedelta(days=4)


# --- rings --------------------------------------------------------------------------------------------


def test_rings_have_believable_sizes() -> None:
    rings = Counter(device.ring for device in fleet(5_000, 3))
    shares = {ring: count / 5_000 for ring, count in rings.items()}
    assert set(shares) == {"Test", "First", "Fast", "Broad", "Last"}
    assert 0.007 <= shares["Test"] <= 0.014
    assert shares["First"] == pytest.approx(0.05, abs=0.006)
    assert shares["Fast"] == pytest.approx(0.15, abs=0.01)
    assert shares["Broad"] == pytest.approx(0.7, abs=0.03)
    assert 0.05 <= shares["Last"] <= 0.12


def test_every_ring_has_ready_devices() -> None:
    ready = Counter(
        device.ring for device, verdict in zip(fleet(), verdicts(), strict=True) if verdict is Verdict.READY
    )
    assert all(ready[ring] >= 5 for ring in ("Test", "First", "Fast", "Broad", "Last"))


def test_ring_test_holds_each_kind_of_hotpatchable_device() -> None:
    ready = [
        device.facts
        for device, verdict in zip(fleet(), verdicts(), strict=True)
        if device.ring == "Test" and verdict is Verdict.READY
    ]
    assert len(ready) >= 5
    assert {facts.platform for facts in ready} == set(Platform)
    assert {facts.architecture for facts in ready} == set(Architecture)


def test_critical_servers_are_last() -> None:
    for device in fleet():
        if device.facts.form is FormFactor.SERVER and "-SRV-SQL" in device.external_id:
            assert device.ring in ("Last", "Test")


# --- large fleets -------------------------------------------------------------------------------------


def test_a_large_fleet_is_streamed_with_a_short_past() -> None:
    devices = list(islice(generate(releases(), size=1_000_000), 4_000))
    assert len({device.external_id for device in devices}) == 4_000
    installs = sum(len(device.history) for device in devices) / 4_000
    assert 1.5 <= installs <= 2.6
    for device in devices:
        if device.history:
            assert (device.history[-1].build_after or device.history[-1].build_before) == device.facts.build
    assert "LON-LT-0042" in {device.external_id for device in devices}


def test_an_earlier_time_knows_an_earlier_world() -> None:
    at = datetime(2026, 2, 20, 9, 0, tzinfo=UTC)
    for device in generate(releases(), size=80, now=at):
        assert device.facts.last_seen_at is not None
        assert device.facts.last_seen_at <= at
        assert all(each.finished_at <= at for each in device.history)
