"""Intune's reports: alerts as a table in one answer, and exports that take a while and end in a file behind a key.

Rows are what a test puts in with `alert` and `exported`; every row names its policy.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from engine.providers.graph.client import BETA, V1, GraphClient
from engine.providers.graph.odata import segment
from tests.tenant.fleet import entra_device_id, intune_id
from tests.tenant.routing import Asked, Reply, Route, error, listed, not_found, one, route
from tests.tenant.state import TenantState

REPORTS = "/deviceManagement/reports"
JOBS = f"{REPORTS}/exportJobs"
_TABLES = (
    "getWindowsQualityUpdateAlertsPerPolicyPerDeviceReport",
    "getWindowsQualityUpdateAlertSummaryReport",
    "getWindowsUpdateAlertsPerPolicyPerDeviceReport",
    "getWindowsUpdateAlertSummaryReport",
)
_COLUMNS = (
    *("PolicyId", "DeviceId", "AADDeviceId", "DeviceName", "AlertClassification", "AlertStatus", "AlertSubtype"),
    *("AlertMessage", "Win32ErrorCode", "StartDateTimeUTC", "TargetKBNumber", "ColumnOfTomorrow"),
)
_EXPORTED = {
    "QualityUpdateDeviceStatusByPolicy": (
        *("PolicyId", "DeviceName", "DeviceId", "AADDeviceId", "UPN", "CurrentDeviceUpdateStatus"),
        *("CurrentDeviceUpdateSubstatus", "AggregateState", "LatestAlertMessage", "EventDateTimeUTC", "OwnerType"),
    ),
    "QualityUpdateDeviceErrorsByPolicy": (
        *("PolicyId", "DeviceName", "DeviceId", "UPN", "AlertMessage", "Win32ErrorCode", "ExpediteQUReleaseDate"),
    ),
}


def alert(state: TenantState, policy_id: str, number: int, *, entra_only: bool = False, **members: Any) -> None:
    """An alert of a policy about a device, an error unless the members say otherwise."""
    rows = state.tables["alerts"]
    rows[f"{len(rows):09}"] = {
        "PolicyId": policy_id,
        "DeviceId": "" if entra_only else intune_id(number),
        "AADDeviceId": entra_device_id(number),
        "DeviceName": f"PC-{number:06d}",
        "AlertClassification": "Error",
        "AlertStatus": "Active",
        "AlertSubtype": "InstallIssue",
        "AlertMessage": "The update could not be installed",
        "Win32ErrorCode": "0",
        "StartDateTimeUTC": state.now,
        "ColumnOfTomorrow": number,
        **members,
    }


def exported(state: TenantState, report: str, policy_id: str, number: int, **members: Any) -> None:
    """A row of an exported report about a device."""
    rows = state.tables[f"rows of {report}"]
    told = {"PolicyId": policy_id, "DeviceName": f"PC-{number:06d}", "DeviceId": intune_id(number), **members}
    rows[f"{len(rows):09}"] = told


def packed(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of these files."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return found.getvalue()


def as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A table as Intune writes it: with a mark in front, every cell quoted."""
    found = io.StringIO()
    writer = csv.writer(found, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns] for row in rows)
    return found.getvalue().encode("utf-8-sig")


def _of_policy(rows: Sequence[Mapping[str, Any]], filtered: str) -> list[Mapping[str, Any]]:
    wanted = re.fullmatch(r"\(PolicyId eq '([^']+)'\)", filtered)
    return [row for row in rows if wanted and row["PolicyId"] == wanted[1]]


def _table(asked: Asked, state: TenantState) -> Reply:
    if asked.names["report"] not in _TABLES:
        return not_found("Report")
    rows = _of_policy(list(state.tables["alerts"].values()), asked.body.get("filter", ""))
    skip, top = asked.body.get("skip", 0), min(asked.body.get("top", 50), state.page_size)
    columns = asked.body.get("select") or _COLUMNS
    body = {
        "TotalRowCount": len(rows),
        "Schema": [{"Column": name, "PropertyType": "String"} for name in columns],
        "Values": [[row.get(name) for name in columns] for row in rows[skip : skip + top]],
        "SessionId": "",
    }
    return Reply(body=json.dumps(body).encode(), content_type="application/octet-stream")


