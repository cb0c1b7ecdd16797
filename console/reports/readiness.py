"""The readiness report: who takes hotpatches, what keeps the others from it, who restarts at the next release. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from console import text
from console.reports import cells
from console.reports.model import (
    Bar,
    BarChart,
    Figure,
    Note,
    Report,
    ReportCell,
    ReportHead,
    ReportOrigin,
    ReportPart,
    ReportTable,
    Row,
    Section,
    Stream,
)
from console.text import Tone
from engine.model.build import Platform
from engine.model.records.fleet import DeviceRow
from engine.rules.readiness.summary import NextRelease, ReadinessReport, ReasonFix, VerdictCount

_REASONS_DRAWN = 8

ASSUMPTIONS = (
    "Readiness is told as it stands now; what it was earlier is not kept.",
    "Facts that change in daily life count as unknown when a device has not reported for 14 days.",
    "The next release is the next Patch Tuesday. Whether it is a baseline or a hotpatch is the calendar's pattern, "
    "not a fact; a baseline may come unplanned, and out-of-band releases cannot be foretold.",
    "A device whose readiness is unknown is counted among those that restart.",
    "Exclusions and safeguard holds are left out: they change when a device is offered a release, not whether it could "
    "take a hotpatch.",
)

DEVICE_HEADS = (
    ReportHead("name", "Device", dimension="item"),
    ReportHead("reasons", "Why", is_wide=True),
    ReportHead("ring", "Ring"),
    ReportHead("site", "Site"),
    ReportHead("platform", "Platform"),
    ReportHead("build", "Build"),
    ReportHead("readiness", "Readiness"),
    ReportHead("user", "User"),
    ReportHead("last_seen", "Last seen"),
)


def build(found: ReadinessReport, origin: ReportOrigin) -> Report:
    """The report of what the engine counted."""
    total = found.total
    return Report(
        kind="readiness",
        title="Readiness for hotpatches",
        subtitle=_answer(found),
        period=f"As of {text.moment_long(found.made_at)}",
        filter=found.filter,
        origin=origin,
        figures=(
            Figure("total.devices", "Devices", cells.count(total.devices), _scope(found)),
            Figure(
                "total.ready",
                "Ready",
                cells.count(total.ready, Tone.OK if total.ready else Tone.NONE),
                f"{cells.share(total.ready, total.devices).text} of the devices",
            ),
            Figure(
                "total.not_ready",
                "Not ready",
                cells.count(total.not_ready, Tone.AT_RISK if total.not_ready else Tone.OK),
                "a prerequisite is not met",
            ),
            Figure(
                "total.unknown",
                "Not known",
                cells.count(total.unknown, Tone.UNKNOWN if total.unknown else Tone.OK),
                "a fact is missing or too old",
            ),
            Figure(
                "restarts",
                "Restart at the next release",
                cells.count(found.restarts, Tone.AT_RISK if found.restarts else Tone.OK),
                _next_words(found.next_releases),
            ),
        ),
        sections=(_funnel(found), _reasons(found), _groups(found), _next(found)),
        assumptions=ASSUMPTIONS,
        sources=tuple(dict.fromkeys(part for each in found.reasons for part in each.source.split("; ") if part)),
        severity=Tone.OK if not found.restarts else Tone.AT_RISK,
    )


def device_stream(rows: Iterable[DeviceRow], now: datetime) -> Stream:
    """Every device that restarts at the next release, as a table of any length."""
    return Stream("devices", "Devices that restart at the next release", DEVICE_HEADS, _device_rows(rows, now))


def _answer(found: ReadinessReport) -> str:
    total = found.total
    if not total.devices:
        return "No device matches: there is nothing to say about readiness."
    share = cells.share(total.ready, total.devices).text
    return (
        f"{text.count(total.ready)} of {text.plural(total.devices, 'device')} ({share}) can take a hotpatch without a "
        f"restart now. {text.plural(found.restarts, 'device')} will restart at the next monthly release."
    )


def _scope(found: ReadinessReport) -> str:
    return "that the filter matches" if found.filter else "in the fleet"


def _next_words(releases: Sequence[NextRelease]) -> str:
    if not releases:
        return "no platform with hotpatches"
    first = releases[0]
    return f"{text.date(first.at)}, by the pattern a {first.kind}"


def _funnel(found: ReadinessReport) -> Section:
    total = found.total
    steps = (
        ("Devices", total.devices, Tone.NONE, "devices"),
        ("Eligible", total.eligible, Tone.DUE, "eligible"),
        ("Enrolled", total.enrolled, Tone.DUE, "enrolled"),
        ("Ready", total.ready, Tone.OK, "ready"),
    )
    bars = tuple(
        Bar(
            name,
            (ReportPart("", devices, severity, text.count(devices)),),
            f"{text.count(devices)} · {cells.share(devices, total.devices).text}",
            float(total.devices),
        )
        for name, devices, severity, _ in steps
    )
    return Section(
        "funnel",
        "The way to hotpatches",
        "Eligible: edition, Windows version, licence and processor permit hotpatches. Enrolled: policy or "
        "subscription is in place. Ready: all prerequisites are met now, so the device is offered the hotpatch.",
        figures=(
            Figure("total.eligible", "Eligible", cells.count(total.eligible)),
            Figure("total.enrolled", "Enrolled", cells.count(total.enrolled)),
            Figure("total.ready_share", "Ready", cells.share(total.ready, total.devices)),
        ),
        charts=(
            BarChart(
                "Devices from step to step",
                ", ".join(f"{name.lower()} {text.count(devices)}" for name, devices, _, _ in steps) + ".",
                bars,
            ),
        ),
    )


def _reasons(found: ReadinessReport) -> Section:
    rows = tuple(_reason_row(each, found.total.devices) for each in found.reasons)
    drawn = found.reasons[:_REASONS_DRAWN]
    bars = tuple(
        Bar(
            each.words,
            (
                ReportPart(_alone(each), each.only, _reason_severity(each), text.count(each.only)),
                ReportPart(
                    "together with other reasons",
                    each.devices - each.only,
                    Tone.NONE,
                    text.count(each.devices - each.only),
                ),
            ),
            text.count(each.devices),
        )
        for each in drawn
    )
    charts = (
        BarChart(
            "The commonest reasons, in devices",
            "; ".join(f"{each.words} {text.count(each.devices)}" for each in drawn) + ".",
            bars,
        ),
    )
    return Section(
        "reasons",
        "What keeps devices from hotpatches",
        "A device with several reasons counts at each of them. Solving a reason makes ready only the devices that it "
        "alone holds back; a device that is not ready is not unprotected, but takes the cumulative update with a "
        "restart.",
        charts=charts if drawn else (),
        tables=(
            ReportTable(
                "reasons",
                "Reasons and what to do",
                (
                    ReportHead("reason", "Reason", dimension="item"),
                    ReportHead("devices", "Devices", is_number=True),
                    ReportHead("only", "By it alone", is_number=True),
                    ReportHead("share", "Of all", is_number=True),
                    ReportHead("stage", "Step"),
                    ReportHead("fix", "What to do", is_wide=True),
                ),
                rows,
                source="reasons",
                empty="Every device is ready.",
            ),
        ),
    )


def _alone(each: ReasonFix) -> str:
    return "alone, a fact is missing" if each.is_unknown else "alone, a prerequisite is not met"


def _reason_severity(each: ReasonFix) -> Tone:
    return Tone.UNKNOWN if each.is_unknown else Tone.AT_RISK


def _reason_row(each: ReasonFix, devices: int) -> Row:
    return (
        cells.words(each.words, severity=_reason_severity(each)),
        cells.count(each.devices),
        cells.count(each.only),
        cells.share(each.devices, devices),
        cells.words(each.stage),
        cells.words(each.fix),
    )


def _groups(found: ReadinessReport) -> Section:
    shown = found.rings if len(found.rings) > 1 else found.platforms
    what = "ring" if len(found.rings) > 1 else "platform"
    bars = tuple(
        Bar(
            _group_name(each.name, what).text,
            (
                ReportPart("ready", each.ready, Tone.OK, text.count(each.ready)),
                ReportPart("not ready", each.not_ready, Tone.AT_RISK, text.count(each.not_ready)),
                ReportPart("not known", each.unknown, Tone.UNKNOWN, text.count(each.unknown)),
            ),
            f"{cells.share(each.ready, each.devices).text} ready",
            float(each.devices),
        )
        for each in shown
    )
    alt = "; ".join(f"{bar.label}: {bar.text}" for bar in bars) + "."
    return Section(
        "groups",
        "By ring, platform and site",
        "Where the devices are that need attention.",
        charts=(BarChart(f"Readiness by {what}", alt, bars),) if bars else (),
        tables=(
            _group_table("rings", "Rings", "ring", found.rings),
            _group_table("platforms", "Platforms", "platform", found.platforms),
            _group_table("sites", "Sites", "site", found.sites, found.other_sites),
        ),
    )


def _group_table(id: str, title: str, what: str, groups: Sequence[VerdictCount], more: int = 0) -> ReportTable:
    return ReportTable(
        id,
        title,
        (
            ReportHead("name", what.capitalize(), dimension=what),
            ReportHead("devices", "Devices", is_number=True),
            ReportHead("eligible", "Eligible", is_number=True),
            ReportHead("enrolled", "Enrolled", is_number=True),
            ReportHead("ready", "Ready", is_number=True),
            ReportHead("ready_share", "Share", is_number=True),
            ReportHead("not_ready", "Not ready", is_number=True),
            ReportHead("unknown", "Not known", is_number=True),
        ),
        tuple(
            (
                _group_name(each.name, what),
                cells.count(each.devices),
                cells.count(each.eligible),
                cells.count(each.enrolled),
                cells.count(each.ready),
                cells.share(each.ready, each.devices),
                cells.count(each.not_ready),
                cells.count(each.unknown),
            )
            for each in groups
        ),
        source=id,
        note=f"The {len(groups)} largest; {text.plural(more, 'smaller one')} left away." if more else "",
        empty="No devices.",
    )


def _group_name(name: str, what: str) -> ReportCell:
    if not name:
        return ReportCell({"ring": "in no ring", "platform": "no hotpatch platform"}.get(what, "not told"), None)
    return ReportCell(Platform(name).label, name) if what == "platform" else ReportCell(name, name)


def _next(found: ReadinessReport) -> Section:
    notes = []
    if found.without_platform:
        notes.append(
            Note(
                f"{text.plural(found.without_platform, 'device')} on a Windows version without hotpatches, or on one "
                "that is not known: restarts of those are not counted here.",
                Tone.UNKNOWN,
            )
        )
    return Section(
        "next",
        "Who restarts at the next release",
        "In a hotpatch month only devices that are not ready, or held off hotpatches, restart, for the cumulative "
        "update; in a baseline month every device does.",
        tables=(
            ReportTable(
                "next-release",
                "The next release by platform",
                (
                    ReportHead("platform", "Platform", dimension="platform"),
                    ReportHead("month", "Month", dimension="month"),
                    ReportHead("at", "Patch Tuesday"),
                    ReportHead("kind", "By the pattern"),
                    ReportHead("devices", "Devices", is_number=True),
                    ReportHead("restarts", "Restart", is_number=True),
                    ReportHead("share", "Share", is_number=True),
                ),
                tuple(
                    (
                        ReportCell(each.platform.label, str(each.platform)),
                        cells.month(each.month),
                        cells.moment(each.at),
                        cells.words(str(each.kind)),
                        cells.count(each.devices),
                        cells.count(each.restarts),
                        cells.share(each.restarts, each.devices),
                    )
                    for each in found.next_releases
                ),
                source="next_releases",
                empty="No device runs a platform with hotpatches.",
            ),
            ReportTable(
                "devices",
                "Devices that restart",
                DEVICE_HEADS,
                tuple(_device_rows(found.restarting, found.made_at)),
                source="restarting",
                more=max(found.restarts - len(found.restarting), 0),
                empty="None.",
            ),
        ),
        notes=tuple(notes),
    )


def _device_rows(rows: Iterable[DeviceRow], now: datetime) -> Iterator[Row]:
    for row in rows:
        seen = cells.moment(row.last_seen_at)
        yield (
            cells.words(row.name),
            ReportCell(", ".join(row.reasons) or "a baseline is due", "; ".join(row.reasons) or None),
            cells.words(row.ring),
            cells.words(row.site),
            ReportCell(row.platform.label, str(row.platform)) if row.platform else cells.words(""),
            cells.build(row.build),
            cells.words(text.words(row.verdict), str(row.verdict)),
            ReportCell(text.person(row.user) or text.NOTHING, row.user or None),
            ReportCell(f"{text.age(row.last_seen_at, now)} ago" if row.last_seen_at else "never", seen.raw),
        )
