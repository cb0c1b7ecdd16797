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


class DeviceCondition(StrEnum):
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
    condition: DeviceCondition = DeviceCondition.NONE


class ConditionTable(Struct, frozen=True):
    """How common the conditions are among devices of one kind."""

    kind: str
    entries: tuple[DeviceCondition, ...]
    """For `draws.pick`."""


def _per_mille(kind: str, weights: Mapping[DeviceCondition, int]) -> ConditionTable:
    sound = 1000 - sum(weights.values())
    return ConditionTable(kind, spread([*weights.items(), (DeviceCondition.NONE, sound)]))


_CLIENT = {
    DeviceCondition.VBS_OFF: 27,
    DeviceCondition.VBS_NOT_RUNNING: 22,
    DeviceCondition.LICENCE: 30,
    DeviceCondition.BLOCKED: 20,
    DeviceCondition.NO_POLICY: 16,
    DeviceCondition.UNMANAGED: 17,
    DeviceCondition.BEHIND: 14,
    DeviceCondition.UNKNOWN_VBS: 12,
    DeviceCondition.UNKNOWN_LICENCE: 8,
    DeviceCondition.UNKNOWN_POLICY: 6,
}
CLIENT_CONDITIONS = _per_mille("client", _CLIENT)
ARM_CONDITIONS = _per_mille("arm", {**_CLIENT, DeviceCondition.CHPE_ON: 200, DeviceCondition.UNKNOWN_CHPE: 40})
CLOUD_PC_CONDITIONS = _per_mille(
    "cloud-pc",
    {
        DeviceCondition.VBS_NOT_RUNNING: 20,
        DeviceCondition.LICENCE: 20,
        DeviceCondition.BLOCKED: 15,
        DeviceCondition.BEHIND: 15,
        DeviceCondition.UNKNOWN_VBS: 15,
    },
)
_SERVER = {
    DeviceCondition.VBS_OFF: 35,
    DeviceCondition.VBS_NOT_RUNNING: 30,
    DeviceCondition.BEHIND: 30,
    DeviceCondition.UNKNOWN_VBS: 20,
}
AZURE_CONDITIONS = _per_mille("azure", _SERVER)
ARC_CONDITIONS = _per_mille("arc", {**_SERVER, DeviceCondition.NOT_SUBSCRIBED: 90})
SERVER_2022_CONDITIONS = _per_mille("server-2022", {DeviceCondition.BEHIND: 35})

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


def apply_condition(draft: Draft, condition: DeviceCondition, word: int) -> None:
    """Let the condition show in the draft's facts; `word` decides its details."""
    draft.condition = condition
    if condition is not DeviceCondition.NONE:
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


_EFFECTS: Mapping[DeviceCondition, Callable[[Draft, int], None]] = {
    DeviceCondition.VBS_OFF: _vbs_off,
    DeviceCondition.VBS_NOT_RUNNING: _vbs_not_running,
    DeviceCondition.LICENCE: _licence,
    DeviceCondition.BLOCKED: _blocked,
    DeviceCondition.NO_POLICY: _no_policy,
    DeviceCondition.UNMANAGED: _unmanaged,
    DeviceCondition.BEHIND: _behind,
    DeviceCondition.CHPE_ON: _chpe_on,
    DeviceCondition.NOT_SUBSCRIBED: _not_subscribed,
    DeviceCondition.UNKNOWN_VBS: _unknown_vbs,
    DeviceCondition.UNKNOWN_LICENCE: _unknown_licence,
    DeviceCondition.UNKNOWN_POLICY: _unknown_policy,
    DeviceCondition.UNKNOWN_CHPE: _unknown_chpe,
}
