"""A question has one answer: every place that tells a fact of a device tells the same, device by device.

Walked over the sample fleet as it is, with what is approved and open in some rings, and over a random fleet.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.device_reads import read_device, what_next
from engine import Engine
from engine.fleet.demo import prepare_demo
from engine.fleet.upkeep import assess_devices
from engine.model.build import OsBuild, Platform
from engine.model.model import DeviceState, Release, ReleaseKind, Verdict
from engine.model.records.fleet import DeviceQuery, DeviceRow
from engine.rules.findings import FindingVerdict
from engine.rules.helpdesk import NextKind
from engine.rules.rollout.offers import as_good
from engine.situation.situation import Situation
from engine.store.installs import INSTALL_COLUMNS
from engine.store.values import build_number, seconds
from tests.engine.failure_states import opened
from tests.engine.scan_exports import Row, nessus

APRIL, MAY, MAY_LCU = 5083769, 5089466, 5089549
POWERSHELL = "CVE-2025-54100"
_KB = re.compile(r"KB\d{7}")


def open_ring(engine: Engine, kb: int, *rings: str) -> None:
    """The release is approved and open in these rings; no runner has offered it yet."""
    store, now = engine.reads.store, engine.now()
    with store.transaction():
        store.rollout.add_approval(kb, rings, "tested", "mia", now, None, None)
        for ring in store.rollout.rings():
            if ring.name in rings:
                store.rollout.open_ring(kb, ring.id, now)


def offered(engine: Engine) -> dict[int, int]:
    """Device → the release that the rollout would order for it now, by the engine's own choice."""
    store = engine.reads.store
    situation = Situation(store, engine.now())
    found: dict[int, int] = {}
    for ring in situation.rings:
        kbs = situation.open_in(ring)
        for release in situation.releases:
            if release.kb not in kbs or situation.newer(release) is not None:
                continue
            levels = situation.levels(release.platform)
            for each in store.rollout.offerable(
                release,
                ring.id,
                situation.now,
                100_000,
                withheld=situation.withheld(release.kb),
                baseline_first=situation.is_after_baseline(release, levels, ring),
                as_good=as_good(release, levels),
            ):
                assert each.id not in found, f"{each.name} is offered two releases"
                found[each.id] = release.kb
    return found


def kbs_in(text: str) -> set[str]:
    return set(_KB.findall(text))


def check(engine: Engine, row: DeviceRow, order: int | None) -> NextKind:
    """Every place that tells of one device, compared."""
    report = read_device(engine, row.id)
    answer, detail, readiness = report.answer, report.detail, report.readiness
    name = row.name
    # The list and the page tell of the same device.
    assert (row.verdict, row.reasons) == (readiness.verdict, readiness.reasons), name
    assert (row.track, row.state, row.protected) == (detail.track, detail.state, detail.protected), name
    assert answer.protected in (None, row.protected), name
    # What comes next: the answer in words, the page in its own, the ticket, the rollout.
    step = answer.next
    steps = "\n".join(each.words for each in what_next(report))
    if row.id % 20 == 0:
        assert engine.reads.devices.ticket(row.id).answer == answer, name
    if step.kind is NextKind.OFFER:
        due = step.release
        assert due is not None, name
        for told in (answer.what_next, steps, answer.headline):
            assert kbs_in(told) == {due.name}, (name, told)
        is_open = step.offer is not None and step.offer.is_open
        assert is_open == (order is not None), (name, step, order)
        assert order in (None, due.kb), name
        assert is_open == ("offered" in answer.what_next) == ("offered" in steps), name
        assert ("with a restart" in answer.what_next) == due.restart_required, name
        assert ("with a restart" in steps.split("\n")[0]) == due.restart_required, name
        assert due.kind.is_hotpatch <= (row.verdict is Verdict.READY), name
    elif step.kind in (NextKind.RESTART, NextKind.FAILURE):
        # A baseline comes on top of a pending restart, and another release than the one that failed is no retry.
        assert order is None or (step.release is not None and order == step.release.kb), (name, step, order)
    else:
        assert order is None, (name, step)
    if step.kind is NextKind.REPORT:
        assert answer.protected is None or detail.facts.architecture is None, name
        assert not kbs_in(answer.what_next + steps), name
    if step.kind in (NextKind.INSTALL, NextKind.FAILURE, NextKind.RESTART):
        assert row.state is not DeviceState.IDLE, name
    assert (step.kind is NextKind.FAILURE) <= (row.state is DeviceState.FAILED), name
    assert not answer.protected or step.release is None, name
    return step.kind


