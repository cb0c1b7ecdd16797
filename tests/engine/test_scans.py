"""Scanner exports: whose they are, what a row says, what is skipped, and what cannot be read, by line and column."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.files.moments import DateOrder
from engine.files.scans import BadLine, ScanFile, ScanFinding, ScannedLine, Scanner, SkippedLine
from engine.files.scans.rows import cves_in
from engine.model.errors import BadInput
from tests.engine.scan_exports import (
    EXPORTS,
    NESSUS,
    SEEN,
    Row,
    defender_objects,
    hunting,
    nessus,
    packed,
    qualys,
    table,
    tenable_io,
    vmdr,
)

Writer = Callable[..., Path]
CVES = ("CVE-2026-20952", "CVE-2026-21000")


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    def _write(content: str | bytes, name: str = "scan.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


def read(path: Path, dates: DateOrder = DateOrder.UNKNOWN) -> list[ScannedLine]:
    with ScanFile(path, dates=dates) as scan:
        return list(scan.rows())


def findings(path: Path) -> list[ScanFinding]:
    rows = read(path)
    assert all(isinstance(row, ScanFinding) for row in rows), rows
    return [row for row in rows if isinstance(row, ScanFinding)]


def bad(path: Path) -> list[BadLine]:
    return [row for row in read(path) if isinstance(row, BadLine)]


# --- the layouts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", EXPORTS)
def test_every_layout_tells_host_cves_and_time(form: str, write: Writer) -> None:
    name, make = EXPORTS[form]
    path = write(make([Row("LON-LT-0042.corp.contoso.com", CVES), Row("lon-srv-fs01", CVES[:1])]), name)
    rows = findings(path)
    assert {cve for row in rows for cve in row.cves} == set(CVES)
    assert sum(len(row.cves) for row in rows) == 3
    assert {host.split(".")[0].casefold() for row in rows for host in row.hosts} >= {"lon-lt-0042", "lon-srv-fs01"}
    assert all(not row.other_software for row in rows)
    assert all(row.title and row.finding_id for row in rows)
    if form.startswith("nessus"):
        assert {row.seen_at for row in rows} == {None}
    else:
        assert {row.seen_at and row.seen_at.replace(microsecond=0) for row in rows} == {SEEN}
    with ScanFile(path) as scan:
        expected = "nessus" if form.startswith(("tenable", "security")) else form.split("-")[0]
        expected = {"vmdr": "qualys", "hunting": "defender"}.get(expected, expected)
        assert scan.scanner is Scanner(expected)


@pytest.mark.parametrize("form", ["tenable-io", "tenable-findings", "qualys", "qualys-bare", "vmdr", "vmdr-nested"])
def test_what_the_scanner_calls_fixed_is_skipped(form: str, write: Writer) -> None:
    name, make = EXPORTS[form]
    rows = read(write(make([Row("a", CVES[:1], state="Fixed"), Row("b", CVES[:1])]), name))
    assert [type(row) for row in rows] == [SkippedLine, ScanFinding]


def test_defender_names_changes_and_software_without_a_vulnerability(write: Writer) -> None:
    objects = defender_objects([Row("a", CVES[:1]), Row("b", ())])
    objects.append({**objects[0], "status": "Fixed"})
    rows = read(write("".join(json.dumps(each) + "\n" for each in objects), "delta.jsonl"))
    assert [type(row) for row in rows] == [ScanFinding, SkippedLine, SkippedLine]


def test_a_machine_without_a_name_is_told_by_its_id(write: Writer) -> None:
    found = findings(
        write(json.dumps([{"id": "x", "cveId": CVES[0], "machineId": "abc123", "productName": "windows_11"}]))
    )
    assert (found[0].device_key, found[0].hosts, found[0].cves) == ("abc123", ("abc123",), CVES[:1])


@pytest.mark.parametrize(
    ("title", "solution", "other"),
    [
        ("KB5089549: Windows 11 Security Update", "Apply it.", False),
        ("Security Updates (May 2026)", "Apply Microsoft's update.", False),
        ("HTTP.sys flaw", "See KB5089549.", False),
        ("libpng 1.6.50 < 1.6.51", "Upgrade libpng.", True),
        ("Microsoft Edge (Chromium) < 140", "Upgrade Microsoft Edge.", True),
        ("Microsoft .NET Core Security Update", "Upgrade.", True),
        ("Windows Office component update", "Apply.", False),
    ],
)
@pytest.mark.parametrize("form", ["nessus", "qualys", "tenable-findings"])
def test_other_software_is_told_from_windows_by_the_words_of_the_check(
    form: str, title: str, solution: str, other: bool, write: Writer
) -> None:
    name, make = EXPORTS[form]
    vendor = "libpng" if other else ""
    row = findings(write(make([Row("a", CVES[:1], title=title, solution=solution, vendor=vendor)]), name))[0]
    assert bool(row.other_software) is (other and "Synopsis" != None)


def test_defender_names_the_software(write: Writer) -> None:
    rows = findings(write(hunting([Row("a", CVES[:1], vendor="google", software="chrome"), Row("a", CVES[:1])])))
    assert [row.other_software for row in rows] == ["google chrome", ""]


# --- odd files --------------------------------------------------------------------------------------


def test_long_quoted_texts_with_line_ends_are_one_row(write: Writer) -> None:
    output = "\n".join(f'line {n} of the "output", with a comma' for n in range(900))
    row = {"Plugin ID": "1", "CVE": CVES[0], "Host": "a", "Name": "Windows", "Plugin Output": output}
    after = {"Plugin ID": "2", "CVE": CVES[1], "Host": "b", "Name": "Windows"}
    rows = findings(write(table(NESSUS, [row, after])))
    assert [(each.finding_id, each.line) for each in rows] == [("1", 2), ("2", 902)]


def test_a_quote_that_is_not_closed_costs_its_line_alone(write: Writer) -> None:
    text = nessus([Row("a", CVES[:1], title="one"), Row("b", CVES[:1])], quoting=0)
    broken = text.replace(",one,", ',"one,', 1)
    rows = read(write(broken))
    assert any(isinstance(row, ScanFinding) and row.hosts == ("b",) for row in rows)
    assert any(isinstance(row, BadLine) and row.line == 2 for row in rows)


@pytest.mark.parametrize(
    ("change", "line", "field", "said"),
    [
        (("CVE-2026-20952", "CVE-26-20952"), 2, "CVE", "write it like CVE-2026-20952"),
        (('"LON"', '""'), 2, "Host", "DNS name"),
        (('"LON"', f'"{"x" * 300}"'), 2, "Host", "at most 255"),
        (('"445"', '"445","extra"'), 2, "", "28 cells, the header has 27"),
    ],
)
def test_a_bad_line_is_named_with_its_column_and_what_would_be_right(
    change: tuple[str, str], line: int, field: str, said: str, write: Writer
) -> None:
    text = nessus([Row("LON", CVES[:1]), Row("b", CVES[:1])]).replace(*change, 1)
    rows = read(write(text))
    wrong = [row for row in rows if isinstance(row, BadLine)]
    assert (wrong[0].line, wrong[0].field) == (line, field)
    assert said in wrong[0].reason
    assert any(isinstance(row, ScanFinding) and row.hosts == ("b",) for row in rows)


def test_a_wrong_date_is_named(write: Writer) -> None:
    wrong = bad(write(tenable_io([Row("a", CVES[:1])]).replace("2026-05-13T06:30:00.371Z", "soon")))
    assert wrong[0].field == "Last Found"
    assert "write it like 2026-05-12T16:40:00Z" in wrong[0].reason


def test_a_spreadsheets_dates_that_can_be_two_days_are_asked_about(write: Writer) -> None:
    text = hunting([Row("a", CVES[:1])]).replace("2026-05-13T06:30:00Z", "5/6/2026 06:30")
    path = write(text)
    with pytest.raises(BadInput, match=r"scan\.csv.*--dates day-first"):
        read(path)
    rows = read(path, DateOrder.DAY_FIRST)
    assert isinstance(rows[0], ScanFinding)
    assert rows[0].seen_at == datetime(2026, 6, 5, 6, 30, tzinfo=UTC)


def test_a_qualys_report_with_the_day_first_shows_it(write: Writer) -> None:
    rows = [Row("a", CVES[:1], seen_at=datetime(2026, 5, day, tzinfo=UTC)) for day in (6, 25)]
    text = qualys(rows).replace("05/06/2026", "06/05/2026").replace("05/25/2026", "25/05/2026")
    found = findings(write(text))
    assert [row.seen_at and row.seen_at.date().isoformat() for row in found] == ["2026-05-06", "2026-05-25"]


@pytest.mark.parametrize(("make", "hour"), [(qualys, 7), (vmdr, 7)])
def test_the_head_of_a_report_tells_when_it_was_made(make: Callable[..., str], hour: int, write: Writer) -> None:
    with ScanFile(write(make([Row("a", CVES[:1])]))) as scan:
        assert scan.told_at == datetime(2026, 5, 13, hour, tzinfo=UTC)


def test_bytes_of_another_encoding_do_not_cost_the_row(write: Writer) -> None:
    content = qualys([Row("a", CVES[:1], title="Microsoft Windows Sécurité")]).encode("latin-1")
    row = findings(write(content))[0]
    assert row.hosts[0] == "A"
    row.title.encode()  # nothing that cannot be kept


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ("", "empty.csv", "is empty"),
        ("a,b,c\n1,2,3\n", "other.csv", "no scanner's export"),
        ('[{"a": 1}]', "other.json", "no scanner's export"),
        ('{"a": 1}\n{"a": 2}\n', "other.jsonl", "no scanner's export"),
        (packed(nessus([Row("a", CVES)] * 50))[:-40], "cut.csv.gz", "cut off or damaged"),
        (b"PK\x03\x04\x00\x00", "scan.xlsx", "NUL bytes"),
    ],
)
def test_a_file_that_is_none_is_refused_with_words(content: str | bytes, name: str, said: str, write: Writer) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        read(write(content, name))
    assert name in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        ScanFile(tmp_path / "none.csv")


def test_json_that_breaks_off_says_where_and_lines_do_not(write: Writer) -> None:
    objects = defender_objects([Row("a", CVES)])
    with pytest.raises(BadInput, match=r"pages\.json, line 1.*not JSON"):
        read(write('{"@odata.context": "x", "value": [' + json.dumps(objects[0]) + ", {", "pages.json"))
    lines = json.dumps(objects[0]) + "\n{nonsense\n" + json.dumps(objects[1]) + "\n"
    rows = read(write(lines, "lines.jsonl"))
    assert [type(row) for row in rows] == [ScanFinding, BadLine, ScanFinding]
    assert [row.line for row in rows] == [1, 2, 3]


def test_nothing_found_is_no_error(write: Writer) -> None:
    assert read(write('{"@odata.context": "x", "value": []}', "none.json")) == []
    assert read(write(",".join(NESSUS) + "\n")) == []


# --- whatever comes ---------------------------------------------------------------------------------


@given(st.text(max_size=60))
def test_cves_are_found_in_any_text_once_and_in_capitals(text: str) -> None:
    found = cves_in(f"{text} cve-2026-20952, CVE-2026-20952;CVE-2025-1234567 , {text}")
    assert {"CVE-2026-20952", "CVE-2025-1234567"} <= set(found)
    assert len(set(found)) == len(found)
    assert all(each == each.upper() for each in found)


_HOSTS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,14}(\.[a-z]{2,8}){0,2}", fullmatch=True)
_TITLES = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40).map(lambda text: f"Windows {text}")
_CVES = st.from_regex(r"CVE-20[12][0-9]-[0-9]{4,6}", fullmatch=True)
_ROWS = st.lists(
    st.builds(
        Row,
        host=_HOSTS.filter(lambda host: host.casefold() not in ("na", "none", "null", "unknown")),
        cves=st.lists(
            st.from_regex(r"CVE-20[12][0-9]-[0-9]{4,6}", fullmatch=True), min_size=1, max_size=4, unique=True
        ).map(tuple),
        title=_TITLES,
        seen_at=st.integers(0, 10**6).map(lambda minutes: SEEN - timedelta(minutes=minutes)),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("form", ["nessus-utf16", "qualys", "vmdr-nested", "defender-pages", "hunting"])
@settings(max_examples=10)
@given(rows=_ROWS)
def test_what_is_written_is_read(form: str, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    name, make = EXPORTS[form]
    path = tmp_path_factory.mktemp("scan") / name
    content = make(rows)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = findings(path)
    wanted = [(row.host.split(".")[0].casefold(), cve) for row in rows for cve in row.cves]
    assert [(row.hosts[0].split(".")[0].casefold(), cve) for row in found for cve in row.cves] == wanted


@settings(max_examples=25)
@given(noise=st.binary(max_size=400))
def test_noise_is_refused_or_read_and_never_anything_else(
    noise: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("noise") / "noise.csv"
    for content in (noise, nessus([Row("a", CVES)]).encode() + noise, b'{"value": [' + noise, b"\x1f\x8b" + noise):
        path.write_bytes(content)
        try:
            rows = read(path)
        except BadInput:
            continue
        for row in rows:
            if isinstance(row, ScanFinding):
                f"{row.hosts}{row.title}{row.finding_id}".encode()


def test_a_folder_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for path, name in ((Path(), "."), (tmp_path, tmp_path.name)):
        with pytest.raises(BadInput, match=f"^{name} cannot be read"):
            ScanFile(path)
