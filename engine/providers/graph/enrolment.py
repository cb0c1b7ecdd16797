"""The update service's own list of devices: whether it serves each of them, and what keeps it from doing so.

The pull of the inventory calls it. Its ids are Entra device ids (Microsoft Graph beta, "azureADDevice resource type").
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.providers.graph.devices import plain, plain_id
from engine.providers.graph.odata import type_name
from engine.rules.tenants.inventory import Enrolment

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient, Page

_PATH = "/admin/windows/updates/updatableAssets"
_QUERY = {"$filter": "isof('microsoft.graph.windowsUpdates.azureADDevice')"}
_MOST_ERRORS = 10


def enrolment_pages(client: GraphClient, start: str = "") -> AsyncIterator[Page]:
    """The pages of the list, from its beginning or from a kept link."""
    return client.pages(_PATH, _QUERY, start=start)


def read_asset(item: Mapping[str, Any]) -> tuple[str, Enrolment] | None:
    """Entra device id and enrolment for quality updates; None for a group, and for what names no device."""
    entra_id = plain_id(item.get("id"))
    if not entra_id or type_name(item) not in ("windowsUpdates.azureADDevice", ""):
        return None
    enrolment = item.get("enrollment")
    quality = enrolment.get("quality") if isinstance(enrolment, Mapping) else None
    state = plain(quality.get("enrollmentState"), 60) if isinstance(quality, Mapping) else ""
    errors = item.get("errors")
    reasons = [_reason(each) for each in errors[:_MOST_ERRORS]] if isinstance(errors, list) else []
    return entra_id, Enrolment(state, tuple(dict.fromkeys(reason for reason in reasons if reason)))


def _reason(error: object) -> str:
    """Graph's word for the reason; for a kind of error that is new, the name of its type."""
    if not isinstance(error, Mapping):
        return ""
    return plain(error.get("reason"), 60) or type_name(error).rpartition(".")[2][:60]
