"""What the number of an error code itself tells: who raised it, and so what class of cause is likely.

`errorcodes` asks it about codes that its table does not hold. Layout and facilities are those of [MS-ERREF],
"HRESULT" and "NTSTATUS"; winerror.h; wuerror.h. It never claims more than a likely class.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from engine.model.causes import Cause

_WIN32_HRESULT = 0x8007_0000
_NTSTATUS_IN_HRESULT = 0x1000_0000
_NT_WIN32 = 0xC007


class Origin(Struct, frozen=True):
    """Who raised a code and what class of cause that suggests."""

    facility: str
    """``Windows Update, download``; never empty."""
    cause: Cause


def twin_of(code: int) -> int | None:
    """The code under which the same error is better known, or None.

    Plain Win32 numbers such as wusa's exit code 3010 are 0x8007 codes; 0xD codes are NTSTATUS values carried in an
    HRESULT; many NTSTATUS values have a Win32 equivalent.
    """
    if 0 < code <= 0xFFFF:
        return _WIN32_HRESULT | code
    if code >> 28 == 0xD:
        return code & ~_NTSTATUS_IN_HRESULT
    if code >> 16 == _NT_WIN32:
        return _WIN32_HRESULT | (code & 0xFFFF)
    if code in _WIN32_OF_NTSTATUS:
        return _WIN32_HRESULT | _WIN32_OF_NTSTATUS[code]
    return None


def origin_of(code: int) -> Origin:
    """Who raised the code; answers for every unsigned 32-bit number."""
    if code == 0:
        return Origin("no code", Cause.UNKNOWN)
    if code >> 30 == 0b11:
        return _ntstatus(code)
    facility, number = (code >> 16) & 0x7FF, code & 0xFFFF
    if facility == 0x07:
        return _win32(number)
    if facility == 0x0F:
        return _servicing(number)
    if facility == 0x24:
        name, cause = _WINDOWS_UPDATE.get(number >> 12, ("agent", Cause.UNKNOWN))
        if number >> 8 == 0x04:
            name, cause = _WINDOWS_UPDATE[0x4]
        return Origin(f"Windows Update, {name}", cause)
    if facility in _FACILITIES:
        return Origin(*_FACILITIES[facility])
    return Origin(f"facility 0x{facility:X}", Cause.UNKNOWN)


def _ntstatus(code: int) -> Origin:
    facility = (code >> 16) & 0xFFF
    if facility == 0x190:
        return Origin("Windows Setup", Cause.UNKNOWN)
    if facility == 0x1C:
        return Origin("filter manager (NTSTATUS)", Cause.DRIVER_OR_FILTER)
    return Origin("Windows kernel (NTSTATUS)", Cause.UNKNOWN)


def _servicing(number: int) -> Origin:
    """Facility 0x0F is shared: SetupAPI below 0x0800, servicing (CBS) above, its delta part from 0x0980 on."""
    if number < 0x0800:
        return Origin("driver setup (SetupAPI)", Cause.DRIVER_OR_FILTER)
    if 0x0980 <= number <= 0x09FF:
        return Origin("servicing, delta files (PSFX)", Cause.COMPONENT_STORE)
    return Origin("servicing (CBS)", Cause.SERVICING_STACK)


def _win32(number: int) -> Origin:
    for first, last, part, cause in _WIN32_RANGES:
        if first <= number <= last:
            return Origin(f"Win32, {part}", cause)
    return Origin("Win32", _WIN32_SINGLE.get(number, Cause.UNKNOWN))


# The thousands of a 0x8024 code name the part of the agent (wuerror.h).
_WINDOWS_UPDATE: Mapping[int, tuple[str, Cause]] = {
    0x0: ("agent", Cause.UNKNOWN),
    0x1: ("Windows Installer updates", Cause.UNKNOWN),
    0x2: ("update handler", Cause.UNKNOWN),
    0x3: ("user interface", Cause.SERVICE),
    0x4: ("protocol", Cause.NETWORK),
    0x5: ("redirector", Cause.NETWORK),
    0x6: ("download", Cause.NETWORK),
    0x7: ("offline scan", Cause.SERVICE),
    0x8: ("data store", Cause.SERVICE),
    0x9: ("inventory", Cause.SERVICE),
    0xA: ("Automatic Updates", Cause.SERVICE),
    0xC: ("drivers", Cause.DRIVER_OR_FILTER),
    0xD: ("setup of the agent", Cause.SERVICE),
    0xE: ("rule evaluation", Cause.UNKNOWN),
    0xF: ("reporting", Cause.SERVICE),
}
_FACILITIES: Mapping[int, tuple[str, Cause]] = {
    0x00: ("Windows", Cause.UNKNOWN),
    0x01: ("remote procedure calls", Cause.SERVICE),
    0x03: ("structured storage", Cause.COMPONENT_STORE),
    0x04: ("COM interface", Cause.UNKNOWN),
    0x08: ("COM", Cause.SERVICE),
    0x09: ("cryptography", Cause.SIGNATURE),
    0x0B: ("certificates", Cause.SIGNATURE),
    0x18: ("device management enrolment", Cause.POLICY),
    0x19: ("HTTP", Cause.NETWORK),
    0x1F: ("filter manager", Cause.DRIVER_OR_FILTER),
    0x20: ("background transfer (BITS)", Cause.NETWORK),
    0x28: ("TPM services", Cause.UNKNOWN),
    0x29: ("TPM software", Cause.UNKNOWN),
    0x31: ("BitLocker", Cause.UNKNOWN),
    0x50: ("Windows Defender", Cause.DRIVER_OR_FILTER),
    0x87: ("device update agent", Cause.SERVICE),
    0x88: ("driver servicing", Cause.DRIVER_OR_FILTER),
    0xD0: ("Delivery Optimization", Cause.NETWORK),
    0x7D0: ("Configuration Manager", Cause.SERVICE),
    0x7D1: ("Intune", Cause.POLICY),
}
_WIN32_RANGES: tuple[tuple[int, int, str, Cause], ...] = (
    (1051, 1084, "services", Cause.SERVICE),
    (1225, 1237, "network", Cause.NETWORK),
    (1700, 1939, "remote procedure calls", Cause.SERVICE),
    (6600, 6649, "transaction log", Cause.COMPONENT_STORE),
    (6700, 6853, "file system transactions", Cause.COMPONENT_STORE),
    (9000, 9999, "DNS", Cause.NETWORK),
    (10004, 11999, "sockets", Cause.NETWORK),
    (12001, 12199, "internet", Cause.NETWORK),
    (14000, 14112, "side-by-side components", Cause.COMPONENT_STORE),
)
_WIN32_SINGLE: Mapping[int, Cause] = {
    number: cause
    for cause, numbers in {
        Cause.DISK_SPACE: (39, 112),
        Cause.PERMISSIONS: (5, 19, 740, 1314),
        Cause.COMPONENT_STORE: (2, 3, 11, 13, 23, 126, 127, 193, 1009, 1010, 1015, 1016, 1168, 1392, 1393),
        Cause.DRIVER_OR_FILTER: (32, 33, 225, 226, 1275),
        Cause.NETWORK: (51, 53, 54, 59, 64, 65, 67, 121, 1222),
        Cause.SERVICE: (1115, 1223, 1460, 1601, 1618),
        Cause.RESTART_PENDING: (1641, 3010, 3011, 3017, 3018),
        Cause.POLICY: (1260, 1625, 1640, 1643),
        Cause.NOT_APPLICABLE: (50, 1150, 1633, 1638, 1642),
        Cause.SIGNATURE: (577,),
    }.items()
    for number in numbers
}
_WIN32_OF_NTSTATUS: Mapping[int, int] = {
    0xC0000017: 8,
    0xC0000034: 2,
    0xC000003A: 3,
    0xC000003F: 23,
    0xC0000061: 1314,
    0xC000007B: 193,
    0xC000009A: 1450,
    0xC0000102: 1392,
    0xC0000135: 126,
    0xC0000225: 1168,
}
