"""When health halts a ring: each limit of the comparison, one step on either side of it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.rules.rollout.health import HealthVerdict, KindHealth, compare, tail


def kind(devices: int, *, name: str = "laptop", **sums: Any) -> KindHealth:
    """Devices of one kind on which nothing happened but what is named."""
    return KindHealth(
        **{"crashed": 0, "restarted": 0, "failed": 0, "cpu": 0.0, "memory": 0.0, **sums}, kind=name, devices=devices
    )


def verdict(patched: KindHealth, *control: KindHealth) -> HealthVerdict:
    return compare((patched,), control)


def fires(patched: KindHealth, *control: KindHealth) -> bool:
    return bool(verdict(patched, *control).anomalies)


@pytest.mark.parametrize(
    ("patched", "control", "judged"), [(4, 10, True), (3, 10, False), (4, 9, False), (3, 9, False)]
)
def test_four_patched_and_ten_others_are_enough_to_judge(patched: int, control: int, judged: bool) -> None:
    found = verdict(kind(patched), kind(control))
    assert found.is_judged is judged
    assert not fires(kind(3, crashed=3), kind(1000))
    assert (found.patched, found.control) == (patched, control)


@pytest.mark.parametrize(("crashed", "expected"), [(3, True), (2, False)])
def test_two_devices_never_halt_a_ring_however_unlikely_it_is(crashed: int, expected: bool) -> None:
    assert tail(2, 10 / 1002) < 1e-4
    assert fires(kind(10, crashed=crashed), kind(1000)) is expected


@pytest.mark.parametrize(("crashed", "others", "expected"), [(90, 98, True), (89, 98, False), (89, 99, False)])
def test_three_times_as_often_as_usual_halts_and_a_little_less_does_not(
    crashed: int, others: int, expected: bool
) -> None:
    """Usual is one in ten (or 10 in 101), so that 30 of the 300 would be no surprise."""
    assert tail(89, 30.0) < 1e-4
    assert fires(kind(300, crashed=crashed), kind(others, crashed=9)) is expected


@pytest.mark.parametrize(("patched", "expected"), [(8, True), (9, False)])
def test_what_chance_does_once_in_ten_thousand_times_is_not_held_against_the_patch(
    patched: int, expected: bool
) -> None:
    """Three crashes where 0.08 are usual come by chance 8 times in 100,000, where 0.09 are usual 11 times."""
    assert fires(kind(patched, crashed=3), kind(98)) is expected


@pytest.mark.parametrize(("servers", "expected"), [(10, False), (9, True)])
def test_a_kind_is_compared_with_its_own_once_ten_of_it_are_unpatched(servers: int, expected: bool) -> None:
    """Servers crash often here; laptops, which never do, say nothing about them."""
    control = (kind(servers, name="server", crashed=5), kind(1000))
    assert fires(kind(10, name="server", crashed=5), *control) is expected


@pytest.mark.parametrize(("devices", "expected"), [(10, True), (9, False)])
def test_a_mean_needs_ten_devices(devices: int, expected: bool) -> None:
    assert fires(kind(devices, memory=devices * 0.5), kind(100)) is expected


@pytest.mark.parametrize(("mean", "expected"), [(0.03, True), (0.0299, False)])
@pytest.mark.parametrize("name", ["cpu", "memory"])
def test_three_per_cent_more_load_than_elsewhere_halts(name: str, mean: float, expected: bool) -> None:
    assert fires(kind(10, **{name: 10 * mean}), kind(100)) is expected


def test_load_that_is_as_high_on_unpatched_devices_is_no_sign() -> None:
    assert not fires(kind(10, cpu=10 * 0.2), kind(100, cpu=100 * 0.2))
    assert not fires(kind(20, cpu=20 * 0.05), kind(200, cpu=200 * 0.03))


def test_every_sign_is_told_in_its_own_words() -> None:
    patched = kind(20, crashed=8, restarted=10, failed=12, cpu=20 * 0.08, memory=20 * 0.05)
    control = kind(200, crashed=2, restarted=4, failed=6, cpu=200 * 0.01, memory=-200 * 0.01)
    assert verdict(patched, control).anomalies == (
        "crashes on 8 of 20 patched devices (40%), on 2 of 200 not patched (1%)",
        "unexpected restarts on 10 of 20 patched devices (50%), on 4 of 200 not patched (2%)",
        "service failures on 12 of 20 patched devices (60%), on 6 of 200 not patched (3%)",
        "CPU load +8.0% on patched devices, +1.0% on those not patched",
        "memory use +5.0% on patched devices, -1.0% on those not patched",
    )


def test_kinds_add_up() -> None:
    patched = (kind(10, crashed=4), kind(10, name="server", crashed=4))
    control = (kind(100, crashed=1), kind(100, name="server", crashed=1))
    assert compare(patched, control).anomalies == (
        "crashes on 8 of 20 patched devices (40%), on 2 of 200 not patched (1%)",
    )


@pytest.mark.parametrize("expected", [0.05, 1.0, 7.5])
def test_the_tail_is_poissons(expected: float) -> None:
    below = [math.exp(-expected) * expected**count / math.factorial(count) for count in range(12)]
    for count in range(1, 12):
        assert tail(count, expected) == pytest.approx(1 - sum(below[:count]), abs=1e-12)
