"""To whom a policy or a ring is assigned: Intune's assignment targets, and the groups of the newer rings.

The readers of policies and rings call it. Source: Microsoft Graph beta, "deviceAndAppManagementAssignmentTarget".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.model.tenants import Reach
from engine.providers.graph.devices import plain_id
from engine.providers.graph.odata import type_name

UNTOLD = Reach(told=False)


def read_targets(assignments: object) -> Reach:
    """The reach of Intune's assignments; one of a kind that is new here is kept by the name of its type."""
    if not isinstance(assignments, list):
        return UNTOLD
    included: dict[str, None] = {}
    excluded: dict[str, None] = {}
    others: dict[str, None] = {}
    all_devices = all_users = False
    for each in assignments:
        target = each.get("target") if isinstance(each, Mapping) else None
        if not isinstance(target, Mapping):
            continue
        group = plain_id(target.get("groupId"))
        match type_name(target):
            case "groupAssignmentTarget" if group:
                included[group] = None
            case "exclusionGroupAssignmentTarget" if group:
                excluded[group] = None
            case "allDevicesAssignmentTarget":
                all_devices = True
            case "allLicensedUsersAssignmentTarget":
                all_users = True
            case "" if group:
                included[group] = None
            case other:
                others[other or "unknown"] = None
    return Reach(tuple(included), tuple(excluded), all_devices, all_users, tuple(others))


def read_groups(ring: Mapping[str, Any]) -> Reach:
    """The reach of a newer ring: the groups that it includes and excludes."""
    return Reach(_groups(ring.get("includedGroupAssignment")), _groups(ring.get("excludedGroupAssignment")))


def _groups(assignment: object) -> tuple[str, ...]:
    listed = assignment.get("assignments") if isinstance(assignment, Mapping) else None
    if not isinstance(listed, list):
        return ()
    found = (plain_id(each.get("groupId")) for each in listed if isinstance(each, Mapping))
    return tuple(dict.fromkeys(each for each in found if each))
