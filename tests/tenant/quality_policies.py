"""Intune's quality-update policies with approvals by catalog item, expedite profiles, and Intune's catalog.

Two policies: one allows hotpatches and reaches rings Test and First, one does not and reaches Broad.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from engine.providers.graph.client import GraphClient
from tests.tenant.routing import Asked, Reply, Route, error, listed, not_found, one, route
from tests.tenant.state import TenantState, group_id

POLICIES = "/deviceManagement/windowsQualityUpdatePolicies"
PROFILES = "/deviceManagement/windowsQualityUpdateProfiles"
ITEMS = "/deviceManagement/windowsUpdateCatalogItems"
_POLICY = "#microsoft.graph.windowsQualityUpdatePolicy"
_PROFILE = "#microsoft.graph.windowsQualityUpdateProfile"
_ITEM = "#microsoft.graph.windowsQualityUpdateCatalogItem"
_DETAIL = "#microsoft.graph.windowsQualityUpdateCatalogItemPolicyDetail"
HOTPATCH, PLAIN = "f1a50000-0001-4000-8000-000000000001", "f1a50000-0002-4000-8000-000000000002"
MAY_ITEM = "3c1e9a62-0000-4000-8000-000005089466"
_RELEASES = (
    (MAY_ITEM, "2026-05-12", (5089466, 5089549)),
    ("3c1e9a62-0000-4000-8000-000005083769", "2026-04-14", (5083769,)),
    ("3c1e9a62-0000-4000-8000-000005094126", "2026-06-09", (5094126,)),
)


def group_target(group: int | str, kind: str = "groupAssignmentTarget") -> dict[str, Any]:
    """A target as assignments have it; a number stands for one of the tenant's own groups."""
    name = group_id(group) if isinstance(group, int) else group
    return {"@odata.type": f"#microsoft.graph.{kind}", "groupId": name}


def policy_row(policy_id: str, name: str, *groups: int, hotpatch: bool | None) -> dict[str, Any]:
    """A policy for groups."""
    return {
        "@odata.type": _POLICY,
        "id": policy_id,
        "displayName": name,
        "description": "",
        "createdDateTime": "2026-01-05T09:00:00Z",
        "lastModifiedDateTime": "2026-04-01T09:00:00Z",
        "hotpatchEnabled": hotpatch,
        "roleScopeTagIds": ["0"],
        "approvalSettings": [
            {
                "windowsQualityUpdateCadence": "monthly",
                "windowsQualityUpdateCategory": "security",
                "approvalMethodType": "manual",
                "deferredDeploymentInDay": 0,
            }
        ],
        "assignments": [assignment(policy_id, group_target(group)) for group in groups],
    }


def assignment(owner: str, target: Mapping[str, Any]) -> dict[str, Any]:
    """One assignment of a policy."""
    return {"id": f"{owner}_{target.get('groupId', 'all')}", "target": dict(target)}


def policies(state: TenantState) -> dict[str, dict[str, Any]]:
    """The policies; made when they are first looked at."""
    rows = state.tables["quality-policies"]
    if not rows and not state.tables["no-quality-policies"]:
        rows[HOTPATCH] = policy_row(HOTPATCH, "Hotpatch", 1, 2, hotpatch=True)
        rows[PLAIN] = policy_row(PLAIN, "No hotpatch", 3, hotpatch=False)
    return rows


def approvals(state: TenantState) -> dict[str, dict[str, Any]]:
    """``policy/item`` → {"status": ..}."""
    return state.tables["quality-approvals"]


def status_of(state: TenantState, policy_id: str, item_id: str) -> str:
    return str(approvals(state).get(f"{policy_id}/{item_id}", {}).get("status", "unknown"))


def _items() -> list[Mapping[str, Any]]:
    feature = {
        "@odata.type": "#microsoft.graph.windowsFeatureUpdateCatalogItem",
        "id": "feature-25h2",
        "displayName": "Windows 11, version 25H2",
        "releaseDateTime": "2025-09-30T00:00:00Z",
        "version": "Windows 11, version 25H2",
    }
    return [*(_item(*release) for release in _RELEASES), feature]


def add_item(state: TenantState, item_id: str, day: str, *kbs: int) -> None:
    """One more item in Intune's catalog."""
    state.tables["catalog-items"][item_id] = dict(_item(item_id, day, kbs))


