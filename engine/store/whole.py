"""Whole state files: copied as one picture while others write, examined before they are trusted, replaced in place.

`engine.safekeeping.backup` calls it. A file that others have open is never moved or overwritten from outside SQLite:
they would go on writing to something that is not the state any more.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from engine.model.audit import AuditCheck
from engine.model.errors import BadInput, LeaseHeld, StateTooNew, StateUnusable
from engine.store.audit import AuditStore
from engine.store.connection import APPLICATION_ID, SCHEMA_VERSION, snapshot, unusable
from engine.store.state import Lease
from engine.store.values import damage

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it, out of how much; 0 where that is not known."""

_PAGES = 2_000
"""Pages a step, 8 MB: often enough for a line of progress, and for an interrupt to be noticed."""
_PATIENCE = 2.0
"""Seconds to wait for others to let go of a file."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FIRST_WITH_AUDIT = 6


class Examined(Struct, frozen=True):
    """What a whole state file holds."""

    schema: int
    devices: int
    change_number: int
    bytes: int
    audit: AuditCheck


def examine(path: Path, on_progress: Progress | None = None) -> Examined:
    """Look at a state file from its header to its last page and audit record, without writing to it.

    The chain of the audit may be broken: the caller decides what that means.

    Raises:
        BadInput: there is no such file, or it cannot be read.
        StateTooNew: written by a newer version.
        StateUnusable: not a state file of this program, or damaged.
    """
    with _opened(path) as connection:
        _check_header(connection, path)
        _tell(on_progress, "checking pages", 0, 0)
        said = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        if said != "ok":
            why = f"SQLite says: {damage(said)}."
            raise StateUnusable(f"{path} is damaged.", why, "Use another backup.")
        return _summary(connection, path, on_progress)


def copy_whole(source: sqlite3.Connection, target: Path, on_progress: Progress | None = None) -> None:
    """Copy all that a connection sees at this moment into a new file that only its owner may read.

    Others may write meanwhile: the reading transaction keeps the picture still, so that the copy never begins anew.

    Raises:
        OSError: the target cannot be made; FileExistsError where it is there.
        StateUnusable: the file cannot be read, or the target cannot be written: the disk is full.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with snapshot(source):
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                _transfer(source, copy, on_progress)
    except sqlite3.Error as error:
        raise _unwritten(target, error) from error
    _sync(target)


def copy_file(source: Path, target: Path, on_progress: Progress | None = None) -> None:
    """`copy_whole` of a file that may lie where nobody may write.

    Raises:
        BadInput, OSError, StateUnusable.
    """
    with _opened(source) as connection:
        copy_whole(connection, target, on_progress)


def _transfer(source: sqlite3.Connection, target: sqlite3.Connection, on_progress: Progress | None) -> None:
    def tell(_: int, remaining: int, total: int) -> None:
        _tell(on_progress, "copying", total - remaining, total)

    source.backup(target, pages=_PAGES, progress=tell)


def _unwritten(target: Path, error: sqlite3.Error) -> StateUnusable:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return StateUnusable(
            f"The copy in {target.parent} cannot be written.",
            "The disk is full.",
            "Free space, or name a place on another disk.",
        )
    return StateUnusable(
        f"The copy in {target.parent} cannot be written.",
        f"SQLite says: {error}.",
        "Name another place, and try again.",
    )


class Damaged(StateUnusable):
    """SQLite cannot open the file at all, so that nobody can be working with it."""


class Taken:
    """A state file that this process alone has open."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db = connection
        self._path = path

    def summary(self) -> Examined | None:
        """What it holds; None where that cannot be read any more, which is why one restores. Pages are not checked."""
        try:
            return _summary(self._db, self._path, None)
        except sqlite3.Error:
            return None

    def copy_to(self, target: Path, on_progress: Progress | None = None) -> None:
        """Copy it as it is into a new file.

        Raises:
            OSError, StateUnusable.
        """
        copy_whole(self._db, target, on_progress)

    def replace_with(self, source: Path, on_progress: Progress | None = None) -> None:
        """Put the content of another file in its place, in one transaction: killed half-way, nothing has changed.

        Raises:
            StateUnusable: it cannot be written; nothing has changed.
        """
        try:
            with _opened(source) as connection:
                _transfer(connection, self._db, on_progress)
        except sqlite3.Error as error:
            raise _unwritten(self._path, error) from error


@contextmanager
def taken(path: Path) -> Iterator[Taken]:
    """Have a state file to oneself.

    Raises:
        LeaseHeld: another process has it open, or another host drives its work.
        Damaged: it is no state file, or so damaged that SQLite cannot open it.
        StateUnusable: it cannot be written.
    """
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            # In WAL mode this fails while any other connection exists, one that only reads included.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
            driver = Lease(connection).holder()
        except sqlite3.Error as error:
            raise _cannot_take(path, error) from error
        if driver:
            raise LeaseHeld(f"{path} is in use.", f"Its work is driven by {driver}.", "End that first.")
        yield Taken(connection, path)
    finally:
        connection.close()


def _cannot_take(path: Path, error: sqlite3.Error) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_BUSY:
        return LeaseHeld(
            f"{path} is in use.",
            "Another process has it open: a console, or a command that runs.",
            "Close every console on it, then try again.",
        )
    if code in _DAMAGED or "no such table" in str(error):
        return Damaged(f"{path} is damaged.", f"SQLite says: {error}.", "Restore a backup.")
    return unusable(path, error)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A reading connection that leaves no file behind where nobody else has the file open."""
    if path.is_dir():
        raise BadInput("This is a folder.", "", "Name a backup.", file=str(path))
    if not path.is_file():
        raise BadInput("There is no such file.", "", "Name a backup.", file=str(path))
    if not os.access(path, os.R_OK):
        raise BadInput("The file cannot be read.", "You may not read it.", "Ask its owner.", file=str(path))
    immutable = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{immutable}", uri=True, isolation_level=None)
        with closing(connection):
            connection.row_factory = sqlite3.Row
            yield connection
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
            raise
        why = f"SQLite says: {error}."
        raise StateUnusable(f"{path} is damaged, or no state file.", why, "Use another backup.") from error


def _check_header(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StateUnusable(
            f"{path} is not a state file of Hotpatch Console.",
            "It is empty or another program's SQLite database.",
            "Name a file that `hotpatch backup` has written.",
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StateTooNew(
            f"{path} was written by a newer version of Hotpatch Console.",
            f"Its schema is {version}, this version knows {SCHEMA_VERSION}.",
            "Use the newer version.",
        )
    if version < _FIRST_WITH_AUDIT:
        raise StateUnusable(f"{path} is not complete.", f"Its schema is {version}.", "Use another backup.")


def _summary(connection: sqlite3.Connection, path: Path, on_progress: Progress | None) -> Examined:
    def records(done: int) -> None:
        _tell(on_progress, "checking the audit", done, 0)

    return Examined(
        schema=connection.execute("PRAGMA user_version").fetchone()[0],
        devices=connection.execute("SELECT ifnull(sum(devices), 0) FROM device_count").fetchone()[0],
        change_number=connection.execute("SELECT number FROM change").fetchone()[0],
        bytes=path.stat().st_size,
        audit=AuditStore(connection).check(on_progress=records),
    )


def _tell(on_progress: Progress | None, what: str, done: int, whole: int) -> None:
    if on_progress is not None:
        on_progress(what, done, whole)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
