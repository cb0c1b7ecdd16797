"""What the palette finds by typing: verbs that work here, screens, looks, KBs, and devices by any part of a name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from console.text import clean, person
from console.widgets.drawing import plain
from engine.errors import EngineError

if TYPE_CHECKING:
    from console.app import HotpatchApp

Entry = tuple[str, str, Callable[[], object]]
_DEVICES_FROM = 2
"""Letters before devices are searched."""
_DEVICES_SHOWN = 12


class ConsoleProvider(Provider):
    """Verbs, screens, looks and KBs."""

    async def startup(self) -> None:
        self._entries = [*self._verbs(), *self._looks(), *await self._kbs()]

    @property
    def _console(self) -> HotpatchApp:
        return cast("HotpatchApp", self.app)

    def _verbs(self) -> list[Entry]:
        entries: list[Entry] = []
        for active in self.screen.active_bindings.values():
            verb = next((verb for verb, _ in self._console.live_verbs() if verb.id == active.binding.id), None)
            if verb is None or not active.enabled or verb.id == "palette" or verb.group == "Move":
                continue
            name = f"{verb.group}: {verb.label}" if verb.group != "Screens" else f"Go to {verb.label}"
            run = partial(self.app.run_action, active.binding.action, active.node)
            entry = (f"{name}  ({verb.key_label})", verb.tooltip, run)
            if entry[0] not in [each[0] for each in entries]:
                entries.append(entry)
        return entries

    def _looks(self) -> list[Entry]:
        def wear(name: str) -> None:
            self.app.theme = name

        return [(f"Look: {name}", "Change the colours.", partial(wear, name)) for name in self._console.theme_names()]

    async def _kbs(self) -> list[Entry]:
        try:
            rows = await self._console.background.fetch(lambda engine: engine.reads.releases())
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
                yield DiscoveryHit(plain(name), run, help=words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, words, run in self._entries:
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=words)


class DeviceProvider(Provider):
    """Devices by any part of the name, user, serial or asset tag."""

    @property
    def _console(self) -> HotpatchApp:
        return cast("HotpatchApp", self.app)

    async def search(self, query: str) -> Hits:
        text = query.strip()
        if len(text) < _DEVICES_FROM:
            return
        try:
            rows = await self._console.background.fetch(
                lambda engine: engine.reads.search(text, _DEVICES_SHOWN), slow=True
            )
        except EngineError:
            return
        for index, row in enumerate(rows):
            words = " ".join(part for part in (person(row.user), row.ring, str(row.build or "")) if part)
            run = partial(self._console.go, "devices", f"#{row.id}")
            yield Hit(0.5 - index / 100, plain(f"Device {row.name}"), run, text=clean(row.name), help=clean(words))
