"""Patch Tuesdays, quarters and month plans: what the calendar expects, and what was published instead.

Called by the catalog, readiness, the reports and both fronts. Facts win: the pattern only fills what no release
tells yet, and says so. Never counts restarts from the slogan "twelve become four".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from engine.model.build import OsBuild, Platform
from engine.model.model import Release, ReleaseKind

BASELINE_MONTHS = frozenset({1, 4, 7, 10})
"""The first month of each quarter (Learn, "Hotpatch updates: update schedules")."""
_RELEASE_TIME = time(10, 0)
_REDMOND = "America/Los_Angeles"
_PATTERN = "quarterly pattern"


class Month(NamedTuple):
    """A month of a year; sorts like time."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read ``2026-05``.

        Raises:
            ValueError: the text is not a month.
        """
        year, _, number = text.partition("-")
        if not (len(year) == 4 and len(number) == 2 and (year + number).isascii() and (year + number).isdigit()):
            raise ValueError(f"{text!r} is not a month; write it like 2026-05")
        if not 1 <= int(number) <= 12:
            raise ValueError(f"{text!r} is not a month; months are 01 to 12")
        return cls(int(year), int(number))

    def next(self) -> Month:
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    def previous(self) -> Month:
        return Month(self.year - (self.number == 1), (self.number - 2) % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"


def patch_tuesday(year: int, month: int) -> date:
    """The second Tuesday of the month."""
    first = date(year, month, 1)
    return first + timedelta(days=(1 - first.weekday()) % 7 + 7)


def release_moment(day: date) -> datetime:
    """When a release of that day appears: 10:00 in Redmond, as UTC."""
    return datetime.combine(day, _RELEASE_TIME, ZoneInfo(_REDMOND)).astimezone(UTC)


@cache
def patch_tuesday_moment(month: str) -> datetime:
    """When the B release of a month like ``2026-05`` appears, as UTC.

    Raises:
        ValueError: the text is not a month.
    """
    return release_moment(patch_tuesday(*Month.parse(month)))


def last_document_month(now: datetime) -> str:
    """The month of the newest monthly document that is published by now, ``2026-05``."""
    month = f"{now:%Y-%m}"
    if now >= patch_tuesday_moment(month):
        return month
    return f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"


def planned_kind(month: int) -> ReleaseKind:
    """What the quarterly pattern expects of a month: a baseline, or a hotpatch."""
    return ReleaseKind.BASELINE if month in BASELINE_MONTHS else ReleaseKind.HOTPATCH


class MonthState(StrEnum):
    """How much is known of a month."""

    PUBLISHED = "published"
    FORECAST = "forecast"
    """Its Patch Tuesday is still to come."""
    MISSING = "missing"
    """Its Patch Tuesday has passed, but no release of it is known: the catalog is behind."""
    BEFORE = "before"
    """Before the platform's first known release; no restart is counted for it."""


class MonthFact(Struct, frozen=True):
    """A month whose kind became known without the KB of its release."""

    platform: Platform
    month: str
    kind: ReleaseKind
    released_on: date
    build: OsBuild | None
    source: str


class MonthPlan(Struct, frozen=True):
    """One month of one platform: what was planned, what was published, and what it means for a hotpatched device."""

    platform: Platform
    month: str
    """``2026-05``"""
    planned: ReleaseKind
    """By the quarterly pattern: BASELINE or HOTPATCH."""
    published: ReleaseKind | None
    """The kind of the month's B release; None while none is known."""
    patch_tuesday: date
    state: MonthState
    restart: bool
    """Whether a device on the hotpatch track restarts for the month's B release."""
    kb: int | None
    build: OsBuild | None
    lcu: Release | None
    """The LCU beside a hotpatch: what a device off the track takes, with a restart."""
    out_of_band: tuple[Release, ...]
    """Out-of-band releases and companions of the month, oldest first."""
    provisional: bool
    """Known from a second-hand source only."""
    source: str

    @property
    def kind(self) -> ReleaseKind:
        """What the month is: the fact where there is one, else the plan."""
        return self.published or self.planned

    @property
    def is_forecast(self) -> bool:
        """Whether it shows the pattern and not a published release."""
        return self.published is None

    @property
    def is_surprise(self) -> bool:
        """Whether something else was published than planned, for example an unplanned baseline."""
        return self.published is not None and self.published is not self.planned


