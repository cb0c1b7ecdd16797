"""The nouns of the field: releases, devices, installs, rings, approvals.

Plain frozen records and enums. They hold no rule that needs more than themselves, know no storage,
and are checked at the edges (files, network, command line) before they are made.
"""

from __future__ import annotations

from datetime import datetime, time
from enum import StrEnum

from msgspec import Struct

from engine.model.build import Architecture, OsBuild, Platform, kb_text

# --- releases ---------------------------------------------------------------------------------------


class ReleaseKind(StrEnum):
    """What a release is to the hotpatch calendar of its platform."""

    BASELINE = "baseline"
    UNPLANNED_BASELINE = "unplanned-baseline"
    HOTPATCH = "hotpatch"
    OOB_HOTPATCH = "oob-hotpatch"
    LCU = "lcu"
    OOB_LCU = "oob-lcu"
    COMPANION = "companion"
    """A standalone fix beside a hotpatch, for example KB5074204 of December 2025."""

    @property
    def is_hotpatch(self) -> bool:
        return self in (ReleaseKind.HOTPATCH, ReleaseKind.OOB_HOTPATCH)

    @property
    def is_baseline(self) -> bool:
        """Whether it resets what hotpatches build on."""
        return self in (ReleaseKind.BASELINE, ReleaseKind.UNPLANNED_BASELINE)

    @property
    def is_cumulative(self) -> bool:
        """Whether it carries every earlier fix of its platform."""
        return self.is_baseline or self in (ReleaseKind.LCU, ReleaseKind.OOB_LCU)

    @property
    def restart_required(self) -> bool:
        """By the kind of package; MSRC's own RestartRequired is wrong on most hotpatch rows."""
        return not self.is_hotpatch


class Release(Struct, frozen=True):
    """One KB on one platform."""

    kb: int
    platform: Platform
    kind: ReleaseKind
    month: str
    """The month it shipped in, ``2026-05``, whatever document it was read from."""
    released_at: datetime
    build: OsBuild | None
    architectures: tuple[Architecture, ...]
    restart_required: bool
    source: str
    """Where the row comes from; a second-hand copy says so."""
    provisional: bool = False
    """True where no Microsoft document confirms the row yet."""

    @property
    def name(self) -> str:
        return kb_text(self.kb)


class Severity(StrEnum):
    """Microsoft's severity of a vulnerability, worst first."""

    CRITICAL = "Critical"
    IMPORTANT = "Important"
    MODERATE = "Moderate"
    LOW = "Low"
    UNRATED = "Unrated"


class Cve(Struct, frozen=True):
    """One vulnerability as Microsoft rates it for Windows."""

    id: str
    title: str
    severity: Severity
    cvss: float | None
    exploited: bool
    disclosed: bool


# --- devices ----------------------------------------------------------------------------------------


class FormFactor(StrEnum):
    LAPTOP = "laptop"
    DESKTOP = "desktop"
    SERVER = "server"
    CLOUD_PC = "cloud-pc"
    UNKNOWN = "unknown"


class Management(StrEnum):
    """What manages the device: Intune for clients; Azure, Azure Arc or Azure Local for servers."""

    INTUNE = "intune"
    AZURE = "azure"
    ARC = "arc"
    AZURE_LOCAL = "azure-local"
    NONE = "none"
    UNKNOWN = "unknown"


class PolicyState(StrEnum):
    """The quality-update policy's hotpatch switch as it reaches one device."""

    ALLOW = "allow"
    BLOCK = "block"
    NO_POLICY = "no-policy"
    UNKNOWN = "unknown"


class VbsState(StrEnum):
    """Win32_DeviceGuard.VirtualizationBasedSecurityStatus: 2, 1, 0."""

    RUNNING = "running"
    NOT_RUNNING = "enabled-not-running"
    OFF = "off"
    UNKNOWN = "unknown"


