"""Backups of the state and the end of old history, as part of `Engine`; what it calls is loaded on use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.model.clock import Clock
from engine.model.intents import Actor, Role
from engine.store import Store

if TYPE_CHECKING:
    from engine.safekeeping.backup import Examined, Progress
    from engine.safekeeping.pruning import Pruned


class Safekeeping:
    """What keeps a state file safe and small."""

    _store: Store
    _clock: Clock
    _actor: Actor
    _role: Role
    _read_only: bool

    def backup(self, target: Path, *, force: bool = False, on_progress: Progress | None = None) -> Examined:
        """Write all that the state holds now to a file, while others go on writing, and check it.

        Raises:
            Refused: there is such a file.
            BadInput, StateUnusable: it cannot be written; no file is left.
        """
        from engine.safekeeping.backup import back_up

        found = back_up(self._store, target, force=force, on_progress=on_progress)
        if not self._read_only:
            with self._store.transaction():
                self._store.state.set("last-backup", self._clock.now().isoformat())
        return found

    def prune(
        self, *, dry_run: bool = False, compact: bool = False, on_progress: Callable[[int], None] | None = None
    ) -> Pruned:
        """Delete history that is older than policy keeps it; the audit always stays.

        Raises:
            Refused: this actor may not, or policy keeps everything.
            StateUnusable: it cannot be written; what was deleted until then is told by the audit.
        """
        from engine.safekeeping.pruning import prune

        who = (self._actor, self._role, self._read_only)
        return prune(self._store, self._clock.now(), *who, dry_run=dry_run, compact=compact, on_progress=on_progress)
