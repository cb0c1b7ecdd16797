"""Devices at certain moments, and what the help desk says about them; for the tests of the help desk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from msgspec.structs import replace

from engine.catalog import Levels, load_bundled, make_levels
from engine.catalog.calendar import MonthPlan, year_plan
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import (
    DeviceFacts,
    DeviceState,
    FormFactor,
    Install,
    InstallAction,
    InstallState,
    Management,
    PolicyState,
    Severity,
    VbsState,
)
from engine.model.records.fleet import DeviceDetail
from engine.rules.failures import FailureCase, FailureTimes
from engine.rules.helpdesk import HelpDeskAnswer, answer
from engine.rules.helpdesk.restarts import uninstalled
from engine.rules.readiness import assess
from tests.engine.failure_states import MAY

P = Platform.WIN11_24H2
MAY_13 = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)
JUNE_10 = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)
JULY_15 = datetime(2026, 7, 15, 9, 0, tzinfo=UTC)
JANUARY, APRIL_BUILD = OsBuild(26100, 7623), OsBuild(26100, 8246)
MAY_BUILD, MAY_LCU_BUILD = OsBuild(26100, 8390), OsBuild(26100, 8457)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@cache
def surroundings(now: datetime) -> tuple[Levels, tuple[MonthPlan, ...]]:
    releases = load_bundled().releases
    plans = (plan for year in (now.year, now.year + 1) for plan in year_plan(P, year, releases, now))
    return make_levels(P, releases, now), tuple(plans)


def facts(build: OsBuild | None, now: datetime = MAY_13, **changes: object) -> DeviceFacts:
    plain = DeviceFacts(
        name="LON-LT-0042",
        platform=P,
        architecture=Architecture.X64,
        build=build,
        edition="Enterprise",
        form=FormFactor.LAPTOP,
        user="alice@contoso.com",
        user_name="Alice Hartley",
        licence="m365-e3",
        management=Management.INTUNE,
        policy=PolicyState.ALLOW,
        vbs=VbsState.RUNNING,
        restart_pending=False,
        boot_at=now - 20 * DAY,
        last_seen_at=now - HOUR,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def install(kb: int, state: InstallState, at: datetime = MAY_13 - HOUR, **changes: object) -> Install:
    plain = Install(
        id=1,
        device_id=1,
        device_name="LON-LT-0042",
        kb=kb,
        platform=P,
        action=InstallAction.APPLY,
        state=state,
        stage="",
        progress=62,
        attempt=1,
        requested_at=at,
        requested_by="engine",
        started_at=at,
        finished_at=at if state.is_final else None,
        next_at=None if state.is_final else at + HOUR,
        error_code=None,
        build_before=None,
        build_after=None,
        restarted=False,
        follow_up_kb=None,
        reason="rollout",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def told(
    device: DeviceFacts, now: datetime = MAY_13, *installs: Install, holds: tuple[str, ...] = (), **more: object
) -> HelpDeskAnswer:
    levels, months = surroundings(now)
    detail = detail_of(device, now, *installs, holds=holds)
    return answer(detail, assess(device, levels, now), levels, months, now, **more)  # type: ignore[arg-type]


def detail_of(device: DeviceFacts, now: datetime, *installs: Install, holds: tuple[str, ...] = ()) -> DeviceDetail:
    levels, _ = surroundings(now)
    found = DeviceDetail(
        id=1,
        facts=device,
        ring="Broad",
        track=levels.track_of(device.build),
        protected=levels.is_current(device.build),
        state=DeviceState.IDLE,
        installs=installs,
        holds=holds,
        withheld=frozenset({None}) if holds else frozenset(),
    )
    return replace(found, held_off=uninstalled(found, levels) is not None)


def failure(code: int = 0x800F0831, attempts: int = 1, failed_at: datetime = MAY_13 - 5 * HOUR) -> FailureCase:
    times = FailureTimes(failed_at, detected_at=failed_at)
    action, severity = InstallAction.APPLY, Severity.CRITICAL
    return FailureCase(1, 1, "LON-LT-0042", "Broad", MAY, P, action, code, attempts, failed_at, times, severity, False)
