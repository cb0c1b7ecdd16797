"""Makes device facts of what a tenant has told, and says why the rest is not known. Pure.

The pull of the inventory composes devices with it; `reads` asks it for notes on one device. What Graph does not tell
stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import CheckId, DeviceFacts, FormFactor, Management, PolicyState, VbsState
from engine.providers.graph.details import ATTESTED_VBS, BLANK, EDITION, PRODUCT_TYPE, VBS
from engine.rules.tenants.inventory import Enrolment, PullStage, ToldFacts

SILENT_ON: Mapping[CheckId, str] = {CheckId.CHPE: "Graph does not report CHPE"}
"""Prerequisites that Graph tells of no device at all (APIs behind readiness: no member for HotPatchRestrictions)."""

_VBS: Mapping[str, VbsState] = {
    "running": VbsState.RUNNING,
    "rebootrequired": VbsState.NOT_RUNNING,
    "require64bitarchitecture": VbsState.OFF,
    "notlicensed": VbsState.OFF,
    "notconfigured": VbsState.OFF,
    "doesnotmeethardwarerequirements": VbsState.OFF,
}
_ARCHITECTURES = {"x64": Architecture.X64, "arm64": Architecture.ARM64}
_AGENTS: Mapping[str, Management] = {
    "mdm": Management.INTUNE,
    "easmdm": Management.INTUNE,
    "intuneclient": Management.INTUNE,
    "easintuneclient": Management.INTUNE,
    "configurationmanagerclientmdm": Management.INTUNE,
    "configurationmanagerclientmdmeas": Management.INTUNE,
    "microsoft365managedmdm": Management.INTUNE,
    "configurationmanagerclient": Management.NONE,
    "eas": Management.NONE,
    "mssense": Management.NONE,
}
_FORMS = {
    "desktop": FormFactor.DESKTOP,
    "worksworkstation": FormFactor.DESKTOP,
    "laptop": FormFactor.LAPTOP,
    "enterpriseserver": FormFactor.SERVER,
}
_CLIENTS = {each.build_number: each for each in Platform if not each.is_server}
_SERVERS = {each.build_number: each for each in Platform if each.is_server}
_SERVER_PRODUCTS = (2, 3)
"""Domain controller and server (Win32_OperatingSystem.ProductType)."""
_ERRORS = {
    "invalidGlobalDeviceId": "its global device id is not valid",
    "invalidAzureADDeviceId": "its Entra device id is not valid",
    "missingTrustType": "Entra has no trust type for it",
    "invalidAzureADJoin": "its join to Entra is not valid",
}


def facts_of(told: ToldFacts, provider: str) -> DeviceFacts:
    """The device as the engine knows devices."""
    listed, detail = told.listed, told.detail or {}
    build = _build(listed.get("osVersion"))
    return DeviceFacts(
        name=str(listed.get("deviceName") or told.entra_id or told.intune_id)[:255],
        platform=_platform(build, detail.get(PRODUCT_TYPE)),
        architecture=_ARCHITECTURES.get(_word(listed.get("processorArchitecture"))),
        build=build,
        edition=_edition(listed.get("skuFamily") or detail.get(EDITION)),
        form=_form(listed),
        user=_text(listed.get("userPrincipalName")),
        user_name=_text(listed.get("userDisplayName")),
        serial=_text(listed.get("serialNumber")),
        model=_model(_text(listed.get("model")), _text(listed.get("manufacturer"))),
        licence=told.licence or "" if told.user_id else "",
        management=_AGENTS.get(_word(listed.get("managementAgent")), Management.UNKNOWN),
        policy=policy_of(told),
        policy_name=told.allowed_by or told.blocked_by,
        vbs=vbs_of(detail),
        last_seen_at=told.synced_at,
        provider=provider,
    )


def policy_of(told: ToldFacts) -> PolicyState:
    """The hotpatch switch as it reaches the device.

    A policy reaches nobody whom the update service cannot serve, and two that contradict each other are settled by
    Intune alone: both are unknown. In no policy the tenant's default rules, which Graph does not tell.
    """
    if told.enrolment is not None and told.enrolment.errors:
        return PolicyState.UNKNOWN
    if told.allowed_by and told.blocked_by:
        return PolicyState.UNKNOWN
    if told.allowed_by:
        return PolicyState.ALLOW
    if told.blocked_by:
        return PolicyState.BLOCK
    return PolicyState.NO_POLICY if told.policies_read else PolicyState.UNKNOWN


def vbs_of(detail: Mapping[str, Any]) -> VbsState:
    """Whether virtualization-based security runs. Health attestation can prove that it is off, not that it runs."""
    state = _VBS.get(_word(detail.get(VBS)), VbsState.UNKNOWN)
    if state is VbsState.UNKNOWN and _word(detail.get(ATTESTED_VBS)) == "disabled":
        return VbsState.OFF
    return state


# --- why something is not known ---------------------------------------------------------------------


def notes_on(told: ToldFacts) -> Mapping[CheckId, str]:
    """What is worth saying about single prerequisites of the device: above all why a fact is not known."""
    found = {
        CheckId.OS_VERSION: _on_version(told),
        CheckId.LICENCE: _on_licence(told),
        CheckId.ARCHITECTURE: _on_architecture(told),
        CheckId.EDITION: "" if told.listed.get("skuFamily") else "Graph tells no edition",
        CheckId.MANAGEMENT: _on_management(told),
        CheckId.POLICY: _on_policy(told),
        CheckId.VBS: _on_vbs(told),
    }
    return {**SILENT_ON, **{check: words for check, words in found.items() if words}}


def _on_version(told: ToldFacts) -> str:
    said = _text(told.listed.get("osVersion"))
    return "" if _build(said) else f"Graph says {said or 'nothing'}"


def _on_licence(told: ToldFacts) -> str:
    if not told.user_id:
        return "not known: the device has no primary user, whose licence it would be"
    if told.licence is None:
        return _unread(told, PullStage.LICENCES, "the licences of its primary user")
    return told.licence_note


def _on_architecture(told: ToldFacts) -> str:
    said = _text(told.listed.get("processorArchitecture"))
    return "" if _word(said) in _ARCHITECTURES else f"Graph says {said or 'nothing'}"


def _on_management(told: ToldFacts) -> str:
    agent = _text(told.listed.get("managementAgent"))
    parts = []
    if _word(agent) not in _AGENTS:
        parts.append(f"Graph names its agent {agent or 'unknown'}")
    if told.enrolment is not None and told.enrolment.errors:
        parts.append(f"the update service cannot serve it: {_errors(told.enrolment)}")
    return "; ".join(parts)


def _on_policy(told: ToldFacts) -> str:
    if told.enrolment is not None and told.enrolment.errors:
        return f"no policy reaches it, as the update service cannot serve it: {_errors(told.enrolment)}"
    if told.allowed_by and told.blocked_by:
        return f"{told.allowed_by} allows hotpatches and {told.blocked_by} blocks them; Intune alone settles that"
    if policy_of(told) is PolicyState.UNKNOWN:
        stage = PullStage.RINGS if PullStage.RINGS in (told.faults or {}) else PullStage.MEMBERS
        return _unread(told, stage, "the policies of the tenant")
    if told.allowed_by and told.enrolment_read:
        state = _word(told.enrolment.state) if told.enrolment else "notenrolled"
        return "" if state in ("enrolled", "enrolledwithpolicy") else _ENROLMENT.get(state, "")
    return ""


_ENROLMENT = {
    "notenrolled": "the update service has not enrolled the device yet",
    "enrolling": "the update service is enrolling the device",
    "unenrolling": "the update service is letting go of the device",
}


def _on_vbs(told: ToldFacts) -> str:
    if told.detail is None:
        return _unread(told, PullStage.DETAILS, "the device's hardware")
    said, attested = _text(told.detail.get(VBS)), _text(told.detail.get(ATTESTED_VBS))
    if told.detail.get(BLANK):
        said = ""
    parts = []
    if said and _word(said) != "running":
        parts.append(f"Graph says {said}")
    elif not said:
        parts.append("the device has not reported its hardware to Intune")
    if attested and _word(said) != "running":
        parts.append(f"health attestation says {attested}")
    return "; ".join(parts)


def _unread(told: ToldFacts, stage: PullStage, what: str) -> str:
    fault, _, _ = (told.faults or {}).get(stage, "").partition(". ")
    return f"not known: {fault.rstrip('.')}" if fault else f"not read yet: {what}"


def _errors(enrolment: Enrolment) -> str:
    return ", ".join(f"{_ERRORS[each]} ({each})" if each in _ERRORS else each for each in enrolment.errors)


# --- single members ---------------------------------------------------------------------------------


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _word(value: object) -> str:
    return value.casefold() if isinstance(value, str) else ""


def _build(value: object) -> OsBuild | None:
    try:
        return OsBuild.parse(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _platform(build: OsBuild | None, product: object) -> Platform | None:
    """Intune manages clients; a device that calls itself a server is believed."""
    if build is None:
        return None
    if product in _SERVER_PRODUCTS or build.number not in _CLIENTS:
        return _SERVERS.get(build.number)
    return _CLIENTS[build.number]


def _edition(value: object) -> str:
    return _text(value).removeprefix("Microsoft ").removeprefix("Windows ").removeprefix("11 ").removeprefix("10 ")


def _form(listed: Mapping[str, Any]) -> FormFactor:
    if _word(listed.get("deviceType")) == "cloudpc" or _word(listed.get("model")).startswith("cloud pc"):
        return FormFactor.CLOUD_PC
    return _FORMS.get(_word(listed.get("chassisType")), FormFactor.UNKNOWN)


def _model(model: str, manufacturer: str) -> str:
    """Intune gives maker and model apart; a model that names its maker, or a Cloud PC, stays as it is."""
    maker = manufacturer.partition(" ")[0]
    if not model or not maker or maker.casefold() in model.casefold() or model.casefold().startswith("cloud pc"):
        return model
    return f"{maker} {model}"[:300]
