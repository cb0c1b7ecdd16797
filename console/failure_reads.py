"""What the failures screen asks for, read at once so that it fits together. Runs on the background's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from console.settings import config_path
from engine.model.errors import EngineError
from engine.model.records.fleet import ActiveInstall, FailureRow

if TYPE_CHECKING:
    from engine import Engine
    from engine.rules.failures import FailureGroupView
    from engine.rules.failures.runbooks import Runbook


_MOST_ACTIVE = 5_000
"""Installs under way that are looked through for retries; they are told of in words only."""


class Failed(Struct, frozen=True):
    """The groups and the installs in them."""

    views: tuple[FailureGroupView, ...] = ()
    rows: tuple[FailureRow, ...] = ()
    runbooks: dict[str, Runbook] = field(default_factory=dict)
    """By cause; a cause whose runbook cannot be read is missing."""
    known_rings: tuple[str, ...] = ()
    under_way: dict[tuple[int, int], ActiveInstall] = field(default_factory=dict)
    """What is being tried again, by device and KB."""


def read_failed_installs(engine: Engine, text: str) -> Failed:
    """Ask for everything the screen shows under a filter."""
    from engine.rules.failures.runbooks import runbook

    views = engine.reads.failures.views(text)
    own = config_path().parent / "runbooks"
    books = {}
    for cause in {view.cause for view in views}:
        try:
            books[cause.value] = runbook(cause, own)
        except EngineError:
            books[cause.value] = runbook(cause)  # a spoilt file of the organisation is told by `hotpatch doctor`
    rings = tuple(row.ring.name for row in engine.reads.rollout.rings())
    rows = engine.reads.failures.open(text)
    open_failures = {(row.device_id, row.kb) for row in rows}
    active = {(each.device_id, each.kb): each for each in engine.reads.rollout.active(_MOST_ACTIVE)} if rows else {}
    under_way = {key: each for key, each in active.items() if key in open_failures}
    return Failed(views, rows, books, rings, under_way)
