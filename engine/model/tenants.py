"""The nouns of a tenant: rings, policies, catalog items, approvals as it keeps them, and requests that go to it.

Readers in `providers` make the first four, `wishes` makes requests, `store` keeps all. No network, no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct


class Wish(StrEnum):
    """What a request asks of the tenant."""

    APPROVE = "approve"
    SUSPEND = "suspend"
    PAUSE = "pause"
    RESUME = "resume"
    DEFER = "defer"
    """Another deferral, deadline or grace."""
    HOTPATCH_ON = "hotpatch-on"
    HOTPATCH_OFF = "hotpatch-off"
    EXPEDITE = "expedite"
    """An emergency: devices must install and restart, whatever their ring's deferral."""
    SYNC = "sync"
    ROLL_BACK = "roll-back"


# --- what the tenant keeps --------------------------------------------------------------------------


class RingKind(StrEnum):
    """In which of the service's generations a ring lives."""

    UPDATE_RING = "update-ring"
    """Intune's update ring (windowsUpdateForBusinessConfiguration); approvals are given to quality-update policies."""
    RING = "ring"
    """A ring of the newer update policies (qualityUpdateRing); approvals are given to its policy."""
    POLICY = "policy"
    """A quality-update policy for groups that no update ring has: it can be approved for, but not paused."""


class PolicyKind(StrEnum):
    """Which of the two kinds of policy; each has a catalog of its own."""

    QUALITY = "quality"
    """Intune's windowsQualityUpdatePolicy."""
    UPDATES = "updates"
    """The newer windowsUpdates policy that holds rings and approvals."""


class Reach(Struct, frozen=True):
    """Which devices an assignment covers, by groups; exclusions win."""

    included: tuple[str, ...] = ()
    """Ids of groups."""
    excluded: tuple[str, ...] = ()
    all_devices: bool = False
    all_users: bool = False
    """Every licensed user's devices; which those are, users' devices tell."""
    others: tuple[str, ...] = ()
    """Targets of a kind that is not known here, by the name of their type."""
    told: bool = True
    """False where the service did not say to whom it is assigned."""

    @property
    def is_empty(self) -> bool:
        """Whether it is assigned to nobody."""
        return not (self.included or self.all_devices or self.all_users or self.others)


class ApprovalRule(Struct, frozen=True):
    """What a policy does by itself with a kind of update. Words as the service writes them; new ones survive."""

    cadence: str
    """``monthly``, ``outOfBand``."""
    category: str
    """``all``, ``security``, ``nonSecurity``."""
    method: str
    """``manual`` or ``automatic``; "" where the service does not tell."""
    deferral_days: int | None


class TenantPolicy(Struct, frozen=True):
    """A policy that approvals are given to."""

    id: str
    kind: PolicyKind
    name: str
    hotpatch: bool | None
    """Whether devices may take hotpatches; None where the policy does not say."""
    reach: Reach
    rules: tuple[ApprovalRule, ...] = ()
    description: str = ""
    modified_at: datetime | None = None

    @property
    def key(self) -> str:
        """Stands for it here: the two kinds number theirs apart from each other."""
        return policy_key(self.kind, self.id)


def policy_key(kind: PolicyKind, policy_id: str) -> str:
    """What a policy is called here."""
    return policy_id if kind is PolicyKind.QUALITY else f"{_UPDATES}{policy_id}"


def policy_id_of(key: str) -> str:
    """What the service calls the policy."""
    return key.removeprefix(_UPDATES)


_UPDATES = f"{PolicyKind.UPDATES}/"


class TenantRing(Struct, frozen=True):
    """One ring as the tenant keeps it; None is what the tenant does not keep or does not tell."""

    key: str
    """Stands for it here: the kind and the service's ids."""
    kind: RingKind
    id: str
    name: str
    reach: Reach
    policies: tuple[str, ...]
    """Keys of the policies that reach it, in the order of the tenant."""
    policy_kind: PolicyKind = PolicyKind.QUALITY
    description: str = ""
    deferral_days: int | None = None
    deadline_days: int | None = None
    grace_days: int | None = None
    paused: bool | None = None
    pause_expires_at: datetime | None = None
    hotpatch: bool | None = None
    """Whether its devices may take hotpatches; None where no policy says, or policies differ."""
    rolling_back: bool | None = None
    """Whether its devices are told to uninstall their last quality update."""
    modified_at: datetime | None = None


