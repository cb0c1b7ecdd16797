"""What a tenant has told of its devices, and how far a pull of it has come. Pure.

The readers of Graph make these, `store` keeps them, the pull goes by them. Three ids tell a device apart and are never
mixed: Intune's, the Entra device id, the Entra object id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from engine.model.tenants import PolicyKind, Reach, RingKind, TenantPicture

PULL_EVERY = timedelta(hours=4)
"""As often as Microsoft renews its own report: "Hotpatch quality update report", 03/2025."""
RESTARTS_UNTOLD = "Graph does not report restarts"
"""Microsoft Graph has no member for a device's start, nor for a restart that is pending."""


class PullStage(StrEnum):
    """The stages of a pull, in their order. Each is walked in bounded steps."""

    DEVICES = "devices"
    DETAILS = "details"
    ENROLMENT = "enrolment"
    LICENCES = "licences"
    RINGS = "rings"
    MEMBERS = "members"
    REPORTS = "reports"
    COMPOSE = "compose"
    """All has been read; the devices are made of it and taken over."""
    DONE = "done"


ORDER = tuple(PullStage)


class Cursor(Struct, frozen=True):
    """Where a stage goes on. Lists go by the service's next link, our own lists by the last key that was done."""

    next_link: str = ""
    after: str = ""
    group: str = ""
    """The group whose members are walked."""
    mark: str = ""
    """A link passed earlier; meeting it again proves that the pages go in a circle (Brent's way)."""
    since_mark: int = 0
    until_mark: int = 1
    restarts: int = 0
    """How often the service has refused a kept link in this stage."""

    def followed(self, link: str) -> Cursor | None:
        """The cursor behind one more page; None where the links go in a circle. "" ends the walk."""
        if link and link in (self.mark, self.next_link):
            return None
        if self.since_mark + 1 >= self.until_mark:
            return replace(self, next_link=link, mark=link, since_mark=0, until_mark=self.until_mark * 2)
        return replace(self, next_link=link, since_mark=self.since_mark + 1)


class PullTally(Struct, frozen=True):
    """What a pull has counted."""

    left_out: int = 0
    """Entries of the device list that are no Windows device, or name none."""
    done: int = 0
    """Within the stage."""
    total: int = 0
    """Within the stage; 0 where the service does not say beforehand."""
    faults: Mapping[str, str] | None = None
    """Stage → why it could not be read whole, in words."""

    def with_fault(self, stage: PullStage, words: str) -> PullTally:
        """The first fault of a stage stands for those that follow."""
        return replace(self, faults={stage.value: words, **(self.faults or {})})


class Pull(Struct, frozen=True):
    """One pull of a tenant's inventory: under way, waiting to be taken over, or done."""

    provider: str
    number: int
    stage: PullStage
    cursor: Cursor
    tally: PullTally
    begun_at: datetime

    def at(self, stage: PullStage) -> Pull:
        """The same pull at the beginning of a stage."""
        return replace(self, stage=stage, cursor=Cursor(), tally=replace(self.tally, done=0, total=0))

    def at_next(self) -> Pull:
        return self.at(ORDER[ORDER.index(self.stage) + 1])


class Freshness(Struct, frozen=True):
    """How old what is known of a tenant is."""

    provider: str
    finished_at: datetime | None
    """When the newest pull that was taken over was finished; None before the first."""
    oldest_fact_at: datetime | None
    """When the oldest fact that it stands on was read."""
    stage: PullStage
    begun_at: datetime
    """When the pull under way, or else the last one, began."""
    tally: PullTally
    moved_at: datetime
    """When its last step was kept."""
    problem: str = ""
    """What kept the last attempt from going on, in words; "" for nothing."""
    needs_sign_in: bool = False
    problem_at: datetime | None = None
    is_claimed: bool = False
    """Some process pulls now."""


def where(stage: PullStage, done: int, total: int) -> str:
    """How far a pull is, in words: ``details 400 of 1,200``."""
    if total:
        return f"{stage} {done:,} of {total:,}"
    return f"{stage} {done:,}" if done else str(stage)


class ListedDevice(Struct, frozen=True):
    """A device as the list of managed devices has it."""

    intune_id: str
    entra_id: str
    """The Entra device id; "" for a device that Entra does not know."""
    user_id: str
    """The primary user's Entra id; "" for none."""
    synced_at: datetime | None
    told: Mapping[str, Any]
    """The members that facts are made of, as they came."""


