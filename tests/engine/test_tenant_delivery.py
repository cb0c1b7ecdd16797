"""The outbox on a bad day: refused, throttled, cut off, killed, twice at once, read only; and the rollout beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine.model.errors import PlanOutdated
from engine.model.intents import Approve, AskAgain, Expedite, Resume, Scope, SetRing, Sync, Target
from engine.model.tenants import RequestState
from engine.providers.graph.client import Limits
from tests.engine.tenant_desk import APPROVE, BOARD, MAY, NAME, PAUSE, Desk, desk, sent
from tests.tenant.quality_policies import HOTPATCH, MAY_ITEM
from tests.tenant.server import Tenant
from tests.tenant.update_policies import MAY_ENTRY, add_policy, add_ring, approvals_of
from tests.tenant.update_rings import ring_id, rings

# --- what goes wrong --------------------------------------------------------------------------------


async def test_a_refused_request_is_told_with_the_words_of_the_service_and_can_be_sent_again(
    tenant: Tenant, tmp_path: Path
) -> None:
    found = await desk(tenant, tmp_path)
    tenant.state.denied.append(("PATCH", "/deviceManagement/deviceConfigurations"))
    (receipt,) = await found.ask(PAUSE)
    assert (receipt.state, receipt.status) == (RequestState.REFUSED, 403)
    assert receipt.request_id
    assert "Microsoft Graph denied PATCH" in receipt.said
    urgent = [each.text for each in found.engine.reads.attention() if each.urgency == "now"]
    assert "corp refused: ring Corp Broad is paused. See: hotpatch requests" in urgent
    assert found.audit("request-refused")[0].kb is None
    tenant.state.denied.clear()
    (again,) = await found.ask(AskAgain(receipt.id))
    assert again.state is RequestState.CONFIRMED
    assert not any("refused" in each.text for each in found.engine.reads.attention())


async def test_an_item_among_those_that_failed_was_refused(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    body = {"value": {"successfulIds": [], "failedIds": [MAY_ITEM]}}
    tenant.faults.status(200, f"/beta/deviceManagement/windowsQualityUpdatePolicies/{HOTPATCH}/bulk", body=body)
    (receipt,) = await found.ask(APPROVE)
    assert receipt.state is RequestState.REFUSED
    assert "among the items that failed" in receipt.said


async def test_a_throttled_request_waits_and_later_ones_do_not_overtake_it(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    found.corp.limits = Limits(attempts=1)
    tenant.faults.throttle("/v1.0/deviceManagement/deviceConfigurations", method="PATCH", retry_after="600")
    first = found.carry_out(PAUSE)
    second = found.carry_out(Resume(Scope(ring="Corp Broad")))
    await found.engine.deliver()
    assert [each.state for each in found.receipts(first + second)] == [RequestState.WAITING] * 2
    (waiting,) = found.receipts(first)
    assert waiting.next_at is not None
    assert waiting.next_at > found.clock.now()
    await found.engine.deliver()
    assert len(tenant.writes) == 1
    found.later(minutes=30)
    await found.engine.deliver()
    assert [each.state for each in found.receipts(first + second)] == [RequestState.CONFIRMED] * 2
    assert rings(tenant.state)[ring_id(3)]["qualityUpdatesPaused"] is False


async def test_a_tenant_that_cannot_be_reached_is_asked_later(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    found.corp.limits = Limits(attempts=1)
    tenant.faults.close("/v1.0/deviceManagement/deviceConfigurations", method="PATCH")
    (receipt,) = await found.ask(PAUSE)
    assert receipt.state is RequestState.WAITING
    assert receipt.said
    found.later(hours=2)
    assert any("could not be sent for an hour" in each.text for each in found.engine.reads.attention())
    await found.engine.run_due()
    assert rings(tenant.state)[ring_id(3)]["qualityUpdatesPaused"] is True


@pytest.mark.parametrize("after", [False, True])
async def test_what_may_have_arrived_is_read_back_before_it_is_sent_again(
    tenant: Tenant, tmp_path: Path, after: bool
) -> None:
    """A profile must not be made twice, whether the answer was lost or the request itself."""
    found = await desk(tenant, tmp_path)
    found.corp.limits = Limits(attempts=1)
    tenant.faults.close("/beta/deviceManagement/windowsQualityUpdateProfiles", method="POST", after=after)
    numbers = found.carry_out(Expedite(MAY, Target(rings=("Corp First",)), "exploited"))
    await found.engine.deliver()
    found.later(hours=1)
    await found.engine.deliver()
    assert len(tenant.state.tables["profiles"]) == 1
    assert all(not each.state.is_open for each in found.receipts(numbers))
    assert found.receipts(numbers)[0].created == next(iter(tenant.state.tables["profiles"]))


async def test_an_approval_that_somebody_else_gave_meanwhile_is_found(tenant: Tenant, tmp_path: Path) -> None:
    tenant.state.tables["no-quality-policies"]["x"] = {}
    tenant.state.tables["no-configurations"]["x"] = {}
    add_policy(tenant.state, "p-1", "Patch Tuesday")
    add_ring(tenant.state, "p-1", "r-1", "Pilot", 1, deferral=2)
    found = await desk(tenant, tmp_path)
    numbers = found.carry_out(Approve(MAY, ("Pilot",), BOARD))
    approvals_of(tenant.state, "p-1")["a-9"] = {"id": "a-9", "catalogEntryId": MAY_ENTRY, "status": "approved"}
    await found.engine.deliver()
    assert [each.state for each in found.receipts(numbers)] == [RequestState.CONFIRMED]
    assert found.store.tenant_rings.approvals(NAME)[0].approval_id == "a-9"


async def test_an_assignment_is_not_sent_when_its_profile_was_refused(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    await found.ask(Expedite(MAY, Target(rings=("Corp Broad",)), "exploited"))
    tenant.faults.status(400, "/beta/deviceManagement/windowsQualityUpdateProfiles", method="POST")
    made, given = await found.ask(Expedite(MAY, Target(rings=("Corp First",)), "exploited"))
    assert (made.state, given.state) == (RequestState.REFUSED, RequestState.REFUSED)
    assert given.status is None
    assert len(tenant.state.tables["profiles"]) == 1


# --- killed, twice at once, read only ---------------------------------------------------------------


async def test_killed_between_deciding_and_sending_it_is_sent_by_the_next(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    numbers = found.carry_out(PAUSE)
    found.engine.close()
    found.engine = found.open()
    assert tenant.writes == []
    await found.engine.run_due()
    assert [each.state for each in found.receipts(numbers)] == [RequestState.CONFIRMED]


@pytest.mark.parametrize("intent", [APPROVE, PAUSE, Expedite(MAY, Target(rings=("Corp First",)), "exploited")])
async def test_killed_between_sending_and_writing_the_answer_down_nothing_is_done_twice(
    tenant: Tenant, tmp_path: Path, intent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    found = await desk(tenant, tmp_path)
    numbers = found.carry_out(intent)

    def die(*_: object, **__: object) -> bool:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(found.store.tenant_requests), "answer", die)
        with pytest.raises(Killed):
            await found.engine.deliver()
    made = len(tenant.state.tables["profiles"])
    found.engine.close()
    found.engine = found.open()
    await found.engine.deliver()
    assert found.receipts(numbers)[0].state is RequestState.SENDING
    expire_claims(found)
    await found.engine.deliver()
    assert all(not each.state.is_open for each in found.receipts(numbers))
    assert len(tenant.state.tables["profiles"]) == made
    posts = [path for method, path in sent(tenant) if (method, path.rpartition("/")[2]) != ("POST", "assign")]
    assert len(posts) == 1


def expire_claims(found: Desk) -> None:
    """As time passes for a process that has ended."""
    with found.store.transaction():
        found.store.connection.execute("UPDATE tenant_request SET claimed_until = 1 WHERE state = 'sending'")


async def test_two_that_deliver_at_once_send_each_request_once(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    numbers = found.carry_out(Sync(Target(rings=("Corp Test",))))
    numbers += found.carry_out(Sync(Target(rings=("Corp First",))))
    numbers += found.carry_out(PAUSE)
    others = [found.open(who=name) for name in ("noor", "ada")]
    await asyncio.gather(*(engine.deliver() for engine in (found.engine, *others)))
    await found.engine.deliver()
    assert all(not each.state.is_open for each in found.receipts(numbers))
    paths = [path for _, path in sent(tenant)]
    assert len(paths) == len(set(paths)) == len(numbers)
    for engine in others:
        engine.close()


async def test_the_same_wish_twice_before_it_was_sent_is_one_request(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    found.carry_out(SetRing("Corp Broad", deferral_days=9))
    refusal = found.plan(SetRing("Corp Broad", deferral_days=9)).refusal
    assert refusal is not None
    found.carry_out(PAUSE)
    (back,) = await found.ask(Resume(Scope(ring="Corp Broad")))
    assert (back.request.body or {})["qualityUpdatesPaused"] is False
    assert [path.rpartition("/")[2] for _, path in sent(tenant)] == [ring_id(3)] * 3


async def test_a_plan_whose_requests_have_changed_is_not_carried_out(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    plan = found.plan(SetRing("Corp Broad", deferral_days=9, deadline_days=9))
    rings(tenant.state)[ring_id(3)]["deadlineForQualityUpdatesInDays"] = 9
    await found.pull_rings()
    with pytest.raises(PlanOutdated):
        found.engine.carry_out(plan)
    assert found.store.tenant_requests.open() == ()


async def test_a_read_only_session_sends_nothing_not_even_what_waits(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    found.carry_out(PAUSE)
    with found.open(read_only=True) as reader:
        await reader.deliver()
        plan = reader.plan(APPROVE)
        assert plan.refusal is not None
        assert plan.requests == ()
    assert tenant.writes == []
    assert found.corp.opened == 0


async def test_a_provider_that_was_closed_for_writing_keeps_what_waits(tenant: Tenant, tmp_path: Path) -> None:
    found = await desk(tenant, tmp_path)
    numbers = found.carry_out(PAUSE)
    found.corp.writes = False
    with found.store.transaction():
        found.store.providers.switch_writes(NAME, on=False)
    await found.engine.run_due()
    assert [each.state for each in found.receipts(numbers)] == [RequestState.WAITING]
    assert found.store.tenant_requests.next_at(found.clock.now()) is None
