"""What the reports on compliance and cost say, as plain records; made by `engine.reads.evidence`, shown by both fronts.

They hold facts only. A share or an amount that is not known is None, never 0; every report carries its assumptions.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from engine.model.build import Platform
from engine.model.model import ReleaseKind


class Period(Struct, frozen=True):
    """Months of releases, both ends in it."""

    first: str
    """``2026-01``"""
    last: str


# --- compliance -------------------------------------------------------------------------------------


class Mark(StrEnum):
    """The three times after a release that compliance is measured at."""

    DAY = "within_24h"
    FIVE_DAYS = "within_5d"
    THREE_WEEKS = "within_3w"

    @property
    def hours(self) -> int:
        return {Mark.DAY: 24, Mark.FIVE_DAYS: 120, Mark.THREE_WEEKS: 504}[self]

    @property
    def span(self) -> timedelta:
        return timedelta(hours=self.hours)

    @property
    def words(self) -> str:
        """As people say it: ``24 hours``."""
        return {Mark.DAY: "24 hours", Mark.FIVE_DAYS: "5 days", Mark.THREE_WEEKS: "3 weeks"}[self]

    @property
    def short(self) -> str:
        """For a column: ``24 h``."""
        return {Mark.DAY: "24 h", Mark.FIVE_DAYS: "5 d", Mark.THREE_WEEKS: "3 wk"}[self]


class MarkCount(Struct, frozen=True):
    """Devices protected at one mark. While it is running, the count is of the present and may still rise."""

    mark: Mark
    ends_at: datetime
    """The earliest release of those it counts, and the mark's span."""
    protected: int
    devices: int
    running: bool
    """The mark has not passed yet on every platform that it counts."""

    @property
    def share(self) -> float | None:
        """0.0 to 1.0; None without devices."""
        return self.protected / self.devices if self.devices else None


class CurvePoint(Struct, frozen=True):
    """Protection some whole hours after the release; it holds until the next point."""

    hours: int
    protected: int


class SliceCompliance(Struct, frozen=True):
    """Some devices against one month's release: all of them, a platform, a ring or a site."""

    name: str
    """``all``, the platform's id, the ring's name ("" for no ring) or the site ("" where not told)."""
    devices: int
    """The denominator: ready or not."""
    devices_now: int
    """Those of them that are in the fleet now; a month that was kept counts devices that have left since too."""
    protected_now: int
    marks: tuple[MarkCount, ...]
    """24 hours, 5 days, 3 weeks, in this order."""
    hours_to: tuple[tuple[float, int | None], ...]
    """Share (0.5, 0.9, 0.95) → whole hours after the release until it was first reached; None when it was not."""
    median_hours: int | None
    """Half of the devices that became protected were so by then; None when none was."""

    @property
    def share_now(self) -> float | None:
        return self.protected_now / self.devices_now if self.devices_now else None

    def mark(self, wanted: Mark) -> MarkCount:
        return next(each for each in self.marks if each.mark is wanted)


class PlatformRelease(Struct, frozen=True):
    """What one platform got in a month: the release of Patch Tuesday, and its twin where it is a hotpatch."""

    platform: Platform
    released_at: datetime
    kind: ReleaseKind
    kb: int
    twin_kb: int | None
    """The LCU beside a hotpatch; None for a month that is a baseline."""
    provisional: bool


class ReleaseCompliance(Struct, frozen=True):
    """One month's releases: how the fleet became protected."""

    month: str
    released_at: datetime
    releases: tuple[PlatformRelease, ...]
    total: SliceCompliance
    platforms: tuple[SliceCompliance, ...]
    rings: tuple[SliceCompliance, ...]
    """In the order of the rings; devices in no ring last."""
    sites: tuple[SliceCompliance, ...]
    """The largest first."""
    curve: tuple[CurvePoint, ...]
    """Of all devices, over the hours in which something changed; the first is hour 0."""
    followed_until: datetime
    """Up to here the curve was counted."""
    kept: bool
    """Kept from when the month closed; False: counted now."""
    first_seen_later: int
    """Devices of the denominator that the console saw for the first time after the release."""

    def on(self, platform: Platform) -> PlatformRelease | None:
        """What a platform got; None where it got nothing that month."""
        return next((each for each in self.releases if each.platform is platform), None)


class Offender(Struct, frozen=True):
    """A device that lacks the current month's protection, and for how long it has lacked any."""

    device_id: int
    device_name: str
    user: str
    ring: str
    site: str
    platform: Platform
    build: str
    """"" when it is not known."""
    unprotected_since: datetime
    """The first release that it lacks, or its first sighting, whichever is later."""
    missing: int
    """How many monthly releases it lacks."""
    reason: str
    """Why, in words: from readiness, failures, or because it is away."""
    last_seen_at: datetime | None


class DriftRow(Struct, frozen=True):
    """Devices of a ring and platform that are behind their current baseline."""

    ring: str
    """"" for no ring."""
    platform: Platform
    baseline_kb: int
    since: datetime
    """When the baseline was released."""
    devices: int
    behind: int
    not_seen: int
    """Of those behind, how many have not been heard from since the baseline was released."""


class PublishedFigure(Struct, frozen=True):
    """What somebody else reached, for comparison."""

    who: str
    what: str
    mark_hours: int
    share: float
    source: str
    doubt: str
    """What weakens it; "" where nothing is known to."""


