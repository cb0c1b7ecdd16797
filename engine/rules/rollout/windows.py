"""Maintenance windows: when a device may restart for a release, in the local time of its ring's zone. Pure.

Rings keep them as text (``sat,sun 22:00-04:00 Europe/Berlin``); plans, the runner's orders and screens ask here.
A hotpatch needs none. Never knows the present by itself.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.model.errors import BadInput
from engine.model.model import Window

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXAMPLE = "sat,sun 22:00-04:00 Europe/Berlin"

_DAY = timedelta(days=1)
_TEXT = re.compile(
    r"(?P<days>[a-z,\-]+)\s+(?P<from>\d{1,2}:\d{2})\s*-\s*(?P<to>\d{1,2}:\d{2})(?:\s+(?P<zone>\S+))?", re.I
)


def next_window(window: Window, at: datetime) -> tuple[datetime, datetime]:
    """Begin and end, in UTC, of the window that is open at `at`, or else of the next one."""
    zone = ZoneInfo(window.zone)
    # A window may be longer than a day, so the search begins where one that is still open may have begun.
    day = at.astimezone(zone).date() - timedelta(days=1 + window.minutes // 1440)
    while True:
        if day.weekday() in window.days:
            begin = datetime.combine(day, window.begins, zone).astimezone(UTC)
            end = begin + timedelta(minutes=window.minutes)
            if end > at:
                return begin, end
        day += _DAY


def is_open(window: Window, at: datetime) -> bool:
    """Whether a restart is allowed at this time."""
    return next_window(window, at)[0] <= at


def parse_window(text: str) -> Window | None:
    """The window that a text means; None for "" and ``none``.

    Raises:
        BadInput: it cannot be read, or its zone is not known.
    """
    folded = text.strip()
    if folded.casefold() in ("", "none"):
        return None
    match = _TEXT.fullmatch(folded)
    if match is None:
        raise _unreadable(text, "It is not written as days, times and zone.")
    begins, ends = _time(match["from"], text), _time(match["to"], text)
    minutes = (ends.hour * 60 + ends.minute) - (begins.hour * 60 + begins.minute)
    zone = match["zone"] or "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _unreadable(text, f"There is no time zone {zone!r}.") from error
    return Window(_days(match["days"].lower(), text), begins, minutes if minutes > 0 else minutes + 1440, zone)


def window_text(window: Window | None) -> str:
    """The text that `parse_window` reads; "" for None."""
    if window is None:
        return ""
    days = "daily" if len(window.days) == 7 else ",".join(DAY_NAMES[day] for day in window.days)
    hours, minutes = divmod((window.begins.hour * 60 + window.begins.minute + window.minutes) % 1440, 60)
    return f"{days} {window.begins:%H:%M}-{hours:02}:{minutes:02} {window.zone}"


def _days(text: str, whole: str) -> tuple[int, ...]:
    if text == "daily":
        return tuple(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAY_NAMES or (last and last not in DAY_NAMES):
            raise _unreadable(whole, f"There is no day {part!r}.")
        begin, end = DAY_NAMES.index(first), DAY_NAMES.index(last or first)
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return tuple(sorted(found))


def _time(text: str, whole: str) -> time:
    hours, _, minutes = text.partition(":")
    try:
        return time(int(hours), int(minutes))
    except ValueError as error:
        raise _unreadable(whole, f"There is no time {text}.") from error


def _unreadable(text: str, why: str) -> BadInput:
    return BadInput(
        f"The maintenance window {text!r} cannot be read.",
        why,
        f"Write it like: {EXAMPLE}, or mon-fri 20:00-06:00 UTC, or none.",
        field="window",
    )
