"""Orders, devices and their strategies for the tests of the simulated provider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import cast

from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import DeviceFacts, FormFactor, InstallAction, InstallState, Release, ReleaseKind, VbsState
from engine.model.sample import SampleDevice
from engine.providers.base import InstallReport, Order
from engine.providers.simulated import (
    NO_FAILURES,
    SCENARIOS,
    Faults,
    SimulatedProvider,
    faults_for,
    is_dark,
    load_bundled_fleet,
    script,
)
from engine.providers.simulated.company import ZONE_OF_CITY
from engine.providers.simulated.sample import DEMO_START

S = InstallState
RELEASED_AT = datetime(2026, 5, 12, 17, tzinfo=UTC)
BASELINE_BUILD = OsBuild(26100, 8246)


def release(
    kind: ReleaseKind = ReleaseKind.HOTPATCH, kb: int = 5089466, platform: Platform = Platform.WIN11_24H2
) -> Release:
    return Release(
        kb=kb,
        platform=platform,
        kind=kind,
        month="2026-05",
        released_at=RELEASED_AT,
        build=OsBuild(platform.build_number, 8390),
        architectures=(Architecture.X64, Architecture.ARM64),
        restart_required=not kind.is_hotpatch,
        source="test",
    )


def device(name: str = "LON-LT-0100", **changes: object) -> DeviceFacts:
    facts = DeviceFacts(
        name=name,
        platform=Platform.WIN11_24H2,
        architecture=Architecture.X64,
        build=BASELINE_BUILD,
        form=FormFactor.LAPTOP,
        site="London",
        vbs=VbsState.RUNNING,
        last_seen_at=DEMO_START,
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def order(**changes: object) -> Order:
    wanted = Order(
        install_id=7,
        device_id=70,
        device=device(),
        release=release(),
        action=InstallAction.APPLY,
        attempt=1,
        by_hand=True,
        requested_at=DEMO_START,
        state=S.QUEUED,
        stage="waiting",
        result_build=OsBuild(26100, 8390),
    )
    return replace(wanted, **changes)  # type: ignore[arg-type]


def server(name: str = "LON-SRV-APP09", **changes: object) -> DeviceFacts:
    return device(name, form=FormFactor.SERVER, platform=Platform.SERVER_2025, **changes)


def uninstall(**changes: object) -> Order:
    return order(**{"action": InstallAction.UNINSTALL, "result_build": BASELINE_BUILD, **changes})


def lived(wanted: Order, seed: int = 1, faults: Faults = NO_FAILURES) -> tuple[InstallReport, ...]:
    return script(wanted, seed, faults)


def many(count: int = 1_500, **changes: object) -> list[Order]:
    """The same order to many devices that still report."""
    names = (f"LON-LT-{number:05d}" for number in range(count * 2))
    living = [name for name in names if not is_dark(name)][:count]
    return [order(device=device(name), install_id=n, **changes) for n, name in enumerate(living)]


def tell(provider: SimulatedProvider, wanted: Order, now: datetime) -> Sequence[InstallReport]:
    """Ask without an event loop: the provider waits for nothing."""
    try:
        provider.report([wanted], now).send(None)
    except StopIteration as answer:
        return cast("Sequence[InstallReport]", answer.value)
    raise AssertionError("the simulated provider waited for something")


@cache
def fleet() -> tuple[SampleDevice, ...]:
    return tuple(load_bundled_fleet())


NAMES = st.sampled_from([f"{site}-LT-{n:04d}" for site in ("LON", "NYC", "SYD") for n in range(60)])
DEVICES = st.builds(
    device,
    NAMES,
    form=st.sampled_from(FormFactor),
    site=st.sampled_from([*sorted(ZONE_OF_CITY), "Atlantis", ""]),
    vbs=st.sampled_from(VbsState),
    platform=st.sampled_from(Platform),
)
MOMENTS = st.integers(0, 2 * 365 * 86_400_000).map(
    lambda passed: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=passed)
)
ORDERS = st.builds(
    order,
    device=DEVICES,
    release=st.builds(release, st.sampled_from(ReleaseKind), st.sampled_from([5089466, 5083769])),
    action=st.sampled_from(InstallAction),
    attempt=st.integers(1, 4),
    by_hand=st.booleans(),
    requested_at=MOMENTS,
)
FAULTS = st.sampled_from(
    [NO_FAILURES, Faults(), Faults(failure_share=1.0, retry_failure_share=1.0), *map(faults_for, SCENARIOS)]
)
SEEDS = st.integers(0, 2**40)