class CatalogItem(Struct, frozen=True):
    """One release in a catalog of the tenant. It may hold several KBs: the hotpatch and the LCU of a month together."""

    id: str
    kind: PolicyKind
    """Which policies' catalog it stands in."""
    kbs: tuple[int, ...]
    name: str = ""
    released_at: datetime | None = None
    expeditable: bool | None = None


class TenantApproval(Struct, frozen=True):
    """What a policy says about a catalog item."""

    policy: str
    """The policy's key."""
    item_id: str
    status: str
    """``approved``, ``suspended``, or a word of the service that is new here."""
    approval_id: str = ""
    """The newer policies number their approvals."""

    @property
    def is_approved(self) -> bool:
        return self.status.casefold() == "approved"

    @property
    def is_suspended(self) -> bool:
        return self.status.casefold() == "suspended"


class TenantPicture(Struct, frozen=True):
    """All that one reading of a tenant told about rings and approvals."""

    rings: tuple[TenantRing, ...]
    policies: tuple[TenantPolicy, ...]
    items: tuple[CatalogItem, ...]
    approvals: tuple[TenantApproval, ...]
    read_at: datetime
    told: frozenset[RingKind]
    """Kinds of rings that were read whole; rings of another kind that are missing here may still be there."""
    untold: tuple[str, ...] = ()
    """What could not be read, and why, in words."""
    approvals_of: frozenset[str] = frozenset()
    """Keys of the policies whose approvals were told; of the others nothing is known."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Ids of all groups that rings and policies name, each once: their members say who is in which ring."""
        found: dict[str, None] = {}
        for reach in (*(each.reach for each in self.rings), *(each.reach for each in self.policies)):
            found.update(dict.fromkeys((*reach.included, *reach.excluded)))
        return tuple(found)


class BoundRing(Struct, frozen=True):
    """A ring of the tenant with the ring here that shows it."""

    ring_id: int
    provider: str
    ring: TenantRing
    told_at: datetime
    gone_at: datetime | None = None
    """Since when the tenant does not have it any more."""
    changed: str = ""
    """What the tenant changed by itself last, in words."""
    changed_at: datetime | None = None
    """When that was seen."""


# --- what is asked of it ----------------------------------------------------------------------------


class Request(Struct, frozen=True):
    """One change that is to be sent, complete but for what an earlier answer brings."""

    provider: str
    wish: Wish
    method: str
    version: str
    """``beta`` or ``v1.0``."""
    path: str
    """Behind the version. ``{created}`` stands for the id that the request before it brought."""
    body: Mapping[str, Any] | None
    why: str
    """What it does, for people: ``KB5089466 is approved in policy Hotpatch (rings First, Fast)``."""
    kb: int | None = None
    ring_key: str = ""
    """The ring it is about; "" when it concerns a policy of several rings, or a device."""
    device_id: int | None = None
    rings: tuple[str, ...] = ()
    """Names of all rings that it reaches."""
    policy: str = ""
    """Key of the policy it is about, where it is about one."""
    item_id: str = ""
    """The catalog item that it approves or suspends."""

    @property
    def address(self) -> str:
        """Version and path: what is shown, and what tells requests apart."""
        return f"/{self.version}{self.path}"


class RequestState(StrEnum):
    """The life of a request.

    waiting ── claimed ──► sending ── 2xx ──► accepted ── read back ──► confirmed
       ▲                      ├── throttled, no answer ──► waiting
       └──────────────────────┘   └── refused by the service ──► refused
    """

    WAITING = "waiting"
    SENDING = "sending"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    REFUSED = "refused"

    @property
    def is_open(self) -> bool:
        """Whether it will still be sent."""
        return self in (RequestState.WAITING, RequestState.SENDING)


class Receipt(Struct, frozen=True):
    """A request with what became of it."""

    id: int
    request: Request
    asked_by: str
    asked_at: datetime
    state: RequestState
    attempts: int = 0
    ring_id: int | None = None
    next_at: datetime | None = None
    """When it is tried again."""
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    status: int | None = None
    """HTTP status of the last answer."""
    request_id: str = ""
    """What Microsoft's support asks for."""
    said: str = ""
    """What the service answered, in words; "" when it just did it."""
    confirmed_at: datetime | None = None
    created: str = ""
    """The id of what the request made in the tenant."""
    looks: int = 0
    """How often it was read back without showing yet."""
