"""Counts of who attempted a release outlive the process that made them, and are never believed blindly."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine import Engine, open_engine
from engine.rules.failures import Population
from engine.situation.populations import count_populations, mind_populations
from engine.store import traits
from engine.store.filter_sql import SqlCondition

PREFIX = "attempted-by:"


@pytest.fixture(autouse=True)
def every_fleet_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traits, "_KEPT_FROM", 5)
    monkeypatch.setattr("engine.situation.populations.WORTH_FROM", 5)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which releases were counted from their installs."""
    found: list[int] = []
    count = traits.TraitStore._count

    def noted(self: traits.TraitStore, kb: int, devices: SqlCondition) -> Population:
        found.append(kb)
        return count(self, kb, devices)

    monkeypatch.setattr(traits.TraitStore, "_count", noted)
    return found


def stored(engine: Engine) -> dict[str, str]:
    rows = engine._store.connection.execute("SELECT name, value FROM setting WHERE name LIKE 'attempted-by:%'")
    return {row[0]: row[1] for row in rows}


def write(engine: Engine, text: str) -> None:
    with engine._store.transaction():
        for name in stored(engine):
            engine._store.state.set(name, text)


def test_another_process_shows_the_same_without_counting(demo_state: Path, counted: list[int]) -> None:
    with open_engine(demo_state) as engine:
        shown = engine.reads.failures.groups()
        causes = engine.reads.failures.causes()
        assert shown
        count_populations(engine._store, engine.now())
        assert stored(engine)
    counted.clear()
    with open_engine(demo_state, read_only=True) as engine:
        assert engine.reads.failures.groups() == shown
        assert engine.reads.failures.causes() == causes
        kept = {int(name.removeprefix(PREFIX)) for name in stored(engine)}
        assert not kept & set(counted)


def test_a_filter_has_a_population_of_its_own(demo_state: Path, counted: list[int]) -> None:
    with open_engine(demo_state) as engine:
        plain = engine.reads.failures.groups("form:laptop")
        count_populations(engine._store, engine.now())
    with open_engine(demo_state) as engine:
        counted.clear()
        assert engine.reads.failures.groups("form:laptop") == plain
        assert counted


def test_many_more_attempts_and_a_week_make_it_stale(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        store, now = engine._store, engine.now()
        count_populations(store, now)
        assert store.traits.stale(now) is None
        with store.transaction():
            store.state.count_change()
        assert store.traits.stale(now) is None, "a change elsewhere in the fleet matters little"
        assert store.traits.stale(now + timedelta(days=8)) is not None
        kb = int(next(iter(stored(engine))).removeprefix(PREFIX))
        with store.transaction():
            store.connection.execute("UPDATE install SET state = 'cancelled' WHERE kb = ? AND open_failure = 0", (kb,))
            store.state.count_change()
        assert store.traits.stale(now) in (kb, None)
        if store.traits.attempts(kb) >= 5:
            assert store.traits.stale(now) == kb


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "[1, 2, 3, 4]", '[1, 2, "2026-05-13T09:00:00+00:00", [["x", 1]]]']
)
def test_a_count_that_cannot_be_read_is_made_again(demo_state: Path, text: str) -> None:
    with open_engine(demo_state) as engine:
        shown = engine.reads.failures.groups()
        count_populations(engine._store, engine.now())
        write(engine, text)
    with open_engine(demo_state) as engine:
        assert engine._store.traits.stale(engine.now()) is not None
        assert engine.reads.failures.groups() == shown
        count_populations(engine._store, engine.now())
        assert engine._store.traits.stale(engine.now()) is None


def test_the_runner_counts_one_release_a_turn_and_then_rests(demo_state: Path, counted: list[int]) -> None:
    with open_engine(demo_state) as engine:
        store, now = engine._store, engine.now()
        number = engine.change_number()
        for _ in range(30):
            mind_populations(store, now)
        assert len(counted) == len(set(counted)) == len(stored(engine)) > 0
        assert engine.change_number() == number, "nothing that a screen shows has changed"
        write(engine, "")
        mind_populations(store, now)
        assert store.traits.stale(now) is not None, "it looks again some minutes later"
        mind_populations(store, now + timedelta(minutes=11))
        assert len(counted) > len(set(counted))


def test_a_small_fleet_is_not_counted_ahead(
    demo_state: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.situation.populations.WORTH_FROM", 501)
    with open_engine(demo_state) as engine:
        mind_populations(engine._store, engine.now())
        assert counted == []
        assert stored(engine) == {}