class ComplianceReport(Struct, frozen=True):
    """Protection of the fleet over months of releases."""

    made_at: datetime
    period: Period
    filter: str
    devices: int
    """Devices that the filter matches now."""
    records_begin: datetime | None
    """The first evidence in the state file; None without any."""
    releases: tuple[ReleaseCompliance, ...]
    """Newest first."""
    offenders: tuple[Offender, ...]
    """The longest unprotected first; the first so many."""
    offenders_total: int
    drift: tuple[DriftRow, ...]
    figures: tuple[PublishedFigure, ...]
    assumptions: tuple[str, ...]


# --- cost -------------------------------------------------------------------------------------------


class Money(Struct, frozen=True):
    """An amount as a band; both ends are alike where it is exact."""

    low: float
    high: float
    currency: str

    @property
    def is_exact(self) -> bool:
        return self.low == self.high

    def plus(self, other: Money) -> Money:
        """Raises: ValueError when the currencies differ."""
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be added")
        return Money(self.low + other.low, self.high + other.high, self.currency)

    def times(self, factor: float) -> Money:
        return Money(self.low * factor, self.high * factor, self.currency)


class RateUsed(Struct, frozen=True):
    """A rate that the amounts of a report come from."""

    id: str
    """``server-restart``, ``client-restart``, ``arc-core-month``."""
    what: str
    amount: Money | None
    """None: not set, so that nothing is worked out with it."""
    unit: str
    """``a restart``, ``a core and month``."""
    valid_from: str
    """Day, ``2025-07-16``; "" from the beginning."""
    valid_to: str
    """The last day; "" without an end."""
    source: str
    doubt: str
    is_own: bool
    """Set in the configuration, not ours."""


class RestartSums(Struct, frozen=True):
    """Restarts of some devices in some servicing months, counted from what happened on them."""

    device_months: int
    """Devices and months in which a device took a security update: each would have been a restart on LCUs alone."""
    hotpatched: int
    """Of those, with a hotpatch taken."""
    restarts: int
    """Restarts for updates that install records tell."""
    restarts_inferred: int
    """Baselines and LCUs seen on devices by import: they come with a restart, though none was recorded."""
    avoided_proven: int
    """Hotpatched, an install record says that the device did not restart, and no other update restarted it."""
    avoided_unproven: int
    """Hotpatched by what was seen, without a record of the install: not provable."""

    @property
    def avoided(self) -> int:
        return self.avoided_proven + self.avoided_unproven

    def plus(self, other: RestartSums) -> RestartSums:
        return RestartSums(
            self.device_months + other.device_months,
            self.hotpatched + other.hotpatched,
            self.restarts + other.restarts,
            self.restarts_inferred + other.restarts_inferred,
            self.avoided_proven + other.avoided_proven,
            self.avoided_unproven + other.avoided_unproven,
        )


class CostRow(Struct, frozen=True):
    """Restarts of a month, a platform, a ring, or of everything, and what they come to."""

    name: str
    """The month, the platform's id, the ring's name ("" for no ring) or ``all``."""
    sums: RestartSums
    server_avoided_proven: int
    server_avoided_unproven: int
    saved: Money | None
    """Proven restarts avoided, by the rates; None where no rate is set for any of them."""
    saved_unproven: Money | None
    not_priced: int
    """Proven restarts avoided that no rate is set for: clients, unless the configuration has one."""


class SubscriptionMonth(Struct, frozen=True):
    """What Arc hotpatching costs in a calendar month."""

    month: str
    servers: int
    """Servers that need a subscription and could take hotpatches."""
    cores: int
    """Of those servers whose cores are known."""
    unknown_cores: int
    """Servers among them whose cores are not known: their cost is missing here."""
    enrolled: int
    """Of those servers, how many have the subscription now."""
    enrolled_cores: int
    prices: tuple[RateUsed, ...]
    """The rates of the month's days."""
    cost: Money | None
    """For all of them; None where no rate is set."""
    cost_enrolled: Money | None
    """For those that have the subscription."""


class IneligibleCost(Struct, frozen=True):
    """What it costs that some devices cannot take hotpatches: the restarts of a servicing month."""

    month: str
    devices: int
    """Devices that are not eligible now."""
    restarts: int
    """Update restarts of those devices in that month."""
    avoidable: int
    """Of those restarts, in months in which a hotpatch was there to be taken."""
    cost: Money | None
    not_priced: int
    """Avoidable restarts that no rate is set for."""


class BreakEven(Struct, frozen=True):
    """How many restarts avoided a month pay for the subscription."""

    subscription: Money
    """A month, by the price now."""
    restarts_needed: tuple[float, float] | None
    """By the high and by the low end of the restart rate; None without a rate."""
    restarts_avoided: float
    """Proven server restarts avoided a month, the mean of the report's finished months."""
    reached: bool | None
    """At the low end of the rate; None where it cannot be told."""


class CostReport(Struct, frozen=True):
    """What hotpatching saved and cost over some months."""

    made_at: datetime
    period: Period
    filter: str
    devices: int
    records_begin: datetime | None
    total: CostRow
    months: tuple[CostRow, ...]
    """Servicing months, newest first: from a Patch Tuesday to the next."""
    platforms: tuple[CostRow, ...]
    rings: tuple[CostRow, ...]
    running_month: str
    """The servicing month that is not over, "" when it is not in the report."""
    subscription: tuple[SubscriptionMonth, ...]
    """Newest first."""
    subscription_total: Money | None
    """Of those that have the subscription, as they stand now."""
    ineligible: tuple[IneligibleCost, ...]
    """Newest first."""
    break_even: BreakEven | None
    """None while the subscription is free or its price is not known."""
    net: Money | None
    """Proven saving less the subscription of those that have it; None without a saving that can be priced."""
    rates: tuple[RateUsed, ...]
    assumptions: tuple[str, ...]
