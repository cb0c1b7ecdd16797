"""Where a sign-in is kept, and whether the file is private enough to be used. Loads no sign-in library.

`token_cache` reads and writes the file; `tenants.desk` asks whether there is one and forgets it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from engine.model.errors import SignInNeeded
from engine.providers.graph.config import GraphConfig

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def token_file(name: str, config: GraphConfig, folder: Path | None = None) -> Path:
    """The file of one provider's sign-in. Its name follows the app and the tenant as well, so that two state files
    with a provider of the same name never share a sign-in to different places."""
    place = f"{config.authority}\n{config.tenant_id}\n{config.client_id}".casefold()
    mark = hashlib.sha256(place.encode()).hexdigest()[:8]
    return (folder or _folder()) / f"{name.casefold()}-{mark}.json"


def _folder() -> Path:
    from platformdirs import user_state_path

    return user_state_path("hotpatch", appauthor=False) / "tokens"


def make_folder(path: Path) -> None:
    """Make the folder of a token file, for its owner alone.

    Raises:
        SignInNeeded: it cannot be made, or belongs to somebody else.
    """
    folder = path.parent
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or not _is_mine(found):
            raise SignInNeeded(
                "The sign-in cannot be kept.",
                f"{folder} is no folder of yours.",
                "Move it away, or add the provider with --memory-cache.",
            )
        if os.name == "posix" and found.st_mode & _OTHERS:
            folder.chmod(0o700)
    except OSError as error:
        raise SignInNeeded(
            "The sign-in cannot be kept.",
            f"{folder}: {error.strerror}.",
            "Make the folder writable, or add the provider with --memory-cache.",
        ) from error


def check_private(path: Path, name: str) -> None:
    """Refuse a token file that somebody else can read, has put there, or that leads elsewhere; none at all is fine.

    Raises:
        SignInNeeded: it is not used as it is.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SignInNeeded(f"The kept sign-in of {name} cannot be read.", f"{path}: {error.strerror}.") from error
    instead = f"Forget it and sign in anew: hotpatch provider logout {name}"
    if not stat.S_ISREG(found.st_mode):
        raise SignInNeeded(f"The kept sign-in of {name} is not used.", f"{path} is no ordinary file.", instead)
    if os.name != "posix":
        return
    if not _is_mine(found):
        raise SignInNeeded(f"The kept sign-in of {name} is not used.", f"{path} belongs to somebody else.", instead)
    if found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise SignInNeeded(
            f"The kept sign-in of {name} is not used.",
            f"Others can reach {path}: its mode is {mode:o}.",
            f"{instead} - or, if nobody can have read it: chmod 600 {path}",
        )


def forget(path: Path) -> bool:
    """Delete a kept sign-in with what lies beside it; whether there was one.

    Raises:
        SignInNeeded: it cannot be deleted.
    """
    try:
        there = path.is_symlink() or path.exists()
        path.unlink(missing_ok=True)
        lock_of(path).unlink(missing_ok=True)
        for left in path.parent.glob(f"{path.name}.*.unfinished"):
            left.unlink(missing_ok=True)
    except OSError as error:
        raise SignInNeeded(
            "The kept sign-in could not be deleted.", f"{path}: {error.strerror}.", "Delete the file yourself."
        ) from error
    return there


def lock_of(path: Path) -> Path:
    """The lock file that stands beside a token file while it is written."""
    return path.with_name(f"{path.name}.lockfile")


def _is_mine(found: os.stat_result) -> bool:
    return os.name != "posix" or found.st_uid == os.geteuid()
