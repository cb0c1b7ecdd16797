"""By when a device must have a release: deadline, grace, and the on-time rule of Windows Autopatch. Pure.

Reads, forecast and the runner's escalation ask it. A deadline counts from the day on which the ring was offered it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from engine.model.model import Ring

REPORTING_DAYS = 5
"""Days after the deadline in which a device may still report (Microsoft Learn, "Windows quality updates", 09/2024)."""
_SHORTEST = timedelta(days=1)
"""A deadline of 0 days means within the day: no device can have it in the second in which it is offered."""


class Lateness(StrEnum):
    """How a device without the release stands towards its deadline, worst first."""

    OVERDUE = "overdue"
    AWAY = "away"
    """Not heard from since the deadline; it has its grace when it returns."""
    GRACE = "grace"
    DUE = "due"


class Deadline(Struct, frozen=True):
    """The moments of one ring and release."""

    deadline_at: datetime
    grace_ends_at: datetime
    on_time_until: datetime
    """Until then an install counts as on time: deadline plus the reporting days."""
    grace_days: int

    def lateness(self, last_seen_at: datetime | None, now: datetime) -> Lateness:
        """How a device that has not got the release stands."""
        if now < self.deadline_at:
            return Lateness.DUE
        if last_seen_at is None or last_seen_at < self.deadline_at:
            return Lateness.AWAY
        return Lateness.GRACE if now < self.grace_ends_at else Lateness.OVERDUE


def deadline_of(ring: Ring, opened_at: datetime) -> Deadline:
    """The moments that follow from when the ring was offered the release."""
    deadline_at = opened_at + max(timedelta(days=ring.deadline_days), _SHORTEST)
    return Deadline(
        deadline_at=deadline_at,
        grace_ends_at=deadline_at + timedelta(days=ring.grace_days),
        on_time_until=deadline_at + timedelta(days=REPORTING_DAYS),
        grace_days=ring.grace_days,
    )
