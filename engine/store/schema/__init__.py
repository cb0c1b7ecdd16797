"""The shape of the state file, as numbered migrations; called by `connection.open_state` alone.

A released migration is never edited: a change of shape is a new function at the end.
Times are whole seconds since 1970 UTC, builds are `OsBuild.as_int`, KBs and error codes are integers.
"""

from engine.store.schema import fleet, evidence, tenants, kept  # isort: skip - the order in which they are applied
from engine.store.schema.counting import create_count_triggers, drop_count_triggers, recount
from engine.store.schema.keeping import create_keeping_triggers, drop_keeping_triggers, keep_anew
from engine.store.schema.register import migrations

__all__ = [
    "create_count_triggers",
    "create_keeping_triggers",
    "drop_count_triggers",
    "drop_keeping_triggers",
    "evidence",
    "fleet",
    "keep_anew",
    "kept",
    "migrations",
    "recount",
    "tenants",
]