# --- exports ----------------------------------------------------------------------------------------


def slow(state: TenantState, looks: int) -> None:
    """Exports are ready only when somebody has looked so often."""
    state.tables["exports take"]["looks"] = {"looks": looks}


def _begin(asked: Asked, state: TenantState) -> Reply:
    report = asked.body["reportName"]
    if report in _EXPORTED and not re.search(r"PolicyId eq '[^']+'", asked.body.get("filter", "")):
        return error(400, "BadRequest", "PolicyId is required.")
    jobs = state.tables["exports"]
    number = len(jobs)
    job_id = f"{report}_{number:08x}-6666-4666-8666-{number:012x}"
    jobs[job_id] = {
        "id": job_id,
        "reportName": report,
        "filter": asked.body.get("filter", ""),
        "select": asked.body.get("select", []),
        "format": asked.body.get("format", "csv"),
        "localizationType": "localizedValuesAsAdditionalColumn",
        "snapshotId": None,
        "status": "notStarted",
        "url": None,
        "requestDateTime": state.now,
        "expirationDateTime": "0001-01-01T00:00:00Z",
    }
    state.tables["looks"][job_id] = {"left": state.tables["exports take"].get("looks", {"looks": 1})["looks"]}
    return Reply(201, jobs[job_id])


def _look(asked: Asked, state: TenantState) -> Reply:
    job = state.tables["exports"].get(asked.names["id"])
    if job is None:
        return not_found("Export")
    looks = state.tables["looks"][job["id"]]
    looks["left"] -= 1
    if looks["left"] <= 0 and job["status"] in ("notStarted", "inProgress"):
        path = f"{job['id']}.zip"
        state.blobs.setdefault(path, _file(job, state))
        job |= {"status": "completed", "url": f"{asked.base_url}/blob/{path}?sv=2019-02-02&sig=key-of-the-file"}
        job["expirationDateTime"] = "2999-01-01T00:00:00Z"
    elif job["status"] == "notStarted":
        job["status"] = "inProgress"
    return one(job, asked)


def _file(job: Mapping[str, Any], state: TenantState) -> bytes:
    columns = job["select"] or _EXPORTED.get(job["reportName"], ("DeviceId",))
    rows = _of_policy(list(state.tables[f"rows of {job['reportName']}"].values()), job["filter"])
    return packed({f"{job['id']}.csv": as_csv(columns, rows)})


def _all(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, list(state.tables["exports"].values()))


def _delete(asked: Asked, state: TenantState) -> Reply:
    return Reply(204) if state.tables["exports"].pop(asked.names["id"], None) else not_found("Export")


ROUTES: tuple[Route, ...] = (
    route("GET", "beta v1.0", JOBS, _all),
    route("POST", "beta v1.0", JOBS, _begin),
    route("GET", "beta v1.0", f"{JOBS}/{{id}}", _look),
    route("DELETE", "beta v1.0", f"{JOBS}/{{id}}", _delete),
    route("POST", "beta", f"{REPORTS}/{{report}}", _table),
)
_EXPORTS = "deviceManagement.reports.exportJobs"
OPERATIONS = frozenset(
    {
        *(f"beta.post.deviceManagement.reports.{name}" for name in _TABLES),
        *(f"{version}.{method}.{_EXPORTS}" for version in ("beta", "v1") for method in ("get", "post")),
        *(
            f"{version}.{method}.{_EXPORTS}.by_deviceManagementExportJob"
            for version in ("beta", "v1")
            for method in ("get", "delete")
        ),
    }
)


async def drive(client: GraphClient) -> None:
    """Each operation once."""
    for name in _TABLES:
        told = await client.ask(f"{REPORTS}/{name}", {"filter": "(PolicyId eq 'none')", "skip": 0, "top": 5})
        assert told["TotalRowCount"] == 0
    for version in (BETA, V1):
        body = {"reportName": "Devices", "select": ["DeviceId"], "format": "csv"}
        made = await client.send("POST", JOBS, body, version=version)
        path = f"{JOBS}/{segment(made.body['id'])}"
        assert (await client.get(path, version=version))["status"] == "completed"
        await client.get(JOBS, version=version)
        await client.send("DELETE", path, version=version)
