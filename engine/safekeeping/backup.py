"""Backups of the state file while others work on it, and the way back; `Engine.backup` and the commands call it.

A backup counts only when it was read again from its first page to its last audit record. A restore keeps what was
there, and stands in the audit of what it has brought back. Nothing here deletes a file that it did not make.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from engine.fleet.demo_clock import DemoControl, read_demo
from engine.model.audit import AuditEntry
from engine.model.clock import Clock, SystemClock
from engine.model.errors import BadInput, Refused
from engine.model.intents import Actor, Role
from engine.model.own_files import refuse_own
from engine.rules.plans.permissions import may_restore
from engine.store import Store
from engine.store.whole import Damaged, Examined, Progress, Taken, copy_file, copy_whole, examine, taken

__all__ = ["Examined", "Progress", "Restored", "back_up", "examine_backup", "restore"]

_ASIDE = "before-restore"


class Restored(Struct, frozen=True):
    """What a restore did."""

    found: Examined
    """The backup."""
    aside: Path | None
    """Where the state that was there is kept; None where there was none."""
    seq: int
    """The number of the audit record that tells of it."""


# --- backup -----------------------------------------------------------------------------------------


def back_up(store: Store, target: Path, *, force: bool = False, on_progress: Progress | None = None) -> Examined:
    """Write everything that the store holds at this moment to a file of its own, and read that again.

    A state whose audit is broken is copied too: it is the evidence. `Examined.audit` says so.

    Raises:
        Refused: there is such a file, and `force` does not replace it.
        BadInput: the place cannot be written.
        StateUnusable: the state cannot be read, or the disk is full; no file is left.
    """
    _check_target(store.path, target, force=force)
    with _unfinished(target) as unfinished:
        try:
            copy_whole(store.connection, unfinished, on_progress)
        except OSError as error:
            raise _no_place(target, error) from error
        found = examine(unfinished, on_progress)
        _put_in_place(unfinished, target, force=force)
    return found


def _check_target(state: Path, target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise BadInput("This is a folder.", "", "Name a file.", file=str(target))
    refuse_own(state, target)
    if target.exists() and not force:
        raise _there_already(target)


def _there_already(target: Path) -> Refused:
    return Refused("No backup was made.", f"There is a file {target} already.", "Name another one, or add --force.")


def _put_in_place(unfinished: Path, target: Path, *, force: bool) -> None:
    try:
        if force:
            unfinished.replace(target)
        else:
            _name(unfinished, target)
    except FileExistsError as error:
        raise _there_already(target) from error
    except OSError as error:
        raise _no_place(target, error) from error
    _sync_folder(target.parent)


# --- restore ----------------------------------------------------------------------------------------


def examine_backup(backup: Path, on_progress: Progress | None = None, *, force: bool = False) -> Examined:
    """What a backup holds, checked from its first page to its last audit record; `force` accepts a broken audit.

    Raises:
        BadInput: there is no such file, or it cannot be read.
        StateUnusable, StateTooNew: it is none, damaged, or too new.
        Refused: its audit does not hold.
    """
    found = examine(backup, on_progress)
    if found.audit.broken is not None and not force:
        raise Refused(
            f"{backup} is not restored.",
            f"Its audit does not hold: {found.audit.broken.why}.",
            "Use another backup, or add --force where there is none: the break stays in the audit.",
        )
    return found


def restore(
    backup: Path,
    state: Path,
    actor: Actor,
    role: Role,
    *,
    read_only: bool = False,
    reason: str = "",
    force: bool = False,
    clock: Clock | None = None,
    on_progress: Progress | None = None,
) -> Restored:
    """Make a backup the state again. What is there now is kept beside it as ``STATE.before-restore``.

    Killed at any time, the state is either as it was or wholly restored.

    Raises:
        Refused: this actor may not, or the backup's audit does not hold and `force` does not accept that.
        BadInput: the backup cannot be read, or the place cannot be written.
        StateUnusable, StateTooNew: the backup is none, damaged, or too new; or the disk is full.
        LeaseHeld: another process has the state open.
    """
    refusal = may_restore(role, read_only=read_only)
    if refusal is not None:
        raise Refused(refusal.what, refusal.why, refusal.instead)
    if state.is_dir():
        raise BadInput("This is a folder.", "", "Name the state file with --db.", file=str(state))
    if state.exists() and backup.exists() and backup.samefile(state):
        raise BadInput("This is the state file itself.", "", "Name a backup of it.", file=str(backup))
    found = examine_backup(backup, on_progress, force=force)
    job = _Restore(backup, state, actor, reason, clock or SystemClock(), found, on_progress)
    try:
        state.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _unfinished(state) as unfinished:
            return job.run(unfinished)
    except OSError as error:
        raise _no_place(state, error) from error


class _Restore(Struct, frozen=True):
    """One restore on its way."""

    backup: Path
    state: Path
    actor: Actor
    reason: str
    clock: Clock
    found: Examined
    on_progress: Progress | None

    def run(self, unfinished: Path) -> Restored:
        if not self.state.exists():
            seq = self._prepare(unfinished, None, None)
            _name(unfinished, self.state)
            return Restored(self.found, None, seq)
        try:
            with taken(self.state) as present:
                return self._in_place(present, unfinished, _free_name(self.state))
        except Damaged:
            # The files themselves are moved aside.
            return self._over_damage(unfinished, _free_name(self.state))

    def _in_place(self, present: Taken, unfinished: Path, aside: Path) -> Restored:
        seq = self._prepare(unfinished, present.summary(), aside)
        with _unfinished(aside) as copy:
            present.copy_to(copy, self.on_progress)
            _name(copy, aside)
        _sync_folder(aside.parent)
        present.replace_with(unfinished, self.on_progress)
        return Restored(self.found, aside, seq)

    def _over_damage(self, unfinished: Path, aside: Path) -> Restored:
        seq = self._prepare(unfinished, None, aside)
        for suffix in ("-shm", "-wal", ""):
            file = self.state.with_name(self.state.name + suffix)
            if file.exists():
                file.rename(aside.with_name(aside.name + suffix))
        unfinished.rename(self.state)
        _sync_folder(self.state.parent)
        return Restored(self.found, aside, seq)

    def _prepare(self, unfinished: Path, before: Examined | None, aside: Path | None) -> int:
        """The state as it will be: the backup, brought to this version, with the record of its restore."""
        copy_file(self.backup, unfinished, self.on_progress)
        store = Store(unfinished, create=False)
        try:
            with store.transaction():
                store.lease.clear()
                seq = store.audit.append(self._entry(store, before, aside))
                store.state.count_beyond(before.change_number if before is not None else 0)
            store.settle()
        finally:
            store.close()
            for path in unfinished.parent.glob(f"{unfinished.name}.before-*"):
                path.unlink()  # the copy that an upgrade makes first; the backup is there still
        return seq

    def _entry(self, store: Store, before: Examined | None, aside: Path | None) -> AuditEntry:
        demo = read_demo(store)
        after = self.found
        details: dict[str, object] = {
            "backup": self.backup.name,
            "kept as": aside.name if aside is not None else "",
            "before": {} if before is None else _told(before),
            "after": _told(after),
        }
        return AuditEntry(
            at=(DemoControl(store) if demo is not None else self.clock).now(),
            actor=self.actor.name,
            origin=self.actor.origin,
            action="restore",
            summary=f"The state was restored from {self.backup.name}, up to audit record {after.audit.head.seq}",
            reason=self.reason,
            devices=after.devices,
            details=details,
        )


def _told(found: Examined) -> dict[str, object]:
    return {
        "devices": found.devices,
        "change": found.change_number,
        "audit": str(found.audit.head),
        "audit holds": found.audit.holds,
    }


def _free_name(state: Path) -> Path:
    """``STATE.before-restore``, with a number where there is one already."""
    aside = state.with_name(f"{state.name}.{_ASIDE}")
    number = 1
    while aside.exists():
        number += 1
        aside = state.with_name(f"{state.name}.{_ASIDE}-{number}")
    return aside


# --- files ------------------------------------------------------------------------------------------


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A name beside the target for what is not complete; whatever is left of it is removed, also of dead processes."""
    host = "".join(each if each.isalnum() else "-" for each in socket.gethostname())
    _sweep(target, host)
    path = target.with_name(f".{target.name}.{host}.{os.getpid()}-{os.urandom(3).hex()}.unfinished")
    try:
        yield path
    finally:
        _remove(path)


def _name(unfinished: Path, target: Path) -> None:
    """Give a complete file its name; unlike a rename it fails where somebody else has made such a file meanwhile.

    Raises:
        FileExistsError, OSError.
    """
    try:
        target.hardlink_to(unfinished)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if target.exists():
            raise FileExistsError(17, "File exists", str(target)) from None
        unfinished.rename(target)


def _sweep(target: Path, host: str) -> None:
    """Remove what processes of this host have left that were killed."""
    for path in target.parent.glob(f".{target.name}.{host}.*.unfinished"):
        pid = path.name.removesuffix(".unfinished").rpartition(".")[2].partition("-")[0]
        if pid.isdecimal() and not _lives(int(pid)):
            _remove(path)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _no_place(target: Path, error: OSError) -> BadInput:
    return BadInput(
        "The file cannot be written.",
        f"{error.strerror or error}.",
        "Name a file in a folder that you may write to.",
        file=str(target),
    )
