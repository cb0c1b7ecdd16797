"""What can be wrong with a sample device, how often, and which facts show it.

`fleet` picks a condition for each device and lets it change the draft; readiness judges the facts by itself and
is never consulted here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from msgspec import Struct

from engine.model.build import Architecture, Platform
from engine.model.model import ChpeState, FormFactor, Management, PolicyState, Subscription, VbsState
from engine.providers.simulated.company import Hardware, Site
from engine.providers.simulated.draws import pick, spread

ALLOW_POLICY = "Autopatch - quality updates with hotpatch"
BLOCK_POLICY = "Autopatch - trading floor, no hotpatch"


class Condition(StrEnum):
    """The one readiness trouble that the generator gives a device."""

    NONE = "none"
    VBS_OFF = "vbs-off"
    VBS_NOT_RUNNING = "vbs-not-running"
    LICENCE = "licence"
    BLOCKED = "blocked"
    NO_POLICY = "no-policy"
    UNMANAGED = "unmanaged"
    BEHIND = "behind"
    CHPE_ON = "chpe-on"
    NOT_SUBSCRIBED = "not-subscribed"
    UNKNOWN_VBS = "unknown-vbs"
    UNKNOWN_LICENCE = "unknown-licence"
    UNKNOWN_POLICY = "unknown-policy"
    UNKNOWN_CHPE = "unknown-chpe"


class Draft(Struct):
    """A device in the making: the facts that a condition may change."""

    number: int
    site: Site
    hardware: Hardware
    platform: Platform
    edition: str
    licence: str
    management: Management
    ring: str = ""
    name: str = ""
    driver: str = ""
    user: str = ""
    user_name: str = ""
    policy: PolicyState = PolicyState.UNKNOWN
    policy_name: str = ""
    subscription: Subscription = Subscription.UNKNOWN
    vbs: VbsState = VbsState.RUNNING
    chpe: ChpeState = ChpeState.UNKNOWN
    on_track: bool = True
    """Whether it has been taking hotpatches."""
    missed: int = 0
    """How many of the latest releases it has not taken."""
    condition: Condition = Condition.NONE


class ConditionTable(Struct, frozen=True):
    """How common the conditions are among devices of one kind."""

    kind: str
    entries: tuple[Condition, ...]
    """For `draws.pick`."""


def _per_mille(kind: str, weights: Mapping[Condition, int]) -> ConditionTable:
    sound = 1000 - sum(weights.values())
    return ConditionTable(kind, spread([*weights.items(), (Condition.NONE, sound)]))


_CLIENT = {
    Condition.VBS_OFF: 27,
    Condition.VBS_NOT_RUNNING: 22,
    Condition.LICENCE: 30,
    Condition.BLOCKED: 20,
    Condition.NO_POLICY: 16,
    Condition.UNMANAGED: 17,
    Condition.BEHIND: 14,
    Condition.UNKNOWN_VBS: 12,
    Condition.UNKNOWN_LICENCE: 8,
    Condition.UNKNOWN_POLICY: 6,
}
CLIENT_CONDITIONS = _per_mille("client", _CLIENT)
ARM_CONDITIONS = _per_mille("arm", {**_CLIENT, Condition.CHPE_ON: 200, Condition.UNKNOWN_CHPE: 40})
CLOUD_PC_CONDITIONS = _per_mille(
    "cloud-pc",
    {
        Condition.VBS_NOT_RUNNING: 20,
        Condition.LICENCE: 20,
        Condition.BLOCKED: 15,
        Condition.BEHIND: 15,
        Condition.UNKNOWN_VBS: 15,
    },
)
_SERVER = {Condition.VBS_OFF: 35, Condition.VBS_NOT_RUNNING: 30, Condition.BEHIND: 30, Condition.UNKNOWN_VBS: 20}
AZURE_CONDITIONS = _per_mille("azure", _SERVER)
ARC_CONDITIONS = _per_mille("arc", {**_SERVER, Condition.NOT_SUBSCRIBED: 90})
SERVER_2022_CONDITIONS = _per_mille("server-2022", {Condition.BEHIND: 35})

_LACKING_LICENCES = spread([("none", 4), ("office-e3", 3), ("business-standard", 2), ("m365-f1", 2)])
_LACKING_SUBSCRIPTIONS = (Subscription.DISABLED, Subscription.PENDING, Subscription.ACTION_REQUIRED)


def conditions_for(draft: Draft) -> ConditionTable:
    """The table to pick a device's condition from."""
    if draft.platform is Platform.SERVER_2022:
        return SERVER_2022_CONDITIONS
    if draft.platform is Platform.SERVER_2025:
        return ARC_CONDITIONS if draft.management is Management.ARC else AZURE_CONDITIONS
    if draft.hardware.form is FormFactor.CLOUD_PC:
        return CLOUD_PC_CONDITIONS
    return ARM_CONDITIONS if draft.hardware.architecture is Architecture.ARM64 else CLIENT_CONDITIONS


