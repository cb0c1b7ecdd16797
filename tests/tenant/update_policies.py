"""The newer update policies with their rings and approvals. A tenant has none unless a test gives it some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.providers.graph.client import GraphClient
from tests.tenant.catalogue import entry_id
from tests.tenant.routing import Asked, Reply, Route, error, listed, not_found, one, route
from tests.tenant.state import TenantState, group_id

ROOT = "/admin/windows/updates/policies"
_POLICY = "#microsoft.graph.windowsUpdates.qualityUpdatePolicy"
_RING = "#microsoft.graph.windowsUpdates.qualityUpdateRing"
_APPROVAL = "#microsoft.graph.windowsUpdates.policyApproval"
MAY_ENTRY = entry_id("2026.05 B")


def add_policy(state: TenantState, policy_id: str, name: str) -> dict[str, Any]:
    """A policy without rings."""
    row = {
        "@odata.type": _POLICY,
        "id": policy_id,
        "displayName": name,
        "description": "",
        "createdDateTime": "2026-01-05T09:00:00Z",
        "lastModifiedDateTime": "2026-04-01T09:00:00Z",
        "approvalRules": [],
    }
    state.tables["update-policies"][policy_id] = row
    return row


def add_ring(
    state: TenantState, policy_id: str, own_id: str, name: str, *groups: int, deferral: int, hotpatch: bool = True
) -> dict[str, Any]:
    """A ring of a policy for groups."""
    row = {
        "@odata.type": _RING,
        "id": own_id,
        "displayName": name,
        "description": "",
        "createdDateTime": "2026-01-05T09:00:00Z",
        "lastModifiedDateTime": "2026-04-01T09:00:00Z",
        "deferralInDays": deferral,
        "isPaused": False,
        "isHotpatchEnabled": hotpatch,
        "includedGroupAssignment": {"assignments": [{"groupId": group_id(group)} for group in groups]},
        "excludedGroupAssignment": None,
    }
    state.tables[f"rings of {policy_id}"][own_id] = row
    return row


def approvals_of(state: TenantState, policy_id: str) -> dict[str, dict[str, Any]]:
    return state.tables[f"approvals of {policy_id}"]


def _known(asked: Asked, state: TenantState) -> bool:
    return asked.names["policy"] in state.tables["update-policies"]


def _all(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, list(state.tables["update-policies"].values()))


def _single(asked: Asked, state: TenantState) -> Reply:
    return one(state.tables["update-policies"].get(asked.names["policy"]), asked)


def _create(asked: Asked, state: TenantState) -> Reply:
    row = add_policy(state, f"policy-{len(state.tables['update-policies']) + 1}", "") | asked.body
    state.tables["update-policies"][row["id"]] = row
    return Reply(201, row)


def _change(asked: Asked, state: TenantState) -> Reply:
    row = state.tables["update-policies"].get(asked.names["policy"])
    if row is None:
        return not_found("Policy")
    row.update(asked.body)
    return Reply(body=row)


def _delete(asked: Asked, state: TenantState) -> Reply:
    found = state.tables["update-policies"].pop(asked.names["policy"], None)
    return Reply(204) if found else not_found("Policy")


def _rows(asked: Asked, state: TenantState) -> dict[str, dict[str, Any]]:
    """Rings or approvals of the policy, by what the path names."""
    kind = "rings" if "/rings" in asked.path else "approvals"
    return state.tables[f"{kind} of {asked.names['policy']}"]


def _children(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, list(_rows(asked, state).values())) if _known(asked, state) else not_found("Policy")


def _child(asked: Asked, state: TenantState) -> Reply:
    return one(_rows(asked, state).get(asked.names["id"]) if _known(asked, state) else None, asked)


def _change_child(asked: Asked, state: TenantState) -> Reply:
    row = _rows(asked, state).get(asked.names["id"])
    if row is None:
        return not_found()
    row.update(asked.body)
    row["lastModifiedDateTime"] = state.now
    return Reply(body=row)


def _delete_child(asked: Asked, state: TenantState) -> Reply:
    return Reply(204) if _rows(asked, state).pop(asked.names["id"], None) else not_found()


def _create_ring(asked: Asked, state: TenantState) -> Reply:
    number = len(_rows(asked, state)) + 1
    row = add_ring(state, asked.names["policy"], f"ring-{number}", "", deferral=0) | asked.body
    _rows(asked, state)[row["id"]] = row
    return Reply(201, row)


def _approve(asked: Asked, state: TenantState) -> Reply:
    if not _known(asked, state):
        return not_found("Policy")
    rows = _rows(asked, state)
    if any(each["catalogEntryId"] == asked.body["catalogEntryId"] for each in rows.values()):
        return error(409, "Conflict", "An approval for this catalog entry exists.")
    row = {
        "@odata.type": _APPROVAL,
        "id": f"approval-{len(rows) + 1}",
        "createdDateTime": state.now,
        "lastModifiedDateTime": state.now,
        **asked.body,
    }
    rows[row["id"]] = row
    return Reply(201, row)


def _nothing(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, []) if _known(asked, state) else not_found("Policy")


ROUTES: tuple[Route, ...] = (
    route("GET", "beta", ROOT, _all),
    route("POST", "beta", ROOT, _create),
    route("GET", "beta", f"{ROOT}/{{policy}}", _single),
    route("PATCH", "beta", f"{ROOT}/{{policy}}", _change),
    route("DELETE", "beta", f"{ROOT}/{{policy}}", _delete),
    route("GET", "beta", f"{ROOT}/{{policy}}/rings", _children),
    route("POST", "beta", f"{ROOT}/{{policy}}/rings", _create_ring),
    route("GET", "beta", f"{ROOT}/{{policy}}/rings/{{id}}", _child),
    route("PATCH", "beta", f"{ROOT}/{{policy}}/rings/{{id}}", _change_child),
    route("DELETE", "beta", f"{ROOT}/{{policy}}/rings/{{id}}", _delete_child),
    route("GET", "beta", f"{ROOT}/{{policy}}/approvals", _children),
    route("POST", "beta", f"{ROOT}/{{policy}}/approvals", _approve),
    route("GET", "beta", f"{ROOT}/{{policy}}/approvals/{{id}}", _child),
    route("PATCH", "beta", f"{ROOT}/{{policy}}/approvals/{{id}}", _change_child),
    route("DELETE", "beta", f"{ROOT}/{{policy}}/approvals/{{id}}", _delete_child),
    route("GET", "beta", f"{ROOT}/{{policy}}/applicableContent", _nothing),
)
_POLICY_OPERATION = "admin.windows.updates.policies.by_policy"
OPERATIONS = frozenset(
    f"beta.{method}.{name}"
    for name, methods in {
        "admin.windows.updates.policies": "get post",
        _POLICY_OPERATION: "get patch delete",
        f"{_POLICY_OPERATION}.rings": "get post",
        f"{_POLICY_OPERATION}.rings.by_ring": "get patch delete",
        f"{_POLICY_OPERATION}.approvals": "get post",
        f"{_POLICY_OPERATION}.approvals.by_policyApproval": "get patch delete",
        f"{_POLICY_OPERATION}.applicableContent": "get",
    }.items()
    for method in methods.split()
)


async def drive(client: GraphClient) -> None:
    """Each operation once."""
    await client.get(ROOT)
    rule: Mapping[str, Any] = {
        "@odata.type": "#microsoft.graph.windowsUpdates.qualityUpdateApprovalRule",
        "deferralInDays": 0,
        "classification": "security",
        "cadence": "monthly",
    }
    made = await client.send(
        "POST", ROOT, {"@odata.type": _POLICY, "displayName": "New", "description": "", "approvalRules": [rule]}
    )
    path = f"{ROOT}/{made.body['id']}"
    await client.get(path)
    await client.send("PATCH", path, {"@odata.type": _POLICY, "displayName": "Newer"})
    new_ring = {
        "@odata.type": _RING,
        "displayName": "R",
        "description": "",
        "deferralInDays": 1,
        "isPaused": False,
        "isHotpatchEnabled": True,
        "includedGroupAssignment": {"assignments": [{"groupId": group_id(1)}]},
        "excludedGroupAssignment": {"assignments": []},
    }
    ring = await client.send("POST", f"{path}/rings", new_ring)
    await client.get(f"{path}/rings")
    await client.get(f"{path}/rings/{ring.body['id']}")
    await client.send("PATCH", f"{path}/rings/{ring.body['id']}", {"@odata.type": _RING, "isPaused": True})
    approval = {"@odata.type": _APPROVAL, "catalogEntryId": MAY_ENTRY, "status": "approved"}
    given = await client.send("POST", f"{path}/approvals", approval)
    await client.get(f"{path}/approvals")
    await client.get(f"{path}/approvals/{given.body['id']}")
    await client.send(
        "PATCH", f"{path}/approvals/{given.body['id']}", {"@odata.type": _APPROVAL, "status": "suspended"}
    )
    await client.get(f"{path}/applicableContent")
    await client.send("DELETE", f"{path}/approvals/{given.body['id']}")
    await client.send("DELETE", f"{path}/rings/{ring.body['id']}")
    await client.send("DELETE", path)
