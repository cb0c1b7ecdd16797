"""Intune's update rings, as device configurations among others: deferral, deadline, grace, pause, rolling back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from engine.providers.graph.client import GraphClient
from tests.tenant.quality_policies import group_target
from tests.tenant.routing import Asked, Reply, Route, error, listed, not_found, one, route
from tests.tenant.state import TenantState, group_id

CONFIGURATIONS = "/deviceManagement/deviceConfigurations"
_KIND = "#microsoft.graph.windowsUpdateForBusinessConfiguration"
_OTHER = "#microsoft.graph.windows10GeneralConfiguration"


def ring_id(number: int) -> str:
    return f"{number:08x}-5555-4555-8555-{number:012x}"


def ring_row(
    number: int, name: str, *groups: int, deferral: int, deadline: int | None, grace: int | None
) -> dict[str, Any]:
    """An update ring for groups."""
    own_id = ring_id(number)
    return {
        "@odata.type": _KIND,
        "id": own_id,
        "displayName": name,
        "description": "",
        "version": 1,
        "createdDateTime": "2026-01-05T09:00:00Z",
        "lastModifiedDateTime": "2026-04-01T09:00:00Z",
        "qualityUpdatesDeferralPeriodInDays": deferral,
        "deadlineForQualityUpdatesInDays": deadline,
        "deadlineGracePeriodInDays": grace,
        "qualityUpdatesPaused": False,
        "qualityUpdatesPauseExpiryDateTime": "0001-01-01T00:00:00Z",
        "qualityUpdatesPauseStartDate": None,
        "qualityUpdatesWillBeRolledBack": False,
        "assignments": [{"id": f"{own_id}_{group_id(group)}", "target": group_target(group)} for group in groups],
    }


def rings(state: TenantState) -> dict[str, dict[str, Any]]:
    """The configurations, one of them of another kind; made when they are first looked at."""
    rows = state.tables["configurations"]
    if not rows and not state.tables["no-configurations"]:
        rows[ring_id(1)] = ring_row(1, "Corp Test", 1, deferral=0, deadline=1, grace=0)
        rows[ring_id(2)] = ring_row(2, "Corp First", 2, deferral=1, deadline=2, grace=2)
        rows[ring_id(3)] = ring_row(3, "Corp Broad", 3, deferral=5, deadline=5, grace=2)
        rows["other"] = {"@odata.type": _OTHER, "id": "other", "displayName": "Device restrictions", "version": 1}
    return rows


def _as_asked(row: Mapping[str, Any], asked: Asked) -> Mapping[str, Any]:
    if "assignments" in asked.options.get("$expand", ""):
        return row
    return {name: value for name, value in row.items() if name != "assignments"}


def _all(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, list(rings(state).values()), adapt=_as_asked)


def _single(asked: Asked, state: TenantState) -> Reply:
    row = rings(state).get(asked.names["id"])
    return one(_as_asked(row, asked) if row else None, asked)


def _create(asked: Asked, state: TenantState) -> Reply:
    number = 100 + len(rings(state))
    row = ring_row(number, "", deferral=0, deadline=None, grace=None) | asked.body
    rings(state)[row["id"]] = row
    return Reply(201, _as_asked(row, asked))


def _change(asked: Asked, state: TenantState) -> Reply:
    row = rings(state).get(asked.names["id"])
    if row is None:
        return not_found("Configuration")
    if asked.body.get("@odata.type", "").removeprefix("#") != row["@odata.type"].removeprefix("#"):
        return error(400, "BadRequest", "Entity type in the payload does not match the entity being updated.")
    row.update({name: value for name, value in asked.body.items() if not name.startswith("@")})
    if "qualityUpdatesPaused" in asked.body:
        _pause(row, state)
    row["version"] += 1
    row["lastModifiedDateTime"] = state.now
    return Reply(body=_as_asked(row, asked))


def _pause(row: dict[str, Any], state: TenantState) -> None:
    now = datetime.fromisoformat(state.now)
    paused = row["qualityUpdatesPaused"]
    expires = f"{now + timedelta(days=35):%Y-%m-%dT%H:%M:%SZ}"
    row["qualityUpdatesPauseExpiryDateTime"] = expires if paused else "0001-01-01T00:00:00Z"
    row["qualityUpdatesPauseStartDate"] = f"{now:%Y-%m-%d}" if paused else None


def _delete(asked: Asked, state: TenantState) -> Reply:
    return Reply(204) if rings(state).pop(asked.names["id"], None) else not_found("Configuration")


def _assign(asked: Asked, state: TenantState) -> Reply:
    row = rings(state).get(asked.names["id"])
    if row is None:
        return not_found("Configuration")
    row["assignments"] = [
        {"id": f"{row['id']}_{each['target'].get('groupId', 'all')}", "target": each["target"]}
        for each in asked.body["assignments"]
    ]
    return Reply(body={"value": row["assignments"]})


ROUTES: tuple[Route, ...] = (
    route("GET", "beta v1.0", CONFIGURATIONS, _all),
    route("POST", "beta v1.0", CONFIGURATIONS, _create),
    route("GET", "beta v1.0", f"{CONFIGURATIONS}/{{id}}", _single),
    route("PATCH", "beta v1.0", f"{CONFIGURATIONS}/{{id}}", _change),
    route("DELETE", "beta v1.0", f"{CONFIGURATIONS}/{{id}}", _delete),
    route("POST", "beta v1.0", f"{CONFIGURATIONS}/{{id}}/assign", _assign),
)
OPERATIONS = frozenset(
    f"{version}.{method}.deviceManagement.{name}"
    for version in ("beta", "v1")
    for name, methods in {
        "deviceConfigurations": "get post",
        "deviceConfigurations.by_deviceConfiguration": "get patch delete",
        "deviceConfigurations.by_deviceConfiguration.assign": "post",
    }.items()
    for method in methods.split()
)


async def drive(client: GraphClient) -> None:
    """Each operation once."""
    query = {"$filter": f"isof('{_KIND.removeprefix('#')}')", "$expand": "assignments"}
    for version in ("beta", "v1.0"):
        await client.get(CONFIGURATIONS, query, version=version)
        ring = {"@odata.type": _KIND, "displayName": "New", "qualityUpdatesDeferralPeriodInDays": 3}
        made = await client.send("POST", CONFIGURATIONS, ring, version=version)
        path = f"{CONFIGURATIONS}/{made.body['id']}"
        await client.get(path, version=version)
        pause = {"@odata.type": _KIND, "qualityUpdatesPaused": True}
        await client.send("PATCH", path, pause, version=version)
        await client.send("POST", f"{path}/assign", {"assignments": [{"target": group_target(2)}]}, version=version)
        await client.send("DELETE", path, version=version)
