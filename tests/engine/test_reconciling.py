"""Whole exports against a fleet: findings of every class planted in every scanner's layout, each classified right."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, open_engine
from engine.evidence.scanners import FindingFile
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.clock import FixedClock
from engine.model.errors import BadInput, Refused
from engine.model.model import DeviceFacts
from engine.model.records.fleet import Anchor, AnchorKind
from engine.rules.findings import FindingVerdict, LevelSource, Reconciled, Why, next_step, reason
from engine.store.devices import fact_values
from engine.store.installs import INSTALL_COLUMNS
from engine.store.values import seconds
from tests.engine.scan_exports import EXPORTS, SEEN, Row, nessus

V = FindingVerdict
NOW = datetime(2026, 5, 20, 9, tzinfo=UTC)
BEFORE, AFTER = SEEN - timedelta(hours=8), SEEN + timedelta(hours=8)
MAY, APRIL = "CVE-2026-35423", "CVE-2026-32159"
POWERSHELL, ROUTING, MARCH_2025 = "CVE-2025-54100", "CVE-2026-26111", "CVE-2025-26634"


def add(engine: Engine, name: str, build: str | None, *, provider: str = "import", **facts: Any) -> int:
    """A device; returns its id."""
    told = DeviceFacts(
        name=name,
        platform=facts.pop("platform", Platform.WIN11_24H2),
        architecture=facts.pop("architecture", Architecture.X64),
        build=OsBuild.parse(build) if build else None,
        last_seen_at=facts.pop("last_seen_at", NOW),
        provider=provider,
        **facts,
    )
    store = engine._store
    with store.transaction():
        store.devices.insert_many([(*fact_values(f"{provider}-{name.casefold()}", told), None)])
    return store.devices.highest_id()


def install(
    engine: Engine, device: int, kb: int, at: datetime, after: str | None, before: str = "26100.8246", **more: Any
) -> None:
    """A finished install."""
    values: dict[str, Any] = {
        "device_id": device,
        "ring_id": None,
        "kb": kb,
        "platform": Platform.WIN11_24H2,
        "action": "apply",
        "state": "succeeded",
        "stage": "done",
        "progress": 100,
        "attempt": 1,
        "by_hand": 0,
        "requested_at": seconds(at) - 3600,
        "requested_by": "engine",
        "started_at": seconds(at) - 600,
        "finished_at": seconds(at),
        "next_at": None,
        "error_code": None,
        "open_failure": 0,
        "build_before": OsBuild.parse(before).as_int(),
        "build_after": OsBuild.parse(after).as_int() if after else None,
        "restarted": 0,
        "follow_up_kb": None,
        "reason": "",
        **more,
    }
    with engine._store.transaction():
        engine._store.installs.insert_history([tuple(values[name] for name in INSTALL_COLUMNS)])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet with a device for every class, in May 2026. Nobody writes to it."""
    path = tmp_path_factory.mktemp("fleet") / "fleet.db"
    with open_engine(path, clock=FixedClock(NOW), create=True) as engine:
        hotpatched = add(engine, "LON-LT-0001", "26100.8390")
        install(engine, hotpatched, 5089466, BEFORE, "26100.8390")
        since = add(engine, "LON-LT-0002", "26100.8390")
        install(engine, since, 5089466, AFTER, "26100.8390")
        add(engine, "LON-LT-0003", "26100.8246")
        failed = add(engine, "LON-LT-0004", "26100.8246")
        install(engine, failed, 5089466, BEFORE, None, state="failed", error_code=0x800F0922, open_failure=1)
        on_lcu = add(engine, "LON-LT-0005.corp.contoso.com", "26100.8457")
        install(engine, on_lcu, 5089549, BEFORE, "26100.8457")
        add(engine, "TWIN-01", "26100.8246")
        add(engine, "TWIN-01", "26100.8246", provider="other")
        add(engine, "LON-APPSERVER-0001", "20348.5074", platform=Platform.SERVER_2022, last_seen_at=BEFORE)
    return path


