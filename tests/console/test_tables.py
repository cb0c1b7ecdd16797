"""Both tables on a fake fleet: the window over pages, the cursor by id, marks, order, mouse, small lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.events import MouseScrollDown

from console.background import Background
from console.columns import Cell, Column
from console.messages import CursorMoved, RowOpened
from console.settings import Settings
from console.shell import Shell
from console.text import Tone
from console.themes import DEFAULTS, THEMES
from console.widgets.small_table import SmallTable
from engine.model.errors import StateUnusable
from tests.console.driver import LARGE, SMALL, Desk, desk
from tests.console.fake_engine import FakeFleet

HOSTILE = "A[@click=app.quit]x[/] [/\x1b[2J\x1b]52;c;aGk=\x07\u202e\x9b31m\n\t"


@asynccontextmanager
async def devices(fleet: FakeFleet, size: tuple[int, int] = SMALL) -> AsyncIterator[Desk]:
    async with desk(Path("fake.db"), opener=fleet.open, size=size) as d:
        yield d


# --- the table of pages -------------------------------------------------------------------------------


async def test_walking_through_the_whole_list_shows_every_row_once_and_in_order() -> None:
    async with devices(FakeFleet(size=400)) as d:
        seen = [row.id for row in d.rows()]
        for _ in range(60):
            await d.press("pagedown")
            fresh = [row.id for row in d.rows() if row.id > seen[-1]]
            seen += fresh
            if d.rows()[-1].id == 400:
                break
        assert seen == list(range(1, 401))
        assert len(d.table()._window.rows) < 300
        for _ in range(25):
            await d.press("pageup")
        assert d.cursor().id == 1
        assert "1-21 of 400 devices" in d.title_line()


async def test_positions_are_told_again_after_a_jump_into_the_middle() -> None:
    async with devices(FakeFleet(size=1_000), LARGE) as d:
        await d.press("f")
        await d.type("pc-000500")
        await d.press("enter")
        assert d.cursor().id == 500
        height = len(d.rows())
        assert f"500-{500 + height - 1} of 1,000 devices" in d.title_line()


async def test_the_cursor_stays_on_its_device_when_others_come_and_go() -> None:
    fleet = FakeFleet(size=300)
    async with devices(fleet) as d:
        for _ in range(5):
            await d.press("pagedown")
        row = d.cursor()
        fleet.gone |= set(range(1, 60)) | set(range(row.id + 1, row.id + 10))
        fleet.touch()
        await d.until(lambda: d.app.change_number == fleet.number)
        assert d.cursor().id == row.id
        fleet.gone.add(row.id)
        fleet.touch()
        await d.until(lambda: d.app.change_number == fleet.number)
        assert d.cursor() is not None


async def test_a_cursor_step_redraws_two_lines() -> None:
    async with devices(FakeFleet()) as d:
        table = d.table()
        drawn: list[int] = []
        usual = table.render_line

        def render_line(y: int) -> Any:
            drawn.append(y)
            return usual(y)

        table.render_line = render_line  # type: ignore[method-assign]
        await d.press("j")
        assert sorted(drawn) == [1, 2]
        drawn.clear()
        await d.press("j", "k")
        assert sorted(drawn) == [2, 2, 3, 3]


async def test_a_change_redraws_only_the_rows_that_changed() -> None:
    fleet = FakeFleet()
    async with devices(fleet) as d:
        table = d.table()
        drawn: list[int] = []
        usual = table.render_line

        def render_line(y: int) -> Any:
            drawn.append(y)
            return usual(y)

        table.render_line = render_line  # type: ignore[method-assign]
        fleet.renamed[3] = "PC-000003x"
        fleet.touch()
        await d.until(lambda: d.shows("PC-000003x"))
        assert set(drawn) == {3}


async def test_a_range_marks_while_scrolling_and_gives_back() -> None:
    async with devices(FakeFleet()) as d:
        await d.press("j", "v", "pagedown", "pagedown")
        assert d.table().marks.ids == set(range(2, 45))
        await d.press("pageup")
        assert d.table().marks.ids == set(range(2, 24))
        await d.press("v", "j", "space")
        assert d.table().marks.ids == {*range(2, 24), 24}
        assert "23 marked" in d.title_line()
        await d.press("escape")
        assert not d.table().marks


async def test_the_order_turns_and_the_sign_says_so() -> None:
    async with devices(FakeFleet()) as d:
        await d.press("S")
        assert d.cursor().id == 500
        assert "Name▼" in d.lines()[1]
        await d.press("s")
        assert "User▲" in d.lines()[1]


async def test_a_click_on_a_row_and_on_a_title() -> None:
    async with devices(FakeFleet()) as d:
        await d.pilot.click(d.table(), offset=(10, 5))
        await d.idle()
        assert d.cursor().id == 5
        await d.pilot.click(d.table(), offset=(20, 0))
        await d.idle()
        assert d.table().sort == "user"
        before = [row.id for row in d.rows()]
        await d.pilot._post_mouse_events([MouseScrollDown], d.table())
        await d.idle()
        assert [row.id for row in d.rows()][:-3] == before[3:]


async def test_hostile_names_stay_in_their_cells() -> None:
    fleet = FakeFleet(renamed=dict.fromkeys(range(1, 6), HOSTILE))
    async with devices(fleet, LARGE) as d:
        picture = d.text()
        assert all(char.isprintable() or char == "\n" for char in picture)
        assert d.shows("A[@click=app.qu")
        assert len({len(line) for line in d.lines()[3:6]}) == 1
        for x in range(2, 60, 3):
            await d.pilot.click(d.table(), offset=(x, 2))
        await d.idle()
        assert d.app.is_running
        await d.press("enter")
        assert all(char.isprintable() or char == "\n" for char in d.text())


# --- the small table ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Thing:
    id: int
    name: str
    size: int


COLUMNS: tuple[Column[Thing], ...] = (
    Column("name", "Name", 12, lambda row, _: Cell(row.name), sort="name", grow=1),
    Column(
        "size",
        "Size",
        8,
        lambda row, _: Cell(f"{row.size}", Tone.AT_RISK if row.size > 90 else Tone.NONE),
        "right",
        sort="size",
        order=lambda row: (row.size,),
    ),
)
THINGS = [Thing(1, "ring", 100), Thing(2, "Broad", 9), Thing(3, "alpha", 30)]


class Bench(Shell):
    """An application with nothing but a small table."""

    def __init__(self) -> None:
        super().__init__(Background(FakeFleet().open), Settings())
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = "dark"
        self.heard: list[object] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DEFAULTS

    def compose(self) -> ComposeResult:
        yield SmallTable(COLUMNS, lambda row: row.id, noun="things", id="things")

    @property
    def table(self) -> SmallTable[Thing]:
        return self.query_one(SmallTable)

    def on_cursor_moved(self, message: CursorMoved) -> None:
        self.heard.append(message.row)

    def on_row_opened(self, message: RowOpened) -> None:
        self.heard.append(("open", message.row))

    def picture(self) -> list[str]:
        strips = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


async def test_a_small_table_orders_its_rows_and_keeps_the_cursor_by_id() -> None:
    bench = Bench()
    async with bench.run_test(size=(40, 10)) as pilot:
        assert bench.picture()[2].strip() == "Reading things …"
        bench.table.focus()
        bench.table.show_rows(THINGS)
        await pilot.press("j")
        assert bench.table.cursor_row == THINGS[1]
        bench.table.show_rows([THINGS[2], THINGS[1], THINGS[0]])
        assert bench.table.cursor_row == THINGS[1]
        await pilot.press("s")
        assert [row.name for row in bench.table.rows_shown] == ["alpha", "Broad", "ring"]
        await pilot.press("s")
        assert [row.size for row in bench.table.rows_shown] == [9, 30, 100]
        await pilot.press("S", "enter")
        assert [row.size for row in bench.table.rows_shown] == [100, 30, 9]
        assert bench.heard[-1] == ("open", THINGS[0])
        assert "▲ 100" in bench.picture()[1]


async def test_a_small_table_that_is_empty_or_failed_says_so() -> None:
    bench = Bench()
    async with bench.run_test(size=(60, 10)) as pilot:
        bench.table.empty_words = ("No things.", "Make some with: make things")
        bench.table.show_rows([])
        await pilot.pause()
        assert [line.strip() for line in bench.picture()[2:4]] == ["No things.", "Make some with: make things"]
        bench.table.show_error(StateUnusable("It is damaged.", "A page is torn.", "Restore it."))
        await pilot.pause()
        assert [line.strip() for line in bench.picture()[2:5]] == ["It is damaged.", "A page is torn.", "Restore it."]
        bench.table.show_rows(THINGS)
        await pilot.pause()
        assert bench.table.go_to_row(3)
        assert not bench.table.go_to_row(99)
        bench.table.jump("br")
        assert bench.table.cursor_row == THINGS[1]
