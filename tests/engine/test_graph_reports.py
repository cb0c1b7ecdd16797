"""Reports as they come over the wire: tables, codes in every spelling, exports, and files that mean no good."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.errors import Gone, ProviderError, Refused
from engine.providers.graph.alerts import ERRORS, STATES, error_code, read_alert, read_exported
from engine.providers.graph.answers import AnswerUnusable
from engine.providers.graph.exported import exported_rows
from engine.providers.graph.reports import (
    JobStatus,
    begin_export,
    fetch,
    find_export,
    look_at,
    of_policy,
    table,
    table_of,
)
from engine.rules.tenants.outcomes import Course, course_of
from tests.tenant import reports
from tests.tenant.fixtures import TOKEN, client_of
from tests.tenant.fleet import NOW, entra_device_id, intune_id
from tests.tenant.quality_policies import HOTPATCH
from tests.tenant.server import Tenant

REPORT = "QualityUpdateDeviceErrorsByPolicy"


def matrix(columns: list[str], *values: list[Any], **more: Any) -> dict[str, Any]:
    schema = [{"Column": each, "PropertyType": "String"} for each in columns]
    return {"TotalRowCount": len(values), "Schema": schema, "Values": list(values), **more}


# --- tables -----------------------------------------------------------------------------------------


async def test_a_table_comes_page_by_page_although_it_is_called_a_stream(tenant: Tenant) -> None:
    for number in range(12):
        reports.alert(tenant.state, HOTPATCH, number)
    async with client_of(tenant, writes=False) as client:
        name = "getWindowsQualityUpdateAlertsPerPolicyPerDeviceReport"
        first = await table(client, name, of_policy(HOTPATCH), 0, 50)
        rest = await table(client, name, of_policy(HOTPATCH), len(first.rows), 50)
        none = await table(client, name, of_policy("o'hara"), 0, 50)
    assert (len(first.rows), len(rest.rows), first.total, none.rows) == (10, 2, 12, ())
    assert rest.rows[1]["deviceid"] == intune_id(11)
    assert first.rows[3]["columnoftomorrow"] == 3
    assert not tenant.writes


def test_columns_are_found_by_name_in_any_case_and_order() -> None:
    found = table_of({"totalRowCount": 1, "schema": [{"column": "b"}, {"Column": "A"}], "values": [[1, 2, 3]]})
    assert (found.rows, found.total) == (({"b": 1, "a": 2},), 1)


def test_rows_that_are_none_and_columns_told_twice_cost_nothing_else() -> None:
    found = table_of(matrix(["a", "A", ""], [1, 2, 3], "x", [4]))  # type: ignore[arg-type]
    assert found.rows == ({"a": 1}, {"a": 4})


@pytest.mark.parametrize(
    "answer", [None, [], "text", {"Values": []}, {"Schema": [], "Values": 3}, {"TotalRowCount": 1}]
)
def test_what_is_no_table_is_an_error(answer: object) -> None:
    with pytest.raises(AnswerUnusable):
        table_of(answer)


@given(
    st.dictionaries(
        st.sampled_from(["TotalRowCount", "Schema", "Values"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("Column"), inner, max_size=1),
            max_leaves=8,
        ),
    )
)
@settings(max_examples=60, deadline=None)
def test_any_answer_is_a_table_or_an_error(answer: dict[str, Any]) -> None:
    try:
        found = table_of(answer)
    except AnswerUnusable:
        return
    for row in found.rows:
        read_alert(row, "p")
        read_exported(STATES, row, "p")


# --- rows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("-2145124329", 0x80240017),
        (-2145124329, 0x80240017),
        (2149842967, 0x80240017),
        ("2149842967", 0x80240017),
        ("0x80240017", 0x80240017),
        ("80240017", 0x80240017),
        (" 0X80240017 ", 0x80240017),
        ("0", None),
        (0, None),
        ("0x00000000", None),
        ("", None),
        (None, None),
        (True, None),
        ("n/a", None),
        (1 << 40, None),
        (2.5, None),
        ([], None),
    ],
)
def test_a_code_is_read_however_it_is_written(said: object, code: int | None) -> None:
    assert error_code(said) == code


@given(st.integers(-(1 << 31), (1 << 32) - 1))
@settings(max_examples=50)
def test_every_number_is_its_own_code(number: int) -> None:
    assert error_code(number) == (number % (1 << 32) or None)
    assert error_code(f"0x{number % (1 << 32):08x}") == (number % (1 << 32) or None)


def test_an_alert_names_device_code_words_release_and_time() -> None:
    row = {
        "deviceid": intune_id(3),
        "aaddeviceid": entra_device_id(3),
        "alertmessage": "Low\x1b[31m disk",
        "alertsubtype": "DiskIssue",
        "win32errorcode": -2147024784,
        "targetkbnumber": "KB5089466",
        "expeditequreleasedate": "2026-05-12T00:00:00Z",
        "startdatetimeutc": "2026-05-20T08:00:00",
    }
    found = read_alert(row, "p")
    assert found is not None
    assert (found.ids, found.course, found.code, found.kb) == (
        (intune_id(3), entra_device_id(3)),
        Course.FAILED,
        0x80070070,
        5089466,
    )
    assert (found.words, found.released_on, found.at) == (
        "DiskIssue: Low [31m disk",
        date(2026, 5, 12),
        datetime(2026, 5, 20, 8, tzinfo=UTC),
    )
    assert read_alert({**row, "alertstatus": "Resolved"}, "p") is None
    assert read_alert({**row, "deviceid": None, "aaddeviceid": ""}, "p") is None


@pytest.mark.parametrize(
    ("words", "course"),
    [
        (("UpdateInstalled",), Course.DONE),
        (("InstallationPending",), Course.WAITING),
        (("OfferReady",), Course.WAITING),
        (("DownloadComplete", "Installing"), Course.WAITING),
        (("RebootRequired",), Course.RESTART),
        (("InstallFailed",), Course.FAILED),
        (("Uninstalled",), Course.FAILED),
        (("", "Error"), Course.FAILED),
        (("SomethingNew", "Offering"), Course.WAITING),
        (("SomethingNew",), Course.TOLD),
        (("",), Course.TOLD),
    ],
)
def test_a_word_means_a_course_or_survives_as_it_is(words: tuple[str, ...], course: Course) -> None:
    assert course_of(*words) is course


def test_the_localised_words_are_shown_and_the_plain_ones_judged() -> None:
    row = {
        "deviceid": intune_id(1),
        "currentdeviceupdatestatus": "Failed",
        "currentdeviceupdatestatus_loc": "Fehlgeschlagen",
        "latestalertmessage": "Zu wenig Platz",
    }
    found = read_exported(STATES, row, "p")
    assert found is not None
    assert (found.course, found.words) == (Course.FAILED, "Fehlgeschlagen: Zu wenig Platz")


# --- exports ----------------------------------------------------------------------------------------


async def test_an_export_is_asked_for_waited_for_and_fetched_without_the_token(tenant: Tenant) -> None:
    reports.exported(tenant.state, REPORT, HOTPATCH, 4, AlertMessage="Broken", Win32ErrorCode="-2145124329")
    reports.slow(tenant.state, 3)
    async with client_of(tenant) as client:
        job = await begin_export(client, REPORT, of_policy(HOTPATCH), ERRORS.columns)
        assert job.status is JobStatus.NOT_STARTED
        seen = []
        while not job.is_ready(NOW):
            job = await look_at(client, job.id)
            seen.append(job.status)
        file = io.BytesIO()
        assert await fetch(client, job, file) == len(file.getvalue())
        found = await find_export(client, REPORT, of_policy(HOTPATCH), NOW)
    assert seen == [JobStatus.IN_PROGRESS, JobStatus.IN_PROGRESS, JobStatus.COMPLETED]
    assert found is not None
    assert found.id == job.id
    outcomes = [read_exported(ERRORS, row, HOTPATCH) for row in exported_rows(file)]
    assert [(each.code, each.words) for each in outcomes if each] == [(0x80240017, "Broken")]
    body = json.loads(tenant.asked("/deviceManagement/reports/exportJobs", "POST")[0].body)
    assert body["select"]
    download = next(seen for seen in tenant.requests if seen.path.startswith("/blob/"))
    assert TOKEN not in str(download.headers)


async def test_a_provider_that_is_read_only_asks_for_no_export(tenant: Tenant) -> None:
    async with client_of(tenant, writes=False) as client:
        with pytest.raises(Refused):
            await begin_export(client, REPORT, of_policy(HOTPATCH), ERRORS.columns)
    assert not tenant.requests


async def test_exports_that_fail_expire_or_are_forgotten_are_told_apart(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        job = await begin_export(client, REPORT, of_policy(HOTPATCH), ERRORS.columns)
        row = tenant.state.tables["exports"][job.id]
        row["status"] = "failed"
        assert (await look_at(client, job.id)).is_lost(NOW)
        row |= {"status": "completed", "url": f"{tenant.base_url}/blob/x", "expirationDateTime": "2026-05-20T07:00:00Z"}
        assert (await look_at(client, job.id)).is_lost(NOW)
        row |= {"expirationDateTime": "0001-01-01T00:00:00Z"}
        assert (await look_at(client, job.id)).is_ready(NOW)
        tenant.faults.member("status", "compressing", f"/beta/deviceManagement/reports/exportJobs/{job.id}")
        later = await look_at(client, job.id)
        assert (later.status, later.is_ready(NOW), later.is_lost(NOW)) == ("compressing", False, False)
        del tenant.state.tables["exports"][job.id]
        with pytest.raises(Gone):
            await look_at(client, job.id)


async def test_an_answer_without_an_id_is_no_export(tenant: Tenant) -> None:
    tenant.faults.member("id", "..", "/beta/deviceManagement/reports/exportJobs")
    async with client_of(tenant) as client:
        with pytest.raises(ProviderError, match="no id"):
            await begin_export(client, REPORT, of_policy(HOTPATCH), ERRORS.columns)


# --- the file ---------------------------------------------------------------------------------------


def rows_of(files: dict[str, bytes], **how: Any) -> list[Any]:
    return list(exported_rows(io.BytesIO(reports.packed(files)), **how))


def test_a_name_in_the_archive_is_no_path_and_folders_do_not_count() -> None:
    assert rows_of({"../../etc/report.CSV": b'"DeviceId","X"\r\n"1","a\nb"\r\n', "folder/": b""}) == [
        {"deviceid": "1", "x": "a\nb"}
    ]


def test_json_is_taken_too() -> None:
    assert rows_of({"r.json": json.dumps({"values": [{"DeviceId": "1"}, 3]}).encode()}) == [{"deviceid": "1"}]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"readme.txt": b"x"},
        {"a.csv": b"x\n1\n", "b.csv": b"x\n2\n"},
        {"r.json": b"{"},
        {"r.json": b'{"values": 3}'},
    ],
)
def test_an_archive_without_exactly_one_table_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(AnswerUnusable):
        rows_of(files)


def test_what_unpacks_to_more_than_allowed_ends_with_an_error_and_little_memory() -> None:
    bomb = {"r.csv": b"DeviceId\r\n" + (b"0" * 60_000 + b"\r\n") * 700}
    packed = reports.packed(bomb)
    assert len(packed) < 100_000
    with pytest.raises(AnswerUnusable, match="too long"):
        list(exported_rows(io.BytesIO(packed), 5_000_000))


@pytest.mark.parametrize("harm", ["cut", "flipped", "no zip", "empty", "lies about its length"])
def test_a_damaged_file_is_one_error(harm: str) -> None:
    content = b"DeviceId\r\n" + b"".join(f"{number}\r\n".encode() for number in range(9_000))
    packed = bytearray(reports.packed({"r.csv": content}))
    if harm == "cut":
        packed = packed[: len(packed) // 2]
    elif harm == "flipped":
        packed[len(packed) // 3] ^= 0xFF
    elif harm == "no zip":
        packed = bytearray(b"<html>sign in</html>")
    elif harm == "empty":
        packed = bytearray()
    else:
        with zipfile.ZipFile(io.BytesIO(bytes(packed))) as archive:
            size = archive.infolist()[0].file_size.to_bytes(4, "little")
        packed = bytearray(bytes(packed).replace(size, (7).to_bytes(4, "little")))
    with pytest.raises(AnswerUnusable):
        list(exported_rows(io.BytesIO(bytes(packed))))
