from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlite_utils import Database

from engine.model.errors import StateTooNew, StateUnusable
from engine.store import connection as connection_module
from engine.store.connection import APPLICATION_ID, SCHEMA_VERSION, open_state, transaction
from engine.store.schema import migrations
from engine.store.schema.script import run_script


def shape(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return [tuple(row) for row in db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")]


def test_a_new_file_is_ours_in_wal_and_at_the_newest_schema(tmp_path: Path) -> None:
    db = open_state(tmp_path / "made" / "fleet.db")
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    assert db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    db.close()


def test_the_schema_version_counts_the_migrations(tmp_path: Path) -> None:
    db = Database(tmp_path / "count.db")
    assert len(migrations.pending(db)) == SCHEMA_VERSION
    db.close()


def test_reading_never_makes_a_file(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="no state file"):
        open_state(tmp_path / "none.db", create=False)
    with pytest.raises(StateUnusable, match="no state file"):
        open_state(tmp_path / "none.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_text_a_folder_and_a_foreign_database_are_refused_untouched(tmp_path: Path) -> None:
    text = tmp_path / "notes.db"
    text.write_text("not a database, but long enough to have a header of a hundred bytes" * 4)
    before = text.read_bytes()
    with pytest.raises(StateUnusable, match="not a state file"):
        open_state(text)
    assert text.read_bytes() == before
    with pytest.raises(StateUnusable, match="is a folder"):
        open_state(tmp_path)
    foreign = tmp_path / "foreign.db"
    db = sqlite3.connect(foreign)
    db.execute("CREATE TABLE other (x)")
    db.close()
    before = foreign.read_bytes()
    with pytest.raises(StateUnusable, match="another program"):
        open_state(foreign)
    assert foreign.read_bytes() == before


def test_a_newer_schema_is_refused_with_both_versions(tmp_path: Path) -> None:
    db = open_state(tmp_path / "new.db")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(StateTooNew, match=f"schema is {SCHEMA_VERSION + 1}"):
        open_state(tmp_path / "new.db")


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(StateUnusable, match="cannot be"):
        open_state(Path("/proc/nowhere/fleet.db"))


def test_a_cut_off_file_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "cut.db"
    open_state(path).close()
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(StateUnusable):
        db = open_state(path)
        try:
            with transaction(db):
                db.execute("INSERT INTO setting VALUES ('a', 'b')")
        except sqlite3.Error as error:
            raise connection_module.unusable(path, error) from error
        finally:
            db.close()


def test_a_migration_that_fails_leaves_the_old_file_and_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrations.apply(Database(db), stop_before="m005_installs")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 4")
    before = shape(db)
    db.close()

    def broken(db: Database) -> None:
        db.execute("CREATE TABLE half (x)")
        raise sqlite3.OperationalError("the disk is full")

    entry = next(m for m in migrations._migrations if m.name == "m006_audit")
    monkeypatch.setattr(entry, "fn", broken)
    with pytest.raises(StateUnusable, match="full"):
        open_state(path)
    db = sqlite3.connect(path)
    assert shape(db) == before, "all migrations of one opening succeed together or not at all"
    db.close()
    assert (tmp_path / f"old.db.before-{SCHEMA_VERSION}").exists()
    monkeypatch.undo()
    db = open_state(path)
    assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    db.close()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    db = open_state(tmp_path / "t.db")
    with pytest.raises(RuntimeError), transaction(db):
        db.execute("INSERT INTO setting VALUES ('half', '1')")
        raise RuntimeError
    assert db.execute("SELECT count(*) FROM setting").fetchone()[0] == 0
    db.close()


def test_the_audit_table_itself_refuses_change_and_removal(tmp_path: Path) -> None:
    db = open_state(tmp_path / "a.db")
    db.execute("INSERT INTO audit VALUES (1, 0, 'mia', 'approve', NULL, '{}', '', '')")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("UPDATE audit SET actor = 'eve'")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("DELETE FROM audit")
    db.close()


def test_a_file_in_a_folder_that_cannot_be_written_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.db"
    open_state(path).close()
    monkeypatch.setattr(connection_module.os, "access", lambda *_: False)
    db = open_state(path, read_only=True)
    assert db.execute("SELECT number FROM change").fetchone()[0] == 0
    db.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept.db"], "nothing is made beside it"


def test_a_script_is_carried_out_statement_by_statement_in_the_open_transaction(tmp_path: Path) -> None:
    script = """
        CREATE TABLE one (x TEXT); -- a remark; with a semicolon
        CREATE TRIGGER two AFTER INSERT ON one BEGIN UPDATE one SET x = 'a;b'; DELETE FROM one; END;
        INSERT INTO one VALUES ('kept');
        """
    told = []
    for name, carry_out in (("ours.db", run_script), ("theirs.db", Database.executescript)):
        db = sqlite3.connect(tmp_path / name, isolation_level=None)
        db.execute("BEGIN")
        carry_out(Database(db, execute_plugins=False), script)
        assert db.in_transaction
        told.append(db.execute("SELECT name, sql FROM sqlite_master").fetchall())
        db.execute("ROLLBACK")
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        db.close()
    assert told[0] == told[1]