PLANTED: tuple[tuple[Row, V, Why], ...] = (
    (Row("LON-LT-0001", (MAY,)), V.FALSE_POSITIVE, Why.HOTPATCH),
    (Row("lon-lt-0001.corp.contoso.com", (APRIL,)), V.FALSE_POSITIVE, Why.BASELINE),
    (Row("LON-LT-0002", (MAY,)), V.FIXED_SINCE, Why.INSTALLED_SINCE),
    (Row("LON-LT-0003", (MAY,)), V.TRUE, Why.BEHIND),
    (Row("LON-LT-0004.corp.contoso.com", (MAY,)), V.TRUE, Why.INSTALL_FAILED),
    (Row("LON-LT-0005", (MAY,)), V.FALSE_POSITIVE, Why.CUMULATIVE),
    (Row("GHOST-17", (MAY,)), V.UNKNOWN_DEVICE, Why.NO_SUCH_DEVICE),
    (Row("TWIN-01", (MAY,)), V.UNKNOWN_DEVICE, Why.SEVERAL_DEVICES),
    (
        Row(
            "LON-LT-0003",
            ("CVE-2025-64720",),
            title="libpng < 1.6.51",
            software="libpng",
            vendor="libpng",
            solution="Upgrade.",
        ),
        V.NOT_SERVICING,
        Why.OTHER_SOFTWARE,
    ),
    (Row("LON-LT-0003", ("CVE-2021-44228",)), V.NOT_SERVICING, Why.NOT_IN_CATALOG),
)


@pytest.fixture
def asks(fleet: Path, tmp_path: Path) -> Callable[..., list[Reconciled]]:
    def ask(content: str | bytes, name: str = "scan.csv", **options: Any) -> list[Reconciled]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with open_engine(fleet, clock=FixedClock(NOW)) as engine, engine.reconcile([path], **options) as run:
            return list(run)

    return ask


@pytest.mark.parametrize("form", EXPORTS)
def test_every_planted_finding_is_classified_right_in_every_layout(
    form: str, asks: Callable[..., list[Reconciled]]
) -> None:
    name, make = EXPORTS[form]
    options = {"scanned_at": SEEN} if form.startswith("nessus") else {}
    found = asks(make([row for row, _, _ in PLANTED]), name, **options)
    assert len(found) == len(PLANTED)
    for result, (row, verdict, why) in zip(found, PLANTED, strict=True):
        judgement = result.judgement
        assert (judgement.verdict, judgement.why) == (verdict, why), row
        assert result.cve == row.cves[0]
        assert result.scanned_at.replace(microsecond=0) == SEEN
        assert (judgement.proof is not None) is (verdict in (V.FALSE_POSITIVE, V.FIXED_SINCE))


def test_the_proof_names_kb_build_twin_and_install(asks: Callable[..., list[Reconciled]]) -> None:
    proof = asks(nessus([Row("LON-LT-0001", (MAY,))]), scanned_at=SEEN)[0].judgement.proof
    assert proof is not None
    assert (proof.kb, str(proof.build), proof.twin_kb, proof.at) == (5089466, "26100.8390", 5089549, BEFORE)
    assert (proof.evidence, proof.install_id) == (LevelSource.INSTALL, 1)


def test_several_cves_of_one_cell_are_findings_of_their_own(asks: Callable[..., list[Reconciled]]) -> None:
    name, make = EXPORTS["qualys"]
    found = asks(make([Row("LON-LT-0003", (MAY, APRIL, "CVE-2021-44228"))]), name)
    assert [each.judgement.verdict for each in found] == [V.TRUE, V.FALSE_POSITIVE, V.NOT_SERVICING]
    assert {each.line for each in found} == {10}


@pytest.mark.parametrize(
    ("host", "device"),
    [
        ("lon-lt-0001", "LON-LT-0001"),
        ("LON-LT-0001.fabrikam.com.", "LON-LT-0001"),
        ("LON-LT-0005", "LON-LT-0005.corp.contoso.com"),
        ("lon-lt-0005.CORP.contoso.com", "LON-LT-0005.corp.contoso.com"),
        ("lon-lt-0005.fabrikam.com", ""),
        ("LON-APPSERVER-0", "LON-APPSERVER-0001"),  # a NetBIOS name is cut off after 15 letters
        ("LON-APPSERVER", ""),
        ("10.1.2.3", ""),
        ("fe80::1", ""),
    ],
)
def test_hosts_are_found_however_a_scanner_writes_them(
    host: str, device: str, asks: Callable[..., list[Reconciled]]
) -> None:
    assert asks(nessus([Row(host, (MAY,))]))[0].device == device


def test_unknown_hosts_say_what_is_near_and_addresses_say_so(asks: Callable[..., list[Reconciled]]) -> None:
    near, address = asks(nessus([Row("LON-LT-00O3", (MAY,)), Row("10.1.2.3", (MAY,))]))
    assert near.judgement.why is Why.NO_SUCH_DEVICE
    assert "LON-LT-0003" in near.judgement.names
    assert address.judgement.why is Why.ONLY_AN_ADDRESS


