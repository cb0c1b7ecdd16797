"""The program as a process: what it imports, signals, pipes, encodings, two at once."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.console.cli_kit import command, environment, spawn

HEAVY = ("textual", "httpx", "pydantic", "jinja2", "rich", "icalendar", "sqlite_utils")


def loaded_by(*words: str) -> set[str]:
    """The heavy modules that a call has loaded when it ends."""
    code = (
        "import sys\nfrom console.cli import run\n"
        f"assert run({list(words)!r}) in (0, 3)\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True, timeout=120
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("name", ["status", "devices", "rings", "releases"])
def test_facts_start_quickly(prepared_demo: Path, name: str) -> None:
    assert loaded_by("--db", str(prepared_demo), name, "--json") == set()


def test_help_and_version_need_no_engine() -> None:
    done = spawn("--version")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("hotpatch-console ")
    assert loaded_by("--help") == set()


def test_a_refusal_and_a_wrong_name_end_with_their_codes(demo_state: Path) -> None:
    refused = spawn("--db", demo_state, "apply", "KB5089466", "--ring", "Test")
    wrong = spawn("--db", demo_state, "apply", "KB1", "--ring", "Test")
    missing = spawn("--db", demo_state.with_name("none.db"), "status", "--json")

    assert (refused.code, wrong.code, missing.code) == (4, 2, 1)
    for called in (refused, wrong, missing):
        assert called.out == ""
        assert "Traceback" not in called.err
        assert 1 <= len(called.err.splitlines()) <= 4


def test_a_console_without_a_terminal_is_refused(prepared_demo: Path) -> None:
    called = spawn("--db", prepared_demo)

    assert called.code == 2
    assert "needs a terminal" in called.err


def test_a_reader_that_leaves_is_no_error(prepared_demo: Path) -> None:
    process = subprocess.Popen(
        command("--db", prepared_demo, "devices", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    shown = process.stderr.read()
    process.stderr.close()

    assert process.wait(120) == 0
    assert shown == b""


def test_closed_streams_are_no_error(prepared_demo: Path) -> None:
    line = " ".join(command("--db", prepared_demo, "status", "--json"))
    for closing in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        done = subprocess.run(
            ["sh", "-c", f"{line} {closing}"], capture_output=True, env=environment(), timeout=120, check=False
        )
        assert done.returncode == 0, closing
        assert done.stderr == b"", closing


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(prepared_demo: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("--db", prepared_demo, "devices", "--json"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_poor_encoding_gets_ascii(prepared_demo: Path) -> None:
    called = spawn("--db", prepared_demo, "devices", more={"PYTHONIOENCODING": "ascii"})

    assert called.code == 0
    assert called.out.isascii()
    assert "LON-LT-0001" in called.out


def test_an_interrupt_is_quiet(demo_state: Path) -> None:
    process = subprocess.Popen(
        command("--db", demo_state, "run"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    wait_until(lambda: bool(driver_of(demo_state)))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0
    assert b"steps done" in out or b"step done" in out
    assert err == b""
    assert driver_of(demo_state) == ""


def test_a_service_drives_and_gives_the_lease_back(demo_state: Path) -> None:
    spawn("--db", demo_state, "approve", "KB5089466", "--ring", "Test", "--reason", "x")
    spawn("--db", demo_state, "clock", "speed", "86400")
    process = subprocess.Popen(
        command("--db", demo_state, "run", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    wait_until(lambda: bool(driver_of(demo_state)))
    second = spawn("--db", demo_state, "run", "--until-idle")
    assert second.code == 1
    assert "Another process drives" in second.err
    wait_until(lambda: json.loads(spawn("--db", demo_state, "devices", "build:26100.8390", "--json").out) != [])
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)

    assert (process.returncode, err) == (0, b"")
    assert json.loads(out)["ended_early"] is True
    assert spawn("--db", demo_state, "run", "--until-idle").code == 0


def test_a_run_can_be_limited(demo_state: Path) -> None:
    timed = spawn("--db", demo_state, "run", "--for", "0.5", "--json")
    moved = spawn("--db", demo_state, "run", "--until", "2026-05-15", "--json")

    assert timed.code == 0
    assert json.loads(timed.out)["now"] >= "2026-05-13T09:00:00Z"
    assert json.loads(moved.out)["now"] == "2026-05-15T00:00:00Z"


def test_run_makes_the_clock_reach_june(demo_state: Path) -> None:
    spawn("--db", demo_state, "run", "--until", "2026-06-10")
    june = [row for row in json.loads(spawn("--db", demo_state, "releases", "--json").out) if row["month"] == "2026-06"]

    assert {row["kind"] for row in june if row["platform"].startswith("win11")} >= {"unplanned-baseline"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    called = spawn("demo", "--db", tmp_path / "d.db", "--prepare")
    tmp_path.chmod(0o700)

    assert called.code == 1
    assert "Traceback" not in called.err


def test_a_terminal_gets_colours_and_is_asked(demo_state: Path) -> None:
    shown = on_terminal(demo_state, "devices", "ring:test")
    calm = on_terminal(demo_state, "devices", "ring:test", "--no-color")
    asked = on_terminal(demo_state, "approve", "KB5089466", "--ring", "Test", "--reason", "x", answer="n\n")

    assert "\x1b[32m● ready" in shown
    assert "\x1b[" not in calm
    assert max(len(line) for line in calm.splitlines()) <= 80
    assert "Go on? [y/N]" in asked
    assert "Nothing was changed." in asked


# --- tools ------------------------------------------------------------------------------------------


def wait_until(holds: object, seconds: float = 120.0) -> None:
    """Ask until it holds; fails after so many seconds."""
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        select.select([], [], [], 0.02)


def driver_of(path: Path) -> str:
    from engine import open_engine

    with open_engine(path, read_only=True) as engine:
        return engine.info().driver


def on_terminal(path: Path, *words: str, answer: str = "") -> str:
    """What a terminal of 80 columns gets from a call."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["sh", "-c", 'stty cols 80 rows 24; exec "$@"', "sh", *command("--db", path, *words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(),
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side has ended
            break
        if not part:
            break
        shown += part
    os.close(ours)
    process.wait(120)
    return shown.decode().replace("\r\n", "\n")


assert shutil.which("sh"), "these tests need a shell"
