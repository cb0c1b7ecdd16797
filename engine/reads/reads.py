"""Everything a screen or a command may ask, as plain calls that return records; never writes.

One `Reads` belongs to one `Engine` and so to one thread. A room is loaded when it is entered, and kept.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from engine.model.clock import Clock
from engine.model.records.fleet import Attention
from engine.store import Store

if TYPE_CHECKING:
    from engine.reads.activity import ActivityReads
    from engine.reads.devices import DeviceReads
    from engine.reads.evidence import EvidenceReads
    from engine.reads.failures import FailureReads
    from engine.reads.releases import ReleaseReads
    from engine.reads.rollout import RolloutReads
    from engine.reads.tenants import TenantReads


class Reads:
    """The questions, room by room, and the two that belong to none."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    @cached_property
    def devices(self) -> DeviceReads:
        """The list, one device, its readiness, and what the help desk says of it."""
        from engine.reads.devices import DeviceReads

        return DeviceReads(self.store, self.clock)

    @cached_property
    def releases(self) -> ReleaseReads:
        """The catalog and the calendar."""
        from engine.reads.releases import ReleaseReads

        return ReleaseReads(self.store, self.clock)

    @cached_property
    def rollout(self) -> RolloutReads:
        """Rings, approvals, installs under way, holds, recoveries, health."""
        from engine.reads.rollout import RolloutReads

        return RolloutReads(self.store, self.clock)

    @cached_property
    def failures(self) -> FailureReads:
        """What has failed, why, who deals with it and until when."""
        from engine.reads.failures import FailureReads

        return FailureReads(self.store, self.clock)

    @cached_property
    def evidence(self) -> EvidenceReads:
        """Readiness over the fleet, compliance and cost."""
        from engine.reads.evidence import EvidenceReads

        return EvidenceReads(self.store, self.clock)

    @cached_property
    def activity(self) -> ActivityReads:
        """The audit, its chain, and what a period brought."""
        from engine.reads.activity import ActivityReads

        return ActivityReads(self.store, self.clock)

    @cached_property
    def tenants(self) -> TenantReads:
        """What tenants were asked for, and how old what they tell is."""
        from engine.reads.tenants import TenantReads

        return TenantReads(self.store, self.clock)

    def attention(self) -> tuple[Attention, ...]:
        """What waits for a person, the most urgent first."""
        from engine.reads.attention import attention

        return attention(self.store, self.clock)

    def setting(self, name: str) -> str | None:
        """What the console remembered under this name."""
        return self.store.state.setting(f"console:{name}")
