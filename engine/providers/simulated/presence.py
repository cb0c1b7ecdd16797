"""When a simulated device is there: switched on, checking in, or gone dark. Pure; asked by scripts and the generator.

Offices keep local hours; servers and cloud PCs are always on. A dark device never returns.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zlib import crc32
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.model.model import DeviceFacts, FormFactor
from engine.providers.simulated.company import ZONE_OF_CITY
from engine.providers.simulated.draws import between, share, words
from engine.providers.simulated.faults import Faults

_DAY = timedelta(days=1)
_DARK_PER_MILLE = 27
_ALWAYS_ON = frozenset({FormFactor.SERVER, FormFactor.CLOUD_PC, FormFactor.UNKNOWN})
_HOLIDAY_PERCENT = 3
_LEFT_ON_PERCENT = 45
"""Desktops that nobody switches off."""


def is_dark(external_id: str) -> bool:
    """Whether the device has left for good; it depends on the name alone, so no state is needed to know it."""
    return crc32(b"dark/" + external_id.encode()) % 1000 < _DARK_PER_MILLE


def check_in_at(external_id: str, last_seen_at: datetime, now: datetime) -> datetime:
    """When the device last checked in, given an earlier check-in: at the same time of each day, unless dark.

    In bulk the same rule is one UPDATE: every device of a simulated fleet that was seen within the few days before
    the last such update is moved by the time that passed; dark ones were seen weeks ago and stay behind.
    """
    if is_dark(external_id) or now <= last_seen_at:
        return last_seen_at
    return last_seen_at + (now - last_seen_at) // _DAY * _DAY


class Absence(Struct, frozen=True):
    """A device's days away in a wave that takes many devices offline together."""

    begins_at: datetime
    ends_at: datetime

    @staticmethod
    def of(external_id: str, seed: int, faults: Faults) -> Absence | None:
        """The absence of this device, None when the wave does not take it."""
        if faults.wave_share <= 0:
            return None
        word = words(f"{seed}/wave/{external_id}")
        if share(word[0]) >= faults.wave_share:
            return None
        begins_at = faults.wave_begins_at + timedelta(0, between(0, 6 * 3600, word[1]))
        shortest, longest = faults.wave_days
        days = between(shortest * 86_400, longest * 86_400, word[2])
        return Absence(begins_at, begins_at + timedelta(0, days))

    def after(self, at: datetime) -> datetime:
        """The same moment, or the return where it falls into the absence."""
        return self.ends_at if self.begins_at <= at < self.ends_at else at


def on_from(device: DeviceFacts, at: datetime) -> datetime:
    """The first moment from `at` on at which the device is switched on."""
    if device.form in _ALWAYS_ON:
        return at
    habits = words(f"habits/{device.name}")
    if device.form is FormFactor.DESKTOP and habits[0] % 100 < _LEFT_ON_PERCENT:
        return at
    zone = zone_of(device.site)
    opens = time(7, 15 + habits[1] % 45)
    minutes_open = between(9 * 60, 12 * 60, habits[2])
    day = at.astimezone(zone).date()
    for _ in range(30):
        begin = datetime.combine(day, opens, zone).astimezone(UTC)
        end = begin + timedelta(minutes=minutes_open)
        if at < end and day.weekday() < 5 and not _is_holiday(device.name, day.isocalendar()[:2]):
            return max(at, begin)
        day += _DAY
    return at


def in_maintenance_window(device: DeviceFacts, at: datetime, word: int) -> datetime:
    """A moment in the server's next night, 22:00 to 04:00 local time."""
    local = at.astimezone(zone_of(device.site))
    begin = datetime.combine(local.date(), time(22), local.tzinfo)
    moment = begin.astimezone(UTC) + timedelta(0, between(0, 6 * 3600, word))
    return moment if moment > at else moment + _DAY


@cache
def zone_of(city: str) -> ZoneInfo:
    """The time zone of a site; UTC where the company has none by that name."""
    return ZoneInfo(ZONE_OF_CITY.get(city, "UTC"))


def _is_holiday(name: str, week: tuple[int, int]) -> bool:
    return crc32(f"holiday/{name}/{week[0]}/{week[1]}".encode()) % 100 < _HOLIDAY_PERCENT
