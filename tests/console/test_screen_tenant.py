"""Screens over a tenant's fleet: how old all is, "requested" and never "installing", and what a tenant rules out."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.app import HotpatchApp
from console.background import Background
from console.settings import Settings
from console.widgets.status_line import StatusLine
from engine import Engine, open_engine
from engine.model.clock import FixedClock
from engine.model.intents import Actor, Approve, Scope, Stop, StopKind
from tests.console.driver import LARGE, SMALL, Desk
from tests.console.pictures import SIZES, same_picture
from tests.engine.tenant_desk import BOARD, MAY, desk
from tests.tenant import reports
from tests.tenant.fixtures import TOKEN
from tests.tenant.fleet import NOW
from tests.tenant.quality_policies import HOTPATCH
from tests.tenant.server import Tenant, running


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tenant's fleet three hours after a pull: one device failed, one waits in a ring, another ring is paused."""
    folder = tmp_path_factory.mktemp("tenant")
    played = Tenant(token=TOKEN)
    played.state.write_tokens.add(TOKEN)
    with running(played):
        asyncio.run(_prepare(played, folder))
    return folder / "state.db"


async def _prepare(played: Tenant, folder: Path) -> None:
    for number in (0, 1, 2):
        played.state.devices.change(number, osVersion="10.0.26100.8246", lastSyncDateTime="2026-05-20T07:00:00Z")
        played.state.devices.change_hardware(number, deviceGuardVirtualizationBasedSecurityState="running")
    corp = await desk(played, folder)
    await corp.ask(Approve(kb=MAY, rings=("Corp Test", "Corp First"), reason=BOARD))
    await corp.ask(Stop(kind=StopKind.PAUSE, scope=Scope(ring="Corp First"), reason="month end"))
    reports.alert(played.state, HOTPATCH, 1, Win32ErrorCode="-2147024784")
    corp.later(hours=2)
    await corp.pull()
    corp.store.settle()
    corp.engine.close()


@pytest.fixture
def path(prepared: Path, tmp_path: Path) -> Path:
    shutil.copy(prepared, tmp_path / "state.db")
    return tmp_path / "state.db"


@asynccontextmanager
async def console(path: Path, start: str, size: tuple[int, int] = LARGE, **later: float) -> AsyncIterator[Desk]:
    clock = FixedClock(NOW + timedelta(**(later or {"hours": 5})))

    def opener() -> Engine:
        return open_engine(path, actor=Actor("tester", "test console"), clock=clock)

    app = HotpatchApp(Background(opener, driving=False, poll_seconds=0.02), Settings(animation="none"), start=start)
    async with app.run_test(size=size) as pilot:
        found = Desk(app, pilot, path)
        yield await found.idle()


@pytest.mark.parametrize("start", ["overview", "devices", "rings", "failures", "releases", "calendar", "activity"])
async def test_every_screen_says_how_old_the_tenants_data_is(path: Path, start: str) -> None:
    async with console(path, start) as found:
        status = found.app.screen.query_one(StatusLine)
        assert "corp 3 h ago" in status.render().plain
        assert not status.is_stale
    async with console(path, start, SMALL, hours=51) as found:
        status = found.app.screen.query_one(StatusLine)
        assert "corp 2 d ago" in status.render().plain
        assert status.is_stale


async def test_nothing_is_installing_on_a_tenants_devices(path: Path) -> None:
    for start in ("overview", "devices", "rings", "failures", "releases", "activity"):
        async with console(path, start) as found:
            assert "nstalling" not in found.text(), start


async def test_the_state_and_the_pane_say_requested_and_since_when(path: Path) -> None:
    async with console(path, "devices") as found:
        await found.press("d")
        assert "KB5089466 was requested 5 hours ago; the" in found.text()
        assert found.shows("device acts at its next scan, hours to days later.", "◐ requested")
        assert found.shows("as corp told: Wed 20 May 2026 10:00 UTC, 3 h ago")


async def test_orders_are_dimmed_on_a_tenants_device_with_the_reason(path: Path) -> None:
    async with console(path, "devices") as found:
        screen: Any = found.app.screen
        for verb in ("apply", "uninstall", "retry"):
            why = screen.why_not(verb)
            assert why.startswith("corp leads this device by policy. No service installs a hotpatch"), verb
        assert screen.why_not("copy") == ""


async def test_a_paused_ring_and_a_requested_one_say_so(path: Path) -> None:
    async with console(path, "rings") as found:
        assert "2 requested" in found.text()
        assert "under way" not in found.text()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", ["2", "3", "5"], ids=["devices", "rings", "failures"])
def test_picture(snap_compare: Callable[..., bool], path: Path, key: str, size: tuple[int, int]) -> None:
    # Down and up: the list has the focus, whenever it was filled.
    keys = (key, "down", "up")
    assert same_picture(snap_compare, path, "overview", size, keys, clock=FixedClock(NOW + timedelta(hours=5)))
