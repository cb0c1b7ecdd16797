"""Which devices of a target a change touches, and why it leaves out the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct, field

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.intents import Refusal
from engine.model.model import DeviceState, Verdict

SAMPLE = 5
"""How many device names a plan shows."""


class Candidate(Struct, frozen=True):
    """What a decision about one device needs to know of it."""

    id: int
    name: str
    ring_id: int | None
    platform: Platform | None
    architecture: Architecture | None
    build: OsBuild | None
    verdict: Verdict
    reasons: tuple[str, ...]
    """Reason ids of readiness, unknown ones with a ``?``."""
    state: DeviceState
    held: bool
    active: bool
    failed_kb: int | None
    """The KB of its open failure."""
    tenant: str = ""
    """The provider whose policies lead it; "" for a device that takes orders."""


class Obstacle(Struct, frozen=True):
    """Why a change cannot touch a device, and what would make it possible. Equal obstacles are counted together."""

    why: str
    instead: str


def led_by_tenant(device: Candidate, instead: str) -> Obstacle:
    """No service does anything on one Windows client on demand (DESIGN: rule 8)."""
    return Obstacle(led_words(device.tenant), instead)


def led_words(tenant: str) -> str:
    """Why nothing can be ordered on a tenant's device."""
    return f"{tenant} leads it by policy: nothing is installed or removed there on demand."


class Sorted(Struct):
    """A target divided into what the change touches and what it leaves out."""

    ids: list[int] = field(default_factory=list)
    sample: list[str] = field(default_factory=list)
    left_out: dict[Obstacle, int] = field(default_factory=dict)
    left_out_sample: dict[Obstacle, str] = field(default_factory=dict)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """The obstacles, the most frequent first."""
        order = sorted(self.left_out.items(), key=lambda item: (-item[1], item[0].why))
        return tuple(
            Refusal(self.left_out_sample[obstacle], obstacle.why, obstacle.instead, devices)
            for obstacle, devices in order
        )


def sort_out(candidates: Iterable[Candidate], obstacle_for: Callable[[Candidate], Obstacle | None]) -> Sorted:
    """Divide a target by asking about each device; holds no device but its id."""
    found = Sorted()
    for each in candidates:
        obstacle = obstacle_for(each)
        if obstacle is None:
            found.ids.append(each.id)
            if len(found.sample) < SAMPLE:
                found.sample.append(each.name)
        else:
            found.left_out[obstacle] = found.left_out.get(obstacle, 0) + 1
            found.left_out_sample.setdefault(obstacle, each.name)
    return found


def nothing_left(what: str, found: Sorted) -> Refusal | None:
    """The refusal of a change that would touch no device: its commonest obstacle; None when it touches some."""
    if found.ids:
        return None
    if not found.left_out:
        return Refusal(what, "No device matches.", "Name other devices, rings or another filter.")
    main = found.refusals[0]
    more = f" ({main.devices} devices, {main.what} among them)" if main.devices > 1 else ""
    return Refusal(what, f"{main.why}{more}", main.instead)


def plural(count: int, noun: str) -> str:
    """``1 device``, ``12 devices``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
