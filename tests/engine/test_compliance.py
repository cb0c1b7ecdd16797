"""Compliance: two routes to the same numbers, on the prepared demo and on histories that chance made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import open_engine
from engine.catalog import load_bundled
from engine.evidence.closing import close_due, close_next
from engine.evidence.evidence import Evidence
from engine.fleet.demo import prepare_demo
from engine.model.build import OsBuild, Platform
from engine.model.errors import BadInput
from engine.model.intents import SetPolicy
from engine.model.model import STALE_REASON, Release, Verdict
from engine.model.records.reports import ComplianceReport, CurvePoint, Mark, Period, ReleaseCompliance, SliceCompliance
from engine.rules.evidence.compliance import Laggard, curve_of, hours_to, why_unprotected
from engine.rules.readiness import reason_words
from engine.store import Store
from tests.engine.evidence_histories import (
    HOURS,
    Machine,
    NaiveRoute,
    Past,
    catalog_only,
    fill,
    hours_after,
    release_named,
)

RELEASES = tuple(load_bundled().releases)
NOW = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)
CLIENT = Platform.WIN11_24H2
APRIL = release_named(RELEASES, CLIENT, "2026-04", hotpatch=False)
MAY = release_named(RELEASES, CLIENT, "2026-05", hotpatch=True)
MAY_LCU = release_named(RELEASES, CLIENT, "2026-05", hotpatch=False)
MARCH = release_named(RELEASES, CLIENT, "2026-03", hotpatch=True)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The catalog and rings without devices; what a test writes is taken back."""
    store = Store(tmp_path_factory.mktemp("evidence") / "empty.db")
    catalog_only(store)
    yield store
    store.close()


def report(store: Store, now: datetime, *machines: Machine, period: Period | None = None) -> ComplianceReport:
    """The report on a fleet that is gone afterwards."""
    store.connection.execute("BEGIN")
    try:
        fill(store, machines)
        return Evidence(store, now).compliance_report(period, "", None)
    finally:
        store.connection.execute("ROLLBACK")


def month(found: ComplianceReport, name: str) -> ReleaseCompliance:
    return next(each for each in found.releases if each.month == name)


def protected(part: SliceCompliance) -> list[int]:
    return [each.protected for each in part.marks]


def got(release: Release, hours: float, how: str = "apply", *, at: Release | None = None) -> Past:
    """A release on a device so many hours after it, or another, appeared."""
    return Past(hours_after(at or release, hours), how, release.build, release.kb, not release.kind.is_hotpatch)


# --- the second route -------------------------------------------------------------------------------


def agree(found: ComplianceReport, naive: NaiveRoute) -> None:
    """Every mark of every month, platform and ring, by both routes."""
    assert [each.month for each in found.releases] == naive.months()
    for release in found.releases:
        for mark, hours in HOURS.items():
            told = release.total.mark(Mark(mark))
            assert (told.protected, told.devices) == naive.counts(release.month, hours), (release.month, mark)
            for part in release.platforms:
                told = part.mark(Mark(mark))
                wanted = naive.counts(release.month, hours, platform=Platform(part.name))
                assert (told.protected, told.devices) == wanted, (release.month, mark, part.name)
            for part in release.rings:
                told = part.mark(Mark(mark))
                wanted = naive.counts(release.month, hours, ring=part.name)
                assert (told.protected, told.devices) == wanted, (release.month, mark, part.name)
        for part in (*release.platforms, *release.rings, *release.sites, release.total):
            assert all(0 <= each.protected <= each.devices for each in part.marks)


