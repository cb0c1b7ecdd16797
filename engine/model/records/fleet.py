"""Row records: what the engine's reads return for lists and details, ready to be shown.

Made by `store`, taken by `console`; they hold facts only, never a colour or a formatted text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import (
    DeviceFacts,
    DeviceState,
    Install,
    InstallAction,
    InstallState,
    Release,
    Ring,
    Track,
    Verdict,
)


class DeviceRow(Struct, frozen=True):
    """One line of the device list."""

    id: int
    name: str
    user: str
    site: str
    form: str
    model: str
    platform: Platform | None
    architecture: Architecture | None
    build: OsBuild | None
    ring: str
    """"" for a device in no ring."""
    verdict: Verdict
    reasons: tuple[str, ...]
    """Short words, ``VBS off``; a check that is unknown says so."""
    track: Track
    protected: bool
    """Runs the current hotpatch, the current LCU, or something later."""
    state: DeviceState
    last_seen_at: datetime | None
    tenant: str = ""
    """The tenant whose policies lead it; "" for a device that takes orders."""


class DevicePage(Struct, frozen=True):
    """A stretch of the device list in its sort order."""

    rows: tuple[DeviceRow, ...]
    first: int
    """Position of the first row in the whole list, 0 the top."""


class Count(Struct, frozen=True):
    """Devices by ring, platform and the words that readiness and the engine keep for them."""

    ring: str
    platform: Platform | None
    verdict: Verdict
    state: DeviceState
    eligible: bool | None
    enrolled: bool | None
    track: Track
    protected: bool
    devices: int


class ReasonCount(Struct, frozen=True):
    """Devices that are not ready, or not known to be, for the same reasons."""

    reasons: tuple[str, ...]
    """Ids that `engine.rules.readiness.reason_words` puts into words; what is not met first."""
    devices: int


class ReleaseRow(Struct, frozen=True):
    """One release on one platform, with what the fleet has made of it."""

    release: Release
    cves: int
    worst: str
    """The worst severity among its CVEs, "" without any."""
    exploited: int
    approved_rings: tuple[str, ...]
    installed: int
    failed: int
    active: int


class GateCondition(Struct, frozen=True):
    """One condition of a gate, its value now and whether it holds."""

    name: str
    needed: str
    value: str
    holds: bool

    @property
    def needs_person(self) -> bool:
        """Whether it does not hold and will not by waiting: `rules.rollout.gates` calls these failing."""
        return not self.holds and self.name in ("failed", "health")


class RingBefore(Struct, frozen=True):
    """An earlier ring that keeps one from opening."""

    name: str
    gate: str = ""
    """What its gate does not show yet, in words; "" while it has not opened itself."""

    @property
    def words(self) -> str:
        """``ring First``, ``gate of ring First: soak 3 h, needs 24 h``."""
        return f"gate of ring {self.name}: {self.gate}" if self.gate else f"ring {self.name}"


class TenantSide(Struct, frozen=True):
    """What a tenant keeps of a ring that it carries; None is what it does not keep or does not tell."""

    provider: str
    kind: str
    """What it is there, in words: ``update ring``."""
    told_at: datetime
    """When the tenant was read last."""
    gone_at: datetime | None
    """Since when the tenant does not have it any more."""
    paused: bool | None
    pause_expires_at: datetime | None
    hotpatch: bool | None
    """Whether its devices may take hotpatches."""
    deferral_days: int | None
    deadline_days: int | None
    grace_days: int | None
    policies: tuple[str, ...]
    """Names of the policies that decide about its releases."""
    also: tuple[str, ...]
    """Other rings that these policies reach: a decision holds for all of them."""
    changed: str
    """What the tenant changed by itself last, in words; "" for nothing."""
    changed_at: datetime | None
    asked: tuple[tuple[str, datetime], ...] = ()
    """What it was asked for and does not show yet, and since when."""


class RingProgress(Struct, frozen=True):
    """How far one release has come in one ring. The five counts add up to `devices`."""

    ring: Ring
    kb: int
    devices: int
    """Devices of the ring on the platforms of the release."""
    installed: int
    failed: int
    active: int
    """Offered and under way."""
    not_ready: int
    """Cannot be offered the release; they get the LCU with a restart."""
    pending: int
    """Ready, and not offered yet."""
    approved: bool
    opens_at: datetime | None
    """When the deferral has passed; None where nothing is approved."""
    opened_at: datetime | None
    stopped: str
    """Why the ring is paused or halted, "" when it is not."""
    waits_for: str
    """Why the ring has not opened, in words; "" when it has or may."""
    gate: tuple[GateCondition, ...]
    wave: str = ""
    """Which wave is on and what the next one waits for, in words; "" for a ring without waves."""
    deadline_at: datetime | None = None
    """By when its devices must have the release; None before the ring has opened."""
    tenant: TenantSide | None = None
    """Set for a ring that a tenant carries."""
    behind: RingBefore | None = None
    """The earlier ring, where `waits_for` tells of one."""

    @property
    def offered(self) -> int:
        """Devices that the release has been offered to: under way, installed or failed."""
        return self.active + self.installed + self.failed


class RingRow(Struct, frozen=True):
    """A ring with its members, whatever the release."""

    ring: Ring
    devices: int
    ready: int
    protected: int
    failed: int
    active: int
    tenant: TenantSide | None = None
    """Set for a ring that a tenant carries."""


class FailureRow(Struct, frozen=True):
    """An install that failed and has not been put right since."""

    install_id: int
    device_id: int
    device_name: str
    user: str
    ring: str
    site: str
    model: str
    driver: str
    platform: Platform
    build: OsBuild | None
    kb: int
    action: InstallAction
    error_code: int
    attempt: int
    failed_at: datetime
    stage: str


class ActiveInstall(Struct, frozen=True):
    """An install that is under way."""

    install_id: int
    device_id: int
    device_name: str
    ring: str
    kb: int
    action: InstallAction
    state: InstallState
    stage: str
    progress: int
    requested_at: datetime
    requested_by: str
    next_at: datetime | None


class AuditRow(Struct, frozen=True):
    """One decision as it stands in the audit."""

    seq: int
    at: datetime
    actor: str
    origin: str
    action: str
    summary: str
    """What was done, as one sentence."""
    reason: str
    kb: int | None
    rings: tuple[str, ...]
    devices: int
    details: Mapping[str, object]
    hash: str


class DeviceDetail(Struct, frozen=True):
    """All that is known of one device."""

    id: int
    facts: DeviceFacts
    ring: str
    track: Track
    protected: bool
    state: DeviceState
    installs: tuple[Install, ...]
    """Newest first."""
    holds: tuple[str, ...]
    """Why releases are withheld from it, in words."""
    withheld: frozenset[int | None] = frozenset()
    """The KBs that exclusions and safeguard holds keep from it; None is every release."""
    held_off: bool = False
    """Off hotpatches until it has taken the next baseline, since one was uninstalled."""
    restarts_untold: str = ""
    """Why neither its start nor a pending restart can be known, in words; "" where they can."""
    as_of: DataAge | None = None
    """How old what its tenant has told is; None for a device that no tenant leads."""


class DeviceQuery(Struct, frozen=True):
    """Which devices in which order."""

    filter: str = ""
    sort: str = "name"
    """A sort key of `engine.store.walk.SORT_KEYS`."""
    descending: bool = False


class AnchorKind(StrEnum):
    """Where a page of the device list begins or ends."""

    TOP = "top"
    END = "end"
    AFTER = "after"
    BEFORE = "before"
    AT = "at"
    NAME = "name"


class Anchor(Struct, frozen=True):
    """AFTER, BEFORE and AT go by a device's id, so that a page is found without counting rows;
    NAME goes to the first device whose name is `name` or later."""

    kind: AnchorKind
    device_id: int = 0
    name: str = ""


class DemoClock(Struct, frozen=True):
    """The clock of a demo: how many seconds pass in one second of life, and whether it stands."""

    speed: float
    paused: bool


STALE_AFTER = timedelta(hours=48)
"""Devices upload about once a day, and data can be so old end to end: Microsoft's "Windows quality and feature update
reports overview". What is older may have changed altogether."""


