"""Makes a report or one of its tables: asks the engine, hands the records to the builder, picks the renderer.

The command `report` and the console's palette call it, on whatever thread the engine belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from console import text
from console.reports.model import Report, ReportOrigin, ReportTable, Stream
from engine.catalog.calendar import Month
from engine.model.errors import BadInput, NotFound, nearest

if TYPE_CHECKING:
    from console.settings import Settings
    from engine import Engine
    from engine.model.records.fleet import AuditRow, ProviderFreshness
    from engine.model.records.reports import ComplianceReport, CostReport, Period
    from engine.rules.evidence.activity import ActivityReport
    from engine.rules.evidence.rates import Rate
    from engine.rules.readiness.summary import ReadinessReport

    Found = ComplianceReport | ReadinessReport | CostReport | ActivityReport

KINDS = {
    "compliance": "how soon devices were protected; who is not, and why",
    "readiness": "who takes hotpatches, what keeps others, who restarts",
    "cost": "restarts avoided and those that happened, in money",
    "activity": "who decided what, when and why; failures; the audit's chain",
}
"""Kind → what it answers."""
STREAMS = {"readiness": "devices", "activity": "decisions"}
"""Kind → its table of any length."""
Progress = Callable[[str, int, int], None]
_FIRST_YEAR, _LAST_YEAR = 2015, 2100


class ReportRequest(Struct, frozen=True):
    """What was asked for."""

    kind: str
    begins: str = ""
    """``2026-03`` or ``2026-03-15``; "" for the report's own beginning."""
    ends: str = ""
    """In the same forms, itself within the period; "" for now."""
    filter: str = ""
    rates: tuple[Rate, ...] = ()
    """For the cost report: the organisation's own rates, which go before ours."""


class Made(Struct, frozen=True):
    """A report beside the engine's records that it was built from."""

    found: Found
    report: Report


def make(engine: Engine, request: ReportRequest, progress: Progress | None = None) -> Made:
    """Ask the engine and build the report.

    Raises:
        BadInput: the period or the filter cannot be read, or the report has no period.
    """
    origin = _origin(engine)
    if request.kind == "readiness":
        return _make_readiness(engine, request, origin, progress)
    if request.kind == "activity":
        return _make_activity(engine, request, origin, progress)
    if request.kind == "cost":
        from console.reports import cost

        costs = engine.reads.evidence.cost_report(
            _months(request, engine.now()),
            request.filter,
            rates=request.rates,
            progress=_counting("Reading installs", progress),
        )
        return Made(costs, cost.build(costs, origin))
    from console.reports import compliance

    months, told = _months(request, engine.now()), _counting("Reading evidence", progress)
    found = engine.reads.evidence.compliance_report(months, request.filter, progress=told)
    return Made(found, compliance.build(found, origin))


def open_table(
    engine: Engine, request: ReportRequest, name: str, progress: Progress | None = None
) -> ReportTable | Stream:
    """One table of a report; one of any length is read only while it is written.

    Raises:
        NotFound: the report has no table of that name; names those that it has.
        BadInput: as `make` does.
    """
    if STREAMS.get(request.kind) == name:
        return _open_stream(engine, request, progress)
    report = make(engine, request, progress).report
    tables = {table.id: table for _, table in report.tables()}
    if name not in tables:
        names = list(dict.fromkeys([*tables, *filter(None, [STREAMS.get(request.kind)])]))
        raise NotFound(
            f"The {request.kind} report has no table {name!r}.",
            nearest(name, names),
            f"Its tables are: {', '.join(names)}.",
        )
    return tables[name]


def _open_stream(engine: Engine, request: ReportRequest, progress: Progress | None) -> Stream:
    if request.kind == "activity":
        from console.reports.activity import decision_stream

        since, until = _moments(request, engine.now())
        wanted = _wanted(request.filter)
        return decision_stream(row for row in engine.reads.activity.each_decision(since, until) if wanted(row))
    from console.reports.readiness import device_stream

    _refuse_period(request)
    found = engine.reads.evidence.readiness_report(request.filter, progress)
    return device_stream(engine.reads.evidence.each_restarting(request.filter, found.next_releases), engine.now())


def _make_readiness(engine: Engine, request: ReportRequest, origin: ReportOrigin, progress: Progress | None) -> Made:
    from console.reports import readiness

    _refuse_period(request)
    found = engine.reads.evidence.readiness_report(request.filter, progress)
    return Made(found, readiness.build(found, origin))


def _make_activity(engine: Engine, request: ReportRequest, origin: ReportOrigin, progress: Progress | None) -> Made:
    from console.reports import activity

    since, until = _moments(request, engine.now())
    found = engine.reads.activity.report(since, until, request.filter, _wanted(request.filter), progress)
    return Made(found, activity.build(found, origin))


