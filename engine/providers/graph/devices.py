"""The list of managed devices: what is asked for, and what one entry of it says.

The pull of the inventory calls it. Source: Microsoft Graph beta, "managedDevice resource type".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.rules.tenants.inventory import ListedDevice

if TYPE_CHECKING:
    from engine.providers.graph.client import GraphClient, Page

PATH = "/deviceManagement/managedDevices"
TOLD = (
    "deviceName userPrincipalName userDisplayName osVersion skuFamily skuNumber processorArchitecture joinType "
    "managementAgent deviceEnrollmentType model manufacturer serialNumber chassisType deviceType"
).split()
"""Members that facts are made of, and that are kept as they came."""
SELECTED = ("id", "azureADDeviceId", "userId", "lastSyncDateTime", "operatingSystem", "complianceState", *TOLD)
_QUERY = {"$filter": "operatingSystem eq 'Windows'", "$select": ",".join(SELECTED), "$top": "1000"}
_NO_ID = "00000000-0000-0000-0000-000000000000"
_LONGEST = 300
_OTHER_SYSTEMS = ("ios", "ipados", "mac", "android", "aosp", "chrome", "linux", "unix", "tvos", "visionos")
"""Beginnings of what is no Windows. The list is asked for Windows alone; not every proxy of Graph filters."""


def device_pages(client: GraphClient, start: str = "") -> AsyncIterator[Page]:
    """The pages of the list of Windows devices, from its beginning or from a kept link."""
    return client.pages(PATH, _QUERY, start=start)


def read_device(item: Mapping[str, Any]) -> ListedDevice | None:
    """The device in one entry; None for one without an id, and for what is no Windows device."""
    intune_id = plain_id(item.get("id"))
    system = item.get("operatingSystem")
    if not intune_id or (isinstance(system, str) and system.casefold().startswith(_OTHER_SYSTEMS)):
        return None
    return ListedDevice(
        intune_id=intune_id,
        entra_id=plain_id(item.get("azureADDeviceId")),
        user_id=plain_id(item.get("userId")),
        synced_at=moment(item.get("lastSyncDateTime")),
        told={name: kept for name in TOLD if (kept := _kept(item.get(name))) is not None},
    )


def plain_id(value: object) -> str:
    """An id as it came; "" for null, for the zero id that stands for "none", and for what can be no id."""
    if not isinstance(value, str):
        return ""
    found = value.strip()
    return found if found.strip(".") and found != _NO_ID and len(found) <= 128 and found.isprintable() else ""


def plain(value: object, longest: int = _LONGEST) -> str:
    """A text of the service on one line without control characters, cut to length; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    if not value.isprintable():
        value = "".join(sign if sign.isprintable() else " " for sign in value[: longest * 4])
    return " ".join(value.split())[:longest]


def moment(value: object) -> datetime | None:
    """A time of Graph's as UTC; None for null, for the years 1 and 9999 ("never"), and for what is no time."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    if not 1980 <= found.year <= 2999:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _kept(value: object) -> str | int | None:
    """Texts and whole numbers only; what is empty is not kept."""
    if isinstance(value, str):
        return plain(value) or None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
