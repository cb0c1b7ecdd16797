"""A person's own keys: what is refused and how, and that footer, help, palette and bindings follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.app import HotpatchApp
from console.keymap import BadKey, key_name, own_keys
from console.keys import BY_ID, key_table, use_keys
from console.settings import Settings, load_settings
from console.verbs import VERBS
from console.widgets.ask_line import AskLine
from console.widgets.key_hints import KeyHints
from engine.model.errors import BadInput
from tests.console.cli_kit import call
from tests.console.driver import LARGE, desk


@pytest.fixture(autouse=True)
def first_keys() -> Iterator[None]:
    yield
    use_keys({})


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("words", "name"),
    [
        *(
            ("A", "A"),
            ("a", "a"),
            ("7", "7"),
            ("/", "slash"),
            ("?", "question_mark"),
            ("*", "asterisk"),
            ("-", "minus"),
        ),
        *(("+", "plus"), ("@", "at"), ("_", "underscore"), ("[", "left_square_bracket"), ("=", "equals_sign")),
        *(
            ("f5", "f5"),
            ("F12", "f12"),
            ("PgUp", "pageup"),
            ("esc", "escape"),
            ("ctrl+X", "ctrl+x"),
            ("ctrl+/", "ctrl+slash"),
        ),
        *(
            ("shift+f5", "shift+f5"),
            ("alt+ctrl+k", "alt+ctrl+k"),
            ("ctrl+alt+k", "alt+ctrl+k"),
            ("ctrl++", "ctrl+plus"),
        ),
    ],
)
def test_keys_as_people_write_them(words: str, name: str) -> None:
    assert key_name(words) == name


@pytest.mark.parametrize(
    "words", ["", " ", "aa", "f25", "f0", "ctrl+", "hyper+x", "shift+a", "\x1b", "\u202e", "a b", " a", "space bar"]
)
def test_what_is_no_key(words: str) -> None:
    assert key_name(words) is None


@given(st.text(max_size=12))
def test_any_text_is_a_key_or_not(words: str) -> None:
    name = key_name(words)
    assert name is None or (name and "," not in name and name.isprintable())


def test_every_key_that_the_program_comes_with_could_be_written() -> None:
    for verb in VERBS:
        for key in verb.keys:
            assert key_name(BY_ID[verb.id].key_label if key == verb.keys[0] else key) is not None or key == "shift+tab"


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ('aprove = "A"', "keys.aprove", "Did you mean approve"),
        ('xyzzy = "A"', "keys.xyzzy", "Verbs are: "),
        ('approve = "aa"', "keys.approve", "is no key"),
        ('approve = ""', "keys.approve", "is no key"),
        ("approve = []", "keys.approve", "needs a key"),
        ('approve = "ctrl+c"', "keys.approve", "interrupt"),
        ('approve = "q"', "keys.approve", "also that of quit"),
        ('approve = "b"\nretry = "b"', "keys.retry", "also that of approve"),
        ('approve = ["b", "j"]', "keys.approve", "also that of down"),
        ("approve = 3", "keys.approve", "does not fit"),
    ],
)
def test_what_is_wrong_names_file_line_and_verb(tmp_path: Path, line: str, field: str, words: str) -> None:
    path = written(tmp_path, f'theme = "dark"\n[keys]\n{line}\n')
    with pytest.raises(BadInput) as caught:
        load_settings(path)
    assert caught.value.file == str(path)
    assert caught.value.field.startswith(field)
    assert caught.value.line is not None
    assert words in str(caught.value)


def test_a_command_refuses_a_bad_table_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_state: Path) -> None:
    monkeypatch.setenv("HOTPATCH_CONFIG", str(written(tmp_path, '[keys]\napprove = "q"\n')))
    done = call("--db", demo_state, "status")
    assert done.code == 2
    assert "keys.approve" in done.err


def test_a_swap_is_no_conflict_and_verbs_that_share_a_key_may_go_on_sharing() -> None:
    swapped = own_keys(VERBS, {"approve": "r", "retry": ["a"]})
    assert swapped == {"approve": ("r",), "retry": ("a",)}
    assert own_keys(VERBS, {"export": "b", "report": "b"}) == {"export": ("b",), "report": ("b",)}
    with pytest.raises(BadKey):
        own_keys(VERBS, {"approve": "r"})


async def test_footer_help_and_the_key_itself_follow(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(keys={"filter": "b", "help": "f1", "screen_3": ("f3", "3")})
    async with desk(demo_state, start="devices", size=LARGE, settings=settings) as d:
        assert isinstance(d.app, HotpatchApp)
        live = {verb.id: verb.keys for verb, _ in d.app.live_verbs(d.screen)}
        assert live["filter"] == ("b",)
        footer = d.screen.query_one(KeyHints).render().plain
        assert "b filter" in footer
        assert "/ filter" not in footer
        assert footer.rstrip().endswith("f1")
        await d.press("b")
        assert d.screen.query_one(AskLine).has_focus_within
        await d.press("escape")
        await d.press("slash")
        assert not d.screen.query_one(AskLine).has_focus_within
        await d.press("f3")
        assert d.app.current_mode == "rings"
    assert ("List", "b") in {(group, keys) for group, keys, *_ in key_table()}


async def test_without_a_table_everything_is_as_it_comes(demo_state: Path) -> None:
    use_keys({"filter": ("b",)})
    async with desk(demo_state, start="devices", size=LARGE) as d:
        assert BY_ID["filter"].keys == ("slash",)
        assert "/ filter" in d.screen.query_one(KeyHints).render().plain
