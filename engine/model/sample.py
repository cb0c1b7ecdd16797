"""A device of a sample fleet with its ring and its past: made by a generator, kept by a file, filled into a state.

Named tuples because a million of them are made at a time.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from engine.model.build import OsBuild, Platform
from engine.model.model import DeviceFacts, InstallAction, InstallState


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
