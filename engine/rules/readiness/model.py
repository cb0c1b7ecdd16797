"""What readiness is made of: rules, findings, checks, the verdict. Rules and their functions stand beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.model.model import CheckId, DeviceFacts, Verdict

if TYPE_CHECKING:
    from engine.catalog.levels import Levels


class CheckResult(StrEnum):
    """How one prerequisite stands."""

    MET = "met"
    NOT_MET = "not-met"
    UNKNOWN = "unknown"
    """The fact was never told, or is too old to be believed. Unknown is not "not met"."""
    NOT_APPLICABLE = "not-applicable"


class Audience(StrEnum):
    """Which devices a rule is about."""

    CLIENTS = "clients"
    SERVERS = "servers"
    EVERY_DEVICE = "every device"


class ReadinessStage(StrEnum):
    """What a prerequisite decides: whether a device could take hotpatches, is set up for them, takes them now."""

    ELIGIBLE = "eligible"
    ENROLLED = "enrolled"
    READY = "ready"


class ReadinessSettings(Struct, frozen=True):
    """What an organisation decides about readiness."""

    max_age_days: int = 14
    """Volatile facts of a device that has not reported for so many days count as unknown."""
    tenant_allows_hotpatch: bool | None = None
    """The tenant's default for devices in no quality update policy. Microsoft Graph does not tell it: None is
    "not known", and such devices are neither ready nor not ready by this rule."""

    @property
    def max_age(self) -> timedelta:
        return timedelta(days=self.max_age_days)


class Context(Struct, frozen=True):
    """What a rule may know besides the device's own facts."""

    levels: Levels | None
    """None where the device's platform has no hotpatch calendar."""
    now: datetime
    settings: ReadinessSettings


class CheckFinding(Struct, frozen=True):
    """What a rule's function makes of one device. "" for `needed` and `fix` means the words of the rule."""

    result: CheckResult
    found: str
    needed: str = ""
    fix: str = ""


class CheckRule(Struct, frozen=True):
    """One prerequisite, declared once; screens, commands and documents read it from here."""

    id: CheckId
    title: str
    audience: Audience
    stage: ReadinessStage
    volatile: bool
    """Whether the fact changes in daily life, so that an old one is not believed."""
    needed: str
    fix: str
    """What makes a check that is not met pass, exact enough to be typed."""
    learn: str
    """How to find out what is unknown."""
    source: str
    """Title of the document the rule comes from."""
    unmet: str
    """In two or three words, for lists: ``VBS off``."""
    unknown: str
    find: Callable[[DeviceFacts, Context], CheckFinding]


class Check(Struct, frozen=True):
    """One prerequisite of one device, ready to be shown."""

    check: CheckId
    title: str
    result: CheckResult
    found: str
    needed: str
    fix: str
    """"" where nothing has to be done."""
    source: str
    observed_at: datetime | None
    """When the device last told the fact; None when nobody knows."""


class Readiness(Struct, frozen=True):
    """Whether a device can take hotpatches, prerequisite by prerequisite."""

    verdict: Verdict
    checks: tuple[Check, ...]
    eligible: bool | None
    """Edition, Windows version, licence and processor would permit hotpatches; None when not known."""
    enrolled: bool | None
    """The policy or the subscription is in place; None when not known."""
    reasons: tuple[str, ...]
    """Why it is not ready, or not known to be, in short words."""
    reason_ids: tuple[str, ...]
    """The same as ids: a check's id where it is not met, with ``?`` where it is unknown."""
    stale_at: datetime | None
    """When its volatile facts will be too old to be believed; None when they are already."""
