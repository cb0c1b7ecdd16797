"""How a tenant's ring is shown as one of ours, and what differs between two tellings of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from engine.model.intents import SetRing
from engine.model.model import Gate, Ring
from engine.model.tenants import RingKind, TenantRing
from engine.rules.tenants.ring_wishes import keeps

OWN_DEADLINE, OWN_GRACE = 5, 2
"""Days by which late devices are told where the tenant keeps no deadline; an operator may set others here."""
_COMPARED = (
    ("name", "name"),
    ("deferral_days", "deferral"),
    ("deadline_days", "deadline"),
    ("grace_days", "grace"),
    ("paused", "paused"),
    ("hotpatch", "hotpatches"),
    ("rolling_back", "rolling back"),
)


class RingDifference(Struct, frozen=True):
    """One value that is not what it was."""

    field: str
    """The member of `TenantRing`."""
    name: str
    """For people."""
    before: object
    after: object

    @property
    def words(self) -> str:
        """``deferral 5 → 7``."""
        return f"{self.name} {value_words(self.before)} → {value_words(self.after)}"


def value_words(value: object) -> str:
    """A value of a ring for people."""
    if value is None:
        return "not told"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def new_ring(told: TenantRing, ring_id: int, position: int, name: str) -> Ring:
    """The ring here that shows it for the first time."""
    plain = Ring(ring_id, name, position, 0, OWN_DEADLINE, OWN_GRACE, 0, Gate())
    return shown(told, plain)


def shown(told: TenantRing, ring: Ring) -> Ring:
    """The ring here with all that the tenant keeps of it; the rest stays as it is."""
    kept = keeps(told)
    changes: dict[str, int] = {}
    if "deferral" in kept:
        changes["deferral_days"] = told.deferral_days or 0
    if "deadline" in kept and told.deadline_days is not None:
        changes["deadline_days"] = told.deadline_days
    if "grace" in kept and told.grace_days is not None:
        changes["grace_days"] = told.grace_days
    return replace(ring, **changes)


def in_order(rings: Iterable[TenantRing]) -> list[TenantRing]:
    """As a release reaches them: by deferral."""
    return sorted(rings, key=lambda each: (each.deferral_days or 0, each.name.casefold(), each.key))


def free_name(wanted: str, provider: str, taken: Collection[str]) -> str:
    """The ring's own name, with its provider in front where another ring is called so, with a number if need be.

    `taken`: names in use, in lower case.
    """
    name = wanted.strip() or provider
    if name.casefold() not in taken:
        return name
    name = f"{provider} {name}"
    number = 1
    while (name if number == 1 else f"{name} {number}").casefold() in taken:
        number += 1
    return name if number == 1 else f"{name} {number}"


def differences(before: TenantRing, after: TenantRing) -> tuple[RingDifference, ...]:
    """What a tenant tells now that it did not before."""
    return tuple(
        RingDifference(field, name, getattr(before, field), getattr(after, field))
        for field, name in _COMPARED
        if getattr(before, field) != getattr(after, field)
    )


def not_ours(found: Iterable[RingDifference], expected: TenantRing) -> tuple[RingDifference, ...]:
    """Without what our own requests explain; `expected` is the ring once all of them have arrived."""
    return tuple(each for each in found if getattr(expected, each.field) != each.after)


def pause_words(told: TenantRing, provider: str, gone_at: datetime | None) -> str:
    """Why nothing is offered in the ring, "" when it goes on."""
    if gone_at is not None:
        return f"{provider} does not have this ring any more"
    if not told.paused:
        return ""
    until = f" until {told.pause_expires_at:%d %b %Y}" if told.pause_expires_at else ""
    return f"paused in {provider}{until}"


def kind_words(kind: RingKind) -> str:
    """The name of the kind, for people."""
    return {
        RingKind.UPDATE_RING: "update ring",
        RingKind.RING: "ring of an update policy",
        RingKind.POLICY: "quality-update policy without an update ring",
    }[kind]


# --- what an operator may set -----------------------------------------------------------------------


def foreign_rules(intent: SetRing) -> list[str]:
    """Rules that are named and that no tenant knows."""
    named = {
        "limit in flight": intent.max_in_flight is not None or intent.max_share_in_flight is not None,
        "waves": intent.waves is not None or intent.wave_soak_hours is not None,
        "maintenance window": intent.window is not None,
        "filter for its members": intent.members is not None,
    }
    return [name for name, is_named in named.items() if is_named]


def own_part(intent: SetRing, told: TenantRing) -> SetRing:
    """What of the change is kept here alone: the gate, and days that the tenant does not keep."""
    kept = keeps(told)
    return replace(
        intent,
        deferral_days=None if "deferral" in kept else intent.deferral_days,
        deadline_days=None if "deadline" in kept else intent.deadline_days,
        grace_days=None if "grace" in kept else intent.grace_days,
        hotpatch=None,
        widen=False,
    )
