"""What the activity screen asks: installs under way and decisions, both narrowed by one filter.

Called on a background thread with an engine of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from console import activity_filter
from engine.model.model import InstallState
from engine.model.records.fleet import ActiveInstall, AuditRow

if TYPE_CHECKING:
    from engine import Engine

_ACTIVE_READ = 500
_WAITING = (InstallState.QUEUED, InstallState.OFFERED)
_PAGE, SCANNED = 500, 20_000
"""Records read at once, and the most that a filter looks through."""


class Activity(Struct, frozen=True):
    """What one look found."""

    active: tuple[ActiveInstall, ...]
    has_more_active: bool
    audit: tuple[AuditRow, ...]
    has_more_audit: bool


def read_active(engine: Engine, limit: int) -> tuple[ActiveInstall, ...]:
    """Installs under way, those that move before those that wait for their device."""
    return tuple(sorted(engine.reads.rollout.active(limit), key=lambda row: row.state in _WAITING))


def read_activity(engine: Engine, filter_text: str, wanted: int) -> Activity:
    """Installs under way and the newest `wanted` decisions that a filter matches."""
    filter = activity_filter.parse(filter_text)
    active = read_active(engine, _ACTIVE_READ)
    found: list[AuditRow] = []
    before: int | None = None
    scanned = 0
    ended = False
    page_size = _PAGE if filter else wanted + 1
    while not ended and len(found) <= wanted and scanned < SCANNED:
        page = engine.reads.activity.audit(page_size, before)
        found += [row for row in page if activity_filter.matches(filter, row)]
        scanned += len(page)
        ended = len(page) < page_size
        before = page[-1].seq if page else None
    return Activity(
        tuple(row for row in active if activity_filter.matches(filter, row)),
        len(active) == _ACTIVE_READ,
        tuple(found[:wanted]),
        not ended or len(found) > wanted,
    )
