"""Columns of the device list."""

from __future__ import annotations

from console import text
from console.columns.column import Cell, Column
from console.text import NOTHING, Tone
from engine.model.model import DeviceState, Track, Verdict
from engine.model.records.fleet import DeviceRow

_READINESS = {
    Verdict.READY: Tone.OK,
    Verdict.NOT_READY: Tone.AT_RISK,
    Verdict.UNKNOWN: Tone.UNKNOWN,
}
_STATES = {
    DeviceState.FAILED: Tone.FAILED,
    DeviceState.RESTART_PENDING: Tone.AT_RISK,
    DeviceState.INSTALLING: Tone.DUE,
    DeviceState.UNINSTALLING: Tone.DUE,
    DeviceState.QUEUED: Tone.DUE,
    DeviceState.HELD: Tone.AT_RISK,
    DeviceState.IDLE: Tone.NONE,
}
_TRACKS = {
    Track.HOTPATCH: Tone.NONE,
    Track.LCU: Tone.NONE,
    Track.BEHIND: Tone.AT_RISK,
    Track.UNKNOWN: Tone.UNKNOWN,
}


def readiness_cell(verdict: Verdict) -> Cell:
    """``● ready``, ``▲ not ready``, ``? unknown``."""
    return Cell(text.words(verdict), _READINESS[verdict])


def device_state_cell(state: DeviceState, *, protected: bool, by_policy: bool = False) -> Cell:
    """What goes on with a device; one that is idle says whether it is protected.

    `by_policy`: a tenant leads it, so that what waits was requested and nobody starts it.
    """
    if state is DeviceState.QUEUED and by_policy:
        return Cell("requested", _STATES[state])
    if state is DeviceState.IDLE:
        return Cell("protected", Tone.OK) if protected else Cell("unprotected", Tone.DUE)
    return Cell(text.words(state), _STATES[state])


def _state(row: DeviceRow) -> Cell:
    return device_state_cell(row.state, protected=row.protected, by_policy=bool(row.tenant))


def _why(row: DeviceRow) -> Cell:
    return Cell(", ".join(row.reasons))


DEVICES: tuple[Column[DeviceRow], ...] = (
    Column("name", "Name", 15, lambda row, _: Cell(row.name), sort="name", grow=2),
    Column("user", "User", 12, lambda row, _: Cell(text.person(row.user) or NOTHING), sort="user", grow=2),
    Column("ring", "Ring", 5, lambda row, _: Cell(row.ring or NOTHING), sort="ring"),
    Column("build", "Build", 11, lambda row, _: Cell(text.build(row.build)), sort="build"),
    Column("readiness", "Readiness", 11, lambda row, _: readiness_cell(row.verdict), sort="readiness"),
    Column("state", "State", 17, lambda row, _: _state(row), sort="state"),
    Column(
        "platform",
        "Platform",
        8,
        lambda row, _: Cell(text.platform_short(row.platform)),
        from_width=96,
        sort="platform",
    ),
    Column("reasons", "Why not ready", 20, lambda row, _: _why(row), from_width=118, grow=5),
    Column(
        "track",
        "Track",
        10,
        lambda row, _: Cell(text.words(row.track), _TRACKS[row.track]),
        from_width=130,
        sort="track",
    ),
    Column("site", "Site", 10, lambda row, _: Cell(row.site or NOTHING), from_width=142, sort="site", grow=1),
    Column(
        "seen", "Seen", 6, lambda row, now: Cell(text.age(row.last_seen_at, now)), "right", from_width=150, sort="seen"
    ),
    Column("form", "Form", 8, lambda row, _: Cell(text.words(row.form)), from_width=168),
    Column(
        "arch",
        "Arch",
        5,
        lambda row, _: Cell(str(row.architecture) if row.architecture else NOTHING),
        from_width=176,
    ),
    Column("model", "Model", 18, lambda row, _: Cell(row.model or NOTHING), from_width=196, sort="model", grow=1),
)
