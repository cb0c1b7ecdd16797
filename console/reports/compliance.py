"""The compliance report: how soon the fleet was protected release by release, who is not, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from console import text
from console.reports import cells
from console.reports.compliance_charts import CURVES, curves, slice_bars, trend
from console.reports.compliance_measures import (
    MEASURES,
    measures,
    present_note,
    severity_now,
    severity_of,
    slice_name,
    slice_table,
    slices_table,
)
from console.reports.model import (
    Chart,
    Figure,
    Note,
    Report,
    ReportCell,
    ReportHead,
    ReportOrigin,
    ReportTable,
    Row,
    Section,
)
from console.text import Tone
from engine.model.records.reports import ComplianceReport, Mark, MarkCount, Offender, ReleaseCompliance


def build(found: ComplianceReport, origin: ReportOrigin) -> Report:
    """The report of what the engine counted."""
    newest = found.releases[0] if found.releases else None
    return Report(
        kind="compliance",
        title="Update compliance",
        subtitle=_answer(found),
        period=f"Releases of {text.month(found.period.first)} to {text.month(found.period.last)}",
        filter=found.filter,
        origin=origin,
        figures=_figures(found),
        sections=(
            _over_releases(found),
            *(_newest(found.releases) if newest else ()),
            _behind(found),
            *_published(found),
        ),
        assumptions=found.assumptions,
        sources=tuple(dict.fromkeys(each.source for each in found.figures)),
        severity=severity_now(newest.total) if newest else Tone.NONE,
    )


# --- the answer and the key figures -----------------------------------------------------------------


def _answer(found: ComplianceReport) -> str:
    if not found.releases:
        return "No release in this period reached a device of the fleet: there is nothing to measure."
    if not found.devices:
        return "No device matches: there is nothing to measure."
    newest = found.releases[0]
    total = newest.total
    said = (
        f"{text.month(newest.month)}: {cells.ratio(total.share_now).text} of "
        f"{text.plural(total.devices_now, 'device')} are protected, "
        f"{text.age(newest.released_at, found.made_at)} after release."
    )
    settled = _settled(found)
    if settled is not None and settled is not newest:
        weeks = settled.total.mark(Mark.THREE_WEEKS)
        said += f" {text.month(settled.month)}: {cells.ratio(weeks.share).text} were within three weeks."
    if found.offenders_total:
        verb = "lacks" if found.offenders_total == 1 else "lack"
        said += f" {text.plural(found.offenders_total, 'device')} {verb} protection now."
    return said


def _settled(found: ComplianceReport) -> ReleaseCompliance | None:
    """The newest release whose three weeks have passed."""
    return next((each for each in found.releases if not each.total.mark(Mark.THREE_WEEKS).running), None)


def _figures(found: ComplianceReport) -> tuple[Figure, ...]:
    if not found.releases:
        return (Figure("devices", "Devices", cells.count(found.devices)),)
    newest = found.releases[0]
    figures = [
        Figure(
            "releases.0.share_now",
            f"Protected now, {text.month(newest.month)}",
            cells.ratio(newest.total.share_now, severity_now(newest.total)),
            f"{text.count(newest.total.protected_now)} of {text.plural(newest.total.devices_now, 'device')}",
        ),
        *(_mark_figure(newest, 0, mark) for mark in (Mark.DAY, Mark.FIVE_DAYS)),
    ]
    settled = _settled(found)
    shown = settled or newest
    place = found.releases.index(shown)
    reached = dict(shown.total.hours_to).get(0.9)
    return (
        *figures,
        _mark_figure(shown, place, Mark.THREE_WEEKS),
        Figure(
            f"releases.{place}.hours_to.90%",
            f"Time to 90 %, {text.month(shown.month)}",
            cells.hours(reached) if reached is not None else ReportCell("not reached", None, Tone.AT_RISK),
            "from release",
        ),
    )


def _mark_figure(release: ReleaseCompliance, place: int, mark: Mark) -> Figure:
    count = release.total.mark(mark)
    judged = severity_of(count.share) if mark is Mark.THREE_WEEKS else Tone.NONE
    return Figure(
        f"releases.{place}.{mark}.share",
        f"Within {mark.words}, {text.month(release.month)}",
        cells.ratio(count.share, Tone.DUE if count.running else judged),
        _mark_note(count),
    )


def _mark_note(count: MarkCount) -> str:
    shown = f"{text.count(count.protected)} of {text.plural(count.devices, 'device')}"
    return f"{shown}; still running" if count.running else shown


# --- over the releases ------------------------------------------------------------------------------


def _over_releases(found: ComplianceReport) -> Section:
    oldest_first = found.releases[::-1]
    charts: tuple[Chart, ...] = ()
    if len(oldest_first) > 1:
        charts = (trend(oldest_first),)
    notes = []
    if found.releases and any(count.running for count in found.releases[0].total.marks):
        notes.append(
            Note(
                f"{text.month(found.releases[0].month)} is still running: its shares may rise until three weeks have "
                "passed.",
                Tone.DUE,
            )
        )
    return Section(
        "releases",
        "Release by release",
        "The share of all devices, ready for hotpatches or not, that ran the month's hotpatch, its cumulative update "
        "or something later by then, whichever way it got there.",
        charts=charts,
        tables=(
            ReportTable(
                "releases",
                "Months of releases",
                (ReportHead("month", "Month", dimension="month"), *MEASURES),
                tuple((cells.month(each.month), *measures(each.total)) for each in found.releases),
                source="releases",
                note=present_note(each.total for each in found.releases),
                empty="No release in this period.",
            ),
            slices_table(found.releases),
        ),
        notes=tuple(notes),
    )


# --- the newest release -----------------------------------------------------------------------------


def _newest(releases: Sequence[ReleaseCompliance]) -> tuple[Section, ...]:
    newest = releases[0]
    about = (("month", newest.month),)
    shown, what = (newest.rings, "ring") if len(newest.rings) > 1 else (newest.platforms, "platform")
    curve = curves(releases[:CURVES])
    return (
        Section(
            "newest",
            f"{text.month(newest.month)} in detail",
            "How the newest release of the period reached the devices, beside the ones before it.",
            charts=(curve, slice_bars(shown, what)) if shown else (curve,),
            tables=(
                slice_table("rings", "Rings", "ring", newest.rings, about),
                slice_table("platforms", "Platforms", "platform", newest.platforms, about),
                slice_table("sites", "Sites", "site", newest.sites, about),
                _release_table(newest, about),
            ),
        ),
    )


def _release_table(newest: ReleaseCompliance, about: tuple[tuple[str, str], ...]) -> ReportTable:
    return ReportTable(
        "kbs",
        "What was released",
        (
            ReportHead("platform", "Platform", dimension="platform"),
            ReportHead("released", "Released"),
            ReportHead("kind", "Kind"),
            ReportHead("kb", "KB"),
            ReportHead("twin", "LCU beside it"),
        ),
        tuple(
            (
                ReportCell(each.platform.label, str(each.platform)),
                cells.moment(each.released_at),
                ReportCell(text.words(each.kind), str(each.kind)),
                cells.kb(each.kb),
                cells.kb(each.twin_kb),
            )
            for each in newest.releases
        ),
        source="releases.0.releases",
        about=about,
    )


# --- who is behind ----------------------------------------------------------------------------------


def _behind(found: ComplianceReport) -> Section:
    return Section(
        "behind",
        "Who is not protected, and why",
        "The devices that have lacked the newest release of their platform for longest, and those that have fallen "
        "behind their baseline: they are offered no hotpatch until they have caught up.",
        tables=(
            ReportTable(
                "offenders",
                "The longest unprotected",
                (
                    ReportHead("device", "Device", dimension="item"),
                    ReportHead("reason", "Why", is_wide=True),
                    ReportHead("unprotected_since", "Since"),
                    ReportHead("missing", "Lacks", is_number=True),
                    ReportHead("ring", "Ring"),
                    ReportHead("platform", "Platform"),
                    ReportHead("site", "Site"),
                    ReportHead("user", "User"),
                    ReportHead("build", "Build"),
                    ReportHead("last_seen", "Last seen"),
                ),
                tuple(map(_offender, found.offenders)),
                source="worst",
                more=max(found.offenders_total - len(found.offenders), 0),
                rest="hotpatch devices protected:no --csv",
                empty="Every device is protected.",
            ),
            ReportTable(
                "drift",
                "Behind the baseline",
                (
                    ReportHead("ring", "Ring", dimension="ring"),
                    ReportHead("platform", "Platform", dimension="platform"),
                    ReportHead("baseline", "Baseline"),
                    ReportHead("since", "Since"),
                    ReportHead("devices", "Devices", is_number=True),
                    ReportHead("behind", "Behind", is_number=True),
                    ReportHead("not_seen_since", "Not seen since", is_number=True),
                ),
                tuple(
                    (
                        slice_name(each.ring, "ring"),
                        ReportCell(each.platform.label, str(each.platform)),
                        cells.kb(each.baseline_kb),
                        cells.moment(each.since),
                        cells.count(each.devices),
                        cells.count(each.behind, Tone.AT_RISK if each.behind else Tone.NONE),
                        cells.count(each.not_seen),
                    )
                    for each in found.drift
                ),
                source="drift",
                empty="No device is behind its baseline.",
            ),
        ),
    )


def _offender(each: Offender) -> Row:
    return (
        cells.words(each.device_name),
        cells.words(each.reason),
        cells.moment(each.unprotected_since),
        cells.count(each.missing),
        cells.words(each.ring),
        ReportCell(each.platform.label, str(each.platform)),
        cells.words(each.site),
        ReportCell(text.person(each.user) or text.NOTHING, each.user or None),
        cells.words(each.build),
        cells.moment(each.last_seen_at),
    )


# --- against others ---------------------------------------------------------------------------------


def _published(found: ComplianceReport) -> tuple[Section, ...]:
    if not found.figures:
        return ()
    return (
        Section(
            "published",
            "Against published figures",
            "What others say they reached. They measured other fleets in other ways: a hint, not a target.",
            tables=(
                ReportTable(
                    "published",
                    "Published figures",
                    (
                        ReportHead("who", "Who", dimension="item"),
                        ReportHead("hours", "After", is_number=True),
                        ReportHead("share", "Share", is_number=True),
                        ReportHead("what", "What", is_wide=True),
                        ReportHead("source", "Source", is_wide=True),
                        ReportHead("doubt", "What weakens it", is_wide=True),
                    ),
                    tuple(
                        (
                            cells.words(each.who),
                            cells.hours(each.mark_hours),
                            cells.ratio(each.share),
                            cells.words(each.what),
                            cells.words(each.source),
                            cells.words(each.doubt),
                        )
                        for each in found.figures
                    ),
                    source="published",
                ),
            ),
        ),
    )