class RestartCount(Struct, frozen=True):
    """Restarts in a year on the hotpatch track, against ordinary servicing where every month restarts."""

    so_far: int
    """For releases that are published."""
    expected: int
    """So far, and those that the pattern still expects."""
    ordinary_so_far: int
    ordinary: int
    """Twelve for a whole year; fewer where the platform came within the year."""


def year_plan(
    platform: Platform,
    year: int,
    releases: Iterable[Release],
    now: datetime,
    facts: Iterable[MonthFact] = (),
) -> tuple[MonthPlan, ...]:
    """The twelve months of a platform as they are known at `now`."""
    known = sorted(
        (r for r in releases if r.platform is platform and r.released_at <= now), key=lambda r: (r.released_at, r.kb)
    )
    first = min((release.month for release in known), default=None)
    noted = {
        fact.month: fact for fact in facts if fact.platform is platform and release_moment(fact.released_on) <= now
    }
    by_month: dict[str, list[Release]] = {}
    for release in known:
        by_month.setdefault(release.month, []).append(release)
    months = [Month(year, number) for number in range(1, 13)]
    return tuple(
        _month_plan(platform, month, by_month.get(str(month), ()), noted.get(str(month)), now, first)
        for month in months
    )


def _month_plan(
    platform: Platform,
    month: Month,
    releases: Sequence[Release],
    fact: MonthFact | None,
    now: datetime,
    first: str | None,
) -> MonthPlan:
    planned = planned_kind(month.number)
    tuesday = patch_tuesday(*month)
    main = _main_of(releases)
    published = main.kind if main is not None else fact.kind if fact is not None else None
    if published is not None:
        state = MonthState.PUBLISHED
    elif release_moment(tuesday) > now:
        state = MonthState.FORECAST
    else:
        state = MonthState.MISSING if first is not None and first < str(month) else MonthState.BEFORE
    lcu = next((r for r in releases if r.kind is ReleaseKind.LCU and r is not main), None)
    return MonthPlan(
        platform=platform,
        month=str(month),
        planned=planned,
        published=published,
        patch_tuesday=tuesday,
        state=state,
        restart=state is not MonthState.BEFORE and not (published or planned).is_hotpatch,
        kb=main.kb if main is not None else None,
        build=main.build if main is not None else fact.build if fact is not None else None,
        lcu=lcu,
        out_of_band=tuple(r for r in releases if r is not main and r is not lcu),
        provisional=main.provisional if main is not None else fact is not None,
        source=main.source if main is not None else fact.source if fact is not None else _PATTERN,
    )


def _main_of(releases: Sequence[Release]) -> Release | None:
    """The B release that a device on the hotpatch track takes: hotpatch before baseline before LCU."""
    for kinds in (
        (ReleaseKind.HOTPATCH,),
        (ReleaseKind.BASELINE, ReleaseKind.UNPLANNED_BASELINE),
        (ReleaseKind.LCU,),
    ):
        found = next((release for release in releases if release.kind in kinds), None)
        if found is not None:
            return found
    return None


def count_restarts(plans: Iterable[MonthPlan]) -> RestartCount:
    """The restarts of a year's plans. Out-of-band LCUs and companions count nothing: not every device takes them."""
    months = [plan for plan in plans if plan.state is not MonthState.BEFORE]
    published = [plan for plan in months if plan.state is MonthState.PUBLISHED]
    passed = [plan for plan in months if plan.state is not MonthState.FORECAST]
    return RestartCount(
        so_far=sum(plan.restart for plan in published),
        expected=sum(plan.restart for plan in months),
        ordinary_so_far=len(passed),
        ordinary=len(months),
    )


def quarter_of(month: int) -> tuple[int, int, int]:
    """The three months of the quarter that a month lies in, its baseline month first."""
    first = (month - 1) // 3 * 3 + 1
    return (first, first + 1, first + 2)


def next_baseline(platform: Platform, releases: Iterable[Release], now: datetime) -> datetime:
    """When devices of the platform restart next for a baseline: always a plan, for no later release is known.

    A baseline month whose Patch Tuesday has come without its release being known yet (the document is late) is
    still ahead for the rest of that day.
    """
    published = {r.month for r in releases if r.platform is platform and r.kind.is_baseline and r.released_at <= now}
    month = Month(now.year, now.month)
    while True:
        moment = patch_tuesday_moment(str(month))
        is_late = str(month) not in published and moment <= now < moment + timedelta(days=1)
        if month.number in BASELINE_MONTHS and (moment > now or is_late):
            return moment
        month = month.next()
