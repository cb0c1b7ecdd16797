"""Reads times as files write them: ISO 8601, Intune's and the scanners' forms, what a spreadsheet makes of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from enum import StrEnum


class DateOrder(StrEnum):
    """What 5/6/2026 means in a file."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"
    UNKNOWN = "unknown"


_LOCAL = re.compile(
    r"(?P<a>\d{1,2})(?P<sign>[./-])(?P<b>\d{1,2})(?P=sign)(?P<year>\d{4})"
    r"(?:[ ,T]+(?:at )?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:\.\d+)?\s*"
    r"(?P<half>[AaPp])?\.?[Mm]?\.?)?(?: \((?:GMT|UTC)\))?",
    re.ASCII,
)
_WORDED = re.compile(
    r"(?:(?P<d1>\d{1,2})[ -])?(?P<month>[A-Za-z]{3,9})(?:[ -](?P<d2>\d{1,2}))?,?[ -](?P<year>\d{4}),?(?: at)?"
    r"(?: (?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))? ?(?P<half>[AaPp])?[Mm]?)?"
    r"(?: \(?(?:UTC|GMT|Z)(?P<zone>[+-]\d{2}:?\d{2})?\)?)?",
    re.ASCII,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SEVEN_DIGITS = re.compile(r"(\.\d{6})\d+")


class AmbiguousDate(ValueError):
    """Day and month cannot be told apart."""


def read_moment(text: str, order: DateOrder) -> datetime | None:
    """The time as UTC; None for the years 1 and 9999, with which Intune writes "never".

    A time without a zone is taken as UTC, which is what Intune writes.

    Raises:
        AmbiguousDate: like 5/6/2026, and the file does not show what comes first.
        ValueError: not a time.
    """
    text = text.strip()
    local = _LOCAL.fullmatch(text)
    try:
        if local:
            moment = _from_local(local, order)
        elif worded := _WORDED.fullmatch(text):
            moment = _from_words(worded)
        else:
            moment = datetime.fromisoformat(_SEVEN_DIGITS.sub(r"\1", text))
    except AmbiguousDate:
        raise
    except ValueError:
        raise ValueError(f"{_short(text)} is not a time; write it like 2026-05-12T16:40:00Z") from None
    if moment.year in (1, 9999):
        return None
    if not 1980 <= moment.year <= 2999:
        raise ValueError(f"{_short(text)} is not a time of this world; write it like 2026-05-12T16:40:00Z")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def order_shown_by(text: str) -> DateOrder:
    """What one written date proves about the order; most prove nothing."""
    found = _LOCAL.fullmatch(text.strip())
    if found is None or found["sign"] == ".":
        return DateOrder.UNKNOWN
    first, second = int(found["a"]), int(found["b"])
    if first > 12 >= second:
        return DateOrder.DAY_FIRST
    if second > 12 >= first:
        return DateOrder.MONTH_FIRST
    return DateOrder.MONTH_FIRST if found["half"] else DateOrder.UNKNOWN


def _from_local(found: re.Match[str], order: DateOrder) -> datetime:
    if found["sign"] == ".":
        order = DateOrder.DAY_FIRST
    elif order is DateOrder.UNKNOWN:
        order = order_shown_by(found[0])
    first, second = int(found["a"]), int(found["b"])
    if order is DateOrder.UNKNOWN and first != second:
        raise AmbiguousDate(
            f"{found[0]} can be two days, and nothing in the file tells which; "
            "write times like 2026-05-12T16:40:00Z, or say which comes first, day or month"
        )
    day, month = (second, first) if order is DateOrder.MONTH_FIRST else (first, second)
    return _at(found, month, day, UTC)


def _from_words(found: re.Match[str]) -> datetime:
    """``Oct 17, 2024 17:24:54 UTC`` as Tenable writes it, ``04 Feb 2026 10:00AM GMT-0500`` as Qualys does."""
    month = next((n for n, name in enumerate(_MONTHS, 1) if found["month"].casefold().startswith(name)), 0)
    if not month or bool(found["d1"]) == bool(found["d2"]):
        raise ValueError(found[0])
    zone: tzinfo = UTC
    if found["zone"]:
        zone = datetime.strptime(found["zone"], "%z").tzinfo or UTC
    return _at(found, month, int(found["d1"] or found["d2"]), zone)


def _at(found: re.Match[str], month: int, day: int, zone: tzinfo) -> datetime:
    hour = int(found["hour"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(found[0])
        hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
    return datetime(
        int(found["year"]), month, day, hour, int(found["minute"] or 0), int(found["second"] or 0), tzinfo=zone
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
