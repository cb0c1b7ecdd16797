"""Many requests in one: each part has a fate of its own, and what is missing is asked for again one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from engine.model.errors import Denied, Gone, Refused, SignInNeeded, Throttled, Unreachable
from engine.providers.graph.answers import AnswerUnusable, GraphError, WritesOff
from engine.providers.graph.client import V1, GraphClient, Limits, Part, PartAnswer
from tests.tenant.fixtures import FakeTime, RenewingTokens, client_of
from tests.tenant.fleet import intune_id, user_id
from tests.tenant.server import Tenant

DEVICES = "/deviceManagement/managedDevices"


def parts(count: int, first: int = 0) -> list[Part]:
    return [
        Part(f"device-{number}", "GET", f"{DEVICES}/{intune_id(number)}?$select=id,hardwareInformation")
        for number in range(first, first + count)
    ]


async def answers_of(client: GraphClient, asked: list[Part], version: str = "beta") -> dict[str, PartAnswer]:
    return {answer.id: answer async for answer in client.batch(asked, version=version)}


async def test_twenty_in_one_and_answers_by_id_whatever_their_order(tenant: Tenant) -> None:
    tenant.state.devices.count = 45
    async with client_of(tenant) as client:
        found = await answers_of(client, parts(45))
    assert len(found) == 45
    for number in range(45):
        answer = found[f"device-{number}"]
        assert (answer.status, answer.error, answer.body["id"]) == (200, None, intune_id(number))
    batches = [json.loads(seen.body)["requests"] for seen in tenant.asked("/$batch")]
    assert sorted(len(each) for each in batches) == [5, 20, 20]
    assert len([seen for seen in tenant.requests if not seen.in_batch]) == 3


async def test_ids_of_the_caller_need_not_be_unique(tenant: Tenant) -> None:
    same = [Part("same", "GET", f"{DEVICES}/{intune_id(number)}") for number in range(3)]
    async with client_of(tenant) as client:
        found = [answer async for answer in client.batch(same)]
    assert [answer.id for answer in found] == ["same"] * 3
    assert {answer.body["id"] for answer in found} == {intune_id(number) for number in range(3)}


async def test_no_parts_send_nothing(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        assert await answers_of(client, []) == {}
    assert tenant.requests == []


async def test_v1_has_a_batch_of_its_own(tenant: Tenant) -> None:
    asked = [Part(str(number), "GET", f"/users/{user_id(number)}/licenseDetails") for number in range(3)]
    async with client_of(tenant) as client:
        found = await answers_of(client, asked, V1)
    assert [found[str(number)].body["value"][0]["skuPartNumber"] for number in range(3)] == ["SPE_E3"] * 3


async def test_a_throttled_part_is_asked_for_alone_after_its_wait(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle_part(f"/beta{DEVICES}/{intune_id(3)}", retry_after="9")
    tenant.faults.throttle_part(f"/beta{DEVICES}/{intune_id(4)}", retry_after="6")
    async with client_of(tenant, time=time) as client:
        found = await answers_of(client, parts(20))
        assert client.pace.allowed < 4
    assert all(answer.error is None for answer in found.values())
    assert time.slept == [9.0]
    alone = [seen.path for seen in tenant.requests if not seen.in_batch and seen.method == "GET"]
    assert sorted(alone) == [f"/beta{DEVICES}/{intune_id(number)}" for number in (3, 4)]


async def test_a_throttled_part_without_a_time_waits_a_little(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle_part(nth=2, retry_after=None)
    async with client_of(tenant, time=time) as client:
        found = await answers_of(client, parts(3))
    assert all(answer.error is None for answer in found.values())
    assert len(time.slept) == 1
    assert time.slept[0] <= 1.0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 424])
async def test_a_part_that_met_a_fault_is_asked_for_alone(tenant: Tenant, status: int) -> None:
    tenant.faults.status(status, DEVICES, nth=2, in_batch=True)
    async with client_of(tenant) as client:
        found = await answers_of(client, parts(4))
    assert all(answer.error is None for answer in found.values())
    assert len([seen for seen in tenant.requests if not seen.in_batch]) == 2


async def test_one_parts_error_is_its_own(tenant: Tenant) -> None:
    tenant.state.devices.delete(2)
    tenant.state.denied.append(("GET", f"{DEVICES}/{intune_id(3)}"))
    async with client_of(tenant) as client:
        found = await answers_of(client, parts(5))
    assert isinstance(found["device-2"].error, Gone)
    assert isinstance(found["device-3"].error, Denied)
    assert found["device-3"].error.said.request_id
    assert found["device-3"].error.said.client_request_id
    assert (found["device-2"].status, found["device-2"].body) == (404, None)
    assert [found[f"device-{number}"].error for number in (0, 1, 4)] == [None] * 3
    assert len(tenant.asked("/$batch")) == 1


async def test_a_part_left_out_of_the_answer_is_noticed(tenant: Tenant) -> None:
    def without_first(value: Any) -> Any:
        noise = [7, {"id": "99", "status": 200}, {"id": "2"}, {"id": "3", "status": True}]
        return {"responses": noise + [each for each in value["responses"] if each["id"] != "1"]}

    tenant.faults.rewrite(without_first, "/beta/$batch")
    async with client_of(tenant) as client:
        found = await answers_of(client, parts(4))
    assert [found[f"device-{number}"].body["id"] for number in range(4)] == [intune_id(number) for number in range(4)]
    alone = [seen.path for seen in tenant.requests if not seen.in_batch and seen.method == "GET"]
    assert alone == [f"/beta{DEVICES}/{intune_id(0)}"]


async def test_a_change_left_out_of_the_answer_is_uncertain_and_not_repeated(tenant: Tenant) -> None:
    tenant.faults.rewrite(lambda _: {"responses": []}, "/beta/$batch")
    async with client_of(tenant) as client:
        found = await answers_of(client, [Part("1", "POST", f"{DEVICES}/{intune_id(1)}/syncDevice")])
    error = found["1"].error
    assert isinstance(error, Unreachable)
    assert error.outcome_unknown
    assert len(tenant.writes) == 1


async def test_a_change_that_met_a_fault_is_uncertain_and_not_repeated(tenant: Tenant) -> None:
    tenant.faults.status(504, f"{DEVICES}/{intune_id(1)}", in_batch=True)
    async with client_of(tenant) as client:
        found = await answers_of(client, [Part("1", "POST", f"{DEVICES}/{intune_id(1)}/syncDevice")])
    assert found["1"].error is not None
    assert found["1"].error.outcome_unknown
    assert len(tenant.writes) == 1


async def test_a_throttled_change_is_sent_again(tenant: Tenant) -> None:
    tenant.faults.throttle_part()
    async with client_of(tenant) as client:
        found = await answers_of(client, [Part("1", "POST", f"{DEVICES}/{intune_id(1)}/syncDevice")])
    assert (found["1"].status, found["1"].error) == (204, None)


async def test_bodies_say_what_they_are(tenant: Tenant) -> None:
    asset = {"@odata.type": "#microsoft.graph.windowsUpdates.azureADDevice", "id": "a"}
    body = {"updateCategory": "quality", "assets": [asset]}
    path = "/admin/windows/updates/updatableAssets/enrollAssets"
    async with client_of(tenant) as client:
        found = await answers_of(client, [Part("1", "post", path, body)])
    assert found["1"].status == 202
    written = json.loads(tenant.asked("/$batch")[0].body)["requests"][0]
    assert written == {
        "id": "1",
        "method": "POST",
        "url": path,
        "body": body,
        "headers": {"Content-Type": "application/json"},
    }


async def test_read_only_sends_no_batch_with_a_change(tenant: Tenant) -> None:
    async with client_of(tenant, writes=False) as client:
        asked = [*parts(1), Part("w", "POST", f"{DEVICES}/{intune_id(1)}/syncDevice")]
        with pytest.raises(WritesOff) as caught:
            await answers_of(client, asked)
        assert isinstance(caught.value, Refused)
        assert len(await answers_of(client, parts(2))) == 2
    assert tenant.writes == []
    assert len(tenant.asked("/$batch")) == 1


async def test_a_token_that_ends_within_a_run_is_renewed(tenant: Tenant) -> None:
    tokens = RenewingTokens("old-token-1", "new-token-2")
    tenant.state.tokens.add("old-token-1")
    tenant.faults.expire_token("/beta/$batch", nth=3, other="new-token-2")
    tenant.state.devices.count = 100
    async with client_of(tenant, tokens=tokens, limits=Limits(concurrency=1, most_at_once=1)) as client:
        found = await answers_of(client, parts(100))
    assert len(found) == 100
    assert all(answer.error is None for answer in found.values())


async def test_a_part_whose_token_was_refused_is_asked_for_alone(tenant: Tenant) -> None:
    tenant.faults.status(401, DEVICES, in_batch=True)
    async with client_of(tenant) as client:
        found = await answers_of(client, parts(3))
    assert all(answer.error is None for answer in found.values())


async def test_a_whole_batch_that_is_refused_is_waited_out(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle("/beta/$batch", retry_after="8")
    tenant.faults.status(503, "/beta/$batch", nth=2)
    async with client_of(tenant, time=time) as client:
        assert len(await answers_of(client, parts(5))) == 5
    assert time.slept[0] == 8.0


async def test_what_came_before_a_failure_is_given(tenant: Tenant) -> None:
    tenant.state.devices.count = 100
    tenant.faults.status(401, "/beta/$batch", nth=3, times=99)
    found = []
    async with client_of(tenant, limits=Limits(concurrency=1, most_at_once=1)) as client:
        with pytest.raises(SignInNeeded):
            async for answer in client.batch(parts(100)):
                found.append(answer)
    assert len(found) == 40


async def test_after_a_failure_what_is_under_way_is_still_told(tenant: Tenant) -> None:
    """Changes of the other batches have perhaps been made: their answers must not be lost."""
    tenant.state.devices.count = 100
    tenant.faults.status(400, "/beta/$batch", nth=1)
    asked = [Part(str(number), "POST", f"{DEVICES}/{intune_id(number)}/syncDevice") for number in range(100)]
    found = []
    async with client_of(tenant, limits=Limits(concurrency=2, most_at_once=2)) as client:
        with pytest.raises(GraphError):
            async for answer in client.batch(asked):
                found.append(answer)
    assert len(found) == len(tenant.state.tables["actions"]) == 20
    assert len(tenant.asked("/$batch")) == 2


async def test_a_part_that_is_refused_for_long_says_until_when(tenant: Tenant) -> None:
    tenant.faults.throttle_part(nth=1)
    tenant.faults.throttle(f"{DEVICES}/{intune_id(0)}", times=99, retry_after="4000", nth=1)
    async with client_of(tenant) as client:
        found = await answers_of(client, parts(2))
    assert isinstance(found["device-0"].error, Throttled)
    assert found["device-1"].error is None


@pytest.mark.parametrize("value", [{}, [], {"responses": 7}, None])
async def test_an_answer_without_parts_is_an_error(tenant: Tenant, value: Any) -> None:
    tenant.faults.rewrite(lambda _: value, "/beta/$batch")
    async with client_of(tenant) as client:
        with pytest.raises(AnswerUnusable):
            await answers_of(client, parts(2))


async def test_parts_are_taken_as_they_are_needed(tenant: Tenant) -> None:
    """An endless source costs nothing beyond what runs at once; what was begun ends when nobody listens any more."""
    taken = 0

    def endless() -> Iterator[Part]:
        nonlocal taken
        while True:
            taken += 1
            yield Part(str(taken), "GET", f"{DEVICES}/{intune_id(taken % 25)}?$select=id")

    async with client_of(tenant, limits=Limits(concurrency=2, most_at_once=2)) as client:
        stream = client.batch(endless())
        for _ in range(50):
            await anext(stream)
        assert taken <= 50 + 20 * 3
        await stream.aclose()  # type: ignore[attr-defined]
        assert len(asyncio.all_tasks()) == 1


async def test_throttled_parts_by_the_hundred_all_come_in_the_end(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.state.devices.count = 300
    for nth in range(1, 300, 7):
        tenant.faults.throttle_part(DEVICES, nth=nth, retry_after=None if nth % 2 else "1")
    async with client_of(tenant, time=time) as client:
        found = await answers_of(client, parts(300))
    assert len(found) == 300
    assert all(answer.error is None for answer in found.values())


async def test_an_error_in_a_part_never_repeats_the_token(tenant: Tenant) -> None:
    token = "opaque-static-token-71c0ffee"
    said = {"error": {"code": "X", "message": f"Bad token {token}"}}
    tenant.faults.status(400, DEVICES, body=said, in_batch=True)
    async with client_of(tenant) as client:
        found = await answers_of(client, parts(1))
    error = found["device-0"].error
    assert isinstance(error, GraphError)
    assert token not in f"{error} {error.said}"
    assert "Bad token …" in error.why
