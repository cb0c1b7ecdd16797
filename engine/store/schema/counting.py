"""The triggers that keep the totals of devices with every write, and counting anew after a bulk load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.store.schema.script import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

_COUNT_KEY = "ring_id, platform, verdict, state, eligible, enrolled, track, protected"


def _count_values(row: str) -> str:
    """The counter key of one device row; NULL is kept as -1 because key columns cannot be NULL."""
    return (
        f"ifnull({row}.ring_id, -1), ifnull({row}.platform, ''), {row}.verdict, {row}.state, "
        f"ifnull({row}.eligible, -1), ifnull({row}.enrolled, -1), {row}.track, {row}.protected"
    )


def _count_change(row: str, by: int) -> str:
    return (
        f"INSERT INTO device_count ({_COUNT_KEY}, devices) VALUES ({_count_values(row)}, {by}) "
        f"ON CONFLICT ({_COUNT_KEY}) DO UPDATE SET devices = devices + ({by});"
    )


def create_count_triggers(db: Database) -> None:
    """Keep `device_count` with every write to `device`."""
    watched = f"{_COUNT_KEY}"
    run_script(
        db,
        f"""
        CREATE TRIGGER device_count_insert AFTER INSERT ON device BEGIN {_count_change("new", 1)} END;
        CREATE TRIGGER device_count_delete AFTER DELETE ON device BEGIN {_count_change("old", -1)} END;
        CREATE TRIGGER device_count_update AFTER UPDATE OF {watched} ON device BEGIN
            {_count_change("old", -1)} {_count_change("new", 1)} END;
        """,
    )


def drop_count_triggers(db: Database) -> None:
    """For a bulk load only; call `recount` and `create_count_triggers` before the transaction ends."""
    for name in ("insert", "delete", "update"):
        db.execute(f"DROP TRIGGER IF EXISTS device_count_{name}")


def recount(db: Database) -> None:
    """Count every device anew, from the devices themselves."""
    db.execute("DELETE FROM device_count")
    db.execute(
        f"INSERT INTO device_count ({_COUNT_KEY}, devices) "
        f"SELECT {_count_values('device')}, count(*) FROM device GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
    )
