"""The overview: what it says at a glance, where each line leads, and that it follows what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from console import ways
from console.overview_sums import funnel, release_blocks
from console.text import use_ascii
from console.widgets.drawing import fitted, line
from console.widgets.lead_list import Lead, LeadList
from console.widgets.overview_lines import cause_lines, funnel_lines, needs_lines, ring_lines, short_count
from engine import Engine, open_engine
from engine.model.errors import StateUnusable
from engine.model.intents import Actor, Approve, Scope, Stop, StopKind
from engine.model.records.fleet import Attention, Urgency
from tests.console.driver import LARGE, SMALL, Desk, desk
from tests.console.pictures import SIZES, same_picture
from tests.console.test_overview_sums import NOW, count, progress

CLIENT = 5089466


def panel(d: Desk, name: str) -> LeadList:
    return cast(LeadList, d.screen.query_one(f"#{name}", LeadList))


def words(d: Desk, name: str) -> list[str]:
    """The lines of a panel, in view or not."""
    return [" ".join(lead.content.plain.split()) for lead in panel(d, name).leads]


async def stand_on(d: Desk, name: str, filter_text: str) -> None:
    """Put the cursor of a panel on the line that leads there."""
    panel(d, name).focus()
    await d.press("g")
    for _ in panel(d, name).leads:
        lead = panel(d, name).cursor_lead
        if lead is not None and lead.filter == filter_text:
            return
        await d.press("j")
    raise AssertionError(f"no line leads to {filter_text}")


def approve(*rings: str) -> Callable[[Engine], object]:
    return lambda engine: engine.carry_out(engine.plan(Approve(CLIENT, rings, "pilot")))


# --- what it says -----------------------------------------------------------------------------------


async def test_at_80x24_everything_essential_is_in_view(demo_state: Path) -> None:
    async with desk(demo_state, start="overview", size=SMALL) as d:
        assert d.shows("Needs you", "KB5089466 for Windows 11 24H2, Windows 11 25H2 waits for approval")
        for ring in ("Test", "First", "Fast", "Broad", "Last"):
            assert any(line.strip().startswith(ring) and "not approved" in line for line in d.lines())
        assert d.shows("devices 500", "eligible 471", "enrolled 447", "ready 386", "29 lost")
        assert d.shows("protected <1 %", "24 h", "5 d", "3 wk", "planned Tue 14 Jul in 8 wk")
        assert d.shows("Failures", "Component store 13")
        assert all(len(line) <= 80 for line in d.lines())


async def test_at_160x45_rings_of_every_release_and_every_platform(demo_state: Path) -> None:
    async with desk(demo_state, start="overview", size=LARGE) as d:
        assert d.shows("KB5089466 W11", "KB5087423 Srv 2025", "KB5087424 Srv 2022")
        assert d.shows("W11 24H2", "W11 25H2", "still running: 24 h ends in 8 h")
        assert d.shows("10 of 11 are Latitude 7450 with driver Intel Graphics")
        assert d.shows("Nothing is under way.", "Nothing was decided yet.")


async def test_ring_numbers_are_those_of_the_engine(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        with open_engine(demo_state) as engine:
            rows = engine.reads.rollout.ring_progress(CLIENT)
        shown = words(d, "rings")[1:6]
        for row, line in zip(rows, shown, strict=True):
            numbers = [row.installed, row.active, row.failed, row.pending, row.not_ready]
            wanted = " ".join(str(number) if number else "·" for number in numbers)
            assert line.startswith(row.ring.name)
            assert f" {wanted} " in line, (row, line)


async def test_a_halted_ring_is_the_first_thing_that_needs_somebody(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        await d.change(approve())
        await d.change(lambda e: e.carry_out(e.plan(Stop(StopKind.HALT, Scope(CLIENT, "Broad"), "tickets"))))
        first = words(d, "needs")[0]
        assert first.startswith("✗ now")
        assert "halted" in first
        assert any(line.startswith("Broad") and "▲ halted" in line for line in words(d, "rings"))


# --- where it leads ---------------------------------------------------------------------------------


async def test_enter_leads_into_the_list_that_explains_the_line(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        await stand_on(d, "needs", "KB5089466")
        await d.press("enter")
        assert d.title_line().startswith(" Releases")
        assert d.cursor().release.kb == CLIENT
        await d.press("1", "G", "enter")
        assert d.title_line().startswith(" Devices › readiness:unknown")


async def test_arrows_go_through_all_parts_and_stay_where_one_was(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        seen = [d.app.focused.id if d.app.focused else ""]
        for _ in range(4):
            await d.press("G", "j")
            seen.append(d.app.focused.id if d.app.focused else "")
        assert seen == ["needs", "rings", "readiness", "compliance", "failures"]
        await d.press("G", "j")
        assert cast(LeadList, d.app.focused).id == "failures"
        await d.press("g", "k")
        assert cast(LeadList, d.app.focused).id == "compliance"


async def test_tab_goes_round_the_parts(demo_state: Path) -> None:
    async with desk(demo_state, start="overview", size=LARGE) as d:
        begun = d.app.focused
        await d.press("tab")
        assert cast(LeadList, d.app.focused).id == "rings"
        await d.press("shift+tab", "shift+tab")
        assert cast(LeadList, d.app.focused).id == "failures"
        await d.press("tab")
        assert d.app.focused is begun


async def test_a_ring_a_lost_step_a_restart_and_a_cause_lead_on(demo_state: Path) -> None:
    async with desk(demo_state, start="overview", size=LARGE) as d:
        for part, title in (
            ("rings", " Rings › KB5089466"),
            ("readiness", " Devices › name:*"),
            ("compliance", " Compliance › May 2026"),
            ("restarts", " Calendar › Windows 11 24H2"),
            ("failures", " Failures › error:0x800F0922"),
        ):
            await d.show("overview")
            panel(d, part).focus()
            await d.press("g", "enter")
            assert d.title_line().startswith(title), part


# --- live -------------------------------------------------------------------------------------------


async def test_it_follows_the_runner_and_keeps_its_cursor(demo_state: Path) -> None:
    async with desk(demo_state, start="overview", size=LARGE) as d:
        await stand_on(d, "needs", "KB5087424")
        await d.change(approve("Test"))
        assert not any("KB5089466 for" in line for line in words(d, "needs"))
        after = panel(d, "needs").cursor_lead
        assert after is not None
        assert after.filter == "KB5087424"
        await d.let_pass(timedelta(hours=9))
        assert any(line.startswith("Test") and "● done" in line for line in words(d, "rings"))
        assert any("Ring Test opened for KB5089466" in line for line in words(d, "latest"))


async def test_only_changed_lines_are_drawn_again(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        drawn: list[Any] = []
        needs = panel(d, "needs")
        needs.refresh = lambda *regions, **_: drawn.extend(regions or ("all",)) or needs  # type: ignore[method-assign, func-returns-value]
        leads = list(needs.leads)
        needs.show(lambda _: leads)
        assert drawn == []
        changed = [*leads[:1], Lead(leads[0].content, "releases", "KB1"), *leads[2:]]
        needs.show(lambda _: changed)
        assert [region.y for region in drawn] == [2]


async def test_what_is_asked_while_an_answer_is_on_its_way_is_asked_once_more(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        screen = cast(Any, d.screen)
        answers: list[int] = []
        for number in range(20):
            screen.ask_steadily("numbers", lambda _, number=number: number, answers.append)
        await d.idle()
        assert answers == [0, 19]


# --- empty, failed, hostile -------------------------------------------------------------------------


async def test_an_empty_fleet_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    open_engine(path, create=True).close()
    async with desk(path, start="overview") as d:
        assert d.shows("There are no devices yet.", *ways.lines())


async def test_a_failed_read_says_so_in_words(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.reads.devices import DeviceReads

    def fails(_: object) -> None:
        raise StateUnusable("The state file is damaged.", "A page is not readable.", "Restore a backup.")

    monkeypatch.setattr(DeviceReads, "counts", fails)
    async with desk(demo_state, start="overview") as d:
        assert d.shows("✗ The state file is damaged.", "not read")


def test_text_from_data_cannot_colour_or_break_a_line() -> None:
    hostile = "[red]x[/] \x1b[2J\u202e\nnext"
    (lead,) = needs_lines([Attention(Urgency.NOW, hostile, "devices")])
    assert "[red]x[/]" in lead.content.plain
    assert not {"\x1b", "\u202e", "\n"} & set(lead.content.plain)
    blocks = release_blocks([progress(hostile)], [])
    for each in ring_lines(blocks, NOW, 76, brief=True):
        assert not {"\x1b", "\u202e", "\n"} & set(each.content.plain)


@pytest.mark.parametrize("width", [20, 37, 57, 77, 84, 140])
def test_lines_keep_to_their_width(width: int) -> None:
    blocks = release_blocks([progress(installed=1_234_567, pending=900_000, active=12_345)], [])
    for lead in [*ring_lines(blocks, NOW, max(width, 57), brief=True), *funnel_lines(funnel([count(10**7)]), width)]:
        assert lead.content.cell_length <= max(width, 57)
    for lead in funnel_lines(funnel([count(10**7), count(10, eligible=False)]), max(width, 37)):
        assert lead.content.cell_length <= max(width, 37)
    assert cause_lines([], width, brief=True)[0].content.plain == "● No install has failed."


def test_counts_that_do_not_fit_are_shortened_never_cut() -> None:
    assert [short_count(number, 6) for number in (0, 12_345, 123_456, 1_234_567)] == ["0", "12,345", "123k", "1.2M"]


@pytest.mark.parametrize(("ascii_only", "cut"), [(False, "abc…"), (True, "abc~")])
def test_a_line_that_is_cut_says_so(ascii_only: bool, cut: str) -> None:
    use_ascii(ascii_only)
    try:
        assert fitted(line("abc", ("defgh", "bold")), 4).plain == cut
        assert fitted(line("ab"), 4).plain == "ab  "
        assert fitted(line("ab"), 0).plain == ""
    finally:
        use_ascii(False)


async def test_it_says_when_nothing_waits(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.reads.reads import Reads

    monkeypatch.setattr(Reads, "attention", lambda _: ())
    async with desk(demo_state, start="overview") as d:
        assert d.shows("● Nothing waits for a person.")
        assert cast(LeadList, d.app.focused).id == "needs"
        await d.press("j")
        assert cast(LeadList, d.app.focused).id == "rings"


# --- looks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_picture(snap_compare: Callable[..., bool], demo_state: Path, size: tuple[int, int]) -> None:
    assert same_picture(snap_compare, demo_state, "overview", size, ["j"])


@pytest.mark.parametrize("size", SIZES)
def test_picture_in_the_middle_of_a_rollout(
    snap_compare: Callable[..., bool], demo_state: Path, size: tuple[int, int]
) -> None:
    async def roll_out() -> None:
        with open_engine(demo_state, actor=Actor("maria.keller", "jump01 console")) as engine:
            engine.carry_out(engine.plan(Approve(CLIENT, (), "May rollout")))
            await engine.run_until_idle(until=datetime(2026, 5, 18, 9, tzinfo=UTC))
            engine.give_back_lease()

    asyncio.run(roll_out())
    assert same_picture(snap_compare, demo_state, "overview", size)