class ChpeState(StrEnum):
    """Compiled Hybrid PE on Arm64, which hotpatches do not service."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    UNKNOWN = "unknown"


class Subscription(StrEnum):
    """The hotpatch enablement of an Arc-connected server (Az.ConnectedMachine)."""

    ENABLED = "enabled"
    PENDING = "pending"
    ACTION_REQUIRED = "action-required"
    DISABLED = "disabled"
    UNKNOWN = "unknown"


class DeviceFacts(Struct, frozen=True):
    """What a provider or an import observed about a device. `None`, "" and UNKNOWN mean "not told"."""

    name: str
    platform: Platform | None
    architecture: Architecture | None
    build: OsBuild | None
    edition: str = ""
    form: FormFactor = FormFactor.UNKNOWN
    user: str = ""
    """The primary user's sign-in name, ``alice.meyer@contoso.com``."""
    user_name: str = ""
    domain: str = ""
    serial: str = ""
    asset_tag: str = ""
    site: str = ""
    model: str = ""
    driver: str = ""
    """The driver that matters for grouping failures, ``Intel Graphics 31.0.101``."""
    cores: int | None = None
    licence: str = ""
    """A key of data/licences.json; "none" is a known lack, "" is not known."""
    management: Management = Management.UNKNOWN
    policy: PolicyState = PolicyState.UNKNOWN
    policy_name: str = ""
    subscription: Subscription = Subscription.UNKNOWN
    vbs: VbsState = VbsState.UNKNOWN
    chpe: ChpeState = ChpeState.UNKNOWN
    restart_pending: bool | None = None
    boot_at: datetime | None = None
    last_seen_at: datetime | None = None
    """When the device last reported; the age of every fact above."""
    provider: str = "simulated"


class Verdict(StrEnum):
    """Readiness in one word: unmet beats unknown, unknown beats met."""

    READY = "ready"
    NOT_READY = "not-ready"
    UNKNOWN = "unknown"


class CheckId(StrEnum):
    """The prerequisites of readiness, in the order in which they are shown."""

    OS_VERSION = "os-version"
    BUILD_FLOOR = "build-floor"
    EDITION = "edition"
    LICENCE = "licence"
    ARCHITECTURE = "architecture"
    MANAGEMENT = "management"
    POLICY = "policy"
    CONNECTION = "connection"
    SUBSCRIPTION = "subscription"
    VBS = "vbs"
    CHPE = "chpe"
    BASELINE = "baseline"
    TRACK = "track"
    END_OF_SERVICE = "end-of-service"


STALE_REASON = "stale?"
"""The reason id of a device whose volatile facts are too old to be believed; it stands for all of them."""


class Track(StrEnum):
    """Where a device's build stands against its platform's calendar."""

    HOTPATCH = "hotpatch"
    """On the current baseline or on a hotpatch that sits on it."""
    LCU = "lcu"
    """On a cumulative update newer than the baseline: off the hotpatch track until the next baseline."""
    BEHIND = "behind"
    """Older than the current baseline: drifted."""
    UNKNOWN = "unknown"


class DeviceState(StrEnum):
    """What is going on with a device now, in one word, worst first."""

    FAILED = "failed"
    RESTART_PENDING = "restart-pending"
    INSTALLING = "installing"
    UNINSTALLING = "uninstalling"
    QUEUED = "queued"
    HELD = "held"
    IDLE = "idle"


UNDER_WAY = frozenset(
    {DeviceState.QUEUED, DeviceState.INSTALLING, DeviceState.UNINSTALLING, DeviceState.RESTART_PENDING}
)
"""Something goes on with the device: it counts against limits in flight, and is offered nothing else."""
FREE = frozenset({DeviceState.IDLE, DeviceState.FAILED, DeviceState.HELD})
"""Nothing goes on; what a device is held from is looked up for each release."""


# --- installs ---------------------------------------------------------------------------------------


class InstallAction(StrEnum):
    APPLY = "apply"
    UNINSTALL = "uninstall"


class InstallState(StrEnum):
    """The life of one attempt on one device; the legal steps stand in `engine.rules.rollout.installs`."""

    QUEUED = "queued"
    OFFERED = "offered"
    DOWNLOADING = "downloading"
    INSTALLING = "installing"
    UNINSTALLING = "uninstalling"
    RESTART_PENDING = "restart-pending"
    VERIFYING = "verifying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNINSTALLED = "uninstalled"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in FINAL


DONE = frozenset({InstallState.SUCCEEDED, InstallState.UNINSTALLED})
"""What was asked for has happened."""
FINAL = DONE | {InstallState.FAILED, InstallState.CANCELLED}
"""Nothing follows; every other state is under way."""
NOT_STARTED = frozenset({InstallState.QUEUED, InstallState.OFFERED})
"""Nothing has happened on the device yet, so that it can be called off."""
ENDED_APPLY = frozenset({InstallState.SUCCEEDED, InstallState.FAILED})
"""An apply that a success rate counts."""


