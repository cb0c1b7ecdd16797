"""Sums for reports, against a second, plain way over the same rows; failures opened and closed; the period's edges."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Engine, open_engine
from engine.model.build import Platform
from engine.model.intents import Actor, Approve, Scope, Stop, StopKind
from engine.model.model import ReleaseKind, Verdict
from engine.model.records.fleet import AuditRow, DeviceQuery
from engine.rules.evidence.activity import DayCount, DecisionTally, kind_of, stretches
from engine.rules.readiness import RULES
from engine.rules.readiness.summary import VerdictCount, explain_reasons, next_release
from engine.store.summaries import failure_days

HOTPATCH = 5089466
BEGIN = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def demo(demo_state: Path) -> Iterator[Engine]:
    with open_engine(demo_state, actor=Actor("ann", "jump01 test")) as engine:
        yield engine


# --- readiness --------------------------------------------------------------------------------------


@pytest.mark.parametrize("filter", ["", "ring:first", "platform:server-2025", "-ready", "site:London seen<14d"])
def test_readiness_sums_are_those_of_the_devices(demo: Engine, filter: str) -> None:
    report = demo.reads.evidence.readiness_report(filter)
    rows = list(demo.reads.devices.each(DeviceQuery(filter)))
    verdicts = Counter(row.verdict for row in rows)
    assert (report.total.devices, report.total.ready) == (len(rows), verdicts[Verdict.READY])
    assert (report.total.not_ready, report.total.unknown) == (verdicts[Verdict.NOT_READY], verdicts[Verdict.UNKNOWN])
    for groups, name_of in (
        (report.rings, lambda row: row.ring),
        (report.platforms, lambda row: str(row.platform or "")),
        (report.sites, lambda row: row.site),
    ):
        found = Counter(map(name_of, rows))
        assert {each.name: each.devices for each in groups} == found
        assert sum(each.devices for each in groups) == len(rows)
        for step in ("eligible", "enrolled", "ready", "not_ready", "unknown"):
            assert sum(getattr(each, step) for each in groups) == getattr(report.total, step)
    reasons = Counter(reason for row in rows for reason in row.reasons)
    assert {each.words: each.devices for each in report.reasons} == reasons
    alone = Counter(row.reasons[0] for row in rows if len(row.reasons) == 1)
    assert {each.words: each.only for each in report.reasons if each.only} == alone


def test_the_largest_sites_stand_first_and_the_others_are_counted(
    demo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.reads.evidence._SITES_SHOWN", 3)
    found = Counter(row.site for row in demo.reads.devices.each(DeviceQuery("ring:broad")))
    report = demo.reads.evidence.readiness_report("ring:broad")
    largest = sorted(found, key=lambda site: (-found[site], site))[:3]
    assert [(each.name, each.devices) for each in report.sites] == [(site, found[site]) for site in largest]
    assert report.other_sites == len(found) - 3 > 0
    assert report.total.devices == sum(found.values())


def test_those_who_restart_are_listed_each_once(demo: Engine) -> None:
    report = demo.reads.evidence.readiness_report()
    listed = [row.id for row in demo.reads.evidence.each_restarting("", report.next_releases)]
    assert len(listed) == len(set(listed)) == report.restarts
    assert [row.id for row in report.restarting] == listed[: len(report.restarting)]


def test_ready_devices_that_are_held_off_hotpatches_restart_for_a_hotpatch_month(demo: Engine) -> None:
    """The rollout offers them the LCU (`offers.takes`), and that restarts."""
    before = demo.reads.evidence.readiness_report()
    platform = before.next_releases[0].platform
    assert not before.next_releases[0].kind.is_baseline
    ready = list(demo.reads.devices.each(DeviceQuery(f"platform:{platform} readiness:ready")))[:3]
    store = demo.reads.evidence.store
    with store.transaction():
        store.rollout.hold_until_baseline([each.id for each in ready], "uninstalled", "ann", demo.now())

    report = demo.reads.evidence.readiness_report()
    listed = {row.id for row in demo.reads.evidence.each_restarting("", report.next_releases)}
    outside = demo.reads.evidence.readiness_report(f"-name:{ready[0].name}")

    assert report.restarts == before.restarts + 3 == len(listed)
    assert {each.id for each in ready} <= listed
    assert outside.restarts == before.restarts + 2


@pytest.mark.parametrize(
    ("now", "month", "kind", "restarts"),
    [
        (datetime(2026, 5, 12, 16, 59, tzinfo=UTC), "2026-05", ReleaseKind.HOTPATCH, 30),
        (datetime(2026, 5, 12, 17, 0, tzinfo=UTC), "2026-06", ReleaseKind.HOTPATCH, 30),
        (datetime(2026, 6, 30, tzinfo=UTC), "2026-07", ReleaseKind.BASELINE, 100),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), "2027-01", ReleaseKind.BASELINE, 100),
        (datetime(2027, 1, 31, tzinfo=UTC), "2027-02", ReleaseKind.HOTPATCH, 30),
    ],
)
def test_the_next_release_follows_the_calendar(now: datetime, month: str, kind: ReleaseKind, restarts: int) -> None:
    found = next_release(Platform.WIN11_24H2, now, VerdictCount("", 100, 90, 80, 70, 20, 10))
    assert (found.month, found.kind, found.restarts) == (month, kind, restarts)
    assert found.at > now


def test_every_reason_says_what_to_do() -> None:
    ids = [each.id.value for each in RULES]
    found = explain_reasons({(reason,): 1 for each in ids for reason in (each, f"{each}?")} | {("stale?",): 2})
    assert len(found) == 2 * len(ids) + 1
    assert all(each.fix and each.source and each.words for each in found)
    assert found[0].id == "stale?"
    assert explain_reasons({("no-such-check",): 1})[0].fix == ""


# --- activity ---------------------------------------------------------------------------------------


def test_decisions_of_a_period_by_person_and_kind(demo: Engine) -> None:
    begin = demo.now()
    demo.carry_out(demo.plan(Approve(HOTPATCH, (), "tested")))
    demo.carry_out(demo.plan(Stop(StopKind.PAUSE, Scope(HOTPATCH), "printers")))
    report = demo.reads.activity.report(begin, None)
    assert (report.records, report.by_people, report.without_reason) == (2, 2, 0)
    assert [(each.actor, each.approvals, each.stops) for each in report.actors] == [("ann", 1, 1)]
    lists = {str(each.kind): [row.reason for row in each.rows] for each in report.lists if each.rows}
    assert lists == {"approvals": ["tested"], "stops": ["printers"]}
    assert report.chain.broken is None
    assert report.chain.head == report.chain.records
    assert demo.reads.activity.report(begin - timedelta(days=2), begin).records == 0


def test_installs_and_failures_are_those_of_the_rows(demo: Engine, demo_state: Path) -> None:
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    report = demo.reads.activity.report(since, until)
    with sqlite3.connect(demo_state) as connection:
        rows = connection.execute(
            "SELECT device_id, kb, action, state, finished_at FROM install ORDER BY id"
        ).fetchall()
    connection.close()
    first, last = since.timestamp(), until.timestamp()
    within = [row for row in rows if row[4] is not None and first <= row[4] < last]
    assert report.installed == sum(row[3] == "succeeded" for row in within)
    assert report.failed == sum(row[3] == "failed" for row in within)
    opened, closed = plain_failures(rows, first, last)
    assert (report.opened, report.closed) == (opened, closed)
    assert opened > 0
    assert closed > 0


def plain_failures(rows: list[tuple[int, int, str, str, int]], first: float, last: float) -> tuple[int, int]:
    """One device after the other, row by row: open failures by (KB, action), all closed by a success."""
    opened = closed = 0
    standing: dict[int, set[tuple[int, str]]] = {}
    for device, kb, action, state, at in rows:
        mine = standing.setdefault(device, set())
        if state == "failed" and (kb, action) not in mine:
            mine.add((kb, action))
            opened += first <= at < last
        elif state in ("succeeded", "uninstalled"):
            closed += len(mine) if first <= at < last else 0
            mine.clear()
    return opened, closed


@dataclass(frozen=True)
class Step:
    device: int
    kb: int
    state: str
    day: int


steps = st.lists(
    st.builds(
        Step,
        st.integers(1, 3),
        st.integers(1, 2),
        st.sampled_from(["failed", "succeeded", "cancelled"]),
        st.integers(0, 9),
    ),
    max_size=20,
)


@given(steps, st.integers(0, 9), st.integers(0, 9))
def test_failures_open_and_close_as_one_counts_by_hand(made: list[Step], a: int, b: int) -> None:
    first, last = sorted((a, b))
    ordered = sorted(made, key=lambda each: each.day)
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE TABLE install (id INTEGER PRIMARY KEY, device_id, kb, action, state, finished_at INTEGER)"
    )
    rows = [(each.device, each.kb, "apply", each.state, int(at(each.day).timestamp())) for each in ordered]
    connection.executemany("INSERT INTO install (device_id, kb, action, state, finished_at) VALUES (?,?,?,?,?)", rows)
    found = Counter[str]()
    for count in failure_days(connection, at(first), at(last)):
        found[count.what] += count.number
    connection.close()
    assert (found["opened"], found["closed"]) == plain_failures(rows, at(first).timestamp(), at(last).timestamp())


def at(day: int) -> datetime:
    return BEGIN + timedelta(days=day)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 900), st.lists(st.integers(-3, 903), max_size=20))
def test_every_day_of_a_period_stands_in_one_stretch(first: date, days: int, events: list[int]) -> None:
    since = datetime.combine(first, datetime.min.time(), UTC)
    counts = [DayCount(first + timedelta(days=each), "failed", 1) for each in events]
    by_month, found = stretches(since, since + timedelta(days=days), {}, counts)
    beginnings = [each.begins for each in found]
    assert beginnings == sorted(set(beginnings))
    assert by_month is (days > 45)
    if by_month:
        assert all(each.day == 1 for each in beginnings)
    else:
        assert len(found) == days
        assert sum(each.failed for each in found) == sum(0 <= each < days for each in events)


def test_a_tally_holds_few_rows_and_counts_all() -> None:
    tally = DecisionTally()
    for number in range(1_000):
        actor = "engine" if number % 2 else "ann"
        tally.take(AuditRow(number, at(0), actor, "", "approve", "s", "", None, (), 2, {}, ""))
    (approvals,) = [each for each in tally.lists() if each.records]
    assert (approvals.records, len(approvals.rows)) == (1_000, 200)
    assert (tally.by_people, tally.without_reason) == (500, 500)
    assert tally.actions()[0].devices == 2_000
    assert [each.actor for each in tally.actors()] == ["ann", "engine"]
    assert kind_of("something-new") == "other"
