"""What every screen has: asking and answers, verbs with their reasons, proposing a change, its place in the title line.

The seven screens derive from it. A screen composes, asks, listens and offers verbs; it decides and formats nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual import events, on, work
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from console.keys import BY_ID, bindings
from console.messages import Answered, ReadFailed
from console.shell import Shell
from console.text import moment
from console.widgets.key_hints import KeyHints
from console.widgets.status_line import StatusLine
from engine.model.errors import EngineError, PlanOutdated

if TYPE_CHECKING:
    from datetime import datetime

    from textual.geometry import Size

    from engine import Engine
    from engine.model.intents import Intent, Plan
    from engine.model.records.fleet import StateInfo

T = TypeVar("T")

NARROW, WIDE, SHORT = 60, 110, 32
"""Least width that is drawn at all, least width of -wide, least height that is not -short."""
_LEAST_HEIGHT = 15


class ConsoleScreen(Screen[None]):
    """A screen of the console.

    A subclass sets `NAME`, `HEADING`, `VERBS` and `HOME`, yields its widgets from `compose_body`, asks for all that
    it shows in `load`, and has a method ``verb_<id>`` for each verb.
    """

    NAME: ClassVar[str] = ""
    """Its name in the table of screens: ``devices``."""
    HEADING: ClassVar[str] = ""
    """Its name in the title line: ``Devices``."""
    VERBS: ClassVar[tuple[str, ...]] = ()
    """Ids of the verbs it offers, from `console.keys`."""
    HOME: ClassVar[str] = ""
    """Selector of the widget that has the focus unless something else was chosen."""

    HORIZONTAL_BREAKPOINTS = [(0, "-tiny-width"), (NARROW, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-tiny-height"), (_LEAST_HEIGHT, "-short"), (SHORT, "-tall")]  # noqa: RUF012
    AUTO_FOCUS = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "VERBS" in cls.__dict__ and "BINDINGS" not in cls.__dict__:
            cls.BINDINGS = [*bindings(cls.VERBS)]
        super().__init_subclass__(**kwargs)

    def __init__(self) -> None:
        super().__init__()
        self.is_composed = False
        """Whether its widgets are there."""
        self._was_shown = False
        self._loaded_number = -1
        self._knows_info = False
        self._read_at: datetime | None = None
        self._true_at: datetime | None = None
        self._failing: set[str] = set()

    # --- composing ----------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        # Known before anything is mounted, so that styles are applied once.
        self.update_classes(self.classes_for(self.app.size))
        yield StatusLine()
        yield from self.compose_body()
        yield KeyHints()
        yield Static(f"Too small: {NARROW}x{_LEAST_HEIGHT} is the least.", id="too-small", markup=False)

    def compose_body(self) -> Iterable[Any]:
        """The widgets between title line and footer."""
        return ()

    def classes_for(self, size: Size) -> dict[str, bool]:
        """The classes that a size of the terminal gives, and those that it takes away."""
        found: dict[str, bool] = {}
        for length, steps in ((size.width, self.HORIZONTAL_BREAKPOINTS), (size.height, self.VERTICAL_BREAKPOINTS)):
            reached = max(step for step in steps if length >= step[0])
            found |= {step[1]: step == reached for step in steps}
        return found

    @property
    def shell(self) -> Shell:
        """The application."""
        return cast(Shell, self.app)

    @property
    def status(self) -> StatusLine:
        """The title line."""
        return self.query_one(StatusLine)

    def trail(self, *crumbs: str) -> None:
        """Say in the title line where one is, after the screen's name; empty ones are left away."""
        self.status.crumbs = (self.HEADING, *(crumb for crumb in crumbs if crumb))

    # --- asking -------------------------------------------------------------------------------------

    def ask(self, kind: str, question: Callable[[Engine], T], then: Callable[[T], None], *, slow: bool = False) -> int:
        """Ask the engine on another thread; `then` gets the answer here, unless a newer question of the same kind
        was asked meanwhile. `slow` is for what may take longer than a blink: totals, positions, exports."""
        return self.shell.background.ask(self, kind, question, then, slow=slow)

    def give_way(self) -> None:
        """Leave a screen that was opened over another: that one is wanted again."""
        if self.is_current:
            self.app.pop_screen()

    def load(self) -> None:
        """Ask for all that is shown; called at first, when something has changed, and on coming back."""

    def read_failed(self, kind: str, error: EngineError) -> None:  # noqa: ARG002 - a subclass looks at it
        """A question failed. What is on the screen stays and its age is told; a screen may say more."""
        if self._read_at is None:
            self.shell.say_error(error)

    @on(Answered)
    def _hand_over(self, message: Answered) -> None:
        message.stop()
        if not self.app.is_running or not self.shell.background.is_newest(self, message.kind, message.serial):
            return
        self._read_at = self.shell.present()
        self._failing.discard(message.kind)
        self._show_trouble()
        message.then(message.value)
        self.refresh_bindings()  # what is there now decides which verbs can be used

    @on(ReadFailed)
    def _hand_over_failure(self, message: ReadFailed) -> None:
        message.stop()
        if not self.app.is_running:
            return
        if message.serial and not self.shell.background.is_newest(self, message.kind, message.serial):
            return
        self._failing.add(message.kind)
        self._show_trouble()
        self.read_failed(message.kind, message.error)

    def _show_trouble(self) -> None:
        if not self._failing:
            self._true_at, self.status.trouble = self._read_at, ""
        else:
            since = f" since {moment(self._true_at)}" if self._true_at is not None else ""
            self.status.trouble = f"not read{since}"

    # --- staying true -------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self.is_composed = True
        self.trail()
        if self.shell.info is not None:
            self.info_read(self.shell.info)

    @on(events.ScreenResume)
    def _come_back(self, event: events.ScreenResume) -> None:
        # What was composed a moment ago has its styles; another look may have been chosen since it was shown last.
        event.refresh_styles, self._was_shown = self._was_shown, True
        self.status.doing = self.shell.doing
        if self.focused is None:
            self.focus_home()
        if self._loaded_number != self.shell.change_number:
            self._load_now()

    def fleet_changed(self, number: int) -> None:
        """Something changed while this screen is on top; called by the application."""
        if number != self._loaded_number:
            self._load_now()

    def _load_now(self) -> None:
        self._loaded_number = self.shell.change_number
        self.load()

    def info_read(self, info: StateInfo) -> None:
        """The present, the speed or the driver have changed; called by the application."""
        if not self._knows_info:  # which verbs are live depends on it: a demo has a clock of its own
            self._knows_info = True
            self.refresh_bindings()
        self.status.show_info(info, driving=self.shell.background.driving)

    def focus_home(self) -> None:
        """Put the focus where it belongs on this screen."""
        if self.HOME and (found := self.query(self.HOME)):
            found.first().focus()

    def arrive(self, filter_text: str) -> None:
        """Somebody was led here from elsewhere, with a filter or the name of what to show."""

    # --- verbs --------------------------------------------------------------------------------------

    def action_verb(self, verb_id: str) -> None:
        """A key of a verb: runs ``verb_<id>``."""
        getattr(self, f"verb_{verb_id}")()

    def why_not(self, verb_id: str) -> str:
        """Why a verb cannot be used now, "" when it can. A screen adds its own reasons."""
        verb = BY_ID[verb_id]
        refused = [self.shell.refusals[kind] for kind in verb.intents if kind in self.shell.refusals]
        if verb.intents and len(refused) == len(verb.intents):
            return f"{refused[0].why} {refused[0].instead}"
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """None dims a verb; its key then says why. A key that comes before the screen stands is dropped."""
        if action == "verb" and not self.is_mounted:
            return False
        if action == "verb" and parameters and self.why_not(str(parameters[0])):
            return None
        return True

    def on_key(self, event: events.Key) -> None:
        """A key whose verb is dimmed says why."""
        active = self.active_bindings.get(event.key)
        if active is None or active.enabled or active.node is not self:
            return
        event.stop()
        verb_id = active.binding.id or ""
        if verb_id in BY_ID:
            self.shell.say(self.why_not(verb_id), f"{BY_ID[verb_id].label}: not now", "warning")

    # --- changing -----------------------------------------------------------------------------------

    @work(exclusive=True, group="dialog")
    async def propose(self, intent: Intent) -> None:
        """Show what an intent would do; carry it out when confirmed. For verbs that need nothing asked before."""
        await self.confirm(intent)

    async def confirm(self, intent: Intent) -> bool:
        """Plan, show the plan, carry it out when confirmed; for dialog workers. Returns whether it was done."""
        from console.dialogs.plan import PlanDialog

        note = ""
        while True:
            try:
                plan = await self.shell.background.fetch(lambda engine: engine.plan(intent))
                if not await self.app.push_screen_wait(PlanDialog(plan, note)):
                    return False
                return await self._carry_out(plan)
            except PlanOutdated as error:
                note = f"{error.what} {error.why}".strip() + " This is the plan as it is now."
            except EngineError as error:
                self.shell.say_error(error)
                return False

    async def _carry_out(self, plan: Plan) -> bool:
        outcome = await self.shell.background.change(lambda engine: engine.carry_out(plan))
        # A tenant's devices act at their next scan: what was asked for is not done yet.
        asked = ". Requested: devices act at their next scan" if outcome.requests else ""
        self.shell.say(f"{outcome.summary}{asked}")
        return True

    # --- remembering --------------------------------------------------------------------------------

    def remember(self, state: dict[str, Any]) -> None:
        """Keep this screen's small state (filter, order, cursor) for the next start."""
        if self.shell.info is None or self.shell.info.read_only:
            return
        kept = json.dumps(state)
        self._remember(kept)

    @work(group="memory", exclusive=True)
    async def _remember(self, kept: str) -> None:
        try:
            await self.shell.background.change(lambda engine: engine.remember(f"screen:{self.NAME}", kept))
        except EngineError:
            return  # a memory that cannot be kept is no reason to disturb anybody

    def recall(self, then: Callable[[dict[str, Any]], None]) -> None:
        """Ask for what `remember` kept; `then` gets {} when there is nothing."""

        def read(engine: Engine) -> dict[str, Any]:
            try:
                kept = json.loads(engine.reads.setting(f"screen:{self.NAME}") or "{}")
            except ValueError:
                return {}
            return kept if isinstance(kept, dict) else {}

        self.ask("memory", read, then)
