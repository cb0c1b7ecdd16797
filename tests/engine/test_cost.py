"""Cost: restarts counted from what happened, by a second naive route too; money by dated rates; nothing guessed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import open_engine
from engine.catalog import load_bundled
from engine.catalog.calendar import patch_tuesday_moment
from engine.evidence.costing import Costing
from engine.model.build import Platform
from engine.model.model import Release, ReleaseKind
from engine.model.records.reports import CostReport, Money, Period, RestartSums
from engine.rules.evidence.cost_count import servicing_month_of
from engine.rules.evidence.rates import (
    ARC_CORE_MONTH,
    CLIENT_RESTART,
    SERVER_RESTART,
    Rate,
    RateBook,
    load_rates,
    own_rate,
)
from engine.store import Store
from tests.engine.evidence_histories import Machine, Past, catalog_only, fill, hours_after, release_named

RELEASES = tuple(load_bundled().releases)
SERVER, CLIENT = Platform.SERVER_2025, Platform.WIN11_24H2
APRIL = release_named(RELEASES, SERVER, "2026-04", hotpatch=False)
MAY = release_named(RELEASES, SERVER, "2026-05", hotpatch=True)
MAY_LCU = release_named(RELEASES, SERVER, "2026-05", hotpatch=False)
JUNE = patch_tuesday_moment("2026-06")
NOW = JUNE + timedelta(days=5)
SPRING = Period("2026-04", "2026-06")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The catalog and rings without devices; what a test writes is taken back."""
    store = Store(tmp_path_factory.mktemp("cost") / "empty.db")
    catalog_only(store)
    yield store
    store.close()


def report(
    store: Store, *machines: Machine, rates: tuple[Rate, ...] = (), now: datetime = NOW, arc: str = ""
) -> CostReport:
    """The report on a fleet that is gone afterwards; `arc` is written as the subscription of every device."""
    store.connection.execute("BEGIN")
    try:
        fill(store, machines)
        if arc:
            store.connection.execute(
                "UPDATE device SET management = 'arc', eligible = 1, edition = 'Standard', subscription = ?", (arc,)
            )
        return Costing(store, now).report(SPRING, "", rates, None)
    finally:
        store.connection.execute("ROLLBACK")


def got(release: Release, hours: float, how: str = "apply", *, restarted: bool | None = None) -> Past:
    restarts = not release.kind.is_hotpatch if restarted is None else restarted
    return Past(hours_after(release, hours), how, release.build, release.kb, restarts)


def server(*past: Past, platform: Platform = SERVER, cores: int | None = 16) -> Machine:
    return Machine(platform, 1, past, past[-1].build if past else None, cores=cores)


def month(found: CostReport, name: str) -> RestartSums:
    return next(each.sums for each in found.months if each.name == name)


# --- restarts ---------------------------------------------------------------------------------------


def test_a_recorded_hotpatch_without_a_restart_is_proven(empty: Store) -> None:
    found = report(empty, server(got(APRIL, 20), got(MAY, 20)))
    assert month(found, "2026-04") == RestartSums(1, 0, 1, 0, 0, 0)
    assert month(found, "2026-05") == RestartSums(1, 1, 0, 0, 1, 0)
    assert found.total.sums == RestartSums(2, 1, 1, 0, 1, 0)
    assert found.total.saved == Money(300, 500, "USD")
    assert found.running_month == "2026-06"


def test_what_was_only_seen_is_not_provable_and_never_in_what_was_saved(empty: Store) -> None:
    found = report(empty, server(got(APRIL, 20, "seen"), got(MAY, 20, "seen")))
    assert month(found, "2026-04") == RestartSums(0, 0, 0, 0, 0, 0)
    assert month(found, "2026-05") == RestartSums(1, 1, 0, 0, 0, 1)
    assert found.total.saved == Money(0, 0, "USD")
    assert found.total.saved_unproven == Money(300, 500, "USD")


