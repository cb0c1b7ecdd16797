"""The screen of failures: from causes to a device and its ticket, and trying again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.columns import FAILURE_TREE, FailureLine, due_cell, failure_lines, retry_cell
from console.screens.failures import FailuresScreen
from console.text import Tone
from console.widgets.detail_panes import DetailPanes
from engine import open_engine
from engine.model.causes import Cause, RetryWorth
from engine.model.intents import Retry as RetryIntent
from engine.model.intents import Role, Target
from engine.rules.failures import FailureGroupView, SlaState
from tests.console.driver import LARGE, Desk, desk
from tests.console.failed_reads import is_told_and_mended
from tests.console.pictures import SIZES, same_picture

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
LARGEST, CODE = "component-store/0x800F0922", 0x800F0922
TREE, INSTALLS = "#tree", "#installs"


def views_of(path: Path) -> tuple[FailureGroupView, ...]:
    with open_engine(path) as engine:
        return engine.reads.failures.views()


def without_failures(path: Path) -> None:
    import sqlite3

    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM install WHERE state = 'failed'")


def details(d: Desk) -> str:
    return d.screen.query_one(DetailPanes).plain


# --- the tree ---------------------------------------------------------------------------------------


def test_a_line_for_each_cause_and_under_it_its_codes(demo_state: Path) -> None:
    lines = failure_lines(views_of(demo_state))
    first = lines[0]
    assert (first.is_cause, first.cause) == (True, Cause.COMPONENT_STORE)
    assert [line.key for line in lines if line.cause is Cause.COMPONENT_STORE][:2] == ["component-store", LARGEST]
    assert len(first.device_ids) == sum(group.devices for group in first.groups)
    under = [line for line in lines if line.cause is Cause.COMPONENT_STORE and not line.is_cause]
    assert [line.last for line in under] == [False, False, True]


def test_a_device_with_two_codes_counts_once_for_its_cause(demo_state: Path) -> None:
    view = views_of(demo_state)[0]
    again = replace(view, group=replace(view.group, key="component-store/0x80073712", code=0x80073712))
    assert len(failure_lines([view, again])[0].device_ids) == view.devices


def test_what_devices_share_stands_in_the_line(demo_state: Path) -> None:
    line = next(line for line in failure_lines(views_of(demo_state)) if line.key == LARGEST)
    cells = {column.id: column.cell(line, NOW).text for column in FAILURE_TREE}
    assert cells["name"] == "├ 0x800F0922 CBS_E_INSTALLERS_FAILED"
    assert cells["common"].startswith("10 of 11 are Latitude 7450 with driver")
    assert (cells["devices"], cells["retry"]) == ("11", "after the repair")


@pytest.mark.parametrize(
    ("retry", "after", "severity", "words"),
    [
        (RetryWorth.YES, "an hour", Tone.OK, "yes, after an hour"),
        (RetryWorth.AFTER_FIX, "the repair", Tone.DUE, "after the repair"),
        (RetryWorth.NO, "", Tone.FAILED, "no use"),
    ],
)
def test_retry_advice(demo_state: Path, retry: RetryWorth, after: str, severity: Tone, words: str) -> None:
    cell = retry_cell(replace(views_of(demo_state)[0].group, retry=retry, retry_after=after))
    assert (cell.severity, cell.text) == (severity, words)


def test_due_says_how_urgent_it_is(demo_state: Path) -> None:
    sla = views_of(demo_state)[0].sla
    soon = replace(sla, state=SlaState.DUE_SOON, due_at=NOW + timedelta(hours=3))
    assert (due_cell(sla, NOW).text, due_cell(sla, NOW).severity) == ("overdue", Tone.FAILED)
    assert (due_cell(soon, NOW).text, due_cell(soon, NOW).severity) == ("in 3 h", Tone.AT_RISK)
    assert due_cell(replace(soon, state=SlaState.OK), NOW).severity is Tone.NONE
    assert due_cell(None, NOW).severity is Tone.NONE


# --- into and back ----------------------------------------------------------------------------------


async def test_into_a_code_and_back_with_the_trail(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        assert "18 devices" in d.title_line()
        assert isinstance(d.cursor(TREE), FailureLine)
        await d.press("j", "enter")
        assert d.title_line().startswith(" Failures › Component store › 0x800F0922")
        assert len(d.rows(INSTALLS)) == 10
        assert {row.error_code for row in d.rows(INSTALLS)} == {CODE}
        await d.press("escape")
        assert d.title_line().startswith(" Failures ")
        assert "›" not in d.title_line()
        assert d.cursor(TREE).key == LARGEST


async def test_into_a_cause_shows_all_its_codes(demo_state: Path) -> None:
    async with desk(demo_state, start="failures", size=LARGE) as d:
        await d.press("enter")
        assert d.title_line().startswith(" Failures › Component store ")
        assert len(d.rows(INSTALLS)) == 13
        assert len({row.error_code for row in d.rows(INSTALLS)}) == 3


async def test_wide_shows_the_runbook_beside(demo_state: Path) -> None:
    async with desk(demo_state, start="failures", size=LARGE) as d:
        assert d.shows("Component store: Windows' own parts are damaged", "Dism /Online /Cleanup-Image /CheckHealth")


async def test_narrow_shows_the_runbook_below_when_one_reads_on(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("d")
        assert d.shows("Component store: Windows' own parts are damaged")
        await d.press("d")
        assert d.shows("Cause and code")


async def test_enter_on_an_install_leads_to_its_device(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "enter")
        name = d.cursor(INSTALLS).device_name
        await d.press("enter")
        assert d.title_line().startswith(f" Devices › {name}")


async def test_from_the_overview_to_a_ticket_and_a_retry_in_six_keys(
    demo_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(demo_state, start="overview") as d:
        sent: list[str] = []
        monkeypatch.setattr(d.app, "copy_to_clipboard", sent.append)
        await d.press("5", "j", "enter", "y")
        assert len(sent) == 1
        assert sent[0].startswith(f"{d.cursor(INSTALLS).device_name}: install of KB5083769 failed")
        for part in ("0x800F0922 CBS_E_INSTALLERS_FAILED", "Next step", "Facts", "What happened"):
            assert part in sent[0]
        await d.press("r")
        assert isinstance(d.plan.intent, RetryIntent)


async def test_no_failures_are_told_calmly(demo_state: Path) -> None:
    without_failures(demo_state)
    async with desk(demo_state, start="failures") as d:
        assert d.shows("No install has failed. Nothing to do here.")
        await d.press("r")
        assert isinstance(d.screen, FailuresScreen)
        assert any("No install has failed" in each for each in d.notices())


async def test_a_group_that_empties_leads_back(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "enter")
        without_failures(demo_state)
        screen = d.screen
        assert isinstance(screen, FailuresScreen)
        screen.load()
        await d.idle()
        assert any("Nothing is left of 0x800F0922" in each for each in d.notices())
        assert d.shows("No install has failed.")


# --- trying again -----------------------------------------------------------------------------------


async def test_retry_of_a_whole_code_names_it_by_filter(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "r")
        assert d.plan.intent == RetryIntent(Target(filter="error:0x800F0922"), 5083769)


async def test_retry_of_marked_lines_takes_their_codes(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "j", "space", "space", "r")
        assert d.plan.intent == RetryIntent(Target(filter="error:0x80073712,0x800F0831"), 5083769)


async def test_retry_of_one_device_and_of_marked_ones(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "enter", "r")
        row = d.app.screen_stack[0].query_one(INSTALLS).cursor_row  # type: ignore[attr-defined]
        assert d.plan.intent == RetryIntent(Target(ids=(row.device_id,)), 5083769)
        await d.press("escape", "j", "space", "space", "r")
        assert isinstance(d.plan.intent, RetryIntent)
        assert len(d.plan.intent.target.ids) == 2


async def test_mark_all_in_a_code_is_the_whole_code(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "enter", "asterisk")
        assert "all marked" in d.title_line()
        await d.press("r")
        assert d.plan.intent == RetryIntent(Target(filter="error:0x800F0922"), 5083769)


async def test_a_retry_is_told_while_it_goes_on_and_leaves_the_list_when_it_has_succeeded(demo_state: Path) -> None:
    async with desk(demo_state, start="failures", size=LARGE) as d:
        await d.press("j", "j", "r")
        await d.confirm()
        await d.notice()
        assert "◐ 1 device being tried again" in details(d)
        await d.press("enter")
        assert "retry      ◐ being tried again   queued, 0 %, asked for by tester" in details(d)
        await d.press("escape")
        await d.let_pass(timedelta(days=1))
        assert "component-store/0x80073712" not in [line.key for line in d.rows(TREE)]
        assert "17 devices" in d.title_line()


async def test_a_retry_that_is_refused_says_why(demo_state: Path) -> None:
    async with desk(demo_state, start="failures", size=LARGE) as d:
        while d.cursor(TREE).key != "restart-pending/0x80070BC9":
            await d.press("j")
        await d.press("r")
        assert d.shows("Nothing is retried.", "3 is the limit", "To make it possible")


async def test_a_viewer_may_look_only(demo_state: Path) -> None:
    async with desk(demo_state, start="failures", role=Role.VIEWER) as d:
        await d.press("r")
        assert isinstance(d.screen, FailuresScreen)
        assert any("retry: not now" in each for each in d.notices())


# --- filter, copy, export ---------------------------------------------------------------------------


async def test_the_filter_narrows_the_tree_and_the_retry(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.filter("ring:fast")
        assert "2 devices" in d.title_line()
        assert "ring:fast" in d.title_line()
        await d.press("j", "r")
        assert isinstance(d.plan.intent, RetryIntent)
        assert d.plan.intent.target.filter.startswith("ring:fast error:0x")
        await d.press("escape", "escape")
        assert "18 devices" in d.title_line()


async def test_a_wrong_filter_says_what_is_wrong(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("slash")
        await d.type("colour:red")
        await d.press("enter")
        assert d.shows("colour")
        await d.press("escape")
        assert "18 devices" in d.title_line()


async def test_led_here_by_the_overview(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        d.app.go("failures", "error:0x800F0922")
        await d.idle()
        assert [line.key for line in d.rows(TREE)] == ["component-store", LARGEST]
        d.app.go("failures", "state:failed")
        await d.idle()
        assert "18 devices" in d.title_line()


async def test_copy_and_export(demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with desk(demo_state, start="failures") as d:
        sent: list[str] = []
        monkeypatch.setattr(d.app, "copy_to_clipboard", sent.append)
        await d.press("j", "y", "Y")
        assert "10 of 11 are Latitude 7450" in sent[0]
        assert "Dism /Online" in sent[0]
        assert json.loads(sent[1])["devices"] == "11"
        await d.press("e", "ctrl+u")
        await d.type("out.json")
        await d.press("enter")
        rows = json.loads((tmp_path / "out.json").read_text())
        assert len(rows) == 18
        assert {"device", "code", "kb"} <= set(rows[0])


async def test_a_failed_read_is_told_and_the_next_one_mends_it(
    demo_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await is_told_and_mended(
        demo_state,
        monkeypatch,
        start="failures",
        read="console.screens.failures.read_failed_installs",
        kind=FailuresScreen,
        then="CBS_E_INSTALLERS_FAILED",
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", [("j",), ("j", "enter", "j")], ids=["tree", "devices"])
def test_picture(
    snap_compare: Callable[..., bool], demo_state: Path, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    assert same_picture(snap_compare, demo_state, "failures", size, keys)
