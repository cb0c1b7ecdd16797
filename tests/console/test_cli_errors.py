"""What goes wrong is told in words with the right exit code: wrong names, wrong files, hostile text, broken pipes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cli import SECTIONS, diagnostics, hotpatch, output
from console.cli.session import Session, configuration_file, state_folder, system_user
from console.settings import config_path
from engine.model.errors import (
    BadInput,
    EngineError,
    LeaseHeld,
    NotFound,
    PlanOutdated,
    Refused,
    StateTooNew,
    StateUnusable,
)
from tests.console.cli_kit import call

COMMANDS = [name for section in SECTIONS.values() for name in section]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("what", "why", "instead"), 4),
        (BadInput("what", "why", "instead"), 2),
        (NotFound("what", ("near",)), 2),
        (PlanOutdated("what"), 1),
        (StateUnusable("what"), 1),
        (StateTooNew("what"), 1),
        (LeaseHeld("what"), 1),
        (EngineError("what"), 1),
        (click.UsageError("what"), 2),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (output.OutputClosed(), 0),
        (KeyError("secret"), 1),
        (MemoryError(), 1),
        (RecursionError("secret"), 1),
        (sqlite3.OperationalError("disk I/O error"), 1),
        (PermissionError(13, "Permission denied", "file"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_error_has_its_exit_code(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise error

    assert diagnostics.guarded(fail, debug=lambda: True) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert "secret" not in shown.err
    if isinstance(error, EngineError):
        lines = shown.err.splitlines()
        assert lines[0] == f"hotpatch: {error.what}"
        assert lines[1:] == [f"  {part}" for part in (error.why, error.instead) if part]


def test_something_unexpected_names_the_place_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        token = "hunter2"
        raise ValueError(token)

    diagnostics.guarded(fail)

    shown = capsys.readouterr().err
    assert "ValueError at console/test_cli_errors.py:" in shown
    assert "hunter2" not in shown
    assert len(shown.splitlines()) == 3


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = hotpatch.get_command(click.Context(hotpatch), name)
    assert command is not None
    assert command.help
    assert call(name, "--help").code == 0


def test_near_names_are_suggested(prepared_demo: Path) -> None:
    for words, near in (
        (("devicse",), "devices"),
        (("devices", "--jsn"), "--json"),
        (("release", "KB5089467"), "KB5089466"),
        (("devices", "rng:broad"), "ring"),
        (("devices", "--view", "not-redy"), "not-ready"),
        (("devices", "--sort", "nmae"), "name"),
        (("runbook", "netwrok"), "network"),
    ):
        called = call("--db", prepared_demo, *words)
        assert called.code == 2, words
        assert near in called.err, called.err
        assert called.out == ""


def test_a_missing_file_is_told_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none" / "fleet.db"
    for words in (("status", "--json"), ("devices",), ("approve", "KB5089466", "--ring", "Test", "--reason", "x")):
        called = call("--db", path, *words)
        assert (called.code, called.out) == (1, "")
        assert "There is no state file" in called.err
        assert "hotpatch demo" in called.err
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_state_files(tmp_path: Path) -> None:
    text, foreign, folder, empty = (tmp_path / name for name in ("text.db", "foreign.db", "folder", "empty.db"))
    text.write_text("This is not a database, however long it may be. " * 40)
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE notes (text)")
    folder.mkdir()
    for path, why in ((text, "no SQLite database"), (foreign, "another program's"), (folder, "is a folder")):
        before = path.read_bytes() if path.is_file() else b""
        called = call("--db", path, "status", "--json")
        assert (called.code, called.out) == (1, "")
        assert why in called.err
        assert (path.read_bytes() if path.is_file() else b"") == before
    assert not empty.exists()


def test_a_newer_schema_is_refused(demo_state: Path) -> None:
    with closing(sqlite3.connect(demo_state)) as connection:
        connection.execute("PRAGMA user_version = 9999")

    called = call("--db", demo_state, "status")

    assert called.code == 1
    assert "newer version" in called.err


def test_a_damaged_file_is_told(demo_state: Path) -> None:
    content = bytearray(demo_state.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    demo_state.write_bytes(content)

    for words in (("status", "--json"), ("devices",), ("doctor",), ("audit", "verify")):
        called = call("--db", demo_state, *words)
        assert called.code in (1, 3), words
        assert "unexpected" not in called.err
        assert "Traceback" not in called.err


def test_the_demo_does_not_overwrite(tmp_path: Path, demo_state: Path) -> None:
    foreign = tmp_path / "notes.db"
    foreign.write_text("my notes")

    exists = call("demo", "--db", demo_state, "--prepare")
    notes = call("demo", "--db", foreign, "--prepare", "--reset")

    assert exists.code == 1
    assert "--reset" in exists.err
    assert notes.code == 1
    assert foreign.read_text() == "my notes"


def test_reset_spares_a_real_fleet(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    with Session(db=path).engine(create=True):
        pass

    called = call("demo", "--db", path, "--prepare", "--reset")

    assert called.code == 1
    assert "is no demo" in called.err
    assert call("--db", path, "clock").code == 1


def test_reset_begins_anew(demo_state: Path) -> None:
    call("--db", demo_state, "approve", "KB5089466", "--ring", "Test", "--reason", "x")
    called = call("demo", "--db", demo_state, "--prepare", "--reset", "--devices", "60", "--seed", "7", "--json")

    assert called.code == 0, called.err
    assert called.document["devices"] == 60
    assert call("--db", demo_state, "approvals", "--json").document == []
    assert [path.name for path in demo_state.parent.iterdir()] == ["demo.db"]


@pytest.mark.parametrize(
    "words", [("--devices", "5"), ("--devices", "many"), ("--scenario", "doom"), ("--seed", "-1")], ids=" ".join
)
def test_a_demo_that_cannot_be_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    called = call("demo", "--db", tmp_path / "d.db", "--prepare", *words)

    assert called.code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_clock_of_a_demo(demo_state: Path) -> None:
    assert call("--db", demo_state, "clock", "step", "1d", "--json").document["now"] == "2026-05-14T09:00:00Z"
    assert call("--db", demo_state, "clock", "speed", "600", "--json").document["speed"] == 600
    assert call("--db", demo_state, "clock", "pause", "--json").document["paused"] is True
    assert call("--db", demo_state, "clock", "show", "--json").document["paused"] is True
    assert call("--db", demo_state, "clock", "resume", "--json").document["paused"] is False
    for wrong in ("-1d", "1y", "0h", "soon", "9999w"):
        assert call("--db", demo_state, "clock", "step", wrong).code == 2, wrong


def test_the_console_needs_a_terminal(prepared_demo: Path) -> None:
    assert call("--db", prepared_demo, "--json").code == 2
    assert call("--db", prepared_demo, "--plain").code == 2


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x1b[2J", "x" * 81])
def test_an_actor_is_a_name(prepared_demo: Path, name: str) -> None:
    assert call("--db", prepared_demo, "--actor", name, "status").code == 2


def test_wrong_settings_are_told(prepared_demo: Path, own_folders: Path) -> None:
    folder = own_folders / "config" / "hotpatch"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("thme = 'light'\n")

    called = call("--db", prepared_demo, "status")

    assert called.code == 2
    assert "theme" in called.err
    assert call("--db", prepared_demo, "doctor").code == 3


def test_places_agree_with_the_settings(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert configuration_file() == config_path()
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert configuration_file() == config_path()
    monkeypatch.setenv("HOTPATCH_CONFIG", "elsewhere.toml")
    assert configuration_file() == config_path()
    assert state_folder() == own_folders / "state" / "hotpatch"


def test_the_state_file_by_option_environment_settings_and_folder(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Session().path() == own_folders / "state" / "hotpatch" / "fleet.db"
    folder = own_folders / "config" / "hotpatch"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("db = 'set.db'\n")
    assert Session().path() == Path("set.db")
    monkeypatch.setenv("HOTPATCH_DB", "named.db")
    assert Session().path() == Path("named.db")
    assert Session(db=Path("given.db")).path() == Path("given.db")


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)

    assert system_user().startswith("uid ")


HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07[bold red]\u202eevil\x9b31m\t\n=cmd|' /C calc'!A0"


def test_hostile_text_stays_text(demo_state: Path) -> None:
    with closing(sqlite3.connect(demo_state)) as connection, connection:
        connection.execute("UPDATE device SET site = ?, model = ?, driver = ?", (HOSTILE, HOSTILE, HOSTILE))
        connection.execute("UPDATE device SET name = ?, name_key = ? WHERE id = 1", (HOSTILE, HOSTILE.casefold()))
        connection.execute("UPDATE release SET source = ?", (HOSTILE,))
    for words in (
        ("devices",),
        ("devices", "--plain"),
        ("devices", "--csv"),
        ("devices", "--json"),
        ("failures",),
        ("release", "KB5089466"),
        ("device", "LON-LT-0007"),
        ("device", HOSTILE),
    ):
        called = call("--db", demo_state, *words)
        for stream in (called.out, called.err):
            kept = stream.replace("\n", "").replace("\t", "").replace("\r", "")
            assert kept.isprintable(), (words, kept)


@given(st.text(max_size=60))
def test_no_argument_breaks_a_command(prepared_demo: Path, word: str) -> None:
    for words in (("devices", word), ("device", word), ("release", word), ("--db", word, "status"), (word,)):
        if words[-1] in (*COMMANDS, "") or words[-1].startswith("-"):
            continue
        arguments = words if words[0] == "--db" else ("--db", prepared_demo, *words)
        called = call(*arguments)
        assert called.code in (0, 1, 2), (words, called)
        assert "Something unexpected" not in called.err, (words, called.err)
