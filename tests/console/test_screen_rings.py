"""The screen of rings: what it says of a release in each ring, and what can be done from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.columns import ring_standing_cell
from console.dialogs.ring_rules import RULES as RULE_LIST
from console.dialogs.ring_rules import RingRulesDialog, intent_for, mistake, values_of
from console.screens.rings import RingsScreen, devices_filter
from console.screens.rollout_verbs import concerns, scope_text, scopes_for
from console.text import Tone, use_ascii
from console.widgets.ring_list import RingList, bar_line
from console.widgets.ring_plan import plan_text
from console.widgets.ring_text import ring_text
from console.widgets.text_pane import TextPane
from engine import Engine, open_engine
from engine.model.intents import Approve, Recover, Role, Scope, SetRing, Stop, StopKind
from engine.model.model import Gate, Ring
from engine.model.records.fleet import GateCondition, RingProgress
from tests.console.driver import LARGE, Desk, desk
from tests.console.failed_reads import is_told_and_mended
from tests.console.pictures import SIZES, same_picture

CLIENT = 5089466
NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)


def ring(name: str = "Test", position: int = 1, deferral: int = 0) -> Ring:
    return Ring(position, name, position, deferral, 2, 1, 0, Gate())


def progress(**changes: object) -> RingProgress:
    facts: dict[str, object] = {
        "ring": ring(),
        "kb": CLIENT,
        "devices": 10,
        "installed": 0,
        "failed": 0,
        "active": 0,
        "not_ready": 2,
        "pending": 8,
        "approved": True,
        "opens_at": NOW,
        "opened_at": None,
        "stopped": "",
        "waits_for": "",
        "gate": (GateCondition("failed", "at most 10%", "0% (0 of 0)", True),),
    }
    return RingProgress(**{**facts, **changes})  # type: ignore[arg-type]


def approve(*rings: str) -> Callable[[Engine], object]:
    return lambda engine: engine.carry_out(engine.plan(Approve(CLIENT, rings, "pilot")))


def cursor(d: Desk) -> str:
    row = d.screen.query_one(RingList).cursor_row
    assert row is not None
    return row.ring.name


def details(d: Desk) -> str:
    return d.screen.query_one(TextPane).plain


# --- what it says -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "severity", "words"),
    [
        ({"devices": 0, "not_ready": 0, "pending": 0}, Tone.NONE, "no device"),
        ({"approved": False, "opens_at": None}, Tone.NONE, "not approved"),
        ({"opens_at": NOW + timedelta(days=5)}, Tone.DUE, "opens 18 May 09:00, in 5 d"),
        ({"waits_for": "ring First"}, Tone.DUE, "waits for ring First"),
        ({"stopped": "paused by eve: tickets"}, Tone.AT_RISK, "paused by eve: tickets"),
        ({"opened_at": NOW, "active": 3, "pending": 5}, Tone.DUE, "under way since 13 May 09:00"),
        ({"opened_at": NOW, "installed": 8, "pending": 0}, Tone.OK, "done"),
        ({"opened_at": NOW, "installed": 7, "failed": 1, "pending": 0}, Tone.AT_RISK, "done but for 1 failed"),
        ({"opened_at": NOW, "approved": False}, Tone.AT_RISK, "no approval"),
        (
            {"opened_at": NOW, "gate": (GateCondition("failed", "at most 10%", "40% (4 of 10)", False),)},
            Tone.FAILED,
            "gate fails: failed 40% (4 of 10)",
        ),
        (
            {"opened_at": NOW, "gate": (GateCondition("installed", "at least 80%", "10% (1 of 8)", False),)},
            Tone.DUE,
            "under way",
        ),
    ],
)
def test_where_a_ring_stands(changes: dict[str, object], severity: Tone, words: str) -> None:
    found = ring_standing_cell(progress(**changes), NOW)
    assert found.severity is severity
    assert words in found.text


def test_conditions_say_state_value_and_need() -> None:
    gate = (
        GateCondition("installed", "at least 80%", "20% (1 of 5)", False),
        GateCondition("failed", "at most 10%", "40% (4 of 10)", False),
        GateCondition("soak", "24 h", "30 h", True),
    )
    plain = "\n".join(each.plain for each in ring_text(progress(gate=gate), "First", (), (), NOW))
    lines = [line.split() for line in plain.splitlines()]
    assert ["◐", "not", "yet", "installed", "20%", "(1", "of", "5)", "needs", "at", "least", "80%"] in lines
    assert ["✗", "fails", "failed", "40%", "(4", "of", "10)", "needs", "at", "most", "10%"] in lines
    assert ["●", "holds", "soak", "30", "h", "needs", "24", "h"] in lines
    assert "ring First opens when all of it holds" in plain


def test_the_plan_shows_deferral_deadline_and_grace_by_day() -> None:
    shown = plan_text([ring(), ring("First", 2, deferral=3)], NOW - timedelta(days=1), NOW, 80).plain.splitlines()
    first, second = shown[2], shown[3]
    each = first.count("█") // 2
    assert each >= 3
    assert first.count("░") == each
    assert second.count("·") == 3 * each
    assert shown[1].index("today") == second.index("·") + each


async def test_every_ring_of_the_newest_release_with_its_numbers(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        assert d.title_line().startswith(" Rings › KB5089466 › Test")
        assert d.shows("hotpatch of May 2026", "W11 24H2, W11 25H2", "‹ 1 of 3 ›", "438 devices")
        text = d.text()
        for name, devices in (("Test", 5), ("First", 25), ("Fast", 68), ("Broad", 327), ("Last", 13)):
            row = next(line.lstrip("› ").split() for line in d.lines()[4:] if f" {name} " in line)
            assert row[1:3] == [name, str(devices)]
        assert text.count("not approved") >= 5
        assert "Gate: ring First opens when all of it holds" in text


async def test_switching_between_the_releases_under_way(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.press("n")
        assert d.shows("KB5087423", "Srv 2025", "‹ 2 of 3 ›")
        await d.press("right")
        assert d.shows("KB5087424", "‹ 3 of 3 ›")
        await d.press("n")
        assert d.shows("‹ 1 of 3 ›")
        await d.press("N")
        assert d.shows("‹ 3 of 3 ›")


async def test_the_cursor_stays_on_its_ring_while_numbers_change(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.press("j", "j")
        await d.change(approve("Test"))
        await d.run_until_idle()
        assert cursor(d) == "Fast"
        test_line = next(line for line in d.lines() if " 1 Test " in line)
        assert test_line.split()[:4] == ["1", "Test", "5", "5"]
        await d.press("g")
        assert "by " in details(d)
        assert "pilot" in details(d)
        assert d.shows("● done")


async def test_only_what_has_changed_is_drawn_again(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        drawn: list[object] = []
        screen = d.screen
        assert isinstance(screen, RingsScreen)
        for card in screen.query("RingCard"):
            card.watch(card, "standing", lambda value: drawn.append(value), init=False)
        assert d.app.info is not None
        screen.info_read(d.app.info)
        await d.idle()
        assert drawn == []


# --- what can be done -------------------------------------------------------------------------------


async def test_approving_from_a_ring_ticks_it_and_shows_the_plan(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.press("a", "tab")
        await d.type("pilot")
        await d.press("enter")
        assert isinstance(d.plan.intent, Approve)
        assert d.plan.intent.rings == ("Test",)
        assert d.plan.devices == 4
        await d.confirm()
        await d.notice()
        assert "pilot" in details(d)


async def test_pausing_then_resuming_the_ring(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.press("p")
        assert d.shows("Pause what?", "KB5089466 in ring Test", "ring Test")
        await d.press("enter")
        await d.type("tickets")
        await d.press("enter")
        assert d.plan.intent == Stop(StopKind.PAUSE, Scope(CLIENT, "Test"), "tickets")
        await d.confirm()
        await d.notice()
        assert d.shows("▲ paused by tester: tickets")
        await d.press("p")
        assert d.shows("Resume or pause?", "resume KB5089466 in ring Test")
        await d.press("enter")
        await d.confirm()
        await d.notice()
        assert not d.shows("paused by tester")


async def test_halting_everything(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.press("H")
        assert d.shows("everything", "every release in every ring")
        await d.press("j", "j", "j", "enter")
        await d.type("bad patch")
        await d.press("enter")
        assert d.plan.intent == Stop(StopKind.HALT, Scope(), "bad patch")
        await d.confirm()
        await d.notice()
        assert d.text().count("halted by tester") >= 5


async def test_recovering_shows_its_restarts_before_anything_happens(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.change(approve("Test"))
        await d.run_until_idle()
        await d.press("R", "enter")
        await d.type("crashes")
        await d.press("enter")
        assert d.plan.intent == Recover(CLIENT, "crashes")
        assert d.plan.restarts > d.plan.devices
        await d.confirm()
        await d.notice()
        assert f"recovery   ◐ 0 of {recovered_devices(d)} led back" in details(d)


def recovered_devices(d: Desk) -> str:
    with open_engine(d.path) as engine:
        found = engine.reads.rollout.recovery(CLIENT)
    assert found is not None
    return f"{found.devices} devices"


def test_a_failing_gate_says_what_now() -> None:
    health = GateCondition("health", "patched fare like the others", "crashes on 7 of 17", False)
    row = progress(opened_at=NOW, stopped="halted by engine: gate", gate=(health,))
    plain = "\n".join(each.plain for each in ring_text(row, "Fast", (), ("KB: halted by engine, 13 May: gate",), NOW))
    assert plain.startswith("Ring Test  ▲ halted\n")
    assert "✗ fails    health  crashes on 7 of 17" in plain
    assert "what now   R leads devices back" in plain


async def test_changing_the_rules_of_a_ring(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.press("j", "o")
        assert isinstance(d.screen, RingRulesDialog)
        await d.press("backspace", "3", "enter")
        assert d.plan.intent == SetRing("First", deferral_days=3)
        await d.confirm()
        await d.notice()
        assert "deferral 3 d" in details(d)


async def test_a_rule_that_is_no_number_is_told_and_nothing_happens(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.press("o", "backspace", "enter")
        assert d.shows("Deferral: write a whole number from 0 to 30.")
        await d.press("escape")
        assert isinstance(d.screen, RingsScreen)


def test_only_changed_rules_are_in_the_intent() -> None:
    old = values_of(ring())
    assert intent_for(ring(), old) == SetRing("Test")
    changed = intent_for(ring(), (*old[:4], 90, *old[5:]))
    assert changed.gate is not None
    assert changed.gate.min_installed_share == pytest.approx(0.9)
    assert changed.gate.soak_hours == Gate().soak_hours
    assert changed.deferral_days is None


@pytest.mark.parametrize("text", ["", "-1", "31", "1.5", "x", "²"])
def test_wrong_numbers_of_days(text: str) -> None:
    assert mistake(RULE_LIST[0], text)


async def test_withdrawing_from_the_screen(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.press("w")
        assert any("No approval of it is in force" in each for each in d.notices())
        await d.change(approve("Test", "First"))
        await d.press("w")
        await d.type("second thoughts")
        await d.press("enter")
        assert "Withdraw" in d.plan.title
        await d.confirm()
        await d.notice()
        assert "nobody" in details(d)


async def test_enter_leads_to_the_devices_that_are_counted(demo_state: Path) -> None:
    async with desk(demo_state, start="rings") as d:
        await d.press("j", "enter")
        assert d.title_line().startswith(" Devices")
        assert "ring:First platform:" in d.title_line()
        assert {row.ring for row in d.rows()} == {"First"}
        assert len(d.rows()) == 21
        assert d.table().total == 25


async def test_a_viewer_is_told_why_not(demo_state: Path) -> None:
    async with desk(demo_state, start="rings", role=Role.VIEWER) as d:
        await d.press("H")
        assert isinstance(d.screen, RingsScreen)
        assert any("halt: not now" in each for each in d.notices())


async def test_led_here_to_a_release_and_a_ring(demo_state: Path) -> None:
    async with desk(demo_state, start="overview") as d:
        d.app.go("rings", "KB5087423 Broad")
        await d.idle()
        assert d.title_line().startswith(" Rings › KB5087423 › Broad")


async def test_a_ring_name_cannot_colour_or_break_the_screen(demo_state: Path) -> None:
    hostile = progress(ring=ring("[b]x[/] \x1b[2J\u202e"))
    async with desk(demo_state, start="rings", size=LARGE) as d:
        await d.until(lambda: d.shows("Broad"))  # the fleet's own rows come first, and do not come after
        d.screen.query_one(RingList).show_rows([hostile], NOW)
        await d.idle()
        assert "[b]x[/]" in d.text()
        assert "\x1b" not in d.text()
        assert "\u202e" not in d.text()


def test_the_parts_of_a_bar_differ_without_unicode() -> None:
    row = progress(installed=2, active=2, failed=2, pending=2, not_ready=2)
    use_ascii(True)
    try:
        shown = bar_line(row, 80, ring_standing_cell(row, NOW)).plain
    finally:
        use_ascii(False)
    assert shown.isascii()
    assert len(set(shown[4:40].replace(" ", ""))) == 5


# --- small parts ------------------------------------------------------------------------------------


def test_a_stop_concerns_what_it_covers() -> None:
    assert concerns(Scope(), CLIENT, "Test")
    assert concerns(Scope(None, "test"), CLIENT, "Test")
    assert concerns(Scope(CLIENT, None), CLIENT, None)
    assert not concerns(Scope(1, "Test"), CLIENT, "Test")
    assert not concerns(Scope(CLIENT, "Broad"), CLIENT, "Test")


def test_scopes_from_the_narrowest_on() -> None:
    assert [scope_text(each) for each, _ in scopes_for(StopKind.PAUSE, CLIENT, "Test")] == [
        "KB5089466 in ring Test",
        "KB5089466",
        "ring Test",
    ]
    assert scope_text(scopes_for(StopKind.HALT, CLIENT, "Test")[-1][0]) == "everything"


def test_filter_for_rings_with_odd_names() -> None:
    assert devices_filter("Fast", ["win11-24h2"]) == "ring:Fast platform:win11-24h2"
    assert devices_filter('a "b', []) == 'ring:"a ""b"'


# --- looks ------------------------------------------------------------------------------------------


async def test_a_failed_read_is_told_and_the_next_one_mends_it(
    demo_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await is_told_and_mended(
        demo_state,
        monkeypatch,
        start="rings",
        read="console.screens.rings.read_rollout",
        kind=RingsScreen,
        then="438 devices",
    )


@pytest.mark.parametrize("size", SIZES)
def test_picture(snap_compare: Callable[..., bool], demo_state: Path, size: tuple[int, int]) -> None:
    assert same_picture(snap_compare, demo_state, "rings", size, ["j"])
