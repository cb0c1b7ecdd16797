"""Questions, changes and watching, across threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from textual.message import Message
from textual.message_pump import MessagePump

from console.background import Background
from console.messages import Answered, FleetChanged, InfoRead, ReadFailed
from engine.model.errors import BadInput, EngineError
from engine.model.records.fleet import Anchor, AnchorKind, DeviceQuery
from tests.console.driver import PATIENCE
from tests.console.fake_engine import FakeFleet

TOP = Anchor(AnchorKind.TOP)


class Ear:
    """Collects messages as a screen would get them."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.heard: list[Message] = []

    def post_message(self, message: Message) -> bool:
        self.loop.call_soon_threadsafe(self.heard.append, message)
        return True

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.heard if isinstance(message, kind)]


class Stage:
    def __init__(self, fleet: FakeFleet, **options: Any) -> None:
        self.fleet = fleet
        self.ear = Ear()
        self.background = Background(fleet.open, poll_seconds=0.005, **options)

    @property
    def pump(self) -> MessagePump:
        return cast(MessagePump, self.ear)

    async def __aenter__(self) -> Stage:
        self.background.start(self.pump)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.background.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        given_up_at = time.monotonic() + PATIENCE
        while time.monotonic() < given_up_at:
            if condition():
                return
            await asyncio.sleep(0.001)
        raise AssertionError("it does not come")

    def ask_page(self, kind: str = "page") -> int:
        return self.background.ask(
            self.pump, kind, lambda engine: engine.reads.devices.page(DeviceQuery(), TOP, 3), lambda _: None
        )


async def test_an_answer_comes_home_as_a_message() -> None:
    async with Stage(FakeFleet()) as stage:
        serial = stage.ask_page()
        assert stage.background.busy == 1
        await stage.background.idle()
        await stage.until(lambda: bool(stage.ear.of(Answered)))
        (answer,) = stage.ear.of(Answered)
        assert answer.serial == serial
        assert [row.id for row in answer.value.rows] == [1, 2, 3]
        assert stage.fleet.threads == {"hotpatch-rows"}


async def test_a_newer_question_interrupts_the_older_and_its_answer_is_dropped() -> None:
    hold = threading.Event()
    fleet = FakeFleet(hold=hold)
    async with Stage(fleet) as stage:
        older = stage.ask_page()
        await stage.until(lambda: bool(fleet.threads))
        newer = stage.ask_page()
        await stage.until(lambda: fleet.interrupts > 0)
        hold.set()
        await stage.background.idle()
        await stage.until(lambda: bool(stage.ear.of(Answered)))
        assert [each.serial for each in stage.ear.of(Answered)] == [newer]
        assert not stage.ear.of(ReadFailed)
        assert not stage.background.is_newest(stage.pump, "page", older)


async def test_many_questions_of_a_kind_leave_one_answer() -> None:
    async with Stage(FakeFleet()) as stage:
        serials = [stage.ask_page() for _ in range(200)]
        await stage.background.idle()
        await stage.until(lambda: any(each.serial == serials[-1] for each in stage.ear.of(Answered)))
        assert stage.background.busy == 0


async def test_questions_of_different_kinds_do_not_disturb_each_other() -> None:
    async with Stage(FakeFleet()) as stage:
        for kind in ("a", "b", "c"):
            stage.ask_page(kind)
        await stage.background.idle()
        await stage.until(lambda: len(stage.ear.of(Answered)) == 3)
        assert {each.kind for each in stage.ear.of(Answered)} == {"a", "b", "c"}


async def test_an_error_of_the_engine_comes_as_it_is() -> None:
    wrong = BadInput("There is no field colour.", "", "Fields are: name, ring")
    async with Stage(FakeFleet(page_error=wrong)) as stage:
        stage.ask_page()
        await stage.until(lambda: bool(stage.ear.of(ReadFailed)))
        assert stage.ear.of(ReadFailed)[0].error is wrong


async def test_any_other_error_is_told_without_its_values() -> None:
    def broken(engine: object) -> None:
        raise ValueError("token=SECRET")

    async with Stage(FakeFleet()) as stage:
        stage.background.ask(stage.pump, "x", broken, lambda _: None)
        await stage.until(lambda: bool(stage.ear.of(ReadFailed)))
        assert "SECRET" not in str(stage.ear.of(ReadFailed)[0].error)
        with pytest.raises(EngineError, match="Something went wrong"):
            await stage.background.fetch(broken)


async def test_changes_run_on_a_thread_of_their_own_and_are_never_interrupted() -> None:
    started, go_on = threading.Event(), threading.Event()

    def change(engine: object) -> str:
        started.set()
        assert go_on.wait(PATIENCE)
        return threading.current_thread().name

    fleet = FakeFleet()
    async with Stage(fleet) as stage:
        running = asyncio.ensure_future(stage.background.change(change))
        await stage.until(started.is_set)
        stage.ask_page()
        await stage.until(lambda: bool(stage.ear.of(Answered)))
        closing = asyncio.ensure_future(stage.background.close())
        await asyncio.sleep(0)
        assert not closing.done()
        go_on.set()
        assert await running == "hotpatch-writer"
        await closing
    assert stage.background.busy == 0


async def test_closing_interrupts_a_read() -> None:
    fleet = FakeFleet(hold=threading.Event())
    async with Stage(fleet) as stage:
        stage.ask_page()
        await stage.until(lambda: bool(fleet.threads))
    assert fleet.interrupts >= 1
    assert stage.background.busy == 0


async def test_a_change_of_the_file_is_noticed_once() -> None:
    fleet = FakeFleet()
    async with Stage(fleet) as stage:
        await stage.until(lambda: bool(stage.ear.of(InfoRead)))
        assert not stage.ear.of(FleetChanged)
        fleet.touch()
        await stage.until(lambda: bool(stage.ear.of(FleetChanged)))
        assert [each.number for each in stage.ear.of(FleetChanged)] == [2]


async def test_a_moving_clock_is_no_change_of_the_fleet() -> None:
    fleet = FakeFleet()
    async with Stage(fleet) as stage:
        await stage.until(lambda: bool(stage.ear.of(InfoRead)))
        seen = len(stage.ear.of(InfoRead))
        fleet.version += 1
        await stage.until(lambda: len(stage.ear.of(InfoRead)) > seen)
        assert not stage.ear.of(FleetChanged)


async def test_holding_counts_as_busy() -> None:
    background = Background(FakeFleet().open)
    background.hold()
    assert background.busy == 1
    background.release()
    assert background.busy == 0
