"""Terminals of every kind: none, without a cursor, without colour, too small, changing their size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.steps import KB
from tests.e2e.terminal import hotpatch, terminal

SMALL, LARGE = (80, 24), (160, 45)
_ATTRIBUTES = re.compile(rb"\x1b\[([0-9;:]*)m")
_COLOURLESS = {"", "0", "1", "2", "3", "4", "7", "9", "22", "23", "24", "27", "29"}


@pytest.mark.parametrize("term", ["dumb", None], ids=["dumb", "unset"])
def test_a_terminal_without_a_cursor_is_refused_in_words(home: Path, state: Path, term: str | None) -> None:
    with terminal("--db", state, home=home, environment={"TERM": term}) as console:
        assert console.ends() == 2
        assert "cannot be drawn here" in console.output()
        assert "hotpatch status" in console.output()
        assert b"\x1b" not in console.raw


def test_no_terminal_is_refused_in_words(home: Path, state: Path) -> None:
    assert hotpatch("--db", state, home=home, expect=2) == ""
    assert hotpatch("demo", "--db", state, home=home, expect=2) == ""


@pytest.mark.parametrize("content", [b"no database, only words " * 40, b"SQLite"], ids=["words", "cut"])
def test_a_file_that_is_no_state_file_is_refused_before_the_screen_is_taken(home: Path, content: bytes) -> None:
    wrong = home / "wrong.db"
    wrong.write_bytes(content)
    with terminal("--db", wrong, home=home) as console:
        assert console.ends() == 1
        assert "wrong.db" in console.output()
        assert b"\x1b[?1049h" not in console.raw
    assert wrong.read_bytes() == content


def test_without_colour_no_colour_is_sent_on_any_screen(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home, environment={"NO_COLOR": "1"}) as console:
        console.expect("Overview", KB)
        console.press("2").expect("Devices", "ready").press("enter")
        console.until(lambda: "›" in console.title(), "the details of a device")
        console.press("3").expect("Rings", "Test").press("4").expect("Calendar", "hotpatch")
        console.press("5").expect("Failures", "Component store").press("6").expect("Releases", KB)
        console.press("a").expect("[x] Test", "[ ] First").press("escape").expect_gone("[x] Test")
        console.press("7").expect("Activity").press("?").expect("Keys").press("escape").expect_gone("Keys")
        console.press("q")
        assert console.ends() == 0
    sent = {code for codes in _ATTRIBUTES.findall(console.raw) for code in codes.decode().split(";")}
    assert "7" in sent  # a cursor can still be seen
    assert sent <= _COLOURLESS


def test_colours_are_sent_otherwise(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB)
        assert re.search(rb"\x1b\[[0-9;]*38;[25];", console.raw)


def test_too_small_is_said_in_one_line_until_there_is_room(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home, size=(50, 12)) as console:
        console.expect("Too small")
        for key in "2345671":
            console.press(key)
        console.until(lambda: len([line for line in console.lines() if line]) == 1, "one line")
        console.resize(*SMALL).expect("Overview", KB).expect_gone("Too small")
        console.resize(79, 14).expect("Too small").resize(*SMALL).expect_gone("Too small")
        console.press("q")
        assert console.ends() == 0


def test_another_size_keeps_the_place(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB).press("2").expect("Devices").filter("ring:fast")
        console.until(lambda: console.row("Fast"), "ring Fast").press("end")
        console.until(lambda: "ZRH" in console.cursor_row(), "the last device")
        last = console.cursor_row()
        console.press("k").until(lambda: console.cursor_row() not in ("", last), "another device")
        place = console.cursor_row()
        for size in (LARGE, SMALL, LARGE, SMALL):
            console.resize(*size)
            console.until(lambda: console.cursor_row() == place and "ring:fast" in console.title(), "the same place")
            console.until(lambda width=size[0]: len(console.title()) >= width - 2, "the whole width")
        console.press("q")
        assert console.ends() == 0


def test_every_screen_lives_through_every_size(home: Path, state: Path) -> None:
    headings = ("Overview", "Devices", "Rings", "Calendar", "Failures", "Releases", "Activity")
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB)
        for number, heading in enumerate(headings, 1):
            console.press(str(number)).until(lambda word=heading: word in console.title(), heading)
            console.resize(*LARGE).until(lambda: len(console.title()) >= 158, "the whole width")
            console.resize(60, 15).until(lambda: 58 <= len(console.title()) <= 60, "the least width")
            console.resize(*SMALL).until(lambda: 78 <= len(console.title()) <= 80, "the former width")
        console.press("6").expect("Releases", KB).press("a").expect(f"Approve {KB}", "esc back")
        console.resize(*LARGE).expect(f"Approve {KB}", "esc back").resize(*SMALL).expect(f"Approve {KB}", "esc back")
        console.press("escape").expect_gone(f"Approve {KB}").press("q")
        assert console.ends() == 0
