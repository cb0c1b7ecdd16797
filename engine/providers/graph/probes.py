"""The small requests that show which parts of a tenant's service are open to us; `checks` sends them all.

Each reads one row at most. Nothing is changed, and one that is refused does not keep the others from being sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.model.errors import Denied, EngineError, ProviderError, Unreachable
from engine.providers.graph.answers import plain
from engine.providers.graph.odata import segment
from engine.providers.graph.permissions import granting, permission
from engine.providers.graph.steps import CheckStep, StepState, grant, skipped
from engine.providers.graph.token_facts import TokenFacts

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient


class _Probe(Struct, frozen=True):
    """One small request that shows whether a part of the service is open to us."""

    id: str
    title: str
    permission: str
    path: str
    params: Mapping[str, str]
    version: str
    tell: Callable[[Mapping[str, Any]], str]


# --- what the service lets us read ------------------------------------------------------------------


def _first(body: Mapping[str, Any]) -> Mapping[str, Any]:
    value = body.get("value")
    return value[0] if isinstance(value, list) and value and isinstance(value[0], Mapping) else {}


def _some(noun: str) -> Callable[[Mapping[str, Any]], str]:
    def tell(body: Mapping[str, Any]) -> str:
        return "readable" if _first(body) else f"readable; there are no {noun}"

    return tell


def _organization(body: Mapping[str, Any]) -> str:
    found = _first(body)
    name, number = plain(str(found.get("displayName") or ""), 80), plain(str(found.get("id") or ""), 40)
    return f"{name or 'without a name'} {number}".strip()


_DEVICES, _CONFIGURATION, _UPDATES = (
    "DeviceManagementManagedDevices.Read.All",
    "DeviceManagementConfiguration.Read.All",
    "WindowsUpdates.Read.All",
)
_ONE = {"$top": "1", "$select": "id"}
_RING = "microsoft.graph.windowsUpdateForBusinessConfiguration"
_PROBES = (
    _Probe(
        "organization",
        "organisation",
        _CONFIGURATION,
        "/organization",
        {"$select": "id,displayName"},
        "v1.0",
        _organization,
    ),
    _Probe(
        "devices",
        "managed devices",
        _DEVICES,
        "/deviceManagement/managedDevices",
        {**_ONE, "$filter": "operatingSystem eq 'Windows'"},
        "beta",
        _some("Windows devices"),
    ),
    _Probe(
        "catalogue",
        "update catalogue",
        _UPDATES,
        "/admin/windows/updates/catalog/entries",
        {"$top": "1"},
        "beta",
        _some("entries"),
    ),
    _Probe(
        "enrolment",
        "enrolled devices",
        _UPDATES,
        "/admin/windows/updates/updatableAssets",
        {"$top": "1"},
        "beta",
        _some("enrolled devices"),
    ),
    _Probe(
        "service-policies",
        "service policies",
        _UPDATES,
        "/admin/windows/updates/policies",
        {"$top": "1"},
        "beta",
        _some("policies of the service"),
    ),
    _Probe(
        "policies",
        "update policies",
        _CONFIGURATION,
        "/deviceManagement/windowsQualityUpdatePolicies",
        {"$top": "1"},
        "beta",
        _some("quality update policies"),
    ),
    _Probe(
        "rings",
        "update rings",
        _CONFIGURATION,
        "/deviceManagement/deviceConfigurations",
        {"$top": "1", "$filter": f"isof('{_RING}')"},
        "v1.0",
        _some("update rings"),
    ),
    _Probe(
        "reports",
        "reports",
        _CONFIGURATION,
        "/deviceManagement/reports/exportJobs",
        {"$top": "1"},
        "beta",
        _some("exported reports"),
    ),
    _Probe(
        "licences",
        "licences",
        "LicenseAssignment.Read.All",
        "/subscribedSkus",
        {"$select": "id,skuPartNumber,servicePlans"},
        "v1.0",
        _some("licences"),
    ),
    _Probe("groups", "groups", "GroupMember.Read.All", "/groups", _ONE, "v1.0", _some("groups")),
)


async def access(
    client: GraphClient, base_url: str, facts: TokenFacts | None, *, is_open: bool
) -> AsyncIterator[CheckStep]:
    """The address, by the first request that is answered at all, then every part of the service.

    `is_open` False skips them all: without a token the service says nothing.
    """
    for number, probe in enumerate(_PROBES):
        body: Mapping[str, Any] = {}
        if is_open:
            step, body, is_there = await _try(client, probe, facts)
            if number == 0:
                yield _address(base_url, step, is_there=is_there)
                is_open = is_there
        elif number == 0:
            yield skipped("address", "address")
        yield step if is_open else skipped(probe.id, probe.title)
        if probe.id == "devices":
            yield await _hardware(client, str(_first(body).get("id") or ""), facts, is_open=is_open)


def _address(base_url: str, step: CheckStep, *, is_there: bool) -> CheckStep:
    if is_there:
        return CheckStep("address", "address", StepState.OK, f"{base_url} answers")
    fix = "Check the network, the proxy (HTTPS_PROXY), and the address in: hotpatch provider list"
    return CheckStep("address", "address", StepState.FAILED, f"{base_url} does not answer. {step.found}", fix=fix)


async def _hardware(client: GraphClient, device_id: str, facts: TokenFacts | None, *, is_open: bool) -> CheckStep:
    """VBS is told only when a device is asked for alone."""
    if not is_open:
        return skipped("hardware", "device details")
    if not device_id:
        return skipped("hardware", "device details", "there is no device to look at")
    probe = _Probe(
        "hardware",
        "device details",
        _DEVICES,
        f"/deviceManagement/managedDevices/{segment(device_id)}",
        {"$select": "id,hardwareInformation"},
        "beta",
        lambda body: "readable" if body.get("hardwareInformation") else "readable; the first device tells none yet",
    )
    step, _, _ = await _try(client, probe, facts)
    return step


async def _try(
    client: GraphClient, probe: _Probe, facts: TokenFacts | None
) -> tuple[CheckStep, Mapping[str, Any], bool]:
    """The step, what came, and whether anything answered."""
    try:
        body = await client.get(probe.path, probe.params, version=probe.version)
    except Denied as error:
        return _denied(probe, error, facts), {}, True
    except ProviderError as error:
        found = " ".join(part for part in (error.what, error.why) if part)
        is_there = not isinstance(error, Unreachable) or getattr(error, "status", 0) > 0
        return CheckStep(probe.id, probe.title, StepState.FAILED, found, fix=error.instead), {}, is_there
    return CheckStep(probe.id, probe.title, StepState.OK, probe.tell(body)), body, True


def _denied(probe: _Probe, error: EngineError, facts: TokenFacts | None) -> CheckStep:
    needed = permission(probe.permission)
    said = error.why
    role = f"{needed.role} (given by {granting().role})" if needed.role else ""
    if facts is not None and needed.is_in(facts.granted):
        missing: tuple[str, ...] = (needed.role,) if needed.role else ()
        fix = f"The permission is there; what is missing is a role: {role}." if role else ""
        if not facts.is_delegated and role:
            fix = (
                f"The permission is there. Perhaps it was granted a moment ago: try again in some minutes; else {role}."
            )
    else:
        missing = (needed.name,)
        fix = grant([needed], facts)
        if role and (facts is None or facts.is_delegated):
            fix += f" A person needs a role besides: {role}."
    found = f"{needed.without}. {said}".strip()
    return CheckStep(probe.id, probe.title, StepState.DENIED, found, missing, fix)
