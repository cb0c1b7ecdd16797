"""The directory: the organisation, users with their licences, groups with their members, devices, bought products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.providers.graph.client import V1, GraphClient
from engine.providers.graph.odata import segment
from tests.tenant.fleet import entra_device, entra_object_id, number_of, user_id
from tests.tenant.routing import Asked, Reply, Route, listed, not_found, one, route
from tests.tenant.state import (
    ENTERPRISE_SKU,
    EXCHANGE_PLAN,
    FRONTLINE_SKU,
    TENANT_ID,
    UPDATE_SERVICE_PLAN,
    WINDOWS_ENTERPRISE_PLAN,
    Group,
    TenantState,
    group_id,
)


def _organisation(asked: Asked, state: TenantState) -> Reply:
    domain = {
        "name": "contoso.example",
        "isDefault": True,
        "isInitial": True,
        "type": "Managed",
        "capabilities": "Email",
    }
    row = {"id": TENANT_ID, "displayName": "Contoso", "countryLetterCode": "DE", "verifiedDomains": [domain]}
    return listed(asked, state, [row])


def _products(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, [_product(ENTERPRISE_SKU, "SPE_E3"), _product(FRONTLINE_SKU, "SPE_F1")])


def _product(sku: str, name: str) -> Mapping[str, Any]:
    return {
        "id": f"{TENANT_ID}_{sku}",
        "skuId": sku,
        "skuPartNumber": name,
        "appliesTo": "User",
        "capabilityStatus": "Enabled",
        "consumedUnits": 20,
        "prepaidUnits": {"enabled": 25, "lockedOut": 0, "suspended": 0, "warning": 0},
        "servicePlans": _plans(sku),
    }


def _plans(sku: str, status: str = "Success") -> list[Mapping[str, Any]]:
    plans = [(EXCHANGE_PLAN, "EXCHANGE_S_ENTERPRISE", "Success")]
    if sku == ENTERPRISE_SKU:
        plans += [
            (WINDOWS_ENTERPRISE_PLAN, "WIN10_PRO_ENT_SUB", status),
            (UPDATE_SERVICE_PLAN, "WINDOWSUPDATEFORBUSINESS_DEPLOYMENTSERVICE", status),
        ]
    return [
        {"servicePlanId": plan, "servicePlanName": name, "provisioningStatus": state, "appliesTo": "User"}
        for plan, name, state in plans
    ]


def _user(asked: Asked, state: TenantState) -> Reply:
    number = number_of(asked.names["id"], state.devices.count)
    if number is None:
        return not_found("User")
    row = {
        "id": user_id(number),
        "displayName": f"User {number}",
        "userPrincipalName": f"user{number}@contoso.example",
        "accountEnabled": True,
        "usageLocation": "DE",
    }
    return one(row, asked)


def _licences(asked: Asked, state: TenantState) -> Reply:
    """Most have the enterprise licence; every sixth user none, every tenth it is being taken away."""
    number = number_of(asked.names["id"], state.devices.count)
    if number is None:
        return not_found("User")
    told = state.tables["licences"].get(user_id(number))
    if told is not None:
        return listed(asked, state, told["value"])
    if number % 6 == 5:
        return listed(asked, state, [])
    status = "PendingActivation" if number % 10 == 7 else "Success"
    row = {
        "id": f"licence-{number}",
        "skuId": ENTERPRISE_SKU,
        "skuPartNumber": "SPE_E3",
        "servicePlans": _plans(ENTERPRISE_SKU, status),
    }
    return listed(asked, state, [row])


def _group_row(group: Group) -> Mapping[str, Any]:
    return {
        "id": group.id,
        "displayName": group.name,
        "description": None,
        "groupTypes": [],
        "mailEnabled": False,
        "securityEnabled": True,
        "membershipRule": None,
    }


def _groups(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, [_group_row(group) for group in state.groups.values()])


def _group(asked: Asked, state: TenantState) -> Reply:
    group = state.groups.get(asked.names["id"])
    return one(_group_row(group) if group else None, asked)


def _members(asked: Asked, state: TenantState) -> Reply:
    group = state.groups.get(asked.names["id"])
    if group is None:
        return not_found("Group")
    devices = state.devices_in(group) if asked.names["kind"] == "transitiveMembers" else group.devices
    inner = [state.groups[each] for each in group.groups if each in state.groups]
    users = len(devices) + len(inner)

    def rows(start: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for at in range(start, len(devices)):
            if state.devices.holds(devices[at]):
                yield at, entra_device(devices[at])
        for at in range(max(start, len(devices)), users):
            yield at, {"@odata.type": "#microsoft.graph.group", **_group_row(inner[at - len(devices)])}
        for at in range(max(start, users), users + len(group.users)):
            number = group.users[at - users]
            yield at, {"@odata.type": "#microsoft.graph.user", "id": user_id(number), "displayName": f"User {number}"}

    return listed(asked, state, rows)


def _devices(asked: Asked, state: TenantState) -> Reply:
    def rows(start: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number in range(start, state.devices.count):
            if state.devices.holds(number):
                yield number, _plain_device(number)

    return listed(asked, state, rows)


def _device(asked: Asked, state: TenantState) -> Reply:
    number = number_of(asked.names["id"], state.devices.count)
    here = number is not None and state.devices.holds(number) and asked.names["id"] == entra_object_id(number)
    return one(_plain_device(number) if here and number is not None else None, asked)


def _plain_device(number: int) -> Mapping[str, Any]:
    return {name: value for name, value in entra_device(number).items() if name != "@odata.type"}


ROUTES: tuple[Route, ...] = (
    route("GET", "v1.0", "/organization", _organisation),
    route("GET", "v1.0", "/subscribedSkus", _products),
    route("GET", "v1.0", "/users/{id}", _user),
    route("GET", "v1.0", "/users/{id}/licenseDetails", _licences),
    route("GET", "v1.0", "/groups", _groups),
    route("GET", "v1.0", "/groups/{id}", _group),
    route("GET", "v1.0", "/groups/{id}/{kind}", _members),
    route("GET", "v1.0", "/devices", _devices),
    route("GET", "v1.0", "/devices/{id}", _device),
)
OPERATIONS = frozenset(
    f"v1.get.{operation}"
    for operation in (
        "organization",
        "subscribedSkus",
        "users.by_user",
        "users.by_user.licenseDetails",
        "groups",
        "groups.by_group",
        "groups.by_group.members",
        "groups.by_group.transitiveMembers",
        "devices",
        "devices.by_device",
    )
)


async def drive(client: GraphClient) -> None:
    """Each operation once."""
    group, user = segment(group_id(9)), segment(user_id(2))
    paths = ["/organization", "/subscribedSkus", "/groups", "/devices", f"/devices/{segment(entra_object_id(3))}"]
    paths += [f"/groups/{group}", f"/groups/{group}/members", f"/groups/{group}/transitiveMembers"]
    paths += [f"/users/{user}", f"/users/{user}/licenseDetails"]
    for path in paths:
        await client.get(path, version=V1)
