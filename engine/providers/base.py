"""What every system that reaches devices must offer; the runner alone calls it.

A provider knows no database and decides nothing: it says what it can do, carries out one order,
and reports what has happened. It raises the ProviderError tree of `engine.model.errors` and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from engine.model.build import OsBuild
from engine.model.model import DeviceFacts, InstallAction, InstallState, Release, Window


class PolicyVerb(StrEnum):
    """What can be asked of a system that works by policy. Each is a request: devices act on it at their next scan."""

    APPROVE = "approve"
    """Let a release go to the devices of a ring."""
    SUSPEND = "suspend"
    """Hold one release back from a ring."""
    PAUSE = "pause"
    """Offer a ring no quality updates for now."""
    RESUME = "resume"
    DEFER = "defer"
    """Set a ring's days until a release is offered, its deadline and its grace."""
    SWITCH_HOTPATCH = "switch-hotpatch"
    """Take hotpatches, or the LCU with its restart, by policy."""
    EXPEDITE = "expedite"
    """An emergency: overrides deferrals and forces a restart, the opposite of a hotpatch."""
    SYNC = "sync"
    """Ask one device to look for policies now."""
    ROLL_BACK_RING = "roll-back-ring"
    """Uninstall the last quality update from every device of a ring, with restarts; never from one device."""


class Capabilities(Struct, frozen=True):
    """What the system behind a provider really can do; the console offers and claims no more."""

    install_now: bool
    """An order starts within minutes. False: the device obeys at its next scan, hours to days later."""
    uninstall_device: bool
    reports_progress: bool
    reports_health: bool
    note: str = ""
    """One sentence for people about what to expect."""
    requests: frozenset[PolicyVerb] = frozenset()
    """What can be asked for by policy; none where orders are carried out."""

    @property
    def is_by_policy(self) -> bool:
        """Decisions become requests to policies, and no order is ever given to a device."""
        return bool(self.requests)


class Order(Struct, frozen=True):
    """One install that the engine wants carried out, with all that a provider may need to know."""

    install_id: int
    device_id: int
    device: DeviceFacts
    release: Release
    action: InstallAction
    attempt: int
    by_hand: bool
    """Asked for by an operator now, rather than due by rollout at the device's next scan."""
    requested_at: datetime
    state: InstallState
    stage: str
    window: Window | None = None
    """The maintenance window that a restart must keep to; None leaves it to the device."""
    result_build: OsBuild | None = None
    """The device's build when the order has succeeded: the release's, or after an uninstall the baseline's."""


class InstallReport(Struct, frozen=True):
    """One step that an install took. Reports of one install come in the order of time."""

    install_id: int
    at: datetime
    state: InstallState
    stage: str
    progress: int
    next_at: datetime | None
    """When there will be more to report; None when the state is final."""
    error_code: int | None = None
    build: OsBuild | None = None
    """The device's build after the step, where the step changed it."""
    boot_at: datetime | None = None
    """The device's new boot time, where the step restarted it."""


class HealthSignals(Struct, frozen=True):
    """How a device fared in the 24 hours before it was asked; overheads are shares against its own before."""

    crashes: int
    """Application and system crashes."""
    unexpected_restarts: int
    service_failures: int
    cpu_overhead: float
    """0.02 is two per cent more than before; below zero is less."""
    memory_overhead: float


class CheckIn(Struct, frozen=True):
    """A device told what it is; `external_id` is the provider's own id for it."""

    external_id: str
    facts: DeviceFacts


class Provider(Protocol):
    """A system that reaches devices. All calls may be repeated; `Order.install_id` makes them idempotent."""

    @property
    def name(self) -> str: ...

    def capabilities(self) -> Capabilities: ...

    def devices(self, since: datetime | None) -> AsyncIterator[CheckIn]:
        """Every device that reported since then; all of them for None."""
        ...

    async def report(self, orders: Sequence[Order], now: datetime) -> Sequence[InstallReport]:
        """Carry out each order that has not begun, and tell every step since the order's state and stage.

        An order that has nothing new yet is answered with one report of its present state and a `next_at`.
        """
        ...


@runtime_checkable
class ReportsHealth(Protocol):
    """A provider that tells how devices fare; `Capabilities.reports_health` says so to people."""

    def health(
        self, external_id: str, facts: DeviceFacts, kb: int | None, installed_at: datetime | None, now: datetime
    ) -> HealthSignals | None:
        """The last 24 hours of a device that runs release `kb` since then; None when it has not been heard of."""
        ...
