"""What the console asks of a terminal, what it does without, and how it breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from console import text
from console.app import HotpatchApp, next_speed
from console.background import Background
from console.clipboard import LONGEST, fits_clipboard
from console.terminal import crash_report, require_terminal, set_signs, shows_unicode, theme_for
from engine.model.errors import BadInput
from tests.console.driver import desk
from tests.console.fake_engine import FakeFleet


@pytest.fixture
def unicode_after() -> Iterator[None]:
    yield
    text.use_ascii(False)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_without_a_cursor_is_refused_with_the_way_out(term: str) -> None:
    with pytest.raises(BadInput, match="hotpatch status"):
        require_terminal({"TERM": term}, is_terminal=True)


def test_no_terminal_is_refused() -> None:
    with pytest.raises(BadInput, match="needs a terminal"):
        require_terminal({"TERM": "xterm"}, is_terminal=False)
    require_terminal({"TERM": "xterm"}, is_terminal=True)


def test_no_colour_takes_the_terminals_own_look() -> None:
    assert theme_for("light", {"TERM": "xterm"}) == "light"
    assert theme_for("light", {"TERM": "xterm", "NO_COLOR": "1"}) == "ansi"
    assert theme_for("light", {"TERM": "xterm", "NO_COLOR": ""}) == "light"


def test_signs_follow_the_terminal(unicode_after: None) -> None:
    assert shows_unicode({"TERM": "xterm"}, "utf-8")
    assert not shows_unicode({"TERM": "xterm"}, "latin-1")
    assert not shows_unicode({"TERM": "linux"}, "utf-8")
    set_signs("ascii", {"TERM": "xterm"})
    assert text.is_ascii()
    set_signs("unicode", {"TERM": "linux"})
    assert not text.is_ascii()


def broken(secret: str) -> None:
    raise ValueError(f"bad token {secret}")


def test_a_crash_report_names_places_and_no_values() -> None:
    try:
        broken("SECRET")
    except ValueError as error:
        report = crash_report(error)
    assert "ValueError" in report
    assert "SECRET" not in report
    assert "Nothing of the fleet was lost" in report


def test_a_crash_report_names_where_a_library_broke() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        report = crash_report(error)
    assert "json/decoder.py" in report


async def test_a_mistake_in_a_screen_ends_with_a_report_without_values() -> None:
    app = HotpatchApp(Background(FakeFleet().open), start="devices")

    def break_down() -> None:
        broken("SECRET")

    with pytest.raises(ValueError, match="bad token"):
        async with app.run_test() as pilot:
            app.call_later(break_down)
            await pilot.pause()
    assert "SECRET" not in "".join(str(each) for each in app._exit_renderables)


async def test_ascii_terminals_get_ascii_alone(unicode_after: None) -> None:
    text.use_ascii(True)
    async with desk(Path("fake.db"), opener=FakeFleet().open) as d:
        assert d.text().isascii()
        await d.press("v", "j", "space", "s")
        assert d.text().isascii()


def test_long_texts_do_not_go_to_the_clipboard() -> None:
    assert fits_clipboard("x" * LONGEST)
    assert not fits_clipboard("x" * (LONGEST + 1))
    assert not fits_clipboard("ä" * LONGEST)


def test_speeds_go_in_steps_and_stop_at_both_ends() -> None:
    assert next_speed(60, faster=True) == 300
    assert next_speed(60, faster=False) == 10
    assert next_speed(61, faster=False) == 60
    assert next_speed(1, faster=False) == 1
    assert next_speed(86_400, faster=True) == 86_400
