"""While somebody drives, what is known of a tenant stays fresh: beside the turns, and after a person's first pull."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from engine.model.errors import SignInNeeded
from engine.model.intents import Approve
from engine.providers.graph.client import GraphClient
from engine.rules.tenants.inventory import PullStage
from engine.tenants.upkeep import TenantUpkeep
from tests.engine.tenant_desk import BOARD, MAY, NAME, Corp, Desk, desk
from tests.tenant import reports
from tests.tenant.server import Tenant

DEVICES = "/deviceManagement/managedDevices"


@pytest.fixture
async def corp(tenant: Tenant, tmp_path: Path) -> AsyncIterator[Desk]:
    tenant.state.devices.change(0, osVersion="10.0.26100.8246", lastSyncDateTime="2026-05-20T07:00:00Z")
    tenant.state.devices.change_hardware(0, deviceGuardVirtualizationBasedSecurityState="running")
    found = await desk(tenant, tmp_path)
    tenant.requests.clear()
    yield found
    found.engine.close()


def upkeep(corp: Desk, every: timedelta | None = timedelta(hours=4)) -> TenantUpkeep:
    return TenantUpkeep(corp.store, {NAME: corp.corp}, corp.clock, every)


async def turn(corp: Desk, work: TenantUpkeep) -> None:
    """One turn, and all that goes on beside it."""
    work.turn(corp.clock.now())
    await work.settle()


async def test_what_is_fresh_is_left_alone_and_what_is_old_is_pulled(corp: Desk) -> None:
    work = upkeep(corp)
    corp.later(hours=3)
    await turn(corp, work)
    assert not corp.tenant.requests
    corp.later(hours=1)
    corp.tenant.state.devices.delete(3)
    await turn(corp, work)
    found = corp.store.tenant_pulls.freshness(NAME)
    assert (found.finished_at, found.stage, found.is_claimed) == (corp.clock.now(), PullStage.DONE, False)
    assert work.turn(corp.clock.now()) > 5
    corp.tenant.requests.clear()
    await turn(corp, work)
    assert not corp.tenant.requests


async def test_a_turn_does_not_wait_for_the_pull(corp: Desk) -> None:
    corp.later(hours=5)
    result = await corp.engine.run_due()
    assert result.driving
    tenants = corp.engine._runner.tenants
    assert tenants.is_pulling
    assert result.next_at is not None
    await tenants.settle()
    assert corp.store.tenant_pulls.freshness(NAME).stage is PullStage.DONE


async def test_the_first_pull_is_a_persons_and_so_may_all_be(tenant: Tenant, corp: Desk, tmp_path: Path) -> None:
    fresh = Desk(tenant, tmp_path / "fresh.db")
    fresh.add_provider()
    await turn(fresh, upkeep(fresh))
    fresh.engine.close()
    corp.later(days=9)
    await turn(corp, upkeep(corp, None))
    assert not tenant.requests


async def test_a_sign_in_that_is_needed_is_said_and_not_asked_for_again_at_once(corp: Desk) -> None:
    class SignedOut(Corp):
        tries = 0

        @asynccontextmanager
        async def open(self) -> AsyncIterator[GraphClient]:
            SignedOut.tries += 1
            raise SignInNeeded("Nobody is signed in to corp.", "", "Sign in: hotpatch provider login corp")
            yield

    corp.corp = SignedOut(corp.tenant)
    work = upkeep(corp)
    corp.later(hours=5)
    for _ in range(3):
        await turn(corp, work)
    assert SignedOut.tries == 1
    standing = corp.engine.reads.tenants.providers()[0]
    assert (standing.needs_sign_in, standing.problem) == (True, "Nobody is signed in to corp.")
    (told,) = (each.text for each in corp.engine.reads.attention() if "needs a sign-in" in each.text)
    assert told == "corp needs a sign-in. Put a new token into TENANT_TOKEN, then: hotpatch import --from corp"
    corp.later(minutes=6)
    await turn(corp, work)
    assert SignedOut.tries == 2
    corp.corp = Corp(corp.tenant)
    corp.later(minutes=6)
    await turn(corp, upkeep(corp))
    assert corp.engine.reads.tenants.providers()[0].problem == ""


async def test_a_pull_that_another_process_does_is_left_to_it(corp: Desk) -> None:
    corp.later(hours=5)
    first = upkeep(corp)
    other = corp.open(who="other")
    with other.reads.store.transaction():
        pulls = other.reads.store.tenant_pulls
        pulls.begin(NAME, corp.clock.now())
        assert pulls.claim(NAME) == ""
    await turn(corp, first)
    assert not corp.tenant.requests
    other.close()


async def test_one_that_is_stopped_gives_the_pull_back_and_the_next_goes_on(corp: Desk) -> None:
    corp.later(hours=5)
    work = upkeep(corp)
    work.turn(corp.clock.now())
    task = work._task
    while not corp.tenant.asked(DEVICES):
        await asyncio.sleep(0)
    work.stop()
    await asyncio.wait([task])
    found = corp.store.tenant_pulls.freshness(NAME)
    assert (found.is_claimed, found.stage is PullStage.DONE) == (False, False)
    await turn(corp, upkeep(corp))
    assert corp.store.tenant_pulls.freshness(NAME).stage is PullStage.DONE


async def test_an_export_that_takes_its_time_is_looked_at_by_later_turns(corp: Desk) -> None:
    await corp.ask(Approve(kb=MAY, rings=("Corp Test", "Corp First"), reason=BOARD))
    reports.slow(corp.tenant.state, 3)
    corp.later(hours=5)
    work = upkeep(corp)
    turns = 0
    while corp.store.tenant_pulls.freshness(NAME).stage is not PullStage.DONE or not turns:
        await turn(corp, work)
        corp.later(seconds=20)
        turns += 1
        assert turns < 60
    assert turns > 2
    assert len(corp.tenant.asked(reports.JOBS, "POST")) == 4


async def test_old_data_and_a_broken_off_pull_wait_for_a_person(corp: Desk) -> None:
    def words() -> str:
        return " ".join(each.text for each in corp.engine.reads.attention())

    assert "of corp" not in words()
    corp.later(hours=49)
    assert "What is shown of corp is 49 hours old" in words()
    with corp.store.transaction():
        corp.store.tenant_pulls.begin(NAME, corp.clock.now())
    corp.later(hours=1)
    assert "A pull of corp was broken off at devices" in words()
    assert corp.engine.info().tenants[0].is_stale(corp.clock.now())


async def test_what_nobody_foresaw_is_the_turns_trouble(corp: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    work = upkeep(corp)
    corp.later(hours=5)

    @asynccontextmanager
    async def breaks() -> AsyncIterator[GraphClient]:
        raise ZeroDivisionError
        yield

    monkeypatch.setattr(corp.corp, "open", breaks)
    await turn(corp, work)
    with pytest.raises(ZeroDivisionError):
        work.turn(corp.clock.now())
