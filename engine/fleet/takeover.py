"""Compares devices on their way in with the fleet, and takes them over: all of it in one transaction, or nothing.

Imports of files and pulls of tenants call it. It reads no source and judges no row.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.model.audit import AuditEntry
from engine.model.intents import Actor
from engine.situation.situation import Situation
from engine.store import Store
from engine.store.incoming import Incoming

if TYPE_CHECKING:
    from engine.files.devices import BadRow

SAMPLE = 5


class ImportDifference(Struct, frozen=True):
    """Devices that an import adds, changes or misses."""

    devices: int
    sample: tuple[str, ...]


class ImportReport(Struct, frozen=True):
    """What an import did, or would do."""

    form: str
    """What the source looks like: CSV, Intune's export, JSON, Microsoft Graph."""
    rows: int
    """Rows that state a device."""
    added: ImportDifference
    changed: ImportDifference
    gone: ImportDifference
    """Devices of earlier imports that this source does not name."""
    changed_facts: tuple[tuple[str, int], ...]
    """Which facts change on how many devices."""
    bad: tuple[BadRow, ...]
    bad_count: int
    skipped: int
    """Rows about something that is no Windows device."""
    unknown_columns: tuple[str, ...]
    done: bool
    """False for a dry run."""
    removed: int = 0
    faults: tuple[str, ...] = ()
    """What the source did not tell and why, in sentences; the facts behind it are unknown, or as they were."""


class Differences(Struct, frozen=True):
    """How what comes in differs from the fleet."""

    added: ImportDifference
    changed: ImportDifference
    gone: ImportDifference
    changed_facts: tuple[tuple[str, int], ...]

    def changes(self, *, remove_gone: bool) -> int:
        return self.added.devices + self.changed.devices + (self.gone.devices if remove_gone else 0)


def differences(incoming: Incoming) -> Differences:
    """What taking over would change."""
    changed = ImportDifference(*incoming.changed(SAMPLE))
    return Differences(
        added=ImportDifference(*incoming.added(SAMPLE)),
        changed=changed,
        gone=ImportDifference(*incoming.gone(SAMPLE)),
        changed_facts=incoming.changed_columns() if changed.devices else (),
    )


def take_over(
    store: Store, incoming: Incoming, found: Differences, now: datetime, entry: AuditEntry, *, remove_gone: bool
) -> None:
    """Write what differs, judge those devices anew and record it; inside the caller's transaction."""
    with store.devices.counted_at_the_end(found.changes(remove_gone=remove_gone), comings=True):
        low, high = incoming.take_over(remove_gone=remove_gone)
        store.devices.assess_range(Situation(store, now).all_levels(), now, low, high)
    store.audit.append(entry)
    store.state.count_change()


def entry_for(
    actor: Actor,
    now: datetime,
    source: str,
    found: Differences,
    details: dict[str, object],
    *,
    remove_gone: bool,
) -> AuditEntry:
    """The audit record of an import. `source` in words, ``devices.csv``."""
    removed = found.gone.devices if remove_gone else 0
    return AuditEntry(
        at=now,
        actor=actor.name,
        origin=actor.origin,
        action="import",
        summary=f"Devices from {source}: {found.added.devices:,} added, {found.changed.devices:,} changed, "
        f"{removed:,} removed",
        devices=found.changes(remove_gone=remove_gone),
        details={**details, "gone": found.gone.devices, "changed_facts": dict(found.changed_facts)},
    )
