"""The lines of the compliance screen and of the overview's trend, for a width: pure functions from records.

Called by the two screens. Words and numbers are those of the reports; a running mark has its sign everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from textual.content import Content

from console.text import (
    NOTHING,
    Tone,
    clean,
    count,
    date,
    duration,
    fit,
    hours,
    kb,
    month,
    platform_short,
    share,
    sign,
)
from console.widgets.drawing import MUTED, STRONG, Part, line, plain, severity_text
from console.widgets.lead_list import Lead
from console.widgets.plot import PlotLine, legend, plot
from console.widgets.trend import spark
from engine.model.records.reports import (
    DriftRow,
    Mark,
    MarkCount,
    Offender,
    PublishedFigure,
    ReleaseCompliance,
    SliceCompliance,
)

CHOOSE = "choose"
"""Where a line leads that chooses a release instead of going to a screen."""
_MARK_STYLES = {Mark.DAY: "$due", Mark.FIVE_DAYS: "$at-risk", Mark.THREE_WEEKS: "$ok"}
_LETTERS = {Mark.DAY: "d", Mark.FIVE_DAYS: "f", Mark.THREE_WEEKS: "w"}
_FIRST, _NUMBER, _SHARE, _TO = 11, 9, 8, 8
"""Widths of columns; months, platforms and rings stand under each other as long as their names are short."""
_PLOT_HEIGHT = 5
_SPARK_MONTHS = 8


def _mark(found: MarkCount, width: int) -> Part:
    shown = share(found.protected, found.devices)
    if found.running:
        return (fit(f"{sign(Tone.DUE)} {shown}", width, "right"), "$due")
    return fit(shown, width, "right")


def _hours(reached: int | None, *, running: bool) -> str:
    if reached is None:
        return "not yet" if running else NOTHING
    return hours(reached)


# --- releases ---------------------------------------------------------------------------------------


def release_lines(releases: Sequence[ReleaseCompliance], chosen: str, width: int) -> list[Lead]:
    """A month a line: devices, protected now, the three marks, and when half and 95 % were reached."""
    if not releases:
        return [Lead(plain("No release is known for this time.", MUTED))]
    wide = width >= 68
    heads = fit("Month", _FIRST) + fit("Devices", _NUMBER, "right") + fit("now", _SHARE, "right")
    heads += "".join(fit(f"in {mark.short}", _SHARE, "right") for mark in Mark)
    heads += (fit("to 50 %", _TO, "right") + fit("to 95 %", _TO, "right")) if wide else ""
    leads = [Lead(plain(heads, MUTED))]
    for each in releases:
        total = each.total
        running = total.marks[-1].running
        parts: list[Part] = [
            (fit(month(each.month), _FIRST), STRONG if each.month == chosen else ""),
            (fit(count(total.devices), _NUMBER, "right"), MUTED),
            fit(share(total.protected_now, total.devices_now), _SHARE, "right"),
            *(_mark(mark, _SHARE) for mark in total.marks),
        ]
        if wide:
            reached = dict(total.hours_to)
            parts += [fit(_hours(reached[wanted], running=running), _TO, "right") for wanted in (0.5, 0.95)]
        leads.append(Lead(line(*parts), CHOOSE, each.month))
    if any(mark.running for each in releases for mark in each.total.marks):
        leads.append(
            Lead(plain(f"{sign(Tone.DUE)} still running: the share may rise until its time has passed", "$due"))
        )
    return leads


def title_of(release: ReleaseCompliance) -> Content:
    """``Protected after May 2026, KB5089466``."""
    kbs = ", ".join(kb(number) for number in dict.fromkeys(each.kb for each in release.releases))
    return line((f"Protected after the release of {month(release.month)}", STRONG), (f"  {kbs}", MUTED))


def curve_lines(
    release: ReleaseCompliance, figures: Sequence[PublishedFigure], now: datetime, width: int, height: int
) -> list[Lead]:
    """The chosen release's curve over three weeks, beside what others reached."""
    devices = release.total.devices
    if not devices:
        return [Lead(plain("No device counts for this month.", MUTED))]
    whole = Mark.THREE_WEEKS.hours
    end = min(whole, int((min(now, release.followed_until) - release.released_at).total_seconds() // 3_600) + 1)
    points = [(each.hours / whole, each.protected / devices) for each in release.curve if each.hours <= end]
    points.append((end / whole, points[-1][1]))
    series = [
        PlotLine(
            "published by others",
            [(each.mark_hours / whole, each.share) for each in figures],
            "$key",
            "o",
            is_marked=True,
        ),
        PlotLine("this fleet", points, "$ok", "*", is_stepped=True),
    ]
    labels = [(0.0, "0"), *((mark.hours / whole, mark.short) for mark in Mark)]
    rows = plot(series, labels, width, height)
    return [Lead(legend(series)), *(Lead(row) for row in rows)]


def trend_lines(releases: Sequence[ReleaseCompliance], width: int, height: int = _PLOT_HEIGHT) -> list[Lead]:
    """The three marks over the releases, oldest at the left; a mark that is running has no point yet."""
    shown = [each for each in reversed(releases) if each.total.devices]
    if len(shown) < 2:
        return []
    places = [index / (len(shown) - 1) for index in range(len(shown))]
    series = [
        PlotLine(
            f"in {mark.short}",
            [
                (x, found.share or 0.0)
                for x, each in zip(places, shown, strict=True)
                if not (found := each.total.mark(mark)).running
            ],
            _MARK_STYLES[mark],
            _LETTERS[mark],
        )
        for mark in Mark
    ]
    labels = [(x, month(each.month).partition(" ")[0]) for x, each in zip(places, shown, strict=True)]
    return [Lead(legend(series)), *(Lead(row) for row in plot(series, labels, width, height))]


def trend_spark(releases: Sequence[ReleaseCompliance]) -> str:
    """One line for where a plot has no room: the shares within three weeks, of finished months alone."""
    done = [
        found.share
        for each in reversed(releases)
        if each.total.devices and not (found := each.total.mark(Mark.THREE_WEEKS)).running
    ]
    return spark([value or 0.0 for value in done[-_SPARK_MONTHS:]], top=1.0) if len(done) > 1 else ""


def slice_lines(release: ReleaseCompliance, width: int) -> list[Lead]:
    """Platforms, then rings: devices, now, the three marks. Each leads to its devices that are not protected."""
    longest = max((plain(each.name).cell_length for each in release.rings), default=0)
    name_width = max(min(longest + 1, width - _NUMBER - 4 * _SHARE), _FIRST)
    heads = fit("", name_width) + fit("Devices", _NUMBER, "right") + fit("now", _SHARE, "right")
    heads += "".join(fit(f"in {mark.short}", _SHARE, "right") for mark in Mark)
    leads = [Lead(plain(heads, MUTED))]
    for each in release.platforms:
        leads.append(_slice_line(platform_short(each.name), each, f"protected:no platform:{each.name}", name_width))
    for each in release.rings:
        found = f"protected:no ring:{each.name}" if each.name else "protected:no -ring:*"
        leads.append(_slice_line(each.name or "no ring", each, found, name_width))
    return leads


def _slice_line(name: str, found: SliceCompliance, filter: str, name_width: int) -> Lead:
    parts: list[Part] = [
        fit(clean(name), name_width),
        (fit(count(found.devices), _NUMBER, "right"), MUTED),
        (fit(share(found.protected_now, found.devices_now), _SHARE, "right"), STRONG),
        *(_mark(each, _SHARE) for each in found.marks),
    ]
    return Lead(line(*parts), "devices", filter)


# --- who lags behind --------------------------------------------------------------------------------


def offender_lines(offenders: Sequence[Offender], total: int, now: datetime, width: int) -> list[Lead]:
    """The longest unprotected devices, each with its reason."""
    if not offenders:
        return [Lead(severity_text(Tone.OK, "Every device runs the newest release of its track."))]
    name = min(max(len(clean(each.device_name)) for each in offenders), 18) + 1
    leads = []
    for each in offenders:
        age = duration(now - each.unprotected_since)
        severity = Tone.FAILED if each.missing > 1 else Tone.AT_RISK
        room = max(width - name - 16 - 2, 8)
        content = line(
            severity_text(severity, fit(clean(each.device_name), name)),
            (fit(age, 8, "right"), ""),
            (fit(each.ring or "no ring", 6, "right"), MUTED),
            "  ",
            (fit(each.reason, room).rstrip(), MUTED),
        )
        leads.append(Lead(content, "devices", f"#{each.device_id}"))
    if total > len(offenders):
        leads.append(Lead(plain(f"all {count(total)} unprotected devices", MUTED), "devices", "protected:no"))
    return leads


def drift_lines(drift: Sequence[DriftRow], width: int) -> list[Lead]:
    """Devices behind their baseline, ring by ring and platform by platform; what is on it is left away."""
    behind = [each for each in drift if each.behind]
    if not behind:
        return [Lead(severity_text(Tone.OK, "Every device is on its current baseline."))]
    leads = []
    for each in behind:
        place = f"{each.ring or 'no ring'}, {platform_short(each.platform)}"
        numbers = f"{count(each.behind)} of {count(each.devices)}"
        silent = f", {count(each.not_seen)} silent since" if each.not_seen else ""
        content = line(
            severity_text(Tone.AT_RISK, fit(place, 18)),
            (fit(numbers, 14, "right"), STRONG),
            (f"  since {date(each.since)}{silent}", MUTED),
        )
        ring = f"ring:{each.ring} " if each.ring else ""
        leads.append(Lead(content.truncate(width), "devices", f"{ring}platform:{each.platform} track:behind"))
    return leads


def published_lines(
    figures: Sequence[PublishedFigure], releases: Sequence[ReleaseCompliance], width: int
) -> list[Lead]:
    """What others are said to have reached, beside the fleet's newest finished month."""
    leads = []
    for each in figures:
        mark = next((mark for mark in Mark if mark.hours == each.mark_hours), None)
        if mark is None:
            continue
        finished = (one for one in releases if one.total.devices and not one.total.mark(mark).running)
        done = next(finished, None)
        ours = NOTHING
        if done is not None:
            found = done.total.mark(mark)
            ours = f"{share(found.protected, found.devices)} in {month(done.month)}"
        words = f"{each.who}: {share(round(each.share * 100), 100)} in {mark.short}"
        leads.append(Lead(line(fit(words, max(width - 24, 20)), (f"  here {ours}", STRONG))))
        leads.append(Lead(plain(fit(f"  {each.doubt or each.source}", width).rstrip(), MUTED)))
    return leads
