"""The licences of primary users, 20 users in one request.

The pull of the inventory calls it. Source: Microsoft Graph v1.0, "List licenseDetails".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.providers.graph.batching import Part
from engine.providers.graph.devices import plain, plain_id
from engine.providers.graph.odata import NEXT_LINK, segment
from engine.rules.readiness import Assigned

if TYPE_CHECKING:
    from engine.providers.graph.answers import GraphError
    from engine.providers.graph.client import GraphClient

_VERSION = "v1.0"
_SELECT = "?$select=id,skuPartNumber,servicePlans"


class LicenceAnswer(Struct, frozen=True):
    """What came for one user: the licences, or the error."""

    user_id: str
    assigned: tuple[Assigned, ...]
    error: GraphError | None


async def user_licences(client: GraphClient, user_ids: Iterable[str]) -> AsyncIterator[LicenceAnswer]:
    """The licences of these users, in any order.

    Raises:
        ProviderError: a whole batch failed; the answers until then have been given.
    """
    parts = (Part(each, "GET", f"/users/{segment(each)}/licenseDetails{_SELECT}") for each in user_ids)
    async for answer in client.batch(parts, version=_VERSION):
        if answer.error or not isinstance(answer.body, Mapping):
            yield LicenceAnswer(answer.id, (), answer.error)
            continue
        assigned = [*_rows(answer.body.get("value"))]
        link = answer.body.get(NEXT_LINK)
        if isinstance(link, str) and link:
            async for page in client.pages("/users", version=_VERSION, start=link):
                assigned += _rows(page.items)
        yield LicenceAnswer(answer.id, tuple(assigned), None)


def read_licence(item: Mapping[str, Any]) -> Assigned:
    """One licence with its service plans."""
    plans = item.get("servicePlans")
    read = [_plan(each) for each in plans if isinstance(each, Mapping)] if isinstance(plans, list) else []
    return Assigned(plain(item.get("skuPartNumber"), 120), tuple(each for each in read if each[0]))


def _plan(item: Mapping[str, Any]) -> tuple[str, str]:
    return plain_id(item.get("servicePlanId")).casefold(), plain(item.get("provisioningStatus"), 60)


def _rows(items: object) -> Iterable[Assigned]:
    if isinstance(items, list | tuple):
        yield from (read_licence(each) for each in items if isinstance(each, Mapping))
