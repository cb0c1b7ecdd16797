"""Backup while others write, killed, full, twice at once; restore that keeps what was there and tells of itself."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine import open_engine
from engine.model.audit import AuditEntry
from engine.model.errors import BadInput, EngineError, LeaseHeld, Refused, StateTooNew, StateUnusable
from engine.model.intents import Actor, Approve, Role, Scope, Stop, StopKind
from engine.safekeeping.backup import Examined, Restored, back_up, examine_backup, restore
from engine.store import Store
from engine.store.connection import SCHEMA_VERSION
from engine.store.whole import Taken, taken

PROJECT = Path(__file__).resolve().parents[2]
MIA = Actor("mia", "jump01 command")
CLIENT = 5089466


def backed_up(state: Path, target: Path, *, force: bool = False) -> Examined:
    with closing(Store(state, read_only=True)) as store:
        return back_up(store, target, force=force)


def brought_back(backup: Path, state: Path) -> Restored:
    return restore(backup, state, MIA, Role.APPROVER, reason="wrong pause")


def decide(state: Path, reason: str = "pilot") -> None:
    with open_engine(state, actor=MIA) as engine:
        engine.carry_out(engine.plan(Stop(StopKind.PAUSE, Scope(ring="Fast"), reason)))
        engine.carry_out(engine.plan(Approve(CLIENT, ("Test",), reason)))


def unfinished(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.name.startswith(".")]


@pytest.fixture
def backup(demo_state: Path, tmp_path: Path) -> Path:
    """A backup of a state with one decision; the state has moved on since."""
    with open_engine(demo_state, actor=MIA) as engine:
        engine.carry_out(engine.plan(Approve(CLIENT, ("First",), "early")))
    target = tmp_path / "one.backup"
    backed_up(demo_state, target)
    decide(demo_state)
    return target


# --- backup -----------------------------------------------------------------------------------------


def test_a_backup_is_the_whole_state_for_its_owner_alone(demo_state: Path, tmp_path: Path) -> None:
    decide(demo_state)
    target = tmp_path / "one.backup"
    found = backed_up(demo_state, target)
    assert (found.devices, found.audit.records, found.schema) == (500, 2, SCHEMA_VERSION)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert unfinished(tmp_path) == []
    with open_engine(target) as engine, open_engine(demo_state) as original:
        assert [row.hash for row in engine.reads.activity.audit()] == [
            row.hash for row in original.reads.activity.audit()
        ]
        assert engine.reads.devices.counts() == original.reads.devices.counts()


def test_a_backup_while_others_write_is_one_picture_and_never_begins_anew(
    demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.whole._PAGES", 40)
    begun, stop = threading.Event(), threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        with closing(Store(demo_state)) as store:
            while not stop.is_set():
                with store.transaction():
                    store.state.set("noise", "x" * 5_000)
                    store.audit.append(AuditEntry(datetime.now(UTC), "system", "test", "note", f"no. {written}"))
                    store.state.count_change()
                written += 1
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    steps: list[int] = []
    try:
        assert begun.wait(120)
        with closing(Store(demo_state, read_only=True)) as store:
            found = back_up(store, tmp_path / "one.backup", on_progress=lambda what, done, _: steps.append(done))
    finally:
        stop.set()
        writer.join(20)
    copied = steps[: steps.index(0, 1)]
    assert copied == sorted(copied)
    assert len(copied) > 5
    assert 1 <= found.audit.records <= written
    with open_engine(tmp_path / "one.backup") as engine:
        assert engine.reads.activity.audit_check().records == found.audit.records
        assert engine.reads.activity.audit()[0].summary == f"no. {found.audit.records - 1}"


def test_an_existing_file_is_kept_unless_forced(demo_state: Path, tmp_path: Path) -> None:
    target = tmp_path / "one.backup"
    target.write_text("precious")
    with pytest.raises(Refused, match="already"):
        backed_up(demo_state, target)
    assert target.read_text() == "precious"
    backed_up(demo_state, target, force=True)
    assert examine_backup(target).devices == 500


def test_of_two_at_once_one_gets_the_name_and_both_leave_nothing_behind(demo_state: Path, tmp_path: Path) -> None:
    target = tmp_path / "one.backup"
    done: list[Examined] = []

    def second(what: str, _: int, __: int) -> None:
        if what == "checking pages" and not done:
            done.append(backed_up(demo_state, target))

    with closing(Store(demo_state, read_only=True)) as store, pytest.raises(Refused, match="already"):
        back_up(store, target, on_progress=second)
    assert len(done) == 1
    assert examine_backup(target).devices == 500
    assert unfinished(tmp_path) == []


def test_places_that_cannot_be_used(demo_state: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="folder"):
        backed_up(demo_state, tmp_path)
    with pytest.raises(BadInput, match="itself"):
        backed_up(demo_state, demo_state, force=True)
    for suffix in ("-wal", "-shm"):
        with pytest.raises(BadInput, match="itself"):
            backed_up(demo_state, demo_state.with_name(demo_state.name + suffix), force=True)
    with pytest.raises(BadInput, match="cannot be written"):
        backed_up(demo_state, tmp_path / "none" / "one.backup")


def test_a_state_whose_audit_does_not_hold_is_backed_up_as_evidence(demo_state: Path, tmp_path: Path) -> None:
    decide(demo_state)
    tamper(demo_state)
    found = backed_up(demo_state, tmp_path / "one.backup")
    assert found.audit.broken is not None
    assert found.audit.broken.seq == 1
    with pytest.raises(Refused, match="not restored"):
        examine_backup(tmp_path / "one.backup")
    assert examine_backup(tmp_path / "one.backup", force=True).audit.broken == found.audit.broken


_KILLED = """
import os, signal, sys
from pathlib import Path
import engine.store.whole as whole
from engine.safekeeping.backup import back_up, restore
from engine.model.intents import Actor, Role
from engine.store import Store
whole._PAGES = 40
state, other, phase, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
seen = 0
def kill(what, done, size):
    global seen
    seen += what == "copying" and 0 < done < size
    if seen == wanted:
        os.kill(os.getpid(), signal.SIGKILL)
