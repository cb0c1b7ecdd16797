"""What is known of one open failure, and what people have done about failures: the records that triage joins. Pure.

The store makes them from its rows; plans, views and the help desk read them.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from engine.model.build import Platform, kb_text
from engine.model.causes import Cause
from engine.model.model import InstallAction, Severity
from engine.rules.failures.errorcodes import code_text, explain
from engine.rules.failures.retries import RetryDecision, retry_decision
from engine.rules.failures.sla import DEFAULT_TARGETS, FailureTimes, Sla, SlaStage, SlaTargets, due_at, judge


class FailureCase(Struct, frozen=True):
    """One open failure of a release on a device, from the first attempt that failed to the latest."""

    install_id: int
    """The latest attempt."""
    device_id: int
    device_name: str
    ring: str
    """"" for a device in no ring."""
    kb: int
    platform: Platform
    action: InstallAction
    code: int
    """Of the latest attempt, unsigned; 0 where the device told none."""
    attempts: int
    failed_at: datetime
    """When the latest attempt failed."""
    times: FailureTimes
    severity: Severity
    """By which its service level goes: of the release's worst vulnerability, critical where one is exploited."""
    is_excluded: bool
    """The release is withheld from the device by an exclusion in force."""
    targets: SlaTargets = DEFAULT_TARGETS
    """The service levels that it is held against."""

    @property
    def cause(self) -> Cause:
        return explain(self.code).cause

    def sla(self, now: datetime, targets: SlaTargets | None = None) -> Sla:
        """How it stands against its service level, or against others."""
        return judge(self.times, self.severity, self.ring, now, targets or self.targets)

    def due_at(self, stage: SlaStage, targets: SlaTargets | None = None) -> datetime:
        """By when a stage must be reached."""
        return due_at(stage, self.times, self.severity, self.ring, targets or self.targets)

    def retry(self, now: datetime) -> RetryDecision:
        """Whether a person who has put right the cause may try it again now."""
        return retry_decision(self.code, self.attempts, self.failed_at, now, repaired=True)


class Escalation(Struct, frozen=True):
    """Failures that were given to somebody."""

    id: int
    code: int | None
    """The group's error code; None where single devices were escalated."""
    owner: str
    reason: str
    due_at: datetime
    escalated_by: str
    escalated_at: datetime
    devices: int
    """How many were given over."""
    open_devices: int
    """How many of them still have an open failure."""
    ended_at: datetime | None = None
    ended_by: str = ""
    outcome: str = ""
    """``done`` or ``taken-back``; "" while it is open."""

    @property
    def group_key(self) -> str:
        """The key of its failure group, "" for single devices."""
        return group_key(self.code)

    def is_overdue(self, now: datetime) -> bool:
        """Open, past its time, and not all of its devices put right."""
        return self.ended_at is None and self.open_devices > 0 and now > self.due_at


class KnownProblem(Struct, frozen=True):
    """What is behind failures, as somebody has noted it; with a safeguard hold where `holds`."""

    id: int
    title: str
    code: int | None
    kb: int | None
    filter: str
    """The devices that it concerns; "" is every device."""
    note: str
    holds: bool
    """A safeguard hold withholds the release for it."""
    safeguard_id: int | None
    marked_by: str
    marked_at: datetime

    @property
    def group_key(self) -> str:
        """The key of its failure group, "" where it has no error code."""
        return group_key(self.code)

    def is_about(self, code: int, kbs: tuple[int, ...]) -> bool:
        """Whether it explains a group of failures; a problem without a code is about all failures of its release."""
        if self.code is not None:
            return self.code == code
        return self.kb in kbs


class Exclusion(Struct, frozen=True):
    """Releases that are kept from a device."""

    kb: int | None
    """None: every release, or every hotpatch with `until_baseline`."""
    until_baseline: bool
    """Hotpatches only, until the device has taken the next baseline (after an uninstall)."""
    until: datetime | None
    reason: str
    excluded_by: str

    @property
    def words(self) -> str:
        """``KB5089466: printer trouble, by mia, until 2026-06-01 10:00 UTC``."""
        what = f"{kb_text(self.kb)}: " if self.kb is not None else ""
        until = ""
        if self.until_baseline:
            until = ", until the next baseline is installed"
        elif self.until is not None:
            until = f", until {self.until:%Y-%m-%d %H:%M} UTC"
        return f"{what}{self.reason}, by {self.excluded_by}{until}"


def group_key(code: int | None) -> str:
    """The key of the failure group with this code, ``network/0x8024402C``; "" for none."""
    return "" if code is None else f"{explain(code).cause}/{code_text(code)}"
