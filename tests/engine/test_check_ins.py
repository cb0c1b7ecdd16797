"""A demo's devices go on reporting while its clock runs or leaps."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from engine import open_engine
from engine.fleet.upkeep import let_check_in
from engine.store.values import seconds


def test_no_device_of_a_demo_was_seen_later_than_now(demo_state: Path) -> None:
    """An install may have told of a device a moment ago; the others follow by as much as has passed."""
    with open_engine(demo_state) as engine:
        store, begin = engine.reads.store, engine.now()
        let_check_in(store, begin)
        now = begin + timedelta(hours=6)
        before = {row[0]: row[1:] for row in store.connection.execute("SELECT id, last_seen_at, stale_at FROM device")}
        just_told = next(id for id, (seen, stale) in before.items() if stale and seen > seconds(begin) - 7_200)
        with store.transaction():
            store.connection.execute(
                "UPDATE device SET last_seen_at = ?, stale_at = stale_at + ? WHERE id = ?",
                (seconds(now) - 60, seconds(now) - 60 - before[just_told][0], just_told),
            )
        let_check_in(store, now)
        after = {row[0]: row[1:] for row in store.connection.execute("SELECT id, last_seen_at, stale_at FROM device")}
        assert after[just_told][0] == max(seen for seen, _ in after.values()) == seconds(now)
        moved = {id for id in after if after[id][0] - before[id][0] == 6 * 3_600}
        assert len(moved) > 400
        for id, (seen, stale) in after.items():
            assert stale is None or stale - seen == before[id][1] - before[id][0]
