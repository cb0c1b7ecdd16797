"""The lines of the overview's panels, for a width: pure functions from sums to leads, called by the overview."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from textual.content import Content

from console.columns import kind_cell
from console.overview_sums import (
    CalendarRestart,
    CauseSum,
    FunnelStep,
    Reason,
    ReleaseBlock,
    StandingLine,
    block_standing,
    ring_standing,
    windows,
)
from console.text import (
    Tone,
    cells,
    clean,
    count,
    duration,
    fit,
    kb,
    moment,
    platform_short,
    share,
    sign,
    until,
    words,
)
from console.widgets.drawing import MUTED, STRONG, Part, cell, line, plain, severity_text
from console.widgets.lead_list import Lead
from console.widgets.ring_bar import bar, progress_shares
from engine.model.model import ReleaseKind
from engine.model.records.fleet import ActiveInstall, Attention, AuditRow, Compliance, RingProgress, Urgency

URGENCIES = {
    Urgency.NOW: (Tone.FAILED, "now"),
    Urgency.TODAY: (Tone.AT_RISK, "today"),
    Urgency.SOON: (Tone.DUE, "soon"),
}
_NAME = 8
_NUMBERS = (("Installed", 9), ("Active", 6), ("Failed", 6), ("Waiting", 7), ("Not ready", 9))
_SHORT_NUMBERS = (("Inst", 5), ("Act", 4), ("Fail", 4), ("Wait", 5), ("N/r", 5))
_SHORT_BELOW = 68
"""Width below which the numbers of a ring have short heads."""
_STATE = 15
_LONG_STATE = 44


# --- needs you --------------------------------------------------------------------------------------


def needs_lines(attention: Sequence[Attention]) -> list[Lead]:
    """What waits for a person, the most urgent first."""
    leads = []
    for each in attention:
        severity, word = URGENCIES[each.urgency]
        leads.append(Lead(line(severity_text(severity, fit(word, 6)), " ", each.text), each.screen, each.filter))
    if not leads:
        return [Lead(severity_text(Tone.OK, "Nothing waits for a person."))]
    return leads


# --- rings ------------------------------------------------------------------------------------------


def release_words(block: ReleaseBlock) -> str:
    """``KB5089466 W11 24H2, W11 25H2``."""
    return " ".join(part for part in (kb(block.kb), ", ".join(map(platform_short, block.platforms))) if part)


def _short_release(block: ReleaseBlock) -> str:
    names = [platform_short(platform) for platform in block.platforms]
    if len(names) > 1:
        first = {name.partition(" ")[0] for name in names}
        names = [" ".join(sorted(first))]
    return " ".join([kb(block.kb), *names])


def ring_lines(blocks: Sequence[ReleaseBlock], now: datetime, width: int, *, brief: bool) -> list[Lead]:
    """A bar and numbers a ring; `brief` shows the rings of the first release only, and one line for each other."""
    if not blocks:
        return [Lead(plain("No release is published for these devices yet.", MUTED))]
    leads = []
    for index, block in enumerate(blocks):
        if brief and index:
            leads.append(_release_line(block, now, width))
            continue
        if not brief and index:
            leads.append(Lead(plain("")))
        leads.append(_release_heading(block, width))
        rings = [row for row in block.rings if row.devices] or list(block.rings)
        leads += [_ring_line(row, now, width) for row in rings]
    return leads


def _columns(width: int) -> tuple[tuple[str, int], ...]:
    return _NUMBERS if width >= _SHORT_BELOW else _SHORT_NUMBERS


def _numbers_width(width: int) -> int:
    return sum(size + 1 for _, size in _columns(width))


def _bar_width(width: int) -> int:
    state = _LONG_STATE if width >= 130 else _STATE
    return max(width - _NAME - _numbers_width(width) - state - 2, 4)


def _release_heading(block: ReleaseBlock, width: int) -> Lead:
    left = _NAME + _bar_width(width)
    named = release_words(block)
    named = named if cells(named) <= left else _short_release(block)
    kind: list[Part] = []
    if block.kind is not None:
        words = f" {cell(kind_cell(block.kind)).plain}"
        restart = "" if block.kind.is_hotpatch else ", restart"
        kind = [(words + restart, MUTED)] if cells(named + words + restart) <= left else []
    heads = "".join(" " + fit(title, size, "right") for title, size in _columns(width))
    title = line((named, STRONG), *kind)
    title = title.truncate(left, pad=True)
    return Lead(line(title, (heads + "  State", MUTED)), "rings", kb(block.kb))


def short_count(number: int, width: int) -> str:
    """A count that fits: ``12,345``, else ``123k`` or ``1.2M``."""
    shown = count(number)
    if cells(shown) <= width:
        return shown
    return f"{number // 1_000}k" if number < 1_000_000 else f"{number / 1_000_000:.1f}M"


def _numbers(amounts: Sequence[int], width: int) -> list[Part]:
    styles = ("", "$due", "$failed", "", "$at-risk")
    parts: list[Part] = []
    for amount, style, (_, size) in zip(amounts, styles, _columns(width), strict=True):
        shown = fit(short_count(amount, size) if amount else "·", size, "right")
        parts += [" ", (shown, style if amount else MUTED)]
    return parts


def _amounts(row: RingProgress) -> tuple[int, int, int, int, int]:
    return row.installed, row.active, row.failed, row.pending, row.not_ready


def _state(standing: StandingLine, width: int) -> Content:
    mark = 2 if sign(standing.severity) else 0
    words = standing.long if cells(standing.long) + mark <= width else standing.short
    if standing.severity is Tone.NONE:
        return plain(words, MUTED)
    return severity_text(standing.severity, words)


def _ring_line(row: RingProgress, now: datetime, width: int) -> Lead:
    size = _bar_width(width)
    room = width - _NAME - size - _numbers_width(width) - 2
    content = line(
        fit(row.ring.name, _NAME),
        bar(progress_shares(row), size),
        *_numbers(_amounts(row), width),
        "  ",
        _state(ring_standing(row, now), room),
    )
    return Lead(content, "rings", f"{kb(row.kb)} {row.ring.name}")


def _release_line(block: ReleaseBlock, now: datetime, width: int) -> Lead:
    left = _NAME + _bar_width(width)
    room = width - left - _numbers_width(width) - 2
    content = line(
        (fit(_short_release(block), left), STRONG),
        *_numbers(block.amounts(), width),
        "  ",
        _state(block_standing(block, now), room),
    )
    return Lead(content, "rings", kb(block.kb))


def legend(blocks: Sequence[ReleaseBlock]) -> str:
    """What the parts of a bar mean: ``█ installed  ✗ failed``."""
    row = next((row for block in blocks for row in block.rings), None)
    names = (title.lower() for title, _ in _NUMBERS)
    return (
        "  ".join(f"{each.glyph} {name}" for each, name in zip(progress_shares(row), names, strict=True)) if row else ""
    )


# --- bars -------------------------------------------------------------------------------------------


def _thin_bar(part: int, whole: int, width: int, style: str, *, rest: str = "─") -> Content:
    """A part of a whole on `width` cells; what is there at all is seen, what is missing at all too."""
    filled = round(part * width / whole) if whole else 0
    filled = min(max(filled, 1 if part else 0), width - 1 if part < whole else width)
    return line(("━" * filled, style), (rest * (width - filled), "$rule"))


# --- readiness --------------------------------------------------------------------------------------


def funnel_lines(steps: Sequence[FunnelStep], width: int) -> list[Lead]:
    """A step a line: how many came so far, and how many were lost on the way."""
    whole = steps[0].devices if steps else 0
    numbers = max((len(count(step.devices)) for step in steps), default=1)
    losses = max((len(count(step.lost)) for step in steps), default=1) + 7
    room = max(width - 9 - numbers - losses - 2, 4)
    leads = []
    for step in steps:
        lost = (f"{count(step.lost)} lost", "$at-risk") if step.lost else ("", "")
        leads.append(
            Lead(
                line(
                    fit(step.name, 9),
                    fit(count(step.devices), numbers, "right"),
                    "  ",
                    _thin_bar(step.devices, whole, room, "$ok" if step.name == "ready" else "$due"),
                    (fit(lost[0], losses, "right"), lost[1]),
                ),
                "devices",
                step.filter or "name:*",
            )
        )
    return leads


def reason_lines(reasons: Sequence[Reason], width: int, most: int) -> list[Lead]:
    """The commonest reasons, a line each with its devices."""
    leads = []
    for each in reasons[:most]:
        severity = Tone.UNKNOWN if each.is_unknown else Tone.AT_RISK
        number = count(each.devices)
        words = severity_text(severity, fit(each.words, max(width - len(number) - 3, 4)))
        leads.append(Lead(line(words, " ", number), "devices", each.filter))
    return leads


# --- compliance -------------------------------------------------------------------------------------


def _window_share(within: int, devices: int, *, running: bool) -> Part:
    shown = share(within, devices)
    return plain(f"{sign(Tone.DUE)} {shown}", "$due") if running else plain(shown)


def compliance_brief(row: Compliance, now: datetime, width: int) -> list[Lead]:
    """All platforms in two lines."""
    parts: list[Part] = []
    for window in windows(row):
        running = window.is_running(now)
        parts += ["  " if parts else "", (f"{window.name} ", MUTED)]
        parts.append(_window_share(window.within, row.devices, running=running))
    protected = share(row.protected, row.devices)
    numbers = f"{count(row.protected)} of {count(row.devices)}"
    size = max(width - 11 - 6 - cells(numbers) - 2, 0)
    filled = _thin_bar(row.protected, row.devices, size, "$ok")
    return [
        Lead(
            line("protected ", (fit(protected, 5, "right"), STRONG), "  ", filled, "  ", (numbers, MUTED)),
            "compliance",
        ),
        Lead(line(*parts)),
    ]


def compliance_lines(rows: Sequence[Compliance], now: datetime, width: int) -> list[Lead]:
    """All platforms, then each: protected share with a bar, and the share in time."""
    room = max(width - 14 - 10 - 7 - 3 * 8, 4)
    heads = f"{fit('', 14)}{fit('Devices', 9, 'right')} {fit('', room)}{fit('now', 7, 'right')}"
    heads += "".join(fit(f"in {window.name}", 8, "right") for window in windows(rows[0]))
    leads = [Lead(plain(heads, MUTED))]
    for row in rows:
        name = platform_short(row.platform) if row.platform is not None else "all platforms"
        shares = _thin_bar(row.protected, row.devices, room, "$ok")
        parts: list[Part] = [fit(name, 14), (fit(count(row.devices), 9, "right"), MUTED), " ", shares]
        parts.append((fit(share(row.protected, row.devices), 7, "right"), STRONG))
        for window in windows(row):
            shown = share(window.within, row.devices)
            if window.is_running(now):
                parts.append((fit(f"{sign(Tone.DUE)} {shown}", 8, "right"), "$due"))
            else:
                parts.append(fit(shown, 8, "right"))
        if row.platform is None:
            leads.append(Lead(line(*parts), "compliance"))
        else:
            leads.append(Lead(line(*parts), "devices", f"protected:no platform:{row.platform}"))
    running = [window for window in windows(rows[0]) if window.is_running(now)]
    if running:
        ends = ", ".join(f"{window.name} ends in {duration(window.ends_at - now)}" for window in running)
        leads.append(Lead(plain(f"{sign(Tone.DUE)} still running: {ends}", "$due")))
    return leads


# --- restarts ---------------------------------------------------------------------------------------


def restart_lines(restarts: Sequence[CalendarRestart], now: datetime, width: int, *, platforms: int) -> list[Lead]:
    """Published restarts first, then the planned ones; which is which is told by sign and word."""
    leads = []
    for each in restarts:
        day = f"{each.at:%a} {each.at.day} {each.at:%b}"
        if each.is_planned:
            content = line("○ ", ("planned ", MUTED), f"{day} {until(each.at, now)}")
        else:
            severity = Tone.AT_RISK if each.kind is ReleaseKind.UNPLANNED_BASELINE else Tone.DUE
            content = line(severity_text(severity, f"{kind_cell(each.kind).text} {day}"), f"  {kb(each.kb)}")
        names = ", ".join(map(platform_short, each.platforms))
        names = "all platforms" if platforms == len(each.platforms) > 1 else names
        if content.cell_length + 2 + cells(names) <= width or len(each.platforms) < platforms:
            content = line(content, (f"  {names}", MUTED))
        leads.append(Lead(content, "calendar", each.platforms[0].value))
    return leads


# --- failures ---------------------------------------------------------------------------------------


def cause_lines(causes: Sequence[CauseSum], width: int, *, brief: bool) -> list[Lead]:
    """Causes with their devices, the most first; in full also what they share, or what to do."""
    if not causes:
        return [Lead(severity_text(Tone.OK, "No install has failed."))]
    most = max(each.devices for each in causes)
    numbers = len(count(most))
    name = max(cells(each.cause) for each in causes) + 2
    name = min(name, max(width - numbers - 8, 8))
    leads = []
    for each in causes:
        room = max(width - name - numbers - 4, 0)
        content = line(
            severity_text(Tone.FAILED, fit(each.cause, name)),
            fit(count(each.devices), numbers, "right"),
            "  ",
            _thin_bar(each.devices, most, min(room, 24), "$failed", rest=" "),
        )
        leads.append(Lead(content, "failures", each.filter))
        explains = each.shared or each.remedy
        if not brief and explains:
            leads.append(Lead(line("  ", (explains, MUTED))))
    return leads


# --- lately -----------------------------------------------------------------------------------------


def active_lines(active: Sequence[ActiveInstall], width: int, most: int) -> list[Lead]:
    """Installs under way: device, ring, KB, progress, stage."""
    if not active:
        return [Lead(plain("Nothing is under way.", MUTED))]
    room = width - 16 - 6 - 10 - 12 - 5
    return [
        Lead(
            line(
                fit(clean(each.device_name), 16),
                (fit(each.ring, 6), MUTED),
                fit(kb(each.kb), 10),
                _thin_bar(each.progress, 100, 12, "$due"),
                (fit(f"{each.progress}%", 5, "right"), MUTED),
                *([f"  {words(each.stage or each.state)}"] if room > 8 else []),
            ),
            "activity",
            f"device:{each.device_name}",
        )
        for each in active[:most]
    ]


def latest_lines(audit: Sequence[AuditRow], now: datetime, most: int) -> list[Lead]:
    """The newest decisions: when, what, who."""
    if not audit:
        return [Lead(plain("Nothing was decided yet.", MUTED))]
    return [
        Lead(
            line((fit(moment(each.at, now), 13), MUTED), each.summary, (f"  {each.actor}", MUTED)),
            "activity",
            f"#{each.seq}",
        )
        for each in audit[:most]
    ]
