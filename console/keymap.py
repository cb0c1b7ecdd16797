"""A person's own keys for verbs, as ``[keys]`` of the configuration names them: read, checked, put into verbs. Pure.

`settings` refuses what `own_keys` refuses; `keys` shows and binds what `with_keys` returns.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from msgspec.structs import replace

from console.verbs import Verb, key_label
from engine.model.errors import nearest

_NAMED = frozenset(
    "tab enter escape space backspace delete insert home end pageup pagedown up down left right".split()
) | frozenset(f"f{number}" for number in range(1, 25))
_SPOKEN = {"esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete", "ins": "insert"}
_SHORTER = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
"""Names that Textual gives to characters otherwise than Unicode does."""
_TAKEN = {
    "ctrl+c": "the terminal's way to interrupt",
    "ctrl+q": "the way out that always works",
    "ctrl+z": "the terminal's way to suspend",
    "ctrl+s": "the terminal's way to hold the output",
    "ctrl+i": "the same as tab in a terminal",
    "ctrl+m": "the same as enter in a terminal",
}
_FOUND = re.compile(r"(?P<modifiers>(?:(?:ctrl|alt|shift)\+)*)(?P<key>.+)", re.IGNORECASE | re.DOTALL)


class BadKey(Exception):
    """A line of the table that cannot be used."""

    def __init__(self, verb: str, what: str, why: str, instead: str) -> None:
        super().__init__(what)
        self.verb = verb
        self.what = what
        self.why = why
        self.instead = instead


def own_keys(verbs: Sequence[Verb], wanted: Mapping[str, str | Sequence[str]]) -> Mapping[str, tuple[str, ...]]:
    """Verb → Textual's names of its new keys.

    Raises:
        BadKey: an unknown verb or key, or one key for two verbs.
    """
    found: dict[str, tuple[str, ...]] = {}
    ids = [verb.id for verb in verbs]
    for verb_id, keys in wanted.items():
        if verb_id not in ids:
            near = nearest(verb_id, ids)
            instead = f"Did you mean {' or '.join(near)}?" if near else f"Verbs are: {', '.join(ids)}."
            raise BadKey(verb_id, "This verb is not known.", "", instead)
        names = [keys] if isinstance(keys, str) else list(keys)
        if not names:
            raise BadKey(verb_id, "A verb needs a key.", "", 'Write for example: approve = "A"')
        found[verb_id] = tuple(dict.fromkeys(_key(verb_id, each) for each in names))
    _refuse_conflicts(verbs, found)
    return found


def with_keys(verbs: Iterable[Verb], own: Mapping[str, tuple[str, ...]]) -> tuple[Verb, ...]:
    """The verbs with their own keys in place of those they come with."""
    return tuple(replace(verb, keys=own[verb.id]) if verb.id in own else verb for verb in verbs)


def key_name(words: str) -> str | None:
    """Textual's name of a key as people write it: ``A``, ``/``, ``ctrl+x``, ``f5``; None for what is no key."""
    found = _FOUND.fullmatch(words) if words == words.strip() else None
    if found is None:
        return None
    modifiers = sorted({each for each in found["modifiers"].casefold().split("+") if each})
    key = found["key"]
    if len(key) == 1:
        plain = _character(key)
        if plain is None or ("shift" in modifiers and len(plain) == 1):
            return None  # a shifted letter is its capital
        name = plain.lower() if modifiers else plain
    else:
        name = _SPOKEN.get(key.casefold(), key.casefold())
        if name not in _NAMED and key_label(name) == name:
            return None
    return "+".join([*modifiers, name])


def _character(char: str) -> str | None:
    if char.isascii() and char.isalnum():
        return char
    if not char.isprintable() or char == " ":
        return None
    name = unicodedata.name(char, "").lower().replace("-", "_").replace(" ", "_")
    return _SHORTER.get(name, name) or None


def _key(verb_id: str, words: str) -> str:
    name = key_name(words)
    if name is None:
        raise BadKey(verb_id, f"{words!r} is no key.", "", 'Write it like "A", "/", "f5", "ctrl+x" or "pagedown"')
    if name in _TAKEN:
        raise BadKey(verb_id, f"{words!r} cannot be used.", f"It is {_TAKEN[name]}.", "Choose another key.")
    return name


def _refuse_conflicts(verbs: Sequence[Verb], own: Mapping[str, tuple[str, ...]]) -> None:
    """One key, one verb; but for verbs that share a key as they come, because no screen has both."""
    by_key: dict[str, list[Verb]] = {}
    for verb in with_keys(verbs, own):
        for key in verb.keys:
            by_key.setdefault(key, []).append(verb)
    shipped = {verb.id: set(verb.keys) for verb in verbs}
    for key, sharing in by_key.items():
        for one, other in combinations(sharing, 2):
            mine = next((each for each in (other, one) if each.id in own), None)
            if mine is not None and not shipped[one.id] & shipped[other.id]:
                beside = one if mine is other else other
                raise BadKey(
                    mine.id,
                    f"The key {key_label(key)} is used twice.",
                    f"It is also that of {beside.id}.",
                    f"Choose another key, or give {beside.id} one as well.",
                )
