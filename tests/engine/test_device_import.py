"""Device lists from files: what is read, what quirks of Intune and spreadsheets become, what is refused and where."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.files.devices import (
    COLUMNS,
    IMPORT_PROVIDER,
    BadRow,
    DateOrder,
    DeviceFile,
    FileForm,
    ImportedRow,
    Row,
    SkippedRow,
    format_table,
    read_devices,
)
from engine.files.lines import LONGEST_LINE
from engine.files.moments import read_moment
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.errors import BadInput
from engine.model.model import ChpeState, DeviceFacts, FormFactor, Management, PolicyState, Subscription, VbsState

Writer = Callable[..., Path]
TOLD_AT = datetime(2026, 5, 13, 9, tzinfo=UTC)

INTUNE_HEADER = (
    "Device ID,Device name,Enrollment date,Last check-in,Azure AD Device ID,OS version,Azure AD registered,"
    "EAS activation ID,Serial number,Manufacturer,Model,EAS activated,IMEI,Last EAS sync time,Compliance grace period "
    "expiration,Wi-Fi MAC,Total storage,Management name,Category,UserId,Primary user UPN,Primary user email address,"
    "Primary user display name,Compliance,Managed by,Ownership,Device state,Encrypted,OS,SkuFamily,JoinType,Jailbroken,"
    "ProcessorArchitecture,TPMManufacturerId"
)


def intune_row(**cells: str) -> str:
    stated = {
        "Device ID": "9de5069c-5afe-602b-2ea0-a04b66beb2c0",
        "Device name": "LON-LT-0042",
        "Enrollment date": "2025-02-01 08:00:00.0000000",
        "Last check-in": "2026-05-12 16:40:12.1234567",
        "OS version": "10.0.26100.8246",
        "Serial number": "PF3K7Q2",
        "Manufacturer": "Dell Inc.",
        "Model": "Latitude 7450",
        "Last EAS sync time": "0001-01-01 00:00:00.0000000",
        "Primary user UPN": "alice.meyer@contoso.com",
        "Primary user display name": "Meyer, Alice",
        "Compliance": "Compliant",
        "Managed by": "Intune",
        "OS": "Windows",
        "SkuFamily": "Enterprise",
        "JoinType": "Azure AD joined",
        "ProcessorArchitecture": "X64",
        **cells,
    }
    out = io.StringIO()
    csv.DictWriter(out, INTUNE_HEADER.split(","), restval="").writerow(stated)
    return out.getvalue()


def intune(*rows: str) -> str:
    return INTUNE_HEADER + "\r\n" + "".join(rows)


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Writes a file of the test's own."""

    def _write(text: str | bytes, name: str = "devices.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


def rows(path: Path, **options: object) -> list[Row]:
    with DeviceFile(path, TOLD_AT, **options) as devices:  # type: ignore[arg-type]
        return list(devices.rows())


def good(path: Path, **options: object) -> list[ImportedRow]:
    found = rows(path, **options)
    assert all(isinstance(row, ImportedRow) for row in found), found
    return [row for row in found if isinstance(row, ImportedRow)]


def bad(path: Path) -> list[tuple[int, str, str]]:
    return [(row.line, row.field, row.reason) for row in rows(path) if isinstance(row, BadRow)]


def names(path: Path) -> list[str]:
    return [row.facts.name for row in rows(path) if isinstance(row, ImportedRow)]


# --- our own format ---------------------------------------------------------------------------------

FULL = {column.name: column.example for column in COLUMNS} | {"chpe": "disabled"}
FACTS = DeviceFacts(
    name="LON-LT-0042",
    platform=Platform.WIN11_24H2,
    architecture=Architecture.X64,
    build=OsBuild(26100, 8390),
    edition="Enterprise",
    form=FormFactor.LAPTOP,
    user="alice.meyer@contoso.com",
    user_name="Alice Meyer",
    domain="CONTOSO",
    serial="PF3K7Q2",
    asset_tag="A-10042",
    site="London",
    model="Latitude 7450",
    driver="Intel Graphics 31.0.101",
    cores=16,
    licence="m365-e3",
    management=Management.INTUNE,
    policy=PolicyState.ALLOW,
    policy_name="Hotpatch default",
    subscription=Subscription.ENABLED,
    vbs=VbsState.RUNNING,
    chpe=ChpeState.DISABLED,
    restart_pending=False,
    boot_at=datetime(2026, 5, 4, 7, 12, tzinfo=UTC),
    last_seen_at=datetime(2026, 5, 12, 16, 40, tzinfo=UTC),
    provider=IMPORT_PROVIDER,
)


def as_csv(*stated: dict[str, str], delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(stated[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(stated)
    return out.getvalue()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (as_csv(FULL), FileForm.CSV),
        (json.dumps([FULL]), FileForm.JSON_ARRAY),
        (json.dumps([FULL], indent=2), FileForm.JSON_ARRAY),
        (json.dumps(FULL) + "\n", FileForm.JSON_LINES),
        (as_csv(FULL, delimiter=";"), FileForm.CSV),
        (as_csv(FULL, delimiter="\t"), FileForm.CSV),
        ("sep=;\r\n" + as_csv(FULL, delimiter=";"), FileForm.CSV),
        ("\n \n" + as_csv(FULL), FileForm.CSV),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_column_in_every_form(write: Writer, text: str, form: FileForm, encoding: str) -> None:
    path = write(text.encode(encoding))
    with DeviceFile(path, TOLD_AT) as devices:
        assert devices.form is form
        (row,) = devices.rows()
    assert isinstance(row, ImportedRow)
    assert row.facts == FACTS
    assert row.ring == "Broad"
    assert row.external_id == FULL["id"]
    assert row.unknown_columns == ()


def test_a_name_is_enough(write: Writer) -> None:
    (row,) = good(write("name\nBer-01\n"))
    assert row.facts == DeviceFacts("Ber-01", None, None, None, last_seen_at=TOLD_AT, provider=IMPORT_PROVIDER)
    assert (row.external_id, row.ring, row.line) == ("ber-01", None, 2)


def test_without_check_ins_the_facts_are_as_old_as_the_import(write: Writer) -> None:
    (told, never) = (good(write("name\nA\n")), good(write("name,last_seen_at\nA,\n")))
    assert told[0].facts.last_seen_at == TOLD_AT
    assert never[0].facts.last_seen_at is None


def test_unknown_columns_are_named(write: Writer) -> None:
    path = write("name,Colour,,site\nA,red,,London\n")
    with DeviceFile(path, TOLD_AT) as devices:
        assert devices.unknown_columns == ("Colour",)
        (row,) = devices.rows()
    assert isinstance(row, ImportedRow)
    assert row.unknown_columns == ("Colour",)
    (from_json,) = good(write('[{"name": "A", "Colour": "red"}]'))
    assert from_json.unknown_columns == ("Colour",)


@pytest.mark.parametrize(
    ("header", "cell", "field", "value"),
    [
        ("platform", "Windows 11 25H2", "platform", Platform.WIN11_25H2),
        ("platform", "Windows 10 22H2", "platform", None),
        ("platform", "other", "platform", None),
        ("os version", "10.0.26100.8390", "build", OsBuild(26100, 8390)),
        ("Edition", "Windows 11 Enterprise", "edition", "Enterprise"),
        ("edition", "Windows Server 2022 Datacenter: Azure Edition", "edition", "Datacenter: Azure Edition"),
        ("licence", "SPE_E5", "licence", "m365-e5"),
        ("license", "microsoft 365 f3", "licence", "m365-f3"),
        ("licence", "Moon licence", "licence", "Moon licence"),
        ("vbs", "2", "vbs", VbsState.RUNNING),
        ("vbs", "Enabled, not running", "vbs", VbsState.NOT_RUNNING),
        ("vbs", "rebootRequired", "vbs", VbsState.NOT_RUNNING),
        ("vbs", "notConfigured", "vbs", VbsState.OFF),
        ("management", "Azure Arc", "management", Management.ARC),
        ("managed by", "Co-managed", "management", Management.INTUNE),
        ("form factor", "Cloud PC", "form", FormFactor.CLOUD_PC),
        ("policy", "No policy", "policy", PolicyState.NO_POLICY),
        ("restart pending", "TRUE", "restart_pending", True),
        ("cores", "", "cores", None),
        ("boot_at", "2026-05-04 07:12", "boot_at", datetime(2026, 5, 4, 7, 12, tzinfo=UTC)),
        ("boot_at", "2026-05-04T09:12:00+02:00", "boot_at", datetime(2026, 5, 4, 7, 12, tzinfo=UTC)),
        ("boot_at", "04.05.2026 07:12:30", "boot_at", datetime(2026, 5, 4, 7, 12, 30, tzinfo=UTC)),
        ("boot_at", "5/4/2026 7:12:00 PM", "boot_at", datetime(2026, 5, 4, 19, 12, tzinfo=UTC)),
        ("boot_at", "13/05/2026 12:00", "boot_at", datetime(2026, 5, 13, 12, tzinfo=UTC)),
        ("boot_at", "5/5/2026", "boot_at", datetime(2026, 5, 5, tzinfo=UTC)),
    ],
)
def test_what_a_cell_becomes(write: Writer, header: str, cell: str, field: str, value: object) -> None:
    (row,) = good(write(as_csv({"name": "A", header: cell})))
    assert getattr(row.facts, field) == value


@pytest.mark.parametrize(
    ("build", "edition", "form", "platform"),
    [
        ("26200.1", "", "", Platform.WIN11_25H2),
        ("20348.5020", "", "", Platform.SERVER_2022),
        ("26100.8390", "Pro", "", Platform.WIN11_24H2),
        ("26100.4000", "Standard", "", Platform.SERVER_2025),
        ("26100.4000", "", "server", Platform.SERVER_2025),
        ("26100.32772", "", "", Platform.SERVER_2025),
        ("26100.8390", "", "", None),
        ("22631.1", "Enterprise", "", None),
    ],
)
def test_the_platform_follows_from_build_and_edition_or_stays_open(
    write: Writer, build: str, edition: str, form: str, platform: Platform | None
) -> None:
    (row,) = good(write(as_csv({"name": "A", "build": build, "edition": edition, "form": form})))
    assert row.facts.platform is platform


# --- Intune -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_export_of_intune(write: Writer, mark: str) -> None:
    path = write(mark + intune(intune_row()))
    with DeviceFile(path, TOLD_AT) as devices:
        assert devices.form is FileForm.INTUNE
        assert "Enrollment date" in devices.unknown_columns
        (row,) = devices.rows()
    assert isinstance(row, ImportedRow)
    assert row.external_id == "9de5069c-5afe-602b-2ea0-a04b66beb2c0"
    assert row.facts == DeviceFacts(
        name="LON-LT-0042",
        platform=Platform.WIN11_24H2,
        architecture=Architecture.X64,
        build=OsBuild(26100, 8246),
        edition="Enterprise",
        user="alice.meyer@contoso.com",
        user_name="Meyer, Alice",
        serial="PF3K7Q2",
        model="Dell Latitude 7450",
        management=Management.INTUNE,
        last_seen_at=datetime(2026, 5, 12, 16, 40, 12, 123456, tzinfo=UTC),
        provider=IMPORT_PROVIDER,
    )


def test_empty_cells_and_years_that_mean_never(write: Writer) -> None:
    empty = dict.fromkeys(("Serial number", "Model", "Primary user UPN", "SkuFamily", "OS version"), "")
    (row,) = good(
        write(intune(intune_row(**empty, **{"Last check-in": "0001-01-01 00:00:00.0000000", "Managed by": ""})))
    )
    assert (row.facts.build, row.facts.platform, row.facts.last_seen_at) == (None, None, None)
    assert row.facts.management is Management.UNKNOWN
    assert row.facts.user == row.facts.model == ""


def test_a_telephone_is_passed_over_with_a_word(write: Writer) -> None:
    found = rows(write(intune(intune_row(**{"OS": "iOS/iPadOS", "OS version": "26.6.1"}), intune_row())))
    assert found[0] == SkippedRow(2, "LON-LT-0042", "'iOS/iPadOS' is not Windows")
    assert isinstance(found[1], ImportedRow)


def test_a_cloud_pc_and_an_arm_laptop(write: Writer) -> None:
    model = "Cloud PC Enterprise 2vCPU/8GB/128GB"
    cloud, arm = good(
        write(
            intune(
                intune_row(Model=model, Manufacturer="Microsoft Corporation"),
                intune_row(ProcessorArchitecture="ARM64", **{"Device ID": "2", "OS version": "10.0.26200.8246"}),
            )
        )
    )
    assert (cloud.facts.form, cloud.facts.model) == (FormFactor.CLOUD_PC, model)
    assert (arm.facts.architecture, arm.facts.platform) == (Architecture.ARM64, Platform.WIN11_25H2)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        (["5/6/2026 4:40 PM", "5/13/2026 1:00 AM"], (5, 6)),
        (["5/6/2026 16:40", "13/5/2026 1:00"], (6, 5)),
        (["05.06.2026 16:40:00", "01.02.2026"], (6, 5)),
    ],
)
def test_local_dates_are_read_as_the_file_shows_them(write: Writer, written: list[str], day: tuple[int, int]) -> None:
    lines = [intune_row(**{"Device ID": str(place), "Last check-in": text}) for place, text in enumerate(written)]
    first = good(write(intune(*lines)))[0].facts.last_seen_at
    assert first == datetime(2026, *day, 16, 40, tzinfo=UTC)


def test_a_date_that_can_be_two_days_is_refused_unless_told(write: Writer) -> None:
    path = write(intune(intune_row(**{"Last check-in": "5/6/2026 16:40"})))
    ((line, field, reason),) = bad(path)
    assert (line, field) == (2, "last_seen_at")
    assert "can be two days" in reason
    (row,) = good(path, dates=DateOrder.DAY_FIRST)
    assert row.facts.last_seen_at == datetime(2026, 6, 5, 16, 40, tzinfo=UTC)


# --- bad rows do not stop the others ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "field", "part"),
    [
        ("", "name", "name is empty"),
        ("A\x1b[2J", "name", "control character"),
        ("A\x00B", "name", "control character"),
        ("A\x9b", "name", "control character"),
        ("A\u2028B", "name", "control character"),
        ("N" * 256, "name", "at most 255"),
        ('"two\nlines"', "name", "control character"),
    ],
)
def test_a_bad_name_costs_its_row(write: Writer, row: str, field: str, part: str) -> None:
    path = write(f"name,site\nbefore,London\n{row},Berlin\nafter,Paris\n")
    found = bad(path)
    assert found[0][:2] == (3, field)
    assert part in found[0][2]
    assert [name for name in names(path) if name in ("before", "after")] == ["before", "after"]


@pytest.mark.parametrize(
    ("column", "cell", "part"),
    [
        ("build", "8390", "write it like 26100.8390"),
        ("vbs", "maybe", "values: running, enabled-not-running, off, unknown"),
        ("platform", "Solaris", "win11-24h2, win11-25h2, server-2025, server-2022, other"),
        ("architecture", "x86", "values: x64, arm64"),
        ("cores", "many", "whole number"),
        ("cores", "0", "at least 1"),
        ("cores", "99999", "at most 4096"),
        ("restart_pending", "perhaps", "values: yes, no"),
        ("boot_at", "yesterday", "write it like 2026-05-12T16:40:00Z"),
        ("boot_at", "2026-02-30", "not a time"),
        ("boot_at", "13/13/2026", "not a time"),
        ("site", "x" * 301, "at most 300"),
        ("edition", "x" * 301, "more than 300"),
        ("vbs", "x" * 100_000, "more than 300"),
        ("ring", "a\tb", "control character"),
    ],
)
def test_a_wrong_cell_says_what_would_be_right(write: Writer, column: str, cell: str, part: str) -> None:
    path = write(as_csv({"name": "A", column: cell}, {"name": "B", column: ""}))
    ((line, field, reason),) = bad(path)
    assert (line, field) == (2, column)
    assert part in reason
    assert len(reason) < 200
    assert names(path) == ["B"]


def test_too_many_and_too_few_cells(write: Writer) -> None:
    path = write("name,site\nA,London,x\nB\nC,Paris\n\nD,Rome")
    assert bad(path) == [
        (2, "", "the row has 3 cells, the header has 2"),
        (3, "", "the row has 1 cells, the header has 2"),
    ]
    assert names(path) == ["C", "D"]


def test_an_open_quote_costs_one_row(write: Writer) -> None:
    others = "".join(f"N{number},x\n" for number in range(300))
    path = write(f'name,site\nA,"Lon\n{others}Z,"end"\n')
    found = bad(path)
    assert found == [(2, "", "a quote is opened and not closed")]
    assert names(path) == [*(f"N{number}" for number in range(300)), "Z"]


def test_an_open_quote_at_the_end_of_the_file(write: Writer) -> None:
    path = write('name,site\nA,x\nB,"open\nC,y\n')
    assert bad(path) == [(3, "", "a quote is opened and not closed")]
    assert names(path) == ["A", "C"]


def test_a_quote_closed_rows_later_loses_no_row_in_silence(write: Writer) -> None:
    path = write('name,site\nA,"Lon\nB,x\nC,y"\nD,z\n')
    assert [line for line, _, _ in bad(path)] == [2]
    assert names(path) == ["B", "C", "D"]


def test_text_after_a_closing_quote(write: Writer) -> None:
    path = write('name,site\nA,"x"y\nB,z\n')
    assert bad(path) == [(2, "", "something stands between a closing quote and the next delimiter")]
    assert names(path) == ["B"]


def test_lines_in_cells_that_are_not_read_do_no_harm(write: Writer) -> None:
    path = write('name,Notes,site\nA,"first\nsecond, ""third""",London\nB,,Paris\n')
    assert [(row.line, row.facts.name, row.facts.site) for row in good(path)] == [(2, "A", "London"), (4, "B", "Paris")]


def test_bytes_of_another_encoding_cost_their_row(write: Writer) -> None:
    path = write(b"name,site\nA,Z\xfcrich\nB,London\n")
    ((line, _, reason),) = bad(path)
    assert line == 2
    assert "UTF-8" in reason
    assert names(path) == ["B"]


def test_a_line_without_end_is_cut_off(write: Writer) -> None:
    path = write("name,site\nA," + "x" * (LONGEST_LINE * 2) + "\nB,London\n")
    ((line, _, reason),) = bad(path)
    assert (line, "longer than a million" in reason) == (2, True)
    assert names(path) == ["B"]
    in_json = write('{"name": "' + "x" * (LONGEST_LINE * 2) + '"}\n{"name": "B"}\n', "d.jsonl")
    assert [row[0] for row in bad(in_json)] == [1]
    assert names(in_json) == ["B"]


def test_the_same_device_twice_in_a_file(write: Writer) -> None:
    path = write("name,id\nA,1\nB,1\nA,2\nC,\nc,\n")
    assert bad(path) == [
        (3, "id", "the id 1 stands earlier in this file"),
        (6, "name", "the name c stands earlier in this file"),
    ]
    assert names(path) == ["A", "A", "C"]


# --- JSON -------------------------------------------------------------------------------------------


def test_a_wrong_line_of_json_costs_that_line(write: Writer) -> None:
    text = (
        '{"name": "A"}\n{"name": \n\n[1]\n"x"\nnull\n'
        + "[" * 20_000
        + '\n{"name": "B", "build": 26100.8390}\n{"name": 7}\n'
    )
    path = write(text, "d.jsonl")
    found = bad(path)
    assert [line for line, _, _ in found] == [2, 4, 5, 6, 7]
    assert "not a JSON object" in found[0][2]
    assert "must be an object, this is a list" in found[1][2]
    imported = [row for row in rows(path) if isinstance(row, ImportedRow)]
    assert [row.facts.name for row in imported] == ["A", "B", "7"]
    assert imported[1].facts.build == OsBuild(26100, 8390), "the last digit of a build must survive"


def test_wrong_objects_of_an_array_are_named(write: Writer) -> None:
    path = write('[\n {"name": "A"},\n {"name": ""}, {"site": "x"},\n 5,\n {"name": ["x"]},\n {"name": "\\ud800"},\n'
                 ' {"name": "B", "restart_pending": true, "cores": 4, "site": null}\n]\n')  # fmt: skip
    found = bad(path)
    assert [(line, field) for line, field, _ in found] == [(3, "name"), (3, "name"), (4, ""), (5, "name"), (6, "name")]
    assert found[0][2] == "name is empty (object 2)"
    assert found[1][2] == "name is missing (object 3)"
    last = [row for row in rows(path) if isinstance(row, ImportedRow)][-1]
    assert (last.line, last.facts.restart_pending, last.facts.cores, last.facts.site) == (7, True, 4, "")


@pytest.mark.parametrize(
    ("text", "part", "line"),
    [
        ('[{"name": "A"},\n{"name": "B"', "not JSON", 2),
        ('[{"name": "A"}\n', "ends in the middle", 2),
        ('[{"name": "A"}\n{"name": "B"}]', "stands where ','", 2),
        ('[{"name": "A"}]\n\nmore', "after the end", 3),
        ("[" + "[" * 50_000, "nested", 1),
        ("[,]", "not JSON", 1),
    ],
)
def test_an_array_that_breaks_off_names_its_line(write: Writer, text: str, part: str, line: int) -> None:
    with pytest.raises(BadInput) as caught:
        rows(write(text, "d.json"))
    assert part in str(caught.value)
    assert caught.value.line == line
    assert caught.value.file == "d.json"
    assert "one object a line" in caught.value.instead


def test_an_empty_array_is_a_list_of_nothing(write: Writer) -> None:
    assert rows(write(" [ \n ] ", "d.json")) == []


def test_two_keys_for_one_field(write: Writer) -> None:
    assert bad(write('{"name": "A", "Device name": "B"}\n', "d.jsonl")) == [(1, "name", "two keys mean name")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sites=st.lists(st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=50), max_size=8),
    stretch=st.integers(1, 40),
    indent=st.sampled_from([None, 0, 2]),
)
def test_arrays_are_read_alike_wherever_the_window_ends(
    write: Writer, sites: list[str], stretch: int, indent: int | None
) -> None:
    text = json.dumps([{"name": f"N{place}", "site": site} for place, site in enumerate(sites)], indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.files.jsonsource._STRETCH", stretch)
        found = good(write(text, "d.json"))
    assert [row.facts.site for row in found] == [site.strip() for site in sites]
    where = [line for line, content in enumerate(text.split("\n"), 1) if '"name"' in content]
    assert indent is None or [row.line for row in found] == [line - 1 for line in where]


# --- files that are no device list ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n", "is empty"),
        ("name,site\nA,x\n".encode("utf-16-le"), "NUL bytes"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not UTF-8"),
        (b"colour,size\nred,1\n", "No column holds the device's name"),
        (b"name,Device name\nA,B\n", "'name' and 'Device name' both mean name"),
        (b'"name,site\nA,x\n', "cannot be read"),
        (b"n\xe4me,name\n", "not UTF-8"),
        (b"hello", "not the header"),
    ],
)
def test_files_that_are_no_device_list(write: Writer, content: bytes, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        rows(write(content))
    assert part in str(caught.value)
    assert caught.value.instead


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(BadInput, match="cannot be read") as caught:
            DeviceFile(path, TOLD_AT)
        assert str(tmp_path) not in str(caught.value) or path == tmp_path


def test_utf_16_that_breaks_off(write: Writer) -> None:
    with pytest.raises(BadInput, match="breaks off"):
        rows(write("name,site\nA,x\n".encode("utf-16") + b"\x00\xd8\x41"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b"name", b",", b'"', b"\n", b"\r", b"A", b"{", b"}", b"[", b"]", b":", b"\xff"]))
    .map(b"".join)
    .map(lambda tail: b"name,site\n" + tail)
)
def test_any_bytes_give_rows_or_a_reason(write: Writer, content: bytes) -> None:
    try:
        found = rows(write(content))
    except BadInput as refused:
        assert refused.what
        return
    numbers = [row.line for row in found]
    assert numbers == sorted(numbers)


