"""What the generator makes and the bundled file keeps: a device with its ring and its past.

Named tuples because a million of them are made at a time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from engine.model.build import OsBuild, Platform
from engine.model.model import DeviceFacts, InstallAction, InstallState

DEMO_START = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)
"""The morning after Patch Tuesday of May 2026, where every demo begins."""
DEMO_SEED = 20260513
DEMO_SIZE = 500


class PastInstall(NamedTuple):
    """One attempt that has ended."""

    kb: int
    platform: Platform
    action: InstallAction
    state: InstallState
    """Succeeded, failed or uninstalled."""
    attempt: int
    requested_at: datetime
    started_at: datetime
    finished_at: datetime
    error_code: int | None
    """As an unsigned 32-bit HRESULT."""
    build_before: OsBuild | None
    build_after: OsBuild | None
    """None where the attempt changed nothing."""
    restarted: bool
    requested_by: str
    open_failure: bool
    """Failed, and not put right since."""
    reason: str


class SampleDevice(NamedTuple):
    """A device of the sample company."""

    external_id: str
    facts: DeviceFacts
    ring: str
    history: tuple[PastInstall, ...]
    """Oldest first."""
