"""Patch Tuesdays, planned against published, and restarts counted from each platform's real calendar."""

from __future__ import annotations

import calendar as standard_calendar
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog import Catalog, load_bundled, load_month_facts
from engine.catalog.calendar import (
    Month,
    MonthPlan,
    MonthState,
    count_restarts,
    next_baseline,
    patch_tuesday,
    patch_tuesday_moment,
    planned_kind,
    quarter_of,
    release_moment,
    year_plan,
)
from engine.model.build import Platform
from engine.model.model import ReleaseKind

P, K = Platform, ReleaseKind
DEMO = datetime(2026, 5, 13, 9, tzinfo=UTC)
JULY = datetime(2026, 7, 6, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 21, tzinfo=UTC)


@cache
def bundled() -> Catalog:
    return load_bundled()


def plans(platform: Platform, year: int, now: datetime) -> tuple[MonthPlan, ...]:
    return year_plan(platform, year, bundled().releases, now, load_month_facts())


@given(st.integers(2000, 2100), st.integers(1, 12))
def test_patch_tuesday_is_the_second_tuesday(year: int, month: int) -> None:
    weeks = standard_calendar.monthcalendar(year, month)
    tuesdays = [week[standard_calendar.TUESDAY] for week in weeks if week[standard_calendar.TUESDAY]]
    assert patch_tuesday(year, month) == date(year, month, tuesdays[1])