# --- one row at a time ------------------------------------------------------------------------------


def test_rows_come_before_the_file_is_read_to_its_end(write: Writer) -> None:
    path = write("name,site\n" + "".join(f"N{number},London\n" for number in range(50_000)))
    with DeviceFile(path, TOLD_AT) as devices:
        reading = devices.rows()
        next(reading)
        assert 0 < devices.position < devices.size / 4
        assert sum(1 for _ in reading) == 49_999
        assert devices.position == devices.size


def test_read_devices_closes_its_file_when_it_is_left(write: Writer) -> None:
    reading = read_devices(write("name\nA\nB\n"), TOLD_AT)
    first = next(reading)
    assert isinstance(first, ImportedRow)
    reading.close()  # type: ignore[attr-defined]


# --- words ------------------------------------------------------------------------------------------


def test_the_table_of_the_format_lists_every_column() -> None:
    table = format_table()
    assert len(table.splitlines()) == len(COLUMNS) + 2
    assert all(f"`{column.name}`" in table and column.help in table for column in COLUMNS)


@given(st.integers(631_152_000, 4_102_444_800), st.integers(0, 999_999))
def test_times_are_read_back_as_they_were_written(second: int, microsecond: int) -> None:
    expected = moment = datetime.fromtimestamp(second, UTC).replace(microsecond=microsecond)
    assert read_moment(f"{moment:%Y-%m-%d %H:%M:%S.%f}0", DateOrder.UNKNOWN) == expected
    whole = expected.replace(microsecond=0)
    assert read_moment(f"{moment:%d.%m.%Y %H:%M:%S}", DateOrder.UNKNOWN) == whole
    assert read_moment(f"{moment:%m/%d/%Y %I:%M:%S %p}", DateOrder.MONTH_FIRST) == whole
    assert read_moment(f"{moment:%d/%m/%Y %H:%M}", DateOrder.DAY_FIRST) == whole - timedelta(seconds=moment.second)
