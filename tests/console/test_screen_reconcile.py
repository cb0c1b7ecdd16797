"""Reconciliation on screen: asked for a file, read bit by bit, counts and list by verdict, proof in words, export."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from console.app import HotpatchApp
from console.background import Background
from console.screens import reconcile as screen_module
from console.screens.reconcile import ReconcileScreen, paths_in, source_mistake, target_mistake
from console.settings import Settings
from console.widgets.text_pane import TextPane
from engine import Engine, open_engine
from engine.model.intents import Actor
from engine.rules.findings import FindingVerdict
from tests.console.driver import LARGE, SMALL, Desk, desk
from tests.console.pictures import SIZES
from tests.console.scan_files import MAY, write_scan
from tests.engine.scan_exports import Row, nessus


@pytest.fixture
def scan(demo_state: Path, tmp_path: Path) -> Path:
    return write_scan(demo_state, tmp_path / "scan.csv")


@asynccontextmanager
async def reconciled(
    state: Path, *paths: Path, size: tuple[int, int] = SMALL, read_only: bool = False
) -> AsyncIterator[Desk]:
    """The screen on these files, at rest."""
    async with desk(state, start="failures", size=size, read_only=read_only) as d:
        d.app.push_screen(ReconcileScreen(paths))
        yield await d.idle()


def pane(d: Desk) -> str:
    return d.screen.query_one(TextPane).plain


async def until_verdict(d: Desk, verdict: FindingVerdict) -> None:
    await d.press(*["tab"] * (list(FindingVerdict).index(verdict) + 1))


# --- on the way there -------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["failures", "releases"])
async def test_a_key_asks_for_the_file_and_leads_there_and_back(
    start: str, demo_state: Path, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scan.parent)
    async with desk(demo_state, start=start) as d:
        await d.press("C")
        assert d.shows("Reconcile a scanner export", "Nothing is changed")
        await d.type("none.csv")
        await d.press("enter")
        assert d.shows("There is no file none.csv.")
        await d.press("ctrl+u")
        await d.type(scan.name)
        await d.press("enter")
        assert isinstance(d.screen, ReconcileScreen)
        assert d.title_line().strip().startswith("Reconcile › scan.csv")
        await d.press("escape")
        assert not isinstance(d.screen, ReconcileScreen)


async def test_the_palette_offers_it_on_every_screen(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        await d.press("ctrl+p")
        await d.type("scanner")
        await d.until(lambda: d.shows("Reconcile a scanner export"))
        await d.press("enter")
        await d.until(lambda: d.shows("Nothing is changed"))


async def test_a_file_that_is_no_export_says_so_and_goes_back(demo_state: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    async with reconciled(demo_state, path) as d:
        assert not isinstance(d.screen, ReconcileScreen)
        assert any("no scanner's export" in notice for notice in d.notices())


def test_names_of_files_may_hold_blanks_and_there_may_be_several(tmp_path: Path) -> None:
    one, two = tmp_path / "one scan.csv", tmp_path / "two.csv"
    for path in (one, two):
        path.write_text("")
    assert paths_in(str(one)) == (one,)
    assert paths_in(f"'{one}' {two}") == (one, two)
    assert paths_in("it's") == (Path("it's"),)
    assert source_mistake("  ") == "Name a file, or leave with esc."
    assert source_mistake(f"{two} {tmp_path / 'none.csv'}") == "There is no file none.csv."
    assert source_mistake(str(two)) == ""
    assert target_mistake(str(two)) == "There is such a file already; name another one."
    assert target_mistake("list.txt") == "Let its name end in .csv or .json."
    assert target_mistake(str(tmp_path / "new.json")) == ""


# --- the list ---------------------------------------------------------------------------------------


async def test_counts_by_verdict_and_findings_in_the_order_of_the_file(demo_state: Path, scan: Path) -> None:
    async with reconciled(demo_state, scan) as d:
        assert d.table().total == 84
        assert d.shows("all 84", "unknown 2", "other 2", "1 unread  1-20 of 84")
        assert [row.line for row in d.rows()] == sorted(row.line for row in d.rows())
        assert any("1 line could not be read" in notice for notice in d.notices())
        assert not d.app.background.busy


async def test_the_list_goes_page_by_page_to_its_end(demo_state: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text(nessus([Row(f"GHOST-{n:05}", (MAY,)) for n in range(3_000)]))
    async with reconciled(demo_state, path) as d:
        await d.press("G")
        assert d.cursor().host == "GHOST-02999"
        assert d.shows("2,981-3,000 of 3,000")
        await d.press("pageup", "pageup", "pageup", "g")
        assert d.cursor().host == "GHOST-00000"


async def test_tab_goes_from_verdict_to_verdict_and_round(demo_state: Path, scan: Path) -> None:
    async with reconciled(demo_state, scan, size=LARGE) as d:
        for verdict in FindingVerdict:
            await d.press("tab")
            assert {row.judgement.verdict for row in d.rows()} <= {verdict}
        await d.press("tab")
        assert d.table().total == 84
        await d.press("shift+tab")
        assert {row.judgement.verdict for row in d.rows()} == {FindingVerdict.NOT_SERVICING}
        await d.press("escape")
        assert d.table().total == 84


async def test_enter_shows_the_proof_in_words(demo_state: Path, scan: Path) -> None:
    async with reconciled(demo_state, scan, size=LARGE) as d:
        await until_verdict(d, FindingVerdict.FALSE_POSITIVE)
        await d.press("enter")
        row = d.cursor()
        proof = row.judgement.proof
        assert f"KB{proof.kb}" in pane(d)
        assert "install record" in pane(d)
        assert f"scan.csv, line {row.line}" in pane(d)
        await d.press("j")
        assert f"line {d.cursor().line}" in pane(d)
        await d.press("enter")
        assert d.screen.focused is d.screen.query_one(TextPane)
        await d.press("escape", "escape")
        assert not d.screen.has_class("-pane")
        await d.press("tab", "tab", "d")  # from false positives on to unknown devices
        assert "Next: Import the device, or correct the name." in pane(d)


async def test_an_open_finding_says_what_to_do(demo_state: Path, scan: Path) -> None:
    async with reconciled(demo_state, scan) as d:
        await until_verdict(d, FindingVerdict.TRUE)
        await d.press("enter")
        assert "Next: Install KB5089466, without a restart." in pane(d)


async def test_what_is_not_for_findings_is_not_offered(demo_state: Path, scan: Path) -> None:
    async with reconciled(demo_state, scan) as d:
        await d.press("space")
        assert not d.table().marks
        assert "sort" not in d.footer()


async def test_reading_goes_on_in_steps_and_can_be_left(
    demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen_module, "_A_WHILE", 0.0)
    path = tmp_path / "long.csv"
    path.write_text(nessus([Row(f"GHOST-{n % 7}", (MAY,)) for n in range(4_000)]))
    async with desk(demo_state, start="failures") as d:
        screen = ReconcileScreen([path])
        d.app.push_screen(screen)
        await d.until(lambda: bool(screen._counts) or screen.is_done)
        await d.pilot.press("escape")
        await d.idle()
        assert d.screen is not screen
        assert d.title_line().strip().startswith("Failures")


# --- taking away ------------------------------------------------------------------------------------


async def test_export_writes_what_is_proven_and_is_recorded(
    demo_state: Path, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with reconciled(demo_state, scan) as d:
        await d.press("e")
        assert d.shows("Export an exception list", "The audit records it")
        await d.press("enter")
        target = tmp_path / "exceptions-2026-05-13.csv"
        rows = list(csv.DictReader(target.read_text(encoding="utf-8").splitlines()))
        assert {row["verdict"] for row in rows} <= {"false-positive", "fixed-since-scan"}
        assert any("Wrote" in notice and "The audit has a record" in notice for notice in d.notices())
        await d.press("e", "enter")
        assert d.shows("There is such a file already")
    with open_engine(demo_state) as engine:
        assert engine.reads.activity.audit(1)[0].action == "exceptions-export"


async def test_export_of_one_verdict_holds_that_one(
    demo_state: Path, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with reconciled(demo_state, scan) as d:
        await until_verdict(d, FindingVerdict.TRUE)
        await d.press("e", "enter")
        rows = list(csv.DictReader((tmp_path / "exceptions-2026-05-13.csv").read_text(encoding="utf-8").splitlines()))
        assert {row["verdict"] for row in rows} == {"true"}


async def test_read_only_says_why_nothing_is_exported(demo_state: Path, scan: Path) -> None:
    async with reconciled(demo_state, scan, read_only=True) as d:
        await d.press("e")
        assert any("open read-only" in notice for notice in d.notices())


async def test_hostile_text_stays_text(demo_state: Path, tmp_path: Path) -> None:
    path = tmp_path / "[@click=app.quit]scan.csv"
    evil = "[red]x[/] [@click=app.quit]y"
    path.write_text(nessus([Row(evil, (MAY,), id="[/]", title=f"Windows {evil}\x1b[2J")]))
    async with reconciled(demo_state, path, size=LARGE) as d:
        await d.press("enter")
        assert "[red]x[/]" in pane(d)
        assert "\x1b" not in d.text()


# --- looks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "keys"), [("list", ()), ("proof", ("tab", "tab", "enter")), ("open", ("tab", "enter"))]
)
def test_picture(
    snap_compare: Callable[..., bool],
    demo_state: Path,
    tmp_path: Path,
    size: tuple[int, int],
    name: str,
    keys: tuple[str, ...],
) -> None:
    scan = write_scan(demo_state, tmp_path / "scan.csv", bad=0)

    def opener() -> Engine:
        return open_engine(demo_state, actor=Actor("tester", "test console"))

    app = HotpatchApp(Background(opener, poll_seconds=0.02), Settings(animation="none"), start="failures")

    async def press(pilot: Pilot[None]) -> None:
        d = await Desk(app, pilot, demo_state).idle()
        app.push_screen(ReconcileScreen([scan]))
        await d.idle()
        await d.press(*keys)

    assert snap_compare(app, terminal_size=size, run_before=press)
