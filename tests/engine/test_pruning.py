"""Old history goes by policy, bit by bit; what anything still needs stays, and the audit always."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine, open_engine
from engine.model.errors import BadInput, Refused
from engine.model.intents import Actor, Role, SetPolicy
from engine.rules.retention import FOREVER, kept_from, parse_period, period_words
from engine.safekeeping.pruning import Pruning, mind_history, needed_releases
from engine.store import Store

MIA = Actor("mia", "jump01 test")


def set_period(engine: Engine, months: int = 3) -> None:
    engine.carry_out(engine.plan(SetPolicy(keep_months=months, reason="data protection")))


def installs(engine: Engine) -> list[tuple[object, ...]]:
    rows = engine._store.connection.execute(
        "SELECT id, device_id, kb, state, finished_at, open_failure FROM install ORDER BY id"
    )
    return [tuple(row) for row in rows]


def shown(engine: Engine) -> tuple[object, ...]:
    """What must not change because old history has gone."""
    reads = engine.reads
    current = tuple(
        row for row in reads.releases.all() if row.release.kb in needed_releases(engine._store, engine.now())
    )
    facts = (
        reads.devices.counts(),
        reads.attention(),
        reads.rollout.ring_progress(),
        reads.evidence.compliance(),
        reads.failures.open(),
        current,
    )
    return (*facts, reads.failures.groups(), reads.failures.cases(), reads.failures.sla().open)


# --- the period -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "months"),
    [("13 months", 13), ("13", 13), ("2 years", 24), ("1 YEAR", 12), ("forever", FOREVER), (" 3 month ", 3)],
)
def test_periods_as_people_write_them(words: str, months: int) -> None:
    assert parse_period(words) == months


@pytest.mark.parametrize(
    "words", ["", "0", "2 months", "-5", "soon", "13 days", "601", "9999 years", "٣ months", "1e9"]
)
def test_periods_that_are_none(words: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_period(words)
    assert error.value.instead


def test_a_period_that_is_too_short_is_told_as_a_number() -> None:
    with pytest.raises(BadInput, match="for 0 months"):
        parse_period("0")


@given(st.integers(3, 600), st.integers(0, 12_000))
@settings(max_examples=50)
def test_whole_months_are_kept(months: int, days: int) -> None:
    now = datetime(2024, 1, 1, 7, 30, tzinfo=UTC) + timedelta(days=days)
    begin = kept_from(now, months)
    assert (begin.day, begin.hour, begin.minute) == (1, 0, 0)
    assert parse_period(period_words(months)) == months
    assert timedelta(days=28 * months) < now - begin < timedelta(days=31 * (months + 1))


# --- deleting ---------------------------------------------------------------------------------------


def test_without_a_period_nothing_is_deleted(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        before = installs(engine)
        with pytest.raises(Refused, match="No history"):
            engine.prune()
        assert mind_history(engine._store, engine.now()) == 0
        assert installs(engine) == before


def test_a_dry_run_tells_what_the_real_one_does_and_nothing_shown_changes(demo_state: Path) -> None:
    with open_engine(demo_state, actor=MIA) as engine:
        set_period(engine)
        before, looked_like = installs(engine), shown(engine)
        told = engine.prune(dry_run=True)
        assert installs(engine) == before
        done = engine.prune()
        after = installs(engine)
        assert (told.done, done.done) == (False, True)
        assert told.counts == done.counts
        assert done.counts["installs"] == len(before) - len(after) > 100
        assert shown(engine) == looked_like
        assert engine.prune().counts["installs"] == 0


def test_what_stays_and_what_goes_by_a_second_route(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        set_period(engine)
        before = installs(engine)
        limit = kept_from(engine.now(), 3).timestamp()
        needed = needed_releases(engine._store, engine.now())
        failing = {device for _, device, *_, is_open in before if is_open}
        newest: dict[object, int] = {}
        newest_good: dict[object, int] = {}
        for number, device, _, state, finished_at, _ in before:
            assert isinstance(number, int)
            newest[device] = number
            if state in ("succeeded", "uninstalled") and isinstance(finished_at, int) and finished_at < limit:
                newest_good[device] = number
        expected = [
            row
            for row in before
            if row[4] is None
            or float(str(row[4])) >= limit
            or row[2] in needed
            or row[1] in failing
            or row[0] in (newest[row[1]], newest_good.get(row[1]))
        ]
        engine.prune()
        assert installs(engine) == expected


def test_builds_seen_and_health_readings(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        set_period(engine)
        db = engine._store.connection
        limit = int(kept_from(engine.now(), 3).timestamp())
        rows = [(1, limit - 300), (1, limit - 200), (1, limit - 100), (1, limit), (2, limit - 500), (3, limit + 5)]
        db.executemany("INSERT INTO build_seen VALUES (?, ?, 26100)", rows)
        old_kb, current_kb = 5000000, max(needed_releases(engine._store, engine.now()))
        for kb, at in ((old_kb, limit - 5), (old_kb, limit + 5), (current_kb, limit - 5)):
            db.execute("INSERT INTO health_reading VALUES (?, ?, 1, 'x', 1, 0, 0, 0, 0, 0, '[]')", (kb, at))
        done = engine.prune()
        left = [tuple(row) for row in db.execute("SELECT device_id, at FROM build_seen ORDER BY 1, 2")]
        assert left == [(1, limit - 100), (1, limit), (2, limit - 500), (3, limit + 5)]
        assert {tuple(row) for row in db.execute("SELECT kb, at FROM health_reading WHERE kind = 'x'")} == {
            (old_kb, limit + 5),
            (current_kb, limit - 5),
        }
        assert (done.counts["builds seen"], done.counts["health readings"]) == (2, 1)


def test_it_stands_in_the_audit_with_counts_and_the_audit_stays_whole(demo_state: Path) -> None:
    with open_engine(demo_state, actor=MIA) as engine:
        set_period(engine)
        done = engine.prune()
        newest, begun, rule = engine.reads.activity.audit()[:3]
        assert [each.action for each in (newest, begun, rule)] == ["prune", "prune-begun", "set-policy"]
        assert newest.actor == "mia"
        assert "3 months" in newest.reason
        assert f"{done.counts['installs']:,} installs" in newest.summary
        assert newest.details["deleted"]["installs"] == done.counts["installs"]  # type: ignore[index]
        assert rule.details["before"] == {"keep months": 0}
        assert engine.reads.activity.audit_check().holds


def test_only_who_may_and_only_where_one_may_write(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        set_period(engine)
    for role, read_only in ((Role.HELP_DESK, False), (Role.APPROVER, True)):
        with open_engine(demo_state, role=role, read_only=read_only) as engine:
            assert engine.prune(dry_run=True).counts["installs"] > 0
            with pytest.raises(Refused):
                engine.prune()


async def test_the_runner_does_it_once_a_day(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        set_period(engine)
        before = {row[0] for row in installs(engine)}
        told = engine.prune(dry_run=True).counts["installs"]
        await engine.run_until_idle(until=engine.now() + timedelta(hours=1))
        assert len(before - {row[0] for row in installs(engine)}) == told
        actions = [each.action for each in engine.reads.activity.audit()]
        assert actions.count("prune") == actions.count("prune-begun") == 1
        assert mind_history(engine._store, engine.now()) == 0


def test_killed_between_two_steps_the_next_hand_goes_on(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.safekeeping.pruning._WIDTH", 150)
    with open_engine(demo_state) as engine:
        set_period(engine)
        told = engine.prune(dry_run=True).counts
        store = engine._store
        assert Pruning(store, engine.now(), MIA, 3).step() is not None
        assert Pruning(store, engine.now(), MIA, 3).step() is not None
    with open_engine(demo_state) as engine:
        others = Store(demo_state)
        hands = [Pruning(each, engine.now(), MIA, 3) for each in (engine._store, others)]
        while hands[0].step() is not None and hands[1].step() is not None:
            pass
        others.close()
        records = [each for each in engine.reads.activity.audit() if each.action == "prune"]
        assert len(records) == 1
        assert records[0].details["deleted"] == told
        assert engine.prune(dry_run=True).counts["installs"] == 0


def test_a_period_that_is_changed_on_the_way_ends_the_pass_and_says_so(
    demo_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.safekeeping.pruning._WIDTH", 400)
    with open_engine(demo_state) as engine:
        set_period(engine)
        assert Pruning(engine._store, engine.now(), MIA, 3).step() is not None
        set_period(engine, FOREVER)
        assert mind_history(engine._store, engine.now()) == 0
        assert "ended early" in engine.reads.activity.audit()[0].reason
        left = installs(engine)
        assert mind_history(engine._store, engine.now()) == 0
        assert installs(engine) == left


def test_the_space_is_given_back_when_asked(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        set_period(engine)
        loose = engine.prune()
        assert loose.reusable_bytes > 0
        size = demo_state.stat().st_size
        assert engine.prune(compact=True).reusable_bytes == 0
        assert demo_state.stat().st_size < size
        assert engine.reads.activity.audit_check().holds