def test_two_devices_of_a_name_are_told_apart_by_their_domain(tmp_path: Path) -> None:
    scan = tmp_path / "scan.csv"
    scan.write_text(nessus([Row("twin.fabrikam.com", (MAY,)), Row("twin.contoso.com", (MAY,)), Row("twin", (MAY,))]))
    with open_engine(tmp_path / "fleet.db", clock=FixedClock(NOW), create=True) as engine:
        for provider, domain, build in (("a", "CONTOSO", "26100.8390"), ("b", "FABRIKAM", "26100.8246")):
            add(engine, "TWIN", build, provider=provider, domain=domain)
        found = [each.judgement for each in engine.reconcile([scan])]
    assert [each.why for each in found] == [Why.BEHIND, Why.HOTPATCH, Why.SEVERAL_DEVICES]
    assert found[2].names == ("TWIN", "TWIN")


def test_a_device_is_found_by_the_scanners_own_id_where_it_is_ours_too(tmp_path: Path) -> None:
    scan = tmp_path / "scan.json"
    told = {"id": "1", "cveId": MAY, "machineId": "import-lon-1", "productName": "windows_11"}
    scan.write_text(json.dumps([told]))
    with open_engine(tmp_path / "fleet.db", clock=FixedClock(NOW), create=True) as engine:
        add(engine, "LON-1", "26100.8246")
        assert [each.device for each in engine.reconcile([scan])] == ["LON-1"]


# --- when the scan ran ------------------------------------------------------------------------------


def test_the_scans_time_is_told_or_taken_from_row_head_or_file(
    asks: Callable[..., list[Reconciled]], fleet: Path, tmp_path: Path
) -> None:
    told = datetime(2026, 5, 1, tzinfo=UTC)
    name, make = EXPORTS["qualys"]
    assert {each.scanned_at for each in asks(make([Row("LON-LT-0001", (MAY,))]), name, scanned_at=told)} == {told}
    undated = make([Row("LON-LT-0001", (MAY,))])
    undated = undated.replace(f"{SEEN:%m/%d/%Y %H:%M:%S}", "")  # type: ignore[arg-type]
    assert {each.scanned_at for each in asks(undated, name)} == {datetime(2026, 5, 13, 7, tzinfo=UTC)}
    with open_engine(fleet, clock=FixedClock(NOW)) as engine:
        path = tmp_path / "bare.csv"
        path.write_text(nessus([Row("LON-LT-0001", (MAY,))]))
        run = engine.reconcile([path])
        assert {each.scanned_at for each in run} == {NOW}, "a file written after the present was scanned by now"
        assert run.tally.files[0].scanned_at_source == "the file's own time"


# --- what a tenant tells ---------------------------------------------------------------------------


def test_an_install_that_a_tenant_told_of_is_no_record_of_when_it_was_installed(tmp_path: Path) -> None:
    """A device of a tenant acts by itself: its build was seen, and `finished_at` is when, not when it came."""
    scan = tmp_path / "scan.csv"
    scan.write_text(nessus([Row("A", (MAY,))]))
    with open_engine(tmp_path / "fleet.db", clock=FixedClock(NOW), create=True) as engine:
        device = add(engine, "A", "26100.8390", provider="contoso")
        with engine._store.transaction():
            engine._store.connection.execute(
                "INSERT INTO build_seen VALUES (?, ?, ?)",
                (device, seconds(AFTER), OsBuild.parse("26100.8390").as_int()),
            )
        install(engine, device, 5089466, AFTER, "26100.8390", started_at=None)
        (found,) = (each.judgement for each in engine.reconcile([scan], scanned_at=AFTER + timedelta(hours=1)))
    assert found.proof is not None
    assert (found.proof.evidence, found.proof.at, found.proof.install_id) == (LevelSource.SEEN, AFTER, None)


# --- a CVE that the catalog has not heard of --------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("LON-LT-0001", ("CVE-2026-45585",)), V.TRUE),
        (Row("GHOST-17", ("CVE-2026-45585",)), V.UNKNOWN_DEVICE),
        (Row("LON-LT-0001", ("CVE-2024-0001",)), V.NOT_SERVICING),
        (Row("LON-LT-0001", ("CVE-2026-45585",), software="windows_admin_center", title="WAC"), V.NOT_SERVICING),
        (Row("LON-LT-0001", ("CVE-2026-45585",), software="edge", title="Edge on Windows"), V.NOT_SERVICING),
    ],
)
@pytest.mark.parametrize("form", ["nessus", "defender-lines", "hunting"])
def test_a_new_cve_of_windows_itself_stands_until_something_closes_it(
    form: str, row: Row, verdict: V, asks: Callable[..., list[Reconciled]]
) -> None:
    name, make = EXPORTS[form]
    (found,) = asks(make([row]), name)
    assert found.judgement.verdict is verdict
    if verdict is V.TRUE:
        assert (found.judgement.why, found.device) == (Why.NOT_IN_CATALOG, "LON-LT-0001")
        assert "2026-05" in reason(found.judgement)
        assert "catalog sync" in next_step(found.judgement)


