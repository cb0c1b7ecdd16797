"""Keeps a sign-in in a private file, through msal-extensions' cache and its lock between processes.

`signin` loads it for a sign-in that is kept. Deliberately a file of mode 0600 and no keyring: libsecret needs a desktop
session with its own bus, which an SSH session has not, and there it fails instead of keeping anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from msal_extensions import FilePersistence, PersistedTokenCache  # type: ignore[import-untyped]

from engine.model.errors import SignInNeeded
from engine.providers.graph.token_file import check_private, lock_of, make_folder

_STALE_LOCK = 10.0
"""Seconds. The lock is held for one small write; an older one was left by a process that was killed."""


class PrivateFile(FilePersistence):  # type: ignore[misc]
    """A token file that is whole or absent at any instant, and for its owner alone."""

    def __init__(self, path: Path, name: str) -> None:
        make_folder(path)
        super().__init__(str(path))
        self._path = path
        self._name = name

    def load(self) -> str:
        check_private(self._path, self._name)
        return str(super().load())

    def save(self, content: str) -> None:
        check_private(self._path, self._name)
        handle, unfinished = tempfile.mkstemp(".unfinished", f"{self._path.name}.", self._path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:  # mkstemp makes it 0600
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(self._path)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise


class KeptTokens(PersistedTokenCache):  # type: ignore[misc]
    """The cache that msal asks; a lock that a killed process has left is cleared away."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(PrivateFile(path, name), str(lock_of(path)))
        self._lockfile = lock_of(path)
        self._path = path
        self._name = name

    def search(self, credential_type: str, **wanted: Any) -> Any:
        check_private(self._path, self._name)
        return super().search(credential_type, **wanted)

    def modify(self, credential_type: str, old_entry: Any, new_key_value_pairs: Any = None) -> None:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - self._lockfile.stat().st_mtime > _STALE_LOCK:
                self._lockfile.unlink()
        super().modify(credential_type, old_entry, new_key_value_pairs)


def kept_tokens(path: Path, name: str) -> KeptTokens:
    """The cache in a file.

    Raises:
        SignInNeeded: the file is not private, or holds something else.
    """
    check_private(path, name)
    try:
        content = path.read_text(encoding="utf-8") if path.exists() else "{}"
        usable = isinstance(json.loads(content), dict)
    except OSError as error:
        raise SignInNeeded(f"The kept sign-in of {name} cannot be read.", f"{path}: {error.strerror}.") from error
    except ValueError:
        usable = False
    if not usable:
        raise SignInNeeded(
            f"The kept sign-in of {name} cannot be used.",
            f"{path} holds something else.",
            f"Forget it and sign in anew: hotpatch provider logout {name}",
        )
    return KeptTokens(path, name)
