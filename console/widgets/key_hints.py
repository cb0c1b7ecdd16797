"""The footer: the keys that work here, by rank, whole ones only; ends with how many more the key page knows.

Every screen shows one; it reads the bindings that are live and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from console.keys import BY_ID, Verb
from console.text import cells
from console.widgets.drawing import KEY, MUTED, Part, line

Hint = tuple[Verb, bool]
"""A verb and whether it may be used now."""


class KeyHints(Widget):
    """One line of keys: ``a approve  i apply  / filter  +9 ?``."""

    DEFAULT_CSS = """
    KeyHints { height: 1; dock: bottom; background: $panel; color: $foreground; padding: 0 1; }
    """

    hints: reactive[tuple[Hint, ...]] = reactive[tuple[Hint, ...]](())

    def compose(self) -> ComposeResult:
        return iter(())

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._read)
        self._read(self.screen)

    def _read(self, screen: Screen[object]) -> None:
        found: dict[str, Hint] = {}
        for active in screen.active_bindings.values():
            verb = BY_ID.get(active.binding.id or "")
            if verb is not None:
                found[verb.id] = (verb, active.enabled)
        self.hints = tuple(sorted(found.values(), key=lambda hint: (hint[0].rank or 99, hint[0].id)))

    def render(self) -> Content:
        return hint_line(self.hints, self.content_size.width)


def hint_line(hints: Iterable[Hint], width: int) -> Content:
    """The hints that fit, whole; help and quit always; then how many keys more there are."""
    every = list(hints)
    always = [hint for hint in every if hint[0].id in ("help", "quit")]
    others = [hint for hint in every if hint[0].rank and hint not in always]
    tail_room = len("  +99 ?")
    used = sum(_width(hint) for hint in always if hint[0].id != "help") + tail_room
    shown = []
    for hint in others:
        if used + _width(hint) > width:
            break
        used += _width(hint)
        shown.append(hint)
    parts: list[Part] = []
    for verb, enabled in [*shown, *(hint for hint in always if hint[0].id != "help")]:
        parts += [(verb.key_label, KEY if enabled else MUTED), (f" {verb.label}  ", "" if enabled else MUTED)]
    hidden = len(every) - len(shown) - len(always)
    parts += [(f"+{hidden} " if hidden else "", MUTED), (BY_ID["help"].key_label, KEY)]
    return line(*parts)


def _width(hint: Hint) -> int:
    verb, _ = hint
    return cells(verb.key_label) + 1 + cells(verb.label) + 2
