"""What a tenant's reports say about one device and one update, in our words. Pure.

The readers of reports make these, the store keeps them, `engine.tenants.status` resolves installs by them.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct


class Course(StrEnum):
    """How an update goes on a device, as far as the tenant tells. Nothing here is proof: that is the build alone."""

    WAITING = "waiting"
    """Offered, downloading, installing: all the same from here, the device acts by itself."""
    RESTART = "restart"
    """The device waits for a restart."""
    DONE = "done"
    """Told as installed; the build that proves it may come later."""
    FAILED = "failed"
    TOLD = "told"
    """A word that is new here, or that says nothing about the course; it is shown as it is."""


class RequestOutcome(Struct, frozen=True):
    """One row of a report about a device."""

    source: str
    """Which report, ``alert``, ``status`` or ``error``."""
    policy_id: str
    ids: tuple[str, ...]
    """Ids of the device as the report has them, Intune's or Entra's."""
    course: Course
    code: int | None
    """The error as an unsigned 32-bit number; None where none was told."""
    words: str
    """What the tenant says, cleaned, on one line."""
    kb: int | None = None
    """The KB that it is about; None where the report does not say."""
    released_on: date | None = None
    """The day on which that update was released; None where the report does not say."""
    at: datetime | None = None
    """When that was so; None where the report does not say."""


_DONE = frozenset("installed updateinstalled installcomplete installcompleted success succeeded uptodate".split())
_FAILED = ("fail", "error", "rolledback", "rollback", "uninstalled")
_RESTART = ("reboot", "restart")
_WAITING = ("offer", "pending", "download", "install", "scan", "schedul", "validat", "progress", "notstarted", "commit")
_OVER = ("rebootcomplete", "restartcomplete")


def course_of(*words: str) -> Course:
    """The course that a report's words for substate and state mean; the first that says something decides."""
    for each in words:
        plain = "".join(sign for sign in each.casefold() if sign.isalnum())
        if plain in _DONE:
            return Course.DONE
        if any(part in plain for part in _FAILED):
            return Course.FAILED
        if any(part in plain for part in _RESTART) and not plain.startswith(_OVER):
            return Course.RESTART
        if any(part in plain for part in _WAITING):
            return Course.WAITING
    return Course.TOLD
