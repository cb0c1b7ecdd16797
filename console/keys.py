"""Every verb of the console by its id: bindings, footer, key page, palette and the documents' key table come from here.

Screens and widgets name the verbs they offer. Only `bindings` touches Textual, and only when called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from console.keymap import with_keys
from console.verbs import GROUPS, VERBS, Verb, key_label

if TYPE_CHECKING:
    from textual.binding import Binding

__all__ = [
    "BY_ID",
    "EVERYWHERE",
    "GROUPS",
    "TABLE",
    "VERBS",
    "Verb",
    "bindings",
    "key_label",
    "key_table",
    "use_keys",
    "verb",
]

BY_ID = {verb.id: verb for verb in VERBS}
"""Every verb as it is in this process: with the person's own keys where `use_keys` was given some."""

EVERYWHERE = (
    *(f"screen_{number}" for number in range(1, 8)),
    *("help", "filter_help", "palette", "quit"),
    *("slower", "faster", "clock", "step"),
)
"""The verbs of the application itself, live on every screen."""
TABLE = (
    *("down", "up", "page_down", "page_up", "half_down", "half_up", "top", "end"),
    *("open", "mark", "range", "sort", "reverse"),
)
"""The verbs of every table."""


def verb(verb_id: str) -> Verb:
    """The verb with this id.

    Raises:
        KeyError: there is none.
    """
    return BY_ID[verb_id]


def use_keys(own: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    """Let verbs have a person's own keys from now on, those that are not named their first ones.

    Returns Textual's keymap for bindings that were made before.
    """
    BY_ID.update({each.id: each for each in with_keys(VERBS, own)})
    return {verb_id: ",".join(keys) for verb_id, keys in own.items()}


def bindings(verb_ids: Iterable[str]) -> list[Binding]:
    """Textual's bindings for these verbs; a verb without an action of its own becomes ``verb('id')``."""
    from textual.binding import Binding

    return [
        Binding(
            ",".join(each.keys),
            each.action or f"verb('{each.id}')",
            each.label,
            show=each.rank > 0,
            key_display=each.key_label,
            tooltip=each.tooltip,
            id=each.id,
        )
        for each in (BY_ID[verb_id] for verb_id in verb_ids)
    ]


def key_table() -> list[tuple[str, str, str, str]]:
    """Every verb as (group, keys, label, sentence), in the order of `GROUPS`; for the key page and the documents."""
    rows = []
    for group in GROUPS:
        for each in BY_ID.values():
            if each.group == group:
                keys = " ".join(key_label(key) for key in each.keys)
                rows.append((group, keys, each.label, each.tooltip))
    return rows