def test_a_check_that_lists_a_months_cves_of_every_windows_claims_nothing(
    asks: Callable[..., list[Reconciled]],
) -> None:
    title = "Microsoft Windows Security Update for May 2026"
    for form in ("qualys", "vmdr"):
        name, make = EXPORTS[form]
        found = asks(make([Row("LON-LT-0001", (MAY, "CVE-2026-45585"), title=title)]), name)
        assert [each.judgement.verdict for each in found] == [V.FALSE_POSITIVE, V.NOT_SERVICING]


# --- other months -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["nessus", "qualys", "defender-lines"])
def test_what_the_lcu_closes_and_the_hotpatch_does_not_is_a_true_finding(form: str, tmp_path: Path) -> None:
    name, make = EXPORTS[form]
    at = datetime(2025, 12, 20, 9, tzinfo=UTC)
    path = tmp_path / name
    path.write_text(str(make([Row(host, (POWERSHELL,), seen_at=at) for host in ("ALONE", "BESIDE", "ON-LCU")])))
    with open_engine(tmp_path / "fleet.db", clock=FixedClock(at + timedelta(days=1)), create=True) as engine:
        december = partial(install, engine, before="26100.6899")
        alone = add(engine, "ALONE", "26100.7392")
        december(alone, 5072014, at - timedelta(days=5), "26100.7392")
        beside = add(engine, "BESIDE", "26100.7392")
        december(beside, 5072014, at - timedelta(days=5), "26100.7392")
        december(beside, 5074204, at - timedelta(days=4), "26100.7392")
        on_lcu = add(engine, "ON-LCU", "26100.7462")
        december(on_lcu, 5072033, at - timedelta(days=5), "26100.7462")
        found = [each.judgement for each in engine.reconcile([path], scanned_at=at)]
    assert [each.why for each in found] == [Why.COMPANION_MISSING, Why.COMPANION, Why.CUMULATIVE]
    assert found[0].next_kb == 5074204


@pytest.mark.parametrize(
    ("now", "build", "cve", "why", "kb"),
    [
        (datetime(2025, 3, 20, tzinfo=UTC), "26100.3403", MARCH_2025, Why.NOT_COVERED, 5053598),
        (datetime(2026, 3, 12, tzinfo=UTC), "26100.7979", ROUTING, Why.NOT_COVERED, 5079473),
        (datetime(2026, 3, 20, tzinfo=UTC), "26100.7979", ROUTING, Why.BEHIND, 5084597),
    ],
)
def test_the_state_of_the_catalog_at_that_day_decides(
    now: datetime, build: str, cve: str, why: Why, kb: int, tmp_path: Path
) -> None:
    scan = tmp_path / "scan.csv"
    scan.write_text(nessus([Row("A", (cve,))]))
    with open_engine(tmp_path / "fleet.db", clock=FixedClock(now), create=True) as engine:
        add(engine, "A", build, last_seen_at=now)
        (found,) = (each.judgement for each in engine.reconcile([scan]))
    assert (found.why, found.next_kb) == (why, kb)


# --- what is counted, kept and refused --------------------------------------------------------------


def test_unreadable_lines_are_counted_and_the_first_are_named(
    asks: Callable[..., Any], fleet: Path, tmp_path: Path
) -> None:
    path = tmp_path / "scan.csv"
    path.write_text(nessus([Row("A", ("CVE-26-1",)) for _ in range(1_500)] + [Row("LON-LT-0003", (MAY,))]))
    with open_engine(fleet, clock=FixedClock(NOW)) as engine:
        run = engine.reconcile([path])
        assert [each.judgement.why for each in run] == [Why.BEHIND]
    assert (run.tally.bad_count, len(run.tally.bad)) == (1_500, 1_000)
    first = run.tally.bad[0]
    assert (first.file, first.line, first.field) == ("scan.csv", 2, "CVE")


