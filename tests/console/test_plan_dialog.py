"""The one confirmation: what it shows, what confirms it, what does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.dialogs.plan import PlanDialog, plan_text
from engine.model.errors import PlanOutdated, Refused
from engine.model.intents import Apply, Approve, Intent, Plan, Refusal, Retry, Target
from engine.model.tenants import Request, Wish
from tests.console.driver import LARGE, SMALL, Desk, desk
from tests.console.fake_engine import FakeFleet

INTENT = Retry(Target(ids=(1,)))
PLAN = Plan(
    INTENT,
    "Try 3 failed installs again",
    ("KB5089466 is ordered again.", "A failure stays listed until it is put right."),
    3,
    0,
    sample=("PC-1", "PC-2", "PC-3"),
    left_out=(Refusal("PC-9", "It was tried five times.", "Look at it first.", 2),),
    warnings=("One of them is off.",),
    command="hotpatch retry --device PC-1",
)


def with_plan(plan: Plan) -> FakeFleet:
    def make(intent: Intent) -> Plan:
        return replace(plan, intent=intent)

    return FakeFleet(make_plan=make)


@asynccontextmanager
async def asked(fleet: FakeFleet, size: tuple[int, int] = SMALL) -> AsyncIterator[Desk]:
    async with desk(Path("fake.db"), opener=fleet.open, size=size) as d:
        await d.press("r")
        yield d


async def test_it_shows_everything_that_will_happen() -> None:
    async with asked(with_plan(PLAN)) as d:
        assert d.shows(
            "Try 3 failed installs again",
            "3 devices",
            "no restart",
            "PC-1, PC-2, PC-3",
            "1. KB5089466 is ordered again.",
            "One of them is off.",
            "2 devices: PC-9 It was tried five times.",
            "hotpatch retry --device PC-1",
            "y do it",
        )


async def test_y_carries_it_out_and_says_so() -> None:
    fleet = with_plan(PLAN)
    async with asked(fleet) as d:
        await d.press("y")
        assert len(fleet.carried_out) == 1
        assert d.notices() == ["It was done."]
        assert len(d.app.screen_stack) == 1


@pytest.mark.parametrize("key", ["escape", "n", "enter", "space", "i", "q"])
async def test_other_keys_do_nothing(key: str) -> None:
    fleet = with_plan(PLAN)
    async with asked(fleet) as d:
        await d.press(key)
        assert not fleet.carried_out
        assert (len(d.app.screen_stack) == 1) == (key in ("escape", "n"))


async def test_pressing_the_verb_quickly_opens_one_dialog() -> None:
    fleet = with_plan(PLAN)
    async with desk(Path("fake.db"), opener=fleet.open) as d:
        await d.pilot.press("r", "r", "r")
        await d.idle()
        assert len(d.app.screen_stack) == 2


async def test_a_far_plan_wants_the_number_typed() -> None:
    fleet = with_plan(replace(PLAN, devices=1234, restarts=12))
    async with asked(fleet) as d:
        assert d.shows("12 restarts", "Type the number of devices, 1,234")
        await d.press("enter")
        await d.type("12")
        await d.press("enter")
        assert d.shows("That is not 1,234.")
        assert not fleet.carried_out
        await d.type("34")
        await d.press("enter")
        assert len(fleet.carried_out) == 1


@pytest.mark.parametrize(
    ("plan", "typed"),
    [
        (PLAN, False),
        (replace(PLAN, restarts=1), True),
        (replace(PLAN, devices=1000), False),
        (replace(PLAN, devices=1001), True),
        (replace(PLAN, intent=Apply(1, Target(rings=("Test",)))), False),
        (replace(PLAN, intent=Apply(1, Target(rings=("Test", "First")))), True),
        (replace(PLAN, intent=Approve(1, ("Test",), "x")), False),
        (replace(PLAN, intent=Approve(1, ("Test", "First"), "x")), True),
        (replace(PLAN, intent=Approve(1, (), "x")), True),
        (replace(PLAN, devices=0, restarts=0), False),
    ],
)
def test_what_reaches_far(plan: Plan, typed: bool) -> None:
    assert plan.reaches_far is typed


async def test_a_refusal_shows_the_way_out_and_cannot_be_confirmed() -> None:
    refusal = Refusal("KB5089466 is not applied.", "It is not approved for ring Fast.", "Approve it first.")
    fleet = with_plan(replace(PLAN, refusal=refusal))
    async with asked(fleet) as d:
        assert d.shows("KB5089466 is not applied.", "not approved for ring Fast", "To make it possible:")
        assert not d.shows("y do it")
        await d.press("y")
        assert not fleet.carried_out
        await d.press("escape")
        assert len(d.app.screen_stack) == 1


async def test_an_outdated_plan_is_shown_anew() -> None:
    fleet = with_plan(PLAN)
    fleet.carry_out_error = PlanOutdated("More devices would be touched than were shown.")
    async with asked(fleet) as d:
        await d.press("y")
        assert not fleet.carried_out
        assert d.shows("More devices would be touched", "This is the plan as it is now.")
        await d.press("y")
        assert len(fleet.carried_out) == 1
        assert len(fleet.plans) == 2


async def test_a_refusal_while_carrying_out_is_told() -> None:
    fleet = with_plan(PLAN)
    fleet.carry_out_error = Refused("It is not done.", "Your role is viewer.", "Ask an operator.")
    async with asked(fleet) as d:
        await d.press("y")
        assert d.notices() == ["It is not done. Your role is viewer. Ask an operator."]


async def test_a_long_plan_scrolls_and_keeps_its_keys_in_view() -> None:
    left_out = tuple(Refusal(f"PC-{n}", f"Reason {n}.", "Do something.", n) for n in range(1, 30))
    async with asked(with_plan(replace(PLAN, left_out=left_out))) as d:
        assert d.shows("y do it")
        assert not d.shows("Reason 29.")
        await d.press("pagedown", "pagedown", "pagedown", "pagedown", "pagedown")
        assert d.shows("Reason 29.", "y do it", "Try 3 failed installs again")


async def test_markup_and_escapes_in_a_plan_are_plain_text() -> None:
    hostile = "[@click=app.quit]x[/] [/] \x1b[2J \u202e"
    async with asked(
        with_plan(replace(PLAN, title=hostile, steps=(hostile,), sample=(hostile,), command=hostile))
    ) as d:
        assert d.shows("[@click=app.quit]x[/] [/]")
        assert "\x1b" not in d.text()
    assert PlanDialog(PLAN).plan is PLAN
    assert "3 devices" in plan_text(PLAN).plain


async def test_it_shows_exactly_what_is_sent_to_a_tenant_and_nothing_of_it_acts() -> None:
    body = {"qualityUpdatesPaused": True, "note": "\x1b[31m[bold]"}
    request = Request("corp", Wish.PAUSE, "PATCH", "v1.0", "/deviceManagement/x%1b", body, "ring Broad is paused")
    async with asked(with_plan(replace(PLAN, requests=(request, *[request] * 14))), size=LARGE) as d:
        assert d.shows("Sent to corp", "PATCH /v1.0/deviceManagement/x", '"qualityUpdatesPaused": true', "[bold]")
        assert d.shows("and 3 requests more")
