"""Groups of failures from the state file: what their devices share, against those who attempted the same releases."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Engine
from engine.model.build import OsBuild
from engine.model.causes import Cause, RetryWorth
from engine.model.errors import BadInput
from engine.model.filters import parse
from engine.model.records.fleet import DeviceQuery, DeviceRow
from engine.rules.failures import Population, population_of, rates_for
from engine.situation.failures import standing_part
from engine.store import traits
from engine.store.filter_sql import SqlCondition
from engine.store.traits import TRAITS
from tests.engine.failure_states import APRIL, CLIENTS, MAY, fail, fail_instead, forget_failures, opened, succeed

APRIL_BUILDS = (OsBuild(26100, 8246), OsBuild(26200, 8246))


def clients(engine: Engine, filter_text: str = "") -> list[DeviceRow]:
    return [row for row in engine.reads.devices.each(DeviceQuery(filter_text)) if row.platform in CLIENTS]


# --- the sample fleet ---------------------------------------------------------------------------------


def test_the_planted_factor_is_found_and_none_is_invented(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        groups = engine.reads.failures.groups()
        first = groups[0]
        assert (first.cause, first.code) == (Cause.COMPONENT_STORE, 0x800F0922)
        (factor,) = first.common
        assert factor.parts == (("model", "Latitude 7450"), ("driver", "Intel Graphics 31.0.101.5186"))
        assert factor.count >= 0.9 * first.devices
        assert factor.lift > 5
        assert [group.common for group in groups[1:]] == [()] * (len(groups) - 1)


def test_base_rates_are_those_of_the_devices_that_attempted_the_release(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        base = engine.reads.store.traits.base_rates({APRIL: 11}, engine.now())
        assert base is not None
        attempted = engine.reads.store.connection.execute(
            "SELECT count(DISTINCT device_id) FROM install WHERE kb = ? AND state IN ('succeeded', 'failed')", (APRIL,)
        ).fetchone()[0]
        assert base.population == attempted
        assert attempted < engine.reads.devices.total(DeviceQuery())
        assert set(base.values) == set(TRAITS)
        assert sum(base.values["architecture"].values()) == attempted
        assert set(base.values["platform"]) == {"Windows 11 24H2", "Windows 11 25H2"}
        assert base.values["form"]["laptop"] < attempted


@pytest.mark.parametrize("seed", range(8))
def test_failures_that_strike_at_random_have_nothing_in_common(demo_state: Path, seed: int) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        dice = random.Random(seed)
        reached = clients(engine)
        succeed(engine, [row.id for row in reached])
        struck = dice.sample(reached, 60)
        fail(engine, [row.id for row in struck[:40]], attempt=1)
        fail(engine, [row.id for row in struck[40:]], code=0x80070643)
        groups = engine.reads.failures.groups()
        assert sorted(group.devices for group in groups) == [20, 40]
        assert [group.common for group in groups] == [(), ()]


def test_the_first_ring_of_a_rollout_is_no_factor_even_beside_failures_of_an_older_release(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        dice = random.Random(5)
        early = clients(engine, "ring:test,first")
        succeed(engine, [row.id for row in early])
        fail(engine, [row.id for row in dice.sample(early, 12)])
        had_april = [row for row in clients(engine, "ring:broad") if row.build in APRIL_BUILDS]
        fail_instead(engine, [row.id for row in dice.sample(had_april, 12)], kb=APRIL)
        (group,) = engine.reads.failures.groups()
        assert (group.devices, group.kbs) == (24, (APRIL, MAY))
        assert group.common == (), "half of them stand in the first rings, because only those were offered May"


def test_what_an_install_changes_is_taken_as_it_was_at_the_attempt(demo_state: Path) -> None:
    """Those that succeeded run another build by now, and their ring may have changed: neither is a cause."""
    with opened(demo_state) as engine:
        forget_failures(engine)
        reached = clients(engine, "ring:broad build:26100")
        succeed(engine, [row.id for row in reached])
        failed = reached[::6]
        fail(engine, [row.id for row in failed])
        quarantine = engine.reads.rollout.rings()[-1].ring.id
        with engine.reads.store.transaction():
            engine.reads.store.connection.execute(
                "UPDATE device SET build = build + 144 WHERE id IN (SELECT device_id FROM install WHERE kb = ?) "
                "AND state <> 'failed'",
                (MAY,),
            )
            engine.reads.store.devices.assign([row.id for row in failed], quarantine)
            engine.reads.store.state.count_change()
        (group,) = engine.reads.failures.groups()
        named = {part for factor in group.common for part, _ in factor.parts}
        assert named.isdisjoint({"build", "ring"})


def test_a_filter_narrows_the_population_by_what_devices_are_not_by_how_they_fare(demo_state: Path) -> None:
    assert str(standing_part(parse("ring:broad state:failed latitude error:0x800F0922 -site:london"))) == (
        "ring:broad latitude -site:london"
    )
    with opened(demo_state) as engine:
        (whole,) = [group for group in engine.reads.failures.groups() if group.code == 0x800F0922]
        (failed,) = [group for group in engine.reads.failures.groups("state:failed") if group.code == 0x800F0922]
        assert failed == whole, "all that fail are failed: this tells nothing of the others"
        (model,) = [
            group for group in engine.reads.failures.groups('model:"Latitude 7450"') if group.code == 0x800F0922
        ]
        assert model.devices == 10
        assert all("model" not in factor.trait for factor in model.common), "every device of this filter has it"
        with pytest.raises(BadInput):
            engine.reads.failures.groups("nonsense:1")


def test_without_common_nothing_is_counted(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(demo_state) as engine:
        monkeypatch.setattr(traits.TraitStore, "base_rates", lambda *_: pytest.fail("counted"))
        groups = engine.reads.failures.groups(common=False)
        assert groups[0].devices == 11
        assert groups[0].common == ()


def test_causes_find_what_single_codes_are_too_small_for(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        reached = clients(engine)
        succeed(engine, [row.id for row in reached])
        london = random.Random(3).sample([row.id for row in reached if row.site == "London"], 16)
        for place, code in enumerate((0x8024402C, 0x80072EE2, 0x80D02002, 0x80240438)):
            fail(engine, london[place * 4 : place * 4 + 4], code=code)
        assert all(group.common == () for group in engine.reads.failures.groups())
        (network,) = engine.reads.failures.causes()
        assert (network.cause, network.devices, len(network.codes)) == (Cause.NETWORK, 16, 4)
        assert [factor.value for factor in network.common] == ["site London"]


def test_a_failed_uninstall_does_not_make_its_own_build_a_factor(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        reached = clients(engine, "build:26100")
        succeed(engine, [row.id for row in reached])
        with engine.reads.store.transaction():
            engine.reads.store.connection.execute("UPDATE device SET build = build + 144 WHERE platform = 'win11-24h2'")
        fail(engine, [row.id for row in reached[::12]], action="uninstall")
        (group,) = engine.reads.failures.groups()
        assert group.devices >= 10
        assert all(part != "build" for factor in group.common for part, _ in factor.parts)


def test_counts_are_kept_until_the_fleet_has_moved_on(demo_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(demo_state) as engine:
        store = engine.reads.store.traits
        counted: list[int] = []
        count = traits.TraitStore._count

        def noted(self: traits.TraitStore, kb: int, devices: SqlCondition) -> Population:
            counted.append(kb)
            return count(self, kb, devices)

        monkeypatch.setattr(traits.TraitStore, "_count", noted)
        store.base_rates({APRIL: 3}, engine.now())
        store.base_rates({APRIL: 7, MAY: 1}, engine.now())
        assert counted == [APRIL, MAY]
        with engine.reads.store.transaction():
            engine.reads.store.state.count_change()
        store.base_rates({APRIL: 3}, engine.now())
        assert counted == [APRIL, MAY, APRIL], "a small fleet is counted anew after every change"
        monkeypatch.setattr(traits, "_KEPT_FROM", 10)
        with engine.reads.store.transaction():
            engine.reads.store.state.count_change()
        store.base_rates({APRIL: 3}, engine.now())
        assert len(counted) == 3, "a large one when a hundredth more has been attempted"
        succeed(engine, [row.id for row in clients(engine)[:20]], kb=APRIL)
        store.base_rates({APRIL: 3}, engine.now())
        assert len(counted) == 4


def test_a_fleet_with_too_many_combinations_is_counted_trait_by_trait(
    demo_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(demo_state) as engine:
        whole = engine.reads.store.traits.base_rates({APRIL: 1}, engine.now())
        monkeypatch.setattr(traits, "_MOST_COMBINATIONS", 20)
        monkeypatch.setattr(traits, "_CHUNK", 50)
        with engine.reads.store.transaction():
            engine.reads.store.state.count_change()
        bounded = engine.reads.store.traits.base_rates({APRIL: 1}, engine.now())
        assert whole is not None
        assert bounded is not None
        assert {t: dict(v) for t, v in bounded.values.items()} == {t: dict(v) for t, v in whole.values.items()}
        one, other = ("model", "Latitude 7450"), ("site", "London")
        assert bounded.both(one, other) == min(bounded.count(one), bounded.count(other)) >= whole.both(one, other)
        assert engine.reads.failures.groups()[0].common, "the planted factor is still found"


# --- base rates of several releases -------------------------------------------------------------------

_DEVICES = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["", "x", "y"])), min_size=1, max_size=40)


@given(_DEVICES)
def test_a_population_knows_every_value_and_every_pair(devices: list[tuple[str, str]]) -> None:
    population = population_of(("model", "site"), Counter(devices))
    assert population.devices == len(devices)
    for model in "ABC":
        assert population.values["model"].get(model, 0) == sum(each[0] == model for each in devices)
        for site in "xy":
            both = sum(each == (model, site) for each in devices)
            assert population.both(("model", model), ("site", site)) == both
            assert population.both(("site", site), ("model", model)) == both
    assert "" not in population.values["site"]


@given(_DEVICES, _DEVICES, st.integers(1, 30), st.integers(0, 30))
def test_each_release_counts_as_much_as_it_does_in_the_group(
    first: list[tuple[str, str]], second: list[tuple[str, str]], failed_first: int, failed_second: int
) -> None:
    populations = {
        1: population_of(("model", "site"), Counter(first)),
        2: population_of(("model", "site"), Counter(second)),
    }
    base = rates_for({1: failed_first, 2: failed_second}, populations)
    assert base is not None
    assert base.population == len(first) + (len(second) if failed_second else 0)
    total = failed_first + failed_second
    for model in "ABC":
        share_first = sum(each[0] == model for each in first) / len(first)
        share_second = sum(each[0] == model for each in second) / len(second)
        expected = (failed_first * share_first + failed_second * share_second) / total
        assert base.count(("model", model)) / base.population == pytest.approx(expected, abs=0.51 / base.population)


def test_nobody_who_attempted_means_no_base_rates() -> None:
    empty = Population(("model",), 0, {"model": {}}, {})
    assert rates_for({1: 4}, {1: empty}) is None
    assert rates_for({}, {}) is None


def test_a_release_that_nobody_of_the_group_failed_at_weighs_nothing() -> None:
    population = population_of(("model",), {("A",): 3})
    assert rates_for({1: 0}, {1: population}) is None
    base = rates_for({1: 1, 2: 0}, {1: population, 2: population})
    assert base is not None
    assert base.population == 3


def test_without_combinations_a_pair_has_at_most_the_devices_of_its_rarer_value() -> None:
    population = Population(("model", "site"), 9, {"model": {"A": 5}, "site": {"x": 2}}, None)
    assert population.both(("model", "A"), ("site", "x")) == 2
    assert population.both(("model", "A"), ("site", "elsewhere")) == 0


# --- the joined view ----------------------------------------------------------------------------------


def test_a_view_joins_group_service_level_and_retry(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        view = engine.reads.failures.views()[0]
        assert (view.key, view.cause, view.code, view.symbol) == (
            "component-store/0x800F0922",
            Cause.COMPONENT_STORE,
            "0x800F0922",
            "CBS_E_INSTALLERS_FAILED",
        )
        assert view.devices == view.retry.now + view.retry.waiting + view.retry.refused == 11
        assert view.group.retry is RetryWorth.AFTER_FIX
        assert view.retry.needs == "the repair"
        assert "3 is the limit" in view.retry.why
        assert view.sla.open == 11
        assert view.common == view.group.common
        assert view.group.first_failed_at < view.sla.due_at, "it counts from the first attempt that failed"
        assert view.remedy
        assert len(engine.reads.failures.open(view.filter)) == 11
        forget_failures(engine)
        assert engine.reads.failures.views() == ()


def test_a_back_off_is_told_with_its_time(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        ids = [row.id for row in clients(engine)[:8]]
        fail(engine, ids, code=0x8024402C, attempt=1)
        (view,) = engine.reads.failures.views()
        if view.group.retry is RetryWorth.YES:
            assert (view.retry.now, view.retry.waiting, view.retry.needs) == (0, 8, "")
            assert view.retry.next_at is not None
            assert view.retry.next_at > engine.now()
        fail(engine, ids[:2], code=0x80D02002, at=engine.now() - timedelta(days=2))
        later = next(each for each in engine.reads.failures.views() if each.code == "0x80D02002")
        assert later.retry.now == 2