def walk(engine: Engine) -> Counter[NextKind]:
    orders = offered(engine)
    kinds: Counter[NextKind] = Counter()
    for row in list(engine.reads.devices.each(DeviceQuery())):
        kinds[check(engine, row, orders.get(row.id))] += 1
    report = engine.reads.evidence.readiness_report()
    rows = list(engine.reads.devices.each(DeviceQuery()))
    ready = sum(row.verdict is Verdict.READY for row in rows)
    counts = engine.reads.devices.counts()
    assert report.total.ready == ready == sum(each.devices for each in counts if each.verdict is Verdict.READY)
    for kb in {each.kb for each in engine.reads.rollout.ring_progress()}:
        situation = Situation(engine.reads.store, engine.now())
        for progress in engine.reads.rollout.ring_progress(kb):
            if kb in situation.open_in(progress.ring):
                ordered = sum(1 for row in rows if orders.get(row.id) == kb and row.ring == progress.ring.name)
                assert ordered <= progress.pending + progress.failed, (kb, progress.ring.name)
    return kinds


def at_random(engine: Engine, seed: int) -> None:
    """Builds, checks, ages, holds and installs of the fleet as nobody would have planned them."""
    chance = random.Random(seed)
    store, now = engine.reads.store, engine.now()
    situation = Situation(store, now)
    builds: dict[Platform, list[Release]] = {
        platform: [r for r in situation.releases if r.platform is platform and r.build is not None]
        for platform in Platform
    }
    companions = {r.platform: r for r in situation.releases if r.kind is ReleaseKind.COMPANION}
    rows = list(engine.reads.devices.each(DeviceQuery()))
    with store.transaction():
        for row in rows:
            if row.platform is None:
                continue
            build = chance.choice(builds[row.platform][-8:]).build
            store.connection.execute(
                "UPDATE device SET build = ?, vbs = ?, architecture = ?, restart_pending = ?, last_seen_at = ? "
                "WHERE id = ?",
                (
                    chance.choice([build_number(build), build_number(build), None]),
                    chance.choice(["running", "running", "off", "unknown"]),
                    chance.choice([row.architecture, row.architecture, row.architecture, None]),
                    chance.choice([0, 0, 0, 1, None]),
                    seconds(now - timedelta(days=chance.choice([0, 1, 3, 20]))),
                    row.id,
                ),
            )
        # The rollout never offers again what has failed before; builds are thrown here, so that would be seen as due.
        store.connection.execute("DELETE FROM install WHERE state = 'failed' AND open_failure = 0")
        some = [row.id for row in rows]
        chance.shuffle(some)
        store.exclusions.add(some[:10], None, None, "kept for a demo", "mia", now)
        store.exclusions.add(some[10:20], MAY, None, "an old driver", "mia", now)
        store.rollout.hold_until_baseline(some[20:40], "a hotpatch was uninstalled", "mia", now)
        by_id = {row.id: row for row in rows}
        store.installs.insert_history(
            tuple(companion_install(device_id, companions[platform], now)[name] for name in INSTALL_COLUMNS)
            for device_id in some[30:90]
            if (platform := by_id[device_id].platform) in companions and platform is not None
        )
        assess_devices(store, situation, some)
        store.installs.refresh_device_states(some)


def companion_install(device_id: int, release: Release, now: datetime) -> dict[str, object]:
    at = seconds(now) - 3600
    zeros = dict.fromkeys(INSTALL_COLUMNS, 0)
    nothing = dict.fromkeys(("ring_id", "next_at", "error_code", "build_before", "build_after", "follow_up_kb"))
    return {
        **zeros,
        **nothing,
        "device_id": device_id,
        "kb": release.kb,
        "platform": release.platform,
        "action": "apply",
        "state": "succeeded",
        "stage": "done",
        "requested_at": at,
        "started_at": at,
        "finished_at": at,
        "requested_by": "mia",
        "reason": "",
    }


# --- the walks ------------------------------------------------------------------------------------------


