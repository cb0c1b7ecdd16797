"""Failures as a small tree: a line for each cause, and under it one for each error code; and its columns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from console import text
from console.columns.column import Cell, Column
from console.text import NOTHING, Tone
from engine.model.causes import Cause, RetryWorth

if TYPE_CHECKING:
    from engine.rules.failures import FailureGroup, FailureGroupView
    from engine.rules.failures.views import GroupSla


class FailureLine(Struct, frozen=True):
    """A cause with all its codes, or one code of a cause."""

    key: str
    """``component-store`` or ``component-store/0x800F0922``; stays the same while failures come and go."""
    cause: Cause
    views: tuple[FailureGroupView, ...]
    """Those of the cause, most devices first; one for a line of a code."""
    is_cause: bool
    last: bool = False
    """Whether it is the last code under its cause."""

    @property
    def view(self) -> FailureGroupView:
        """That of a code; of a cause its largest."""
        return self.views[0]

    @property
    def groups(self) -> tuple[FailureGroup, ...]:
        """Its groups of failures."""
        return tuple(view.group for view in self.views)

    @property
    def group(self) -> FailureGroup:
        """The group of a code; of a cause its largest."""
        return self.views[0].group

    @property
    def device_ids(self) -> frozenset[int]:
        """Its devices; one that failed with two codes counts once."""
        return frozenset(device_id for group in self.groups for device_id in group.device_ids)

    @property
    def install_ids(self) -> frozenset[int]:
        """Its failed installs."""
        return frozenset(install_id for group in self.groups for install_id in group.install_ids)

    @property
    def codes(self) -> tuple[int, ...]:
        """Its error codes."""
        return tuple(group.code for group in self.groups)

    @property
    def last_failed_at(self) -> datetime:
        """The newest failure."""
        return max(group.last_failed_at for group in self.groups)

    @property
    def sla(self) -> GroupSla | None:
        """The most urgent service level of its failures that still wait for somebody; None where none does."""
        waiting = [view.sla for view in self.views if view.sla.open]
        return min(waiting, key=lambda sla: sla.due_at, default=None)


def failure_lines(views: Iterable[FailureGroupView]) -> tuple[FailureLine, ...]:
    """The lines of the tree, in the order of the groups."""
    by_cause: dict[Cause, list[FailureGroupView]] = {}
    for view in views:
        by_cause.setdefault(view.cause, []).append(view)
    lines = []
    for cause, same in by_cause.items():
        lines.append(FailureLine(cause.value, cause, tuple(same), is_cause=True))
        lines += [FailureLine(view.key, cause, (view,), is_cause=False, last=view is same[-1]) for view in same]
    return tuple(lines)


def due_cell(sla: GroupSla | None, now: datetime) -> Cell:
    """``overdue``, or by when somebody must act."""
    if sla is None:
        return Cell(NOTHING)
    # By the word of the state: to load all of triage for two names would slow down every command.
    if sla.state.value == "overdue":
        return Cell("overdue", Tone.FAILED)
    severity = Tone.AT_RISK if sla.state.value == "due-soon" else Tone.NONE
    return Cell(text.until(sla.due_at, now), severity)


def retry_cell(group: FailureGroup) -> Cell:
    """``after the repair``, ``yes, after an hour``, ``no use``."""
    if group.retry is RetryWorth.NO:
        return Cell("no use", Tone.FAILED)
    after = f"after {group.retry_after}"
    return Cell(f"yes, {after}", Tone.OK) if group.retry is RetryWorth.YES else Cell(after, Tone.DUE)


def _name(line: FailureLine) -> Cell:
    if line.is_cause:
        return Cell(line.cause.label, Tone.FAILED)
    branch = "└" if line.last else "├"
    return Cell(f"{branch} {text.error_code(line.group.code)} {line.group.symbol}".rstrip())


def _common(line: FailureLine) -> Cell:
    if line.is_cause:
        codes = len(line.groups)
        return Cell(f"{codes} codes") if codes > 1 else Cell("")
    common = line.group.common
    if common:
        return Cell(common[0].sentence)
    return Cell(NOTHING if line.group.devices > 1 else line.group.sample[0])


def _owner(line: FailureLine) -> Cell:
    """To whom its failures were given."""
    owners = dict.fromkeys(each.owner for view in line.views for each in view.escalations)
    return Cell(", ".join(owners))


def _retry(line: FailureLine) -> Cell:
    return Cell("") if line.is_cause else retry_cell(line.group)


FAILURE_TREE: tuple[Column[FailureLine], ...] = (
    Column("name", "Cause and code", 38, lambda line, _: _name(line), grow=1),
    Column("devices", "Devices", 7, lambda line, _: Cell(text.count(len(line.device_ids))), "right"),
    Column("due", "Due", 9, lambda line, now: due_cell(line.sla, now)),
    Column("common", "In common", 20, lambda line, _: _common(line), grow=5),
    Column("owner", "Owner", 12, lambda line, _: _owner(line), from_width=130),
    Column("retry", "Retry", 22, lambda line, _: _retry(line), from_width=110),
    Column("last", "Last", 5, lambda line, now: Cell(text.age(line.last_failed_at, now)), "right", from_width=90),
)