@pytest.mark.parametrize("told", [True, False], ids=["tenant", "tenant that was removed"])
def test_installs_of_a_policy_provider_prove_no_restart_and_none_avoided(empty: Store, told: bool) -> None:
    """A tenant shows builds; `restarted` of an install that was resolved by them is a default, not a fact."""
    empty.connection.execute("BEGIN")
    try:
        seen = Past(hours_after(MAY, 20), "seen", MAY.build)
        baseline = [got(APRIL, 10, "seen"), got(APRIL, 20)]
        lcu = server(got(APRIL, 20, "seen"), got(MAY_LCU, 20, restarted=True))
        fill(empty, [server(*baseline, seen, got(MAY, 20, restarted=False)), lcu, server(got(APRIL, 20), got(MAY, 20))])
        empty.connection.execute("UPDATE device SET provider = 'contoso' WHERE id < 3")
        if told:
            empty.connection.execute("INSERT INTO provider VALUES ('contoso', 'graph', '{}', 0, 'tester', 0)")
        found = Costing(empty, NOW).report(SPRING, "", (), None)
    finally:
        empty.connection.execute("ROLLBACK")
    assert month(found, "2026-05") == RestartSums(3, 2, 0, 1, 1, 1)
    assert found.total.saved == found.total.saved_unproven == Money(300, 500, "USD")


def test_a_cumulative_update_that_was_seen_counts_as_a_restart_that_nobody_recorded(empty: Store) -> None:
    found = report(empty, server(got(APRIL, 20, "seen"), got(MAY_LCU, 20, "seen")))
    assert month(found, "2026-05") == RestartSums(1, 0, 0, 1, 0, 0)


def test_a_check_in_before_the_installs_own_report_is_one_restart(empty: Store) -> None:
    told = Past(hours_after(MAY_LCU, 19), "seen", MAY_LCU.build)
    found = report(empty, server(got(APRIL, 20, "seen"), told, got(MAY_LCU, 20)))
    assert month(found, "2026-05") == RestartSums(1, 0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    "also",
    [
        Past(hours_after(MAY, 60), "uninstall", APRIL.build, MAY.kb, restarted=True),
        Past(hours_after(MAY, 60), "fail", None, MAY_LCU.kb, restarted=True),
        Past(hours_after(MAY, 60), "apply", MAY_LCU.build, MAY_LCU.kb, restarted=True),
    ],
    ids=["uninstalled", "failed", "lcu"],
)
def test_another_restart_in_the_month_leaves_nothing_avoided(empty: Store, also: Past) -> None:
    found = report(empty, server(got(APRIL, 20), got(MAY, 20), also))
    assert month(found, "2026-05") == RestartSums(1, 1, 1, 0, 0, 0)


def test_a_hotpatch_that_restarted_the_device_avoided_nothing(empty: Store) -> None:
    found = report(empty, server(got(APRIL, 20), got(MAY, 20, restarted=True)))
    assert month(found, "2026-05") == RestartSums(1, 1, 1, 0, 0, 0)


def test_a_month_goes_from_patch_tuesday_to_patch_tuesday(empty: Store) -> None:
    assert servicing_month_of(JUNE - timedelta(seconds=1)) == "2026-05"
    assert servicing_month_of(JUNE) == "2026-06"
    late = Past(JUNE - timedelta(seconds=1), "apply", MAY.build, MAY.kb)
    assert month(report(empty, server(got(APRIL, 1), late)), "2026-05").avoided_proven == 1


def test_a_month_in_which_nothing_was_taken_counts_nothing(empty: Store) -> None:
    found = report(empty, server(got(APRIL, 20)))
    assert month(found, "2026-05") == RestartSums(0, 0, 0, 0, 0, 0)


# --- by two routes ----------------------------------------------------------------------------------