def test_releases_appear_at_ten_in_redmond_in_summer_and_winter() -> None:
    assert patch_tuesday_moment("2026-05") == datetime(2026, 5, 12, 17, tzinfo=UTC)
    assert patch_tuesday_moment("2026-01") == datetime(2026, 1, 13, 18, tzinfo=UTC)
    assert release_moment(date(2025, 10, 23)) == datetime(2025, 10, 23, 17, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-00", "26-05", "2026-5", "2026/05", "2026-0x", "२०२६-०५"])
def test_other_texts_are_no_months(text: str) -> None:
    with pytest.raises(ValueError, match="month"):
        Month.parse(text)


@given(st.integers(1000, 9000), st.integers(1, 12))
def test_months_sort_and_follow_each_other(year: int, number: int) -> None:
    month = Month(year, number)
    assert Month.parse(str(month)) == month
    assert month < month.next()
    assert month.next().previous() == month.previous().next() == month
    assert str(month) < str(month.next())


def test_the_pattern_has_four_baselines_and_eight_hotpatches() -> None:
    kinds = [planned_kind(month) for month in range(1, 13)]
    assert [month for month in range(1, 13) if kinds[month - 1] is K.BASELINE] == [1, 4, 7, 10]
    assert kinds.count(K.HOTPATCH) == 8
    assert [quarter_of(month) for month in (1, 3, 4, 12)] == [(1, 2, 3), (1, 2, 3), (4, 5, 6), (10, 11, 12)]


def test_the_demo_plans_june_as_a_hotpatch() -> None:
    year = plans(P.WIN11_24H2, 2026, DEMO)
    may, june = year[4], year[5]
    assert (may.kind, may.state, may.restart, may.kb) == (K.HOTPATCH, MonthState.PUBLISHED, False, 5089466)
    assert may.lcu is not None
    assert may.lcu.name == "KB5089549"
    assert (june.published, june.kind, june.state, june.restart) == (None, K.HOTPATCH, MonthState.FORECAST, False)
    assert (june.kb, june.build, june.source) == (None, None, "quarterly pattern")
    assert june.is_forecast
    assert not june.is_surprise


def test_june_turns_out_an_unplanned_baseline() -> None:
    for platform in Platform:
        june = plans(platform, 2026, JULY)[5]
        assert (june.planned, june.published, june.restart) == (K.HOTPATCH, K.UNPLANNED_BASELINE, True)
        assert june.is_surprise
        assert not june.provisional
        assert june.source == "MSRC CVRF 2026-06"


def test_out_of_band_releases_stand_in_their_month() -> None:
    months = plans(P.WIN11_24H2, 2026, NOVEMBER)
    names = {plan.month: [release.name for release in plan.out_of_band] for plan in months if plan.out_of_band}
    assert names == {
        "2026-01": ["KB5077744", "KB5078127"],
        "2026-03": ["KB5084597", "KB5085516", "KB5086672"],
        "2026-07": ["KB5121767", "KB5121768"],
        "2026-09": ["KB5129195", "KB5129241"],
    }
    december = plans(P.WIN11_24H2, 2025, NOVEMBER)[11]
    assert [release.kind for release in december.out_of_band] == [K.COMPANION]
    assert december.kb == 5072014


@pytest.mark.parametrize(
    ("platform", "year", "now", "so_far", "expected", "ordinary_so_far", "ordinary"),
    [
        (P.WIN11_24H2, 2025, NOVEMBER, 4, 4, 12, 12),
        (P.SERVER_2025, 2025, NOVEMBER, 4, 4, 12, 12),
        (P.SERVER_2022, 2025, NOVEMBER, 4, 4, 12, 12),
        (P.WIN11_25H2, 2025, NOVEMBER, 1, 1, 3, 3),
        (P.WIN11_24H2, 2026, DEMO, 2, 4, 5, 12),
        (P.WIN11_24H2, 2026, JULY, 3, 5, 6, 12),
        *((platform, 2026, NOVEMBER, 6, 6, 11, 12) for platform in Platform),
        (P.WIN11_24H2, 2027, NOVEMBER, 0, 4, 0, 12),
    ],
)
def test_restarts_are_counted_from_the_real_calendar(
    platform: Platform, year: int, now: datetime, so_far: int, expected: int, ordinary_so_far: int, ordinary: int
) -> None:
    count = count_restarts(plans(platform, year, now))
    assert (count.so_far, count.expected) == (so_far, expected)
    assert (count.ordinary_so_far, count.ordinary) == (ordinary_so_far, ordinary)


def test_second_hand_months_say_so() -> None:
    october = plans(P.SERVER_2025, 2026, NOVEMBER)[9]
    assert (october.published, october.kb, str(october.build)) == (K.BASELINE, None, "26100.33650")
    assert october.provisional
    assert "cvelistV5" in october.source
    assert plans(P.SERVER_2025, 2026, NOVEMBER)[7].provisional


def test_a_month_that_has_passed_without_a_known_release_is_missing_and_not_a_fact() -> None:
    november = plans(P.WIN11_24H2, 2026, NOVEMBER)[10]
    assert (november.state, november.published, november.is_forecast) == (MonthState.MISSING, None, True)
    empty = year_plan(P.WIN11_24H2, 2026, (), NOVEMBER)
    assert {plan.state for plan in empty} == {MonthState.BEFORE, MonthState.FORECAST}
    assert [plan.state for plan in plans(P.WIN11_25H2, 2025, NOVEMBER)[:9]] == [MonthState.BEFORE] * 9


def test_the_next_restart_is_the_next_planned_baseline() -> None:
    def upcoming(now: datetime) -> date:
        return next_baseline(P.WIN11_24H2, bundled().releases, now).date()

    assert upcoming(DEMO) == date(2026, 7, 14)
    assert upcoming(datetime(2026, 6, 10, tzinfo=UTC)) == date(2026, 7, 14)
    assert upcoming(datetime(2026, 7, 14, 16, 59, tzinfo=UTC)) == date(2026, 7, 14)
    assert upcoming(datetime(2026, 7, 14, 17, 1, tzinfo=UTC)) == date(2026, 10, 13)
    assert upcoming(datetime(2026, 10, 14, 17, 1, tzinfo=UTC)) == date(2027, 1, 12)


def test_a_baseline_whose_document_is_late_is_still_ahead_for_a_day() -> None:
    late = datetime(2026, 7, 14, 20, tzinfo=UTC)
    assert next_baseline(P.WIN11_24H2, (), late).date() == date(2026, 7, 14)
    assert next_baseline(P.WIN11_24H2, (), late + timedelta(days=1)).date() == date(2026, 10, 13)


@given(st.integers(0, 4_000))
def test_the_next_baseline_is_ahead_and_within_a_quarter(days: int) -> None:
    now = datetime(2025, 1, 1, 12, tzinfo=UTC) + timedelta(days=days)
    for platform in Platform:
        moment = next_baseline(platform, bundled().releases, now)
        assert now - timedelta(days=1) < moment < now + timedelta(days=100)
        assert planned_kind(moment.month) is K.BASELINE


@given(st.integers(0, 730 * 24), st.sampled_from(list(Platform)))
def test_a_plan_never_knows_more_than_its_present(hours: int, platform: Platform) -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    for plan in (*plans(platform, 2025, now), *plans(platform, 2026, now)):
        assert plan.is_forecast or patch_tuesday_moment(plan.month) <= now
        assert all(release.released_at <= now for release in plan.out_of_band)
        assert plan.restart is (plan.state is not MonthState.BEFORE and not plan.kind.is_hotpatch)
