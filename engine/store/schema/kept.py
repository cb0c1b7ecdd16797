"""Migration 13: what an overview judges, kept with the writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.store.schema.keeping import create_keeping_triggers, create_tables, keep_anew
from engine.store.schema.register import migrations

if TYPE_CHECKING:
    from sqlite_utils import Database


@migrations()
def m013_kept(db: Database) -> None:
    """Open failures with their times, reasons, and how many devices ran which build in each hour."""
    create_tables(db)
    keep_anew(db)
    create_keeping_triggers(db)
