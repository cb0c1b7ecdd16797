"""When a request is repeated, after what wait, and how many run at once."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.errors import SignInNeeded, Throttled, Unreachable
from engine.providers.graph.answers import AnswerUnusable, GraphError, GraphThrottled
from engine.providers.graph.client import Limits
from engine.providers.graph.pacing import Pace, backoff, may_repeat, retry_after, wait_for
from tests.tenant.fixtures import FakeTime, client_of
from tests.tenant.server import Tenant

NOW = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)
DEVICES = "/deviceManagement/managedDevices"
ORG = "/organization"


# --- pure ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("Wed, 20 May 2026 08:00:30 GMT", 30.0),
        ("Wed, 20 May 2026 10:00:30 +0200", 30.0),
        ("Wed, 20 May 2026 07:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 40, None),
        ("Wed, 99 May 2026 99:00:00 GMT", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(said: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": said}, NOW) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_breaks_the_reading(said: str) -> None:
    seconds = retry_after({"retry-after": said}, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_backoff_stays_between_nothing_and_its_bound(attempt: int, rng: random.Random) -> None:
    limits = Limits()
    assert 0 <= backoff(attempt, limits, rng) <= min(limits.longest_wait, limits.first_wait * 2.0 ** min(attempt, 30))


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 410, 412, 501, 505])
def test_what_is_no_passing_fault_is_not_repeated(status: int) -> None:
    assert not may_repeat(status, repeatable=True)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_after_a_fault_only_the_harmless_is_repeated(status: int) -> None:
    assert may_repeat(status, repeatable=True)
    assert not may_repeat(status, repeatable=False)


@pytest.mark.parametrize("status", [424, 429, 509])
def test_what_was_surely_not_done_is_always_repeated(status: int) -> None:
    assert may_repeat(status, repeatable=False)


def test_waits_have_three_bounds() -> None:
    limits, rng = Limits(attempts=3, longest_wait=10, total_wait=15), random.Random(1)

    def wait(asked: float | None, attempt: int = 1, waited: float = 0.0) -> float | None:
        return wait_for(asked, attempt=attempt, waited=waited, limits=limits, rng=rng)

    assert wait(10.0) == 10.0
    assert wait(10.1) is None
    assert wait(6.0, waited=10.0) is None
    assert wait(1.0, attempt=3) is None
    assert 0 <= (wait(0.0) or 0.0) <= 1.0


async def test_the_pace_halves_once_a_round_and_grows_slowly() -> None:
    pace = Pace(Limits(concurrency=8, most_at_once=10))
    async with pace.turn() as first, pace.turn() as second:
        pace.refused(first, None)
        pace.refused(second, None)
    assert pace.allowed == 4
    for _ in range(4):
        pace.went_well({})
    assert pace.allowed == 4
    pace.went_well({})
    assert pace.allowed == 5
    for _ in range(1000):
        pace.went_well({})
    assert pace.allowed == 10
    for _ in range(9):
        pace.refused(pace.round, None)
    assert pace.allowed == 1


async def test_the_pace_heeds_how_much_of_the_limit_is_used() -> None:
    pace = Pace(Limits(concurrency=4))
    for _ in range(100):
        pace.went_well({"x-ms-throttle-limit-percentage": "0.8"})
    assert pace.allowed == 4
    pace.went_well({"x-ms-throttle-limit-percentage": "1.3"})
    assert pace.allowed == 3
    for said in ("nan", "-1", "words", "1e99"):
        pace.went_well({"x-ms-throttle-limit-percentage": said})
    assert 3 <= pace.allowed <= 4


async def test_no_more_run_at_once_than_the_pace_allows() -> None:
    pace = Pace(Limits(concurrency=3))
    running, most, go = 0, 0, asyncio.Event()

    async def one() -> None:
        nonlocal running, most
        async with pace.turn():
            running += 1
            most = max(most, running)
            await go.wait()
            running -= 1

    tasks = [asyncio.create_task(one()) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[0].cancel()
    go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3
    assert [result for result in results if isinstance(result, BaseException)] == [results[0]]
    assert vars(pace)["_running"] == 0


# --- over the wire ------------------------------------------------------------------------------------


async def test_a_refused_request_waits_as_long_as_it_was_told(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle(retry_after="17", times=2)
    async with client_of(tenant, time=time) as client:
        assert (await client.get(ORG, version="v1.0"))["value"]
        assert client.pace.allowed == 2  # four, halved twice, and grown by the one that went well
    assert time.slept == [17.0, 17.0]
    assert len(tenant.requests) == 3
    ids = [seen.headers["client-request-id"] for seen in tenant.requests]
    assert len(set(ids)) == 3


async def test_a_date_is_as_good_as_seconds(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle(retry_after="Wed, 20 May 2026 08:00:45 GMT")
    async with client_of(tenant, time=time) as client:
        await client.get(ORG, version="v1.0")
    assert time.slept == [45.0]


async def test_without_retry_after_the_waits_grow_with_jitter(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle(retry_after=None, times=5)
    async with client_of(tenant, time=time) as client:
        await client.get(ORG, version="v1.0")
    assert len(time.slept) == 5
    assert all(slept <= 2.0**attempt for attempt, slept in enumerate(time.slept))
    assert len(set(time.slept)) == 5


async def test_all_requests_wait_together(tenant: Tenant) -> None:
    """One refusal quiets the client: the others are not sent before its time is over."""
    time = FakeTime()
    tenant.faults.throttle(retry_after="30")
    async with client_of(tenant, time=time, limits=Limits(concurrency=1)) as client:
        await asyncio.gather(*(client.get(ORG, version="v1.0") for _ in range(3)))
    assert time.slept == [30.0]
    assert len(tenant.requests) == 4


async def test_a_long_wait_is_handed_to_the_caller(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle(retry_after="3600")
    async with client_of(tenant, time=time) as client:
        with pytest.raises(Throttled) as caught:
            await client.get(ORG, version="v1.0")
    assert isinstance(caught.value, GraphThrottled)
    assert caught.value.retry_at == NOW + timedelta(hours=1)
    assert "09:00:00 UTC" in caught.value.instead
    assert time.slept == []


async def test_an_endless_refusal_ends(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle(retry_after="1", times=99)
    async with client_of(tenant, time=time, limits=Limits(attempts=4)) as client:
        with pytest.raises(Throttled):
            await client.get(ORG, version="v1.0")
    assert len(tenant.requests) == 4


async def test_an_absurd_wait_breaks_nothing(tenant: Tenant) -> None:
    tenant.faults.throttle(retry_after="999999999999")
    async with client_of(tenant) as client:
        with pytest.raises(Throttled):
            await client.get(ORG, version="v1.0")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_fault_of_the_service_is_waited_out(tenant: Tenant, status: int) -> None:
    time = FakeTime()
    tenant.faults.status(status, times=2, Retry_After="4")
    async with client_of(tenant, time=time) as client:
        await client.get(ORG, version="v1.0")
    assert time.slept == [4.0, 4.0]


async def test_a_service_that_is_down_is_said_to_be(tenant: Tenant) -> None:
    tenant.faults.status(503, times=99)
    async with client_of(tenant, limits=Limits(attempts=3)) as client:
        with pytest.raises(Unreachable, match="The service says 503") as caught:
            await client.get(ORG, version="v1.0")
    assert isinstance(caught.value, GraphError)
    assert caught.value.status == 503
    assert not caught.value.outcome_unknown
    assert len(tenant.requests) == 3


@pytest.mark.parametrize("fault", ["close", "cut", "stall"])
async def test_a_lost_answer_is_asked_for_again(tenant: Tenant, fault: str) -> None:
    getattr(tenant.faults, fault)(times=2)
    async with client_of(tenant, limits=Limits(silence_seconds=0.1)) as client:
        assert (await client.get(ORG, version="v1.0"))["value"]
    assert len(tenant.requests) == 3


async def test_a_change_whose_answer_was_lost_is_not_sent_twice(tenant: Tenant) -> None:
    tenant.faults.close(after=True)
    async with client_of(tenant) as client:
        with pytest.raises(Unreachable) as caught:
            await client.send("POST", f"{DEVICES}/00000003-0000-4000-8000-000000000003/syncDevice")
    assert isinstance(caught.value, GraphError)
    assert caught.value.outcome_unknown
    assert len(tenant.writes) == 1
    assert len(tenant.state.tables["actions"]) == 1


async def test_a_change_that_may_be_done_twice_is(tenant: Tenant) -> None:
    tenant.faults.close(after=True)
    async with client_of(tenant) as client:
        path = f"{DEVICES}/00000003-0000-4000-8000-000000000003/syncDevice"
        answer = await client.send("POST", path, repeatable=True)
    assert answer.status == 204
    assert len(tenant.writes) == 2


async def test_a_refused_change_is_always_sent_again(tenant: Tenant) -> None:
    tenant.faults.throttle(times=2)
    async with client_of(tenant) as client:
        answer = await client.send("POST", f"{DEVICES}/00000003-0000-4000-8000-000000000003/syncDevice")
    assert answer.status == 204
    assert len(tenant.writes) == 3


async def test_a_change_after_a_fault_is_uncertain_even_when_it_is_refused_later(tenant: Tenant) -> None:
    tenant.faults.status(502, nth=1)
    tenant.faults.status(409, nth=2)
    async with client_of(tenant) as client:
        with pytest.raises(GraphError) as caught:
            path = f"{DEVICES}/00000003-0000-4000-8000-000000000003/syncDevice"
            await client.send("POST", path, repeatable=True)
    assert (caught.value.status, caught.value.outcome_unknown) == (409, True)


async def test_no_connection_is_no_sign_in_problem(tenant: Tenant) -> None:
    async with client_of(tenant, limits=Limits(attempts=2)) as client:
        client._addresses._service = type(  # type: ignore[attr-defined,assignment]
            "Nowhere", (), {"base_url": "http://127.0.0.1:1", "is_ours": staticmethod(lambda url: True)}
        )()
        with pytest.raises(Unreachable, match="No connection came about") as caught:
            await client.send("POST", f"{DEVICES}/3/syncDevice")
    assert not isinstance(caught.value, SignInNeeded)
    assert isinstance(caught.value, GraphError)
    assert not caught.value.outcome_unknown
    assert tenant.requests == []


async def test_an_answer_has_a_longest_size(tenant: Tenant) -> None:
    async with client_of(tenant, limits=Limits(answer_bytes=500)) as client:
        with pytest.raises(AnswerUnusable, match="too long"):
            await client.get(DEVICES)
    assert len(tenant.requests) == 1
