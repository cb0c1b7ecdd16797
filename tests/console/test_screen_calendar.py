"""The calendar: months planned and published, by platform; the year, the quarter, and where a month leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from console.calendar_export import write_ics
from console.screens.calendar import FIRST_YEAR, LAST_YEAR, CalendarScreen, moved, nothing_to_open
from console.text import use_ascii
from console.widgets.month_card import framed, kind_line, quarter_lines, year_lines
from console.widgets.month_grid import MonthGrid
from engine import open_engine
from engine.catalog.calendar import Month, MonthPlan, MonthState
from engine.model.build import OsBuild, Platform
from engine.model.errors import BadInput, StateUnusable
from engine.model.model import Release, ReleaseKind
from tests.console.driver import LARGE, SMALL, Desk, desk
from tests.console.pictures import SIZES, same_picture

NOW = datetime(2026, 9, 9, 12, tzinfo=UTC)


def release(kb: int, kind: ReleaseKind) -> Release:
    at = datetime(2026, 6, 18, 17, tzinfo=UTC)
    return Release(kb, Platform.WIN11_24H2, kind, "2026-06", at, OsBuild(26100, 9000), (), True, "a test")


PLAN = MonthPlan(
    platform=Platform.WIN11_24H2,
    month="2026-06",
    planned=ReleaseKind.HOTPATCH,
    published=ReleaseKind.HOTPATCH,
    patch_tuesday=date(2026, 6, 9),
    state=MonthState.PUBLISHED,
    restart=False,
    kb=5094126,
    build=OsBuild(26100, 8655),
    lcu=release(5094127, ReleaseKind.LCU),
    out_of_band=(),
    provisional=False,
    source="MSRC CVRF 2026-06",
)
UNPLANNED = replace(PLAN, published=ReleaseKind.UNPLANNED_BASELINE, restart=True, lcu=None)
FORECAST = replace(PLAN, published=None, state=MonthState.FORECAST, kb=None, build=None, lcu=None)


def plans(d: Desk) -> MonthGrid:
    return d.screen.query_one(MonthGrid)


def month(d: Desk) -> str:
    plan = plans(d).cursor_plan
    return plan.month if plan is not None else ""


async def to_september(path: Path) -> None:
    with open_engine(path) as engine:
        assert engine.demo is not None
        engine.demo.step_to(NOW)
        await engine.run_due()
        engine.give_back_lease()


# --- what it says -----------------------------------------------------------------------------------


async def test_facts_and_plans_differ_by_sign_word_and_frame(demo_state: Path) -> None:
    async with desk(demo_state, start="calendar", size=SMALL) as d:
        lines = d.lines()
        april = next(index for index, line in enumerate(lines) if " April " in line)
        july = next(index for index, line in enumerate(lines) if " July " in line)
        assert lines[april].startswith("╭─")
        assert "◐ baseline, restart" in lines[april + 1]
        assert "KB5083769 26100.8246" in lines[april + 2]
        assert lines[july].startswith("╭╌")
        assert "○ baseline planned" in lines[july + 1]
        assert "restart expected" in lines[july + 2]
        assert "in 8 wk" in lines[july + 3]
        assert d.shows("● hotpatch, no restart", "May, now", "OOB KB5084597 +2")
        assert "── published  ╌╌ planned" in lines[1]


async def test_restarts_against_twelve_and_the_next_one(demo_state: Path) -> None:
    async with desk(demo_state, start="calendar") as d:
        assert d.shows("2 restarts so far, 4 expected against 12", "next ○ Tue 14 Jul in 8 wk planned")
        await d.press("pageup")
        assert d.shows("4 restarts in 2025 against 12")
        assert "2025" in d.title_line()


async def test_an_unplanned_baseline_says_what_was_planned(demo_state: Path) -> None:
    await to_september(demo_state)
    async with desk(demo_state, start="calendar", size=LARGE) as d:
        assert d.shows("5 restarts so far, 6 expected against 12")
        assert d.shows("▲ unplanned baseline", "KB5094126", "planned was: hotpatch", "? not confirmed")
        await d.press("z")
        assert d.shows("Sep 2026, now", "▲ unplanned baseline", "planned was: hotpatch", "Patch Tuesday Tue 8 Sep")


async def test_the_quarter_has_everything_about_its_months(demo_state: Path) -> None:
    async with desk(demo_state, start="calendar", size=LARGE) as d:
        await d.press("z")
        assert "Q2 2026" in d.title_line()
        assert d.shows("Apr 2026", "May 2026, now", "Jun 2026")
        assert d.shows("Patch Tuesday", "Tue 12 May, 16 h ago", "KB5089466 26100.8390")
        assert d.shows("LCU, restart", "KB5089549 26100.8457", "if off the track", "MSRC CVRF 2026-05")
        assert d.shows("quarterly pattern")
        await d.press("left", "left")
        assert "Q1 2026" in d.title_line()
        assert d.shows("Out of band", "13 Mar KB5084597 hotpatch")


async def test_a_platform_that_came_within_the_year_has_fewer_months(demo_state: Path) -> None:
    async with desk(demo_state, start="calendar") as d:
        await d.press("tab", "pageup")
        assert "Windows 11 25H2 › 2025" in d.title_line()
        assert d.shows("no release yet", "1 restart in 2025 against 3")
        await d.press("pageup")
        assert d.shows("Windows 11 25H2 had no release in 2024.")


# --- moving -----------------------------------------------------------------------------------------


async def test_arrows_walk_the_months_and_over_the_years(demo_state: Path) -> None:
    async with desk(demo_state, start="calendar") as d:
        assert month(d) == "2026-05"
        await d.press("right", "down")
        assert month(d) == "2026-09"
        await d.press("k", "j", "g")
        assert month(d) == "2026-01"
        await d.press("left")
        assert month(d) == "2025-12"
        assert "2025" in d.title_line()
        await d.press("t")
        assert month(d) == "2026-05"
        await d.press("z", "pagedown")
        assert month(d) == "2026-08"
        await d.press("escape", "escape")
        assert month(d) == "2026-05"
        assert "Q2" not in d.title_line()


async def test_tab_goes_through_the_platforms_and_is_remembered(demo_state: Path) -> None:
    async with desk(demo_state, start="calendar") as d:
        assert "[W11 24H2]" in d.lines()[1]
        await d.press("tab", "tab")
        assert "[Srv 2025]" in d.lines()[1]
        assert d.shows("KB5087423 26100.32772")
        await d.press("z")
    async with desk(demo_state, start="calendar") as d:
        assert "Server 2025 › Q2 2026" in d.title_line()
        await d.press("shift+tab")
        assert "[W11 25H2]" in d.lines()[1]


@given(st.integers(FIRST_YEAR, LAST_YEAR), st.integers(1, 12), st.integers(-30_000, 30_000))
def test_moving_stays_within_the_years(year: int, number: int, by: int) -> None:
    found = moved(Month(year, number), by)
    assert FIRST_YEAR <= found.year <= LAST_YEAR
    assert 1 <= found.number <= 12
    if FIRST_YEAR < found.year < LAST_YEAR:
        assert moved(found, -by) == Month(year, number)


# --- where a month leads ----------------------------------------------------------------------------


async def test_enter_leads_to_the_release(demo_state: Path) -> None:
    async with desk(demo_state, start="calendar") as d:
        await d.press("enter")
        assert d.title_line().startswith(" Releases")
        assert d.cursor().release.kb == 5089466


async def test_a_planned_month_says_why_it_leads_nowhere(demo_state: Path) -> None:
    async with desk(demo_state, start="calendar") as d:
        await d.press("down", "enter")
        assert d.title_line().startswith(" Calendar")
        assert "Aug 2026 has no release yet Its Patch Tuesday is Tue 11 Aug" in d.notices()[0]


async def test_led_here_with_a_platform_and_a_month(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        d.app.go("calendar", "server-2022 2025-10 nonsense")
        await d.idle()
        assert "Server 2022 › 2025" in d.title_line()
        assert month(d) == "2025-10"


def test_every_state_has_words_for_leading_nowhere() -> None:
    for state in MonthState:
        words, title = nothing_to_open(replace(FORECAST, state=state))
        assert words.endswith((".", "sync"))
        assert "Jun 2026" in title


# --- export -----------------------------------------------------------------------------------------


async def test_export_writes_the_year_for_calendar_programs(
    demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with desk(demo_state, start="calendar") as d:
        await d.press("e")
        assert d.shows("Export Windows 11 24H2 2026", "hotpatch-win11-24h2-2026.ics")
        await d.press("enter")
        assert "Wrote Windows 11 24H2 2026 to hotpatch-win11-24h2-2026.ics." in d.notices()
    text = (tmp_path / "hotpatch-win11-24h2-2026.ics").read_text()
    assert text.startswith("BEGIN:VCALENDAR")
    assert "KB5089466" in text


def test_a_file_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not known"):
        write_ics(tmp_path / "year.csv", [PLAN], NOW, state=tmp_path / "s.db")
    with pytest.raises(BadInput, match="no such folder"):
        write_ics(tmp_path / "nowhere" / "year.ics", [PLAN], NOW, state=tmp_path / "s.db")
    assert list(tmp_path.iterdir()) == []
    write_ics(tmp_path / "year.ics", [PLAN], NOW, state=tmp_path / "s.db")
    with pytest.raises(BadInput, match="already"):
        write_ics(tmp_path / "year.ics", [], NOW, state=tmp_path / "s.db")
    assert b"VEVENT" in (tmp_path / "year.ics").read_bytes()


# --- failed -----------------------------------------------------------------------------------------


async def test_a_failed_read_says_so_in_words(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.reads.releases import ReleaseReads

    def fails(*_: object) -> None:
        raise StateUnusable("The state file is damaged.", "A page is not readable.", "Restore a backup.")

    monkeypatch.setattr(ReleaseReads, "year_plan", fails)
    async with desk(demo_state, start="calendar") as d:
        assert d.shows("✗ The state file is damaged.", "Restore a backup.", "not read")
        await d.press("enter", "z", "left")
        assert isinstance(d.screen, CalendarScreen)


# --- cards ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (PLAN, "● hotpatch"),
        (replace(PLAN, published=ReleaseKind.BASELINE, planned=ReleaseKind.BASELINE, restart=True), "◐ baseline"),
        (UNPLANNED, "▲ unplanned baseline"),
        (FORECAST, "○ hotpatch planned"),
        (replace(FORECAST, state=MonthState.MISSING), "? hotpatch planned, not known yet"),
        (replace(FORECAST, state=MonthState.BEFORE), "before its first release"),
    ],
)
def test_the_kind_of_a_month(plan: MonthPlan, words: str) -> None:
    assert kind_line(plan, 40).plain == words
    assert kind_line(plan, 14).plain


PLANS = st.builds(
    replace,
    st.sampled_from([PLAN, UNPLANNED, FORECAST]),
    state=st.sampled_from(MonthState),
    provisional=st.booleans(),
    source=st.text(max_size=200),
    out_of_band=st.lists(st.builds(release, st.integers(1, 9_999_999), st.sampled_from(ReleaseKind)), max_size=5).map(
        tuple
    ),
)


@given(PLANS, st.integers(12, 80), st.integers(3, 30), st.booleans(), st.booleans())
def test_a_card_is_exactly_as_large_as_its_place(
    plan: MonthPlan, width: int, height: int, cursor: bool, ascii_only: bool
) -> None:
    use_ascii(ascii_only)
    try:
        for rows in (year_lines(plan, width - 4, height - 2, NOW), quarter_lines(plan, width - 4, NOW)):
            card = framed(plan, rows, width, height, is_now=cursor, cursor=cursor)
            assert len(card) == height
            for each in card:
                assert each.cell_length == width
                assert each.plain.isprintable()
                assert each.plain.isascii() or not ascii_only
    finally:
        use_ascii(False)


# --- looks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_picture(snap_compare: Callable[..., bool], demo_state: Path, size: tuple[int, int]) -> None:
    assert same_picture(snap_compare, demo_state, "calendar", size, ["right"])


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_a_quarter(snap_compare: Callable[..., bool], demo_state: Path, size: tuple[int, int]) -> None:
    asyncio.run(to_september(demo_state))
    assert same_picture(snap_compare, demo_state, "calendar", size, ["z"])
