"""Reports: the same figures in every format, safe with hostile text, right for empty fleets and periods."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from console.cli.reporting import document
from console.reports.csv import report_lines, table_lines
from console.reports.making import KINDS, STREAMS, Made, ReportRequest, lines, make, open_table
from console.reports.model import Report, ReportCell, ReportTable
from engine import Engine, open_engine
from engine.model.errors import BadInput, NotFound
from engine.model.intents import Actor, Approve
from tests.console.cli_kit import environment
from tests.console.reports_kit import HOSTILE, Page, at, csv_rows, markdown_tables

HOTPATCH = 5089466
SIGNS = re.compile(r"[●◐▲✗?] ")


@pytest.fixture(scope="module")
def made(prepared_demo: Path) -> dict[str, Made]:
    """Every report of the demo at its beginning."""
    with open_engine(prepared_demo, read_only=True) as engine:
        return {kind: make(engine, ReportRequest(kind)) for kind in KINDS}


def text(made: Made, format: str) -> str:
    return "".join(lines(made.report, format))


def as_json(made: Made) -> Any:
    return json.loads(json.dumps(document(made)))


def same(cell: ReportCell, told: Any) -> bool:
    """Whether a cell and a value of the JSON document are the same value."""
    if isinstance(cell.raw, float) and isinstance(told, int | float):
        return abs(cell.raw - told) < 0.006 if abs(cell.raw) > 1 else abs(cell.raw - told) < 2e-6
    return bool(cell.raw == told)


# --- the same everywhere ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_stands_in_the_json_document(made: dict[str, Made], kind: str) -> None:
    document = as_json(made[kind])
    figures = list(made[kind].report.all_figures())
    assert figures
    for _, figure in figures:
        assert same(figure.cell, at(document, figure.id)), figure


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_of_every_table_stands_in_the_json_document(made: dict[str, Made], kind: str) -> None:
    document = as_json(made[kind])
    compared = 0
    for _, table in made[kind].report.tables():
        if not table.source:
            continue
        told = at(document, table.source)
        assert len(told) == len(table.rows), table.id
        for row, item in zip(table.rows, told, strict=True):
            for head, cell in zip(table.heads, row, strict=True):
                assert same(cell, at(item, head.id)), (table.id, head.id, cell)
                compared += 1
    assert compared > 20


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_every_figure_and_cell(made: dict[str, Made], kind: str) -> None:
    report = made[kind].report
    page = Page(text(made[kind], "html"))
    assert page.figures == [(shown(figure.title), shown(figure.cell.text)) for _, figure in report.all_figures()]
    assert page.tables == [table_of(table) for table in readable(report)]


@pytest.mark.parametrize("kind", KINDS)
def test_markdown_shows_every_figure_and_cell(made: dict[str, Made], kind: str) -> None:
    report = made[kind].report
    tables = list(markdown_tables(text(made[kind], "md")))
    figures = [row[:2] for table in tables if table[0][:2] == ["Figure", "Value"] for row in table[1:]]
    assert figures == [[shown(figure.title), shown(figure.cell.text)] for _, figure in report.all_figures()]
    assert [table for table in tables if table[0][:2] != ["Figure", "Value"]] == [
        table_of(table) for table in readable(report)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_csv_holds_every_figure_and_cell(made: dict[str, Made], kind: str) -> None:
    report = made[kind].report
    rows = csv_rows(text(made[kind], "csv"))
    values = [(row["table"], row["measure"], row["value"]) for row in rows]
    expected = [("", figure.id, plain(figure.cell)) for _, figure in report.all_figures()]
    for _, table in report.tables():
        expected += [
            (table.id, head.id, plain(cell))
            for row in table.rows
            for head, cell in zip(table.heads, row, strict=True)
            if not head.dimension
        ]
    assert values == expected


def readable(report: Report) -> list[ReportTable]:
    return [table for _, table in report.tables() if table.rows and not table.is_data]


def table_of(table: ReportTable) -> list[list[str]]:
    heads = [shown(head.title) for head in table.heads]
    return [heads, *([shown(cell.text) for cell in row] for row in table.rows)]


def shown(words: str) -> str:
    return " ".join(words.split())


def plain(cell: ReportCell) -> str:
    if cell.raw is None:
        return ""
    if isinstance(cell.raw, bool):
        return str(cell.raw).lower()
    return "'" * (isinstance(cell.raw, str) and cell.raw[:1] in "=+-@|%" and cell.raw != "") + str(cell.raw)


# --- the page ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_one_file_that_asks_for_nothing(made: dict[str, Made], kind: str) -> None:
    content = text(made[kind], "html")
    page = Page(content)
    assert not page.names() & {"script", "link", "iframe", "img", "object", "form", "base"}
    for _, attributes in page.elements:
        assert not set(attributes) & {"src", "href", "style", "onload", "action", "srcset"}
    assert "url(" not in content
    assert "@import" not in content
    policies = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert policies[0] is not None
    assert policies[0].startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_can_be_read_without_seeing_it(made: dict[str, Made], kind: str) -> None:
    page = Page(text(made[kind], "html"))
    headings = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids, tag
        if tag == "svg":
            assert attributes["role"] == "img"
        if tag == "th":
            assert attributes["scope"] in ("col", "row")
    assert ("html", {"lang": "en"}) in page.elements


@pytest.mark.parametrize("kind", KINDS)
def test_csv_tables_have_one_title_a_column_and_end_lines_as_import_csv_wants(made: dict[str, Made], kind: str) -> None:
    for _, table in made[kind].report.tables():
        content = "".join(table_lines(table))
        titles = content.split("\r\n", 1)[0].split(",")
        assert len(titles) == len(set(titles)) == len(table.heads)
        assert content.endswith("\r\n")
        assert "\n" not in content.replace("\r\n", "")


# --- hostile text -----------------------------------------------------------------------------------


@pytest.fixture
def hostile(demo_state: Path) -> Iterator[Engine]:
    """A fleet whose devices, users, sites, rings and reasons are out to do harm."""
    for number, words in enumerate(HOSTILE):
        with open_engine(demo_state, actor=Actor(words.replace("\0", ""), words)) as engine:
            engine.remember(f"n{number}", "x")
            if number == 0:
                engine.carry_out(engine.plan(Approve(HOTPATCH, (), " ".join(HOSTILE))))
    with sqlite3.connect(demo_state) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM device WHERE verdict <> 'ready' ORDER BY name_key")]
        for place, words in zip(ids, HOSTILE, strict=False):
            connection.execute(
                "UPDATE device SET name = ?, user = ?, site = ?, name_key = ?, provider = ? WHERE id = ?",
                (words, words, words, f"  {place}", words, place),
            )
        connection.execute("UPDATE ring SET name = ? WHERE position = 1", (HOSTILE[0],))
        connection.execute("UPDATE ring SET name = ? WHERE position = 2", (HOSTILE[5],))
    connection.close()
    with open_engine(demo_state) as engine:
        yield engine


@pytest.mark.parametrize("kind", KINDS)
def test_no_name_becomes_markup_of_the_page(hostile: Engine, kind: str) -> None:
    made = make(hostile, ReportRequest(kind))
    content = text(made, "html")
    page = Page(content)
    assert not page.names() & {"script", "img", "a"}
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "{{ 7 * 7 }}" in content or kind in ("cost", "activity")
    harmful = ("\x1b", "\x07", "\u202e", "\u200b")
    for format in ("html", "md", "csv"):
        written = text(made, format)
        assert not any(each in written for each in harmful), format


@pytest.mark.parametrize("kind", KINDS)
def test_no_name_breaks_a_markdown_table(hostile: Engine, kind: str) -> None:
    made = make(hostile, ReportRequest(kind))
    expected = [table_of(table) for table in readable(made.report)]
    found = [table for table in markdown_tables(text(made, "md")) if table[0][:2] != ["Figure", "Value"]]
    assert [[len(row) for row in table] for table in found] == [[len(row) for row in table] for table in expected]
    for line in text(made, "md").splitlines():
        assert not re.search(r"(?<!\\)<(script|img)", line)
        assert not re.search(r"(?<!\\)\]\(", line)


@pytest.mark.parametrize("kind", KINDS)
def test_no_cell_of_csv_begins_a_formula(hostile: Engine, kind: str) -> None:
    request = ReportRequest(kind)
    made = make(hostile, request)
    contents = [text(made, "csv")]
    contents += ["".join(table_lines(table)) for _, table in made.report.tables()]
    if kind in STREAMS:
        contents.append("".join(table_lines(open_table(hostile, request, STREAMS[kind]))))
    for content in contents:
        for row in csv_rows(content):
            for cell in row.values():
                assert not re.match(r"[=+@|%\t\r\n]", cell), cell
                assert not cell.startswith("-") or re.fullmatch(r"-?[\d.]+(e-\d+)?", cell), cell


# --- nothing to tell --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_fleet_has_a_report_that_says_so(tmp_path: Path, kind: str) -> None:
    with open_engine(tmp_path / "empty.db", create=True) as engine:
        made = make(engine, ReportRequest(kind))
        for format in ("html", "md", "csv"):
            assert text(made, format)
        assert as_json(made)["report"] == kind
    assert "nothing" in made.report.subtitle or kind == "activity"


@pytest.mark.parametrize("kind", ["compliance", "cost", "activity"])
def test_a_period_in_which_nothing_happened(prepared_demo: Path, kind: str) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        made = make(engine, ReportRequest(kind, "2019-01", "2019-03"))
        for format in ("html", "md", "csv"):
            assert text(made, format)
    assert as_json(made)["report"] == kind


def test_a_filter_narrows_the_figures(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        whole = as_json(make(engine, ReportRequest("readiness")))["total"]["devices"]
        some = as_json(make(engine, ReportRequest("readiness", filter="ring:first")))
        assert 0 < some["total"]["devices"] < whole
        assert [each["name"] for each in some["rings"]] == ["First"]
        with pytest.raises(BadInput):
            make(engine, ReportRequest("readiness", filter="nosuch:field"))
        with pytest.raises(BadInput):
            make(engine, ReportRequest("activity", filter="nosuch:field"))


# --- tables of any length ---------------------------------------------------------------------------


def test_the_list_of_devices_is_every_device_that_restarts(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        found = as_json(make(engine, ReportRequest("readiness")))
        stream = open_table(engine, ReportRequest("readiness"), "devices")
        rows = csv_rows("".join(table_lines(stream)))
    assert len(rows) == found["restarts"]
    assert {row["readiness"] for row in rows} <= {"not-ready", "unknown"}


def test_the_list_of_decisions_follows_period_and_filter(demo_state: Path) -> None:
    with open_engine(demo_state, actor=Actor("ann", "here")) as engine:
        engine.carry_out(engine.plan(Approve(HOTPATCH, (), "tested")))
        every = csv_rows("".join(table_lines(open_table(engine, ReportRequest("activity"), "decisions"))))
        mine = csv_rows(
            "".join(table_lines(open_table(engine, ReportRequest("activity", filter="by:ann"), "decisions")))
        )
        before = ReportRequest("activity", "2020-01", "2020-02-03")
        none = csv_rows("".join(table_lines(open_table(engine, before, "decisions"))))
    assert [row["reason"] for row in mine] == ["tested"]
    assert len(every) >= 1
    assert none == []


def test_a_hundred_thousand_rows_need_no_memory() -> None:
    code = (
        "import resource\n"
        "from console.reports.csv import table_lines\n"
        "from console.reports.readiness import device_stream\n"
        "from tests.console.fake_engine import NOW, device_row\n"
        "def write(rows):\n"
        "    size = sum(len(piece) for piece in table_lines(device_stream(map(device_row, range(rows)), NOW)))\n"
        "    return size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(*write(2_000), *write(100_000))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True, timeout=120
    )
    small_size, small_peak, size, peak = map(int, done.stdout.split())
    assert size > 40 * small_size > 100_000
    assert peak - small_peak < 0.1 * small_peak


def test_a_table_that_is_not_there_names_those_that_are(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine, pytest.raises(NotFound, match="rings") as refused:
        open_table(engine, ReportRequest("readiness"), "ringz")
    assert refused.value.nearest[0] == "rings"


# --- periods ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["2026", "2026-13", "2026-02-30", "May", "26-05", "2026-05-01T10:00", "１"])
def test_what_is_no_month_and_no_day_is_refused(prepared_demo: Path, words: str) -> None:
    with open_engine(prepared_demo, read_only=True) as engine, pytest.raises(BadInput, match="neither a month"):
        make(engine, ReportRequest("activity", words))


@pytest.mark.parametrize("words", ["2014-12", "9999-01", "2101-01-01"])
def test_a_month_out_of_range_is_told_as_that(prepared_demo: Path, words: str) -> None:
    with open_engine(prepared_demo, read_only=True) as engine, pytest.raises(BadInput, match="between 2015 and 2100"):
        make(engine, ReportRequest("activity", words))


@pytest.mark.parametrize("kind", ["activity", "compliance", "cost"])
def test_a_period_that_begins_in_the_future_says_so(prepared_demo: Path, kind: str) -> None:
    with open_engine(prepared_demo, read_only=True) as engine, pytest.raises(BadInput, match="not begun") as refused:
        make(engine, ReportRequest(kind, "2030-01"))
    assert "--to" not in refused.value.instead


def test_compliance_of_no_device_says_so(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        report = make(engine, ReportRequest("compliance", filter="name:zzzz")).report
    assert report.subtitle == "No device matches: there is nothing to measure."


@pytest.mark.parametrize("kind", ["activity", "compliance", "cost"])
def test_a_period_that_ends_before_it_begins_is_refused(prepared_demo: Path, kind: str) -> None:
    with open_engine(prepared_demo, read_only=True) as engine, pytest.raises(BadInput, match="ends before"):
        make(engine, ReportRequest(kind, "2026-05", "2026-03"))


def test_months_and_days_are_whole(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        month = as_json(make(engine, ReportRequest("activity", "2026-02", "2026-02")))
        day = as_json(make(engine, ReportRequest("activity", "2026-02-03", "2026-02-03")))
        leap = as_json(make(engine, ReportRequest("activity", "2024-02", "2024-02")))
    assert (month["since"], month["until"]) == ("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
    assert (day["since"], day["until"]) == ("2026-02-03T00:00:00Z", "2026-02-04T00:00:00Z")
    assert leap["until"] == "2024-03-01T00:00:00Z"


def test_readiness_has_no_period(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine, pytest.raises(BadInput, match="has no period"):
        make(engine, ReportRequest("readiness", "2026-01"))


def test_the_report_says_where_it_comes_from(made: dict[str, Made]) -> None:
    origin = as_json(made["readiness"])["origin"]
    assert origin["state_file"] == "prepared.db"
    assert origin["demo"] is True
    assert origin["made"] == made["readiness"].report.origin.made_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert len(origin["facts"]) == 1
    page = text(made["readiness"], "html")
    assert "no real devices" in page
    assert made["readiness"].report.origin.made_at - datetime(2026, 5, 13, 9, tzinfo=UTC) < timedelta(days=1)
    assert "".join(report_lines(made["readiness"].report)).count("\r\n") > 100
