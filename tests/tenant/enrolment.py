"""Devices in the update service: who is enrolled, what keeps others out, enrolling and taking out.

Changes are accepted with 202 and seen later, as the service does: each look moves a device one step on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.providers.graph.client import GraphClient
from engine.providers.graph.odata import segment, typed
from tests.tenant.fleet import entra_device_id, number_of
from tests.tenant.routing import Asked, Reply, Route, error, listed, not_found, one, route
from tests.tenant.state import TenantState

_ROOT = "/admin/windows/updates/updatableAssets"
_DEVICE = "#microsoft.graph.windowsUpdates.azureADDevice"
_NEXT = {"enrolling": "enrolled", "unenrolling": "notEnrolled"}


def _row(number: int, state: TenantState) -> Mapping[str, Any]:
    """Most are enrolled by their policy; every seventeenth cannot be, every fifth was not asked to."""
    told = state.tables["enrolment"].get(entra_device_id(number), {})
    errors: list[Mapping[str, Any]] = []
    enrolled = "notEnrolled" if number % 5 == 4 else "enrolledWithPolicy"
    if number % 17 == 16:
        kind = "#microsoft.graph.windowsUpdates.azureADDeviceRegistrationError"
        errors, enrolled = [{"@odata.type": kind, "reason": "invalidAzureADJoin"}], "notEnrolled"
    quality = told.get("quality", enrolled)
    return {
        "@odata.type": _DEVICE,
        "id": entra_device_id(number),
        "errors": told.get("errors", errors),
        "enrollment": {"quality": {"enrollmentState": quality, "lastModifiedDateTime": state.now}},
    }


def _all(asked: Asked, state: TenantState) -> Reply:
    def rows(start: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number in range(start, state.devices.count):
            if state.devices.holds(number):
                yield number, _row(number, state)

    return listed(asked, state, rows)


def _single(asked: Asked, state: TenantState) -> Reply:
    number = number_of(asked.names["id"], state.devices.count)
    if number is None or not state.devices.holds(number):
        return not_found("Asset")
    row = _row(number, state)
    told = state.tables["enrolment"].get(entra_device_id(number))
    if told:
        told["quality"] = _NEXT.get(told["quality"], told["quality"])
    return one(row, asked)


def _change(asked: Asked, state: TenantState) -> Reply:
    wanted = {"enrollAssets": "enrolling", "unenrollAssets": "unenrolling"}[asked.names["action"]]
    assets = asked.body["assets"]
    if len(assets) > 2000:
        return error(400, "BadRequest", "Too many assets.")
    for asset in assets:
        state.tables["enrolment"].setdefault(asset["id"], {})["quality"] = wanted
    return Reply(202)


def _action(asked: Asked, state: TenantState) -> Reply:
    name = asked.names["action"].removeprefix("microsoft.graph.windowsUpdates.")
    if name not in ("enrollAssets", "unenrollAssets"):
        return not_found("Action")
    return _change(Asked(**{**vars(asked), "names": {"action": name}}), state)


ROUTES: tuple[Route, ...] = (
    route("GET", "beta", _ROOT, _all),
    route("GET", "beta", f"{_ROOT}/{{id}}", _single),
    route("POST", "beta", f"{_ROOT}/{{action}}", _action),
)
OPERATIONS = frozenset(
    f"beta.{operation}"
    for operation in (
        "get.admin.windows.updates.updatableAssets",
        "get.admin.windows.updates.updatableAssets.by_updatableAsset",
        "post.admin.windows.updates.updatableAssets.enrollAssets",
        "post.admin.windows.updates.updatableAssets.enrollAssets.short",
        "post.admin.windows.updates.updatableAssets.unenrollAssets",
        "post.admin.windows.updates.updatableAssets.unenrollAssets.short",
    )
)


async def drive(client: GraphClient) -> None:
    """Each operation once."""
    await client.get(_ROOT)
    await client.get(f"{_ROOT}/{segment(entra_device_id(3))}")
    asset = typed("windowsUpdates.azureADDevice", {"id": entra_device_id(3)})
    for name in ("enrollAssets", "unenrollAssets"):
        for action in (name, f"microsoft.graph.windowsUpdates.{name}"):
            await client.send("POST", f"{_ROOT}/{action}", {"updateCategory": "quality", "assets": [asset]})
