"""What Graph tells of a single device only: the state of virtualization-based security, and editions.

The pull of the inventory calls it, 20 devices in one request. The list gives these members empty.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.providers.graph.devices import PATH, plain
from engine.providers.graph.odata import segment

if TYPE_CHECKING:
    from engine.providers.graph.answers import GraphError
    from engine.providers.graph.client import GraphClient

VBS = "deviceGuardVirtualizationBasedSecurityState"
VBS_HARDWARE = "deviceGuardVirtualizationBasedSecurityHardwareRequirementState"
ATTESTED_VBS = "virtualizationBasedSecurity"
EDITION = "operatingSystemEdition"
PRODUCT_TYPE = "operatingSystemProductType"
BLANK = "blank"
"""Kept where the device has not reported its hardware yet."""
_SELECT = "?$select=id,hardwareInformation,deviceHealthAttestationState"
_NO_PROOF = frozenset({"@odata.type", VBS, VBS_HARDWARE, "deviceGuardLocalSystemAuthorityCredentialGuardState"})


class DetailAnswer(Struct, frozen=True):
    """What came for one device: its members, or the error."""

    intune_id: str
    detail: Mapping[str, Any] | None
    error: GraphError | None


async def details(client: GraphClient, intune_ids: Iterable[str]) -> AsyncIterator[DetailAnswer]:
    """The details of these devices, in any order.

    Raises:
        ProviderError: a whole batch failed; the answers until then have been given.
    """
    # Loaded on use: facts are made, and notes on a device told, without a network.
    from engine.providers.graph.batching import Part

    parts = (Part(each, "GET", f"{PATH}/{segment(each)}{_SELECT}") for each in intune_ids)
    async for answer in client.batch(parts):
        detail = None if answer.error or not isinstance(answer.body, Mapping) else read_detail(answer.body)
        yield DetailAnswer(answer.id, detail, answer.error)


def read_detail(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The members that facts are made of, as they came; {BLANK: True} where the device has reported no hardware.

    A device that has not reported yet is given with every member null, 0 or false, and every enumeration at its first
    member, which for VBS is "running" (Microsoft Graph beta, managedDevice, hardwareInformation).
    """
    hardware = item.get("hardwareInformation")
    attested = item.get("deviceHealthAttestationState")
    kept: dict[str, Any] = {}
    if isinstance(hardware, Mapping):
        if _is_blank(hardware):
            kept[BLANK] = True
        else:
            kept |= {name: plain(hardware.get(name)) for name in (VBS, VBS_HARDWARE, EDITION) if hardware.get(name)}
            product = hardware.get(PRODUCT_TYPE)
            if isinstance(product, int) and not isinstance(product, bool) and product:
                kept[PRODUCT_TYPE] = product
    if isinstance(attested, Mapping) and (said := plain(attested.get(ATTESTED_VBS))):
        kept[ATTESTED_VBS] = said
    return kept


def _is_blank(hardware: Mapping[str, Any]) -> bool:
    """Whether the device told members besides enumerations, and all of them are empty."""
    others = [value for name, value in hardware.items() if name not in _NO_PROOF]
    return bool(others) and not any(others)
