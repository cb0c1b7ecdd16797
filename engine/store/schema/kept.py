"""Migrations 13 and 14: what an overview judges, kept with the writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.store.schema.keeping import create_keeping_triggers, create_tables, keep_anew
from engine.store.schema.register import migrations
from engine.store.schema.script import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database


@migrations()
def m013_kept(db: Database) -> None:
    """Open failures with their times, reasons, and how many devices ran which build in each hour."""
    create_tables(db)
    keep_anew(db)
    create_keeping_triggers(db)


@migrations()
def m014_case_indexes(db: Database) -> None:
    """Open failures by release and ring with their times, and by code: an overview of many reads nothing else."""
    run_script(
        db,
        """
        CREATE INDEX open_case_by_release ON open_case (
            kb, platform, ring_id, detected_at, failed_at, retried_at, code, device_id
        );
        CREATE INDEX open_case_by_code ON open_case (code & 4294967295, device_id);
        """,
    )
