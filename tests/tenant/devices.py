"""Managed devices of Intune: the list, a single device with its hardware, sync and restart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.providers.graph.client import BETA, V1, GraphClient
from engine.providers.graph.odata import segment
from tests.tenant.fleet import intune_id
from tests.tenant.routing import Asked, Reply, Route, listed, not_found, one, route
from tests.tenant.state import TenantState

_LIST = "/deviceManagement/managedDevices"


def _all(asked: Asked, state: TenantState) -> Reply:
    def rows(start: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        return state.devices.rows(asked.version, start)

    return listed(asked, state, rows)


def _single(asked: Asked, state: TenantState) -> Reply:
    return one(state.devices.by_id(asked.names["id"], asked.version), asked)


def _act(asked: Asked, state: TenantState) -> Reply:
    """Accepted at once; what came of it stands in the device later."""
    device = state.devices.by_id(asked.names["id"], asked.version)
    if device is None:
        return not_found("Device")
    state.tables["actions"][f"{device['id']}/{asked.names['action']}"] = {"at": state.now}
    return Reply(204)


ROUTES: tuple[Route, ...] = (
    route("GET", "beta v1.0", _LIST, _all),
    route("GET", "beta v1.0", f"{_LIST}/{{id}}", _single),
    route("POST", "beta v1.0", f"{_LIST}/{{id}}/{{action}}", _act),
)
OPERATIONS = frozenset(
    f"{version}.{operation}"
    for version in ("beta", "v1")
    for operation in (
        "get.deviceManagement.managedDevices",
        "get.deviceManagement.managedDevices.by_managedDevice",
        "post.deviceManagement.managedDevices.by_managedDevice.syncDevice",
        "post.deviceManagement.managedDevices.by_managedDevice.rebootNow",
    )
)


async def drive(client: GraphClient) -> None:
    """Each operation once."""
    device = f"{_LIST}/{segment(intune_id(3))}"
    for version in (BETA, V1):
        await client.get(_LIST, {"$top": "3"}, version=version)
        await client.get(device, version=version)
        await client.send("POST", f"{device}/syncDevice", version=version)
        await client.send("POST", f"{device}/rebootNow", version=version)