def _item(item_id: str, day: str, kbs: tuple[int, ...]) -> Mapping[str, Any]:
    return {
        "@odata.type": _ITEM,
        "id": item_id,
        "displayName": f"{day} - Security Update for Windows 11 and later",
        "releaseDateTime": f"{day}T00:00:00Z",
        "kbArticleId": f"KB{kbs[0]}",
        "classification": "security",
        "qualityUpdateCadence": "monthly",
        "isExpeditable": True,
        "productRevisions": [
            {
                "displayName": f"KB{kb}",
                "productName": "Windows 11",
                "versionName": "24H2",
                "releaseDateTime": f"{day}T00:00:00Z",
                "knowledgeBaseArticle": {
                    "articleId": f"KB{kb}",
                    "articleUrl": f"https://support.microsoft.com/help/{kb}",
                },
            }
            for kb in kbs
        ],
    }


# --- policies ---------------------------------------------------------------------------------------


def _as_asked(row: Mapping[str, Any], asked: Asked) -> Mapping[str, Any]:
    """Assignments come only when they are asked for."""
    if "assignments" in asked.options.get("$expand", ""):
        return row
    return {name: value for name, value in row.items() if name != "assignments"}


def _all(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, list(policies(state).values()), adapt=_as_asked)


def _single(asked: Asked, state: TenantState) -> Reply:
    row = policies(state).get(asked.names["id"])
    return one(_as_asked(row, asked) if row else None, asked)


def _assignments(asked: Asked, state: TenantState) -> Reply:
    row = policies(state).get(asked.names["id"])
    return listed(asked, state, row["assignments"]) if row else not_found("Policy")


def _create(asked: Asked, state: TenantState) -> Reply:
    policy_id = f"f1a50000-1000-4000-8000-{len(policies(state)):012d}"
    row = policy_row(policy_id, "", hotpatch=None) | asked.body
    policies(state)[policy_id] = row
    return Reply(201, _as_asked(row, asked))


def _change(asked: Asked, state: TenantState) -> Reply:
    row = policies(state).get(asked.names["id"])
    if row is None:
        return not_found("Policy")
    row.update(asked.body)
    row["lastModifiedDateTime"] = state.now
    return Reply(body=_as_asked(row, asked))


def _delete(asked: Asked, state: TenantState) -> Reply:
    return Reply(204) if policies(state).pop(asked.names["id"], None) else not_found("Policy")


def _assign(asked: Asked, state: TenantState) -> Reply:
    row = policies(state).get(asked.names["id"])
    if row is None:
        return not_found("Policy")
    row["assignments"] = [assignment(row["id"], each["target"]) for each in asked.body["assignments"]]
    return Reply(204)


def _bulk_action(asked: Asked, state: TenantState) -> Reply:
    if asked.names["id"] not in policies(state):
        return not_found("Policy")
    known = {each["id"] for each in _items()} | set(state.tables["catalog-items"])
    done = [each for each in asked.body["ids"] if each in known]
    status = {"approve": "approved", "suspend": "suspended"}[asked.body["action"]]
    for each in done:
        approvals(state)[f"{asked.names['id']}/{each}"] = {"status": status}
    failed = [each for each in asked.body["ids"] if each not in known]
    return Reply(body={"successfulIds": done, "failedIds": failed})


def _details(asked: Asked, state: TenantState) -> Reply:
    policy_id = asked.names["id"]
    if policy_id not in policies(state):
        return not_found("Policy")
    ids = [each.strip("'") for each in unquote(asked.names["ids"]).strip("[]").split(",")]
    rows = [
        {
            "@odata.type": _DETAIL,
            "policyId": policy_id,
            "catalogItemId": each,
            "approvalStatus": status_of(state, policy_id, each),
        }
        for each in ids
    ]
    return listed(asked, state, rows)


# --- profiles and catalog ---------------------------------------------------------------------------


def _profiles(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, list(state.tables["profiles"].values()), adapt=_as_asked)


def _profile(asked: Asked, state: TenantState) -> Reply:
    row = state.tables["profiles"].get(asked.names["id"])
    return one(_as_asked(row, asked) if row else None, asked)


def _make_profile(asked: Asked, state: TenantState) -> Reply:
    number = len(state.tables["profiles"]) + 1
    row = {
        "@odata.type": _PROFILE,
        "id": f"f1a50000-2000-4000-8000-{number:012d}",
        "createdDateTime": state.now,
        "lastModifiedDateTime": state.now,
        "assignments": [],
        **asked.body,
    }
    state.tables["profiles"][row["id"]] = row
    return Reply(201, _as_asked(row, asked))


def _change_profile(asked: Asked, state: TenantState) -> Reply:
    row = state.tables["profiles"].get(asked.names["id"])
    if row is None:
        return not_found("Profile")
    row.update(asked.body)
    return Reply(body=_as_asked(row, asked))


def _delete_profile(asked: Asked, state: TenantState) -> Reply:
    return Reply(204) if state.tables["profiles"].pop(asked.names["id"], None) else not_found("Profile")