def test_the_demo_by_two_routes(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        found = engine.reads.evidence.compliance_report()
        agree(found, NaiveRoute(engine.reads.store.connection, engine.now()))
        assert found.devices == 500
        assert len(found.releases) == 8
        assert month(found, "2026-03").total.mark(Mark.THREE_WEEKS).protected > 450
        assert sum(part.devices for part in found.releases[0].sites) == 500


def test_what_the_overview_shows_is_the_same_truth(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        together, *platforms = engine.reads.evidence.compliance()
        newest = engine.reads.evidence.compliance_report().releases[0]
        assert [together.within_24h, together.within_5d, together.within_3w] == protected(newest.total)
        assert together.protected == newest.total.protected_now
        assert [each.platform for each in platforms] == [Platform(part.name) for part in newest.platforms]
        trend = engine.reads.evidence.compliance_trend()
        assert [(each.month, protected(each.total)) for each in trend] == [
            (each.month, protected(each.total)) for each in engine.reads.evidence.compliance_report().releases
        ]


MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06")
PLATFORMS = (CLIENT, Platform.WIN11_25H2, Platform.SERVER_2025, Platform.SERVER_2022)


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """A device with up to six happenings around real releases; what it runs now may be none of them."""
    platform = draw(st.sampled_from(PLATFORMS))
    other = Platform.WIN11_25H2 if platform is CLIENT else platform
    mine = [each for each in RELEASES if each.platform in (platform, other) and each.month in MONTHS and each.build]
    past: dict[datetime, Past] = {}
    for _ in range(draw(st.integers(0, 6))):
        release = draw(st.sampled_from(mine))
        offset = draw(st.one_of(st.sampled_from((0, 24, 120, 504)), st.floats(-30, 1_400)))
        how = draw(st.sampled_from(("apply", "apply", "seen", "uninstall")))
        at = hours_after(release, offset)
        build = release.build
        if how == "uninstall":
            build = draw(st.sampled_from([each for each in mine if each.released_at <= at] or [mine[0]])).build
        past[at] = Past(at, how, build, release.kb, not release.kind.is_hotpatch)
    last = max(past.values(), key=lambda each: each.at, default=None)
    odd = draw(st.sampled_from((None, OsBuild(26100, 1), OsBuild(26100, 999_999), mine[0].build)))
    build = last.build if last is not None and draw(st.integers(0, 4)) else odd
    return Machine(platform, draw(st.sampled_from((1, 3, None))), tuple(past.values()), build)


@settings(max_examples=60)
@given(
    fleet=st.lists(machines(), min_size=1, max_size=5),
    days=st.floats(0, 130),
)
def test_histories_by_two_routes(empty: Store, fleet: list[Machine], days: float) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=int(days * 86_400))
    empty.connection.execute("BEGIN")
    try:
        fill(empty, [_until(now, each) for each in fleet])
        found = Evidence(empty, now).compliance_report(None, "", None)
        agree(found, NaiveRoute(empty.connection, now))
        # What the overview sums from kept rows is the same.
        trend = Evidence(empty, now).trend(len(found.releases))
        assert [(each.month, each.total, each.platforms, each.curve, each.first_seen_later) for each in trend] == [
            (each.month, each.total, each.platforms, each.curve, each.first_seen_later) for each in found.releases
        ]
    finally:
        empty.connection.execute("ROLLBACK")


def _until(now: datetime, machine: Machine) -> Machine:
    """Nothing has happened yet that lies ahead, and the device runs what it got last."""
    past = tuple(each for each in machine.past if each.at <= now)
    cut = len(past) < len(machine.past)
    last = max(past, key=lambda each: each.at, default=None)
    build = (last.build if last is not None else None) if cut else machine.build
    return Machine(machine.platform, machine.ring, past, build)


# --- what counts ------------------------------------------------------------------------------------


def test_hotpatch_lcu_and_what_came_later_protect_whichever_way_they_came(empty: Store) -> None:
    now = NOW + timedelta(days=60)
    june = release_named(RELEASES, CLIENT, "2026-06", hotpatch=False)
    fleet = [
        Machine(CLIENT, 1, (got(APRIL, 1), got(MAY, 5)), MAY.build),
        Machine(CLIENT, 1, (got(APRIL, 1), got(MAY_LCU, 100)), MAY_LCU.build),
        Machine(CLIENT, 1, (got(APRIL, 1, "seen"), got(MAY, 23, "seen")), MAY.build),
        Machine(CLIENT, 1, (got(APRIL, 1), got(june, 2)), june.build),
        Machine(CLIENT, 1, (got(APRIL, 1),), APRIL.build),
    ]
    found = month(report(empty, now, *fleet), "2026-05").total
    assert (found.devices, protected(found)) == (5, [2, 3, 3])
    assert found.protected_now == 4
    assert dict(found.hours_to)[0.5] == 100
    assert dict(found.hours_to)[0.9] is None


def test_a_hotpatch_of_an_earlier_month_never_counts_however_high_its_build(empty: Store) -> None:
    """The hotpatched revision lies below the LCU's in most months, and above it in some."""
    march_lcu = release_named(RELEASES, CLIENT, "2026-03", hotpatch=False)
    assert MARCH.build is not None
    assert march_lcu.build is not None
    assert MARCH.build < march_lcu.build
    fleet = [Machine(CLIENT, 1, (got(MARCH, 1),), MARCH.build)]
    found = report(empty, NOW, *fleet)
    assert protected(month(found, "2026-03").total) == [1, 1, 1]
    assert protected(month(found, "2026-04").total) == [0, 0, 0]


def test_an_uninstall_ends_protection_and_a_later_install_brings_it_back(empty: Store) -> None:
    now = NOW + timedelta(days=30)
    back = Past(hours_after(MAY, 30), "uninstall", APRIL.build, MAY.kb, restarted=True)
    again = got(MAY_LCU, 200, at=MAY)
    found = month(report(empty, now, Machine(CLIENT, 1, (got(MAY, 2), back, again), MAY_LCU.build)), "2026-05")
    assert protected(found.total) == [1, 0, 1]
    assert [(each.hours, each.protected) for each in found.curve] == [(0, 0), (2, 1), (30, 0), (200, 1)]


def test_first_seen_protected_counts_from_then_and_first_seen_late_does_not_count(empty: Store) -> None:
    now = NOW + timedelta(days=40)
    early = Machine(CLIENT, 1, (got(APRIL, 1, "seen"), got(MAY, 4, "seen")), MAY.build)
    arrived = Machine(CLIENT, 1, (got(MAY, 90, "seen"),), MAY.build)
    too_late = Machine(CLIENT, 1, (got(MAY, 600, "seen"),), MAY.build)
    found = report(empty, now, early, arrived, too_late)
    may = month(found, "2026-05")
    assert (may.total.devices, protected(may.total), may.first_seen_later) == (2, [1, 2, 2], 1)
    assert may.total.devices_now == 3
    assert any("first seen after" in each for each in found.assumptions)


@pytest.mark.parametrize(
    ("seen", "counted", "later"),
    [
        (timedelta(0), 2, 0),
        (timedelta(seconds=1), 2, 1),
        (Mark.THREE_WEEKS.span, 2, 1),
        (Mark.THREE_WEEKS.span + timedelta(seconds=1), 1, 0),
    ],
)
def test_a_device_counts_for_a_month_when_first_seen_within_its_three_weeks(
    empty: Store, seen: timedelta, counted: int, later: int
) -> None:
    arrived = Machine(CLIENT, 1, (Past(MAY.released_at + seen, "seen", MAY.build),), MAY.build)
    known = Machine(CLIENT, 1, (got(APRIL, 1, "seen"),), APRIL.build)
    found = month(report(empty, NOW + timedelta(days=40), known, arrived), "2026-05")
    assert (found.total.devices, found.first_seen_later) == (counted, later)


@pytest.mark.parametrize(("late", "within"), [(timedelta(0), 1), (timedelta(seconds=1), 0)])
def test_protection_at_the_very_end_of_a_mark_is_in_time(empty: Store, late: timedelta, within: int) -> None:
    at = MAY.released_at + Mark.DAY.span + late
    machine = Machine(CLIENT, 1, (got(APRIL, 1), Past(at, "apply", MAY.build, MAY.kb)), MAY.build)
    assert protected(month(report(empty, NOW + timedelta(days=40), machine), "2026-05").total) == [within, 1, 1]


def test_marks_that_have_not_passed_are_running(empty: Store) -> None:
    found = month(
        report(empty, MAY.released_at + timedelta(days=2), Machine(CLIENT, 1, (got(MAY, 40),), MAY.build)), "2026-05"
    )
    assert [(each.running, each.protected) for each in found.total.marks] == [(False, 0), (True, 1), (True, 1)]
    assert found.total.mark(Mark.FIVE_DAYS).ends_at == MAY.released_at + timedelta(days=5)


def test_an_install_whose_provider_told_no_build_counts_by_its_kb(empty: Store) -> None:
    silent = Past(hours_after(MAY, 3), "apply", None, MAY.kb)
    gone = Past(hours_after(MAY, 50), "uninstall", None, MAY.kb)
    found = month(report(empty, NOW + timedelta(days=30), Machine(CLIENT, 1, (silent, gone), APRIL.build)), "2026-05")
    assert protected(found.total) == [1, 0, 0]


def test_a_device_upgraded_to_another_windows_keeps_what_it_had(empty: Store) -> None:
    newer = release_named(RELEASES, Platform.WIN11_25H2, "2026-05", hotpatch=False)
    upgraded = Machine(Platform.WIN11_25H2, 1, (got(APRIL, 3), got(newer, 10)), newer.build)
    found = report(empty, NOW + timedelta(days=30), upgraded)
    assert protected(month(found, "2026-04").total) == [1, 1, 1]
    assert month(found, "2026-04").platforms[0].name == "win11-25h2"


def test_an_empty_fleet_and_a_period_before_the_records(empty: Store) -> None:
    assert report(empty, NOW).devices == 0
    assert all(each.total.devices == 0 for each in report(empty, NOW).releases)
    late = Machine(CLIENT, 1, (got(APRIL, 1, "seen"),), APRIL.build)
    found = report(empty, NOW, late, period=Period("2025-01", "2025-12"))
    assert found.releases == ()
    assert "12 earlier months lie before the first record" in found.assumptions[-1]


# --- who lags behind --------------------------------------------------------------------------------


def test_the_longest_unprotected_come_first_with_a_reason(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        found = engine.reads.evidence.compliance_report()
        since = [each.unprotected_since for each in found.offenders]
        assert since == sorted(since)
        assert found.offenders_total == 500 - found.releases[0].total.protected_now
        assert all(each.reason for each in found.offenders)
        assert any(each.reason.startswith("away: not heard from since") for each in found.offenders)
        assert any(each.reason.startswith("install failed: 0x") for each in found.offenders)
        counts = engine.reads.devices.counts()
        assert sum(row.behind for row in found.drift) == sum(c.devices for c in counts if c.track == "behind")
        assert sum(row.devices for row in found.drift) == 500
        assert all(0 <= row.not_seen <= row.behind <= row.devices for row in found.drift)


def test_a_device_is_unprotected_since_its_release_was_uninstalled(empty: Store) -> None:
    back = Past(hours_after(MAY, 100), "uninstall", APRIL.build, MAY.kb, restarted=True)
    removed = Machine(CLIENT, 1, (got(APRIL, 1), got(MAY, 2), back), APRIL.build)
    never = Machine(CLIENT, 1, (got(APRIL, 1),), APRIL.build)
    found = report(empty, NOW + timedelta(days=10), removed, never)
    assert [(each.device_name, each.unprotected_since) for each in found.offenders] == [
        ("PC-0002", MAY.released_at),
        ("PC-0001", hours_after(MAY, 100)),
    ]


def laggard(**known: Any) -> Laggard:
    facts = dict.fromkeys(("name", "user", "ring", "site", "verdict", "state", "error"), "")
    times = dict.fromkeys(("last_seen_at", "first_seen_at", "lost_at"), NOW)
    return Laggard(
        **{"device_id": 1, "platform": CLIENT, "build": None, "reasons": (), "held": False, **facts, **times, **known}
    )


@pytest.mark.parametrize(
    ("silent", "reason"),
    [(timedelta(days=7), "away: not heard from since 06 May 2026"), (timedelta(days=7, seconds=-1), "not offered yet")],
)
def test_a_device_is_away_after_seven_days_of_silence(silent: timedelta, reason: str) -> None:
    assert why_unprotected(laggard(last_seen_at=NOW - silent), NOW, is_hotpatch=True) == reason


@pytest.mark.parametrize(
    ("verdict", "is_hotpatch", "reason"),
    [
        ("not-ready", True, "not ready: {}; waits for the LCU"),
        ("not-ready", False, "not ready: {}"),
        ("unknown", True, "readiness unknown: {}"),
        ("ready", True, "not offered yet"),
    ],
)
def test_readiness_explains_a_device_only_where_a_check_is_named(verdict: str, is_hotpatch: bool, reason: str) -> None:
    unmet = laggard(verdict=Verdict(verdict), reasons=("vbs", STALE_REASON))
    assert why_unprotected(unmet, NOW, is_hotpatch=is_hotpatch) == reason.format(reason_words("vbs"))
    stale = laggard(verdict=Verdict(verdict), reasons=(STALE_REASON,))
    assert why_unprotected(stale, NOW, is_hotpatch=is_hotpatch) == "not offered yet"


@pytest.mark.parametrize(("late", "running"), [(timedelta(0), False), (timedelta(seconds=-1), True)])
def test_a_mark_has_passed_at_its_very_end(empty: Store, late: timedelta, running: bool) -> None:
    bare = Machine(CLIENT, 1, (), None)
    found = month(report(empty, MAY.released_at + Mark.DAY.span + late, bare), "2026-05")
    assert found.total.mark(Mark.DAY).running is running


def test_a_curve_reaches_a_share_in_its_first_hour_and_never_what_nobody_has() -> None:
    curve = curve_of({0: 2, 3: 2, 5: 0, 7: -1})
    assert curve == (CurvePoint(0, 2), CurvePoint(3, 4), CurvePoint(7, 3))
    assert [hours_to(curve, wanted) for wanted in (0, 0.5, 2, 2.5, 4, 4.5)] == [None, 0, 0, 3, 3, None]


def test_a_filter_narrows_every_part(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        found = engine.reads.evidence.compliance_report(Period("2026-03", "2026-05"), "ring:fast")
        assert {part.name for each in found.releases for part in each.rings} == {"Fast"}
        assert {each.ring for each in found.offenders} == {"Fast"}
        whole = month(engine.reads.evidence.compliance_report(), "2026-04")
        fast = next(part for part in whole.rings if part.name == "Fast")
        assert protected(month(found, "2026-04").total) == protected(fast)
        with pytest.raises(BadInput):
            engine.reads.evidence.compliance_report(None, "rign:fast")


def test_published_figures_say_where_they_come_from(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        figures = engine.reads.evidence.compliance_report().figures
    assert {each.mark_hours for each in figures} == {24, 120, 504}
    assert all(each.source and each.doubt and 0 < each.share < 1 for each in figures)


# --- months that have closed ------------------------------------------------------------------------


def test_closed_months_are_kept_as_they_were(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        store, now = engine.reads.store, engine.now()
        before = engine.reads.evidence.compliance_report()
        while close_due(store, now):
            pass
        assert not close_due(store, now)
        kept = engine.reads.evidence.compliance_report()
        assert [each.month for each in kept.releases if each.kept] == [
            *("2026-03", "2026-02", "2026-01", "2025-12", "2025-11", "2025-10")
        ]
        for first, second in zip(before.releases, kept.releases, strict=True):
            assert (first.total, first.platforms, first.rings, first.sites, first.curve) == (
                *(second.total, second.platforms, second.rings, second.sites),
                second.curve,
            )
        with store.transaction():
            store.connection.execute("UPDATE device SET ring_id = 1")
            store.connection.execute("DELETE FROM install WHERE finished_at < 1770000000")
        later = engine.reads.evidence.compliance_report()
        names = [(part.name, part.devices, protected(part)) for part in month(later, "2025-11").rings]
        assert names == [(part.name, part.devices, protected(part)) for part in month(kept, "2025-11").rings]
        assert any("as they were measured then" in each for each in later.assumptions)
        assert not any(each.kept for each in engine.reads.evidence.compliance_report(None, "name:*").releases)


def test_a_large_demo_comes_with_its_closed_months_kept(
    prepared_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.fleet.demo.WORTH_FROM", 500)
    prepare_demo(tmp_path / "large.db")
    with open_engine(prepared_demo, read_only=True) as engine:
        wanted = engine.reads.evidence.compliance_report().releases
    with open_engine(tmp_path / "large.db", read_only=True) as engine:
        found = engine.reads.evidence.compliance_report().releases
    assert [each.month for each in found if not each.kept] == ["2026-05", "2026-04"]
    assert not any(each.kept for each in wanted)
    assert [replace(each, kept=False, followed_until=NOW) for each in found] == [
        replace(each, followed_until=NOW) for each in wanted
    ]


def test_what_is_told_late_opens_a_month_again(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        store, now = engine.reads.store, engine.now()
        while close_next(store, now):
            pass
        assert Evidence(store, now).month_to_close() is None
        with store.transaction():
            store.connection.execute(
                "INSERT INTO build_seen VALUES (1, ?, ?)", (int(MARCH.released_at.timestamp()) + 60, 1)
            )
        # Both months were being followed that day.
        kept = {each.month for each in store.evidence.closed_months()}
        assert kept == {"2025-10", "2025-11", "2025-12", "2026-01"}
        assert Evidence(store, now).month_to_close() == "2026-02"


def test_a_month_is_counted_anew_when_its_releases_turn_out_otherwise(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        store, now = engine.reads.store, engine.now()
        while close_next(store, now):
            pass
        with store.transaction():
            store.connection.execute("UPDATE release SET build = build + 1 WHERE month = '2026-02'")
            store.connection.execute("UPDATE setting SET value = value + 1 WHERE name = 'catalog-version'")
        assert Evidence(store, now).month_to_close() == "2026-02"
        assert not month(engine.reads.evidence.compliance_report(), "2026-02").kept


def test_months_whose_records_were_deleted_are_shown_as_kept_or_not_at_all(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        engine.carry_out(engine.plan(SetPolicy(keep_months=4, reason="data protection")))
        whole = engine.reads.evidence.compliance_report()
        engine.prune()
        after = engine.reads.evidence.compliance_report()
        assert [each.month for each in after.releases] == [each.month for each in whole.releases]
        assert protected(month(after, "2025-10").total) == protected(month(whole, "2025-10").total)
        assert month(after, "2025-10").kept
        filtered = engine.reads.evidence.compliance_report(None, "name:*")
        assert [each.month for each in filtered.releases][-1] == "2026-01"
        assert engine.reads.evidence.cost_report().months[-1].name >= "2025-12"
