"""Loads a whole fleet with its history in bounded memory; used to prepare a demo.

Readiness, device states, counters and indexes are worked out once at the end instead of with every row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from engine.catalog import Levels
from engine.model.build import Platform
from engine.store.devices import DeviceStore, fact_values
from engine.store.installs import STATE_OF_DEVICE, InstallStore
from engine.store.readiness import judge
from engine.store.values import build_number, epoch, seconds

if TYPE_CHECKING:
    from engine.model.sample import SampleDevice


class BulkLoad:
    """One transaction for the whole fleet: ``with BulkLoad(...) as load: load.add(chunk)``."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        ring_ids: Mapping[str, int],
        levels: Mapping[Platform, Levels],
        now: datetime,
    ) -> None:
        self._db = connection
        self._levels = levels
        self._now = now
        self._indexes: list[tuple[str, str]] = []
        self._ring_ids = ring_ids
        self._devices = DeviceStore(connection)
        self._installs = InstallStore(connection)
        self._next_id = self._devices.highest_id() + 1

    def __enter__(self) -> BulkLoad:
        from sqlite_utils import Database

        from engine.store.schema import drop_count_triggers, drop_keeping_triggers

        # Indexes of a large fleet are sorted on disk: in memory they would cost several hundred megabytes.
        self._db.execute("PRAGMA temp_store = FILE")
        self._db.execute("BEGIN IMMEDIATE")
        database = Database(self._db, execute_plugins=False)
        drop_count_triggers(database)
        drop_keeping_triggers(database)
        self._indexes = [
            (row[0], row[1])
            for row in self._db.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
                "AND tbl_name IN ('device', 'install')"
            )
        ]
        for name, _ in self._indexes:
            self._db.execute(f"DROP INDEX {name}")
        return self

    def add(self, devices: Sequence[SampleDevice]) -> None:
        """Insert some devices with their history."""
        first = self._next_id
        self._devices.insert_many(
            (*fact_values(each.external_id, each.facts), self._ring_ids[each.ring]) for each in devices
        )
        self._installs.insert_history(self._history(devices, first))
        self._next_id = first + len(devices)

    def _history(self, devices: Sequence[SampleDevice], first: int) -> Iterator[tuple[Any, ...]]:
        for device_id, device in enumerate(devices, first):
            ring_id = self._ring_ids[device.ring]
            for past in device.history:
                yield (
                    device_id,
                    ring_id,
                    past.kb,
                    past.platform,
                    past.action,
                    past.state,
                    past.state,
                    100 if past.error_code is None else 0,
                    past.attempt,
                    0,
                    seconds(past.requested_at),
                    past.requested_by,
                    epoch(past.started_at),
                    epoch(past.finished_at),
                    None,
                    past.error_code,
                    int(past.open_failure),
                    build_number(past.build_before),
                    build_number(past.build_after),
                    int(past.restarted),
                    None,
                    past.reason,
                )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._db.execute("ROLLBACK")
            return
        from sqlite_utils import Database

        from engine.store.schema import create_count_triggers, create_keeping_triggers, keep_anew, recount

        judge(self._db, self._levels, self._now)
        for _, sql in sorted(self._indexes, key=lambda index: "install" not in index[0]):
            self._db.execute(sql)
        # Only what has a reason for another state is looked at: nearly every device of a new fleet is idle.
        self._db.execute(
            f"UPDATE device AS d SET state = {STATE_OF_DEVICE} WHERE d.restart_pending = 1 "
            "OR d.id IN (SELECT device_id FROM install WHERE open_failure = 1)"
        )
        database = Database(self._db, execute_plugins=False)
        recount(database)
        create_count_triggers(database)
        keep_anew(database)
        create_keeping_triggers(database)
        self._db.execute("COMMIT")
