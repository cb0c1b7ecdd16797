"""Exclude, escalate and known problem on the failures screen: asked, planned, confirmed, in the audit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.dialogs.ask import AskDialog
from console.dialogs.choose import ChooseDialog
from console.screens.failure_verbs import end_mistake, end_of
from console.screens.failures import FailuresScreen
from engine import open_engine
from engine.model.filters import parse
from engine.model.intents import Escalate, Exclude, MarkKnownProblem, Role, Target
from engine.model.records.fleet import AuditRow
from tests.console.driver import Desk, desk

TREE, INSTALLS = "#tree", "#installs"
CODE, KB = "0x800F0922", 5083769
BASELINE = datetime(2026, 7, 14, 17, tzinfo=UTC)


def newest(path: Path) -> AuditRow:
    with open_engine(path) as engine:
        return engine.reads.activity.audit(1)[0]


def change_number(path: Path) -> int:
    with open_engine(path) as engine:
        return engine.change_number()


async def answer(d: Desk, *texts: str) -> None:
    """Fill in one question after the other."""
    for text in texts:
        assert isinstance(d.screen, AskDialog)
        await d.type(text)
        await d.press("enter")


# --- each key, its dialogs, its plan and its record ---------------------------------------------------


async def test_exclude_the_whole_code_until_a_day(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "x")
        await answer(d, "Firmware first", "2026-06-01")
        until = datetime(2026, 6, 1, tzinfo=UTC)
        assert d.plan.intent == Exclude(Target(filter=f"error:{CODE}"), "Firmware first", KB, until)
        assert d.plan.refusal is None
        devices = d.plan.devices
        assert devices > 0
        assert d.shows("Exclude", "KB5083769")
        await d.confirm()
        found = newest(demo_state)
        assert (found.action, found.reason, found.actor) == ("exclude", "Firmware first", "tester")
        assert (found.devices, found.kb) == (devices, KB)


async def test_exclude_one_device_until_the_next_baseline_or_without_end(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "enter")
        row = d.cursor(INSTALLS)
        with open_engine(demo_state) as engine:
            baseline = engine.reads.releases.next_baseline(row.platform)
        await d.press("x")
        assert d.shows(row.device_name)
        await answer(d, "Disk is replaced", "next baseline")
        assert d.plan.intent == Exclude(Target(ids=(row.device_id,)), "Disk is replaced", KB, baseline)
        await d.press("escape", "x")
        await answer(d, "Disk is replaced", "")
        assert d.plan.intent == Exclude(Target(ids=(row.device_id,)), "Disk is replaced", KB, None)
        await d.confirm()
        with open_engine(demo_state) as engine:
            assert [each.reason for each in engine.reads.devices.exclusions(row.device_id)] == ["Disk is replaced"]


async def test_an_end_that_is_no_day_is_asked_again(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "x")
        await answer(d, "Firmware first", "soon")
        assert isinstance(d.screen, AskDialog)
        assert d.shows("Write it like 2026-05-20")


async def test_escalate_the_whole_code_goes_by_its_name(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "E")
        await answer(d, "Marta", "Drivers")
        assert d.plan.intent == Escalate("Marta", CODE, Target(), None, "Drivers")
        assert d.shows("to Marta")
        await d.confirm()
        found = newest(demo_state)
        assert (found.action, found.reason) == ("escalate", "Drivers")
        with open_engine(demo_state) as engine:
            assert "Marta" in {each.owner for each in engine.reads.failures.escalations()}


async def test_escalate_marked_devices_and_a_cause(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("E")
        await answer(d, "Marta", "")
        intent = d.plan.intent
        assert isinstance(intent, Escalate)
        assert intent.group == ""
        assert intent.target.filter.startswith("error:0x")
        assert intent.target.filter.count(",") == 2
        await d.press("escape", "j", "enter", "space", "space", "E")
        await answer(d, "Marta", "")
        intent = d.plan.intent
        assert isinstance(intent, Escalate)
        assert (intent.group, len(intent.target.ids)) == (CODE, 2)
        assert d.plan.devices == 2


async def test_escalate_under_a_filter_keeps_to_it(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.filter("ring:fast")
        await d.press("j", "E")
        await answer(d, "Marta", "")
        assert isinstance(d.plan.intent, Escalate)
        assert d.plan.intent.target.filter.startswith("ring:fast error:0x")


async def test_known_problem_of_a_code(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "K")
        await answer(d, "Reserved partition full")
        assert d.plan.intent == MarkKnownProblem("Reserved partition full", CODE, KB, "")
        assert d.shows("Reserved partition full")
        await d.confirm()
        assert "known" in newest(demo_state).action
        with open_engine(demo_state) as engine:
            assert "Reserved partition full" in {each.title for each in engine.reads.failures.known_problems()}


async def test_known_problem_of_marked_devices_names_them(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("j", "enter")
        names = [row.device_name for row in d.rows(INSTALLS)[:2]]
        await d.press("space", "space", "K")
        await answer(d, "Docking station")
        intent = d.plan.intent
        assert isinstance(intent, MarkKnownProblem)
        assert all(name in intent.filter for name in names)
        parse(intent.filter)
        with open_engine(demo_state) as engine:
            assert {row.device_name for row in engine.reads.failures.open(intent.filter)} == set(names)


async def test_known_problem_of_a_cause_asks_which_code(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.press("K")
        assert isinstance(d.screen, ChooseDialog)
        await d.press("enter")
        await answer(d, "Docking station")
        assert isinstance(d.plan.intent, MarkKnownProblem)
        assert d.plan.intent.group.startswith("0x")


# --- nothing without consent --------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "texts"), [("x", ("Why", "")), ("E", ("Marta", "")), ("K", ("Title",))])
async def test_escape_changes_nothing_at_any_step(demo_state: Path, key: str, texts: tuple[str, ...]) -> None:
    before = change_number(demo_state)
    async with desk(demo_state, start="failures") as d:
        for steps in range(len(texts) + 1):
            await d.press("j") if steps == 0 else None
            await d.press(key)
            await answer(d, *texts[:steps])
            await d.press("escape")
            assert isinstance(d.screen, FailuresScreen)
    assert change_number(demo_state) == before


@pytest.mark.parametrize(("key", "label"), [("x", "exclude"), ("E", "escalate"), ("K", "known problem")])
async def test_read_only_dims_them_and_says_why(demo_state: Path, key: str, label: str) -> None:
    async with desk(demo_state, start="failures", read_only=True) as d:
        await d.press("j", key)
        assert isinstance(d.screen, FailuresScreen)
        assert any(f"{label}: not now" in each and "read-only" in each for each in d.notices())


async def test_the_help_desk_may_escalate_only(demo_state: Path) -> None:
    async with desk(demo_state, start="failures", role=Role.HELP_DESK) as d:
        screen = d.screen
        assert isinstance(screen, FailuresScreen)
        assert screen.why_not("exclude")
        assert screen.why_not("known_problem")
        assert not screen.why_not("escalate")


async def test_without_failures_they_are_dimmed(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        await d.filter("name:nobody-has-this-name")
        await d.press("x", "E", "K")
        assert isinstance(d.screen, FailuresScreen)
        assert sum("No install has failed" in each for each in d.notices()) >= 1


# --- the end of an exclusion --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", None),
        (" Next  Baseline ", BASELINE),
        ("2026-06-01", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T18:00+02:00", datetime(2026, 6, 1, 16, tzinfo=UTC)),
    ],
)
def test_ends(text: str, end: datetime | None) -> None:
    assert end_of(text, BASELINE) == end
    assert end_mistake(text) == ""


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "0001-01-01T00:00+14:00"])
def test_ends_that_are_none(text: str) -> None:
    assert "Write it like" in end_mistake(text)


async def test_recover_leads_to_the_plan_and_says_that_a_baseline_cannot_be_uninstalled(demo_state: Path) -> None:
    async with desk(demo_state, start="failures") as d:
        before = change_number(demo_state)
        await d.press("j", "R")
        assert isinstance(d.screen, ChooseDialog)
        await d.press("enter")
        await answer(d, "Screens stay black")
        assert d.plan.refusal is not None
        await d.press("escape")
        assert change_number(demo_state) == before