if phase == "backup":
    back_up(Store(state, read_only=True), other, on_progress=kill)
else:
    restore(other, state, Actor("mia"), Role.APPROVER, on_progress=kill)
"""


def run(code: str, *words: object, limit: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", limit + code, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=120,
        check=False,
    )


def test_killed_half_way_there_is_no_backup_and_the_next_one_clears_up(demo_state: Path, tmp_path: Path) -> None:
    target = tmp_path / "one.backup"
    assert run(_KILLED, demo_state, target, "backup", 5).returncode == -signal.SIGKILL
    assert not target.exists()
    assert unfinished(tmp_path)
    backed_up(demo_state, target)
    assert unfinished(tmp_path) == []
    assert examine_backup(target).devices == 500


def test_what_a_living_process_has_not_finished_is_left_alone(demo_state: Path, tmp_path: Path) -> None:
    target = tmp_path / "one.backup"
    with closing(Store(demo_state, read_only=True)) as store:
        seen: list[int] = []
        back_up(store, target, on_progress=lambda what, _, __: seen.append(len(unfinished(tmp_path))))
        assert set(seen) == {1}


def test_a_full_disk_leaves_no_file(demo_state: Path, tmp_path: Path) -> None:
    target = tmp_path / "one.backup"
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
    done = run(_KILLED, demo_state, target, "backup", 10**6, limit=limit)
    assert done.returncode == 1
    assert "StateUnusable" in done.stderr
    assert "cannot be written" in done.stderr
    assert not target.exists()
    assert unfinished(tmp_path) == []


# --- what is no backup ------------------------------------------------------------------------------


def tamper(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("UPDATE audit SET body = replace(body, 'mia', 'eve') WHERE seq = 1")


def test_files_that_are_no_backup_are_refused_and_the_state_stays(demo_state: Path, backup: Path) -> None:
    before = demo_state.read_bytes()
    whole = backup.read_bytes()
    bad = backup.with_name("bad.backup")
    for content in (b"", b"no database", whole[:100], whole[:70_000], whole[: len(whole) // 2]):
        bad.write_bytes(content)
        with pytest.raises(StateUnusable):
            brought_back(bad, demo_state)
    with pytest.raises(BadInput, match="no such file"):
        brought_back(backup.with_name("none"), demo_state)
    with pytest.raises(BadInput, match="folder"):
        brought_back(backup.parent, demo_state)
    with pytest.raises(BadInput, match="itself"):
        brought_back(demo_state, demo_state)
    assert demo_state.read_bytes() == before
    assert not demo_state.with_name("demo.db.before-restore").exists()


def test_a_foreign_a_newer_and_a_tampered_file_are_refused(demo_state: Path, backup: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE audit (seq)")
    with pytest.raises(StateUnusable, match="not a state file"):
        brought_back(foreign, demo_state)
    newer = tmp_path / "newer.db"
    newer.write_bytes(backup.read_bytes())
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StateTooNew):
        brought_back(newer, demo_state)
    tamper(backup)
    with pytest.raises(Refused, match="record 1 was changed"):
        brought_back(backup, demo_state)


def test_what_is_wrong_with_a_damaged_backup_is_told(demo_state: Path, backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    with closing(sqlite3.connect(backup)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'install'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    content[(root - 1) * size + 100 : root * size] = bytes([0x5A]) * (size - 100)
    backup.write_bytes(content)
    with pytest.raises(StateUnusable) as refused:
        brought_back(backup, demo_state)
    assert "***" not in refused.value.why
    assert len(refused.value.why) > len("SQLite says: .")


# --- restore ----------------------------------------------------------------------------------------


def summaries(state: Path) -> list[str]:
    with open_engine(state) as engine:
        assert engine.reads.activity.audit_check().holds
        return [row.action for row in reversed(engine.reads.activity.audit())]


def test_a_restore_brings_back_what_was_and_keeps_what_is(demo_state: Path, backup: Path) -> None:
    with open_engine(demo_state) as engine:
        change_number = engine.change_number()
    done = brought_back(backup, demo_state)
    assert done.aside == demo_state.with_name("demo.db.before-restore")
    assert summaries(demo_state) == ["approve", "restore"]
    assert summaries(done.aside) == ["approve", "pause", "approve"]
    with open_engine(demo_state) as engine:
        assert engine.reads.rollout.stops() == ()
        record = engine.reads.activity.audit()[0]
        assert (record.actor, record.reason, record.seq) == ("mia", "wrong pause", done.seq)
        assert record.details["before"] != record.details["after"]
        assert engine.change_number() > change_number
    assert unfinished(demo_state.parent) == []


def test_the_restored_state_works_on(demo_state: Path, backup: Path) -> None:
    brought_back(backup, demo_state)
    decide(demo_state, "again")
    brought_back(backup, demo_state)
    assert demo_state.with_name("demo.db.before-restore-2").exists()
    assert summaries(demo_state.with_name("demo.db.before-restore-2")) == ["approve", "restore", "pause", "approve"]


def test_of_two_restores_at_once_the_second_keeps_what_the_first_has_made(
    demo_state: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = demo_state.with_name("demo.db.before-restore")

    @contextmanager
    def waiting(state: Path) -> Iterator[Taken]:
        aside.write_bytes(b"of the first")
        with taken(state) as present:
            yield present

    monkeypatch.setattr("engine.safekeeping.backup.taken", waiting)
    done = brought_back(backup, demo_state)
    assert done.aside == demo_state.with_name("demo.db.before-restore-2")
    assert aside.read_bytes() == b"of the first"
    with open_engine(demo_state) as engine:
        assert engine.reads.activity.audit()[0].details["kept as"] == "demo.db.before-restore-2"


def test_a_state_that_others_have_open_is_not_replaced(
    demo_state: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.whole._PATIENCE", 0.05)
    for read_only in (False, True):
        with open_engine(demo_state, read_only=read_only) as engine:
            engine.reads.devices.counts()
            with pytest.raises(LeaseHeld, match="in use"):
                brought_back(backup, demo_state)
    assert summaries(demo_state) == ["approve", "pause", "approve"]


def test_a_state_that_another_host_drives_is_not_replaced(demo_state: Path, backup: Path) -> None:
    with closing(Store(demo_state)) as store, store.transaction():
        store.lease.host = "elsewhere"
        assert store.lease.take()
    with pytest.raises(LeaseHeld, match="elsewhere"):
        brought_back(backup, demo_state)


@pytest.mark.parametrize("content", [b"no database at all" * 400, b"", None], ids=["noise", "empty", "gone"])
def test_a_restore_over_what_is_damaged_or_gone(demo_state: Path, backup: Path, content: bytes | None) -> None:
    if content is None:
        demo_state.unlink()
    else:
        demo_state.write_bytes(content)
    done = brought_back(backup, demo_state)
    assert summaries(demo_state) == ["approve", "restore"]
    if content:
        assert done.aside is not None
        assert done.aside.read_bytes() == content


def test_a_restore_over_a_state_with_damaged_pages(demo_state: Path, backup: Path) -> None:
    whole = bytearray(demo_state.read_bytes())
    whole[40_000:400_000] = os.urandom(360_000)
    demo_state.write_bytes(whole)
    done = brought_back(backup, demo_state)
    assert done.aside is not None
    assert done.aside.read_bytes()[40_000:400_000] == whole[40_000:400_000]
    assert summaries(demo_state) == ["approve", "restore"]


@pytest.mark.parametrize("step", [3, 25, 40])
def test_killed_half_way_the_state_is_as_it_was_or_wholly_restored(demo_state: Path, backup: Path, step: int) -> None:
    done = run(_KILLED, demo_state, backup, "restore", step)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert summaries(demo_state) in (["approve", "pause", "approve"], ["approve", "restore"])
    brought_back(backup, demo_state)
    assert summaries(demo_state) == ["approve", "restore"]
    assert unfinished(demo_state.parent) == []


def test_only_an_approver_restores(demo_state: Path, backup: Path) -> None:
    with pytest.raises(Refused, match="Cannot restore"):
        restore(backup, demo_state, MIA, Role.OPERATOR)
    with pytest.raises(Refused, match="read-only"):
        restore(backup, demo_state, MIA, Role.APPROVER, read_only=True)


def test_every_refusal_says_what_would_help(demo_state: Path, backup: Path, tmp_path: Path) -> None:
    def errors() -> Iterator[EngineError]:
        for wrong in (tmp_path, tmp_path / "none"):
            try:
                examine_backup(wrong)
            except EngineError as error:
                yield error

    assert [error.instead != "" for error in errors()] == [True, True]
