"""Writes a text file that is complete or not there at all, and never over another one unasked.

Called by whoever writes a file that a person named. It knows nothing of what stands in it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.model.errors import BadInput
from engine.model.own_files import refuse_own


def check_target(path: Path, *, state: Path | None, force: bool | None = None) -> None:
    """Before long work: whether the file may be written at all.

    `state` is the state file, which no file ever replaces, None where it is not known yet. `force` is None where
    nobody can say to replace a file.

    Raises:
        BadInput: it is a folder or a device, the state's own, or there already, or its folder is not.
    """
    try:
        if path.is_dir():
            raise BadInput("This is a folder.", "", "Name a file in it.", file=str(path))
        if path.exists() and not path.is_file():
            raise BadInput("This is no ordinary file.", "", "Write to standard output with: -", file=str(path))
        if state is not None:
            refuse_own(state, path)
        if path.exists() and not force:
            raise _there_already(path, force)
        if not path.parent.is_dir():
            raise BadInput("There is no such folder.", "", "Make it first, or name another one.", file=str(path))
    except OSError as error:
        raise _unwritable(path, error) from error


def write_whole(
    path: Path,
    pieces: Iterable[str],
    *,
    state: Path,
    force: bool | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Write the pieces as UTF-8 under that name once they are all there and `wanted` says so.

    The mode of the file follows the umask; `state` and `force` as for `check_target`.

    Whatever happens in between, Ctrl+C too, leaves neither a half file nor a changed older one.

    Raises:
        BadInput: as `check_target`, or it cannot be written.
    """
    check_target(path, state=state, force=force)
    unfinished = path.with_name(f".{path.name[:60]}.{os.getpid()}-{secrets.token_hex(4)}.unfinished")
    try:
        with unfinished.open("x", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if wanted():
            _name(unfinished, path, force=force)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _name(unfinished: Path, path: Path, *, force: bool | None) -> None:
    if force:
        unfinished.replace(path)
        return
    try:
        path.hardlink_to(unfinished)  # fails where somebody was quicker, which a rename would not
    except FileExistsError as error:
        raise _there_already(path, force) from error
    except OSError:
        if path.exists():  # a file system without hard links
            raise _there_already(path, force) from None
        unfinished.replace(path)


def _there_already(path: Path, force: bool | None) -> BadInput:
    instead = "Remove it first" if force is None else "Replace it with --force"
    return BadInput("There is such a file already.", "", f"{instead}, or name another one.", file=str(path))


def _unwritable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        "The file cannot be written.",
        f"{error.strerror or type(error).__name__}.",
        "Name a file in a folder of yours.",
        file=str(path),
    )
