"""Brings a device list from a file into the fleet: what is added, changed and gone, then all of it or nothing.

`Engine.import_devices` calls it. Bad rows are reported and leave the others alone, unless the import is strict.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from engine.files.devices import IMPORT_PROVIDER, BadRow, DateOrder, ImportedRow, SkippedRow
from engine.files.devices.reading import DeviceFile
from engine.fleet.takeover import ImportDifference, ImportReport, differences, entry_for, take_over
from engine.model.errors import BadInput, Refused
from engine.model.intents import Actor, Role
from engine.rules.plans.permissions import may_take_in
from engine.store import Store
from engine.store.devices import fact_values
from engine.store.incoming import Incoming

__all__ = ["MOST_BAD_ROWS", "DeviceIntake", "ImportDifference", "ImportReport", "Progress"]

MOST_BAD_ROWS = 1_000
"""How many bad rows are kept for the report; the rest is counted."""
_CHUNK = 2_000

Progress = Callable[[int, int, int], None]
"""Rows so far, bytes so far, bytes in all."""


class DeviceIntake:
    """Imports for one actor on one store."""

    def __init__(self, store: Store, actor: Actor, role: Role, *, read_only: bool) -> None:
        self._store = store
        self._actor = actor
        self._role = role
        self._read_only = read_only

    def take(
        self,
        path: Path,
        now: datetime,
        *,
        dry_run: bool = False,
        strict: bool = False,
        remove_gone: bool = False,
        dates: DateOrder = DateOrder.UNKNOWN,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Read a device list and take it over.

        Raises:
            Refused: this actor may not.
            BadInput: the file cannot be read; or it is strict and a row is bad, or an unknown ring is named.
        """
        if not dry_run:
            refusal = may_take_in("import devices", self._role, read_only=self._read_only)
            if refusal is not None:
                raise Refused(refusal.what, refusal.why, refusal.instead)
        incoming = Incoming(self._store.connection, IMPORT_PROVIDER, now)
        try:
            with self._store.transaction():
                # Temporary tables only: the transaction is for speed, the fleet is not touched yet.
                reading = _Reading(self._store, incoming, strict=strict)
                reading.read(path, now, dates, progress)
            return self._take_over(path, incoming, reading, now, dry_run=dry_run, remove_gone=remove_gone)
        finally:
            incoming.drop()

    def _take_over(
        self, path: Path, incoming: Incoming, reading: _Reading, now: datetime, *, dry_run: bool, remove_gone: bool
    ) -> ImportReport:
        found = differences(incoming)
        if not dry_run and found.changes(remove_gone=remove_gone):
            details: dict[str, object] = {
                "file": path.name,
                "form": reading.form,
                "rows": reading.rows,
                "bad_rows": reading.bad_count,
            }
            entry = entry_for(self._actor, now, path.name, found, details, remove_gone=remove_gone)
            with self._store.transaction():
                take_over(self._store, incoming, found, now, entry, remove_gone=remove_gone)
        return ImportReport(
            form=reading.form,
            rows=reading.rows,
            added=found.added,
            changed=found.changed,
            gone=found.gone,
            changed_facts=found.changed_facts,
            bad=tuple(reading.bad),
            bad_count=reading.bad_count,
            skipped=reading.skipped,
            unknown_columns=tuple(sorted(reading.unknown_columns)),
            done=not dry_run,
            removed=found.gone.devices if remove_gone else 0,
        )


class _Reading:
    """One pass over the file into the temporary table."""

    def __init__(self, store: Store, incoming: Incoming, *, strict: bool) -> None:
        rings = store.rollout.rings()
        self._rings = {ring.name.casefold(): ring.id for ring in rings}
        self._ring_names = ", ".join(ring.name for ring in rings)
        self._incoming = incoming
        self._strict = strict
        self.form = ""
        self.rows = self.skipped = self.bad_count = 0
        self.bad: list[BadRow] = []
        self.unknown_columns: set[str] = set()

    def read(self, path: Path, now: datetime, dates: DateOrder, progress: Progress | None) -> None:
        with DeviceFile(path, now, dates=dates) as devices:
            self.form = str(devices.form)
            self.unknown_columns.update(devices.unknown_columns)
            values = (found for row in devices.rows() if (found := self._values(path, row)) is not None)
            while chunk := list(islice(values, _CHUNK)):
                self._incoming.add(chunk)
                if progress is not None:
                    progress(self.rows, devices.position, devices.size)

    def _values(self, path: Path, row: ImportedRow | BadRow | SkippedRow) -> tuple[Any, ...] | None:
        if isinstance(row, SkippedRow):
            self.skipped += 1
            return None
        if isinstance(row, BadRow):
            self._note(path, row)
            return None
        ring_id = None
        if row.ring:
            ring_id = self._rings.get(row.ring.casefold())
            if ring_id is None:
                reason = f"there is no ring {row.ring!r}; the rings are {self._ring_names}"
                self._note(path, BadRow(row.line, "ring", reason))
                return None
        self.rows += 1
        self.unknown_columns.update(row.unknown_columns)
        return (*fact_values(row.external_id, row.facts), ring_id)

    def _note(self, path: Path, bad: BadRow) -> None:
        if self._strict:
            raise BadInput(
                f"{bad.reason}.",
                "Nothing was imported, because the import is strict.",
                "Mend the row, or import without --strict to take the others.",
                file=path.name,
                line=bad.line,
                field=bad.field,
            )
        self.bad_count += 1
        if len(self.bad) < MOST_BAD_ROWS:
            self.bad.append(bad)
