"""What the sample company owns: its sites, hardware, servers and drivers, with how common each is.

`fleet` picks from these tables. Data only; shares are whole numbers that are weighed against each other.
"""

from __future__ import annotations

from msgspec import Struct

from engine.model.build import Architecture, Platform
from engine.model.model import FormFactor, Management, Subscription
from engine.providers.simulated.draws import spread

SIGN_IN_DOMAIN = "contoso.com"
DOMAIN = "CONTOSO"


class Site(Struct, frozen=True):
    """An office: the code that device names begin with, and the zone its people work in."""

    code: str
    city: str
    zone: str


LONDON = Site("LON", "London", "Europe/London")
MANCHESTER = Site("MAN", "Manchester", "Europe/London")
DUBLIN = Site("DUB", "Dublin", "Europe/Dublin")
BERLIN = Site("BER", "Berlin", "Europe/Berlin")
MUNICH = Site("MUC", "Munich", "Europe/Berlin")
ZURICH = Site("ZRH", "Zürich", "Europe/Zurich")
LYON = Site("LYS", "Lyon", "Europe/Paris")
NEW_YORK = Site("NYC", "New York", "America/New_York")
AUSTIN = Site("AUS", "Austin", "America/Chicago")
SINGAPORE = Site("SIN", "Singapore", "Asia/Singapore")
SYDNEY = Site("SYD", "Sydney", "Australia/Sydney")

SITES = spread(
    [
        (LONDON, 21),
        (MANCHESTER, 10),
        (DUBLIN, 8),
        (BERLIN, 12),
        (MUNICH, 9),
        (ZURICH, 6),
        (LYON, 6),
        (NEW_YORK, 10),
        (AUSTIN, 8),
        (SINGAPORE, 6),
        (SYDNEY, 4),
    ]
)
ZONE_OF_CITY = {site.city: site.zone for site in SITES}


class Hardware(Struct, frozen=True):
    """A model the company buys, with the drivers in use on it."""

    model: str
    form: FormFactor
    architecture: Architecture
    cores: int
    drivers: tuple[str, ...]
    serial: str
    """How its maker begins a serial number."""


TROUBLED_MODEL = "Latitude 7450"
TROUBLED_DRIVER = "Intel Graphics 31.0.101.5186"
"""What most devices with `history.SHARED_CODE` have in common."""

_INTEL_NEW = "Intel Graphics 32.0.101.6078"
_INTEL_OLD = "Intel Graphics 31.0.101.5590"
_ADRENO = "Qualcomm Adreno 31.0.112.0"
_HYPER_V = "Microsoft Hyper-V Video 10.0.26100.1"


def _laptop(model: str, cores: int, serial: str, *drivers: tuple[str, int]) -> Hardware:
    return Hardware(model, FormFactor.LAPTOP, Architecture.X64, cores, spread(drivers), serial)


def _arm_laptop(model: str, cores: int, serial: str) -> Hardware:
    drivers = spread([(_ADRENO, 3), ("Qualcomm Adreno 31.0.96.0", 1)])
    return Hardware(model, FormFactor.LAPTOP, Architecture.ARM64, cores, drivers, serial)


def _desktop(model: str, cores: int, serial: str) -> Hardware:
    drivers = spread([("Intel Graphics 31.0.101.4953", 2), (_INTEL_OLD, 3)])
    return Hardware(model, FormFactor.DESKTOP, Architecture.X64, cores, drivers, serial)


def _cloud_pc(size: str, cores: int) -> Hardware:
    model = f"Windows 365 Enterprise {size}"
    return Hardware(model, FormFactor.CLOUD_PC, Architecture.X64, cores, (_HYPER_V,), "0000-")


LATITUDE_7450 = _laptop(TROUBLED_MODEL, 12, "", (TROUBLED_DRIVER, 11), (_INTEL_NEW, 9))
ELITEBOOK_840 = _laptop("EliteBook 840 G11", 12, "5CG", (_INTEL_NEW, 2), (_INTEL_OLD, 3))
THINKPAD_T14 = _laptop("ThinkPad T14 Gen 5", 12, "PF", (_INTEL_NEW, 3), (_INTEL_OLD, 2))
SURFACE_LAPTOP_7 = _arm_laptop("Surface Laptop 7", 12, "0F")
THINKPAD_T14S_ARM = _arm_laptop("ThinkPad T14s Gen 6", 12, "GM")
OPTIPLEX = _desktop("OptiPlex 7020", 14, "")
CLOUD_PC_2 = _cloud_pc("2 vCPU 8 GB", 2)

