"""What every room of questions stands on: one state file and one clock. A question never writes."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from engine.model.clock import Clock
from engine.situation.situation import Situation
from engine.store import Store


class Room(Struct, frozen=True):
    """Questions about one subject."""

    store: Store
    clock: Clock

    def _situation(self) -> Situation:
        return Situation(self.store, self.clock.now())


def tell(progress: Callable[[str, int, int], None] | None, what: str, done: int, whole: int) -> None:
    """Say what is being counted, and how far that is; `whole` 0 where nobody knows."""
    if progress is not None:
        progress(what, done, whole)