def test_several_files_are_read_one_after_the_other_and_a_wrong_one_stops_before(fleet: Path, tmp_path: Path) -> None:
    paths = []
    for form in ("nessus", "qualys", "defender-packed"):
        name, make = EXPORTS[form]
        content = make([Row("LON-LT-0003", (MAY,))])
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_engine(fleet, clock=FixedClock(NOW)) as engine:
        with engine.reconcile(paths) as run:
            assert [each.scanner for each in run] == ["nessus", "qualys", "defender"]
        assert [each.rows for each in run.tally.files] == [1, 1, 1]
        assert run.position == run.size
        (tmp_path / "other.csv").write_text("a,b\n1,2\n")
        with pytest.raises(BadInput, match=r"other\.csv"):
            engine.reconcile([*paths, tmp_path / "other.csv"])


def test_it_writes_nothing_and_works_read_only(fleet: Path, tmp_path: Path) -> None:
    path = tmp_path / "scan.csv"
    path.write_text(nessus([row for row, _, _ in PLANTED]))
    before = fleet.read_bytes()
    with open_engine(fleet, clock=FixedClock(NOW), read_only=True) as engine:
        assert len(list(engine.reconcile([path]))) == len(PLANTED)
        with pytest.raises(Refused, match="read-only"):
            engine.exception_record().check()
    assert fleet.read_bytes() == before


def test_memory_does_not_grow_with_the_file(fleet: Path, tmp_path: Path) -> None:
    """Peaks of what Python holds, for a file and one four times as long."""
    peaks = []
    with open_engine(fleet, clock=FixedClock(NOW)) as engine:
        for number in (500, 2_000):
            path = tmp_path / f"{number}.csv"
            path.write_text(nessus([Row(f"LON-LT-000{n % 5 + 1}", (MAY, APRIL), id=str(n)) for n in range(number)]))
            list(engine.reconcile([path]))  # what is loaded once is no part of it
            tracemalloc.start()
            findings = FindingFile()
            with engine.reconcile([path]) as run:
                while not run.is_done:
                    run.fill(findings, 0.01)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert findings.total() == 2 * number
            findings.close()
    assert peaks[1] < peaks[0] + 1_000_000, "more than the block that is read at once"


# --- the file of findings ---------------------------------------------------------------------------


def test_findings_come_back_as_they_went_in_page_by_page(fleet: Path, tmp_path: Path) -> None:
    path = tmp_path / "scan.csv"
    path.write_text(nessus([row for row, _, _ in PLANTED] * 30))
    with open_engine(fleet, clock=FixedClock(NOW)) as engine:
        whole = list(engine.reconcile([path], scanned_at=SEEN))
    kept = FindingFile()
    kept.add(whole[:100])
    kept.add(whole[100:])
    bare = [Reconciled(**{**_fields(each), "number": 0}) for each in kept.each()]
    assert bare == whole
    assert kept.total() == len(whole)
    wanted = (V.TRUE,)
    true_ones = [n for n, each in enumerate(whole, 1) if each.judgement.verdict is V.TRUE]
    assert kept.total(wanted) == len(true_ones)
    top, first = kept.page(wanted, Anchor(AnchorKind.TOP), 7)
    assert ([each.number for each in top], first) == (true_ones[:7], 0)
    after, _ = kept.page(wanted, Anchor(AnchorKind.AFTER, true_ones[6]), 7)
    assert [each.number for each in after] == true_ones[7:14]
    before, _ = kept.page(wanted, Anchor(AnchorKind.BEFORE, true_ones[6]), 3)
    assert [each.number for each in before] == true_ones[3:6]
    end, first = kept.page(wanted, Anchor(AnchorKind.END), 5)
    assert ([each.number for each in end], first) == (true_ones[-5:], len(true_ones) - 5)
    assert kept.position(wanted, true_ones[9]) == 9
    kept.close()


def _fields(each: Reconciled) -> dict[str, Any]:
    return {name: getattr(each, name) for name in Reconciled.__struct_fields__}


def test_an_export_is_one_audit_record(tmp_path: Path) -> None:
    with open_engine(tmp_path / "fleet.db", clock=FixedClock(NOW), create=True) as engine:
        before = engine.exception_record().head()
        engine.exception_record().keep("list.csv", "ab" * 32, 12, {"true": 3, "false-positive": 12}, ["scan.csv"])
        row = engine.reads.activity.audit(1)[0]
        assert row.action == "exceptions-export"
        assert row.details["sha256"] == "ab" * 32
        assert row.summary == "Exception list list.csv: 12 findings of 1 scanner exports"
        assert engine.exception_record().head() != before


def test_the_csv_module_takes_long_cells() -> None:
    assert csv.field_size_limit() >= 1_000_000
