"""`hotpatch audit`: verify the state file and exported files, export, and the script for those without the program."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from engine import open_engine
from engine.model.intents import Approve, Scope, Stop, StopKind
from tests.console.cli_kit import call, spawn

CLIENT = 5089466


@pytest.fixture
def decided(demo_state: Path) -> Path:
    with open_engine(demo_state) as engine:
        engine.carry_out(engine.plan(Approve(CLIENT, ("Test",), "pilot; 100 % \N{SNOWMAN}")))
        engine.carry_out(engine.plan(Stop(StopKind.PAUSE, Scope(ring="Fast"), "trouble")))
        engine.carry_out(engine.plan(Stop(StopKind.HALT, Scope(kb=CLIENT), "worse")))
    return demo_state


def tamper(path: Path, *statements: str) -> None:
    """Write to the state file as somebody would who has an SQLite shell."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("DROP TRIGGER audit_is_not_deleted")
        for each in statements:
            connection.execute(each)


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE audit SET actor = 'eve' WHERE seq = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1", 1),
        ("UPDATE audit SET kb = NULL WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("UPDATE audit SET seq = 7 WHERE seq = 2", 2),
    ],
)
def test_what_somebody_does_to_the_audit_ends_with_3_and_names_the_place(
    decided: Path, statement: str, seq: int
) -> None:
    tamper(decided, statement)
    done = call("--db", decided, "audit", "verify", "--json")
    assert done.code == 3
    assert done.document["break"]["seq"] == seq
    told = call("--db", decided, "audit", "verify")
    assert told.code == 3
    assert "does not hold" in told.out
    assert str(seq) in told.out


def test_a_cut_off_end_with_its_head_is_found_by_the_hash_kept_elsewhere(decided: Path) -> None:
    before = call("--db", decided, "audit", "verify", "--json").document
    head = f"{before['last']}:{before['hash']}"
    tamper(
        decided,
        "DELETE FROM audit WHERE seq = 3",
        "UPDATE setting SET value = (SELECT json_array(seq, hash) FROM audit WHERE seq = 2) WHERE name = 'audit-head'",
    )
    assert call("--db", decided, "audit", "verify").code == 0
    done = call("--db", decided, "audit", "verify", "--head", head, "--json")
    assert done.code == 3
    assert done.document["break"]["seq"] == 3
    assert done.document["checked_against"] == head


def test_the_right_hash_from_elsewhere_holds(decided: Path) -> None:
    early = call("--db", decided, "audit", "verify", "--json").document
    with open_engine(decided) as engine:
        engine.carry_out(engine.plan(Stop(StopKind.PAUSE, Scope(ring="Broad"), "more")))
    done = call("--db", decided, "audit", "verify", "--head", f"{early['last']}:{early['hash'].upper()}")
    assert done.code == 0
    assert "kept elsewhere" in done.out


@pytest.mark.parametrize(
    "words", ["7", "7:", ":" + "0" * 64, "7:xyz", "x:" + "0" * 64, "7:" + "g" * 64, "²:" + "0" * 64]
)
def test_a_head_that_is_none_is_refused(decided: Path, words: str) -> None:
    assert call("--db", decided, "audit", "verify", "--head", words).code == 2


