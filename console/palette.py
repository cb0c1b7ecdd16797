"""The palette: finds verbs that work here, screens, looks, KBs, and devices by any part of a name.

Opened by the application. It runs what is chosen and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.await_complete import AwaitComplete
from textual.command import (
    Command,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hit,
    Hits,
    Provider,
    SearchIcon,
)
from textual.widgets import OptionList

from console.keys import BY_ID
from console.text import clean, person
from console.widgets.drawing import plain
from engine.model.errors import EngineError

if TYPE_CHECKING:
    from console.shell import Shell

Entry = tuple[str, str, Callable[[], object]]
_DEVICES_FROM = 2
"""Letters before devices are searched."""
_DEVICES_SHOWN = 12


class Palette(CommandPalette):
    """The palette in our look."""

    DEFAULT_CSS = """
    Palette > Vertical { margin-top: 1; }
    Palette SearchIcon { color: $key; }
    Palette #--input { border: round $rule; }
    Palette #--input.--list-visible { border: round $rule; }
    """

    def __init__(self, providers: Sequence[type[Provider]]) -> None:
        super().__init__(providers, placeholder="A verb, a screen, a KB or a device")

    def on_mount(self) -> None:
        self.query_one(SearchIcon).icon = "/"

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Leave, once: what a key repeats would take the screen below away too."""
        return super().dismiss(result) if self.is_active else AwaitComplete()

    def _refresh_command_list(self, command_list: CommandList, commands: list[Command], clear_current: bool) -> None:
        # What was still being searched may be found after the palette was left.
        if self.is_active and self.query(CommandList):
            super()._refresh_command_list(command_list, commands, clear_current)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The list's keys wait until it has been laid out and has lines: Textual's paging fails before."""
        if action == "command_list":
            found = self.query_one(OptionList)
            if not found.scrollable_content_region or not found.virtual_size.height:
                return False
        return super().check_action(action, parameters)


class ConsoleProvider(Provider):
    """Verbs, screens, looks and KBs."""

    async def startup(self) -> None:
        views = (self._compliance(), self._reconcile())
        self._entries = [*self._verbs(), *self._reports(), *views, *self._looks(), *await self._kbs()]

    @property
    def _console(self) -> Shell:
        return cast("Shell", self.app)

    def _verbs(self) -> list[Entry]:
        entries: list[Entry] = []
        for verb, reason in self._console.live_verbs(self.screen):
            if verb.id in ("palette", "reconcile") or verb.group == "Move":
                continue
            name = f"Go to {verb.label}" if verb.group == "Screens" else verb.label.capitalize()
            words = f"Not now: {reason}" if reason else verb.tooltip
            entries.append((f"{name}  {verb.key_label}", words, partial(self._run, verb.id)))
        return entries

    async def _run(self, verb_id: str) -> None:
        """Do what the verb's key does, on the screen that the palette was opened from."""
        for active in self.screen.active_bindings.values():
            if active.binding.id == verb_id:
                await self.app.run_action(active.binding.action, active.node)
                return

    def _reports(self) -> list[Entry]:
        from console.reports.making import KINDS

        return [
            (f"Report: {kind}", f"Write it to a file: {words}", partial(self._write_report, kind))
            for kind, words in KINDS.items()
        ]

    def _write_report(self, kind: str) -> None:
        from console.screens.base import ConsoleScreen
        from console.screens.report_writing import write_report

        if isinstance(self.screen, ConsoleScreen):
            self.screen.run_worker(write_report(self.screen, kind), group="dialog", exclusive=True)

    def _compliance(self) -> Entry:
        words = "Protected within 24 hours, 5 days and 3 weeks, month by month; who lags behind."
        return ("Compliance over time", words, self._console.show_compliance)

    def _reconcile(self) -> Entry:
        """On every screen; some have a key for it."""
        verb = BY_ID["reconcile"]
        return ("Reconcile a scanner export …", verb.tooltip, self._console.action_reconcile)

    def _looks(self) -> list[Entry]:
        def wear(name: str) -> None:
            self.app.theme = name

        return [(f"Look: {name}", "Change the colours.", partial(wear, name)) for name in self._console.theme_names()]

    async def _kbs(self) -> list[Entry]:
        try:
            rows = await self._console.background.fetch(lambda engine: engine.reads.releases.all())
        except EngineError:
            return []
        found: dict[str, Entry] = {}
        for row in rows:
            name = row.release.name
            where = f"{row.release.kind} of {row.release.month}"
            found.setdefault(name, (f"Release {name}", where, partial(self._console.go, "releases", name)))
        return list(found.values())

    async def discover(self) -> Hits:
        for name, words, run in self._entries:
            if not name.startswith("Release"):
                yield DiscoveryHit(plain(name), run, help=_as_it_is(words))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, words, run in self._entries:
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=_as_it_is(words))


class DeviceProvider(Provider):
    """Devices by any part of the name, user, serial or asset tag."""

    @property
    def _console(self) -> Shell:
        return cast("Shell", self.app)

    async def search(self, query: str) -> Hits:
        text = query.strip()
        if len(text) < _DEVICES_FROM:
            return
        try:
            rows = await self._console.background.fetch(
                lambda engine: engine.reads.devices.search(text, _DEVICES_SHOWN), slow=True
            )
        except EngineError:
            return
        for index, row in enumerate(rows):
            words = " ".join(part for part in (person(row.user), row.ring, str(row.build or "")) if part)
            run = partial(self._console.go, "devices", f"#{row.id}")
            yield Hit(0.5 - index / 100, plain(f"Device {row.name}"), run, text=clean(row.name), help=_as_it_is(words))


def _as_it_is(words: str) -> str:
    """Words for a hit's help: Textual reads a string there as markup, and takes content as it is."""
    return cast(str, plain(words))
