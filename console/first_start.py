"""The first screen: shown where there is no state file, it leads to one and makes none by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

from msgspec import Struct
from textual import work
from textual.app import App
from textual.binding import Binding

from console import terminal
from console.dialogs.ask import AskDialog
from console.dialogs.choose import Choice, ChooseDialog
from console.settings import Settings
from console.themes import DEFAULTS, THEMES
from console.ways import FILE, WAYS, Way


class Beginning(Struct, frozen=True):
    """What a person has chosen."""

    way: Way
    file: str = ""
    """The device list, where the way is a file."""


class FirstStart(App[Beginning]):
    """Three ways to a fleet; returns the one that was chosen, None where the person left."""

    TITLE = "Hotpatch Console"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [Binding("q", "leave", "leave")]  # noqa: RUF012 - Textual's shape

    def __init__(self, path: Path, settings: Settings) -> None:
        super().__init__()
        self._path = path
        self.animation_level = settings.animation
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = terminal.theme_for(settings.theme)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DEFAULTS

    def on_mount(self) -> None:
        if not self.is_headless:
            terminal.leave_on_signals(asyncio.get_running_loop(), self.exit)
        self._ask()

    @work
    async def _ask(self) -> None:
        at = 0
        while True:
            choices = [Choice(way, way.title, way.meaning) for way in WAYS]
            label = f"There is no state file yet: {self._path}"
            way = await self.push_screen_wait(ChooseDialog("Where do you want to begin?", choices, label=label, at=at))
            if way is not FILE:
                self.exit(Beginning(way) if way is not None else None)
                return
            at = WAYS.index(way)
            file = await self.push_screen_wait(
                AskDialog(way.title, "A list of devices:", hint=way.meaning, check=_mistake)
            )
            if file is not None:
                self.exit(Beginning(way, str(Path(file).expanduser())))
                return

    def action_leave(self) -> None:
        self.exit()


def _mistake(name: str) -> str:
    """What is wrong with the name of a device list, "" where nothing is."""
    if not name:
        return "Name a file, or leave with esc."
    try:
        return "" if Path(name).expanduser().is_file() else f"There is no file {name}."
    except (OSError, RuntimeError):
        return f"{name} cannot be reached."


def choose_beginning(path: Path, settings: Settings | None = None) -> Beginning | None:
    """Ask a person at the terminal how to begin; None where they left."""
    settings = settings or Settings()
    return FirstStart(path, settings).run(mouse=settings.mouse)