def _assign_profile(asked: Asked, state: TenantState) -> Reply:
    row = state.tables["profiles"].get(asked.names["id"])
    if row is None:
        return not_found("Profile")
    if any("@odata.type" not in each["target"] for each in asked.body["assignments"]):
        return error(400, "BadRequest", "A target without its type.")
    row["assignments"] = [assignment(row["id"], each["target"]) for each in asked.body["assignments"]]
    return Reply(204)


def _catalog(asked: Asked, state: TenantState) -> Reply:
    return listed(asked, state, [*_items(), *state.tables["catalog-items"].values()])


ROUTES: tuple[Route, ...] = (
    route("GET", "beta", POLICIES, _all),
    route("POST", "beta", POLICIES, _create),
    route("GET", "beta", f"{POLICIES}/{{id}}", _single),
    route("PATCH", "beta", f"{POLICIES}/{{id}}", _change),
    route("DELETE", "beta", f"{POLICIES}/{{id}}", _delete),
    route("POST", "beta", f"{POLICIES}/{{id}}/assign", _assign),
    route("GET", "beta", f"{POLICIES}/{{id}}/assignments", _assignments),
    route("POST", "beta", f"{POLICIES}/{{id}}/bulkAction", _bulk_action),
    route("GET", "beta", f"{POLICIES}/{{id}}/retrieveWindowsQualityUpdateCatalogItemDetails(ids={{ids}})", _details),
    route("GET", "beta", PROFILES, _profiles),
    route("POST", "beta", PROFILES, _make_profile),
    route("GET", "beta", f"{PROFILES}/{{id}}", _profile),
    route("PATCH", "beta", f"{PROFILES}/{{id}}", _change_profile),
    route("DELETE", "beta", f"{PROFILES}/{{id}}", _delete_profile),
    route("POST", "beta", f"{PROFILES}/{{id}}/assign", _assign_profile),
    route("GET", "beta", ITEMS, _catalog),
)
_BY = "by_windowsQualityUpdatePolicy"
OPERATIONS = frozenset(
    f"beta.{method}.deviceManagement.{name}"
    for name, methods in {
        "windowsQualityUpdatePolicies": "get post",
        f"windowsQualityUpdatePolicies.{_BY}": "get patch delete",
        f"windowsQualityUpdatePolicies.{_BY}.assign": "post",
        f"windowsQualityUpdatePolicies.{_BY}.assignments": "get",
        f"windowsQualityUpdatePolicies.{_BY}.bulkAction": "post",
        f"windowsQualityUpdatePolicies.{_BY}.retrieveWindowsQualityUpdateCatalogItemDetails_ids_ids": "get",
        "windowsQualityUpdateProfiles": "get post",
        "windowsQualityUpdateProfiles.by_windowsQualityUpdateProfile": "get patch delete",
        "windowsQualityUpdateProfiles.by_windowsQualityUpdateProfile.assign": "post",
        "windowsUpdateCatalogItems": "get",
    }.items()
    for method in methods.split()
)


async def drive(client: GraphClient) -> None:
    """Each operation once."""
    await client.get(POLICIES, {"$expand": "assignments"})
    made = await client.send("POST", POLICIES, {"@odata.type": _POLICY, "displayName": "New", "hotpatchEnabled": True})
    path = f"{POLICIES}/{made.body['id']}"
    await client.get(path, {"$expand": "assignments"})
    await client.send("PATCH", path, {"@odata.type": _POLICY, "hotpatchEnabled": False})
    await client.send("POST", f"{path}/assign", {"assignments": [{"target": group_target(2)}]})
    await client.get(f"{path}/assignments")
    await client.send("POST", f"{path}/bulkAction", {"action": "approve", "ids": [MAY_ITEM]})
    await client.get(f"{path}/retrieveWindowsQualityUpdateCatalogItemDetails(ids=%5B'{MAY_ITEM}'%5D)")
    await client.send("DELETE", path)
    await client.get(PROFILES)
    settings = {"qualityUpdateRelease": "2026-05-12T00:00:00Z", "daysUntilForcedReboot": 1}
    profile = {"@odata.type": _PROFILE, "displayName": "Emergency", "expeditedUpdateSettings": settings}
    made = await client.send("POST", PROFILES, profile)
    path = f"{PROFILES}/{made.body['id']}"
    await client.get(path)
    await client.send("PATCH", path, {"@odata.type": _PROFILE, "displayName": "Emergency 2"})
    await client.send("POST", f"{path}/assign", {"assignments": [{"target": group_target(2)}]})
    await client.send("DELETE", path)
    await client.get(ITEMS, {"$filter": "isof('microsoft.graph.windowsQualityUpdateCatalogItem')"})
