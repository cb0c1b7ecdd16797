"""What the failures screen asks for, read at once so that it fits together. Runs on the background's thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.settings import config_path
from engine.errors import EngineError
from engine.records import FailureRow

if TYPE_CHECKING:
    from engine import Engine
    from engine.runbooks import Runbook
    from engine.triage import FailureGroup


@dataclass(frozen=True, slots=True)
class Failed:
    """The groups and the installs in them."""

    groups: tuple[FailureGroup, ...] = ()
    rows: tuple[FailureRow, ...] = ()
    runbooks: dict[str, Runbook] = field(default_factory=dict)
    """By cause; a cause whose runbook cannot be read is missing."""
    known_rings: tuple[str, ...] = ()


def read_failed_installs(engine: Engine, text: str) -> Failed:
    """Ask for everything the screen shows under a filter."""
    from engine.runbooks import runbook

    groups = engine.reads.failure_groups(text)
    own = config_path().parent / "runbooks"
    books = {}
    for cause in {group.cause for group in groups}:
        try:
            books[cause.value] = runbook(cause, own)
        except EngineError:
            books[cause.value] = runbook(cause)  # a spoilt file of the organisation is told by `hotpatch doctor`
    rings = tuple(row.ring.name for row in engine.reads.rings())
    return Failed(groups, engine.reads.failures(text), books, rings)
