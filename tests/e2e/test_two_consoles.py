"""Two consoles on one state file: one drives, each shows what the other does, and the work outlives a killed driver."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e.steps import KB, UNDER_WAY, activity, approve, installs, offered, pace
from tests.e2e.terminal import Terminal, facts, hotpatch, terminal

ELSEWHERE = "driven elsewhere"


def driver(state: Path, home: Path) -> str:
    """Who drives the work, as the command line tells it."""
    return str(facts("--db", state, "status", home=home, expect=None)["driver"])


def at_work(console: Terminal) -> Terminal:
    """Wait until a console drives: the clock that it carries on has moved."""
    console.expect("Overview", KB)
    return console.until(lambda: re.search(r"\d\d:\d[1-9]", console.title()), "the clock to move")


def test_one_drives_the_other_shows_and_takes_over(home: Path, state: Path) -> None:
    pilots = offered(state, home, "Test")
    with terminal("--db", state, home=home) as first:
        at_work(first)
        with terminal("--db", state, home=home) as second:
            second.expect("Overview", KB, ELSEWHERE)
            assert driver(state, home).endswith(f"process {first.pid}")
            second.press("6").expect("Releases").expect_row(KB, "not approved")

            approve(first, "Test", "pilot ok")
            second.expect_row(KB, "hotpatch", "Test")  # without a key

            second.press("2").expect("Devices").filter("ring:test").expect("queued")
            pace(second, 300)
            first.expect("×300")  # without a key
            second.until(lambda: UNDER_WAY.search(second.text()), "an install under way")
            assert driver(state, home).endswith(f"process {first.pid}")

            first.kill()
            assert first.ends() == -9
            left = activity(state, home)
            second.press("]").expect("×1800").press("]").expect("×7200")
            second.until(lambda: all(second.row(name, ".8390") for name in pilots), "the builds of ring Test")
            assert driver(state, home).endswith(f"process {second.pid}")
            second.press("q")
            assert second.ends() == 0

    assert left["active"]
    done = installs(state)
    assert [done[name] for name in pilots] == [[("apply", "succeeded", False)]] * len(pilots)
    assert [each["action"] for each in activity(state, home)["audit"]] == ["ring-opened", "approve"]
    assert facts("--db", state, "audit", "verify", home=home)["holds"] is True
    assert driver(state, home) == "None"


def test_a_driver_that_quits_hands_over(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as first:
        at_work(first)
        with terminal("--db", state, home=home) as second:
            second.expect("Overview", KB, ELSEWHERE)
            first.press("q")
            assert first.ends() == 0
            second.expect_gone(ELSEWHERE)
            second.press("q")
            assert second.ends() == 0
    assert driver(state, home) == "None"


def test_a_change_by_a_command_appears_without_a_key(home: Path, state: Path) -> None:
    pilots = offered(state, home, "Test")
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB).press("6").expect("Releases").expect_row(KB, "not approved")
        hotpatch("--db", state, "approve", KB, "--ring", "Test", "--reason", "by script", home=home)
        console.expect_row(KB, "hotpatch", "Test")
        hotpatch("--db", state, "clock", "pause", home=home)
        console.expect("stopped")
        console.press("7").expect("Activity", "by script")
        console.expect_row(pilots[0], "Test", KB)
