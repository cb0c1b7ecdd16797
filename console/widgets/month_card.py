"""One month of one platform as a framed card: published or planned, KB, build, day, and whether devices restart.

Pure functions. A published month has a solid frame, a planned one a dashed frame, an empty sign and the word; the
calendar's grid puts the cards together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from textual.content import Content

from console.columns import kind_cell
from console.text import Tone, build, cells, clip, fit, is_ascii, kb, until
from console.widgets.drawing import MUTED, STRONG, STYLES, Part, fitted, line, plain, severity_text
from engine.catalog.calendar import Month, MonthPlan, MonthState, patch_tuesday_moment
from engine.model.build import OsBuild
from engine.model.model import Release, ReleaseKind

FULL_LINES = 6
"""Lines inside the frame from which on a card of the year shows more than kind, release and surprise."""
_SIDE_BY_SIDE = 40
_NAME_WIDTH = 15
_SOURCE_LINES = 2
_NAMES = tuple("January February March April May June July August September October November December".split())

# Corners, horizontal, vertical: published, planned, and each under the cursor.
_FRAMES = {
    (False, False): "╭╮╰╯─│",
    (True, False): "╭╮╰╯╌┆",
    (False, True): "┏┓┗┛━┃",
    (True, True): "┏┓┗┛╍╏",
}
_ASCII_FRAMES = {
    (False, False): "++++-|",
    (True, False): "++++.:",
    (False, True): "####=#",
    (True, True): "####~#",
}


def month_name(plan: MonthPlan) -> str:
    """``May``."""
    return _NAMES[Month.parse(plan.month).number - 1]


def kind_words(plan: MonthPlan) -> str:
    """``hotpatch``, ``unplanned baseline``; of a month without a release what is planned."""
    return kind_cell(plan.kind).text


def kind_line(plan: MonthPlan, width: int) -> Content:
    """Sign and words for what the month is: a full sign for facts, an empty one for plans."""
    words = kind_words(plan)
    match plan.state:
        case MonthState.BEFORE:
            return _first_fitting(width, plain("before its first release", MUTED), plain("no release yet", MUTED))
        case MonthState.MISSING:
            full = severity_text(Tone.UNKNOWN, f"{words} planned, not known yet")
            return _first_fitting(width, full, severity_text(Tone.UNKNOWN, "not known yet"))
        case MonthState.FORECAST:
            named = line(("○ ", "$due" if plan.restart else MUTED), words)
            return _first_fitting(width, line(named, (" planned", MUTED)), named)
        case _:
            return severity_text(_severity(plan), words)


def _first_fitting(width: int, *contents: Content) -> Content:
    """The fullest wording that fits; the shortest one where none does."""
    return next((each for each in contents if each.cell_length <= width), contents[-1])


def _severity(plan: MonthPlan) -> Tone:
    if plan.kind is ReleaseKind.UNPLANNED_BASELINE or (plan.is_surprise and plan.restart):
        return Tone.AT_RISK
    return Tone.DUE if plan.restart else Tone.OK


def restart_words(plan: MonthPlan) -> str:
    """``restart``, ``no restart``, ``restart expected``."""
    if plan.state is MonthState.BEFORE:
        return ""
    words = "restart" if plan.restart else "no restart"
    return words if plan.state is MonthState.PUBLISHED else f"{words} expected"


def _surprise(plan: MonthPlan) -> str:
    return f"planned was: {kind_cell(plan.planned).text}" if plan.is_surprise else ""


def _day(plan: MonthPlan) -> str:
    return f"{plan.patch_tuesday:%a} {plan.patch_tuesday.day}"


def _out_of_band(release: Release, width: int, *, headed: bool) -> Content:
    """Day, KB and kind, or what of it fits; below a heading that says so the kind goes without "OOB"."""
    day = (fit(f"{release.released_at.day} {release.released_at:%b}", 7), MUTED)
    kind = kind_cell(release.kind).text
    named = line(f"{release.name} ", (kind.removeprefix("OOB ") if headed else kind, MUTED))
    return _first_fitting(width, line(day, named), named)


# --- the card of a year -----------------------------------------------------------------------------


def year_lines(plan: MonthPlan, width: int, height: int, now: datetime) -> list[Content]:
    """What stands in a card of the year view, the most important first; at most `height` lines."""
    rows = [kind_line(plan, width)]
    if plan.state is MonthState.BEFORE:
        return rows
    roomy = height >= FULL_LINES
    style = STYLES[_severity(plan)] if plan.restart and not plan.is_forecast else MUTED
    restart = plain(restart_words(plan), style)
    if roomy or plan.is_forecast:
        rows.append(_first_fitting(width, restart, plain(restart.plain.removesuffix(" expected"), style)))
    elif rows[0].cell_length + 2 + restart.cell_length <= width:
        rows[0] = line(rows[0], (", ", MUTED), restart)
    if plan.kb is not None or plan.build is not None:
        name = plain(kb(plan.kb))
        rows.append(_first_fitting(width, line(name, (f" {build(plan.build)}", MUTED)), name))
    if plan.is_forecast:
        rows.append(plain(until(patch_tuesday_moment(plan.month), now), MUTED))
    if plan.is_surprise:
        words = _surprise(plan) if roomy else f"restart, was {kind_cell(plan.planned).text}"
        rows.append(plain(words if cells(words) <= width else "restart", STYLES[Tone.AT_RISK]))
    if roomy and plan.lcu is not None:
        rows.append(plain(f"LCU {plan.lcu.name} {build(plan.lcu.build)}, restart", MUTED))
    out_of_band = _out_of_band_lines(plan.out_of_band, width, height - len(rows))
    if plan.provisional and len(rows) + len(out_of_band) < height:
        rows.append(severity_text(Tone.UNKNOWN, "not confirmed"))
    return rows + out_of_band


def _out_of_band_lines(releases: Sequence[Release], width: int, room: int) -> list[Content]:
    if not releases or room <= 0:
        return []
    if len(releases) <= room and room > 1:
        return [_out_of_band(release, width, headed=False) for release in releases]
    if room == 1:
        more = f" +{len(releases) - 1}" if len(releases) > 1 else ""
        return [line("OOB ", f"{releases[0].name}", (more, MUTED))]
    shown = [_out_of_band(release, width, headed=False) for release in releases[: room - 1]]
    return [*shown, plain(f"and {len(releases) - len(shown)} more", MUTED)]


# --- the card of a quarter --------------------------------------------------------------------------


def quarter_lines(plan: MonthPlan, width: int, now: datetime) -> list[Content]:
    """Everything about a month, for a large card."""
    rows = [kind_line(plan, width)]
    if plan.state is MonthState.BEFORE:
        return rows
    rows.append(plain(restart_words(plan), "" if plan.restart else MUTED))
    if plan.is_surprise:
        rows.append(plain(_surprise(plan), STYLES[Tone.AT_RISK]))
    at = patch_tuesday_moment(plan.month)
    day = f"{_day(plan)} {plan.patch_tuesday:%b}"
    rows += _entry("Patch Tuesday", [line(day, (f", {until(at, now)}", MUTED))], width)
    if plan.kb is not None or plan.build is not None:
        rows += _entry("Release", _release(kb(plan.kb), plan.build, width), width)
    if plan.lcu is not None:
        lcu = [*_release(plan.lcu.name, plan.lcu.build, width), plain("if off the track", MUTED)]
        rows += _entry("LCU, restart", lcu, width)
    room = _value_width(width)
    if plan.out_of_band:
        rows += _entry("Out of band", [_out_of_band(each, room, headed=True) for each in plan.out_of_band], width)
    confirmed = [severity_text(Tone.UNKNOWN, "not confirmed")] if plan.provisional else []
    source = "quarterly pattern" if plan.is_forecast else plan.source
    return rows + _entry("Known from", [*confirmed, *_wrapped(source, room)], width)


def _value_width(width: int) -> int:
    """The room of a value beside or below its name."""
    return max(width - (_NAME_WIDTH if width >= _SIDE_BY_SIDE else 2), 8)


def _wrapped(text: str, width: int) -> list[Content]:
    """At most a few lines: a source can be long, and its beginning says which one it is."""
    rows = plain(text, MUTED).wrap(width)
    if len(rows) > _SOURCE_LINES:
        rows = [*rows[: _SOURCE_LINES - 1], line(rows[_SOURCE_LINES - 1].truncate(width - 1), ("…", MUTED))]
    return list(rows)


def _release(name: str, revision: OsBuild | None, width: int) -> list[Content]:
    if width >= _SIDE_BY_SIDE:
        return [line(name, (f"  {build(revision)}", MUTED))]
    return [plain(name), plain(build(revision), MUTED)]


def _entry(name: str, values: Sequence[Content], width: int) -> list[Content]:
    """A name and its values: side by side where there is room, else one under the other."""
    if width >= _SIDE_BY_SIDE:
        rows = [
            line((fit(name if index == 0 else "", _NAME_WIDTH), MUTED), value) for index, value in enumerate(values)
        ]
    else:
        rows = [plain(name, MUTED), *(line("  ", value) for value in values)]
    return [plain(""), *rows]


def year_strip(plans: Sequence[MonthPlan], cursor: int, width: int) -> Content:
    """The whole year in one line, for below a quarter: ``Jan ◐  Feb ●  Mar ●``."""
    parts: list[Part] = []
    room = max(width // 12, 5)
    for index, plan in enumerate(plans):
        shown = kind_line(plan, 0).plain[:1] if plan.state is not MonthState.BEFORE else "–"
        in_quarter = index // 3 == cursor // 3
        style = STYLES[_severity(plan)] if plan.state is MonthState.PUBLISHED else MUTED
        parts += [(f" {month_name(plan)[:3]} ", STRONG if in_quarter else MUTED), (fit(shown, room - 5), style)]
    return line(*parts)


# --- the frame --------------------------------------------------------------------------------------


def framed(
    plan: MonthPlan, rows: Sequence[Content], width: int, height: int, *, is_now: bool, cursor: bool, title: str = ""
) -> list[Content]:
    """Exactly `height` lines of exactly `width` cells; what does not fit ends in a line that says so."""
    planned = plan.state is not MonthState.PUBLISHED
    frame = (_ASCII_FRAMES if is_ascii() else _FRAMES)[planned, cursor]
    style = "$key" if cursor else "$due" if is_now else "$rule" if planned else MUTED
    inner, room = width - 4, max(height - 2, 0)
    shown = list(rows)
    if len(shown) > room and room:
        shown = [*shown[: room - 1], plain(f"and {len(shown) - room + 1} lines more", MUTED)]
    shown += [plain("")] * (room - len(shown))
    name = (f"{title or month_name(plan)}, now" if is_now else title or month_name(plan)) if inner > 0 else ""
    return [
        _edge(frame[0], frame[1], frame[4], (name, STRONG if not cursor else "$key bold"), _day(plan), width, style),
        *(line((f"{frame[5]} ", style), fitted(row, inner), (f" {frame[5]}", style)) for row in shown),
        line((frame[2] + frame[4] * (width - 2) + frame[3], style)),
    ]


def _edge(left: str, right: str, bar: str, title: tuple[str, str], day: str, width: int, style: str) -> Content:
    name = clip(title[0], max(width - 6, 0))
    room = width - 2 - cells(name) - 3
    shown = f" {day} " if cells(day) + 4 <= room else ""
    parts: list[Part] = [(left + bar, style), " ", (name, title[1]), " "]
    parts += [(bar * (room - cells(shown) - (1 if shown else 0)), style), (shown, MUTED)]
    parts.append((bar + right if shown else right, style))
    return line(*parts)
