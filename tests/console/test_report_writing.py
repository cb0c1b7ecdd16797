"""Reports from the console: chosen or from the palette, asked for a file, written while the console goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.widgets import Input

from console.dialogs.ask import AskDialog
from console.dialogs.choose import ChooseDialog
from console.messages import Progressed
from console.reports import making
from console.screens.overview import OverviewScreen
from engine.model.errors import EngineError
from tests.console.driver import Desk, desk


async def fill_in(d: Desk, path: Path) -> None:
    assert isinstance(d.screen, AskDialog)
    d.screen.query_one("#text", Input).value = str(path)
    await d.press("enter")


@pytest.mark.parametrize("ending", ["html", "md", "csv"])
async def test_the_overview_writes_a_report(demo_state: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"
    async with desk(demo_state, start="overview") as d:
        await d.press("e")
        assert isinstance(d.screen, ChooseDialog)
        assert d.shows("Compliance", "Readiness", "Cost", "Activity")
        await d.press("j", "enter")
        await fill_in(d, path)
        await d.until(path.exists)
        assert isinstance(d.screen, OverviewScreen)
        assert any(f"Wrote the readiness report to out.{ending}" in notice for notice in d.notices())
        assert d.app.doing == ""
    beginnings = {"html": b"<!DOCTYPE html>", "md": b"# Readiness", "csv": b"\xef\xbb\xbfreport,"}
    assert path.read_bytes().startswith(beginnings[ending])
    assert [each.name for each in tmp_path.glob("out*")] == [path.name]


async def test_a_file_that_cannot_be_is_said_in_the_dialog(demo_state: Path, tmp_path: Path) -> None:
    older = tmp_path / "older.html"
    older.write_text("older", encoding="utf-8")
    async with desk(demo_state, start="overview") as d:
        await d.press("e", "enter")
        for path, words in (
            (tmp_path / "a.pdf", "Let its name end in"),
            (older, "There is such a file already."),
            (tmp_path / "no" / "a.html", "There is no such folder."),
        ):
            await fill_in(d, path)
            assert isinstance(d.screen, AskDialog)
            assert d.shows(words)
        await d.press("escape")
        assert isinstance(d.screen, OverviewScreen)
    assert older.read_text(encoding="utf-8") == "older"


async def test_the_palette_has_each_report_on_any_screen(demo_state: Path, tmp_path: Path) -> None:
    path = tmp_path / "activity.md"
    async with desk(demo_state, start="devices") as d:
        await d.press("ctrl+p")
        await d.type("report activity")
        await d.until(lambda: d.shows("Report: activity"))
        await d.press("enter")
        await d.until(lambda: isinstance(d.screen, AskDialog))
        await fill_in(d, path)
        await d.until(path.exists)
    assert path.read_text(encoding="utf-8").startswith("# Activity")


async def test_progress_stands_in_the_title_line_and_the_console_goes_on(
    demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, begun, go_on = tmp_path / "slow.html", threading.Event(), threading.Event()
    make = making.make

    def slow(engine, request, progress=None):  # type: ignore[no-untyped-def]
        progress("Reading evidence", 4, 10)
        begun.set()
        go_on.wait(120)
        return make(engine, request, progress)

    monkeypatch.setattr(making, "make", slow)
    async with desk(demo_state, start="overview") as d:
        await d.press("e", "enter")
        d.screen.query_one("#text", Input).value = str(path)
        await d.pilot.press("enter")
        while not (begun.is_set() and "report: Reading evidence 40 %" in d.title_line()):
            await d.pilot.pause(0.01)
        await d.pilot.press("2")
        while "Devices" not in d.title_line():
            await d.pilot.pause(0.01)
        assert "report: Reading evidence 40 %" in d.title_line()
        go_on.set()
        await d.until(path.exists)
        assert "report" not in d.title_line()


async def test_who_quits_meanwhile_gets_no_half_file(
    demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def slow(engine, request, progress=None):  # type: ignore[no-untyped-def]
        begun.set()
        try:
            while not stopped.wait(0.002):
                progress("Reading evidence", 4, 10)
        except EngineError:
            stopped.set()
            raise

    monkeypatch.setattr(making, "make", slow)
    async with desk(demo_state, start="overview") as d:
        await d.press("e", "enter")
        d.screen.query_one("#text", Input).value = str(tmp_path / "never.html")
        await d.pilot.press("enter")
        while not begun.is_set():
            await d.pilot.pause(0.01)
    assert stopped.wait(120)
    assert list(tmp_path.glob("*never*")) == []
    assert Progressed("x").can_replace(Progressed("y"))
