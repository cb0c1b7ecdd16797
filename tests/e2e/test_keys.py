"""Keys that come twice, too soon, or mean nothing here: the console takes them and stays."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.steps import KB, activity
from tests.e2e.terminal import terminal


def test_a_key_that_repeats_leaves_one_dialog_only(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB).press("6").expect("Releases").expect_row(KB, "hotpatch")
        console.press("H").expect("Halt what?").press("enter", "enter", "enter").expect("Reason, for the audit")
        console.press("escape").expect_gone("Reason, for the audit").expect("Releases")
        console.press("a").expect(f"Approve {KB}", "Not before").press("tab").at_field("Reason").type("twice")
        console.press("enter", "enter", "enter", "enter").expect("y do it").press("escape").expect_gone("y do it")
        console.expect("Releases").press("q")
        assert console.ends() == 0
    assert activity(state, home)["audit"] == []


def test_keys_that_come_before_their_screen_stands_break_nothing(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB)
        console.press("3", "d", "g", "4", "t", "z", "5", "d", "j", "6", "d", "s", "7", "d", "j", "2", "d", "s", "1")
        console.until(lambda: "Overview" in console.title(), "the overview")
        console.press("ctrl+p", "pagedown", "pageup", "up", "down").expect("A verb, a screen")
        console.press("escape").expect_gone("A verb, a screen")
        console.press("2").expect("Devices", "AUS-").press("q")
        assert console.ends() == 0


def test_keys_without_a_meaning_do_nothing(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB).press("=").expect("stopped")
        console.press("0", "8", "9", "ß", "€", "\x1b[15~", "\x1b[25~", "\x1b[200~pasted\x1b[201~", "\x00", "\x1c")
        console.send(b"\xff\xfe\xc3(\x80")  # as a terminal of another character set sends
        console.press("2").expect("Devices", "AUS-").press("q")
        assert console.ends() == 0
    assert activity(state, home)["audit"] == []