def test_export_and_verify_without_the_state(decided: Path, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    done = call("--db", decided, "audit", "export", file)
    assert done.code == 0
    lines = file.read_text("ascii").splitlines()
    assert [json.loads(line)["record"]["action"] for line in lines[:-1]] == ["approve", "pause", "halt"]
    last = json.loads(lines[-1])
    assert f"{last['last']}:{last['hash']}" in done.err
    assert call("--db", decided, "audit", "export").out == file.read_text("ascii")
    decided.unlink()
    assert call("audit", "verify", file).code == 0
    assert call("audit", "verify", file, "--head", f"{last['last']}:{last['hash']}").code == 0
    assert call("audit", "verify", file, "--head", f"{last['last']}:{'0' * 64}").code == 3


def test_an_export_never_replaces_a_file_nor_the_state(decided: Path, tmp_path: Path) -> None:
    older = tmp_path / "older.jsonl"
    older.write_text("older", encoding="utf-8")
    done = call("--db", decided, "audit", "export", older)
    assert done.code == 2
    assert "already" in done.err
    assert "Remove it first, or name another one." in done.err
    assert older.read_text(encoding="utf-8") == "older"
    link = tmp_path / "link.jsonl"
    link.symlink_to(decided)
    names = sorted(each.name for each in tmp_path.iterdir())
    before = decided.read_bytes()
    for name in (decided, f"{decided}-wal", f"{decided}-shm", link):
        done = call("--db", decided, "audit", "export", name)
        assert done.code == 2, name
        assert "state file itself" in done.err
    assert decided.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == names
    assert call("--db", decided, "audit", "verify").code == 0


def test_a_part_from_a_day_on(decided: Path, tmp_path: Path) -> None:
    file = tmp_path / "part.jsonl"
    assert call("--db", decided, "audit", "export", file, "--since", "2026-05-13").code == 0
    assert call("audit", "verify", file, "--json").document["records"] == 3
    refused = call("--db", decided, "audit", "export", tmp_path / "later.jsonl", "--since", "2031-01-01")
    assert refused.code == 2
    assert [each.name for each in tmp_path.glob("*.jsonl")] == ["part.jsonl"], "a refused export leaves no file"
    assert call("--db", decided, "audit", "export", tmp_path / "none.jsonl", "--since", "yesterday").code == 2


@pytest.mark.parametrize("line", [0, 1, 2, 3])
def test_a_changed_and_a_missing_line_of_an_export_are_found(decided: Path, tmp_path: Path, line: int) -> None:
    file = tmp_path / "audit.jsonl"
    call("--db", decided, "audit", "export", file)
    lines = file.read_text("ascii").splitlines(keepends=True)
    file.write_text("".join([*lines[:line], lines[line].replace("5", "6", 1), *lines[line + 1 :]]), "ascii")
    assert call("audit", "verify", file).code == 3
    if line:
        file.write_text("".join([*lines[:line], *lines[line + 1 :]]), "ascii")
        assert call("audit", "verify", file).code == 3


def test_a_file_that_is_no_export(tmp_path: Path) -> None:
    file = tmp_path / "noise.jsonl"
    for noise in (b"", b"\xff\xfe\x00", b"{}", b"a" * 100_000, b"\n" * 100, json.dumps({"records": 1}).encode()):
        file.write_bytes(noise)
        done = call("audit", "verify", file)
        assert done.code == 3
        assert "Traceback" not in done.err
    assert call("audit", "verify", tmp_path / "none.jsonl").code == 2
    assert call("audit", "verify", tmp_path).code == 2


def test_a_broken_audit_is_not_exported(decided: Path, tmp_path: Path) -> None:
    tamper(decided, "UPDATE audit SET body = replace(body, 'trouble', 'nothing') WHERE seq = 2")
    file = tmp_path / "audit.jsonl"
    done = call("--db", decided, "audit", "export", file)
    assert done.code == 3
    assert "record 2" in done.err
    assert list(tmp_path.glob("*audit.jsonl*")) == []
    streamed = call("--db", decided, "audit", "export")
    assert streamed.code == 3
    assert len(streamed.out.splitlines()) == 1


def test_the_script_verifies_with_python_alone(decided: Path, tmp_path: Path) -> None:
    script, file = tmp_path / "verify.py", tmp_path / "audit.jsonl"
    script.write_text(call("audit", "script").out, "utf-8")
    call("--db", decided, "audit", "export", file)
    text = file.read_text("ascii")
    last = json.loads(text.splitlines()[-1])

    def run(*more: str) -> int:
        words = [sys.executable, "-I", "-S", str(script), str(file), *more]
        done = subprocess.run(words, capture_output=True, timeout=120, check=False, cwd=tmp_path)
        assert b"Traceback" not in done.stderr
        return done.returncode

    assert run() == 0
    assert run(f"{last['last']}:{last['hash']}") == 0
    assert run(f"{last['last']}:{'0' * 64}") == 1
    for changed in (
        text.replace("trouble", "nothing"),
        "".join(text.splitlines(keepends=True)[:-2]),
        text[1:],
        text[:-9],
        "",
        text.replace('"records":', '"recorts":'),
        text.replace("pilot", "p\xfclot"),
    ):
        file.write_text(changed, "latin-1")
        assert run() != 0
    file.unlink()
    assert run() != 0


def test_a_reader_and_a_pipe(decided: Path, tmp_path: Path) -> None:
    """Verification reads an export from the input as well; neither command needs the right to write."""
    out = spawn("--db", decided, "--read-only", "audit", "export").out
    done = subprocess.run(
        [sys.executable, "-m", "console", "audit", "verify", "-"],
        input=out.encode(),
        capture_output=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr
