"""The Textual application: seven screens by number, the keys that work everywhere, the palette, the looks.

Started by the command line with `run_console`. It reaches into no screen; screens reach it as their `Shell`.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from textual import on, work
from textual.binding import BindingType
from textual.driver import Driver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

from console import terminal
from console.background import Background
from console.keys import BY_ID, EVERYWHERE, Verb, bindings, use_keys
from console.messages import FleetChanged, InfoRead, Progressed, ReadFailed, RunnerTrouble
from console.screens.base import ConsoleScreen
from console.settings import Settings, load_settings
from console.shell import Shell
from console.themes import DEFAULTS, NAMES, THEMES, SteadyStylesheet
from console.wire import thrifty
from engine.model.errors import EngineError

if TYPE_CHECKING:
    from textual.widget import AwaitMount

    from engine import Engine
    from engine.model.intents import Actor, Role

SCREENS: Mapping[str, str] = {
    "overview": "console.screens.overview:OverviewScreen",
    "devices": "console.screens.devices:DevicesScreen",
    "rings": "console.screens.rings:RingsScreen",
    "calendar": "console.screens.calendar:CalendarScreen",
    "failures": "console.screens.failures:FailuresScreen",
    "releases": "console.screens.releases:ReleasesScreen",
    "activity": "console.screens.activity:ActivityScreen",
}
"""Name → where the screen is defined; imported when it is shown first."""
_STARTED_SECONDS = 2.0
"""By then the first screen stands."""
_SPEEDS = (1, 10, 60, 300, 1_800, 7_200, 28_800, 86_400)


def screen_class(name: str) -> type[ConsoleScreen]:
    """The class of a screen, imported."""
    module, _, attribute = SCREENS[name].partition(":")
    return cast(type[ConsoleScreen], getattr(importlib.import_module(module), attribute))


def _make(name: str) -> Screen[Any]:
    return screen_class(name)()


class HotpatchApp(Shell):
    """The console on one state file."""

    TITLE = "Hotpatch Console"
    CSS_PATH = "console.tcss"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {name: partial(_make, name) for name in SCREENS}
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(EVERYWHERE)]
    COMMAND_PALETTE_BINDING = "ctrl+p"
    PAUSE_GC_ON_SCROLL = True

    def __init__(self, background: Background, settings: Settings | None = None, *, start: str = "overview") -> None:
        self.DEFAULT_MODE = start  # type: ignore[misc]  # Textual makes and paints an empty screen for its own
        super().__init__(background, settings or Settings())
        self.set_keymap(use_keys(self.settings.own_keys))
        self.animation_level = self.settings.animation
        for theme in THEMES:
            self.register_theme(theme)
        self._begin_with(terminal.theme_for(self.settings.theme))
        self._take_colours_away(terminal.is_without_colour())

    def get_driver_class(self) -> type[Driver]:
        return thrifty(super().get_driver_class())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DEFAULTS

    def on_load(self) -> None:
        self.background.start(self)

    def on_mount(self) -> None:
        if not self.is_headless:
            terminal.leave_on_signals(asyncio.get_running_loop(), self.exit)
            self.set_interval(terminal.GONE_CHECK_SECONDS, self._leave_when_alone)
        if not gc.isenabled():
            self.set_timer(_STARTED_SECONDS, self._look_for_cycles)

    def _look_for_cycles(self) -> None:
        gc.freeze()  # what the start has made stays, and need not be looked through again
        gc.enable()

    def _leave_when_alone(self) -> None:
        if terminal.is_gone():
            self.exit()

    async def on_unmount(self) -> None:
        await self.background.close()

    def _begin_with(self, theme: str) -> None:
        # Assigning `theme` would have all styles read a second time; none is read yet.
        self.set_reactive(HotpatchApp.theme, theme)
        self.stylesheet = SteadyStylesheet(variables=self.get_css_variables())
        self._refresh_truecolor_filter(self.ansi_theme)
        dark = self.current_theme.dark
        self.update_classes({f"-theme-{theme}": True, "-dark-mode": dark, "-light-mode": not dark}, update=False)

    def _take_colours_away(self, wanted: bool) -> None:
        # Textual chose a filter before the look was known; its greys on the terminal's own look are black on black.
        self.no_color = wanted
        self._filters = [each for each in self._filters if not isinstance(each, Monochrome | NoColor)]
        if wanted:
            self._filters.append(NoColor())

    # --- news from the background -------------------------------------------------------------------

    @property
    def _front(self) -> ConsoleScreen | None:
        """The screen that is in front, below any dialog: that of the present mode, or one opened over it."""
        if not self.is_running or not self.screen_stack:
            return None  # it is ending: the widgets of screens go before the last news arrives
        screen = next((each for each in reversed(self.screen_stack) if isinstance(each, ConsoleScreen)), None)
        return screen if screen is not None and screen.is_composed else None

    @on(InfoRead)
    def _keep_info(self, message: InfoRead) -> None:
        if self.refusals != message.refusals:
            self.refusals = message.refusals
            self.refresh_bindings()
        if self._front is not None:
            self._front.info_read(message.info)

    @on(FleetChanged)
    def _pass_on(self, message: FleetChanged) -> None:
        self.change_number = message.number
        if self._front is not None:
            self._front.fleet_changed(message.number)

    @on(Progressed)
    def _show_progress(self, message: Progressed) -> None:
        self.doing = message.words
        if self._front is not None:
            self._front.status.doing = message.words

    @on(ReadFailed)
    def _watch_failed(self) -> None:
        if self._front is not None:
            self._front.status.trouble = "state file cannot be read"

    @on(RunnerTrouble)
    def _runner_trouble(self, message: RunnerTrouble) -> None:
        if message.error is not None:
            self.say_error(message.error)
        else:
            self.say("The runner goes on.")

    # --- going elsewhere ----------------------------------------------------------------------------

    def go(self, name: str, filter_text: str = "") -> None:
        front = self._front
        if front is not None and name == self.current_mode and name != front.NAME:
            front.give_way()
        # At once, and not in the worker: what is pressed next is meant for the new screen.
        stands = self.switch_mode(name)
        if filter_text:
            self._lead(stands, name, filter_text)

    @work(exclusive=True, group="mode")
    async def _lead(self, stands: AwaitMount, name: str, filter_text: str) -> None:
        await stands
        if self._front is not None and name == self._front.NAME:
            self._front.arrive(filter_text)

    def action_go(self, name: str) -> None:
        self.go(name)

    def screen_classes(self) -> Mapping[str, type[Screen[Any]]]:
        return {name: screen_class(name) for name in SCREENS}

    # --- keys that work everywhere ------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        if action == "demo":
            return self.info is not None and self.info.demo is not None
        return True

    @work(exclusive=True, group="dialog")
    async def action_help(self) -> None:
        from console.dialogs.keys_help import KeysHelp

        front = self._front
        heading = front.HEADING if front else self.title
        await self.push_screen_wait(KeysHelp(heading, self.live_verbs(self.screen)))

    @work(exclusive=True, group="dialog")
    async def action_filter_help(self) -> None:
        from console.dialogs.filter_help import FilterHelp

        await self.push_screen_wait(FilterHelp(self.settings.views))

    def live_verbs(self, screen: Screen[Any]) -> list[tuple[Verb, str]]:
        """The verbs that have a key on a screen, each with "" or why it cannot be used now."""
        front = self._front
        found: dict[str, tuple[Verb, str]] = {}
        for active in screen.active_bindings.values():
            verb = BY_ID.get(active.binding.id or "")
            if verb is not None:
                reason = "" if active.enabled or front is None else front.why_not(verb.id) or "not here"
                found[verb.id] = (verb, reason)
        order = list(BY_ID)
        return sorted(found.values(), key=lambda each: order.index(each[0].id))

    @work(exclusive=True, group="dialog")
    async def action_reconcile(self) -> None:
        """Ask for scanner exports and show what is wrong with them, over the present screen."""
        from console.dialogs.ask import AskDialog
        from console.screens.reconcile import ReconcileScreen, paths_in, source_mistake

        names = await self.push_screen_wait(
            AskDialog(
                "Reconcile a scanner export",
                "CSV of Nessus, Qualys or Defender, or Defender's JSON; several with blanks between:",
                hint="Nothing is changed: findings are sorted by what the fleet proves.",
                check=source_mistake,
            )
        )
        if names is not None:
            self.push_screen(ReconcileScreen(paths_in(names)))

    def show_compliance(self) -> None:
        from console.screens.compliance import ComplianceScreen

        if not isinstance(self.screen, ComplianceScreen):
            self.push_screen(ComplianceScreen())

    def action_palette(self) -> None:
        self.action_command_palette()

    def action_command_palette(self) -> None:
        from console.palette import ConsoleProvider, DeviceProvider, Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette((ConsoleProvider, DeviceProvider)))

    def action_leave(self) -> None:
        self.exit()

    def action_help_quit(self) -> None:
        """What ctrl+c does: say how to quit, for it ends nothing."""
        self.say("Press q, or ctrl+q while you write. Work under way goes on at the next start.", "To quit")

    @work(exclusive=True, group="demo")
    async def action_demo(self, what: str) -> None:
        """Slower, faster, stop or go on, an hour at once."""

        def change(engine: Engine) -> None:
            demo = engine.demo
            if demo is None:
                return
            clock = demo.clock()
            if what == "pause":
                (demo.resume if clock.paused else demo.pause)()
            elif what == "step":
                demo.step(timedelta(hours=1))
            else:
                demo.set_speed(next_speed(clock.speed, faster=what == "faster"))

        try:
            await self.background.change(change)
        except EngineError as error:
            self.say_error(error)

    # --- looks --------------------------------------------------------------------------------------

    def theme_names(self) -> tuple[str, ...]:
        """The looks one can choose."""
        return NAMES

    def panic(self, *renderables: Any) -> None:  # noqa: ARG002 - a traceback, with values
        """End over an error of Textual's own, such as one of the thread that reads the keys."""
        self._return_code = 1
        self._fatal_error()

    def _fatal_error(self) -> None:
        """Say where the program broke, without any value: values may hold what nobody should read in a log."""
        from rich.text import Text

        self._exit_renderables.append(Text(terminal.crash_report()))
        self._close_messages_no_wait()


