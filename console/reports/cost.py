"""The cost report: restarts that happened against restarts avoided, and what they come to by dated rates. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from console import text
from console.reports import cells
from console.reports.model import (
    ColumnChart,
    Figure,
    Note,
    Report,
    ReportCell,
    ReportColumn,
    ReportHead,
    ReportOrigin,
    ReportTable,
    Row,
    Section,
)
from console.text import Tone
from engine.model.build import Platform
from engine.model.records.reports import CostReport, CostRow, IneligibleCost, Money, RateUsed, SubscriptionMonth

_SUM_HEADS = (
    ReportHead("device_months", "Device months", is_number=True),
    ReportHead("hotpatched", "Hotpatched", is_number=True),
    ReportHead("restarts", "Restarts", is_number=True),
    ReportHead("restarts_inferred", "Restarts inferred", is_number=True),
    ReportHead("avoided_proven", "Avoided, proven", is_number=True),
    ReportHead("avoided_not_provable", "Avoided, not provable", is_number=True),
    ReportHead("not_priced", "Without a rate", is_number=True),
    ReportHead("saved.low", "Saved, from", is_number=True),
    ReportHead("saved.high", "to", is_number=True),
)


def build(found: CostReport, origin: ReportOrigin) -> Report:
    """The report of what the engine counted."""
    return Report(
        kind="cost",
        title="Restarts avoided and what they save",
        subtitle=_answer(found),
        period=f"Months of {text.month(found.period.first)} to {text.month(found.period.last)}",
        filter=found.filter,
        origin=origin,
        figures=_figures(found),
        sections=(_over_time(found), _where(found), _subscription(found), _ineligible(found), _rates(found)),
        assumptions=found.assumptions,
        sources=tuple(dict.fromkeys(each.source for each in found.rates if each.source and each.amount is not None)),
        severity=Tone.OK if found.total.sums.avoided_proven else Tone.NONE,
    )


# --- the answer and the key figures -----------------------------------------------------------------


def _answer(found: CostReport) -> str:
    sums = found.total.sums
    if not sums.device_months:
        return "No device took a security update in this period: there is nothing to count."
    said = (
        f"{text.plural(sums.avoided_proven, 'restart')} avoided for certain, against "
        f"{text.count(sums.restarts)} that happened, in {text.plural(sums.device_months, 'device month')}."
    )
    if found.total.saved is not None:
        said += f" At the rates below that saves {cells.band(found.total.saved).text}"
        said += f", less {cells.band(found.subscription_total).text} of subscription." if found.net else "."
    return said


def _figures(found: CostReport) -> tuple[Figure, ...]:
    total, sums = found.total, found.total.sums
    missing = f"{text.plural(total.not_priced, 'restart')} without a rate" if total.not_priced else "every one priced"
    return (
        Figure(
            "total.avoided_proven",
            "Restarts avoided",
            cells.count(sums.avoided_proven, Tone.OK if sums.avoided_proven else Tone.NONE),
            f"proven by install records; {text.count(sums.avoided_unproven)} more are not provable",
        ),
        Figure(
            "total.restarts",
            "Restarts that happened",
            cells.count(sums.restarts),
            f"for updates; {text.count(sums.restarts_inferred)} more inferred from builds",
        ),
        Figure("total.saved.low", "Saved", cells.band(total.saved), missing),
        Figure(
            "subscription_total.low",
            "Subscription",
            cells.band(found.subscription_total),
            "Azure Arc hotpatching, by cores and months",
        ),
        Figure("net.low", "Saved, net", _net(found.net), "proven saving less the subscription"),
    )


def _net(net: Money | None) -> ReportCell:
    cell = cells.band(net)
    if net is None:
        return cell
    return ReportCell(cell.text, cell.raw, Tone.OK if net.low >= 0 else Tone.AT_RISK)


# --- what happened ----------------------------------------------------------------------------------


def _over_time(found: CostReport) -> Section:
    oldest_first = found.months[::-1]
    running = found.running_month
    notes: tuple[Note, ...] = ()
    if running:
        notes = (Note(f"The month of {text.month(running)} is not over: its figures still grow.", Tone.DUE),)
    chart = ColumnChart(
        "Restarts avoided and restarts that happened",
        f"In all {text.count(found.total.sums.avoided_proven)} avoided for certain and "
        f"{text.count(found.total.sums.restarts)} that happened.",
        ("avoided, proven", "happened"),
        (Tone.OK, Tone.AT_RISK),
        tuple(
            ReportColumn(text.month(each.name), (float(each.sums.avoided_proven), float(each.sums.restarts)))
            for each in oldest_first
        ),
    )
    return Section(
        "months",
        "Month by month",
        "Counted from what happened on the devices, from one Patch Tuesday to the next, not from the calendar's "
        "pattern. With cumulative updates alone every device month would have been a restart.",
        charts=(chart,) if found.months else (),
        tables=(
            _cost_table("months", "Servicing months", "month", found.months),
            _cost_table("total", "In all", "item", (found.total,) if found.total.sums.device_months else (), source=""),
        ),
        notes=notes,
    )


def _where(found: CostReport) -> Section:
    return Section(
        "where",
        "By platform and ring",
        "Where restarts were avoided, and where they still happen.",
        tables=(
            _cost_table("platforms", "Platforms", "platform", found.platforms),
            _cost_table("rings", "Rings", "ring", found.rings),
        ),
    )


def _cost_table(id: str, title: str, what: str, rows: Sequence[CostRow], source: str | None = None) -> ReportTable:
    return ReportTable(
        id,
        title,
        (ReportHead(what, {"item": "What"}.get(what, what.capitalize()), dimension=what), *_SUM_HEADS),
        tuple(_cost_row(each, what) for each in rows),
        source=id if source is None else source,
        empty="Nothing was installed.",
    )


def _cost_row(each: CostRow, what: str) -> Row:
    sums = each.sums
    return (
        _name(each.name, what),
        cells.count(sums.device_months),
        cells.count(sums.hotpatched),
        cells.count(sums.restarts),
        cells.count(sums.restarts_inferred),
        cells.count(sums.avoided_proven),
        cells.count(sums.avoided_unproven),
        cells.count(each.not_priced),
        *_ends(each.saved),
    )


def _ends(amount: Money | None) -> tuple[ReportCell, ReportCell]:
    if amount is None:
        return cells.money(None), cells.money(None)
    return cells.money(amount.low, amount.currency), cells.money(amount.high, amount.currency)


def _name(name: str, what: str) -> ReportCell:
    if what == "month":
        return cells.month(name)
    if not name:
        return ReportCell("in no ring" if what == "ring" else text.NOTHING, None)
    return (
        ReportCell(Platform(name).label, name)
        if what == "platform" and name in list(Platform)
        else ReportCell(name, name)
    )


# --- what it costs ----------------------------------------------------------------------------------


def _subscription(found: CostReport) -> Section:
    return Section(
        "subscription",
        "What the subscription costs",
        "Servers outside Azure need hotpatching enabled through Azure Arc. Its price by core and month has changed; "
        "each month is counted by the price of its days.",
        tables=(
            ReportTable(
                "subscription",
                "Month by month",
                (
                    ReportHead("month", "Month", dimension="month"),
                    ReportHead("servers", "Servers", is_number=True),
                    ReportHead("cores", "Cores", is_number=True),
                    ReportHead("servers_without_cores", "Without known cores", is_number=True),
                    ReportHead("cost.low", "Cost of all", is_number=True),
                    ReportHead("enrolled", "Enrolled now", is_number=True),
                    ReportHead("enrolled_cores", "Their cores", is_number=True),
                    ReportHead("cost_enrolled.low", "Their cost", is_number=True),
                ),
                tuple(map(_subscription_row, found.subscription)),
                source="subscription",
                empty="No server needs a subscription.",
            ),
        ),
        notes=_break_even(found),
    )


def _subscription_row(each: SubscriptionMonth) -> Row:
    return (
        cells.month(each.month),
        cells.count(each.servers),
        cells.count(each.cores),
        cells.count(each.unknown_cores, Tone.UNKNOWN if each.unknown_cores else Tone.NONE),
        _ends(each.cost)[0],
        cells.count(each.enrolled),
        cells.count(each.enrolled_cores),
        _ends(each.cost_enrolled)[0],
    )


def _break_even(found: CostReport) -> tuple[Note, ...]:
    even = found.break_even
    if even is None:
        return (Note("No break-even: the subscription is free of charge now, or its price is not known."),)
    if even.restarts_needed is None:
        return (Note("No break-even: no rate is set for a restart.", Tone.UNKNOWN),)
    fewest, most = even.restarts_needed
    words = (
        f"Break-even: {fewest:,.1f} to {most:,.1f} restarts avoided a month pay for "
        f"{cells.band(even.subscription).text} of subscription; {even.restarts_avoided:,.1f} are avoided."
    )
    severity = {True: Tone.OK, False: Tone.AT_RISK, None: Tone.UNKNOWN}[even.reached]
    return (Note(words, severity),)


def _ineligible(found: CostReport) -> Section:
    return Section(
        "ineligible",
        "What devices cost that cannot take hotpatches",
        "Restarts of devices that are not eligible, in months in which a hotpatch was there to be taken.",
        tables=(
            ReportTable(
                "ineligible",
                "Month by month",
                (
                    ReportHead("month", "Month", dimension="month"),
                    ReportHead("devices", "Devices", is_number=True),
                    ReportHead("restarts", "Restarts", is_number=True),
                    ReportHead("avoidable", "Avoidable", is_number=True),
                    ReportHead("not_priced", "Without a rate", is_number=True),
                    ReportHead("cost.low", "Cost, from", is_number=True),
                    ReportHead("cost.high", "to", is_number=True),
                ),
                tuple(map(_ineligible_row, found.ineligible)),
                source="ineligible",
                empty="Every device is eligible.",
            ),
        ),
    )


def _ineligible_row(each: IneligibleCost) -> Row:
    return (
        cells.month(each.month),
        cells.count(each.devices),
        cells.count(each.restarts),
        cells.count(each.avoidable),
        cells.count(each.not_priced),
        *_ends(each.cost),
    )


def _rates(found: CostReport) -> Section:
    return Section(
        "rates",
        "The rates",
        "What the amounts were worked out with. Your own rates go into the configuration, under [rates].",
        tables=(
            ReportTable(
                "rates",
                "Rates used",
                (
                    ReportHead("what", "What", dimension="item"),
                    ReportHead("amount.low", "From", is_number=True),
                    ReportHead("amount.high", "To", is_number=True),
                    ReportHead("unit", "For"),
                    ReportHead("from", "Valid from"),
                    ReportHead("to", "Valid to"),
                    ReportHead("source", "Source", is_wide=True),
                    ReportHead("doubt", "What weakens it", is_wide=True),
                ),
                tuple(map(_rate_row, found.rates)),
                source="rates",
                empty="No rate is set.",
            ),
        ),
    )


def _rate_row(each: RateUsed) -> Row:
    return (
        cells.words(each.what),
        *_ends(each.amount),
        cells.words(each.unit),
        cells.words(each.valid_from),
        cells.words(each.valid_to),
        cells.words(each.source),
        cells.words(each.doubt),
    )
