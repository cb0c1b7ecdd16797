"""Activity: work under way as it goes on, decisions with each record in full, one filter for both."""

from __future__ import annotations

import asyncio
import csv
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.activity_reads import read_activity
from console.screens.activity import ActivityScreen
from console.widgets.ask_line import AskLine
from console.widgets.text_pane import TextPane
from engine import Engine, open_engine
from engine.model.audit import AuditEntry
from engine.model.errors import StateUnusable
from engine.model.intents import Actor, Approve, Scope, Stop, StopKind
from engine.model.model import InstallState
from tests.console.activity_records import active, audit
from tests.console.driver import LARGE, SMALL, Desk, desk
from tests.console.pictures import SIZES, same_picture

CLIENT, SERVER = 5089466, 5087423
NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)


def approve(kb: int = CLIENT, *rings: str, reason: str = "pilot") -> Callable[[Engine], object]:
    return lambda engine: engine.carry_out(engine.plan(Approve(kb, rings or ("Test",), reason)))


def pane(d: Desk) -> str:
    return d.screen.query_one(TextPane).plain


async def open_test_ring(path: Path) -> None:
    with open_engine(path) as engine:
        approve()(engine)
        await engine.run_due()
        engine.give_back_lease()


def write_decisions(path: Path, number: int) -> None:
    with open_engine(path) as engine, engine._store.transaction():
        for each in range(number):
            reason = "rare" if each == 3 else ""
            entry = AuditEntry(NOW, "system", "test", "note", f"Decision {each}", reason)
            engine._store.audit.append(entry)
        engine._store.state.count_change()


# --- what it says -----------------------------------------------------------------------------------


async def test_nothing_yet_is_told_in_words(demo_state: Path) -> None:
    async with desk(demo_state, start="activity") as d:
        assert d.shows("Nothing is under way.", "Approve a release with 6")
        assert d.shows("Nothing was decided yet.", "What you or the engine decide stands here.")


async def test_work_and_decisions_appear_without_a_key(demo_state: Path) -> None:
    async with desk(demo_state, start="activity") as d:
        await d.change(approve())
        assert d.shows("Approve KB5089466 for ring Test", "pilot")
        with open_engine(demo_state) as engine:
            await engine.run_due()
            engine.give_back_lease()
        await d.notice()
        assert {row.ring for row in d.rows("#active")} == {"Test"}
        assert d.shows("Ring Test opened for KB5089466", "◐ waiting for the nex")
        await d.let_pass(timedelta(hours=10))
        assert d.rows("#active") == []
        assert d.shows("Nothing is under way.")


async def test_at_80x24_device_ring_kb_stage_progress_and_age(demo_state: Path) -> None:
    await open_test_ring(demo_state)
    async with desk(demo_state, start="activity", size=SMALL) as d:
        heads = d.lines()[2].split()
        assert heads[:6] == ["Device", "Ring", "KB", "Stage", "Progress", "For"]
        audit_heads = next(line for line in d.lines() if "When" in line).split()
        assert audit_heads[:5] == ["When", "Who", "What", "Why", "Devices"]


