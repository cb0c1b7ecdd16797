"""The members of a group, nested groups looked through.

The pull of the inventory calls it. Source: Microsoft Graph v1.0, "List group transitive members".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.providers.graph.devices import plain_id
from engine.providers.graph.odata import segment, type_name
from engine.rules.tenants.inventory import Member

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient, Page

_VERSION = "v1.0"
_QUERY = {"$select": "id,deviceId", "$top": "999"}


def member_pages(client: GraphClient, group_id: str, start: str = "") -> AsyncIterator[Page]:
    """The pages of one group's members, from the beginning or from a kept link."""
    return client.pages(f"/groups/{segment(group_id)}/transitiveMembers", _QUERY, version=_VERSION, start=start)


def read_member(item: Mapping[str, Any]) -> Member | None:
    """A device or a user; None for groups, contacts and what names nothing."""
    object_id = plain_id(item.get("id"))
    kind = type_name(item)
    if kind == "user" and object_id:
        return Member("user", object_id, object_id)
    device_id = plain_id(item.get("deviceId"))
    if kind in ("device", "") and device_id:
        return Member("device", device_id, object_id)
    return None
