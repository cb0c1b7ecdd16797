"""Row records of the rollout's reads: recoveries, deadlines, ring conflicts, health, forecasts. Facts only.

Made by `store`, `reads.rollout` and `forecast`, taken by `console`; `fleet` and `reports` hold those of everything
else.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class RingConflict(Struct, frozen=True):
    """A device that stands in one ring while filters claim it otherwise."""

    device_id: int
    device_name: str
    ring: str
    """Where it is."""
    claimed_by: tuple[str, ...]
    """Rings whose filter it matches, first ring first; the first one has it unless it was placed by hand."""
    by_hand: bool


class HandsRow(Struct, frozen=True):
    """A device of a recovery that somebody must look at."""

    device_id: int
    device_name: str
    ring: str
    why: str
    error_code: int | None


class RecoveryProgress(Struct, frozen=True):
    """How far a recovery is. The six counts add up to `devices`."""

    id: int
    kb: int
    then: str
    """What follows the uninstall: ``lcu`` or ``stay``."""
    reason: str
    begun_by: str
    begun_at: datetime
    ended_at: datetime | None
    devices: int
    waiting: int
    """The uninstall has not started on them."""
    uninstalling: int
    restart_pending: int
    """The restart that finishes the uninstall has not happened."""
    protecting: int
    """Off the hotpatch; the LCU is under way, waits for its restart, or is about to be."""
    done: int
    needs_hands: int
    restarts_done: int
    restarts_left: int
    hands: tuple[HandsRow, ...]
    """Those that failed, by name, and those that have not been heard from; the first 200 of each."""


class LateDevice(Struct, frozen=True):
    """A device that has not got a release, and how it stands towards its deadline."""

    device_id: int
    device_name: str
    user: str
    ring: str
    kb: int
    lateness: str
    """``overdue``, ``away``, ``grace`` or ``due``."""
    deadline_at: datetime
    why: str
    """Why it has not got it, in words."""
    restart_pending_since: datetime | None
    """Since when its user has postponed the restart; None where none is pending."""


class HealthRow(Struct, frozen=True):
    """The latest comparison of one ring's patched devices with those not patched."""

    ring: str
    kb: int
    at: datetime
    patched: int
    control: int
    anomalies: tuple[str, ...]
    names: tuple[str, ...]
    """Some of the devices that crashed."""


# --- forecast ---------------------------------------------------------------------------------------


class RingForecast(Struct, frozen=True):
    """What becomes of one ring."""

    ring: str
    opens_at: datetime | None
    """None: it does not open within the forecast."""
    waits_for: str
    """Why it does not open, "" when it does."""
    installed_at: datetime | None
    """When the gate's installed share is reached."""
    deadline_at: datetime | None
    devices: int
    installed: int
    restarts: int
    misses: int
    """Devices without the release at the deadline."""


class Milestone(Struct, frozen=True):
    """Protection at one of the marks that compliance is measured by."""

    name: str
    """``24 hours``, ``5 days``, ``3 weeks``."""
    at: datetime
    protected: int
    devices: int

    @property
    def share(self) -> float:
        return self.protected / self.devices if self.devices else 0.0


class MissReason(Struct, frozen=True):
    """Devices that miss the deadline for one reason."""

    why: str
    devices: int
    names: tuple[str, ...]
    """The first few."""


class Forecast(Struct, frozen=True):
    """What will happen if a release is approved now, by the engine's own decisions over a simulated clock."""

    kb: int
    made_at: datetime
    until: datetime
    rings: tuple[RingForecast, ...]
    milestones: tuple[Milestone, ...]
    target_reached_at: datetime | None
    """When 95 % of the release's devices have it or something later; None when not within the forecast."""
    restarts: int
    misses: tuple[MissReason, ...]
    sampled: int
    """How many devices were simulated."""
    fleet: int
    """How many there are; counts are scaled up where fewer were simulated."""
    notes: tuple[str, ...]
    """What the forecast assumes and leaves out."""

    @property
    def is_sample(self) -> bool:
        return self.sampled < self.fleet