class DataAge(Struct, frozen=True):
    """How old what is shown of one tenant is."""

    provider: str
    pulled_at: datetime | None
    """When the newest pull was finished; None before the first."""
    data_from: datetime | None
    """When the oldest fact that it stands on was read."""
    note: str = ""
    """What can be expected of it, as it says itself: ``No service installs a hotpatch on a client on demand ...``."""

    def is_stale(self, now: datetime) -> bool:
        """Whether it is too old to act on."""
        return self.pulled_at is None or now - self.pulled_at > STALE_AFTER


class ProviderStanding(Struct, frozen=True):
    """One tenant, and how far what it tells can be relied on."""

    name: str
    kind: str
    devices: int
    waiting: int
    """Devices that were asked for something and act by themselves."""
    waiting_since: datetime | None
    """Since when the first of them was."""
    writes: bool
    age: DataAge
    requests_open: int
    """Requests that have still to be sent."""
    requests_refused: int
    """Refused by the tenant within a week, and not asked again since."""
    pulling: str
    """How far the pull that goes on, or was broken off, is; "" for none."""
    is_pulled_now: bool
    problem: str
    """What keeps it from being asked, in words; "" for nothing."""
    needs_sign_in: bool


class StateInfo(Struct, frozen=True):
    """What the console shows about the state file it has open."""

    path: str
    now: datetime
    change_number: int
    devices: int
    actor: str
    role: str
    read_only: bool
    demo: DemoClock | None
    """None for a real fleet."""
    scenario: str
    driver: str
    """Who holds the lease, "" when nobody drives the work."""
    tenants: tuple[DataAge, ...] = ()
    """How old what is shown of tenants is; empty where there is none."""


class Urgency(StrEnum):
    """How soon somebody must look, worst first."""

    NOW = "now"
    TODAY = "today"
    SOON = "soon"


class Attention(Struct, frozen=True):
    """One thing on the overview that waits for a person, and the list that explains it."""

    urgency: Urgency
    text: str
    screen: str
    """The screen that explains it: ``devices``, ``failures`` ..."""
    filter: str = ""


class Compliance(Struct, frozen=True):
    """Devices protected against one month's releases; shares are of all devices on its platforms.

    `protected` is what the devices are now, against the newest release of their track, out-of-band ones too; the marks
    are about the month's release alone.
    """

    month: str
    platform: Platform | None
    """None: all platforms together."""
    released_at: datetime
    devices: int
    protected: int
    within_24h: int
    within_5d: int
    within_3w: int


class ProviderFreshness(Struct, frozen=True):
    """How fresh what one system has told of its devices is."""

    provider: str
    devices: int
    newest_at: datetime | None
    """When the last of them was seen; None where none ever was."""
    silent: int
    """Devices not seen for longer than volatile facts are believed."""


class ProviderRow(Struct, frozen=True):
    """A system that reaches devices, as an operator has named it. Holds no secret, only where secrets are kept."""

    name: str
    kind: str
    """``graph``."""
    config: str
    """How it is reached, as JSON; its own module reads it."""
    writes: bool
    """Whether anything may be changed there."""
    added_by: str
    added_at: datetime
