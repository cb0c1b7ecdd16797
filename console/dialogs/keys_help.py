"""The key page: every key that works where one is, by group, with a sentence each; made from the live bindings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.dialogs.base import Dialog
from console.keys import GROUPS, Verb, key_label
from console.widgets.drawing import KEY, MUTED, STRONG, line, lines, plain

_KEY_WIDTH = 14
_WORDS_WIDTH = 56


class KeysHelp(Dialog[None]):
    """Verbs with "" or the reason why they cannot be used now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,q", "back", "back"),
        Binding("down,j", "scroll_body('down')", "down"),
        Binding("up,k", "scroll_body('up')", "up"),
        Binding("pagedown,space", "scroll_body('page_down')", "page down"),
        Binding("pageup", "scroll_body('page_up')", "page up"),
    ]

    def __init__(self, where: str, verbs: Sequence[tuple[Verb, str]]) -> None:
        super().__init__(f"Keys: {where}")
        self._verbs = tuple(verbs)

    def compose_body(self) -> Iterable[Widget]:
        yield Static(keys_text(self._verbs), id="keys")

    def hints(self) -> Iterable[tuple[str, str]]:
        return (("esc", "back"), ("j k pgdn pgup", "scroll"))


def keys_text(verbs: Sequence[tuple[Verb, str]]) -> Content:
    """The keys by group; one that cannot be used now says why."""
    rows: list[Content] = []
    for group in GROUPS:
        mine = [(verb, reason) for verb, reason in verbs if verb.group == group]
        if not mine:
            continue
        if rows:
            rows.append(plain(""))
        rows.append(plain(group, STRONG))
        for verb, reason in mine:
            keys = "  ".join(key_label(key) for key in verb.keys)
            first, *more = wrap(verb.tooltip, _WORDS_WIDTH)
            style = MUTED if reason else ""
            rows.append(line((keys.ljust(_KEY_WIDTH), MUTED if reason else KEY), (first, style)))
            rows += [line(" " * _KEY_WIDTH, (each, style)) for each in more]
            if reason:
                rows += [
                    line(" " * _KEY_WIDTH, (each, "$at-risk")) for each in wrap(f"Not now: {reason}", _WORDS_WIDTH)
                ]
    return lines(rows)
