"""Brings what comes from outside into the state file: catalog documents from files or Microsoft's service.

`Engine` calls it for `catalog import` and `catalog sync`; each run is one transaction with its audit record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.catalog import Catalog, import_files, load_bundled
from engine.fleet.upkeep import follow_calendar
from engine.model.audit import AuditEntry
from engine.model.errors import Refused
from engine.model.intents import Actor, Role
from engine.rules.plans.permissions import may_take_in
from engine.rules.rollout.presets import preset
from engine.store import Store

if TYPE_CHECKING:
    from engine.catalog import Changes
    from engine.catalog.sync import Progress, SyncSettings


class Intake:
    """Takes in documents for one actor on one store."""

    def __init__(self, store: Store, actor: Actor, role: Role, *, read_only: bool) -> None:
        self._store = store
        self._actor = actor
        self._role = role
        self._read_only = read_only

    def begin(self, now: datetime) -> None:
        """Give a new state file the bundled catalog and the preset rings; nothing where it has them."""
        if not self._store.releases.is_empty():
            return
        with self._store.transaction():
            self._store.releases.replace(load_bundled())
            for ring in preset():
                self._store.rollout.save_ring(ring)
            self._store.state.count_change()
        follow_calendar(self._store, now)

    def catalog_from_files(self, paths: Sequence[Path], now: datetime) -> Changes:
        """Add the documents of files and folders to the catalog; what is wrong with them stands in the faults.

        Raises:
            Refused: this actor may not.
            BadInput: a path does not exist, or a folder holds no document.
        """
        self._check("import a catalog")
        merged, changes = import_files(self._store.releases.catalog(), paths)
        self._keep(merged, changes, "catalog-import", [path.name for path in paths], now)
        return changes

    def catalog_from_service(
        self, settings: SyncSettings, now: datetime, on_progress: Callable[[Progress], None] | None = None
    ) -> Changes:
        """Fetch what Microsoft's service, or a mirror of it, has published since.

        Raises:
            Refused: this actor may not.
            BadInput: the address cannot be used.
        """
        from engine.catalog.sync import sync

        self._check("sync the catalog")
        merged, changes = sync(self._store.releases.catalog(), now, settings, on_progress=on_progress)
        self._keep(merged, changes, "catalog-sync", [settings.base_url], now)
        return changes

    def _check(self, what: str) -> None:
        refusal = may_take_in(what, self._role, read_only=self._read_only)
        if refusal is not None:
            raise Refused(refusal.what, refusal.why, refusal.instead)

    def _keep(self, merged: Catalog, changes: Changes, action: str, sources: Iterable[str], now: datetime) -> None:
        with self._store.transaction():
            before = self._store.standing.releases()
            self._store.releases.replace(merged)
            self._store.audit.append(
                AuditEntry(
                    at=now,
                    actor=self._actor.name,
                    origin=self._actor.origin,
                    action=action,
                    summary=f"Catalog: {len(changes.new)} new releases, {len(changes.revised)} revised, "
                    f"{changes.new_fixes} new fixes, {len(changes.faults)} faults",
                    details={
                        "sources": list(sources),
                        "new": [f"{release.name} {release.platform}" for release in changes.new],
                        "documents": [*changes.new_documents, *changes.revised_documents],
                        "faults": [f"{fault.kind}: {fault.subject}" for fault in changes.faults],
                        "before": {"releases": before},
                        "after": {"releases": self._store.standing.releases()},
                    },
                )
            )
            self._store.state.count_change()
        follow_calendar(self._store, now)