def naive_sums(db: sqlite3.Connection, now: datetime, months: list[str]) -> dict[str, RestartSums]:
    """The sums from raw rows, a device and a month at a time."""
    kinds = {row["kb"]: ReleaseKind(row["kind"]) for row in db.execute("SELECT kb, kind FROM release")}
    builds: dict[tuple[bool, int], set[ReleaseKind]] = {}
    for row in db.execute("SELECT * FROM release WHERE build IS NOT NULL AND released_at <= ?", (now.timestamp(),)):
        key = (Platform(row["platform"]).is_server, row["build"])
        builds.setdefault(key, set()).add(ReleaseKind(row["kind"]))
    found = {name: RestartSums(0, 0, 0, 0, 0, 0) for name in months}
    for device in db.execute("SELECT id, platform FROM device"):
        is_server = Platform(device["platform"]).is_server
        rows = [
            (row["finished_at"], row["build_after"] or 0, row["state"], row["kb"], row["restarted"])
            for row in db.execute("SELECT * FROM install WHERE device_id = ?", (device["id"],))
            if row["state"] != "failed" or row["restarted"]
        ]
        rows += [
            (row["at"], row["build"], "seen", 0, 0)
            for row in db.execute("SELECT * FROM build_seen WHERE device_id = ?", (device["id"],))
        ]
        known = 0
        lived: dict[str, dict[str, int]] = {}
        for at, build, state, kb, restarted in sorted(rows):
            name = servicing_month_of(datetime.fromtimestamp(at, UTC))
            month = lived.setdefault(name, {"served": 0, "hot": 0, "record": 0, "inferred": 0, "restarts": 0})
            if state == "seen":
                kind = builds.get((is_server, build), set())
                if known and build > known and any(each.is_hotpatch for each in kind):
                    month["served"] = month["hot"] = 1
                elif known and build > known and any(each.is_cumulative for each in kind):
                    month["served"] = month["inferred"] = 1
                known = build
                continue
            if state == "succeeded" and kinds[kb].is_hotpatch:
                month["served"] = month["hot"] = 1
                month["record"] |= not restarted
            elif state == "succeeded" and kinds[kb].is_cumulative:
                month["served"] = 1
            if build and build == known:
                month["inferred"] = 0
            month["restarts"] += restarted
            known = build or known
        for name, month in lived.items():
            if name not in found:
                continue
            calm = month["hot"] and not month["restarts"] and not month["inferred"]
            found[name] = found[name].plus(
                RestartSums(
                    month["served"],
                    month["hot"],
                    month["restarts"],
                    month["inferred"],
                    int(bool(calm and month["record"])),
                    int(bool(calm and not month["record"])),
                )
            )
    return found


