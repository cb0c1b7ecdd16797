"""The screen of releases: what it says of each, and approving, applying and withdrawing from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.screens.releases import ReleasesScreen
from console.widgets.detail_panes import DetailPanes
from console.widgets.release_text import matches, release_cves, release_facts
from engine import Engine, open_engine
from engine.catalog import Coverage, coverage_of
from engine.model.intents import Apply, Approve, Role, Target, Withdraw
from engine.model.model import Approval
from engine.model.records.fleet import ReleaseRow
from tests.console.driver import LARGE, Desk, desk
from tests.console.failed_reads import is_told_and_mended
from tests.console.pictures import SIZES, same_picture

CLIENT, DECEMBER = 5089466, 5072014
NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)


def approve(*rings: str) -> Callable[[Engine], object]:
    return lambda engine: engine.carry_out(engine.plan(Approve(CLIENT, rings, "pilot")))


def details(d: Desk) -> str:
    return d.screen.query_one(DetailPanes).plain


def known(path: Path, kb: int) -> tuple[ReleaseRow, Coverage]:
    with open_engine(path) as engine:
        row = engine.reads.releases.of_kb(kb)[0]
        return row, coverage_of(engine.reads.releases.catalog(), row.release)


def facts(row: ReleaseRow, coverage: Coverage, *approvals: Approval, waits: bool = False) -> str:
    return "\n".join(each.plain for each in release_facts(row, coverage, approvals, NOW, waits=waits))


# --- what it says -----------------------------------------------------------------------------------


async def test_newest_releases_first_a_row_a_platform(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        first = d.rows()[0].release
        assert (first.name, first.platform.value, first.kind.value) == ("KB5089466", "win11-24h2", "hotpatch")
        released = [row.release.released_at for row in d.rows()]
        assert released == sorted(released, reverse=True)
        assert "3 wait for approval" in d.title_line()


async def test_wide_shows_every_column(demo_state: Path) -> None:
    async with desk(demo_state, start="releases", size=LARGE) as d:
        header = d.lines()[1].split()
        for (
            title
        ) in "KB Platform Kind Month Released Build Restart CVEs Worst Exploited Installed Active Failed".split():
            assert title in header
        april = next(line for line in d.lines() if "KB5083769" in line and "W11 24H2" in line)
        for part in ("Apr 2026", "26100.8246", "◐ restart", "122", "✗ Critical", "✗ 1", "251", "✗ 9"):
            assert part in april


async def test_details_follow_the_cursor(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        assert d.shows("twin KB5089549 26100.8457", "fixes 60 CVEs", "KB5083769 → KB5089466")
        await d.press("j")
        assert details(d).startswith("KB5089549  LCU of May 2026")
        assert "twin" not in details(d)


def test_what_stays_open_against_the_twin(demo_state: Path) -> None:
    row, coverage = known(demo_state, DECEMBER)
    text = facts(row, coverage)
    assert "▲ 1 CVE that its twin closes" in text
    gap = next(line for line in text.splitlines() if "CVE-2025-54100" in line)
    assert "closed by KB5072033, KB5074204" in gap
    assert "▲ Important" in gap


def test_nothing_open_says_so_and_a_wait_is_told(demo_state: Path) -> None:
    row, coverage = known(demo_state, CLIENT)
    assert "● nothing that its twin closes" in facts(row, coverage)
    assert "waits for approval: a" in facts(row, coverage, waits=True)
    assert "waits for approval" not in facts(row, coverage)


def test_approvals_say_who_when_why_and_how_they_stand(demo_state: Path) -> None:
    row, coverage = known(demo_state, CLIENT)
    plain = Approval(1, CLIENT, ("Test", "First"), "pilot", "alice", NOW)
    later = replace(plain, not_before=NOW + timedelta(days=1))
    over = replace(plain, expires_at=NOW - timedelta(hours=1))
    gone = replace(plain, withdrawn_at=NOW, withdrawn_by="bob")
    assert "● approved  Test, First  by alice, 13 May 09:00  pilot" in facts(row, coverage, plain)
    assert "◐ begins 14 May 09:00" in facts(row, coverage, later)
    assert "? expired 13 May 08:00" in facts(row, coverage, over)
    assert "withdrawn by bob, 13 May 09:00" in facts(row, coverage, gone)


def test_second_hand_releases_say_so(demo_state: Path) -> None:
    row, coverage = known(demo_state, 5091157)
    assert row.release.provisional
    assert "? no Microsoft document confirms it" in facts(row, coverage)


def test_the_most_severe_cves_come_first(demo_state: Path) -> None:
    _, coverage = known(demo_state, CLIENT)
    lines = [each.plain for each in release_cves(coverage)]
    assert lines[0] == "CVEs it fixes: the 40 worst of 60"
    assert lines[1].startswith("CVE-2026-41096 ✗ Critical")
    assert len(lines) == 41


def test_a_title_from_a_feed_is_only_text(demo_state: Path) -> None:
    _, coverage = known(demo_state, CLIENT)
    nasty = replace(coverage.fixes[0], title="[@click=app.quit]x[/] \x1b[2J\u202eevil")
    shown = release_cves(replace(coverage, fixes=(nasty,)))[1]
    assert "[@click=app.quit]x[/]" in shown.plain
    assert not set(shown.plain) & {"\x1b", "\u202e"}
    assert all("click" not in str(span.style) for span in shown.body.spans)


# --- finding ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", True),
        ("hotpatch 24h2", True),
        ("2026-05 may", True),
        ("kb5089466 26100.8390", True),
        ("-lcu", True),
        ("-hotpatch", False),
        ("exploited", False),
        ("no-restart critical", True),
        ("server", False),
        ("unapproved", True),
    ],
)
def test_words_of_the_filter(demo_state: Path, words: str, found: bool) -> None:
    row, _ = known(demo_state, CLIENT)
    assert matches(row, words) is found


async def test_the_filter_line_narrows_and_escape_widens(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        await d.filter("2025-12 hot")
        assert {row.release.month for row in d.rows()} == {"2025-12"}
        assert all(row.release.kind.is_hotpatch for row in d.rows())
        assert "4 of 120" in d.title_line()
        await d.press("escape")
        assert "of 120" not in d.title_line()


async def test_a_filter_without_matches_says_what_to_do(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        await d.filter("nonsense")
        assert d.shows("No release matches.", "Change the words with /")
        await d.press("a")
        assert any("There is no release here" in each for each in d.notices())


async def test_the_filter_is_kept_over_a_restart(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        await d.filter("server")
    async with desk(demo_state, start="releases") as d:
        assert d.title_line().startswith(" Releases › server")


async def test_led_here_to_a_kb(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        d.app.go("releases", "KB5087423")
        await d.idle()
        assert d.cursor().release.kb == 5087423


async def test_find_jumps_to_a_kb(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        await d.press("f")
        await d.type("507201")
        await d.press("enter")
        assert d.cursor().release.kb == DECEMBER


async def test_enter_gives_the_details_the_screen_and_escape_gives_it_back(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        await d.press("enter")
        assert d.title_line().startswith(" Releases › KB5089466 Windows 11 24H2")
        assert d.shows("CVE-2026-41096")
        await d.press("escape")
        assert d.shows("KB5087424 Srv 2022")


# --- what can be done -------------------------------------------------------------------------------


async def test_approving_ticks_the_first_ring_and_asks_for_a_reason(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        await d.press("a", "tab", "enter")
        assert d.shows("An approval needs a reason.")
        await d.type("pilot")
        await d.press("enter")
        assert d.plan.intent == Approve(CLIENT, ("Test",), "pilot")
        await d.confirm()
        await d.notice()
        assert d.rows()[0].approved_rings == ("Test",)
        assert "2 wait for approval" in d.title_line()


async def test_applying_is_only_for_rings_that_are_approved(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        await d.press("i")
        assert any("not approved for any ring" in each for each in d.notices())
        await d.change(approve("Test", "First"))
        await d.press("i")
        assert d.shows("Apply KB5089466 to which ring?", "ring Test", "all of them")
        await d.press("enter")
        assert d.plan.intent == Apply(CLIENT, Target(rings=("Test",)))
        await d.confirm()
        await d.notice()
        assert d.rows()[0].active + d.rows()[2].active == 4


async def test_withdrawing_asks_why(demo_state: Path) -> None:
    async with desk(demo_state, start="releases") as d:
        await d.change(approve("Test"))
        await d.press("w")
        await d.type("second thoughts")
        await d.press("enter")
        assert isinstance(d.plan.intent, Withdraw)
        await d.confirm()
        await d.notice()
        assert "withdrawn by tester" in details(d)
        assert d.rows()[0].approved_rings == ()


async def test_help_desk_may_look_but_not_approve(demo_state: Path) -> None:
    async with desk(demo_state, start="releases", role=Role.HELP_DESK) as d:
        await d.press("a")
        assert isinstance(d.screen, ReleasesScreen)
        assert any("approve: not now" in each for each in d.notices())


async def test_copy_and_export(demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with desk(demo_state, start="releases") as d:
        sent: list[str] = []
        monkeypatch.setattr(d.app, "copy_to_clipboard", sent.append)
        await d.press("y", "Y")
        assert sent[0] == "KB5089466"
        assert json.loads(sent[1])["kb"] == "KB5089466"
        await d.press("enter", "y")
        assert "The 40 worst" not in sent[2]
        assert "CVE-2026-41096" in sent[2]
        assert "twin       KB5089549" in sent[2]
        await d.press("escape", "e", "ctrl+u")
        await d.type("out.json")
        await d.press("enter")
        assert len(json.loads((tmp_path / "out.json").read_text())) == 120


async def test_a_failed_read_is_told_and_the_next_one_mends_it(
    demo_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await is_told_and_mended(
        demo_state,
        monkeypatch,
        start="releases",
        read="console.screens.releases.read_listed",
        kind=ReleasesScreen,
        then="KB5089466",
    )


@pytest.mark.parametrize("size", SIZES)
def test_picture(snap_compare: Callable[..., bool], demo_state: Path, size: tuple[int, int]) -> None:
    assert same_picture(snap_compare, demo_state, "releases", size, ["j", "k"])
