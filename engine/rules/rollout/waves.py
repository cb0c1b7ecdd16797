"""Waves within a ring, and how many devices may be under way at once. Pure; offering and the ring reads ask it.

A ring with waves 1 %, 10 %, 100 % offers a release to 1 % of its devices first, and to the next share when
the gate's installed share of that wave is in and has soaked. Never chooses devices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from engine.model.model import Ring
from engine.rules.rollout.gates import RingCounts


class WaveStanding(Struct, frozen=True):
    """Which wave of a ring is on for a release."""

    number: int
    """1 is the first."""
    of: int
    share: float
    devices: int
    """How many devices of the ring may have been offered the release by now."""
    waits_for: str
    """What the next wave waits for; "" when this is the last."""
    opens_at: datetime | None
    """When time alone begins the next wave."""

    @property
    def words(self) -> str:
        """``wave 2 of 4 (10%): 3 of 8 installed``; "" for a ring without waves."""
        if self.of == 1:
            return ""
        after = f": {self.waits_for}" if self.waits_for else ""
        return f"wave {self.number} of {self.of} ({self.share:.0%}){after}"


def wave_standing(
    ring: Ring, counts: RingCounts, installed_at: Callable[[int], datetime | None], now: datetime
) -> WaveStanding:
    """The wave that is on; `installed_at` says when the n-th device of the ring had the release, None if not yet."""
    soak = timedelta(hours=ring.wave_soak_hours)
    for index, share in enumerate(ring.waves[:-1]):
        devices = math.ceil(share * counts.offerable)
        needed = math.ceil(ring.gate.min_installed_share * devices)
        reached = installed_at(needed) if counts.installed >= needed else None
        ends = None if reached is None else reached + soak
        if needed and ends is None:
            waits = f"{counts.installed} of {needed} installed"
            return WaveStanding(index + 1, len(ring.waves), share, devices, waits, None)
        if ends is not None and now < ends:
            waits = f"watched until {ends:%a %d %b %H:%M} UTC"
            return WaveStanding(index + 1, len(ring.waves), share, devices, waits, ends)
    return WaveStanding(len(ring.waves), len(ring.waves), 1.0, counts.offerable, "", None)


def room(ring: Ring, counts: RingCounts, failed: int, wave: WaveStanding, in_flight: int, batch: int) -> int:
    """How many more devices of a ring may be offered a release now.

    `failed` counts failures of this release; a device that failed at an earlier one has not been offered this.
    """
    limits = [batch]
    if ring.max_in_flight:
        limits.append(ring.max_in_flight - in_flight)
    if ring.max_share_in_flight:
        limits.append(max(1, int(ring.max_share_in_flight * counts.offerable)) - in_flight)
    if wave.number < wave.of:
        limits.append(wave.devices - counts.installed - failed - counts.active)
    return max(0, min(limits))
