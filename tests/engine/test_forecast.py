"""A forecast is the engine itself, run ahead: it agrees with what then happens, and changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine import Engine
from engine import forecast as forecast_module
from engine.model.errors import NotFound, Refused
from engine.model.intents import Approve, SetPolicy, SetRing
from engine.model.records.rollout import Forecast
from tests.engine.rollout_desk import JUNE, MAY, approve, carry_out, desk, opened


def minute(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(second=0, microsecond=0)


def agree(engine: Engine, told: Forecast) -> None:
    """Compare what was told with what has become of the release."""
    by_ring = {each.ring: each for each in told.rings}
    rows = engine.reads.store.connection
    for progress in engine.reads.rollout.ring_progress(told.kb):
        ring = by_ring[progress.ring.name]
        assert minute(ring.opens_at) == minute(progress.opened_at)
        assert ring.installed == progress.installed
        assert ring.devices == progress.devices
        assert ring.deadline_at == progress.deadline_at
    restarts = rows.execute("SELECT count(*) FROM install WHERE kb = ? AND restarted = 1", (told.kb,)).fetchone()[0]
    assert told.restarts == restarts
    for mark in told.milestones:
        ends = int(mark.at.timestamp())
        had = rows.execute(
            "SELECT count(*) FROM install WHERE kb = ? AND state = 'succeeded' AND action = 'apply' "
            "AND finished_at <= ?",
            (told.kb, ends),
        ).fetchone()[0]
        other_ways = (
            sum(each.installed for each in told.rings)
            - rows.execute(
                "SELECT count(*) FROM install WHERE kb = ? AND state = 'succeeded' AND action = 'apply'", (told.kb,)
            ).fetchone()[0]
        )
        assert mark.protected == had + other_ways, mark.name


async def test_forecast_equals_run_to_the_minute(tmp_path: Path) -> None:
    with opened(desk(tmp_path, size=60), sound=True) as engine:
        before = engine.change_number()
        told = engine.forecast(Approve(MAY, (), ""))
        assert engine.change_number() == before
        assert engine.reads.rollout.approvals() == ()
        assert (told.sampled, told.fleet, told.is_sample) == (60, 60, False)
        assert [each.ring for each in told.rings if each.opens_at] == ["Test", "First", "Fast", "Broad", "Last"]
        approve(engine)
        await engine.run_until_idle()
        agree(engine, told)
        missing = sum(each.devices for each in told.misses if each.why != "has it only after the deadline")
        assert missing == sum(each.devices - each.installed for each in told.rings)
        assert told.restarts == 0
        assert told.target_reached_at is not None


async def test_forecast_equals_run_with_waves_windows_and_restarts(tmp_path: Path) -> None:
    with opened(desk(tmp_path, scenario="baseline-month", size=60), sound=True) as engine:
        carry_out(
            engine, SetRing("Broad", waves=(0.2, 1.0), wave_soak_hours=8, window="daily 22:00-04:00 Europe/Berlin")
        )
        carry_out(engine, SetRing("Last", max_share_in_flight=0.5))
        told = engine.forecast(Approve(JUNE, (), "june"))
        approve(engine, kb=JUNE)
        await engine.run_until_idle()
        agree(engine, told)
        assert told.restarts > 40
        assert {each.name for each in told.milestones} == {"24 hours", "5 days", "3 weeks"}


def test_a_large_ring_is_thinned_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_module, "PER_RING", 25)
    with opened(desk(tmp_path), sound=True) as engine:
        told = engine.forecast(Approve(MAY, (), ""))
        assert told.is_sample
        assert told.sampled < told.fleet == 120
        assert "counts are scaled" in told.notes[0]
        devices = {each.ring.name: each.devices for each in engine.reads.rollout.ring_progress(MAY)}
        broad = next(each for each in told.rings if each.ring == "Broad")
        assert abs(broad.devices - devices["Broad"]) <= 20


def test_a_forecast_does_not_know_releases_to_come_and_names_who_misses_the_deadline(tmp_path: Path) -> None:
    with opened(desk(tmp_path, size=60), sound=True) as engine:
        told = engine.forecast(Approve(MAY, ("Test", "Broad"), ""))
        assert {each.ring for each in told.rings} == {"Test", "Broad"}
        assert told.until < datetime(2026, 7, 1, tzinfo=UTC)
        assert all(each.names for each in told.misses)
        assert any("takes the LCU" in each.why for each in told.misses)
        with pytest.raises(NotFound):
            engine.forecast(Approve(JUNE, (), ""))


def test_a_forecast_of_what_policy_forbids_or_signs_later(tmp_path: Path) -> None:
    with opened(desk(tmp_path, size=60), sound=True) as engine:
        carry_out(engine, SetPolicy(second_person=True))
        assert engine.forecast(Approve(MAY, ("Test",), "")).rings[0].opens_at == engine.now()
        carry_out(engine, SetPolicy(confirmed_only=True, second_person=False))
        engine.reads.store.connection.execute("UPDATE release SET provisional = 1 WHERE kb = ?", (MAY,))
        with pytest.raises(Refused):
            engine.forecast(Approve(MAY, ("Test",), ""))


def test_what_is_approved_already_can_be_forecast_too(tmp_path: Path) -> None:
    with opened(desk(tmp_path, size=60), sound=True) as engine:
        approve(engine, "Test")
        told = engine.forecast(Approve(MAY, ("Test",), ""))
        assert told.rings[0].opens_at is not None
        assert told.until - told.made_at < timedelta(days=36)
