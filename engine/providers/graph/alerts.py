"""What reports about quality updates say of each device: alerts, states, errors. Columns are found by their names.

The pull of the inventory calls it. Which columns a report has is not documented for all of them, so each is looked for
under the names that are; what is missing is unknown, what is new is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from engine.model.errors import BadInput
from engine.providers.graph.devices import moment, plain, plain_id
from engine.providers.graph.reports import Row
from engine.rules.failures.errorcodes import parse_code
from engine.rules.tenants.outcomes import Course, RequestOutcome, course_of

ALERTS = "getWindowsQualityUpdateAlertsPerPolicyPerDeviceReport"
ALERTS_AT_ONCE = 1_000


class ExportedReport(Struct, frozen=True):
    """A report that is exported for one policy. Source: "Intune reports and properties available using Graph API"."""

    name: str
    source: str
    columns: tuple[str, ...]


STATES = ExportedReport(
    "QualityUpdateDeviceStatusByPolicy",
    "status",
    (
        *("PolicyId", "DeviceName", "DeviceId", "AADDeviceId", "CurrentDeviceUpdateStatus"),
        *("CurrentDeviceUpdateSubstatus", "AggregateState", "LatestAlertMessage", "EventDateTimeUTC"),
    ),
)
ERRORS = ExportedReport(
    "QualityUpdateDeviceErrorsByPolicy",
    "error",
    ("PolicyId", "DeviceName", "DeviceId", "AlertMessage", "Win32ErrorCode", "ExpediteQUReleaseDate"),
)
EXPORTS: Mapping[str, ExportedReport] = {each.name: each for each in (STATES, ERRORS)}

_INTUNE = ("deviceid", "intunedeviceid", "manageddeviceid")
_ENTRA = ("aaddeviceid", "azureaddeviceid", "entradeviceid", "referenceid")
_CODE = ("win32errorcode", "errorcode", "hexerrorcode", "error")
_MESSAGE = ("alertmessage_loc", "alertmessage", "latestalertmessage_loc", "latestalertmessage", "description")
_KIND = ("alertsubtype_loc", "alertsubtype", "alerttype_loc", "alerttype", "alertname")
_AT = (
    "lasteventdatetimeutc",
    "eventdatetimeutc",
    "startdatetimeutc",
    "starttimeutc",
    "alertdatetime",
    "createddatetime",
)
_RELEASED = ("expeditequreleasedate", "qualityupdatereleasedate", "releasedate")
_KB = ("targetkbnumber", "kbnumber", "kbarticleid", "kb")
_STATE = ("currentdeviceupdatestatus_loc", "currentdeviceupdatestatus", "aggregatestate_loc", "aggregatestate")
_SUBSTATE = ("currentdeviceupdatesubstatus_loc", "currentdeviceupdatesubstatus", "currentdeviceupdatesubstate")
_OVER = frozenset({"resolved", "deleted", "inactive", "closed"})
_NUMBER = re.compile(r"\d{6,8}")


def read_alert(row: Row, policy_id: str) -> RequestOutcome | None:
    """The outcome in a row of alerts; None for one that is over, or that names no device."""
    if _text(row, "alertstatus").casefold() in _OVER:
        return None
    return _failure(row, policy_id, "alert", is_error=_text(row, "alertclassification").casefold() == "error")


def read_exported(report: ExportedReport, row: Row, policy_id: str) -> RequestOutcome | None:
    """The outcome in a row of an exported report; None for one that names no device, or says nothing."""
    if report is ERRORS:
        return _failure(row, policy_id, report.source, is_error=True)
    ids = _ids(row)
    state, substate = _first(row, _STATE), _first(row, _SUBSTATE)
    plain_words = [_text(row, name) for name in ("currentdeviceupdatesubstatus", "currentdeviceupdatestatus")]
    course = course_of(*plain_words, _text(row, "aggregatestate"))
    words = ", ".join(dict.fromkeys(each for each in (state, substate) if each))
    if course is Course.FAILED:
        words = ": ".join(each for each in (words, _first(row, _MESSAGE)) if each)
    if not ids or not words:
        return None
    return RequestOutcome(
        report.source, policy_id, ids, course, None, words[:300], _kb(row), _released(row), _moment(row)
    )


def _failure(row: Row, policy_id: str, source: str, *, is_error: bool) -> RequestOutcome | None:
    ids, code = _ids(row), _code(row)
    kind, message = _first(row, _KIND), _first(row, _MESSAGE)
    words = ": ".join(dict.fromkeys(each for each in (kind, message) if each))
    if not ids or not (words or code):
        return None
    course = Course.FAILED if code or is_error else Course.TOLD
    return RequestOutcome(source, policy_id, ids, course, code, words[:300], _kb(row), _released(row), _moment(row))


def error_code(value: object) -> int | None:
    """An error code however a report writes it: signed or unsigned decimal, hex with or without 0x, or a number.

    None for null, for 0 and for what is no code.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < 1 << 33 else None
    if isinstance(value, int):
        return (value % (1 << 32) or None) if -(1 << 31) <= value < 1 << 32 else None
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        return parse_code(value) or None
    except BadInput:
        return None


def _ids(row: Row) -> tuple[str, ...]:
    found = [plain_id(row.get(name)) for name in (*_INTUNE, *_ENTRA)]
    return tuple(dict.fromkeys(each for each in found if each))


def _code(row: Row) -> int | None:
    return next((code for name in _CODE if (code := error_code(row.get(name))) is not None), None)


def _kb(row: Row) -> int | None:
    for name in _KB:
        value: Any = row.get(name)
        found = _NUMBER.search(value if isinstance(value, str) else str(value) if isinstance(value, int) else "")
        if found:
            return int(found[0])
    return None


def _released(row: Row) -> date | None:
    return next((found.date() for name in _RELEASED if (found := moment(row.get(name))) is not None), None)


def _moment(row: Row) -> datetime | None:
    return next((found for name in _AT if (found := moment(row.get(name))) is not None), None)


def _first(row: Row, names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := _text(row, name))), "")


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return plain(str(value)) if isinstance(value, int) and not isinstance(value, bool) else plain(value)
