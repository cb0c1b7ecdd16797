"""What the overview says, worked out from records: funnel, releases in their rings, restarts, windows, causes. Pure.

The overview screen calls it with answers of the engine; it reads no clock, asks nobody and draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from console.columns import gate_fails, ring_standing_cell
from console.text import Tone, error_code
from engine.catalog.calendar import MonthState, patch_tuesday_moment
from engine.model.model import STALE_REASON, ReleaseKind
from engine.model.records.fleet import Compliance, Count, ReasonCount, RingProgress
from engine.rules.readiness import reason_words

if TYPE_CHECKING:
    from engine.catalog.calendar import MonthPlan
    from engine.model.build import Platform
    from engine.rules.failures import CauseStanding

# --- funnel -----------------------------------------------------------------------------------------


class FunnelStep(Struct, frozen=True):
    """Devices that have come as far as this, and those that were lost on the way here."""

    name: str
    devices: int
    lost: int
    filter: str
    """The devices that were lost at this step; for the first one, all of them."""


def funnel(counts: Iterable[Count]) -> tuple[FunnelStep, ...]:
    """Devices → eligible → enrolled → ready; each step is a part of the one before."""
    from engine.rules.readiness import summary

    found = summary.funnel(counts)
    return (
        FunnelStep("devices", found.devices, 0, ""),
        FunnelStep("eligible", found.eligible, found.devices - found.eligible, "-eligible:yes"),
        FunnelStep("enrolled", found.enrolled, found.eligible - found.enrolled, "eligible:yes -enrolled:yes"),
        FunnelStep("ready", found.ready, found.enrolled - found.ready, "eligible:yes enrolled:yes -ready"),
    )


class Reason(Struct, frozen=True):
    """One reason for not being ready, and the devices that have it, alone or among others."""

    words: str
    devices: int
    filter: str
    is_unknown: bool
    """A fact is missing or too old, as opposed to a prerequisite that is not met."""


def commonest_reasons(counts: Iterable[ReasonCount]) -> tuple[Reason, ...]:
    """Each reason with its devices, the commonest first; a device with several reasons counts at each."""
    found: dict[str, int] = {}
    for count in counts:
        for reason_id in count.reasons:
            found[reason_id] = found.get(reason_id, 0) + count.devices
    return tuple(
        Reason(
            reason_words(reason_id),
            devices,
            f"reason:{'stale' if reason_id == STALE_REASON else reason_id}",
            reason_id.endswith("?"),
        )
        for reason_id, devices in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    )


# --- rings ------------------------------------------------------------------------------------------


class ReleaseBlock(Struct, frozen=True):
    """A current release and how far it has come in each ring."""

    kb: int
    kind: ReleaseKind | None
    """None while the calendar does not tell."""
    platforms: tuple[Platform, ...]
    month: str
    rings: tuple[RingProgress, ...]

    @property
    def devices(self) -> int:
        return sum(row.devices for row in self.rings)

    def amounts(self) -> tuple[int, int, int, int, int]:
        """Installed, under way, failed, waiting, not ready over all rings; they add up to `devices`."""
        return (
            sum(row.installed for row in self.rings),
            sum(row.active for row in self.rings),
            sum(row.failed for row in self.rings),
            sum(row.pending for row in self.rings),
            sum(row.not_ready for row in self.rings),
        )


def release_blocks(progress: Iterable[RingProgress], plans: Iterable[MonthPlan]) -> tuple[ReleaseBlock, ...]:
    """Ring progress release by release, the one that reaches the most devices first."""
    known: dict[int, tuple[ReleaseKind, str, list[Platform]]] = {}

    def note(kb: int | None, kind: ReleaseKind | None, month: str, platform: Platform) -> None:
        if kb is not None and kind is not None:
            platforms = known.setdefault(kb, (kind, month, []))[2]
            if platform not in platforms:
                platforms.append(platform)

    for plan in plans:
        note(plan.kb, plan.published, plan.month, plan.platform)
        for release in (plan.lcu, *plan.out_of_band):
            if release is not None:
                note(release.kb, release.kind, release.month, release.platform)
    by_kb: dict[int, list[RingProgress]] = {}
    for row in progress:
        by_kb.setdefault(row.kb, []).append(row)
    blocks = []
    for kb, rows in by_kb.items():
        kind, month, platforms = known.get(kb, (None, "", []))
        rings = tuple(sorted(rows, key=lambda row: row.ring.position))
        blocks.append(ReleaseBlock(kb, kind, tuple(platforms), month, rings))
    return tuple(sorted(blocks, key=lambda block: -block.devices))


class StandingLine(Struct, frozen=True):
    """Where something stands: in a word or two, and in full."""

    severity: Tone
    short: str
    long: str


def ring_standing(row: RingProgress, now: datetime) -> StandingLine:
    """What a release does or waits for in a ring."""
    found = ring_standing_cell(row, now)
    return StandingLine(found.severity, _in_short(row, now), found.text)


def _in_short(row: RingProgress, now: datetime) -> str:
    if not row.devices:
        return "no devices"
    if row.stopped:
        return row.stopped.partition(" ")[0]
    if row.opened_at is None:
        return _waiting_in_short(row, now)
    if gate_fails(row):
        return "gate fails"
    if not row.approved:
        return "no approval"
    if row.active or row.pending:
        return "under way" if row.tenant is None else "requested"
    return "done"


def _waiting_in_short(row: RingProgress, now: datetime) -> str:
    if not row.approved:
        return "not approved"
    if row.opens_at is not None and row.opens_at > now:
        return f"opens {row.opens_at.day} {row.opens_at:%b}"
    if row.behind is not None:
        return f"gate of {row.behind.name}" if row.behind.gate else f"after {row.behind.name}"
    return row.waits_for or "opens now"


def block_standing(block: ReleaseBlock, now: datetime) -> StandingLine:
    """A release over all its rings: the worst that is said of one of them, else how many are open."""
    reached = [row for row in block.rings if row.devices]
    standings = [ring_standing(row, now) for row in reached]
    for severity in (Tone.FAILED, Tone.AT_RISK):
        for row, standing in zip(reached, standings, strict=True):
            if standing.severity is severity and standing.short != "done":
                return StandingLine(severity, standing.short, f"{row.ring.name}: {standing.long}")
    if not any(row.approved or row.opened_at for row in reached):
        return StandingLine(Tone.NONE, "not approved", "not approved")
    opened = sum(row.opened_at is not None for row in reached)
    if all(standing.short == "done" for standing in standings):
        failed = sum(row.failed for row in reached)
        return StandingLine(
            Tone.AT_RISK if failed else Tone.OK, "done", f"done but for {failed} failed" if failed else "done"
        )
    return StandingLine(Tone.DUE, f"{opened} of {len(reached)} open", f"{opened} of {len(reached)} rings open")


# --- compliance -------------------------------------------------------------------------------------


class ProtectedWithin(Struct, frozen=True):
    """Devices protected within a time after the release, and when that time is over."""

    name: str
    within: int
    ends_at: datetime

    def is_running(self, now: datetime) -> bool:
        """Whether the share may still rise."""
        return now < self.ends_at


def windows(row: Compliance) -> tuple[ProtectedWithin, ...]:
    """24 hours, 5 days and 3 weeks after the release."""
    return tuple(
        ProtectedWithin(name, within, row.released_at + span)
        for name, within, span in (
            ("24 h", row.within_24h, timedelta(hours=24)),
            ("5 d", row.within_5d, timedelta(days=5)),
            ("3 wk", row.within_3w, timedelta(weeks=3)),
        )
    )


# --- restarts ---------------------------------------------------------------------------------------


class CalendarRestart(Struct, frozen=True):
    """A release that restarts the devices on the hotpatch track."""

    at: datetime
    platforms: tuple[Platform, ...]
    kind: ReleaseKind
    kb: int | None
    """None while it is only planned."""

    @property
    def is_planned(self) -> bool:
        """Whether it is the calendar's forecast and not a published release."""
        return self.kb is None