CLIENT_HARDWARE = spread(
    [
        (LATITUDE_7450, 125),
        (ELITEBOOK_840, 110),
        (THINKPAD_T14, 90),
        (_laptop("ThinkPad X1 Carbon Gen 12", 14, "PW", (_INTEL_NEW, 3), (_INTEL_OLD, 1)), 60),
        (_laptop("Latitude 5550", 12, "", (_INTEL_OLD, 4), (TROUBLED_DRIVER, 1)), 65),
        (_laptop("Surface Laptop 6", 14, "0F", (_INTEL_NEW, 1), (_INTEL_OLD, 1)), 35),
        (THINKPAD_T14S_ARM, 45),
        (SURFACE_LAPTOP_7, 30),
        (_arm_laptop("Surface Pro 11", 10, "0F"), 10),
        (OPTIPLEX, 90),
        (_desktop("EliteDesk 800 G9", 14, "CZC"), 60),
        (_desktop("ThinkCentre M70q Gen 5", 10, "MJ"), 50),
        (CLOUD_PC_2, 60),
        (_cloud_pc("4 vCPU 16 GB", 4), 40),
    ]
)
CLIENT_PLATFORMS = spread([(Platform.WIN11_24H2, 11), (Platform.WIN11_25H2, 9)])

LICENCES = spread([("m365-e3", 52), ("m365-e5", 30), ("windows-e3", 8), ("m365-f3", 10)])
CLOUD_PC_LICENCE = "windows-365-enterprise"

FORM_CODES = {FormFactor.LAPTOP: "LT", FormFactor.DESKTOP: "DT", FormFactor.SERVER: "SRV"}


class ServerOffer(Struct, frozen=True):
    """A kind of server: which Windows Server, where it runs and what manages it."""

    platform: Platform
    edition: str
    management: Management
    subscription: Subscription
    hardware: tuple[Hardware, ...]
    takes_hotpatches: bool = True


def _server(model: str, cores: int, serial: str, driver: str) -> Hardware:
    return Hardware(model, FormFactor.SERVER, Architecture.X64, cores, (driver,), serial)


_AZURE_VM = spread(
    [
        (_server("Azure VM Standard_D4s_v5", 4, "0000-", "Mellanox ConnectX-5 24.4.26429.0"), 3),
        (_server("Azure VM Standard_D8s_v5", 8, "0000-", "Mellanox ConnectX-5 24.4.26429.0"), 2),
        (_server("Azure VM Standard_E8s_v5", 8, "0000-", "Mellanox ConnectX-5 24.4.26429.0"), 1),
    ]
)
_ON_PREMISES = spread(
    [
        (_server("PowerEdge R660", 32, "", "Broadcom NetXtreme 231.0.65.0"), 2),
        (_server("ProLiant DL380 Gen11", 32, "CZ2", "Intel Ethernet E810 1.16.202.0"), 1),
        (_server("Hyper-V virtual machine", 8, "0000-", "Microsoft Hyper-V Network 10.0.26100.1"), 4),
    ]
)
_OLDER = spread(
    [
        (_server("PowerEdge R650", 24, "", "Broadcom NetXtreme 231.0.65.0"), 2),
        (_server("Hyper-V virtual machine", 4, "0000-", "Microsoft Hyper-V Network 10.0.20348.1"), 3),
    ]
)


def _old(edition: str, management: Management) -> ServerOffer:
    """Server 2022 outside Azure, which no hotpatch is made for."""
    return ServerOffer(Platform.SERVER_2022, edition, management, Subscription.UNKNOWN, _OLDER, False)


AZURE_2025 = ServerOffer(
    Platform.SERVER_2025, "Datacenter: Azure Edition", Management.AZURE, Subscription.UNKNOWN, _AZURE_VM
)
AZURE_2022 = ServerOffer(
    Platform.SERVER_2022, "Datacenter: Azure Edition", Management.AZURE, Subscription.UNKNOWN, _AZURE_VM
)
ARC_DATACENTER = ServerOffer(Platform.SERVER_2025, "Datacenter", Management.ARC, Subscription.ENABLED, _ON_PREMISES)
SERVER_OFFERS = spread(
    [
        (AZURE_2025, 24),
        (ARC_DATACENTER, 22),
        (ServerOffer(Platform.SERVER_2025, "Standard", Management.ARC, Subscription.ENABLED, _ON_PREMISES), 15),
        (AZURE_2022, 28),
        (_old("Standard", Management.ARC), 7),
        (_old("Datacenter", Management.NONE), 4),
    ]
)

SERVER_ROLES = spread(
    [
        ("APP", 20),
        ("WEB", 14),
        ("SQL", 13),
        ("FS", 10),
        ("DC", 8),
        ("HV", 7),
        ("RDS", 8),
        ("MON", 6),
        ("BKP", 6),
        ("PRT", 5),
        ("CA", 3),
    ]
)
CRITICAL_ROLES = frozenset({"SQL", "DC", "HV", "CA"})
"""Servers that belong to ring Last."""
