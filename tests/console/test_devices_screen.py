"""The screen of devices, by keys."""

from __future__ import annotations

from pathlib import Path

from engine.model import Verdict
from tests.console.driver import LARGE, desk


async def test_first_rows_are_shown_with_the_total(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        assert len(d.rows()) == 21
        assert "1-21" in d.lines()[1]
        assert "500 devices" in d.title_line()
        assert d.title_line().startswith(" Devices")


async def test_filter_shows_only_what_matches_and_escape_takes_it_away(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.filter("ring:fast -ready")
        rows = d.rows()
        assert rows
        assert all(row.ring == "Fast" and row.verdict is not Verdict.READY for row in rows)
        assert "ring:fast -ready" in d.title_line()
        await d.press("escape")
        assert "500 devices" in d.title_line()


async def test_a_wrong_filter_says_what_is_wrong_and_keeps_the_rows(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        before = d.rows()
        await d.press("slash")
        await d.type("colour:red")
        assert d.shows("colour")
        assert "ring" in d.text()
        assert d.rows()[:5] == before[:5]


async def test_enter_opens_the_pane_and_it_follows_the_cursor(demo_state: Path) -> None:
    async with desk(demo_state, size=LARGE) as d:
        await d.press("enter")
        assert d.shows("Readiness", "History", d.cursor().name)
        await d.press("j", "j")
        assert f"› {d.cursor().name}" in d.title_line()