REQUESTED_STAGE = "requested; "
"""How the stage of an install begins that a tenant has accepted; kept in the state in words."""
AT_ITS_SCAN = "acts at its next scan"


class Install(Struct, frozen=True):
    """One attempt to apply or uninstall one release on one device."""

    id: int
    device_id: int
    device_name: str
    kb: int
    platform: Platform
    action: InstallAction
    state: InstallState
    stage: str
    """What the device is doing within the state, in words, ``redirect functions``."""
    progress: int
    """0 to 100."""
    attempt: int
    requested_at: datetime
    requested_by: str
    started_at: datetime | None
    finished_at: datetime | None
    next_at: datetime | None
    """When to look at it again; None when final, and where nobody drives it."""
    error_code: int | None
    """As an unsigned 32-bit HRESULT."""
    build_before: OsBuild | None
    build_after: OsBuild | None
    restarted: bool
    """Whether the device restarted on the way."""
    follow_up_kb: int | None
    """The cumulative update to queue when an uninstall is done."""
    reason: str

    @property
    def is_requested(self) -> bool:
        """Asked of a tenant's policy: the device acts by itself, and nobody sees it at work."""
        return self.state is InstallState.OFFERED and self.next_at is None

    @property
    def request_words(self) -> str:
        """What a requested install waits for, and what the tenant says of it: ``acts at its next scan``."""
        return self.stage.removeprefix(REQUESTED_STAGE)

    @property
    def told_of_request(self) -> str:
        """The same without that it acts at its next scan; "" where nothing more is told."""
        return self.request_words.removeprefix(AT_ITS_SCAN).lstrip("; ")


# --- rollout ----------------------------------------------------------------------------------------


class Gate(Struct, frozen=True):
    """What a ring must show before the next ring opens. Shares are 0.0 to 1.0."""

    min_installed_share: float = 0.8
    max_failed_share: float = 0.1
    min_sample: int = 10
    """Below this many finished installs the failure share is not judged."""
    soak_hours: int = 24
    judge_health: bool = True
    """Whether an anomaly in the health of patched devices fails the gate."""


class Window(Struct, frozen=True):
    """A maintenance window that comes back every week: restarts that a release needs happen inside it."""

    days: tuple[int, ...]
    """On which days it begins, 0 Monday to 6 Sunday."""
    begins: time
    """Local time of its zone."""
    minutes: int
    zone: str
    """An IANA name, ``Europe/Berlin``."""


class Ring(Struct, frozen=True):
    """An ordered group of devices a release reaches together."""

    id: int
    name: str
    position: int
    """1 is first."""
    deferral_days: int
    deadline_days: int
    grace_days: int
    max_in_flight: int
    """How many devices may install at once; 0 is no limit."""
    gate: Gate
    max_share_in_flight: float = 0.0
    """Of the devices that a release can reach, how many may install at once; 0 is no limit."""
    waves: tuple[float, ...] = (1.0,)
    """Rising shares of the ring that are offered a release one after the other; the last is 1.0."""
    wave_soak_hours: int = 0
    """How long a wave is watched before the next begins."""
    window: Window | None = None
    """None: restarts are left to the device."""
    members: str = ""
    """The filter whose devices belong to the ring; "" where membership is by hand or by import."""


class Approval(Struct, frozen=True):
    """A signed decision that a release may go to named rings."""

    id: int
    kb: int
    rings: tuple[str, ...]
    reason: str
    approved_by: str
    approved_at: datetime
    not_before: datetime | None = None
    expires_at: datetime | None = None
    withdrawn_at: datetime | None = None
    withdrawn_by: str = ""
    needs_second: bool = False
    """By policy a second person must sign before it counts."""
    seconded_by: str = ""
    seconded_at: datetime | None = None

    @property
    def is_signed(self) -> bool:
        """Whether everybody who must sign has signed."""
        return not self.needs_second or self.seconded_at is not None

    def is_valid(self, now: datetime) -> bool:
        """Whether it permits installs at this time."""
        return (
            self.withdrawn_at is None
            and self.is_signed
            and (self.not_before is None or self.not_before <= now)
            and (self.expires_at is None or now < self.expires_at)
        )
