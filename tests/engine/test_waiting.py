"""What else waits for a person on the overview: signatures, hands in recoveries, holds that hold nothing any more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine import Engine
from engine.model.intents import Approve, Countersign, Recover, SetHold, SetPolicy, Withdraw
from engine.model.records.fleet import Attention, Urgency
from tests.engine.rollout_desk import JUNE, MAY, approve, carry_out, desk, devices, opened


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return desk(tmp_path)


def about(engine: Engine, words: str) -> list[Attention]:
    return [each for each in engine.reads.attention() if words in each.text]


def test_an_approval_waits_for_its_second_signature_until_it_has_it(state: Path) -> None:
    with opened(state) as engine:
        approve(engine, "First")
        assert about(engine, "signature") == []
        carry_out(engine, SetPolicy(second_person=True))
        approve(engine, "Test", "Fast")
        (line,) = about(engine, "signature")
        assert line.urgency is Urgency.TODAY
        assert (line.screen, line.filter) == ("releases", "KB5089466")
        assert "Test, Fast" in line.text
        assert "mia" in line.text
        number = max(each.id for each in engine.reads.rollout.approvals(MAY))
    with opened(state, who="ben") as engine:
        carry_out(engine, Countersign(number))
        assert about(engine, "signature") == []


def test_one_that_runs_out_soon_is_urgent_and_one_that_is_over_is_not_told(state: Path) -> None:
    with opened(state) as engine:
        carry_out(engine, SetPolicy(second_person=True))
        end = engine.now() + timedelta(days=1)
        carry_out(engine, Approve(MAY, ("Test",), "pilot", expires_at=end))
        assert [each.urgency for each in about(engine, "signature")] == [Urgency.NOW]
        assert engine.demo is not None
        engine.demo.step(timedelta(days=1))
        assert about(engine, "signature") == []
        carry_out(engine, Approve(MAY, ("Fast",), "pilot"))
        number = max(each.id for each in engine.reads.rollout.approvals(MAY))
        assert len(about(engine, "signature")) == 1
        carry_out(engine, Withdraw(number, "not yet"))
        assert about(engine, "signature") == []


async def test_devices_that_failed_on_their_way_back_need_hands(tmp_path: Path) -> None:
    path = desk(tmp_path, size=200, scenario="bad-patch", seed=5)
    with opened(path) as engine:
        approve(engine)
        await engine.run_until_idle()
        carry_out(engine, Recover(MAY, "crashes"))
        assert about(engine, "hands") == []
        (one, *_) = devices(engine, "state:queued")
        with engine._store.transaction():
            engine._store.connection.execute(
                "UPDATE install SET state = 'failed', open_failure = 1, next_at = NULL, finished_at = ? "
                "WHERE device_id = ? AND state NOT IN ('succeeded', 'failed', 'uninstalled', 'cancelled')",
                (int(engine.now().timestamp()), one.id),
            )
            engine._store.state.count_change()
        (line,) = about(engine, "hands")
        assert line.urgency is Urgency.NOW
        assert "1 device needs hands" in line.text


def test_a_hold_on_a_release_that_is_replaced_has_come_to_its_end(state: Path) -> None:
    with opened(state) as engine:
        carry_out(engine, SetHold(MAY, "model:latitude", "printer trouble"))
        carry_out(engine, SetHold(None, "site:london", "move of the office"))
        assert about(engine, "Safeguard") == []
        assert engine.demo is not None
        engine.demo.step(timedelta(days=35))
        (line,) = about(engine, "Safeguard")
        assert line.urgency is Urgency.SOON
        assert f"KB{JUNE}" in line.text