def apply_condition(draft: Draft, condition: Condition, word: int) -> None:
    """Let the condition show in the draft's facts; `word` decides its details."""
    draft.condition = condition
    if condition is not Condition.NONE:
        _EFFECTS[condition](draft, word)


def _vbs_off(draft: Draft, _word: int) -> None:
    draft.vbs, draft.on_track = VbsState.OFF, False


def _vbs_not_running(draft: Draft, _word: int) -> None:
    draft.vbs, draft.on_track = VbsState.NOT_RUNNING, False


def _licence(draft: Draft, word: int) -> None:
    is_cloud_pc = draft.hardware.form is FormFactor.CLOUD_PC
    draft.licence = "windows-365-business" if is_cloud_pc else pick(_LACKING_LICENCES, word)
    draft.edition, draft.on_track = "Pro", False


def _blocked(draft: Draft, _word: int) -> None:
    draft.policy, draft.policy_name, draft.on_track = PolicyState.BLOCK, BLOCK_POLICY, False


def _no_policy(draft: Draft, _word: int) -> None:
    draft.policy, draft.policy_name, draft.on_track = PolicyState.NO_POLICY, "", False


def _unmanaged(draft: Draft, word: int) -> None:
    _no_policy(draft, word)
    draft.management = Management.NONE


def _behind(draft: Draft, word: int) -> None:
    draft.missed = 1 + (word & 1)


def _chpe_on(draft: Draft, _word: int) -> None:
    draft.chpe, draft.on_track = ChpeState.ENABLED, False


def _not_subscribed(draft: Draft, word: int) -> None:
    draft.subscription, draft.on_track = pick(_LACKING_SUBSCRIPTIONS, word), False


def _unknown_vbs(draft: Draft, _word: int) -> None:
    draft.vbs = VbsState.UNKNOWN


def _unknown_licence(draft: Draft, _word: int) -> None:
    draft.licence = ""


def _unknown_policy(draft: Draft, _word: int) -> None:
    draft.policy, draft.policy_name = PolicyState.UNKNOWN, ""


def _unknown_chpe(draft: Draft, _word: int) -> None:
    draft.chpe = ChpeState.UNKNOWN


_EFFECTS: Mapping[Condition, Callable[[Draft, int], None]] = {
    Condition.VBS_OFF: _vbs_off,
    Condition.VBS_NOT_RUNNING: _vbs_not_running,
    Condition.LICENCE: _licence,
    Condition.BLOCKED: _blocked,
    Condition.NO_POLICY: _no_policy,
    Condition.UNMANAGED: _unmanaged,
    Condition.BEHIND: _behind,
    Condition.CHPE_ON: _chpe_on,
    Condition.NOT_SUBSCRIBED: _not_subscribed,
    Condition.UNKNOWN_VBS: _unknown_vbs,
    Condition.UNKNOWN_LICENCE: _unknown_licence,
    Condition.UNKNOWN_POLICY: _unknown_policy,
    Condition.UNKNOWN_CHPE: _unknown_chpe,
}
