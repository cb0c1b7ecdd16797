"""The pure rules of the rollout: windows, waves, deadlines, health, approvals."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.errors import BadInput
from engine.model.model import Approval, Gate, Ring, Window
from engine.rules.rollout.deadlines import Lateness, deadline_of
from engine.rules.rollout.gates import RingCounts, RingFacts, judge_gate, standings, valid_approval
from engine.rules.rollout.health import KindHealth, compare, tail
from engine.rules.rollout.waves import room, wave_standing
from engine.rules.rollout.windows import is_open, next_window, parse_window, window_text

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)


def ring(**rules: object) -> Ring:
    return Ring(1, "R", 1, 0, 2, 2, 0, Gate(min_installed_share=0.8), **rules)  # type: ignore[arg-type]


# --- windows ----------------------------------------------------------------------------------------


@given(
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 23),
    st.integers(1, 1440),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001
)
def test_the_next_window_is_open_or_ahead_and_reads_back_from_its_text(
    days: set[int], hour: int, minutes: int, zone: str, at: datetime
) -> None:
    window = Window(tuple(sorted(days)), time(hour), minutes, zone)
    moment = at.replace(tzinfo=UTC)
    begin, end = next_window(window, moment)
    assert end > moment
    assert begin - moment <= timedelta(days=8)
    assert end - begin == timedelta(minutes=minutes)
    assert begin.astimezone(ZoneInfo(zone)).weekday() in days
    assert is_open(window, moment) == (begin <= moment)
    assert parse_window(window_text(window)) == window


def test_a_window_keeps_its_local_hour_when_the_clocks_change() -> None:
    window = parse_window("daily 22:00-04:00 Europe/Berlin")
    assert window is not None
    winter, _ = next_window(window, datetime(2026, 3, 27, 12, tzinfo=UTC))
    summer, _ = next_window(window, datetime(2026, 3, 30, 12, tzinfo=UTC))
    assert (winter.hour, summer.hour) == (21, 20)


def test_windows_are_read_as_people_write_them() -> None:
    assert parse_window("Mon-Fri 20:00-06:00 UTC") == Window((0, 1, 2, 3, 4), time(20), 600, "UTC")
    assert parse_window("sat,sun 9:00 - 17:00 Europe/London") == Window((5, 6), time(9), 480, "Europe/London")
    assert parse_window("fri-mon 00:00-00:00") == Window((0, 4, 5, 6), time(0), 1440, "UTC")
    assert parse_window("none") is None


@pytest.mark.parametrize(
    "text", ["22:00", "someday 22:00-04:00 UTC", "mon 25:00-04:00", "mon 22:00-04:00 Mars/Olympus"]
)
def test_an_unreadable_window_says_how_to_write_one(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_window(text)
    assert "Europe/Berlin" in caught.value.instead


# --- waves ------------------------------------------------------------------------------------------


def test_waves_let_through_one_share_after_the_other() -> None:
    staged = ring(waves=(0.1, 0.5, 1.0))
    first = wave_standing(staged, RingCounts(pending=100), lambda _: None, NOW)
    assert (first.number, first.devices, first.words) == (1, 10, "wave 1 of 3 (10%): 0 of 8 installed")
    assert room(staged, RingCounts(pending=100), 0, first, 0, 500) == 10
    counts = RingCounts(installed=8, active=2, pending=90)
    second = wave_standing(staged, counts, lambda n: NOW if n <= 8 else None, NOW)
    assert (second.number, second.devices) == (2, 50)
    assert room(staged, counts, 0, second, 2, 500) == 40
    last = wave_standing(staged, RingCounts(installed=40, pending=60), lambda n: NOW, NOW)
    assert (last.number, last.waits_for) == (3, "")
    assert room(staged, RingCounts(installed=40, pending=60), 0, last, 0, 500) == 500


def test_a_wave_that_soaks_says_when_the_next_begins() -> None:
    staged = ring(waves=(0.1, 1.0), wave_soak_hours=12)
    counts = RingCounts(installed=10, pending=90)
    found = wave_standing(staged, counts, lambda _: NOW, NOW + timedelta(hours=1))
    assert (found.number, found.opens_at) == (1, NOW + timedelta(hours=12))
    assert wave_standing(staged, counts, lambda _: NOW, NOW + timedelta(hours=12)).number == 2


def test_a_plain_ring_is_one_wave_and_has_no_words() -> None:
    found = wave_standing(ring(), RingCounts(pending=7), lambda _: None, NOW)
    assert (found.number, found.of, found.words) == (1, 1, "")


@given(st.integers(0, 2000), st.integers(0, 50), st.floats(0.0, 1.0), st.integers(0, 40))
def test_never_more_under_way_than_a_limit_allows(pending: int, in_flight: int, share: float, limit: int) -> None:
    limited = Ring(1, "R", 1, 0, 2, 2, limit, Gate(), max_share_in_flight=share)
    counts = RingCounts(pending=pending, active=in_flight)
    wave = wave_standing(limited, counts, lambda _: None, NOW)
    more = room(limited, counts, 0, wave, in_flight, 500)
    assert 0 <= more <= 500
    if limit and more:
        assert in_flight + more <= limit
    if share and more:
        assert in_flight + more <= max(1, share * counts.offerable)


@pytest.mark.parametrize(("share", "more"), [(0.5, 4), (0.25, 1), (0.125, 0), (0.001, 0)])
def test_a_share_is_of_the_whole_ring_and_one_device_at_least(share: float, more: int) -> None:
    limited = ring(max_share_in_flight=share)
    counts = RingCounts(pending=9, active=1)
    assert room(limited, counts, 0, wave_standing(limited, counts, lambda _: None, NOW), 1, 500) == more


# --- deadlines --------------------------------------------------------------------------------------


def test_a_device_is_due_then_in_grace_then_overdue_and_away_when_silent() -> None:
    deadline = deadline_of(ring(), NOW)
    assert deadline.deadline_at == NOW + timedelta(days=2)
    assert deadline.on_time_until == NOW + timedelta(days=7), "deadline plus 5 reporting days"
    day = timedelta(days=1)
    assert deadline.lateness(NOW, NOW + day) is Lateness.DUE
    assert deadline.lateness(NOW + 3 * day, NOW + 3 * day) is Lateness.GRACE
    assert deadline.lateness(NOW + 4 * day, NOW + 5 * day) is Lateness.OVERDUE
    assert deadline.lateness(NOW + day, NOW + 9 * day) is Lateness.AWAY
    assert deadline.lateness(None, NOW + 9 * day) is Lateness.AWAY


# --- health -----------------------------------------------------------------------------------------


def kind(name: str, devices: int, *, crashed: int = 0, restarted: int = 0, cpu: float = 0.0) -> KindHealth:
    return KindHealth(name, devices, crashed, restarted, 0, cpu, 0.0)


def test_an_anomaly_says_in_words_what_happened_to_how_many() -> None:
    found = compare((kind("laptop", 20, crashed=8),), (kind("laptop", 200, crashed=2),))
    assert found.anomalies == ("crashes on 8 of 20 patched devices (40%), on 2 of 200 not patched (1%)",)


def test_ordinary_days_small_samples_and_bad_kinds_do_not_fire() -> None:
    assert compare((kind("laptop", 200, crashed=4),), (kind("laptop", 200, crashed=2),)).anomalies == ()
    few = compare((kind("laptop", 3, crashed=3),), (kind("laptop", 200),))
    assert (few.anomalies, few.is_judged) == ((), False)
    # Servers crash often by themselves here; that they do so when patched proves nothing.
    servers = (kind("server", 40, crashed=20), kind("laptop", 200, crashed=1))
    assert compare((kind("server", 20, crashed=10),), servers).anomalies == ()


def test_overheads_are_compared_as_means() -> None:
    found = compare((kind("laptop", 20, cpu=20 * 0.08),), (kind("laptop", 100, cpu=100 * 0.01),))
    assert found.anomalies == ("CPU load +8.0% on patched devices, +1.0% on those not patched",)


@given(st.integers(0, 40), st.floats(0.01, 30))
def test_the_tail_is_a_probability_and_falls_with_the_count(count: int, expected: float) -> None:
    assert 0.0 <= tail(count + 1, expected) <= tail(count, expected) + 1e-12
    assert tail(1, expected) <= 1.0


def facts(**more: object) -> RingFacts:
    installed = RingCounts(installed=10)
    return RingFacts(ring(), installed, 10, 0, NOW - timedelta(days=3), NOW, None, **more)  # type: ignore[arg-type]


def test_an_anomaly_fails_the_gate_unless_the_gate_does_not_judge_health() -> None:
    bad = compare((kind("laptop", 20, crashed=8),), (kind("laptop", 200, crashed=2),))
    verdict = judge_gate(facts(health=bad), NOW)
    assert verdict.failing is not None
    assert (verdict.failing.name, verdict.holds_at) == ("health", None)
    deaf = RingFacts(
        Ring(1, "R", 1, 0, 2, 2, 0, Gate(judge_health=False)),
        RingCounts(installed=10),
        10,
        0,
        NOW,
        NOW,
        None,
        health=bad,
    )
    assert judge_gate(deaf, NOW).failing is None
    assert "health" not in {each.name for each in judge_gate(facts(), NOW).conditions}


# --- second person ----------------------------------------------------------------------------------


def test_an_approval_without_its_second_signature_lets_nothing_through() -> None:
    alone = Approval(1, 5, ("R",), "", "mia", NOW, needs_second=True)
    assert valid_approval([alone], 5, "R", NOW) is None
    assert not alone.is_valid(NOW)
    later = NOW + timedelta(hours=3)
    signed = Approval(1, 5, ("R",), "", "mia", NOW, needs_second=True, seconded_by="ben", seconded_at=later)
    assert valid_approval([signed], 5, "R", NOW) is signed
    open_at = standings(NOW - timedelta(days=9), [RingFacts(ring(), RingCounts(), 0, 0, None, None, signed)], NOW)
    assert open_at[0].opens_at == later
    waiting = RingFacts(ring(), RingCounts(pending=4), 0, 0, None, None, None, unsigned="mia")
    assert standings(NOW, [waiting], NOW)[0].waits_for == "a second person beside mia"
