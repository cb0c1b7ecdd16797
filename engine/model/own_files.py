"""Which files are the state's own: itself, and what SQLite keeps beside it. Whoever writes a named file asks here."""

from __future__ import annotations

from pathlib import Path

from engine.model.errors import BadInput

_BESIDE = ("", "-wal", "-shm", "-journal")


def refuse_own(state: Path, target: Path) -> None:
    """Refuse a target that is the state or belongs to it, under whatever name, and whether or not it is there now.

    Raises:
        BadInput: it is one of them. OSError: it cannot be looked at.
    """
    # SQLite follows a link to the state before it names what lies beside it; a link may be made anew meanwhile.
    owned = {path.with_name(path.name + suffix) for path in (state.absolute(), state.resolve()) for suffix in _BESIDE}
    own = target.absolute() in owned or target.resolve() in {path.resolve() for path in owned}
    if own or (target.exists() and any(path.exists() and target.samefile(path) for path in owned)):
        raise BadInput("This is the state file itself, or belongs to it.", "", "Name another file.", file=str(target))