def test_the_demo_by_two_routes(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        found = engine.reads.evidence.cost_report()
        wanted = naive_sums(engine.reads.store.connection, engine.now(), [each.name for each in found.months])
    assert {each.name: each.sums for each in found.months} == wanted
    assert found.total.sums.avoided_proven > 1_000
    for rows in (found.months, found.platforms, found.rings):
        total = RestartSums(0, 0, 0, 0, 0, 0)
        for row in rows:
            total = total.plus(row.sums)
        assert total == found.total.sums


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    platform = draw(st.sampled_from((SERVER, CLIENT)))
    mine = [r for r in RELEASES if r.platform is platform and "2026-03" <= r.month <= "2026-06" and r.build]
    past: dict[datetime, Past] = {}
    for _ in range(draw(st.integers(0, 7))):
        release = draw(st.sampled_from(mine))
        how = draw(st.sampled_from(("apply", "apply", "seen", "seen", "uninstall", "fail")))
        at = hours_after(release, draw(st.floats(0, 1_200)))
        if at <= NOW:
            build = None if how == "fail" else release.build
            past[at] = Past(at, how, build, release.kb, draw(st.booleans()))
    return Machine(platform, 1, tuple(past.values()), None)


@settings(max_examples=60)
@given(st.lists(machines(), min_size=1, max_size=4))
def test_histories_by_two_routes(empty: Store, fleet: list[Machine]) -> None:
    empty.connection.execute("BEGIN")
    try:
        fill(empty, fleet)
        found = Costing(empty, NOW).report(SPRING, "", (), None)
        wanted = naive_sums(empty.connection, NOW, [each.name for each in found.months])
        assert {each.name: each.sums for each in found.months} == wanted
    finally:
        empty.connection.execute("ROLLBACK")


# --- money ------------------------------------------------------------------------------------------


def test_client_restarts_have_no_price_until_somebody_sets_one(empty: Store) -> None:
    april, may = (
        release_named(RELEASES, CLIENT, "2026-04", hotpatch=False),
        release_named(RELEASES, CLIENT, "2026-05", hotpatch=True),
    )
    laptop = server(got(april, 20), got(may, 20), platform=CLIENT, cores=None)
    found = report(empty, laptop)
    assert (found.total.saved, found.total.not_priced) == (None, 1)
    assert next(each for each in found.rates if each.id == CLIENT_RESTART).amount is None
    assert any("not priced" in each for each in found.assumptions)
    own = own_rate(CLIENT_RESTART, 20, 30, "USD", None, None, "Finance")
    priced = report(empty, laptop, rates=(own,))
    assert (priced.total.saved, priced.total.not_priced) == (Money(20, 30, "USD"), 0)
    assert next(each for each in priced.rates if each.id == CLIENT_RESTART).is_own


def test_the_subscription_by_cores_and_days(empty: Store) -> None:
    found = report(empty, server(got(APRIL, 1), cores=16), server(got(APRIL, 1), cores=None), arc="enabled")
    by_month = {each.month: each for each in found.subscription}
    april, may, june = (by_month[name] for name in ("2026-04", "2026-05", "2026-06"))
    assert (april.servers, april.cores, april.unknown_cores, april.enrolled_cores) == (2, 16, 1, 16)
    assert april.cost == Money(24, 24, "USD")
    assert may.cost is not None
    assert may.cost.low == pytest.approx(24 * 14 / 31)
    assert [each.amount for each in may.prices] == [Money(1.5, 1.5, "USD"), Money(0, 0, "USD")]
    assert june.cost == Money(0, 0, "USD")
    assert found.break_even is None
    assert any("has been free since 15 May 2026" in each for each in found.assumptions)
    assert any("cores of 1 eligible servers are not known" in each for each in found.assumptions)


def test_a_month_before_there_are_records_costs_nothing(empty: Store) -> None:
    may = release_named(RELEASES, SERVER, "2026-05", hotpatch=True)
    found = report(empty, server(got(may, 20)), arc="enabled")
    assert found.records_begin is not None
    assert min(each.month for each in found.subscription) == f"{found.records_begin:%Y-%m}"
    assert SPRING.first < f"{found.records_begin:%Y-%m}"


def test_what_lies_ahead_is_not_known_yet(empty: Store) -> None:
    found = report(empty, server(got(APRIL, 1)), arc="enabled", now=datetime(2026, 5, 13, 9, tzinfo=UTC))
    assert found.subscription[0].month == "2026-05"
    assert found.subscription[0].cost == Money(24, 24, "USD")


def one_restart_avoided_a_month(store: Store, *rates: Rate) -> CostReport:
    """Of a server whose subscription costs 24 USD."""
    february, march = (
        release_named(RELEASES, SERVER, "2026-02", hotpatch=True),
        release_named(RELEASES, SERVER, "2026-03", hotpatch=True),
    )
    now = hours_after(march, 24 * 30)
    store.connection.execute("BEGIN")
    try:
        fill(store, [server(got(february, 20), got(march, 20))])
        store.connection.execute("UPDATE device SET management = 'arc', eligible = 1, edition = 'Standard'")
        return Costing(store, now).report(Period("2026-02", "2026-03"), "", rates, None)
    finally:
        store.connection.execute("ROLLBACK")


def test_break_even_while_the_subscription_costs_something(empty: Store) -> None:
    found = one_restart_avoided_a_month(empty)
    assert found.break_even is not None
    assert found.break_even.subscription == Money(24, 24, "USD")
    assert found.break_even.restarts_needed == (24 / 500, 24 / 300)
    assert (found.break_even.restarts_avoided, found.break_even.reached) == (1.0, True)
    assert found.net == Money(600, 1_000, "USD")


@pytest.mark.parametrize(
    ("low", "high", "currency", "needed", "reached"),
    [
        (24, 48, "USD", (0.5, 1.0), True),
        (12, 48, "USD", (0.5, 2.0), False),
        (0, 48, "USD", None, None),
        (24, 48, "EUR", None, None),
    ],
)
def test_it_breaks_even_with_the_restarts_that_the_low_end_of_the_rate_needs(
    empty: Store, low: float, high: float, currency: str, needed: tuple[float, float] | None, reached: bool | None
) -> None:
    own = own_rate(SERVER_RESTART, low, high, currency, None, None, "Finance")
    found = one_restart_avoided_a_month(empty, own).break_even
    assert found is not None
    assert (found.restarts_needed, found.reached) == (needed, reached)


def test_a_subscription_that_costs_nothing_has_no_break_even(empty: Store) -> None:
    assert (
        one_restart_avoided_a_month(empty, own_rate(ARC_CORE_MONTH, 0, None, "USD", None, None, "")).break_even is None
    )


def test_what_devices_that_cannot_take_hotpatches_cost(empty: Store) -> None:
    empty.connection.execute("BEGIN")
    try:
        fill(empty, [server(got(APRIL, 20), got(MAY_LCU, 20)), server(got(APRIL, 20), got(MAY, 20))])
        empty.connection.execute("UPDATE device SET eligible = 0 WHERE id = 1")
        found = Costing(empty, NOW).report(SPRING, "", (), None)
    finally:
        empty.connection.execute("ROLLBACK")
    may = next(each for each in found.ineligible if each.month == "2026-05")
    april = next(each for each in found.ineligible if each.month == "2026-04")
    assert (may.devices, may.restarts, may.avoidable, may.cost) == (1, 1, 1, Money(300, 500, "USD"))
    assert (april.restarts, april.avoidable) == (1, 0)


def test_amounts_in_two_currencies_are_not_added(empty: Store) -> None:
    euro = own_rate(SERVER_RESTART, 100, None, "eur", date(2026, 6, 1), None, "Finance")
    found = report(empty, server(got(APRIL, 20), got(MAY, 20)), rates=(euro,), arc="enabled")
    assert (found.total.saved, found.total.not_priced, found.net) == (None, 1, None)
    assert any("Amounts in USD are not added" in each for each in found.assumptions)


# --- rates ------------------------------------------------------------------------------------------


def test_our_rates_cover_every_day_once_and_say_where_they_come_from() -> None:
    rates = load_rates()
    assert all(each.source for each in rates)
    day = date(2025, 1, 1)
    while day < date(2027, 1, 1):
        for rate_id in (SERVER_RESTART, CLIENT_RESTART, ARC_CORE_MONTH):
            assert sum(each.id == rate_id and each.covers(day) for each in rates) == 1, (rate_id, day)
        day += timedelta(days=1)


def test_an_own_rate_goes_first_on_its_days_alone() -> None:
    own = own_rate(ARC_CORE_MONTH, 2.0, None, "USD", date(2026, 4, 11), date(2026, 4, 20), "contract")
    book = RateBook((own,))
    on = book.in_month(ARC_CORE_MONTH, "2026-04", date(2026, 12, 1))
    assert [(rate.low, round(part * 30)) for rate, part in on] == [(1.5, 20), (2.0, 10)]


@pytest.mark.parametrize(
    ("low", "high", "since", "until"),
    [(-1, None, None, None), (3, 2, None, None), (1, 2, date(2026, 2, 1), date(2026, 1, 1))],
)
def test_rates_that_make_no_sense_are_refused(
    low: float, high: float | None, since: date | None, until: date | None
) -> None:
    with pytest.raises(ValueError, match=r"low|until"):
        own_rate(SERVER_RESTART, low, high, "USD", since, until, "")
    with pytest.raises(ValueError, match="is no rate"):
        own_rate("coffee", 1, None, "USD", None, None, "")


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 2), (2, 2)])
def test_a_rate_may_be_nothing_and_without_a_span_and_hold_for_one_day(low: float, high: float) -> None:
    day = date(2026, 2, 1)
    rate = own_rate(SERVER_RESTART, low, high, "USD", day, day, "")
    assert (rate.low, rate.high) == (low, high)
    assert [rate.covers(day + timedelta(days=late)) for late in (-1, 0, 1)] == [False, True, False]
