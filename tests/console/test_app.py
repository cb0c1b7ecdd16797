"""The application: screens by number, the palette, looks, the demo's clock, quitting."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.app import SCREENS
from console.settings import Settings
from console.themes import NAMES
from engine.model.errors import StateUnusable
from tests.console.driver import LARGE, desk
from tests.console.fake_engine import FakeFleet


@pytest.mark.parametrize("name", SCREENS)
async def test_every_screen_opens_by_its_number_and_has_a_home(demo_state: Path, name: str) -> None:
    async with desk(demo_state, start="devices") as d:
        await d.show(name)
        assert d.title_line().split()[0].casefold() == name
        assert d.app.focused is not None
        assert "?" in d.footer()


async def test_the_palette_finds_a_device_and_opens_it(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.press("ctrl+p")
        await d.type("ber-lt-0003")
        await d.press("enter")
        assert d.cursor().name == "BER-LT-0003"
        assert d.shows("Readiness")


async def test_the_palette_finds_verbs_and_changes_the_look(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.press("colon")
        await d.type("look light")
        await d.press("enter")
        assert d.app.theme == "light"
        await d.press("ctrl+p")
        await d.type("mark all")
        await d.press("enter")
        assert "all marked" in d.title_line()


async def test_the_palette_leads_to_a_release(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.press("ctrl+p")
        await d.type("KB5089466")
        await d.press("enter")
        assert d.title_line().startswith(" Releases")
        assert d.shows("KB5089466")


@pytest.mark.parametrize("name", NAMES)
async def test_every_look_draws(demo_state: Path, name: str) -> None:
    async with desk(demo_state, settings=Settings(theme=name)) as d:  # type: ignore[arg-type]
        assert d.shows("Readiness", "500 devices")


async def test_the_demo_clock_obeys(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        assert "demo ×60" in d.title_line()
        before = d.app.present()
        await d.press("plus")
        await d.until(lambda: d.app.present() > before)
        await d.press("equals_sign")
        await d.until(lambda: "demo stopped" in d.title_line())
        await d.press("equals_sign", "right_square_bracket")
        await d.until(lambda: "demo ×300" in d.title_line())


async def test_without_a_demo_its_keys_are_not_offered() -> None:
    async with desk(Path("fake.db"), opener=FakeFleet().open, size=LARGE) as d:
        await d.press("question_mark")
        assert not d.shows("Demo clock")


async def test_quitting_ends_every_thread(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.press("q")
        assert d.app.background.busy == 0
    assert not [thread for thread in d.app.background.threads() if thread.is_alive()]


async def test_keys_of_the_screen_do_not_reach_through_a_dialog(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.press("question_mark", "1", "slash", "m")
        assert len(d.app.screen_stack) == 2
        assert d.app.current_mode == "devices"


async def test_a_state_file_that_cannot_be_read_is_told_in_the_table() -> None:
    fleet = FakeFleet(page_error=StateUnusable("The state file is damaged.", "", "Restore a backup."))
    async with desk(Path("fake.db"), opener=fleet.open) as d:
        assert d.shows("The state file is damaged.", "Restore a backup.")
        assert "not read" in d.title_line()


async def test_what_was_read_stays_when_a_later_read_fails() -> None:
    fleet = FakeFleet()
    async with desk(Path("fake.db"), opener=fleet.open) as d:
        fleet.page_error = StateUnusable("The state file is damaged.")
        fleet.touch()
        await d.until(lambda: "not read since 13 May 09:00" in d.title_line())
        assert d.rows()
        fleet.page_error = None
        fleet.touch()
        await d.until(lambda: "not read" not in d.title_line())


async def test_an_empty_fleet_says_how_to_fill_it() -> None:
    async with desk(Path("fake.db"), opener=FakeFleet(size=0).open) as d:
        assert d.shows("There are no devices yet.", "hotpatch import FILE")
        await d.press("j", "space", "enter", "pagedown", "G", "i")
        assert any("There is no device here." in each for each in d.notices())
