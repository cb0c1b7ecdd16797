"""Puts dated rates on restarts and cores, and says what every amount rests on. Pure.

`costing` calls it. Restarts that no rate is set for stay a number; nothing is ever priced with a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct, field

from engine.catalog.calendar import Month, patch_tuesday_moment
from engine.model.build import Platform
from engine.model.records.reports import (
    BreakEven,
    CostReport,
    CostRow,
    IneligibleCost,
    Money,
    Period,
    RateUsed,
    SubscriptionMonth,
)
from engine.rules.evidence.cost_count import CostCell, CostGroup, add_up
from engine.rules.evidence.rates import ARC_CORE_MONTH, CLIENT_RESTART, SERVER_RESTART, Rate, RateBook

ALL = "all"


class ServerCohort(Struct, frozen=True):
    """Arc-connected servers that could take hotpatches and were first seen at the same time."""

    first_seen_at: datetime | None
    """None: always there, as far as is known."""
    servers: int
    cores: int
    unknown_cores: int
    enrolled: int
    enrolled_cores: int


class CostFacts(Struct, frozen=True):
    """What was counted, before any price."""

    made_at: datetime
    period: Period
    filter: str
    devices: Mapping[CostGroup, int]
    records_begin: datetime | None
    months: tuple[str, ...]
    """Servicing months of the report, oldest first."""
    running_month: str
    cells: tuple[CostCell, ...]
    servers: tuple[ServerCohort, ...]
    ring_names: Mapping[int, str]
    """In the order of the rings."""


class Pricing(Struct):
    """Looks rates up and remembers which were used."""

    book: RateBook
    used: dict[Rate, None] = field(default_factory=dict)
    mixed: set[str] = field(default_factory=set)
    """Currencies of amounts that could not be added to the others."""

    def restart(self, platform: Platform, month: str) -> Money | None:
        """The price of a restart in a servicing month, by the rate of its Patch Tuesday."""
        rate = self.book.on(
            SERVER_RESTART if platform.is_server else CLIENT_RESTART, patch_tuesday_moment(month).date()
        )
        if rate is None:
            return None
        self.used[rate] = None
        if rate.amount is not None and rate.currency != self.book.currency:
            self.mixed.add(rate.currency)
            return None
        return rate.amount

    def add(self, first: Money | None, second: Money | None) -> Money | None:
        """The sum; what is in another currency than the first is left out and noted."""
        if first is None or second is None:
            return first or second
        if first.currency != second.currency:
            self.mixed.add(second.currency)
            return first
        return first.plus(second)


def cost_report(facts: CostFacts, book: RateBook) -> CostReport:
    """The report from what was counted."""
    pricing = Pricing(book)
    subscription = tuple(_subscription(month, facts, pricing) for month in reversed(_calendar_months(facts)))
    total = _row(ALL, facts.cells, pricing)
    paid: Money | None = None
    for each in subscription:
        paid = pricing.add(paid, each.cost_enrolled)
    rings: list[int | None] = [*facts.ring_names, None]
    report_rates = [SERVER_RESTART, CLIENT_RESTART, ARC_CORE_MONTH]
    net = None
    if total.saved is not None and paid is not None and total.saved.currency == paid.currency:
        net = Money(total.saved.low - paid.high, total.saved.high - paid.low, paid.currency)
    rates = _rates(pricing, report_rates, facts.made_at.date())
    return CostReport(
        made_at=facts.made_at,
        period=facts.period,
        filter=facts.filter,
        devices=sum(facts.devices.values()),
        records_begin=facts.records_begin,
        total=total,
        months=tuple(
            _row(month, [cell for cell in facts.cells if cell.month == month], pricing)
            for month in reversed(facts.months)
        ),
        platforms=tuple(
            _row(platform.value, mine, pricing)
            for platform in Platform
            if (mine := [cell for cell in facts.cells if cell.group.platform is platform])
        ),
        rings=tuple(
            _row(facts.ring_names.get(ring, "") if ring is not None else "", mine, pricing)
            for ring in rings
            if (mine := [cell for cell in facts.cells if _ring(cell, facts.ring_names) == ring])
        ),
        running_month=facts.running_month,
        subscription=subscription,
        subscription_total=paid,
        ineligible=tuple(_ineligible(month, facts, pricing) for month in reversed(facts.months)),
        break_even=_break_even(facts, pricing, subscription),
        net=net,
        rates=rates,
        assumptions=_assumptions(facts, pricing, total, subscription),
    )


def _ring(cell: CostCell, names: Mapping[int, str]) -> int | None:
    return cell.group.ring_id if cell.group.ring_id in names else None


# --- restarts ---------------------------------------------------------------------------------------


def _row(name: str, cells: Sequence[CostCell], pricing: Pricing) -> CostRow:
    saved, not_priced = _priced(cells, pricing, lambda cell: cell.sums.avoided_proven)
    unproven, _ = _priced(cells, pricing, lambda cell: cell.sums.avoided_unproven)
    servers = [cell for cell in cells if cell.group.platform.is_server]
    return CostRow(
        name=name,
        sums=add_up(cell.sums for cell in cells),
        server_avoided_proven=sum(cell.sums.avoided_proven for cell in servers),
        server_avoided_unproven=sum(cell.sums.avoided_unproven for cell in servers),
        saved=saved,
        saved_unproven=unproven,
        not_priced=not_priced,
    )


def _priced(cells: Iterable[CostCell], pricing: Pricing, amount: Callable[[CostCell], int]) -> tuple[Money | None, int]:
    """What restarts come to, and how many of them no rate is set for."""
    total: Money | None = None
    not_priced = 0
    for cell in cells:
        price = pricing.restart(cell.group.platform, cell.month)
        if price is None:
            not_priced += amount(cell)
        else:
            total = pricing.add(total, price.times(amount(cell)))
    return total, not_priced


def _ineligible(month: str, facts: CostFacts, pricing: Pricing) -> IneligibleCost:
    cells = [cell for cell in facts.cells if cell.month == month and cell.group.eligible is False]
    cost, not_priced = _priced(cells, pricing, lambda cell: cell.avoidable)
    return IneligibleCost(
        month=month,
        devices=sum(devices for group, devices in facts.devices.items() if group.eligible is False),
        restarts=sum(cell.sums.restarts + cell.sums.restarts_inferred for cell in cells),
        avoidable=sum(cell.avoidable for cell in cells),
        cost=cost,
        not_priced=not_priced,
    )


# --- subscription -----------------------------------------------------------------------------------


def _calendar_months(facts: CostFacts) -> tuple[str, ...]:
    """The calendar months of the report, oldest first; none lies in the future, or before there are records.

    A month without records would cost its subscription and could not show what it saved.
    """
    last = min(facts.period.last, f"{facts.made_at:%Y-%m}")
    begin = f"{facts.records_begin:%Y-%m}" if facts.records_begin is not None else ""
    return tuple(_span(max(facts.period.first, begin), last))


def _span(first: str, last: str) -> Iterable[str]:
    month = Month.parse(first)
    while str(month) <= last:
        yield str(month)
        month = month.next()


def _subscription(month: str, facts: CostFacts, pricing: Pricing) -> SubscriptionMonth:
    following = str(Month.parse(month).next())
    there = [each for each in facts.servers if each.first_seen_at is None or f"{each.first_seen_at:%Y-%m}" < following]
    cores = sum(each.cores for each in there)
    enrolled_cores = sum(each.enrolled_cores for each in there)
    rates = pricing.book.in_month(ARC_CORE_MONTH, month, facts.made_at.date())
    cost: Money | None = None
    enrolled_cost: Money | None = None
    for rate, part in rates:
        pricing.used[rate] = None
        if rate.amount is not None:
            cost = pricing.add(cost, rate.amount.times(part * cores))
            enrolled_cost = pricing.add(enrolled_cost, rate.amount.times(part * enrolled_cores))
    return SubscriptionMonth(
        month=month,
        servers=sum(each.servers for each in there),
        cores=cores,
        unknown_cores=sum(each.unknown_cores for each in there),
        enrolled=sum(each.enrolled for each in there),
        enrolled_cores=enrolled_cores,
        prices=tuple(rate.record() for rate, _ in rates),
        cost=cost,
        cost_enrolled=enrolled_cost,
    )


def _break_even(facts: CostFacts, pricing: Pricing, subscription: Sequence[SubscriptionMonth]) -> BreakEven | None:
    price = pricing.book.on(ARC_CORE_MONTH, facts.made_at.date())
    if price is None or price.amount is None or price.amount.high == 0 or not subscription:
        return None
    newest = subscription[0]
    month = price.amount.times(newest.enrolled_cores or newest.cores)
    finished = [name for name in facts.months if name != facts.running_month]
    avoided = sum(
        cell.sums.avoided_proven
        for cell in facts.cells
        if cell.month in finished and cell.group.platform is Platform.SERVER_2025
    )
    mean = avoided / len(finished) if finished else 0.0
    restart = pricing.book.on(SERVER_RESTART, facts.made_at.date())
    worth = restart.amount if restart is not None else None
    if worth is None or worth.low <= 0 or worth.currency != month.currency:
        return BreakEven(month, None, mean, None)
    needed = (month.low / worth.high, month.high / worth.low)
    return BreakEven(month, needed, mean, mean >= needed[1] if finished else None)


# --- rates and assumptions --------------------------------------------------------------------------


def _rates(pricing: Pricing, wanted: Sequence[str], today: date) -> tuple[RateUsed, ...]:
    """Every rate that an amount came from, and today's of each kind, so that one that is not set is seen."""
    found = dict(pricing.used)
    for rate_id in wanted:
        rate = pricing.book.on(rate_id, today)
        if rate is not None:
            found[rate] = None
    order = {rate_id: index for index, rate_id in enumerate(wanted)}
    ordered = sorted(found, key=lambda rate: (order[rate.id], rate.since or date.min))
    return tuple(rate.record() for rate in ordered)


