"""Common factors: found where planted, not invented where there is none, and the odds behind them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import comb, exp, inf, isclose, log
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rules.failures import BaseRates, CommonFactor, FactorRules, base_rates, common_factors
from engine.rules.failures.odds import log_tail
from tests.engine.triage_fleet import Device, fleet_of, having

# --- odds -----------------------------------------------------------------------------------------------


def _exact_tail(seen: int, drawn: int, marked: int, population: int) -> Fraction:
    ways = sum(
        comb(marked, count) * comb(population - marked, drawn - count)
        for count in range(max(seen, 0), min(drawn, marked) + 1)
        if drawn - count <= population - marked
    )
    return Fraction(ways, comb(population, drawn))


@given(st.data())
@settings(max_examples=300)
def test_the_tail_is_exact(data: st.DataObject) -> None:
    population = data.draw(st.integers(1, 400))
    drawn = data.draw(st.integers(0, population))
    marked = data.draw(st.integers(0, population))
    seen = data.draw(st.integers(0, drawn + 2))
    truth = _exact_tail(seen, drawn, marked, population)
    found = log_tail(seen, drawn, marked, population)
    if truth == 0:
        assert found == -inf
    else:
        exact = log(truth.numerator) - log(truth.denominator)
        assert isclose(found, exact, rel_tol=1e-9, abs_tol=1e-9)


def test_the_tail_holds_for_a_million_devices() -> None:
    start = process_time()
    assert log_tail(9_000, 10_000, 50_000, 1_000_000) < -20_000
    assert -1.0 < log_tail(500, 10_000, 50_000, 1_000_000) < 0
    assert isclose(exp(log_tail(1, 10_000, 1, 1_000_000)), 0.01, rel_tol=1e-6)
    assert log_tail(0, 10_000, 50_000, 1_000_000) == 0.0
    assert process_time() - start < 0.5


def test_the_tail_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="population of 10"):
        log_tail(1, 11, 5, 10)


# --- common factors: found where planted ----------------------------------------------------------------


def _names(factors: Sequence[CommonFactor]) -> list[tuple[tuple[str, str], ...]]:
    return [factor.parts for factor in factors]


def test_a_planted_pair_is_named_as_a_person_would_say_it() -> None:
    fleet, base = fleet_of(1)
    guilty = having(fleet, model="Latitude 7450", driver="Intel Graphics 31.0.101")[:31]
    assert len(guilty) == 31
    others = [device for device in fleet if device["model"] != "Latitude 7450"][:3]
    (factor,) = common_factors([*guilty, *others], base)
    assert factor.trait == "model + driver"
    assert factor.value == "Latitude 7450 with driver Intel Graphics 31.0.101"
    assert factor.share_text == "31 of 34"
    assert (factor.count, factor.of) == (31, 34)
    truth = len(having(fleet, model="Latitude 7450", driver="Intel Graphics 31.0.101"))
    assert (factor.base_count, factor.base_share) == (truth, truth / len(fleet))
    assert isclose(factor.lift, (31 / 34) / (truth / len(fleet)))
    assert factor.p_value < 1e-20
    assert factor.sentence.startswith("31 of 34 are Latitude 7450 with driver Intel Graphics 31.0.101 (")
    assert factor.sentence.endswith(" times the base rate)")


@pytest.mark.parametrize(
    ("base_share", "lift", "words"),
    [
        (0.01, 10.0, "1 % of all, 10 times the base rate"),
        (0.0099, 9.94, "under 1 % of all, 9.9 times the base rate"),
    ],
)
def test_small_shares_and_lifts_are_told_more_exactly(base_share: float, lift: float, words: str) -> None:
    part = ("model", "Latitude 7450")
    factor = CommonFactor(*part, (part,), "5 of 9", 5, 9, 1, base_share, lift, 0.001)
    assert factor.sentence == f"5 of 9 are Latitude 7450 ({words})"


def test_a_pair_that_was_not_counted_has_at_most_the_devices_of_its_rarer_part() -> None:
    base = BaseRates(9, {"model": {"A": 5}, "site": {"x": 2}})
    assert base.both(("model", "A"), ("site", "x")) == base.both(("site", "x"), ("model", "A")) == 2


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (FactorRules(), 1),
        (FactorRules(most=1), 1),
        (FactorRules(most=0), 0),
        (FactorRules(min_devices=24), 1),
        (FactorRules(min_devices=25), 0),
        (FactorRules(min_count=24), 1),
        (FactorRules(min_count=25), 0),
        (FactorRules(min_share=1.0), 1),
        (FactorRules(min_lift=4.0), 1),
        (FactorRules(min_lift=4.1), 0),
    ],
)
def test_a_factor_is_named_from_each_limit_on(rules: FactorRules, named: int) -> None:
    """Twenty-four failures at one site, which a quarter of the fleet stands at."""
    base = base_rates([{"site": "Pune" if number % 4 == 0 else "Leeds"} for number in range(400)])
    assert len(common_factors([{"site": "Pune"}] * 24, base, rules)) == named


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (FactorRules(min_share=0.1), 2),
        (FactorRules(min_share=0.1, most=2), 2),
        (FactorRules(min_share=0.1, most=1), 1),
        (FactorRules(min_share=0.1, min_devices=7), 1),
        (FactorRules(min_share=0.2), 2),
        (FactorRules(min_share=0.21), 1),
        (FactorRules(min_share=0.1, min_count=6), 2),
        (FactorRules(min_share=0.1, min_count=7), 1),
    ],
)
def test_a_second_factor_is_looked_for_among_enough_devices_that_are_left(rules: FactorRules, named: int) -> None:
    """Twenty-four failures at one of ten sites, and six of one of ten models elsewhere."""
    base = base_rates([{"site": f"S{number % 10}", "model": f"M{number // 10 % 10}"} for number in range(1000)])
    at_site = [{"site": "S0", "model": f"M{number % 10}"} for number in range(24)]
    of_model = [{"site": f"S{number}", "model": "M0"} for number in range(1, 7)]
    assert len(common_factors([*at_site, *of_model], base, rules)) == named


def test_a_coincidence_is_likelier_among_more_groups() -> None:
    base = base_rates([{"site": "Pune" if number % 4 == 0 else "Leeds"} for number in range(400)])
    chances = [common_factors([{"site": "Pune"}] * 24, base, groups=groups)[0].p_value for groups in (0, 1, 5)]
    assert isclose(chances[0], chances[1])
    assert isclose(chances[2], 5 * chances[1])


@pytest.mark.parametrize(
    ("trait", "value"),
    [
        ("model", "Latitude 5540"),
        ("site", "Pune"),
        ("ring", "Fast"),
        ("build", "26100.8037"),
        ("driver", "NVIDIA 552.44"),
    ],
)
def test_a_planted_single_trait_is_found_alone(trait: str, value: str) -> None:
    fleet, base = fleet_of(2)
    dice = random.Random(f"{trait} {value}")
    guilty = dice.sample(having(fleet, **{trait: value}), 24)
    noise = dice.sample(fleet, 6)
    factors = common_factors([*guilty, *noise], base)
    assert factors
    assert (trait, value) in factors[0].parts
    assert factors[0].count >= 24
    # What comes along may be named only where nearly all that have the trait share it.
    for part in factors[0].parts:
        shared = len(having(fleet, **{trait: value, part[0]: part[1]}))
        assert shared >= 0.8 * len(having(fleet, **{trait: value}))
    assert len(factors) == 1


def test_what_merely_goes_along_is_not_a_second_factor() -> None:
    fleet, base = fleet_of(3)
    servers = random.Random(3).sample(having(fleet, form="server"), 40)
    factors = common_factors(servers, base)
    assert len(factors) == 1, "server, its platform, its model and its driver are one finding"


def test_two_separate_causes_are_both_named() -> None:
    fleet, base = fleet_of(4)
    dice = random.Random(4)
    first = dice.sample(having(fleet, model="Surface Pro 11"), 40)
    second = dice.sample([d for d in having(fleet, site="Pune") if d["model"] != "Surface Pro 11"], 40)
    factors = common_factors([*first, *second], base)
    assert len(factors) == 2
    named = {part for factor in factors for part in factor.parts}
    assert ("model", "Surface Pro 11") in named or ("architecture", "arm64") in named
    assert ("site", "Pune") in named


@given(
    seed=st.integers(0, 10_000),
    model=st.sampled_from(["Latitude 7450", "Surface Pro 11"]),
    noise_share=st.sampled_from([0.0, 0.1, 0.25]),
)
@settings(max_examples=40, deadline=None)
def test_a_planted_model_is_always_found(seed: int, model: str, noise_share: float) -> None:
    fleet, base = fleet_of(seed % 6)
    dice = random.Random(seed)
    guilty = dice.sample(having(fleet, model=model), 20)
    noise = dice.sample(fleet, round(20 * noise_share))
    parts = {part for factor in common_factors([*guilty, *noise], base) for part in factor.parts}
    # The model, or a trait that this fleet cannot tell from it.
    same = {("model", model), ("architecture", "arm64"), ("driver", "Adreno X1 30.1")}
    assert parts & (same if model == "Surface Pro 11" else {("model", model)})


@given(seed=st.integers(0, 10_000), second=st.sampled_from(["site", "ring", "build"]))
@settings(max_examples=40, deadline=None)
def test_a_planted_pair_is_always_found(seed: int, second: str) -> None:
    fleet, base = fleet_of(seed % 6)
    value = {"site": "London", "ring": "Fast", "build": "26100.8246"}[second]
    dice = random.Random(seed)
    both = having(fleet, model="EliteBook 840", **{second: value})
    guilty = dice.sample(both, 36)
    factors = common_factors([*guilty, *dice.sample(fleet, 4)], base)
    assert set(factors[0].parts) == {("model", "EliteBook 840"), (second, value)}


def test_without_joint_counts_implied_traits_are_still_named_together() -> None:
    fleet, counted = fleet_of(5)
    base = BaseRates(counted.population, counted.values)
    surfaces = random.Random(5).sample(having(fleet, model="Surface Pro 11"), 30)
    (factor,) = common_factors(surfaces, base)
    assert dict(factor.parts)["model"] == "Surface Pro 11"
    assert factor.count == 30
    assert factor.base_count <= base.count(("model", "Surface Pro 11"))


# --- common factors: not invented -----------------------------------------------------------------------


def _false_alarms(runs: int, size: Callable[[random.Random], int]) -> int:
    alarms = 0
    for seed in range(runs):
        fleet, base = fleet_of(seed % 8)
        dice = random.Random(seed * 7919 + 13)
        alarms += bool(common_factors(dice.sample(fleet, size(dice)), base))
    return alarms


def test_chance_is_hardly_ever_taken_for_a_factor() -> None:
    runs = 400
    # alpha is 1 %; the correction makes it rarer still. Eight alarms in 400 would have odds under 1 in 20 at 1 %.
    assert _false_alarms(runs, lambda dice: dice.randint(6, 120)) <= 4


def test_small_groups_by_chance_are_not_explained() -> None:
    assert _false_alarms(200, lambda dice: dice.randint(6, 12)) <= 2


def test_everything_failing_is_no_factor() -> None:
    fleet, base = fleet_of(1)
    assert common_factors(fleet, base) == ()


@pytest.mark.parametrize("size", [0, 1, 3, 5])
def test_a_tiny_group_is_never_judged(size: int) -> None:
    fleet, base = fleet_of(1)
    assert common_factors(having(fleet, model="Latitude 7450", site="Pune")[:size], base) == ()


def test_a_value_that_most_devices_have_is_no_factor() -> None:
    base = BaseRates(1000, {"platform": {"win11-24h2": 800, "win11-25h2": 200}})
    assert common_factors([{"platform": "win11-24h2"}] * 200, base) == ()


def test_unknown_values_and_uncounted_traits_are_not_compared() -> None:
    base = BaseRates(1000, {"site": {"London": 500, "": 10}})
    assert common_factors([{"site": "", "model": "Latitude 7450"}] * 30, base) == ()


def test_stale_base_counts_do_no_harm() -> None:
    fleet = [{"model": "New model"}] * 30
    assert common_factors(fleet, BaseRates(0, {"model": {"Old model": 3}})) == ()
    (factor,) = common_factors(fleet, BaseRates(1000, {"model": {"Old model": 900}}))
    assert factor.base_count == 30


_PARTS = st.dictionaries(st.sampled_from(["model", "site", "odd"]), st.sampled_from(["", "A", "B", "C"]), max_size=3)


@given(
    devices=st.lists(_PARTS, max_size=40),
    population=st.integers(-5, 300),
    counts=st.dictionaries(
        st.sampled_from(["model", "site", "other"]),
        st.dictionaries(st.sampled_from(["A", "B", "D"]), st.integers(0, 400), max_size=3),
        max_size=3,
    ),
    joint=st.none() | st.integers(0, 400),
    groups=st.integers(0, 50),
)
@settings(max_examples=200, deadline=None)
def test_base_rates_that_contradict_themselves_break_nothing(
    devices: list[Device], population: int, counts: dict[str, dict[str, int]], joint: int | None, groups: int
) -> None:
    base = BaseRates(population, counts, None if joint is None else lambda one, other: joint)
    for factor in common_factors(devices, base, groups=groups):
        assert 5 <= factor.count <= factor.of == len(devices)
        assert factor.count == sum(
            1 for device in devices if factor.parts == tuple(p for p in factor.parts if p in device.items())
        )
        assert 0 < factor.base_share <= 1
        assert factor.p_value <= 0.01
        assert factor.sentence


def test_rules_can_be_set() -> None:
    fleet, base = fleet_of(2)
    devices = [*having(fleet, site="Pune")[:8], *having(fleet, site="London")[:32]]
    assert all(factor.count / factor.of >= 0.5 for factor in common_factors(devices, base, FactorRules(min_share=0.5)))
    assert common_factors(having(fleet, site="Pune")[:20], base, FactorRules(min_lift=50)) == ()
    assert common_factors(having(fleet, site="Pune")[:20], base, FactorRules(most=0)) == ()


def test_hostile_values_are_only_carried() -> None:
    evil = "\x1b[2J=cmd|' /C calc'!A0 {0} {x} %s"
    base = BaseRates(1000, {"model": {evil: 20}, "driver": {evil: 20, "fine": 900}})
    (factor,) = common_factors([{"model": evil, "driver": evil}] * 20, base)
    assert evil in factor.value
    assert {value for _, value in factor.parts} == {evil}
