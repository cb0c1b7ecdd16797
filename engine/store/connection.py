"""Opens a state file: checks that it is ours, migrates it after a backup copy, sets WAL.

`Store` calls it; nothing else may open the file. One connection belongs to one thread.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.model.errors import EngineError, StateMissing, StateTooNew, StateUnusable

APPLICATION_ID = 0x48505443  # "HPTC", stored in the file's header so that a foreign file is recognised
SCHEMA_VERSION = 14
"""The number of migrations in `schema`; kept in PRAGMA user_version so that opening need not load sqlite-utils."""

_BUSY_SECONDS = 10.0


def open_state(path: Path, *, read_only: bool = False, create: bool = True) -> sqlite3.Connection:
    """A connection to the state file at `path`, at the newest schema.

    Raises:
        StateUnusable: no such file, no permission, not a state file of this program, damaged.
        StateTooNew: written by a newer version.
    """
    check_place(path, create=create and not read_only)
    try:
        connection = _connect(path, read_only)
        try:
            _bring_up_to_date(connection, path, read_only)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    return connection


def unusable(path: Path, error: sqlite3.Error) -> EngineError:
    """The sentence for what SQLite said about the file."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
        return StateUnusable(
            f"{path} is not a state file.", "It is no SQLite database.", "Name another file with --db."
        )
    said = str(error)
    if "readonly" in said or "unable to open" in said:
        return StateUnusable(
            f"{path} cannot be opened for writing.",
            f"SQLite says: {said}.",
            "Check the permissions of the file and its folder, or use --read-only.",
        )
    if "locked" in said:
        return StateUnusable(
            f"{path} is busy.", "Another process has been writing for more than 10 seconds.", "Try again."
        )
    if "full" in said:
        return StateUnusable(f"{path} cannot grow.", "The disk is full.", "Free space; nothing was half-written.")
    return StateUnusable(f"{path} cannot be used.", f"SQLite says: {said}.", "Restore a backup, or name another file.")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, with the right to write taken at once so that two writers queue instead of failing late."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Every read within sees the same state, whatever others write meanwhile; inside a transaction nothing changes."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def check_place(path: Path, *, create: bool) -> None:
    """Make the folder of a state file, or say why the file cannot be there.

    Raises:
        StateMissing: there is none, and it may not be made.
        StateUnusable: a folder, a place that cannot be reached or written.
    """
    try:
        exists = path.exists()
        if path.is_dir():
            raise StateUnusable(f"{path} is a folder.", "", "Name a file with --db.")
        if not exists and not create:
            raise StateMissing(
                f"There is no state file {path}.", "", "Make one with: hotpatch demo --db FILE --prepare"
            )
        if not exists:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not os.access(path.parent, os.W_OK):
                raise StateUnusable(
                    f"{path} cannot be made.",
                    f"You may not write to {path.parent}.",
                    "Name a file in a folder you may write to.",
                )
    except OSError as error:
        raise StateUnusable(
            f"{path} cannot be used.",
            f"{error.strerror or error}.",
            "Name a file in a folder you may write to.",
        ) from error


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    if read_only and not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        address += "&immutable=1"  # WAL would need a file beside it; nobody writes here, so none is needed
    connection = sqlite3.connect(
        address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -16000")
    # Not mapped into memory: a scan of a large fleet would stay resident, and is no faster for it.
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def _bring_up_to_date(connection: sqlite3.Connection, path: Path, read_only: bool) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    is_new = application == 0 and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if application != APPLICATION_ID and not is_new:
        raise StateUnusable(
            f"{path} is not a state file of Hotpatch Console.",
            "It is another program's SQLite database.",
            "Name another file with --db.",
        )
    if version > SCHEMA_VERSION:
        raise StateTooNew(
            f"{path} was written by a newer version of Hotpatch Console.",
            f"Its schema is {version}, this version knows {SCHEMA_VERSION}.",
            "Use the newer version, or restore a backup made before the upgrade.",
        )
    if version == SCHEMA_VERSION:
        if not read_only:
            connection.execute("PRAGMA synchronous = NORMAL")
        return
    if read_only:
        raise StateUnusable(
            f"{path} must be brought up to date first.",
            f"Its schema is {version}, this version needs {SCHEMA_VERSION}.",
            "Open it once without --read-only.",
        )
    _migrate(connection, path, version)


def _migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    # Imported here: sqlite-utils costs start-up time that a file of the right version need not pay.
    from sqlite_utils import Database

    from engine.store.schema import migrations

    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if version:
        _copy_aside(connection, path.with_name(f"{path.name}.before-{SCHEMA_VERSION}"))
    # The lock makes two first starts at once queue: the second finds nothing left to do.
    with transaction(connection):
        database = Database(connection, execute_plugins=False)
        migrations.apply(database)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _copy_aside(connection: sqlite3.Connection, copy: Path) -> None:
    target = sqlite3.connect(copy)
    try:
        connection.backup(target)
    finally:
        target.close()
