"""Failures as a small tree: a line for each cause, and under it one for each error code; and its columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from console import text
from console.columns.column import Cell, Column
from console.text import NOTHING, Severity
from engine.causes import Cause, Retry

if TYPE_CHECKING:
    from engine.triage import FailureGroup


@dataclass(frozen=True, slots=True)
class FailureLine:
    """A cause with all its codes, or one code of a cause."""

    key: str
    """``component-store`` or ``component-store/0x800F0922``; stays the same while failures come and go."""
    cause: Cause
    groups: tuple[FailureGroup, ...]
    """Those of the cause, most devices first; one for a line of a code."""
    is_cause: bool
    last: bool = False
    """Whether it is the last code under its cause."""

    @property
    def group(self) -> FailureGroup:
        """The group of a code; of a cause its largest."""
        return self.groups[0]

    @property
    def device_ids(self) -> frozenset[int]:
        """Its devices; one that failed with two codes counts once."""
        return frozenset(device_id for group in self.groups for device_id in group.device_ids)

    @property
    def codes(self) -> tuple[int, ...]:
        """Its error codes."""
        return tuple(group.code for group in self.groups)

    @property
    def last_failed_at(self) -> datetime:
        """The newest failure."""
        return max(group.last_failed_at for group in self.groups)


def failure_lines(groups: Iterable[FailureGroup]) -> tuple[FailureLine, ...]:
    """The lines of the tree, in the order of the groups."""
    by_cause: dict[Cause, list[FailureGroup]] = {}
    for group in groups:
        by_cause.setdefault(group.cause, []).append(group)
    lines = []
    for cause, same in by_cause.items():
        lines.append(FailureLine(cause.value, cause, tuple(same), is_cause=True))
        lines += [FailureLine(group.key, cause, (group,), is_cause=False, last=group is same[-1]) for group in same]
    return tuple(lines)


def retry_cell(group: FailureGroup) -> Cell:
    """``after the repair``, ``yes, after an hour``, ``no use``."""
    if group.retry is Retry.NO:
        return Cell("no use", Severity.FAILED)
    after = f"after {group.retry_after}"
    return Cell(f"yes, {after}", Severity.OK) if group.retry is Retry.YES else Cell(after, Severity.DUE)


def _name(line: FailureLine) -> Cell:
    if line.is_cause:
        return Cell(line.cause.label, Severity.FAILED)
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


def _retry(line: FailureLine) -> Cell:
    return Cell("") if line.is_cause else retry_cell(line.group)


FAILURE_TREE: tuple[Column[FailureLine], ...] = (
    Column("name", "Cause and code", 38, lambda line, _: _name(line), grow=1),
    Column("devices", "Devices", 7, lambda line, _: Cell(text.count(len(line.device_ids))), "right"),
    Column("common", "In common", 22, lambda line, _: _common(line), grow=5),
    Column("retry", "Retry", 24, lambda line, _: _retry(line), from_width=110),
    Column("last", "Last", 5, lambda line, now: Cell(text.age(line.last_failed_at, now)), "right"),
)
