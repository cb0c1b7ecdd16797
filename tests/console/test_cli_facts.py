"""Commands that print facts: their JSON, tables and CSV agree with the engine."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.cli import SECTIONS, reference
from engine import Engine, open_engine
from engine.model.records.fleet import DeviceQuery
from tests.console.cli_kit import call

PLATFORMS = {"win11-24h2", "win11-25h2", "server-2025", "server-2022"}
KINDS = {"baseline", "unplanned-baseline", "hotpatch", "oob-hotpatch", "lcu", "oob-lcu"}


@pytest.fixture
def engine(prepared_demo: Path) -> Iterator[Engine]:
    with open_engine(prepared_demo, read_only=True) as engine:
        yield engine


def test_devices_are_one_document_of_the_whole_fleet(prepared_demo: Path) -> None:
    called = call("--db", prepared_demo, "devices", "--json")

    assert (called.code, called.err) == (0, "")
    assert called.out.isascii()
    rows = called.document
    assert len(rows) >= 480
    assert len({row["name"] for row in rows}) == len(rows)
    assert {row["readiness"] for row in rows} == {"ready", "not-ready", "unknown"}
    assert {row["platform"] for row in rows} == PLATFORMS
    for row in rows:
        assert isinstance(row["reasons"], list)
        assert bool(row["reasons"]) == (row["readiness"] != "ready")
        assert set(row) == {
            *("name", "platform", "architecture", "build", "ring", "readiness", "reasons", "state", "track"),
            *("protected", "user", "site", "model", "form", "last_seen", "tenant", "as_of"),
        }


def test_json_may_be_asked_for_before_or_after_the_command(prepared_demo: Path) -> None:
    after = call("--db", prepared_demo, "rings", "--json")
    before = call("--json", "rings", "--db", prepared_demo)

    assert after.document == before.document


def test_releases_are_one_object_a_release_and_platform(prepared_demo: Path) -> None:
    rows = call("--db", prepared_demo, "releases", "--json").document

    assert {row["platform"] for row in rows} == PLATFORMS
    assert {row["kind"] for row in rows} <= KINDS
    assert len({(row["kb"], row["platform"]) for row in rows}) == len(rows)
    may = {row["platform"]: row for row in rows if row["kb"] == "KB5089466"}
    assert {name: row["build"] for name, row in may.items()} == {
        "win11-24h2": "26100.8390",
        "win11-25h2": "26200.8390",
    }
    for row in may.values():
        assert row["kind"] == "hotpatch"
        assert row["restart_required"] is False
        assert row["month"] == "2026-05"
        assert row["released"] == "2026-05-12T17:00:00Z"
        assert isinstance(row["cves"], int)
        assert row["cves"] > 0
        assert row["architectures"] == ["x64", "arm64"]
    assert all(row["released"] <= "2026-05-13T09:00:00Z" for row in rows), "what is not published yet is not known"


def test_releases_of_one_platform(prepared_demo: Path) -> None:
    rows = call("--db", prepared_demo, "releases", "--platform", "server-2022", "--json").document

    assert {row["platform"] for row in rows} == {"server-2022"}


def test_a_release_tells_what_it_fixes_and_leaves_open(prepared_demo: Path) -> None:
    found = call("--db", prepared_demo, "release", "kb5089466", "--json").document

    assert found["kb"] == "KB5089466"
    for platform in found["platforms"]:
        assert platform["twin"]["kb"] == "KB5089549"
        assert len(platform["fixes"]) == platform["cves"]
        assert platform["not_covered"] == []
        assert {"cve", "severity", "cvss", "exploited", "disclosed"} <= set(platform["fixes"][0])
        assert set(platform["by_architecture"]) == {"x64", "arm64"}


def test_what_a_hotpatch_leaves_open_names_what_closes_it(prepared_demo: Path) -> None:
    found = call("--db", prepared_demo, "release", "KB5068966", "--json").document
    gaps = [gap for platform in found["platforms"] for gap in platform["not_covered"]]

    assert all(gap["cve"].startswith("CVE-") and gap["closed_by"] for gap in gaps)


def test_rings_give_each_ring_and_release_with_its_gate(prepared_demo: Path) -> None:
    rows = call("--db", prepared_demo, "rings", "--json").document

    assert [row["ring"] for row in rows if row["kb"] == "KB5089466"] == ["Test", "First", "Fast", "Broad", "Last"]
    for row in rows:
        assert row["reachable"] == sum(row[name] for name in ("installed", "failed", "active", "not_ready", "pending"))
        assert row["offered"] == row["installed"] + row["failed"] + row["active"]
        for condition in row["gate"]["conditions"]:
            assert set(condition) == {"name", "needed", "value", "holds"}
        assert row["gate"]["holds"] == all(each["holds"] for each in row["gate"]["conditions"])


def test_rings_of_one_release(prepared_demo: Path) -> None:
    rows = call("--db", prepared_demo, "rings", "--release", "KB5087424", "--json").document

    assert {row["kb"] for row in rows} == {"KB5087424"}


def test_the_calendar_has_twelve_months_for_each_platform(prepared_demo: Path) -> None:
    years = call("--db", prepared_demo, "calendar", "--json").document

    assert [year["platform"] for year in years] == ["win11-24h2", "win11-25h2", "server-2025", "server-2022"]
    for year in years:
        assert [month["month"] for month in year["months"]] == [f"2026-{number:02}" for number in range(1, 13)]
        assert [month["forecast"] for month in year["months"]] == [False] * 5 + [True] * 7
        assert year["next_baseline"] == "2026-07-14T17:00:00Z"
        assert year["restarts"]["so_far"] == sum(m["restart"] for m in year["months"] if not m["forecast"])
    assert call("--db", prepared_demo, "calendar", "--year", "2025", "--json").document[0]["year"] == 2025


def test_the_calendar_goes_to_calendar_programs(prepared_demo: Path) -> None:
    called = call("--db", prepared_demo, "calendar", "--platform", "server-2025", "--ics")

    assert called.out.startswith("BEGIN:VCALENDAR")
    assert "UID:server-2025-2026-05@" in called.out


def test_failures_are_groups_with_the_next_step(prepared_demo: Path) -> None:
    groups = call("--db", prepared_demo, "failures", "--json").document

    assert (
        sum(group["devices"] for group in groups)
        == call("--db", prepared_demo, "status", "--json").document["failures"]
    )
    for group in groups:
        assert group["code"].startswith("0x")
        assert group["cause"]
        assert group["remedy"]
        assert group["retry"]["worth_it"] in ("yes", "after-fix", "no")
        assert group["sla"]["state"] in ("ok", "due-soon", "overdue")
    shared = [factor for group in groups for factor in group["common"]]
    assert any("Latitude 7450" in factor["value"] for factor in shared)


def test_failures_of_a_filter(prepared_demo: Path) -> None:
    every = call("--db", prepared_demo, "failures", "--json").document
    some = call("--db", prepared_demo, "failures", "ring:fast", "--json").document

    assert 0 < sum(group["devices"] for group in some) < sum(group["devices"] for group in every)


def test_a_device_is_told_check_by_check(prepared_demo: Path, engine: Engine) -> None:
    row = next(engine.reads.devices.each(DeviceQuery("reason:vbs")))
    found = call("--db", prepared_demo, "device", row.name.lower(), "--json").document

    assert found["name"] == row.name
    assert found["readiness"]["verdict"] == "not-ready"
    unmet = [check for check in found["readiness"]["checks"] if check["result"] == "not-met"]
    assert "vbs" in {check["check"] for check in unmet}
    for check in found["readiness"]["checks"]:
        assert {"check", "result", "found", "needed", "fix", "source"} <= set(check)
    assert all(check["fix"] and check["source"] for check in unmet)
    assert found["installs"], "a sample device has a history"


def test_readiness_and_status_add_up(prepared_demo: Path) -> None:
    readiness = call("--db", prepared_demo, "readiness", "--json").document
    status = call("--db", prepared_demo, "status", "--json").document

    assert sum(readiness["verdicts"].values()) == readiness["devices"] == status["totals"]["devices"]
    funnel = readiness["funnel"]
    assert funnel["devices"] >= funnel["eligible"] >= funnel["enrolled"] >= funnel["ready"] > 0
    assert status["funnel"] == funnel
    assert status["now"] == "2026-05-13T09:00:00Z"
    assert status["demo"] == {"speed": 60.0, "paused": False, "scenario": "none"}
    assert {each["platform"] for each in status["next_restart"]} == PLATFORMS
    assert status["compliance"][0]["platform"] is None
    assert status["attention"]
    assert sum(each["devices"] for each in readiness["reasons"]) >= readiness["verdicts"]["not-ready"]


@pytest.mark.parametrize(
    ("words", "filter_text"),
    [
        (("ring:test",), "ring:test"),
        (("-ready", "form:laptop"), "-ready form:laptop"),
        (("-ring:broad",), "-ring:broad"),
        (("build<26100.8000",), "build<26100.8000"),
        (("platform:server-2025 ring:broad",), "platform:server-2025 ring:broad"),
        (("model:Latitude 7450",), 'model:"Latitude 7450"'),
        (("ring:broad alice",), "ring:broad alice"),
        (("--", "-ready"), "-ready"),
    ],
)
def test_a_filter_means_the_same_on_the_command_line(
    prepared_demo: Path, engine: Engine, words: tuple[str, ...], filter_text: str
) -> None:
    rows = call("--db", prepared_demo, "--json", "devices", *words).document

    assert [row["name"] for row in rows] == [row.name for row in engine.reads.devices.each(DeviceQuery(filter_text))]


def test_views_are_filters_with_names(prepared_demo: Path) -> None:
    views = {view["name"]: view["filter"] for view in call("views", "--json").document}
    rows = call("--db", prepared_demo, "devices", "--view", "not-ready", "--json").document

    assert views["not-ready"] == "readiness:not-ready"
    assert {row["readiness"] for row in rows} == {"not-ready"}


def test_views_of_the_settings_can_be_used(prepared_demo: Path, own_folders: Path) -> None:
    folder = own_folders / "config" / "hotpatch"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[views]\nservers = "form:server"\n')

    rows = call("--db", prepared_demo, "devices", "--view", "Servers", "--json").document

    assert {row["form"] for row in rows} == {"server"}


def test_sort_and_limit(prepared_demo: Path) -> None:
    rows = call("--db", prepared_demo, "devices", "--sort=-name", "--limit", "3", "--json").document
    names = sorted((row["name"] for row in call("--db", prepared_demo, "devices", "--json").document), key=str.casefold)

    assert [row["name"] for row in rows] == names[::-1][:3]


def test_table_and_csv_hold_the_same_devices(prepared_demo: Path) -> None:
    rows = call("--db", prepared_demo, "devices", "ring:test", "--json").document
    plain = call("--db", prepared_demo, "devices", "ring:test", "--plain")
    comma = call("--db", prepared_demo, "devices", "ring:test", "--csv")
    table = call("--db", prepared_demo, "devices", "ring:test")

    names = [row["name"] for row in rows]
    assert [line.split("\t")[0] for line in plain.out.splitlines()[1:]] == names
    cells = list(csv.reader(io.StringIO(comma.out)))
    assert [line[0] for line in cells[1:]] == names
    assert ["\t".join(line) for line in cells] == plain.out.splitlines()
    assert [line.split()[0] for line in table.out.splitlines()[1:]] == names
    assert table.err == f"{len(names)} devices\n"


def test_a_cut_table_says_so(prepared_demo: Path) -> None:
    called = call("--db", prepared_demo, "devices", "--limit", "2")

    assert len(called.out.splitlines()) == 3
    assert called.err.startswith("2 of 500 devices.")


def test_nothing_found_is_an_empty_array(prepared_demo: Path) -> None:
    called = call("--db", prepared_demo, "devices", "name:nobody-has-this", "--json")

    assert (called.code, called.document) == (0, [])


@pytest.mark.parametrize(
    "words",
    [
        *(("status",), ("devices",), ("readiness",), ("rings",), ("releases",), ("releases", "--all")),
        *(("release", "KB5087423"), ("calendar",), ("failures",), ("approvals",), ("activity",), ("views",)),
        *(("clock",), ("audit", "verify"), ("runbook",), ("runbook", "network"), ("doctor",)),
    ],
    ids=" ".join,
)
def test_facts_for_people_and_for_scripts(prepared_demo: Path, words: tuple[str, ...]) -> None:
    people = call("--db", prepared_demo, *words)
    plain = call("--db", prepared_demo, *words, "--plain")
    scripts = call("--db", prepared_demo, *words, "--json")

    assert (people.code, plain.code, scripts.code) == (0, 0, 0)
    assert people.out or people.err
    assert "\x1b" not in people.out + plain.out
    assert isinstance(json.loads(scripts.out), dict | list)
    assert scripts.err == ""


def test_reading_changes_nothing(demo_state: Path) -> None:
    before = demo_state.read_bytes()
    for words in (("status",), ("devices",), ("rings",), ("failures",), ("release", "KB5089466"), ("doctor",)):
        call("--db", demo_state, *words)

    assert demo_state.read_bytes() == before


def rewrite_audit(path: Path) -> None:
    """What somebody does who has the file and SQLite, but not the chain."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            if "audit" in name:
                connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE audit SET body = replace(body, 'pilot', 'other')")