def test_the_sample_fleet_before_anything_is_approved(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        kinds = walk(engine)
    assert kinds[NextKind.OFFER] > 400
    assert kinds[NextKind.REPORT] > 5
    assert kinds[NextKind.FAILURE] > 10


def test_the_sample_fleet_with_releases_open_side_by_side(demo_state: Path) -> None:
    """What is behind gets the baseline where that is open, the LCU where only that is."""
    with opened(demo_state) as engine:
        open_ring(engine, MAY_LCU, "Test", "First", "Fast", "Broad")
        open_ring(engine, APRIL, "Test", "First", "Broad")
        open_ring(engine, MAY, "Test", "Fast")
        walk(engine)
        orders = offered(engine)
    assert {MAY_LCU, APRIL, MAY} <= set(orders.values())


@pytest.mark.parametrize("seed", [1, 2])
def test_a_random_fleet(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "fleet.db"
    prepare_demo(path, size=120, seed=seed)
    with opened(path) as engine:
        at_random(engine, seed)
        for kb in (MAY_LCU, MAY, APRIL):
            open_ring(engine, kb, "Fast", "Broad")
        kinds = walk(engine)
    assert {NextKind.OFFER, NextKind.REPORT, NextKind.WITHHELD, NextKind.CALENDAR} <= set(kinds)


def test_open_cves_are_those_that_reconciliation_calls_true(tmp_path: Path) -> None:
    path, scan = tmp_path / "fleet.db", tmp_path / "scan.csv"
    prepare_demo(path, size=60, seed=3)
    with opened(path) as engine:
        at_random(engine, 3)
        catalog = engine.reads.releases.catalog()
        cves = (POWERSHELL, *sorted({fix.cve for fix in catalog.fixes})[::60])
        rows = list(engine.reads.devices.each(DeviceQuery()))
        scan.write_text(nessus([Row(row.name, (cve,), id=str(row.id)) for row in rows for cve in cves]))
        open_here = {row.name: {each.id for each in engine.reads.devices.open_cves(row.id)} for row in rows}
        seen = Counter[FindingVerdict]()
        with engine.reconcile([scan]) as run:
            for each in run:
                verdict = each.judgement.verdict
                seen[verdict] += 1
                assert (verdict is FindingVerdict.TRUE) == (each.cve in open_here[each.device]), (each.device, each.cve)
    assert seen[FindingVerdict.TRUE] > 50
    assert seen[FindingVerdict.FALSE_POSITIVE] > 50


def test_a_standalone_package_closes_its_cve_on_the_page_too(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    prepare_demo(path, size=20)
    with opened(path) as engine:
        store = engine.reads.store
        row = next(r for r in engine.reads.devices.each(DeviceQuery()) if r.platform is Platform.WIN11_24H2)
        with store.transaction():
            build = build_number(OsBuild.parse("26100.7392"))
            store.connection.execute("UPDATE device SET build = ? WHERE id = ?", (build, row.id))
        before = {each.id for each in engine.reads.devices.open_cves(row.id)}
        assert POWERSHELL in before
        situation = Situation(store, engine.now())
        companion = next(r for r in situation.known(5074204) if r.platform is Platform.WIN11_24H2)
        with store.transaction():
            values = companion_install(row.id, companion, engine.now())
            store.installs.insert_history([tuple(values[name] for name in INSTALL_COLUMNS)])
        assert before - {each.id for each in engine.reads.devices.open_cves(row.id)} == {POWERSHELL}


def test_the_catalog_is_read_once_and_anew_when_another_process_changes_it(demo_state: Path) -> None:
    with opened(demo_state) as engine, opened(demo_state) as other:
        first = engine.reads.releases.catalog()
        assert engine.reads.releases.catalog() is first
        with other.reads.store.transaction():
            merged = other.reads.store.releases.catalog()
            fix = replace(next(each for each in merged.fixes if each.kb == MAY), cve="CVE-2026-99999")
            other.reads.store.releases.replace(replace(merged, fixes=(*merged.fixes, fix)))
        again = engine.reads.releases.catalog()
        assert again is not first
        assert "CVE-2026-99999" in {each.cve for each in again.fixes}
        assert engine.demo is not None
        engine.demo.step(timedelta(days=40))
        assert len(engine.reads.releases.catalog().releases) > len(again.releases)
