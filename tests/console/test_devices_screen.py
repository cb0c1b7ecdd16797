"""The screen of devices, by keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.widgets.text_pane import TextPane
from engine import open_engine
from engine.model.intents import Assign, Role, Target
from engine.model.model import Verdict
from tests.console.driver import LARGE, desk


async def test_first_rows_are_shown_with_the_total(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        assert len(d.rows()) == 21
        assert "1-21 of 500 devices" in d.title_line()
        assert d.title_line().startswith(" Devices")


async def test_filter_shows_only_what_matches_and_escape_takes_it_away(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.filter("ring:fast -ready")
        rows = d.rows()
        assert rows
        assert all(row.ring == "Fast" and row.verdict is not Verdict.READY for row in rows)
        assert "ring:fast -ready" in d.title_line()
        await d.press("escape")
        assert "of 500 devices" in d.title_line()


async def test_a_wrong_filter_says_what_is_wrong_and_escape_brings_the_list_back(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        before = d.rows()
        await d.press("slash")
        await d.type("colour:red")
        assert d.shows("colour")
        assert "ring" in d.text()
        await d.press("enter")
        assert d.app.focused is not d.table()
        await d.press("escape")
        assert d.rows() == before
        assert d.app.focused is d.table()


async def test_typing_narrows_the_list_before_enter(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.press("slash")
        await d.type("ring:last")
        assert {row.ring for row in d.rows()} == {"Last"}
        await d.press("enter", "slash", "ctrl+u", "up")
        assert d.shows("/ ring:last")


async def test_tab_takes_the_first_suggestion(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.press("slash")
        await d.type("ri")
        assert d.shows("tab", "ring:")
        await d.press("tab")
        await d.type("fa")
        await d.press("tab", "enter")
        assert {row.ring for row in d.rows()} == {"Fast"}


async def test_find_jumps_to_a_name(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.press("f")
        await d.type("ber-lt-0002")
        assert d.cursor().name == "BER-LT-0002"
        await d.press("enter", "k", "k")
        assert d.cursor().name < "BER-LT-0002"


async def test_a_page_and_the_end_and_the_top(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        first = d.cursor()
        await d.press("pagedown")
        assert "22-42 of 500 devices" in d.title_line()
        await d.press("G")
        assert "480-500 of 500 devices" in d.title_line()
        await d.press("g")
        assert d.cursor() == first


async def test_marks_survive_a_filter_and_hidden_ones_are_asked_about(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.press("space", "space", "space")
        assert "3 marked" in d.title_line()
        marked = set(d.table().marks.ids)
        rows = [row for row in d.rows() if row.id in marked]
        await d.filter(f"name={rows[0].name}")
        assert "3 marked" in d.title_line()
        await d.press("m")
        assert d.shows("3 are marked, 2 of them are not shown", "the 1 that the filter shows", "all 3")
        await d.press("enter")
        assert d.shows("Move to which ring?")


async def test_mark_all_is_kept_as_the_filter(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.filter("ring:fast")
        total = d.table().total
        await d.press("asterisk", "m")
        await d.press("j", "j", "j", "enter")
        assert d.plan.intent.target.filter == "ring:fast"  # type: ignore[union-attr]
        assert d.plan.devices == total


async def test_columns_and_order_are_kept_over_a_restart(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        await d.filter("ring:broad")
        await d.press("s", "S")
        order = [row.name for row in d.rows()]
    async with desk(demo_state) as d:
        assert "ring:broad" in d.title_line()
        assert d.table().sort == "user"
        assert [row.name for row in d.rows()] == order


async def test_read_only_dims_changes_and_says_why(demo_state: Path) -> None:
    async with desk(demo_state, read_only=True) as d:
        assert "read-only" in d.title_line()
        await d.press("i")
        assert any("read-only" in each for each in d.notices())
        assert len(d.app.screen_stack) == 1


async def test_a_role_that_may_not_says_which_may(demo_state: Path) -> None:
    async with desk(demo_state, role=Role.VIEWER) as d:
        await d.press("u")
        assert any("viewer" in each and "operator" in each for each in d.notices())


async def test_a_change_elsewhere_appears_without_a_key(demo_state: Path) -> None:
    async with desk(demo_state) as d:
        row = d.cursor()
        await d.change(lambda engine: engine.carry_out(engine.plan(Assign(Target(ids=(row.id,)), "Test", "trial"))))
        assert d.cursor().id == row.id
        assert d.cursor().ring == "Test"


async def test_help_lists_the_keys_with_reasons(demo_state: Path) -> None:
    async with desk(demo_state, read_only=True, size=LARGE) as d:
        await d.press("question_mark")
        assert d.shows("Keys: Devices", "Show only what matches a filter", "Not now:")
        await d.press("escape")
        assert len(d.app.screen_stack) == 1


async def test_export_writes_what_is_shown(demo_state: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    async with desk(demo_state) as d:
        await d.filter("ring:test")
        await d.press("e", "ctrl+u")
        await d.type(str(path))
        await d.press("enter")
        assert any("Wrote" in each for each in d.notices())
        shown = d.table().total
    assert len(path.read_text(encoding="utf-8").splitlines()) == (shown or 0) + 1


async def test_a_tiny_terminal_says_so(demo_state: Path) -> None:
    async with desk(demo_state, size=(50, 12)) as d:
        assert d.lines()[0] == "Too small: 60x15 is the least."
        assert not any(d.lines()[1:])


async def test_enter_opens_the_pane_and_it_follows_the_cursor(demo_state: Path) -> None:
    async with desk(demo_state, size=LARGE) as d:
        await d.press("enter")
        assert d.shows("Next", "Readiness", "CVE", d.cursor().name)
        await d.press("j", "j")
        assert f"› {d.cursor().name}" in d.title_line()


async def test_the_pane_begins_with_the_answer_and_y_copies_its_ticket(
    demo_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(demo_state) as d:
        sent: list[str] = []
        monkeypatch.setattr(d.app, "copy_to_clipboard", sent.append)
        name, device_id = d.cursor().name, d.cursor().id
        await d.press("y", "enter")
        with open_engine(demo_state) as engine:
            answer = engine.reads.devices.answer(device_id)
            ticket = engine.reads.devices.ticket(device_id).text()
        shown = " ".join(d.screen.query_one(TextPane).plain.split())
        assert shown.startswith(" ".join(answer.headline.split()))
        told = [answer.headline, answer.do_now, answer.what_next]
        places = [shown.index(" ".join(each.split())) for each in told if each]
        assert places == sorted(places)
        assert places[-1] < shown.index("Readiness")
        await d.press("y")
        assert sent == [name, ticket]
