"""The tenant's devices: made by their number when they are asked for, so that 100,000 of them cost nothing.

The same number always gives the same device. What a test changes, adds or takes away is kept beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)
"""The tenant's moment."""
_HOTPATCHED, _ON_LCU, _ON_BASELINE, _BEHIND = "10.0.26100.8390", "10.0.26100.8457", "10.0.26100.8246", "10.0.26100.7462"
_BUILDS = (_HOTPATCHED, _HOTPATCHED, _ON_BASELINE, _ON_LCU, _HOTPATCHED, _BEHIND, "10.0.26200.8390", _ON_BASELINE)
_MODELS = (("Dell Inc.", "Latitude 7450"), ("LENOVO", "ThinkPad T14 Gen 5"), ("Microsoft Corporation", "Surface Pro"))
_VBS = ("running", "running", "running", "rebootRequired", "running", "notConfigured", "running")


def moment(at: datetime) -> str:
    """As Graph writes moments."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def intune_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def entra_device_id(number: int) -> str:
    """What the update service and `managedDevice.azureADDeviceId` name a device by."""
    return f"{number:08x}-1111-4111-8111-{number:012x}"


def entra_object_id(number: int) -> str:
    """What groups name a device by."""
    return f"{number:08x}-2222-4222-8222-{number:012x}"


def user_id(number: int) -> str:
    return f"{number:08x}-3333-4333-8333-{number:012x}"


def number_of(some_id: str, count: int) -> int | None:
    """The device's or user's number that an id stands for; None for an id that is not one of ours."""
    try:
        number = int(some_id[:8], 16)
    except ValueError:
        return None
    return number if number < count and some_id[-12:] == f"{number:012x}" else None


class Fleet:
    """The managed devices by number: Windows ones, and every `mac_every`-th a Mac."""

    def __init__(self, count: int = 25, *, mac_every: int = 0) -> None:
        self.count = count
        self.mac_every = mac_every
        self._changed: dict[int, dict[str, Any]] = {}
        self._hardware: dict[int, dict[str, Any]] = {}
        self._gone: set[int] = set()

    def change(self, number: int, **members: Any) -> None:
        """Other values for members of a device's list row."""
        self._changed.setdefault(number, {}).update(members)

    def change_hardware(self, number: int, **members: Any) -> None:
        """Other values for members of a device's hardware information."""
        self._hardware.setdefault(number, {}).update(members)

    def delete(self, number: int) -> None:
        self._gone.add(number)

    def add(self) -> int:
        """One more device; its number."""
        self.count += 1
        return self.count - 1

    def rows(self, version: str, start: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number and row of each device from a number on."""
        for number in range(start, self.count):
            if number not in self._gone:
                yield number, self._row(number, version)

    def by_id(self, device_id: str, version: str) -> dict[str, Any] | None:
        """One device, with what lists leave empty; None when it is gone or never was."""
        number = number_of(device_id, self.count)
        if number is None or number in self._gone or device_id != intune_id(number):
            return None
        row = self._row(number, version)
        if version == "beta":
            row["hardwareInformation"] = self._hardware_information(number)
        return row

    def holds(self, number: int) -> bool:
        return 0 <= number < self.count and number not in self._gone

    def user_of(self, number: int) -> int | None:
        """The primary user's number: every ninth device has none, every seventh shares one with the device before."""
        if number % 9 == 8:
            return None
        return number - 1 if number % 7 == 6 else number

    def _row(self, number: int, version: str) -> dict[str, Any]:
        is_mac = bool(self.mac_every) and number % self.mac_every == self.mac_every - 1
        user = self.user_of(number)
        maker, model = _MODELS[number % len(_MODELS)]
        row: dict[str, Any] = {
            "id": intune_id(number),
            "deviceName": f"PC-{number:06d}",
            "azureADDeviceId": entra_device_id(number),
            "userId": user_id(user) if user is not None else "",
            "userPrincipalName": f"user{user}@contoso.example" if user is not None else "",
            "operatingSystem": "macOS" if is_mac else "Windows",
            "osVersion": "15.5" if is_mac else _BUILDS[number % len(_BUILDS)],
            "managementAgent": "mdm" if number % 11 else "configurationManagerClientMdm",
            "deviceEnrollmentType": "windowsAzureADJoin" if number % 8 else "windowsCoManagement",
            "lastSyncDateTime": moment(NOW - timedelta(minutes=37 * (number % 90))),
            "complianceState": "compliant" if number % 12 else "noncompliant",
            "manufacturer": maker,
            "model": model,
            "serialNumber": f"SN{number:08d}",
        }
        if version == "beta":
            row |= {
                "skuFamily": ("Enterprise", "Pro", "Education")[number % 3] if not is_mac else "",
                "skuNumber": (4, 48, 121)[number % 3] if not is_mac else 0,
                "processorArchitecture": "arM64" if number % 10 == 9 else "x64",
                "joinType": "azureADJoined" if number % 8 else "hybridAzureADJoined",
                "autopilotEnrolled": bool(number % 2),
                "hardwareInformation": None,  # lists leave it empty
            }
        row |= self._changed.get(number, {})
        return row

    def _hardware_information(self, number: int) -> dict[str, Any]:
        build = self._row(number, "beta")["osVersion"]
        vbs = _VBS[number % len(_VBS)]
        return {
            "operatingSystemEdition": ("Enterprise", "Professional", "Education")[number % 3],
            "operatingSystemProductType": 1,
            "osBuildNumber": str(build).removeprefix("10.0."),
            "deviceGuardVirtualizationBasedSecurityState": vbs,
            "deviceGuardVirtualizationBasedSecurityHardwareRequirementState": "meetHardwareRequirements",
            "deviceLicensingStatus": "deviceLicenseRefreshSucceed",
            "tpmVersion": "2.0",
            "manufacturer": _MODELS[number % len(_MODELS)][0],
            **self._hardware.get(number, {}),
        }


def entra_device(number: int, trust: str = "AzureAd") -> Mapping[str, Any]:
    """The directory's own object of a device."""
    return {
        "@odata.type": "#microsoft.graph.device",
        "id": entra_object_id(number),
        "deviceId": entra_device_id(number),
        "displayName": f"PC-{number:06d}",
        "accountEnabled": True,
        "isManaged": True,
        "operatingSystem": "Windows",
        "operatingSystemVersion": _BUILDS[number % len(_BUILDS)],
        "trustType": trust,
    }
