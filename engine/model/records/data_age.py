"""How old what is shown of tenants is, and how they stand: the records behind "as of" on screens and in documents."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

STALE_AFTER = timedelta(hours=48)
"""Devices upload about once a day, and data can be so old end to end: Microsoft's "Windows quality and feature update
reports overview". What is older may have changed altogether."""


class DataAge(Struct, frozen=True):
    """How old what is shown of one tenant is."""

    provider: str
    pulled_at: datetime | None
    """When the newest pull was finished; None before the first."""
    data_from: datetime | None
    """When the oldest fact that it stands on was read."""
    note: str = ""
    """What can be expected of it, as it says itself: ``No service installs a hotpatch on a client on demand ...``."""

    def is_stale(self, now: datetime) -> bool:
        """Whether it is too old to act on."""
        return self.pulled_at is None or now - self.pulled_at > STALE_AFTER


class ProviderStanding(Struct, frozen=True):
    """One tenant, and how far what it tells can be relied on."""

    name: str
    kind: str
    devices: int
    waiting: int
    """Devices that were asked for something and act by themselves."""
    waiting_since: datetime | None
    """Since when the first of them was."""
    writes: bool
    age: DataAge
    requests_open: int
    """Requests that have still to be sent."""
    requests_refused: int
    """Refused by the tenant within a week, and not asked again since."""
    pulling: str
    """How far the pull that goes on, or was broken off, is; "" for none."""
    is_pulled_now: bool
    problem: str
    """What keeps it from being asked, in words; "" for nothing."""
    needs_sign_in: bool
