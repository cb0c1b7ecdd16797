"""The pictures of the compliance report: shares over releases, curves since the release, how soon by ring. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console import text
from console.reports import cells
from console.reports.compliance_measures import GOAL, slice_name
from console.reports.model import Bar, BarChart, LineChart, Point, ReportPart, ReportSeries
from console.text import Tone
from engine.model.records.reports import Mark, ReleaseCompliance, SliceCompliance

CURVES = 3
"""Releases whose curves stand in one picture."""
_LONG_HOURS = Mark.THREE_WEEKS.hours
_PERCENT = ((0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1.0, "100 %"))
_PARTS = (
    (Mark.DAY, "within 24 hours", Tone.OK),
    (Mark.FIVE_DAYS, "within 5 days", Tone.DUE),
    (Mark.THREE_WEEKS, "within 3 weeks", Tone.UNKNOWN),
)


def trend(oldest_first: Sequence[ReleaseCompliance]) -> LineChart:
    """Each mark over the releases, oldest first; a mark that is running has no point."""
    places = [(place + 0.5) / len(oldest_first) for place in range(len(oldest_first))]
    series = []
    for rank, mark in enumerate((Mark.DAY, Mark.FIVE_DAYS, Mark.THREE_WEEKS)):
        points = tuple(
            Point(at, share)
            for at, each in zip(places, oldest_first, strict=True)
            if not each.total.mark(mark).running and (share := each.total.mark(mark).share) is not None
        )
        series.append(ReportSeries(f"within {mark.words}", points, (1, 2, 0)[rank]))
    every = max(1, -(-len(oldest_first) // 12))
    weeks = series[-1].points
    alt = "The share of devices protected by each release."
    if weeks:
        alt = (
            f"Within three weeks: from {cells.ratio(weeks[0].y).text} to {cells.ratio(weeks[-1].y).text} over the "
            "releases whose three weeks have passed."
        )
    return LineChart(
        "Protected after 24 hours, 5 days and 3 weeks",
        alt,
        tuple(series),
        tuple(
            (at, text.month(each.month))
            for place, (at, each) in enumerate(zip(places, oldest_first, strict=True))
            if (len(places) - 1 - place) % every == 0
        ),
        1.0,
        _PERCENT,
        GOAL,
        f"{100 * GOAL:.0f} %",
    )


def curves(releases: Sequence[ReleaseCompliance]) -> LineChart:
    """How releases went, hour by hour, the newest first."""
    series = tuple(ReportSeries(text.month(each.month), _curve(each), rank) for rank, each in enumerate(releases))
    newest = releases[0].total
    labels = ((0, "0"), (24, "24 h"), (120, "5 d"), (240, "10 d"), (336, "14 d"), (_LONG_HOURS, "3 wk"))
    return LineChart(
        "Protected devices since the release",
        f"{cells.ratio(newest.share_now).text} of the devices are protected by {text.month(releases[0].month)}.",
        series,
        tuple((hours / _LONG_HOURS, label) for hours, label in labels),
        1.0,
        _PERCENT,
        GOAL,
        f"{100 * GOAL:.0f} %",
    )


def _curve(release: ReleaseCompliance) -> tuple[Point, ...]:
    """Steps: a share holds until the next change, or as far as the release was followed."""
    whole = release.total.devices or 1
    followed = (release.followed_until - release.released_at).total_seconds() / 3600
    end = min(max(followed, 0.0), float(_LONG_HOURS))
    points: list[Point] = []
    share = 0.0
    for each in release.curve:
        if each.hours > end:
            break
        at = each.hours / _LONG_HOURS
        points += [Point(at, share), Point(at, each.protected / whole)]
        share = each.protected / whole
    return (*points, Point(end / _LONG_HOURS, share))


def slice_bars(slices: Sequence[SliceCompliance], what: str) -> BarChart:
    """Each part of the fleet, by how soon its devices were protected."""
    bars = tuple(
        Bar(
            slice_name(each.name, what).text,
            tuple(_parts(each)),
            f"{cells.ratio(each.share_now).text} now",
            float(each.devices),
        )
        for each in slices
    )
    alt = "; ".join(f"{bar.label}: {bar.text}" for bar in bars)
    return BarChart(f"How soon, by {what}", f"{alt}.", bars)


def _parts(each: SliceCompliance) -> Iterator[ReportPart]:
    """Disjoint parts: within a day, from there to five days, to three weeks, later, and not."""
    before = 0
    for mark, name, severity in _PARTS:
        more = max(min(each.mark(mark).protected, each.protected_now) - before, 0)
        before += more
        yield ReportPart(name, more, severity, text.count(more))
    later = max(each.protected_now - before, 0)
    yield ReportPart("later", later, Tone.AT_RISK, text.count(later))
    lacking = max(each.devices - each.protected_now, 0)
    yield ReportPart("not protected", lacking, Tone.NONE, text.count(lacking))