def test_the_audit_is_verified(demo_state: Path) -> None:
    call("--db", demo_state, "approve", "KB5089466", "--ring", "Test", "--reason", "pilot")
    good = call("--db", demo_state, "audit", "verify", "--json")
    rewrite_audit(demo_state)
    bad = call("--db", demo_state, "audit", "verify", "--json")

    assert good.code == 0
    assert {name: good.document[name] for name in ("holds", "records", "break")} == {
        "holds": True,
        "records": 1,
        "break": None,
    }
    assert bad.code == 3
    assert bad.document["break"]["seq"] == 1
    assert call("--db", demo_state, "doctor").code == 3


def test_the_documents_name_every_command() -> None:
    named = {usage.split()[1] for _, usage, _ in reference.command_rows()}

    assert named == {name for section in SECTIONS.values() for name in section}
    for _, usage, meaning in reference.command_rows():
        assert "RANGE" not in usage, "every value has a name of its own"
        assert meaning.endswith((".", "alice", "run", "activity")), usage
    table = reference.commands_markdown()
    assert len(table.splitlines()) == len(list(reference.command_rows())) + 2
    assert all(line.count("|") - line.count("\\|") == 3 for line in table.splitlines())
    assert "| 4 | refused" in reference.exit_codes_markdown()
    assert "`--db` `PATH`" in reference.options_markdown()


