"""`hotpatch reconcile`: counts and lists for people and scripts, exception lists, refusals, exit codes."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest

from console.columns.findings import EXCEPTIONS
from engine import open_engine
from tests.console.cli_kit import call
from tests.console.scan_files import APRIL, MAY, count, write_scan
from tests.engine.scan_exports import Row, hunting, nessus


@pytest.fixture
def scan(demo_state: Path, tmp_path: Path) -> Path:
    return write_scan(demo_state, tmp_path / "scan.csv")


def audit_rows(state: Path) -> list[str]:
    with open_engine(state) as engine:
        return [row.action for row in engine.reads.activity.audit()]


def test_people_see_counts_reasons_and_what_is_open(demo_state: Path, scan: Path) -> None:
    called = call("--db", demo_state, "reconcile", scan)
    assert called.code == 3
    assert "scan.csv: Nessus CSV, 84 rows; scanned Wed 13 May 2026 06:00 UTC by the file's own time" in called.out
    assert "84 findings" in called.out
    for words in ("still open: ", "false positive: ", "unknown device: 2", "not about Windows servicing: 2", "why: "):
        assert words in called.out
    assert "KB5089466" in called.out
    assert "scan.csv, line" in called.err
    assert "write it like CVE-2026-20952" in called.err
    assert audit_rows(demo_state) == []


def test_scripts_get_one_document(demo_state: Path, scan: Path) -> None:
    called = call("--db", demo_state, "reconcile", scan, "--json")
    document = called.document
    assert called.code == 3
    assert document["total"] == count(document) == len(document["findings"]) == 84
    assert (document["bad_lines"], document["bad"][0]["field"]) == (1, "CVE")
    assert document["files"][0] | {"scanned_at": None} == {
        "file": "scan.csv",
        "form": "Nessus CSV",
        "scanner": "nessus",
        "scanned_at": None,
        "scanned_at_source": "the file's own time",
        "rows": 84,
        "skipped": 0,
        "bad": 1,
    }
    false = next(each for each in document["findings"] if each["verdict"] == "false-positive" and each["cve"] == APRIL)
    assert false["proof"]["kb"].startswith("KB50")
    assert set(false["proof"]) == {
        *("kb", "build", "twin_kb", "twin_build", "fixed_by", "baseline_kb", "installed_at", "evidence", "install"),
    }
    behind = next(each for each in document["findings"] if each["why"] == "behind")
    assert (behind["proof"], behind["next_kb"], behind["cve"]) == (None, "KB5089466", MAY)
    assert behind["next_step"].startswith("Install KB5089466")


def test_json_of_nothing_is_a_document_too(demo_state: Path, tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    path.write_text(nessus([]))
    called = call("--db", demo_state, "reconcile", path, "--json")
    assert (called.code, called.document["findings"], called.document["total"]) == (0, [], 0)


def test_only_shows_the_verdicts_that_are_asked_for(demo_state: Path, scan: Path) -> None:
    called = call("--db", demo_state, "reconcile", scan, "--only", "unknown-device", "--json")
    assert {each["verdict"] for each in called.document["findings"]} == {"unknown-device"}
    assert called.document["total"] == 84
    called = call("--db", demo_state, "reconcile", scan, "--only", "unknown-device", "--plain")
    lines = called.out.splitlines()
    assert lines[0].startswith("Verdict\tDevice\tCVE")
    assert [line.split("\t")[1] for line in lines[1:]] == ["LON-LT-GHOST", "10.20.30.40"]
    called = call("--db", demo_state, "reconcile", scan, "--only", "not-servicing")
    assert "CVE-2021-44228" in called.out
    assert "LON-LT-GHOST" not in called.out


def test_nothing_open_and_nothing_unread_ends_with_0(demo_state: Path, tmp_path: Path) -> None:
    path = tmp_path / "scan.csv"
    path.write_text(nessus([Row("GHOST", (MAY,))]))
    assert call("--db", demo_state, "reconcile", path).code == 0


# --- exception lists --------------------------------------------------------------------------------


def test_an_exception_list_holds_what_is_proven_and_the_audit_keeps_its_hash(
    demo_state: Path, scan: Path, tmp_path: Path
) -> None:
    out = tmp_path / "exceptions.csv"
    called = call("--db", demo_state, "reconcile", scan, "--out", out, "--json")
    assert called.code == 3
    verdicts = called.document["verdicts"]
    assert called.document["written"] == verdicts["false-positive"] + verdicts["fixed-since-scan"] > 10
    raw = out.read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(raw.decode("utf-8").splitlines()))
    assert list(rows[0])[:16] == [
        *("scanner", "finding id", "host", "device", "CVE", "verdict", "reason", "KB", "build", "twin KB"),
        *("twin build", "installed at", "evidence", "audit head", "made at", "expires"),
    ]
    assert len(rows) == called.document["written"]
    assert {row["verdict"] for row in rows} <= {"false-positive", "fixed-since-scan"}
    one = next(row for row in rows if row["CVE"] == APRIL)
    assert one["reason"].startswith(("The cumulative update KB", "The hotpatch KB"))
    assert (one["scanner"], one["made at"], one["expires"]) == ("Nessus", "2026-05-13T09:00:00Z", "2026-07-14")
    assert one["installed at"].endswith("Z")
    with open_engine(demo_state) as engine:
        record = engine.reads.activity.audit(1)[0]
    assert (record.action, record.details["file"]) == ("exceptions-export", "exceptions.csv")
    assert record.details["sha256"] == hashlib.sha256(raw).hexdigest()
    assert record.details["verdicts"] == verdicts
    assert call("--db", demo_state, "audit", "verify").code == 0


def test_the_next_list_names_the_audits_head(demo_state: Path, scan: Path, tmp_path: Path) -> None:
    call("--db", demo_state, "reconcile", scan, "--out", tmp_path / "one.csv")
    with open_engine(demo_state) as engine:
        head = engine.exception_record().head()
    call("--db", demo_state, "reconcile", scan, "--out", tmp_path / "two.json", "--only", "all")
    rows = json.loads((tmp_path / "two.json").read_text(encoding="utf-8"))
    assert len(rows) == 84
    assert {row["audit_head"] for row in rows} == {head}
    assert {row["verdict"] for row in rows} >= {"true", "false-positive", "unknown-device", "not-servicing"}
    assert set(rows[0]) == {column.id for column in EXCEPTIONS}


def test_a_file_is_not_replaced_unasked(demo_state: Path, scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "exceptions.csv"
    out.write_text("mine")
    called = call("--db", demo_state, "reconcile", scan, "--out", out)
    assert (called.code, out.read_text(), audit_rows(demo_state)) == (2, "mine", [])
    assert "--force" in called.err
    assert call("--db", demo_state, "reconcile", scan, "--out", out, "--force").code == 3
    assert out.read_text().startswith("scanner,")


@pytest.mark.parametrize("name", ["list.xlsx", "list", "no/such/folder/list.csv"])
def test_a_list_that_cannot_be_is_refused_before_anything_is_read(
    name: str, demo_state: Path, scan: Path, tmp_path: Path
) -> None:
    called = call("--db", demo_state, "reconcile", scan, "--out", tmp_path / name)
    assert (called.code, called.out, audit_rows(demo_state)) == (2, "", [])


def test_read_only_sorts_and_refuses_to_export(demo_state: Path, scan: Path, tmp_path: Path) -> None:
    assert call("--db", demo_state, "--read-only", "reconcile", scan).code == 3
    called = call("--db", demo_state, "--read-only", "reconcile", scan, "--out", tmp_path / "list.csv")
    assert called.code == 4
    assert "recorded" in called.err
    assert list(tmp_path.glob("*list*")) == []


def test_a_scan_that_breaks_off_leaves_no_list(demo_state: Path, tmp_path: Path) -> None:
    path = tmp_path / "pages.json"
    path.write_text('{"@odata.context": "x", "value": [{"cveId": "CVE-2026-1234", "deviceName": "a"}, {')
    called = call("--db", demo_state, "reconcile", path, "--out", tmp_path / "list.csv")
    assert called.code == 2
    assert "pages.json, line 1" in called.err
    assert [each.name for each in tmp_path.iterdir() if "list" in each.name] == []
    assert audit_rows(demo_state) == []


def test_hostile_names_can_do_nothing_in_a_spreadsheet_or_on_the_terminal(demo_state: Path, tmp_path: Path) -> None:
    path = tmp_path / "scan.csv"
    evil = '=HYPERLINK("http://x","y")'
    path.write_text(nessus([Row("+cmd|' /C calc'!A0", (MAY,), id=evil, title="\x1b]52;c;x\x07\u202eWindows")]))
    out = tmp_path / "list.csv"
    called = call("--db", demo_state, "reconcile", path, "--out", out, "--only", "all")
    row = next(iter(csv.DictReader(out.read_text(encoding="utf-8").splitlines())))
    assert row["finding id"].startswith("'=")
    assert row["host"].startswith("'+")
    assert "\x1b" not in out.read_text(encoding="utf-8") + called.out + called.err
    assert "\u202e" not in out.read_text(encoding="utf-8")
    assert "\x1b" not in call("--db", demo_state, "reconcile", path, "--only", "all").out


# --- usage ------------------------------------------------------------------------------------------


def test_times_and_dates_are_told(demo_state: Path, scan: Path, tmp_path: Path) -> None:
    called = call("--db", demo_state, "reconcile", scan, "--scanned-at", "2026-01-01", "--json")
    assert called.document["files"][0]["scanned_at"] == "2026-01-01T00:00:00Z"
    assert called.document["verdicts"]["fixed-since-scan"] > 10
    called = call("--db", demo_state, "reconcile", scan, "--scanned-at", "soon")
    assert called.code == 2
    assert "--scanned-at 2026-05-12" in called.err
    path = tmp_path / "excel.csv"
    path.write_text(hunting([Row("GHOST", (MAY,))]).replace("2026-05-13T06:30:00Z", "5/6/2026 06:30"))
    assert call("--db", demo_state, "reconcile", path).code == 2
    found = call("--db", demo_state, "reconcile", path, "--dates", "day-first", "--json").document
    assert found["findings"][0]["scanned_at"] == "2026-06-05T06:30:00Z"


@pytest.mark.parametrize("arguments", [(), ("none.csv",), ("scan.csv", "--only", "maybe")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], demo_state: Path, tmp_path: Path) -> None:
    called = call("--db", demo_state, "reconcile", *(tmp_path / each if "." in each else each for each in arguments))
    assert (called.code, called.out) == (2, "")
    assert "Traceback" not in called.err