class Enrolment(Struct, frozen=True):
    """How a device stands with the update service."""

    state: str
    """Graph's word, ``enrolledWithPolicy``; "" where it says none."""
    errors: tuple[str, ...] = ()
    """Graph's reasons why the service cannot serve the device, ``invalidAzureADJoin``."""


class Member(Struct, frozen=True):
    """A device or a user in a group, nested groups looked through."""

    kind: str
    """``device`` or ``user``."""
    id: str
    """The Entra device id of a device, the Entra id of a user."""
    object_id: str


EVERY_DEVICE = "*"
EVERY_USER = "*users"
"""Stand in for a group where something is assigned to all devices, or to all licensed users."""


class Assignment(Struct, frozen=True):
    """One ring or policy with one group that it is assigned to, or that it leaves out."""

    kind: RingKind
    """With which kind of ring it is told, or is not."""
    key: str
    name: str
    is_ring: bool
    allows: bool | None
    """Whether it allows hotpatches; None where it has no say in that."""
    group: str
    """A group's id, EVERY_DEVICE or EVERY_USER."""
    excluded: bool = False


def assignments_of(picture: TenantPicture) -> tuple[Assignment, ...]:
    """What the tenant assigns to whom, one group a row.

    The hotpatch switch of Intune's rings is that of the policies beside them; the newer rings have one of their own.
    """
    found: list[Assignment] = []
    for ring in picture.rings:
        allows = ring.hotpatch if ring.kind is RingKind.RING else None
        found += _assigned(Assignment(ring.kind, ring.key, ring.name, True, allows, ""), ring.reach)
    for policy in picture.policies:
        kind = RingKind.POLICY if policy.kind is PolicyKind.QUALITY else RingKind.RING
        found += _assigned(Assignment(kind, policy.id, policy.name, False, policy.hotpatch, ""), policy.reach)
    return tuple(dict.fromkeys(found))


def _assigned(row: Assignment, reach: Reach) -> Iterator[Assignment]:
    for group in reach.included:
        yield replace(row, group=group)
    if reach.all_devices:
        yield replace(row, group=EVERY_DEVICE)
    if reach.all_users:
        yield replace(row, group=EVERY_USER)
    for group in reach.excluded:
        yield replace(row, group=group, excluded=True)


def why_not_whole(picture: TenantPicture) -> str:
    """Why a device that no policy seems to reach may be in one all the same, in words; "" where that is certain."""
    if RingKind.POLICY not in picture.told:
        return " ".join(picture.untold) or "The tenant's quality update policies were not told."
    vague = [each.name for each in picture.policies if each.reach.others or each.reach.all_users or not each.reach.told]
    return f"Whom {', '.join(vague[:3])} is assigned to is not told whole." if vague else ""


class ToldFacts(Struct, frozen=True):
    """All that a tenant has told of one device, as it was kept."""

    intune_id: str
    entra_id: str
    user_id: str
    synced_at: datetime | None
    listed: Mapping[str, Any]
    detail: Mapping[str, Any] | None
    """None where it was never read."""
    enrolment: Enrolment | None
    """None where the service's list does not name the device or was never read."""
    licence: str | None
    """A key of data/licences.json; None where the user's licences were never read."""
    licence_note: str = ""
    allowed_by: str = ""
    """A policy that reaches the device and allows hotpatches."""
    blocked_by: str = ""
    policies_read: bool = False
    """Whether policies and their groups were read whole, so that silence means "in none"."""
    enrolment_read: bool = False
    faults: Mapping[str, str] | None = None
    """Of the pull: stage → why it could not be read."""


def cursor_to_text(cursor: Cursor) -> str:
    return json.dumps({key: value for key, value in asdict(cursor).items() if value != getattr(Cursor(), key)})


def cursor_from_text(text: str) -> Cursor:
    return Cursor(**json.loads(text or "{}"))


def tally_to_text(tally: PullTally) -> str:
    return json.dumps({key: value for key, value in asdict(tally).items() if value})


def tally_from_text(text: str) -> PullTally:
    return PullTally(**json.loads(text or "{}"))
