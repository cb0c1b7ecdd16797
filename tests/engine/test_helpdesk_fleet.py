"""The help desk on the sample fleet: from a name to answer and ticket, through what happens to a device."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from engine import Engine
from engine.model.intents import After, Apply, Approve, Escalate, Exclude, MarkKnownProblem, Target, Uninstall
from engine.model.records.fleet import DeviceQuery
from engine.rules.helpdesk import RestartReason
from tests.engine.failure_states import CLIENTS, MAY, carry_out, fail, forget_failures, opened

DAY = timedelta(days=1)


def client(engine: Engine, filter_text: str) -> int:
    return next(row.id for row in engine.reads.devices.each(DeviceQuery(filter_text)) if row.platform in CLIENTS)


def test_from_a_name_to_the_answer_and_the_ticket(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        device = engine.reads.devices.find(r"CONTOSO\alice")
        found = engine.reads.devices.answer(device.id)
        assert found.device == "LON-LT-0042"
        assert found.what_next.startswith("KB5089466 has not reached ring Fast yet; it waits for approval.")
        carry_out(engine, Approve(MAY, (), "tested"))
        later = engine.reads.devices.answer(device.id).what_next
        assert later.startswith("KB5089466 reaches ring Fast on 2026-05-") or "waits for" in later
        failing = engine.reads.failures.open()[0].device_id
        written = engine.reads.devices.ticket(failing)
        assert "10 of 11 are Latitude 7450" in written.text()
        assert "Service level" in written.text()


async def test_the_four_reasons_on_a_living_fleet(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        missed = client(engine, "track:behind reason:baseline seen<2d state:idle")
        assert engine.reads.devices.answer(missed).restart_reason is RestartReason.MISSED_BASELINE
        off = engine.reads.devices.find("MAN-LT-0011")
        assert (
            "VBS off" in engine.reads.devices.answer(off.id).what_next + engine.reads.devices.answer(off.id).restart_why
        )
        removed = client(engine, "ring:test readiness:ready state:idle")
        carry_out(engine, Approve(MAY, ("Test",), "tested"))
        carry_out(engine, Apply(MAY, Target(ids=(removed,))))
        await engine.run_until_idle(until=engine.now() + DAY)
        assert engine.reads.devices.answer(removed).protected is True
        carry_out(engine, Uninstall(MAY, Target(ids=(removed,)), "audio drops", After.STAY))
        during = engine.reads.devices.answer(removed)
        assert during.headline.startswith(("Protected", "Not protected"))
        await engine.run_until_idle(until=engine.now() + 2 * DAY)
        after = engine.reads.devices.answer(removed)
        assert after.restart_reason is RestartReason.UNINSTALLED
        assert "audio drops" in after.restart_why
        assert engine.demo is not None
        engine.demo.step(timedelta(days=62))
        await engine.run_due()
        ready = client(engine, "track:behind seen<2d state:idle")
        assert engine.reads.devices.answer(ready).restart_reason is RestartReason.BASELINE_MONTH


def test_exclusions_escalations_and_known_problems_reach_the_answer(demo_state: Path) -> None:
    with opened(demo_state) as engine:
        forget_failures(engine)
        device = client(engine, "ring:broad readiness:ready state:idle")
        fail(engine, [device])
        carry_out(engine, Escalate("ngozi", group="0x800F0831"))
        carry_out(engine, MarkKnownProblem("Image of 2024", group="0x800F0831"))
        found = engine.reads.devices.answer(device)
        assert "Image of 2024" in found.what_next
        assert "ngozi has it" in found.what_next
        carry_out(engine, Exclude(Target(ids=(device,)), "new laptop ordered", MAY))
        assert "new laptop ordered" in engine.reads.devices.answer(device).problem
        written = engine.reads.devices.ticket(device)
        assert "Known problem: Image of 2024" in written.text()
        assert "Escalated: to ngozi" in written.text()
