"""The devices that every sample fleet begins with, whatever its size: the ones that documents and tests name,
and a ring Test that holds each kind of hotpatchable device. `fleet` makes them first.
"""

from __future__ import annotations

from msgspec import Struct

from engine.model.build import Platform
from engine.providers.simulated.company import (
    ARC_DATACENTER,
    AZURE_2022,
    AZURE_2025,
    BERLIN,
    CLOUD_PC_2,
    DUBLIN,
    ELITEBOOK_840,
    LONDON,
    MANCHESTER,
    OPTIPLEX,
    SURFACE_LAPTOP_7,
    THINKPAD_T14,
    Hardware,
    ServerOffer,
    Site,
)
from engine.providers.simulated.conditions import DeviceCondition


class ToldDevice(Struct, frozen=True):
    """A device that is told, not drawn."""

    name: str
    ring: str
    site: Site
    platform: Platform
    hardware: Hardware
    offer: ServerOffer | None = None
    """Set for servers."""
    user_name: str = ""
    sign_in: str = ""
    condition: DeviceCondition = DeviceCondition.NONE


ANCHORS = (
    ToldDevice(
        "LON-LT-0042", "Fast", LONDON, Platform.WIN11_25H2, ELITEBOOK_840,
        user_name="Alice Hartley", sign_in="alice",
    ),
    ToldDevice(
        "LON-LT-0007", "Test", LONDON, Platform.WIN11_24H2, THINKPAD_T14,
        user_name="Ngozi Okafor", sign_in="ngozi.okafor",
    ),
    ToldDevice(
        "BER-DT-0003", "Test", BERLIN, Platform.WIN11_25H2, OPTIPLEX,
        user_name="Jonas Brandt", sign_in="jonas.brandt",
    ),
    ToldDevice(
        "DUB-LT-0005", "Test", DUBLIN, Platform.WIN11_25H2, SURFACE_LAPTOP_7,
        user_name="Ciarán Byrne", sign_in="ciaran.byrne",
    ),
    ToldDevice(
        "CPC-ameyer-7F2K", "Test", BERLIN, Platform.WIN11_24H2, CLOUD_PC_2,
        user_name="Anna Meyer", sign_in="anna.meyer",
    ),
    ToldDevice("LON-SRV-WEB01", "Test", LONDON, AZURE_2025.platform, AZURE_2025.hardware[0], AZURE_2025),
    ToldDevice("DUB-SRV-APP02", "Test", DUBLIN, AZURE_2022.platform, AZURE_2022.hardware[0], AZURE_2022),
    ToldDevice(
        "MAN-LT-0011", "Test", MANCHESTER, Platform.WIN11_24H2, ELITEBOOK_840,
        user_name="Priya Raman", sign_in="priya.raman", condition=DeviceCondition.VBS_OFF,
    ),
    ToldDevice(
        "BER-SRV-SQL03", "Last", BERLIN, ARC_DATACENTER.platform, ARC_DATACENTER.hardware[0], ARC_DATACENTER
    ),
)  # fmt: skip
RESERVED_NAMES = frozenset(anchor.name for anchor in ANCHORS)
