"""Notices that the state file has changed, from SQLite's data version, and tells it in messages.

Called by the background's thread for rows between two questions; it only reads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, get_args

from textual.message import Message

from console.messages import FleetChanged, InfoRead
from engine.model.intents import Intent, Refusal

if TYPE_CHECKING:
    from engine import Engine

_INFO_SECONDS = 1.0
"""How often the present is told when nothing has changed."""


class Watch:
    """Notices that the state file has changed, and what the title line has to show."""

    def __init__(self, post: Callable[[Message], None]) -> None:
        self._post = post
        self._version = -1
        self._number = -1
        self._looked_at = 0.0
        self._told_at = 0.0
        self._refusals: dict[type[Intent], Refusal] | None = None

    def begin(self, engine: Engine) -> None:
        """Note the state before the first question is answered: what changes later is told. The first look follows
        at once, so that screens know the present before they get rows."""
        self._number = engine.change_number()

    def is_due(self, after: float) -> bool:
        """Whether the last look is longer ago than so many seconds."""
        return time.monotonic() - self._looked_at > after

    def look(self, engine: Engine) -> None:
        """Look once, and tell what is new."""
        self._looked_at = time.monotonic()
        version = engine.data_version()
        moved = version != self._version
        if not moved and self._looked_at - self._told_at < _INFO_SECONDS:
            return
        self._version, self._told_at = version, self._looked_at
        if self._refusals is None:
            found = {kind: engine.may(kind) for kind in get_args(Intent)}
            self._refusals = {kind: refusal for kind, refusal in found.items() if refusal is not None}
        info = engine.info()
        self._post(InfoRead(info, self._refusals))
        if info.change_number != self._number:
            self._number = info.change_number
            self._post(FleetChanged(info.change_number))
