"""What becomes of a finding: the verdict, why, and the proof. Plain records; `words` puts them into sentences."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from engine.catalog.closing import Route
from engine.model.build import OsBuild
from engine.model.model import Track


class FindingVerdict(StrEnum):
    """The classes of findings, in the order in which they are shown."""

    TRUE = "true"
    """Still open, or not proven closed."""
    FALSE_POSITIVE = "false-positive"
    """Closed on the device before the scan."""
    FIXED_SINCE = "fixed-since-scan"
    UNKNOWN_DEVICE = "unknown-device"
    """No device of the fleet, or not to be told which."""
    NOT_SERVICING = "not-servicing"
    """Not about what Windows servicing brings to this platform."""


class Why(StrEnum):
    """The reason within a verdict."""

    # false positive
    HOTPATCH = "closed-by-hotpatch"
    BASELINE = "closed-by-baseline"
    COMPANION = "closed-by-companion"
    CUMULATIVE = "closed-by-lcu"
    """The device runs a cumulative update that holds the fix: the scanner's data is old, or it looks elsewhere."""
    # fixed since the scan
    INSTALLED_SINCE = "installed-since"
    SEEN_SINCE = "seen-since"
    """Closed now, and not before the scan; when it came is not known to the minute."""
    # true
    INSTALL_FAILED = "install-failed"
    RESTART_PENDING = "restart-pending"
    BEHIND = "behind"
    COMPANION_MISSING = "companion-missing"
    NOT_COVERED = "not-covered"
    """The device is current on the hotpatch track, and no hotpatch closes it."""
    NOT_PUBLISHED = "not-published"
    """Nothing that is published closes it on this track."""
    NOT_PROVEN = "not-proven"
    """Version or build do not tell what the device runs."""
    # unknown device
    NO_SUCH_DEVICE = "no-such-device"
    SEVERAL_DEVICES = "several-devices"
    ONLY_AN_ADDRESS = "only-an-address"
    # not about Windows servicing
    NO_CVE = "no-cve"
    OTHER_SOFTWARE = "other-software"
    NOT_IN_CATALOG = "not-in-catalog"
    NOT_FOR_PLATFORM = "not-for-platform"


class LevelSource(StrEnum):
    """From where it is known when a device came to its level."""

    INSTALL = "install-record"
    """An install of this console, to the second."""
    BEFORE_INSTALL = "before-install"
    """The build that an install found: it was there by then."""
    SEEN = "build-seen"
    """An import or a check-in told the build first then."""
    CHECK_IN = "last-check-in"
    """The build as the device told it last; nothing says since when."""

    @property
    def is_exact(self) -> bool:
        """Whether the time is when it came, not only by when it was there."""
        return self is LevelSource.INSTALL


class Proof(Struct, frozen=True):
    """What the device ran when the CVE was closed on it, and how that is known."""

    kb: int
    build: OsBuild | None
    twin_kb: int | None
    twin_build: OsBuild | None
    fixed_by: int
    """The release that holds the fix: itself, an earlier hotpatch of its chain, its baseline, or a standalone KB."""
    route: Route
    baseline_kb: int | None
    at: datetime | None
    """When; None where no time is known at all."""
    evidence: LevelSource
    install_id: int | None


class Judgement(Struct, frozen=True):
    """What becomes of one CVE on one host."""

    verdict: FindingVerdict
    why: Why
    proof: Proof | None = None
    device_build: OsBuild | None = None
    track: Track = Track.UNKNOWN
    next_kb: int | None = None
    """The release that would close it."""
    next_restarts: bool = False
    """Whether that release restarts the device."""
    error_code: int | None = None
    failed_at: datetime | None = None
    next_baseline_at: datetime | None = None
    """When the device's platform gets its next baseline, by plan."""
    names: tuple[str, ...] = ()
    """Devices that may be meant."""
    detail: str = ""
    """What the catalog or the row says: other software, a platform, the last month that is known."""


class Reconciled(Struct, frozen=True):
    """One CVE of one row with what becomes of it."""

    file: str
    line: int
    scanner: str
    finding_id: str
    host: str
    device_id: int | None
    device: str
    cve: str
    """"" where the row names none."""
    title: str
    severity: str
    scanned_at: datetime
    judgement: Judgement
    number: int = 0
    """Its place in a file of findings; 0 while it is in none."""
