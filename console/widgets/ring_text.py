"""A release over its rings, and one ring in full: approval, opening, gate condition by condition, rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from textual.content import Content

from console.columns import condition_cell, gate_fails, kind_cell, ring_standing_cell
from console.text import (
    NOTHING,
    Tone,
    cells,
    count,
    fit,
    moment,
    moment_long,
    month,
    platform_short,
    plural,
    share,
    until,
)
from console.widgets.drawing import MUTED, STRONG, Part, cell, line, lines, severity_text
from console.widgets.paragraphs import BLANK, Para, field, hung, para, title
from engine.model.model import Approval, Ring
from engine.model.records.fleet import GateCondition, ReleaseRow, RingProgress, TenantSide
from engine.model.records.rollout import RecoveryProgress
from engine.rules.rollout.windows import window_text

_VALUE = 14
"""Cells that values are brought to; a longer one pushes what it needs to the right."""


def release_head(rows: Sequence[ReleaseRow], progress: Sequence[RingProgress], place: str, width: int) -> Content:
    """Two lines: the release and which one of how many it is; how far it has come over all rings."""
    first = rows[0].release
    platforms = ", ".join(platform_short(each.release.platform) for each in rows)
    left = line(
        (first.name, STRONG),
        "  ",
        cell(kind_cell(first.kind)),
        f" of {month(first.month)}  ",
        (platforms, MUTED),
    )
    room = width - cells(left.plain) - cells(place)
    whole, installed, active, failed = (
        sum(getattr(each, name) for each in progress) for name in ("devices", "installed", "active", "failed")
    )
    second: list[Part] = [
        (share(installed, whole) if whole else NOTHING, STRONG),
        f" installed, {count(installed)} of {plural(whole, 'device')}",
    ]
    requested = sum(each.active for each in progress if each.tenant is not None)
    if active > requested:
        second += ["   ", severity_text(Tone.DUE, f"{count(active - requested)} active")]
    if requested:
        second += ["   ", severity_text(Tone.DUE, f"{count(requested)} requested")]
    if failed:
        second += ["   ", severity_text(Tone.FAILED, f"{count(failed)} failed")]
    if first.restart_required:
        second += ["   ", severity_text(Tone.AT_RISK, "every install restarts")]
    return lines([line(left, " " * room, (place, MUTED)) if room > 0 else left, line(*second)])


def ring_text(
    row: RingProgress,
    following: str,
    approvals: Iterable[Approval],
    stops: Sequence[str],
    now: datetime,
    *,
    recovery: RecoveryProgress | None = None,
    roomy: bool = True,
) -> list[Para]:
    """One ring towards one release. `following` is the ring that its gate opens, "" for the last."""
    ring = row.ring
    apart = [BLANK] if roomy else []
    return [
        title(f"Ring {ring.name}", "  ", _headline(row, now)),
        *apart,
        *_approval(row, approvals, now),
        *_opening(row, now),
        *(field("stopped", severity_text(Tone.AT_RISK, each)) for each in stops or _stopped_elsewhere(row)),
        *_way_on(row, recovery),
        *_tenant(row.tenant, now),
        *apart,
        title("Gate", (_gate_words(row, following), MUTED)),
        *_conditions(row.gate),
        *apart,
        *(_rules(ring, row.tenant) if roomy else [_rule_line(ring)]),
    ]


def _gate_words(row: RingProgress, following: str) -> str:
    """What comes of the gate. A tenant opens its rings by their deferrals; a gate that fails halts the release."""
    if row.tenant is not None:
        return f": {row.tenant.provider} opens rings itself; one that fails halts the release"
    return f": ring {following} opens when all of it holds" if following else ""


def _headline(row: RingProgress, now: datetime) -> Content:
    """Where it stands; of a stop only the word, because the whole of it is told below."""
    standing = ring_standing_cell(row, now)
    return severity_text(standing.severity, row.stopped.partition(" ")[0]) if row.stopped else cell(standing)


def _stopped_elsewhere(row: RingProgress) -> Sequence[str]:
    """What a tenant has stopped by itself; its pause of the whole ring is told with the tenant."""
    told_below = row.tenant is not None and bool(row.tenant.paused or row.tenant.gone_at)
    return [row.stopped] if row.stopped and not told_below else []


def _tenant(side: TenantSide | None, now: datetime) -> Iterable[Para]:
    """What the tenant that carries the ring keeps of it, changed by itself, and was asked for."""
    if side is None:
        return
    if side.gone_at is not None:
        gone = severity_text(Tone.AT_RISK, f"does not have this ring any more, since {moment(side.gone_at, now)}")
        yield field("tenant", f"{side.provider} ", gone)
        return
    yield field("tenant", f"{side.provider}'s {side.kind}", (f", read {until(side.told_at, now)}", MUTED))
    if side.paused:
        until_words = f" until {moment(side.pause_expires_at, now)}" if side.pause_expires_at else ""
        yield field("", severity_text(Tone.AT_RISK, f"paused there{until_words}"))
    said = {True: "hotpatches allowed", False: "hotpatches not allowed", None: "hotpatches not told"}[side.hotpatch]
    policies = f" by policy {', '.join(side.policies)}" if side.policies else ""
    yield field("", said, (policies, MUTED))
    if side.also:
        yield field("", (f"what is decided for it holds for {', '.join(side.also)} too", MUTED))
    for why, since in side.asked:
        yield field("requested", f"{why} ", (until(since, now), MUTED))
    if side.changed and side.changed_at is not None:
        yield field("changed", f"{side.changed} ", (f"there, seen {until(side.changed_at, now)}", MUTED))


def _way_on(row: RingProgress, recovery: RecoveryProgress | None) -> Iterable[Para]:
    """What has been done about a bad release, or can be."""
    if recovery is not None:
        done = f"{count(recovery.done)} of {plural(recovery.devices, 'device')} led back"
        hands: list[Part] = ["   ", severity_text(Tone.FAILED, f"{count(recovery.needs_hands)} need hands")]
        state = Tone.OK if recovery.ended_at is not None else Tone.DUE
        yield field("recovery", severity_text(state, done), *(hands if recovery.needs_hands else []))
    elif gate_fails(row):
        yield field("what now", ("R leads devices back, w withdraws, p resumes once the reason is gone", MUTED))


def _opening(row: RingProgress, now: datetime) -> Iterable[Para]:
    if row.opened_at is not None:
        yield field("opened", moment_long(row.opened_at))
    elif row.opens_at is not None:
        yield field("opens", f"{moment_long(row.opens_at)}, {until(row.opens_at, now)}")
        if row.waits_for and not row.stopped:
            yield field("waits for", row.waits_for)
    else:
        days = row.ring.deferral_days
        earliest = f", {plural(days, 'day')} after release at the earliest" if days else ""
        yield field("opens", (f"once it is approved{earliest}", MUTED))


def _approval(row: RingProgress, approvals: Iterable[Approval], now: datetime) -> Iterable[Para]:
    mine = [
        each
        for each in approvals
        if each.kb == row.kb
        and each.withdrawn_at is None
        and row.ring.name in each.rings
        and (each.expires_at is None or each.expires_at > now)
    ]
    if not mine:
        yield field("approved", ("by nobody yet: a", MUTED))
    for each in mine:
        yield field("approved", f"by {each.approved_by}, {moment(each.approved_at, now)}  ", (each.reason, MUTED))
        if each.not_before is not None and each.not_before > now:
            yield field("", f"not before {moment_long(each.not_before)}")
        if each.expires_at is not None:
            yield field("", f"until {moment_long(each.expires_at)}")


def _conditions(gate: Sequence[GateCondition]) -> Iterable[Para]:
    """State, name, value and need in columns."""
    name_width = max((cells(each.name) for each in gate), default=0) + 2
    value_width = min(max((cells(each.value) for each in gate), default=0), _VALUE)
    for each in gate:
        yield hung(
            line(cell(condition_cell(each), 11), fit(each.name, name_width)),
            (fit(each.value, max(value_width, cells(each.value))), STRONG),
            (f"  needs {each.needed}", MUTED),
        )


def _rules(ring: Ring, side: TenantSide | None) -> list[Para]:
    rows = [
        title("Rules"),
        field("deferral", plural(ring.deferral_days, "day"), (" after release before it is offered", MUTED)),
        field("deadline", plural(ring.deadline_days, "day"), (" to install it", MUTED)),
        field("grace", plural(ring.grace_days, "day"), (" for devices that come back", MUTED)),
    ]
    if side is not None:
        return [*rows, field("members", f"{side.provider}'s groups", ("; it paces the rollout itself", MUTED))]
    rows.append(field("at once", at_once(ring)))
    if len(ring.waves) > 1:
        shares = ", ".join(f"{wave:.0%}" for wave in ring.waves)
        rows.append(field("waves", shares, (f"   each watched for {ring.wave_soak_hours} h", MUTED)))
    if ring.window is not None:
        rows.append(field("restarts", window_text(ring.window)))
    rows.append(field("members", ring.members) if ring.members else field("members", ("by hand or by import", MUTED)))
    return rows


def _rule_line(ring: Ring) -> Para:
    named = (("deferral", ring.deferral_days), ("deadline", ring.deadline_days), ("grace", ring.grace_days))
    parts: list[Part] = [("Rules", STRONG), "  "]
    for name, days in named:
        parts += [(f"{name} ", MUTED), f"{days} d  "]
    return para(*parts, ("at once ", MUTED), at_once(ring))


def at_once(ring: Ring) -> str:
    """How many devices of a ring may install at once."""
    limits = []
    if ring.max_in_flight:
        limits.append(plural(ring.max_in_flight, "device"))
    if ring.max_share_in_flight:
        limits.append(f"{ring.max_share_in_flight:.0%} of the ring")
    return " and ".join(limits) or "no limit"
