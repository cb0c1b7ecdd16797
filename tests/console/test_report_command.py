"""`hotpatch report`: formats by option and ending, files, tables, refusals, exit codes, Ctrl+C."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine import open_engine
from engine.model.intents import Actor, Approve
from tests.console.cli_kit import PROJECT, call, environment, spawn
from tests.console.reports_kit import csv_rows, device_lines

KINDS = ("compliance", "readiness", "cost", "activity")


@pytest.mark.parametrize("kind", KINDS)
def test_each_report_in_each_format(prepared_demo: Path, tmp_path: Path, kind: str) -> None:
    beginnings = {
        "html": b"<!DOCTYPE html>",
        "md": b"# ",
        "csv": b"\xef\xbb\xbfreport,section,table,",
        "json": b'{\n  "report": "' + kind.encode(),
    }
    for format, beginning in beginnings.items():
        done = call("--db", prepared_demo, "report", kind, "--out", tmp_path / f"{kind}.{format}")
        assert (done.code, done.out) == (0, ""), done.err
        assert (tmp_path / f"{kind}.{format}").read_bytes().startswith(beginning)
        said = call("--db", prepared_demo, "report", kind, "--format", format)
        assert said.code == 0
        assert said.out.encode().startswith(beginning.removeprefix(b"\xef\xbb\xbf"))
    table = call("--db", prepared_demo, "report", kind)
    assert table.code == 0
    assert "Assumptions" in table.out
    plain = call("--db", prepared_demo, "report", kind, "--plain")
    assert "\t" in plain.out
    assert not re.search("[█▓░●▲]", plain.out)


def test_json_is_the_house_option(prepared_demo: Path) -> None:
    told = call("--db", prepared_demo, "report", "readiness", "--json").document
    assert told == call("--db", prepared_demo, "report", "readiness", "--format", "json").document
    assert told["report"] == "readiness"
    assert told["total"]["devices"] == 500


def test_one_table_alone(prepared_demo: Path, tmp_path: Path) -> None:
    rings = call("--db", prepared_demo, "report", "readiness", "--table", "rings")
    assert [row["name"] for row in csv_rows(rings.out)] == ["Test", "First", "Fast", "Broad", "Last"]
    path = tmp_path / "devices.csv"
    done = call(
        "--db", prepared_demo, "report", "readiness", "--table", "devices", "--filter", "ring:first", "--out", path
    )
    assert done.code == 0
    rows = csv_rows(path.read_text(encoding="utf-8"))
    assert {row["ring"] for row in rows} == {"First"}


def test_an_older_file_is_replaced_only_when_told_so(prepared_demo: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("older", encoding="utf-8")
    refused = call("--db", prepared_demo, "report", "readiness", "--out", path)
    assert refused.code == 2
    assert "--force" in refused.err
    assert path.read_text(encoding="utf-8") == "older"
    assert call("--db", prepared_demo, "report", "readiness", "--out", path, "--force").code == 0
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "There is no report 'nosuch'"),
        (["complience"], "compliance"),
        ([], "KIND"),
        (["readiness", "--out", "x.pdf"], ".html, .md, .csv or .json"),
        (["readiness", "--out", "x"], ".html, .md, .csv or .json"),
        (["readiness", "--out", "no/x.html"], "no such folder"),
        (["readiness", "--format", "table", "--out", "x.txt"], "for the terminal"),
        (["readiness", "--format", "pdf"], "html"),
        (["readiness", "--format", "md", "--json"], "exclude each other"),
        (["readiness", "--table", "rings", "--json"], "--table is for CSV"),
        (["readiness", "--table", "nosuch"], "Its tables are"),
        (["readiness", "--from", "2026-01"], "no period"),
        (["activity", "--from", "yesterday"], "--from 2026-03"),
        (["readiness", "--filter", "rnig:first"], "ring"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(
    prepared_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("--db", prepared_demo, "report", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert list(tmp_path.glob("x*")) == []


def test_a_broken_audit_is_told_and_needs_attention(demo_state: Path) -> None:
    with open_engine(demo_state, actor=Actor("ann", "here")) as engine:
        engine.carry_out(engine.plan(Approve(5089466, (), "tested")))
    with sqlite3.connect(demo_state) as connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("UPDATE audit SET previous = 'x' WHERE seq = 1")
    connection.close()
    done = call("--db", demo_state, "report", "activity", "--json")
    assert done.code == 3
    assert done.document["chain"]["holds"] is False
    assert "does not hold" in call("--db", demo_state, "report", "activity").out


def test_a_record_that_cannot_be_read_stops_neither_report_nor_feed(demo_state: Path) -> None:
    with open_engine(demo_state, actor=Actor("ann", "here")) as engine:
        engine.carry_out(engine.plan(Approve(5089466, (), "tested")))
    with sqlite3.connect(demo_state) as connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("UPDATE audit SET body = 'x' WHERE seq = 1")
    connection.close()
    done = call("--db", demo_state, "report", "activity", "--json")
    assert done.code == 3
    assert done.document["chain"]["holds"] is False
    feed = call("--db", demo_state, "activity")
    assert feed.code == 0
    assert "cannot be read" in feed.out


def test_pictures_of_lines_fit_a_terminal(prepared_demo: Path) -> None:
    out = call("--db", prepared_demo, "report", "compliance").out.splitlines()
    drawn = [line for line in out if set(line) & set("▁▂▃▄▅▆▇█") and "now" not in line]
    assert len(drawn) == 6
    assert max(map(len, drawn)) <= 80
    assert any("0 to 3 wk" in line for line in out)


def test_what_the_present_share_is_of_is_told_where_the_fleet_has_changed(demo_state: Path) -> None:
    told = "501 devices that are in the fleet now"
    assert "in the fleet now" not in call("--db", demo_state, "report", "compliance").out
    new = device_lines(["NEW-01"], demo_state.with_name("new.json"))
    assert call("--db", demo_state, "--yes", "import", new).code == 0
    assert told in call("--db", demo_state, "report", "compliance").out
    assert told in call("--db", demo_state, "report", "compliance", "--format", "html").out


def test_a_report_needs_no_right_to_write(demo_state: Path) -> None:
    before = demo_state.read_bytes()
    assert spawn("--db", demo_state, "--read-only", "report", "readiness", "--format", "html").code == 0
    assert demo_state.read_bytes() == before


def test_pages_are_utf8_whatever_the_terminal_speaks(prepared_demo: Path) -> None:
    code = (
        "import sys; from console.cli import run; "
        f"sys.exit(run(['--db', {str(prepared_demo)!r}, 'report', 'readiness', '--format', 'html']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=environment({"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0
    assert "Zürich" in done.stdout.decode("utf-8")


def test_who_reads_only_the_beginning_is_no_error(prepared_demo: Path) -> None:
    command = f"'{sys.executable}' -m console --db '{prepared_demo}' report readiness --format html | head -1"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=environment(), timeout=120, check=False, cwd=PROJECT
    )
    assert done.stdout == "<!DOCTYPE html>\n"
    assert done.stderr == ""


def test_ctrl_c_leaves_no_half_file(prepared_demo: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background starts without
        "from console.reports import csv\n"
        "whole = csv.table_lines\n"
        "def slow(table):\n"
        "    for number, line in enumerate(whole(table)):\n"
        "        if number == 5:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        yield line\n"
        "csv.table_lines = slow\n"
        "from console.cli import run\n"
        f"sys.exit(run(['--db', {str(prepared_demo)!r}, 'report', 'readiness', '--table', 'devices', "
        f"'--out', {str(path)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=120, check=False
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["json", "table", "csv", "md"])
def test_only_pages_load_what_makes_pages(prepared_demo: Path, format: str) -> None:
    code = (
        "import sys\nfrom console.cli import run\n"
        f"assert run(['--db', {str(prepared_demo)!r}, 'report', 'readiness', '--format', {format!r}]) == 0\n"
        "print(*[each for each in ('jinja2', 'textual', 'httpx', 'pydantic') if each in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=120, check=True
    )
    assert done.stderr.split() == []


def test_compliance_tells_counts_and_shares_by_release_ring_and_platform(prepared_demo: Path) -> None:
    told = json.loads(call("--db", prepared_demo, "report", "compliance", "--json").out)
    assert told["releases"]
    for release in told["releases"]:
        for part in (release, *release["rings"], *release["platforms"]):
            for mark in ("within_24h", "within_5d", "within_3w"):
                assert 0 <= part[mark]["protected"] <= part[mark]["devices"] <= part["devices"]
                assert part[mark]["share"] == pytest.approx(part[mark]["protected"] / part["devices"], abs=1e-6)


def test_the_templates_are_part_of_the_package() -> None:
    from importlib.resources import files

    names = {each.name for each in (files("console.reports") / "templates").iterdir()}
    assert names >= {"report.html.jinja", "report.css"}
