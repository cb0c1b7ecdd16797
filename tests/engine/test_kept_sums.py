"""What is kept with the writes for the overview is what a recount of devices and history finds."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlite_utils import Database

from engine.store import Store
from engine.store.schema import keep_anew

KEPT = ("open_case", "build_count", "build_flow", "reason_count")
STATES = ("succeeded", "failed", "uninstalled", "cancelled")
BUILDS = (None, 101, 102, 103)
PLATFORMS = (None, "win11-24h2", "server-2025")


def kept(store: Store) -> dict[str, set[tuple[Any, ...]]]:
    """The kept rows; one that has come down to no device is as good as none."""
    found = {}
    for table in KEPT:
        rows = {tuple(row) for row in store.connection.execute(f"SELECT * FROM {table}")}
        found[table] = {row for row in rows if table == "open_case" or row[-1]}
    return found


def agree(store: Store) -> None:
    with store.transaction():
        told = kept(store)
        keep_anew(Database(store.connection, execute_plugins=False))
        assert told == kept(store)


class Writer:
    """Writes whatever the schema permits to a few devices, with few times and builds so that they often meet."""

    def __init__(self, store: Store, random: Random) -> None:
        self.db, self.random = store.connection, random

    def device(self) -> int:
        return self.random.randint(1, 4)

    def at(self) -> int:
        return self.random.randint(1, 12) * 1_800

    def write(self) -> None:
        often = (self.attempt, self.end, self.see)
        ways = (*often, *often, self.note, self.forget, self.forget_sighting, self.change, self.close, self.ask_again)
        self.random.choice(ways)()

    def attempt(self) -> None:
        state = self.random.choice((*STATES, "installing"))
        final = state in STATES
        self.db.execute(
            "INSERT OR IGNORE INTO install (device_id, kb, platform, action, state, stage, progress, attempt, by_hand, "
            "requested_at, requested_by, finished_at, open_failure, build_after, reason, error_code) "
            "VALUES (?, ?, 'win11-24h2', ?, ?, '', 0, 1, 0, ?, ?, ?, ?, ?, '', ?)",
            (
                self.device(),
                self.random.choice((1, 2)),
                self.random.choice(("apply", "uninstall")),
                state,
                self.at(),
                self.random.choice(("engine", "mia")),
                self.at() if final else None,
                int(state == "failed" and self.random.random() < 0.7),
                self.random.choice(BUILDS),
                self.random.choice((None, 7)),
            ),
        )

    def end(self) -> None:
        state = self.random.choice(STATES)
        self.db.execute(
            "UPDATE install SET state = ?, finished_at = ?, build_after = ?, open_failure = ? WHERE id = "
            "(SELECT id FROM install ORDER BY random() LIMIT 1)",
            (state, self.at(), self.random.choice(BUILDS), int(state == "failed")),
        )

    def note(self) -> None:
        self.db.execute("UPDATE install SET detected_at = ? WHERE device_id = ? AND state = 'failed'", self.timed())

    def ask_again(self) -> None:
        self.db.execute("UPDATE install SET requested_at = ? WHERE device_id = ?", self.timed())

    def timed(self) -> tuple[int, int]:
        return self.at(), self.device()

    def close(self) -> None:
        self.db.execute("UPDATE install SET open_failure = 0 WHERE device_id = ?", (self.device(),))

    def see(self) -> None:
        self.db.execute(
            "INSERT INTO build_seen (device_id, at, build) VALUES (?, ?, ?) "
            "ON CONFLICT (device_id, at) DO UPDATE SET build = excluded.build",
            (self.device(), self.at(), self.random.choice(BUILDS[1:])),
        )

    def forget(self) -> None:
        self.db.execute("DELETE FROM install WHERE device_id = ? AND finished_at < ?", (self.device(), self.at()))

    def forget_sighting(self) -> None:
        self.db.execute("DELETE FROM build_seen WHERE device_id = ? AND at <= ?", (self.device(), self.at()))

    def change(self) -> None:
        column, values = self.random.choice(
            (
                ("platform", PLATFORMS),
                ("build", BUILDS),
                ("ring_id", (None, 1, 2)),
                ("verdict", ("ready", "not-ready", "unknown")),
                ("reasons", ("", "vbs", "vbs,chpe?")),
            )
        )
        self.db.execute(f"UPDATE device SET {column} = ? WHERE id = ?", (self.random.choice(values), self.device()))


@pytest.mark.parametrize("seed", range(8))
def test_random_writes_keep_what_a_recount_finds(tmp_path: Path, seed: int) -> None:
    store = Store(tmp_path / "state.db")
    store.connection.execute("PRAGMA synchronous = OFF")
    store.connection.execute("PRAGMA foreign_keys = OFF")  # rings and the rest of the state play no part here
    with store.transaction():
        for number in range(1, 5):
            store.connection.execute(
                "INSERT INTO device (provider, external_id, name, name_key, user, user_name, user_key, domain, serial, "
                "asset_tag, site, form, model, driver, platform, edition, build, licence, management, policy, "
                "policy_name, subscription, vbs, chpe) VALUES ('x', ?, '', '', '', '', '', '', '', '', '', '', '', "
                "'', ?, '', ?, '', '', '', '', '', '', '')",
                (str(number), PLATFORMS[number % 3], BUILDS[number % 4]),
            )
    writer = Writer(store, Random(seed))
    for _ in range(25):
        with store.transaction():
            for _ in range(5):
                writer.write()
        agree(store)
    with store.transaction():
        for table in ("install", "build_seen", "device"):
            store.connection.execute(f"DELETE FROM {table}")
    agree(store)
    assert not any(kept(store).values())
    store.close()