def next_speed(speed: float, *, faster: bool) -> float:
    """The next step up or down of a demo's clock."""
    if faster:
        return float(next((each for each in _SPEEDS if each > speed), _SPEEDS[-1]))
    return float(next((each for each in reversed(_SPEEDS) if each < speed), _SPEEDS[0]))


class Launch(Protocol):
    """How the console was called."""

    read_only: bool
    role: Role

    def actor(self, front: str = ...) -> Actor: ...


def run_console(launch: Launch, path: Path, settings: Settings | None = None) -> int:
    """Show the console on a state file until the person quits; returns the exit code.

    Raises:
        StateUnusable: the state file cannot be opened.
        BadInput: this is no terminal that a console can be shown on, or the configuration cannot be used.
    """
    from engine import open_engine

    terminal.require_terminal()
    settings = settings or load_settings()
    terminal.set_signs(settings.signs)
    actor, targets = launch.actor("console"), settings.sla_targets

    def opener() -> Engine:
        return open_engine(
            path,
            actor=actor,
            role=launch.role,
            read_only=launch.read_only,
            targets=targets,
            pull_every=settings.pull_every,
        )

    # A file that cannot be opened is told in the shell, before the screen is taken.
    with opener() as first:
        background = Background(opener, driving=settings.drive and not launch.read_only, first=first)
        app = HotpatchApp(background, settings)
        app.run(mouse=settings.mouse)
    if terminal.is_gone():
        terminal.let_go()
    return app.return_code or 0
