"""How the console ends: by signals, with a terminal that goes away, by keys; the lease is given back each time."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.steps import KB
from tests.e2e.terminal import Terminal, terminal

QUICKLY = 10.0
"""Seconds; an idle machine needs half of one."""
DEAF_SHELL = ("/bin/sh", "-c", 'trap "" HUP; "$@"; exit $?', "sh")
"""Leads the session and ignores the hang-up, as nohup and some supervisors do: the console hears of it from nobody."""


def leases(state: Path) -> list[int]:
    """The process that holds the lease, if any does."""
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as connection:
        return [pid for (pid,) in connection.execute("SELECT pid FROM lease")]


def at_work(console: Terminal, state: Path) -> None:
    """Wait until the console drives."""
    console.expect("Overview", KB).until(lambda: leases(state), "the lease")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda each: each.name)
def test_a_signal_ends_it_in_good_order(home: Path, state: Path, number: signal.Signals) -> None:
    with terminal("--db", state, home=home) as console:
        at_work(console, state)
        console.kill(number)
        assert console.ends(within=QUICKLY) == 0
        assert leases(state) == []
        assert console.parting() == ""
        assert console.raw.rindex(b"\x1b[?25h") > console.raw.rindex(b"\x1b[?25l")  # the cursor is back


@pytest.mark.parametrize("through", [(), DEAF_SHELL], ids=["told", "not told"])
def test_a_terminal_that_goes_away_ends_it(home: Path, state: Path, through: tuple[str, ...]) -> None:
    with terminal("--db", state, home=home, through=through) as console:
        at_work(console, state)
        console.hang_up()
        assert console.ends(within=QUICKLY * 2) == 0
        assert leases(state) == []


def test_a_terminal_that_goes_away_behind_a_dialog_ends_it(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as console:
        at_work(console, state)
        console.press("6").expect("Releases").expect_row(KB, "hotpatch").press("a").expect(f"Approve {KB}")
        console.hang_up()
        assert console.ends(within=QUICKLY) == 0
        assert leases(state) == []


def test_ctrl_c_says_how_to_quit_and_q_quits(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as console:
        at_work(console, state)
        console.press("ctrl+c").expect("To quit", "Press q").press("q")
        assert console.ends(within=QUICKLY) == 0
        assert leases(state) == []


def test_quitting_at_once_is_as_good(home: Path, state: Path) -> None:
    with terminal("--db", state, home=home) as console:
        console.press("q")
        assert console.ends() == 0
        assert leases(state) == []