async def test_what_moves_stands_before_what_waits(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.reads.rollout import RolloutReads

    waiting = [active(install_id=n, state=InstallState.QUEUED, progress=0) for n in (1, 2)]
    moving = [active(install_id=3), active(install_id=4, state=InstallState.DOWNLOADING)]
    monkeypatch.setattr(RolloutReads, "active", lambda *_: (*waiting, *moving))
    async with desk(demo_state, start="activity") as d:
        assert [row.install_id for row in d.rows("#active")] == [3, 4, 1, 2]
        assert "◐ drain old calls" in d.text()
        assert "━━━━━━━───  74%" in d.text()


# --- the record -------------------------------------------------------------------------------------


async def test_enter_shows_the_whole_record_with_its_command(demo_state: Path) -> None:
    async with desk(demo_state, start="activity", size=LARGE) as d:
        await d.change(approve(reason="change CHG0042118"))
        await d.press("enter")
        shown = pane(d)
        assert "Approve KB5089466 for ring Test" in shown
        assert "tester" not in shown
        assert "change CHG0042118" in shown
        assert "hotpatch approve KB5089466 --ring Test --reason 'change CHG0042118'" in shown
        assert "Ring Test: at once" in shown
        await d.press("escape")
        assert not d.screen.query_one(TextPane).display


async def test_the_pane_follows_the_list_that_has_the_keys(demo_state: Path) -> None:
    await open_test_ring(demo_state)
    async with desk(demo_state, start="activity", size=SMALL) as d:
        await d.press("enter")
        assert "Ring Test opened" in pane(d)
        assert d.table("#audit").display
        assert not d.table("#active").display
        await d.press("j")
        assert "Approve KB5089466" in pane(d)
        await d.press("enter", "G", "tab")
        assert d.table("#active").display
        assert not d.table("#audit").display
        first = d.cursor("#active")
        assert pane(d).startswith(first.device_name)
        assert "waiting for the next scan" in pane(d)
        await d.press("escape", "escape")
        assert d.table("#active").display
        assert d.table("#audit").display


async def test_enter_on_an_install_opens_its_device(demo_state: Path) -> None:
    await open_test_ring(demo_state)
    async with desk(demo_state, start="activity") as d:
        await d.press("tab")
        name = d.cursor("#active").device_name
        await d.press("enter")
        assert d.title_line().startswith(" Devices")
        assert d.cursor().name == name


async def test_led_here_to_a_record(demo_state: Path) -> None:
    write_decisions(demo_state, 6)
    async with desk(demo_state, start="overview") as d:
        d.app.go("activity", "#2")
        await d.idle()
        assert d.cursor("#audit").seq == 2
        assert pane(d).startswith("Decision 1")


async def test_older_records_come_with_the_cursor(demo_state: Path) -> None:
    write_decisions(demo_state, 650)
    async with desk(demo_state, start="activity") as d:
        assert d.shows("newest 200")
        for _ in range(4):
            await d.press("G")
        assert d.cursor("#audit").seq == 1
        assert not d.shows("newest")
        await d.change(approve())
        assert d.cursor("#audit").seq == 1


# --- filter -----------------------------------------------------------------------------------------


async def test_one_filter_for_both_lists(demo_state: Path) -> None:
    await open_test_ring(demo_state)
    async with desk(demo_state, start="activity") as d:
        every = len(d.rows("#active"))
        await d.filter("ring:test -by:engine")
        assert [row.action for row in d.rows("#audit")] == ["approve"]
        assert d.rows("#active") == []
        assert d.shows("No install under way matches.")
        assert "ring:test -by:engine" in d.title_line()
        await d.press("escape")
        assert len(d.rows("#active")) == every
        assert len(d.rows("#audit")) == 2


async def test_a_filter_looks_through_older_records_too(demo_state: Path) -> None:
    write_decisions(demo_state, 900)
    async with desk(demo_state, start="activity") as d:
        await d.filter("why:rare")
        assert [row.summary for row in d.rows("#audit")] == ["Decision 3"]
    async with desk(demo_state, start="activity") as d:
        assert "why:rare" in d.title_line()


async def test_a_wrong_field_says_which_exist_and_escape_brings_the_list_back(demo_state: Path) -> None:
    async with desk(demo_state, start="activity", size=LARGE) as d:
        await d.change(approve())
        await d.press("slash")
        await d.type("colour:red")
        assert d.shows("colour", "device, ring, kb, by")
        await d.press("enter")
        assert d.screen.query_one(AskLine).is_open
        await d.press("escape")
        assert len(d.rows("#audit")) == 1
        assert d.app.focused is d.table("#audit")


# --- take away --------------------------------------------------------------------------------------


async def test_export_writes_the_list_that_has_the_keys(
    demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await open_test_ring(demo_state)
    async with desk(demo_state, start="activity") as d:
        await d.press("e")
        assert d.shows("Export the decisions", "decisions-2026-05-13.csv")
        await d.press("enter")
        assert "Wrote 2 rows to decisions-2026-05-13.csv." in d.notices()
        await d.press("tab", "e", "ctrl+u")
        await d.type("work.json")
        await d.press("enter")
        installs = len(d.rows("#active"))
    with (tmp_path / "decisions-2026-05-13.csv").open(newline="") as file:
        assert [row["What"] for row in csv.DictReader(file)][-1] == "Approve KB5089466 for ring Test"
    assert len(json.loads((tmp_path / "work.json").read_text())) == installs


async def test_copy_sends_the_command_and_the_record(demo_state: Path) -> None:
    async with desk(demo_state, start="activity") as d:
        sent: list[str] = []
        d.app.copy_to_clipboard = sent.append  # type: ignore[method-assign]
        await d.press("y")
        assert "copy: not now" in d.notices()[-1]
        await d.change(approve())
        await d.press("y", "Y")
        assert sent[0].startswith("hotpatch approve KB5089466")
        assert json.loads(sent[1])["summary"] == "Approve KB5089466 for ring Test"


# --- hostile ----------------------------------------------------------------------------------------


async def test_a_hostile_record_on_the_screen(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.reads.activity import ActivityReads

    hostile = "[@click=app.quit]x[/] \x1b[2J\u202e"
    monkeypatch.setattr(ActivityReads, "audit", lambda *_: (audit(summary=hostile, reason=hostile),))
    async with desk(demo_state, start="activity", size=LARGE) as d:
        await d.press("enter")
        assert "[@click=app.quit]x" in d.text()
        assert "\x1b" not in d.text()
        assert "\u202e" not in d.text()


# --- reading ----------------------------------------------------------------------------------------


def test_reading_says_whether_there_is_more(demo_state: Path) -> None:
    write_decisions(demo_state, 10)
    with open_engine(demo_state) as engine:
        some, every = read_activity(engine, "", 4), read_activity(engine, "", 10)
        assert [row.seq for row in some.audit] == [10, 9, 8, 7]
        assert (some.has_more_audit, every.has_more_audit) == (True, False)
        assert read_activity(engine, "why:rare", 4).has_more_audit is False


async def test_a_failed_read_says_so_in_words(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.reads.activity import ActivityReads

    def fails(*_: object) -> None:
        raise StateUnusable("The state file is damaged.", "A page is not readable.", "Restore a backup.")

    monkeypatch.setattr(ActivityReads, "audit", fails)
    async with desk(demo_state, start="activity") as d:
        assert d.shows("The state file is damaged.", "Restore a backup.", "not read")
        await d.press("enter", "tab", "d", "escape")
        assert isinstance(d.screen, ActivityScreen)


# --- looks ------------------------------------------------------------------------------------------


async def _decide_and_wait(path: Path) -> None:
    with open_engine(path, actor=Actor("maria.keller", "jump01 console")) as engine:
        approve(CLIENT, "Test", "First", reason="May rollout")(engine)
        approve(SERVER, reason="May rollout")(engine)
        engine.carry_out(engine.plan(Stop(StopKind.PAUSE, Scope(SERVER), "a ticket of the data centre")))
        await engine.run_until_idle(until=NOW + timedelta(hours=1, minutes=20))
        engine.give_back_lease()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("keys", [(), ("enter", "j")], ids=["lists", "record"])
def test_picture(
    snap_compare: Callable[..., bool],
    demo_state: Path,
    size: tuple[int, int],
    keys: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "jump01")
    asyncio.run(_decide_and_wait(demo_state))
    assert same_picture(snap_compare, demo_state, "activity", size, keys)
