"""Verbs: words for all, no key twice where both are live, changes named as such."""

from __future__ import annotations

from itertools import combinations

import pytest

from console.app import SCREENS, screen_class
from console.keys import BY_ID, EVERYWHERE, GROUPS, TABLE, VERBS, bindings, key_table


def test_ids_are_unique_and_every_verb_has_words() -> None:
    assert len(BY_ID) == len(VERBS)
    for verb in VERBS:
        assert verb.keys
        assert verb.label
        assert verb.tooltip.endswith(".")
        assert verb.group in GROUPS


@pytest.mark.parametrize("name", SCREENS)
def test_no_two_live_verbs_share_a_key(name: str) -> None:
    screen = screen_class(name)
    live = [BY_ID[verb_id] for verb_id in dict.fromkeys((*screen.VERBS, *EVERYWHERE, *TABLE))]
    for one, other in combinations(live, 2):
        assert not set(one.keys) & set(other.keys), (one.id, other.id)


@pytest.mark.parametrize("name", SCREENS)
def test_every_verb_of_a_screen_is_carried_out_by_it(name: str) -> None:
    screen = screen_class(name)
    assert name == screen.NAME
    assert screen.HEADING
    for verb_id in screen.VERBS:
        assert BY_ID[verb_id].action or hasattr(screen, f"verb_{verb_id}"), verb_id


def test_keys_survive_terminals() -> None:
    """ctrl+i, ctrl+m, ctrl+h, ctrl+a and alt are other keys, or never arrive, in some terminals."""
    for verb in VERBS:
        for key in verb.keys:
            assert key not in ("ctrl+i", "ctrl+m", "ctrl+h", "ctrl+a", "ctrl+b", "h", "l")
            assert not key.startswith(("alt+", "ctrl+shift", "f1"))


def test_what_changes_names_the_intents_it_leads_to() -> None:
    for verb in VERBS:
        assert verb.changes == bool(verb.intents), verb.id


def test_bindings_carry_the_verb() -> None:
    for binding, verb_id in zip(bindings([*EVERYWHERE, *TABLE]), [*EVERYWHERE, *TABLE], strict=True):
        verb = BY_ID[verb_id]
        assert binding.id == verb.id
        assert binding.key == ",".join(verb.keys)
        assert binding.tooltip == verb.tooltip


def test_the_key_table_names_every_verb() -> None:
    assert len(key_table()) == len(VERBS)


@pytest.mark.parametrize(
    ("key", "verb_id"),
    [
        *((str(number), f"screen_{number}") for number in range(1, 8)),
        ("slash", "filter"),
        ("question_mark", "help"),
        ("ctrl+p", "palette"),
        ("j", "down"),
        ("k", "up"),
        ("enter", "open"),
        ("escape", "back"),
        ("space", "mark"),
        ("asterisk", "mark_all"),
        ("a", "approve"),
        ("i", "apply"),
        ("u", "uninstall"),
        ("r", "retry"),
        ("p", "pause"),
        ("H", "halt"),
        ("e", "export"),
        ("y", "copy"),
        ("q", "quit"),
    ],
)
def test_the_keys_that_were_promised(key: str, verb_id: str) -> None:
    assert key in BY_ID[verb_id].keys
