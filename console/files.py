"""Writes a text file that is complete or not there at all, and never over another one unasked.

Called by whoever writes a file that a person named. It knows nothing of what stands in it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from engine.errors import BadInput


def check_target(path: Path, *, force: bool) -> None:
    """Before long work: whether the file may be written at all.

    Raises:
        BadInput: it is a folder or a device, it is there already, or its folder is not.
    """
    try:
        if path.is_dir():
            raise BadInput("This is a folder.", "", "Name a file in it.", file=str(path))
        if path.exists() and not path.is_file():
            raise BadInput("This is no ordinary file.", "", "Write to standard output with: -", file=str(path))
        if path.exists() and not force:
            raise _there_already(path)
        if not path.parent.is_dir():
            raise BadInput("There is no such folder.", "", "Make it first, or name another one.", file=str(path))
    except OSError as error:
        raise _unwritable(path, error) from error


def write_whole(path: Path, pieces: Iterable[str], *, force: bool = False) -> None:
    """Write the pieces as UTF-8 under that name once they are all there; its mode follows the umask.

    Whatever happens in between, Ctrl+C too, leaves neither a half file nor a changed older one.

    Raises:
        BadInput: the file is there already and `force` does not say to replace it, or it cannot be written.
    """
    check_target(path, force=force)
    unfinished = path.with_name(f".{path.name[:60]}.{os.getpid()}-{secrets.token_hex(4)}.unfinished")
    try:
        with unfinished.open("x", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        _name(unfinished, path, force=force)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _name(unfinished: Path, path: Path, *, force: bool) -> None:
    if force:
        unfinished.replace(path)
        return
    try:
        path.hardlink_to(unfinished)  # fails where somebody was quicker, which a rename would not
    except FileExistsError as error:
        raise _there_already(path) from error
    except OSError:
        if path.exists():  # a file system without hard links
            raise _there_already(path) from None
        unfinished.replace(path)


def _there_already(path: Path) -> BadInput:
    return BadInput(
        "There is such a file already.", "", "Replace it with --force, or name another one.", file=str(path)
    )


def _unwritable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        "The file cannot be written.",
        f"{error.strerror or type(error).__name__}.",
        "Name a file in a folder of yours.",
        file=str(path),
    )