def _counting(what: str, progress: Progress | None) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, whole: progress(what, done, whole)


def _wanted(filter: str) -> Callable[[AuditRow], bool]:
    from console.activity_filter import matches, parse

    words = parse(filter)
    return lambda row: matches(words, row)


def _origin(engine: Engine) -> ReportOrigin:
    from importlib.metadata import PackageNotFoundError, version

    info = engine.info()
    try:
        program = f"Hotpatch Console {version('hotpatch-console')}"
    except PackageNotFoundError:
        program = "Hotpatch Console"
    return ReportOrigin(
        made_at=info.now,
        made_by=info.actor,
        state=Path(info.path).name,
        change_number=info.change_number,
        is_demo=info.demo is not None,
        freshness=tuple(_fresh(each, info.now) for each in engine.reads.devices.freshness()),
        program=program,
    )


def _fresh(each: ProviderFreshness, now: datetime) -> str:
    # A device's clock may be ahead of ours.
    newest = None if each.newest_at is None else min(each.newest_at, now)
    return (
        f"{text.plural(each.devices, 'device')} told by {each.provider or 'an import'}, last "
        f"{text.moment(newest, now)}; {text.count(each.silent)} silent for 14 days"
    )


# --- periods ----------------------------------------------------------------------------------------


def _refuse_period(request: ReportRequest) -> None:
    if request.begins or request.ends:
        raise BadInput(
            "The readiness report has no period.",
            "It tells how devices stand now; earlier readiness is not kept.",
            "Leave --from and --to away.",
        )


def _months(request: ReportRequest, now: datetime) -> Period | None:
    """The months of the period; None for the engine's own choice. Without a beginning it takes twelve."""
    if not request.begins and not request.ends:
        return None
    from engine.model.records.reports import Period

    last = _day(request.ends, "--to").replace(day=1) if request.ends else now.date().replace(day=1)
    first = _day(request.begins, "--from").replace(day=1) if request.begins else _a_year_before(last)
    _check_begun(request, first, now)
    _check_order(first, last)
    return Period(f"{first:%Y-%m}", f"{last:%Y-%m}")


def _a_year_before(last: date) -> date:
    return (last.replace(year=last.year - 1) + timedelta(days=31)).replace(day=1)


def _moments(request: ReportRequest, now: datetime) -> tuple[datetime | None, datetime | None]:
    """The period from its first moment up to the first moment after it."""
    first = _day(request.begins, "--from") if request.begins else None
    last = _day(request.ends, "--to", end=True) if request.ends else None
    _check_begun(request, first, now)
    _check_order(first, last)
    since = None if first is None else datetime.combine(first, time(), UTC)
    return since, None if last is None else datetime.combine(last + timedelta(days=1), time(), UTC)


def _check_begun(request: ReportRequest, first: date | None, now: datetime) -> None:
    """A period without an end goes up to now, so its beginning has to lie before."""
    if first is not None and not request.ends and first > now.date():
        raise BadInput("The period has not begun.", f"It is {now.date()} now.", f"Let --from be before {first}.")


def _check_order(first: date | None, last: date | None) -> None:
    if first is not None and last is not None and last < first:
        raise BadInput("The period ends before it begins.", f"It goes from {first} to {last}.", "Swap --from and --to.")


def _day(words: str, option: str, *, end: bool = False) -> date:
    """The day that a month or a date means: the month's first, or with `end` its last."""
    try:
        found = _read_day(words.strip(), end=end)
    except ValueError:
        found = None
    if found is not None and not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise BadInput(
            f"{words!r} is not between {_FIRST_YEAR} and {_LAST_YEAR}.", "", f"For example: {option} 2026-03"
        )
    if found is None:
        raise BadInput(
            f"{words!r} is neither a month nor a day.", "", f"For example: {option} 2026-03 or {option} 2026-03-15"
        )
    return found


def _read_day(words: str, *, end: bool) -> date:
    if len(words) > len("2026-03"):
        return date.fromisoformat(words)
    month = Month.parse(words)
    if not end:
        return date(month.year, month.number, 1)
    after = month.next()
    return date(after.year, after.number, 1) - timedelta(days=1)


def own_rates(settings: Settings | None) -> tuple[Rate, ...]:
    """The organisation's own rates in the configuration."""
    return () if settings is None else settings.own_rates


# --- formats ----------------------------------------------------------------------------------------

ENDINGS = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md", ".csv": "csv"}
"""The ending of a file's name → its format."""


def lines(report: Report, format: str) -> Iterator[str]:
    """The report in a format of files: html, md or csv."""
    if format == "html":
        from console.reports import html

        return html.pieces(report)
    if format == "md":
        from console.reports import markdown

        return markdown.lines(report)
    from console.reports import csv

    return csv.report_lines(report)