def _assumptions(
    facts: CostFacts, pricing: Pricing, total: CostRow, subscription: Sequence[SubscriptionMonth]
) -> tuple[str, ...]:
    told = [
        "A servicing month goes from one Patch Tuesday to the next.",
        "A device-month counts when the device took a security update in it: on cumulative updates alone each would "
        "have been one restart. Months in which a device took nothing count nothing.",
        "A restart is avoided where a device took a hotpatch and no update restarted it in that servicing month.",
        "Proven: the record of the install says that the device did not restart. Not provable: the hotpatch was only "
        "seen on the device by an import, a check-in or a tenant; such restarts are counted apart and never in what "
        "was saved.",
        "Restarts are those that records of installs, uninstalls and failed installs tell; a baseline or cumulative "
        "update that was only seen on a device is counted apart as a restart that was not recorded.",
        "Restarts for other reasons, such as drivers, .NET or a user's own, are not known here.",
        "A device counts for the platform, the ring and the eligibility that it has now.",
        "A restart is priced by the rate of its servicing month's Patch Tuesday; both ends of a band are carried "
        "through.",
        "The subscription is for Arc-connected Server 2025 machines that are eligible, not Azure Edition; a rate that "
        "covers part of a month is counted by days. Who has it now is taken to have had it all the time.",
    ]
    if facts.running_month:
        told.append(f"The servicing month {facts.running_month} is not over; its numbers still rise.")
    unknown = subscription[0].unknown_cores if subscription else 0
    if unknown:
        told.append(f"The cores of {unknown:,} eligible servers are not known: their subscription is missing here.")
    if total.not_priced:
        told.append(
            f"{total.not_priced:,} proven restarts avoided are counted and not priced: no rate is set for them."
        )
    price = pricing.book.on(ARC_CORE_MONTH, facts.made_at.date())
    if price is not None and price.amount is not None and price.amount.high == 0:
        since = f" since {price.since:%d %b %Y}" if price.since else ""
        told.append(f"The subscription has been free{since}, so there is nothing to break even with.")
    if pricing.mixed:
        told.append(f"Amounts in {', '.join(sorted(pricing.mixed))} are not added to the others.")
    if facts.records_begin is not None:
        told.append(f"The records begin on {facts.records_begin:%d %b %Y}; nothing earlier is counted.")
    return tuple(told)