def restarts(
    plans: Mapping[Platform, Sequence[MonthPlan]], next_baselines: Mapping[Platform, datetime]
) -> tuple[CalendarRestart, ...]:
    """Published first: the newest month of each platform, when it restarts; then the next planned baselines."""
    published: dict[tuple[datetime, ReleaseKind, int], list[Platform]] = {}
    planned: dict[datetime, list[Platform]] = {}
    for platform, months in plans.items():
        newest = max(
            (plan for plan in months if plan.state is MonthState.PUBLISHED), key=lambda plan: plan.month, default=None
        )
        if newest is not None and newest.restart and newest.kb is not None:
            key = (patch_tuesday_moment(newest.month), newest.kind, newest.kb)
            published.setdefault(key, []).append(platform)
    for platform, at in next_baselines.items():
        planned.setdefault(at, []).append(platform)
    return (
        *(CalendarRestart(at, tuple(found), kind, kb) for (at, kind, kb), found in published.items()),
        *(CalendarRestart(at, tuple(found), ReleaseKind.BASELINE, None) for at, found in sorted(planned.items())),
    )


# --- failures ---------------------------------------------------------------------------------------


class CauseSum(Struct, frozen=True):
    """Open failures with one cause over all its codes."""

    cause: str
    devices: int
    filter: str
    shared: str
    """What most of its devices have in common, "" when nothing stands out: ``10 of 11 are Latitude 7450``."""
    remedy: str
    """What to do about the commonest of its codes."""


def causes(standings: Iterable[CauseStanding]) -> tuple[CauseSum, ...]:
    """Failures by cause, most devices first."""
    found = [
        CauseSum(
            cause=each.cause.label,
            devices=each.devices,
            filter="error:" + ",".join(map(error_code, each.codes)),
            shared=each.shared,
            remedy=each.remedy,
        )
        for each in standings
    ]
    return tuple(sorted(found, key=lambda each: (-each.devices, each.cause)))
