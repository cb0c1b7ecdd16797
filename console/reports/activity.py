"""The activity report: who decided what, when and why, what came of it, and whether the audit's chain holds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    Stream,
)
from console.text import Tone
from engine.model.records.fleet import AuditRow
from engine.rules.evidence.activity import ENGINE, ActivityReport, ActivitySpan, DecisionKind, DecisionList

ASSUMPTIONS = (
    "A decision is a record of the audit; what the engine did by itself, such as opening a ring, is told apart.",
    "A filter chooses decisions. Installs and failures are those of the whole fleet, for no record of the audit is "
    "about one install.",
    "A failure is all failed attempts at the same thing on one device between two of its successes. It opens with the "
    "first failed attempt and closes with the next success on the device, whichever way that came.",
    "Days and months are those of UTC.",
)
_TITLES = {
    DecisionKind.APPROVAL: ("Approvals", "Which release was let go where, by whom, and why."),
    DecisionKind.STOP: ("Pauses, halts and holds", "What was stopped, and what went on again."),
    DecisionKind.RECOVERY: ("Recoveries and uninstalls", "Hotpatches that were taken off devices."),
    DecisionKind.DEVICE_WORK: ("Work on devices by hand", "Installs ahead of the rollout, retries, changes of ring."),
    DecisionKind.FAILURE: ("Care for failures", "Exclusions, escalations and known problems."),
    DecisionKind.OTHER: ("Everything else", "Rings opened, releases published, settings and imports."),
}
DECISION_HEADS = (
    ReportHead("seq", "No", dimension="item"),
    ReportHead("at", "When"),
    ReportHead("actor", "Who"),
    ReportHead("summary", "What", is_wide=True),
    ReportHead("reason", "Why", is_wide=True),
    ReportHead("action", "Action"),
    ReportHead("kb", "KB"),
    ReportHead("rings", "Rings"),
    ReportHead("devices", "Devices", is_number=True),
)
STREAM_HEADS = (*DECISION_HEADS, ReportHead("origin", "From"), ReportHead("hash", "Hash"))


def build(found: ActivityReport, origin: ReportOrigin) -> Report:
    """The report of what the engine read."""
    chain = found.chain
    holds = chain.broken is None
    return Report(
        kind="activity",
        title="Activity and decisions",
        subtitle=_answer(found),
        period=f"{text.moment_long(found.since)} to {text.moment_long(found.until)}",
        filter=found.filter,
        origin=origin,
        figures=(
            Figure(
                "by_people",
                "Decisions",
                cells.count(found.by_people),
                f"by {text.plural(_people(found), 'person', 'people')}; {text.count(found.records - found.by_people)} "
                "records of the engine",
            ),
            Figure("installed", "Installed", cells.count(found.installed), "attempts that succeeded"),
            Figure(
                "opened",
                "Failures opened",
                cells.count(found.opened, Tone.AT_RISK if found.opened > found.closed else Tone.NONE),
                "in the period",
            ),
            Figure("closed", "Failures closed", cells.count(found.closed), "by a later success, in the period"),
            Figure(
                "open_failures",
                "Failed attempts open",
                cells.count(found.open_failures, Tone.FAILED if found.open_failures else Tone.OK),
                "now, whatever the period",
            ),
            Figure(
                "chain.holds",
                "Audit",
                ReportCell("holds" if holds else "broken", holds, Tone.OK if holds else Tone.FAILED),
                f"chain of {text.plural(chain.records, 'record')}",
            ),
        ),
        sections=(
            _over_time(found),
            _who(found),
            *(_list(each) for each in found.lists if each.records or each.kind is DecisionKind.APPROVAL),
            _chain(found),
        ),
        assumptions=ASSUMPTIONS,
        severity=Tone.OK if holds else Tone.FAILED,
    )


def decision_stream(rows: Iterable[AuditRow]) -> Stream:
    """Every decision of the period, as a table of any length."""
    return Stream("decisions", "Decisions", STREAM_HEADS, _decision_rows(rows))


def _people(found: ActivityReport) -> int:
    return sum(each.actor != ENGINE for each in found.actors)


def _answer(found: ActivityReport) -> str:
    people = _people(found)
    said = (
        f"{text.plural(found.by_people, 'decision')} by {text.plural(people, 'person', 'people')}; "
        f"{text.plural(found.installed, 'install')} succeeded, {text.plural(found.opened, 'failure')} opened and "
        f"{text.count(found.closed)} closed."
    )
    if found.chain.broken is not None:
        return f"The audit does not hold: {found.chain.broken.why}. {said}"
    return f"{said} The audit's chain holds."


def _over_time(found: ActivityReport) -> Section:
    unit = "Month" if found.by_month else "Day"
    shown = found.eventful
    return Section(
        "over-time",
        "Over the period",
        f"Decisions of people, attempts by how they ended, and failures, {unit.lower()} by {unit.lower()}.",
        charts=(
            ColumnChart(
                "Failures opened and closed",
                f"Over the period {text.count(found.opened)} opened and {text.count(found.closed)} closed.",
                ("opened", "closed"),
                (Tone.AT_RISK, Tone.OK),
                tuple(
                    ReportColumn(_label(each, found), (float(each.opened), float(each.closed)))
                    for each in found.stretches
                ),
            ),
        )
        if found.opened or found.closed
        else (),
        tables=(
            ReportTable(
                "over-time",
                f"{unit} by {unit.lower()}",
                (
                    ReportHead("begins", unit, dimension="item"),
                    ReportHead("decisions", "Decisions", is_number=True),
                    ReportHead("installed", "Installed", is_number=True),
                    ReportHead("uninstalled", "Uninstalled", is_number=True),
                    ReportHead("failed", "Failed attempts", is_number=True),
                    ReportHead("opened", "Failures opened", is_number=True),
                    ReportHead("closed", "Failures closed", is_number=True),
                ),
                tuple(
                    (
                        cells.month(f"{each.begins:%Y-%m}") if found.by_month else cells.day(each.begins),
                        cells.count(each.decisions),
                        cells.count(each.installed),
                        cells.count(each.uninstalled),
                        cells.count(each.failed),
                        cells.count(each.opened),
                        cells.count(each.closed),
                    )
                    for each in shown
                ),
                source="over_time",
                note=f"{unit}s on which nothing happened are left away." if len(shown) < len(found.stretches) else "",
                empty="Nothing happened in this period.",
            ),
        ),
    )


def _label(each: ActivitySpan, found: ActivityReport) -> str:
    return f"{each.begins:%b %y}" if found.by_month else f"{each.begins.day} {each.begins:%b}"


def _who(found: ActivityReport) -> Section:
    notes: tuple[Note, ...] = ()
    if found.without_reason:
        notes = (
            Note(
                f"{text.count(found.without_reason)} of {text.plural(found.by_people, 'decision')} by people came "
                "without a reason.",
                Tone.DUE,
            ),
        )
    return Section(
        "who",
        "Who decided, and what",
        "Each person with their decisions, then each kind of decision; the engine's own stand last.",
        tables=(
            ReportTable(
                "actors",
                "People",
                (
                    ReportHead("actor", "Who", dimension="item"),
                    ReportHead("records", "Records", is_number=True),
                    ReportHead("approvals", "Approvals", is_number=True),
                    ReportHead("stops", "Stops", is_number=True),
                    ReportHead("recoveries", "Recoveries", is_number=True),
                    ReportHead("first", "First"),
                    ReportHead("last", "Last"),
                ),
                tuple(
                    (
                        cells.words(each.actor),
                        cells.count(each.records),
                        cells.count(each.approvals),
                        cells.count(each.stops),
                        cells.count(each.recoveries),
                        cells.moment(each.first_at),
                        cells.moment(each.last_at),
                    )
                    for each in found.actors
                ),
                source="actors",
                empty="Nobody decided anything in this period.",
            ),
            ReportTable(
                "actions",
                "Decisions by kind",
                (
                    ReportHead("action", "Action", dimension="item"),
                    ReportHead("records", "Records", is_number=True),
                    ReportHead("by_people", "By people", is_number=True),
                    ReportHead("devices", "Devices named", is_number=True),
                ),
                tuple(
                    (
                        ReportCell(text.words(each.action), each.action),
                        cells.count(each.records),
                        cells.count(each.by_people),
                        cells.count(each.devices),
                    )
                    for each in found.actions
                ),
                source="actions",
                empty="None.",
            ),
        ),
        notes=notes,
    )


def _list(found: DecisionList) -> Section:
    title, lead = _TITLES[found.kind]
    return Section(
        str(found.kind),
        title,
        lead,
        tables=(
            ReportTable(
                str(found.kind),
                f"{text.plural(found.records, 'record')}, newest first" if found.records else "Records",
                DECISION_HEADS,
                tuple(_short(row) for row in _decision_rows(found.rows)),
                source=f"decisions.{found.kind}",
                note=f"The newest {len(found.rows)}. All of them: --table decisions"
                if found.records > len(found.rows)
                else "",
                empty="None in this period.",
            ),
        ),
    )


def _short(row: Row) -> Row:
    return row[: len(DECISION_HEADS)]


def _decision_rows(rows: Iterable[AuditRow]) -> Iterator[Row]:
    for row in rows:
        yield (
            ReportCell(str(row.seq), row.seq),
            cells.moment(row.at),
            cells.words(row.actor),
            cells.words(row.summary),
            cells.words(row.reason),
            ReportCell(text.words(row.action), row.action),
            cells.kb(row.kb),
            ReportCell(", ".join(row.rings) or text.NOTHING, ", ".join(row.rings) or None),
            cells.count(row.devices),
            cells.words(row.origin),
            cells.words(row.hash),
        )


def _chain(found: ActivityReport) -> Section:
    chain = found.chain
    if chain.broken is None:
        note = Note("Every record follows the one before, and the last one is the last that was written.", Tone.OK)
    else:
        note = Note(f"{chain.broken.why}. See: hotpatch audit verify", Tone.FAILED)
    return Section(
        "audit",
        "The audit's chain",
        "Each record carries a hash over itself and the one before. Keep the last hash elsewhere: with it, a later "
        "report proves that nothing was taken away since.",
        figures=(
            Figure("chain.records", "Records", cells.count(chain.records)),
            Figure("chain.head", "Last record", cells.count(chain.head)),
        ),
        tables=(
            ReportTable(
                "chain",
                "Where it ends",
                (ReportHead("head", "Record", dimension="item"), ReportHead("hash", "SHA-256 of the chain up to here")),
                ((ReportCell(str(chain.head), chain.head), cells.words(chain.head_hash)),) if chain.head else (),
                empty="No record was written yet.",
            ),
        ),
        notes=(note,),
    )
