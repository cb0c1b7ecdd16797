"""The words in which tests of screens speak: open a desk on a state file, press keys, read what is there.

Waits for idle, never for time: idle is Textual at rest and nothing asked in the background.
"""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from textual.events import Key
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget

from console.app import HotpatchApp
from console.background import Background
from console.dialogs.base import Dialog
from console.dialogs.plan import PlanDialog
from console.settings import Settings
from console.widgets.table import KeyedTable
from engine import Engine, open_engine
from engine.model.intents import Actor, Plan, Role

SMALL, LARGE = (80, 24), (160, 45)
PATIENCE = 120.0
"""Seconds until a wait is given up; only a test that fails ever waits so long."""
_CALM = 4
"""So many looks in a row, with the other threads' turns between them, must find everything at rest."""
_FRAMES = str.maketrans(dict.fromkeys("│╭╮╰╯─▁▂▃▄▅▆▇", " "))
"""Frames stand between the words of a line that was broken."""


def _waits(pump: MessagePump) -> bool:
    """Whether it has handled all that was sent to it, and waits for the next message."""
    queue = pump._message_queue
    waiting = any(not each.done() for each in queue.ready_event._waiters)  # type: ignore[attr-defined]
    return waiting and queue.empty() and not pump._next_callbacks


class Desk:
    """The console as a person sees it."""

    def __init__(self, app: HotpatchApp, pilot: Pilot[None], path: Path) -> None:
        self.app = app
        self.pilot = pilot
        self.path = path

    # --- waiting ------------------------------------------------------------------------------------

    async def idle(self) -> Desk:
        """Until nothing moves."""
        given_up_at = time.monotonic() + PATIENCE
        calm = 0
        while time.monotonic() < given_up_at:
            if self.app._exit and self.app._task is not None:
                await asyncio.wait({self.app._task}, timeout=PATIENCE)
                return self
            if self._asks():
                calm = 0
                await asyncio.sleep(0.001)
                continue
            calm = calm + 1 if self._rests() else 0
            if calm == _CALM:
                return self
            await asyncio.sleep(0.001 if calm else 0)
        raise AssertionError("the console does not come to rest")

    async def until(self, condition: Callable[[], bool]) -> Desk:
        """Until something holds."""
        given_up_at = time.monotonic() + PATIENCE
        while time.monotonic() < given_up_at:
            if condition():
                return await self.idle()
            self._paint()
            await asyncio.sleep(0.001)
        raise AssertionError("it does not come")

    def _asks(self) -> bool:
        """Whether something is asked in the background, or will be when a timer of the console has run."""
        return self.app.background.busy > 0

    def _rests(self) -> bool:
        """Whether the event loop has nothing to do: every widget waits for a message, and all is painted.

        Textual's own `Pilot.pause` sends each widget a message and then sleeps until the process is idle, 20 ms at
        least; a key costs four of these.
        """
        if asyncio.get_running_loop()._ready or self._works():  # type: ignore[attr-defined]
            return False
        return all(map(_waits, (self.app, *self.app._registry))) and not self._paint()

    def _paint(self) -> bool:
        """Paint at once what the screen would paint with its next frame; whether there was anything."""
        if not self.app.is_running or not self.app._screen_stacks[self.app._current_mode]:
            return False
        screen = self.app.screen
        if not (
            screen._layout_required
            or screen._scroll_required
            or screen._repaint_required
            or screen._recompose_required
            or screen._dirty_widgets
            or screen._callbacks
        ):
            return False
        screen._on_timer_update()
        return True

    def _works(self) -> bool:
        """Whether a worker runs, or is about to, that does not wait for a person in a dialog."""
        waiting = sum(isinstance(screen, Dialog) for screen in self.app.screen_stack)
        running = [worker for worker in self.app.workers if not worker.is_finished]
        return len(running) > waiting

    # --- doing --------------------------------------------------------------------------------------

    async def press(self, *keys: str) -> Desk:
        """Press keys one after the other, each once the one before has had its effect."""
        for key in keys:
            self._send(key)
            await self.idle()
        return self

    def _send(self, key: str) -> None:
        """As `Pilot.press` makes a key of a name or a sign."""
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        try:
            sign = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
        except KeyError:
            sign = key if len(key) == 1 else None
        event = Key(name, sign)
        event.set_sender(self.app)
        self.app._driver.send_message(event)

    async def type(self, text: str) -> Desk:
        """Type letters into what has the focus."""
        names = {" ": "space", "/": "slash", ":": "colon", "-": "minus", "*": "asterisk", ".": "full_stop"}
        names |= {
            "<": "less_than_sign",
            ">": "greater_than_sign",
            "_": "underscore",
            ",": "comma",
            "!": "exclamation_mark",
        }
        for letter in text:
            await self.press(names.get(letter, letter))
        return self

    async def show(self, name: str) -> Desk:
        """Go to a screen by its number key."""
        number = list(self.app.MODES).index(name) + 1
        return await self.press(str(number))

    async def filter(self, text: str) -> Desk:
        """Open the filter line, replace what stands there, and keep it."""
        await self.press("slash", "ctrl+u")
        await self.type(text)
        return await self.press("enter")

    async def change(self, change: Callable[[Engine], Any]) -> Desk:
        """Change the state file as another process would, and wait until the screen shows it."""
        with open_engine(self.path) as engine:
            change(engine)
        return await self.notice()

    async def run_until_idle(self, *, until: datetime | None = None) -> Desk:
        """Let the runner do all that is due, as another process would."""
        with open_engine(self.path) as engine:
            await engine.run_until_idle(until=until)
        return await self.notice()

    async def let_pass(self, span: timedelta) -> Desk:
        """Let demo time pass, with the runner's work in it."""
        with open_engine(self.path) as engine:
            await engine.run_until_idle(until=engine.now() + span)
        return await self.notice()

    async def notice(self) -> Desk:
        """Until the console has noticed the newest change of the state file."""
        with open_engine(self.path) as engine:
            number = engine.change_number()
        given_up_at = time.monotonic() + PATIENCE
        while time.monotonic() < given_up_at:
            if self.app.change_number >= number or (self.app.info and self.app.info.change_number >= number):
                return await self.idle()
            await asyncio.sleep(0.005)
        raise AssertionError("the console does not notice a change")

    # --- seeing -------------------------------------------------------------------------------------

    @property
    def screen(self) -> Screen[Any]:
        """What is on top: a screen or a dialog."""
        return self.app.screen

    def lines(self) -> list[str]:
        """The picture as text, line by line, without trailing blanks."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    def text(self) -> str:
        """The picture as text."""
        return "\n".join(self.lines())

    def title_line(self) -> str:
        """The first line."""
        return self.lines()[0]

    def footer(self) -> str:
        """The last line."""
        return self.lines()[-1]

    def shows(self, *texts: str) -> bool:
        """Whether all these texts are in the picture."""
        picture = " ".join(self.text().translate(_FRAMES).split())
        return all(" ".join(text.split()) in picture for text in texts)

    def table(self, selector: str = "") -> KeyedTable[Any]:
        """The table of the screen, or the one with this selector."""
        found: Widget = self.screen.query_one(selector) if selector else self.screen.query(KeyedTable).first()
        assert isinstance(found, KeyedTable)
        return found

    def rows(self, selector: str = "") -> list[Any]:
        """The row records in view."""
        return list(self.table(selector).rows_shown)

    def cursor(self, selector: str = "") -> Any:
        """The row record under the cursor."""
        return self.table(selector).cursor_row

    def notices(self) -> list[str]:
        """The toasts so far, title and words."""
        return [f"{each.title} {each.message}".strip() for each in self.app._notifications]

    # --- dialogs ------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """The plan that is shown."""
        assert isinstance(self.screen, PlanDialog), f"no plan is shown but {type(self.screen).__name__}"
        return self.screen.plan

    async def confirm(self) -> Desk:
        """Confirm the plan that is shown, in the way it asks for."""
        plan = self.plan
        if plan.reaches_far:
            await self.type(str(plan.devices))
            return await self.press("enter")
        return await self.press("y")


@asynccontextmanager
async def desk(
    path: Path,
    *,
    start: str = "devices",
    size: tuple[int, int] = SMALL,
    settings: Settings | None = None,
    read_only: bool = False,
    role: Role = Role.APPROVER,
    opener: Callable[[], Engine] | None = None,
) -> AsyncIterator[Desk]:
    """A console on a state file, at rest on its first screen; nobody drives unless the test does."""

    def usual() -> Engine:
        return open_engine(path, actor=Actor("tester", "test console"), role=role, read_only=read_only)

    background = Background(opener or usual, driving=False, poll_seconds=0.02)
    app = HotpatchApp(background, settings or Settings(animation="none"), start=start)
    async with app.run_test(size=size, notifications=True, tooltips=False) as pilot:
        yield await Desk(app, pilot, path).idle()