@pytest.mark.shared
def test_documents_are_taken_in_once(tmp_path: Path) -> None:
    from tests.conftest import SHARED

    path = tmp_path / "fleet.db"
    broken = tmp_path / "broken.xml"
    broken.write_text("<html>Sign in</html>")
    document = SHARED / "msrc" / "cvrf-2026-May.xml.gz"

    first = call("--db", path, "catalog", "import", document, "--json")
    second = call("--db", path, "catalog", "import", document, "--json")
    faulty = call("--db", path, "catalog", "import", document, broken, "--json")
    missing = call("--db", path, "catalog", "import", tmp_path / "none.xml")

    assert (first.code, second.code, faulty.code, missing.code) == (0, 0, 3, 2)
    assert second.document["documents"]["unchanged"] == ["2026-05"]
    assert second.document["new"] == []
    assert faulty.document["faults"][0]["subject"] == "broken.xml"
    assert "broken.xml" in faulty.err
    assert call("--db", path, "releases", "--json").document, "a new state file has the bundled catalog"
    assert call("--db", path, "devices", "--json").document == []


def test_sync_reports_what_the_service_shows(tmp_path: Path) -> None:
    called = call("--db", tmp_path / "fleet.db", "catalog", "sync", "--base-url", "ftp://example.org")

    assert called.code == 2
    assert "https://" in called.err
