"""What each value of a fact counts as, for the rules' functions; a value that stands in no table is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import ChpeState, Management, PolicyState, Subscription, VbsState
from engine.rules.readiness.model import CheckResult, ReadinessSettings

_MET, _UNMET = CheckResult.MET, CheckResult.NOT_MET
_UNKNOWN, _NOT_APPLICABLE = CheckResult.UNKNOWN, CheckResult.NOT_APPLICABLE


class EditionClass(StrEnum):
    """Editions that the rules treat alike."""

    ENTERPRISE = "enterprise"
    """Enterprise, Education and IoT Enterprise."""
    PRO = "pro"
    """Sources contradict each other: the licence decides, the edition is a hint."""
    LTSC = "ltsc"
    HOME = "home"
    AZURE = "azure"
    SERVER = "server"
    OTHER = "other"


EDITION_NAMES: Mapping[EditionClass, tuple[str, ...]] = {
    EditionClass.ENTERPRISE: (
        "enterprise", "enterprisen", "enterprise n", "education", "educationn", "education n",
        "iotenterprise", "iot enterprise", "enterprise multi-session", "serverrdsh",
    ),
    EditionClass.PRO: (
        "pro", "pron", "pro n", "professional", "professionaln", "pro education", "proeducation",
        "professionaleducation", "pro for workstations", "professionalworkstation", "business",
    ),
    EditionClass.LTSC: (
        "enterprises", "enterprisesn", "enterprise ltsc", "enterprise ltsc 2024", "iotenterprises",
        "iot enterprise ltsc",
    ),
    EditionClass.HOME: (
        "home", "home n", "home single language", "core", "coren", "coresinglelanguage", "corecountryspecific",
        "se", "cloudedition", "cloudeditionn",
    ),
    EditionClass.AZURE: (
        "datacenter: azure edition", "datacenter azure edition", "azure edition", "serverturbine", "serverturbinecor",
    ),
    EditionClass.SERVER: (
        "standard", "datacenter", "serverstandard", "serverdatacenter", "standard core", "datacenter core",
        "serverstandardcore", "serverdatacentercore",
    ),
}  # fmt: skip
"""Names and EditionIDs in ASCII lower case."""

_CLASS_OF = {name: each for each, names in EDITION_NAMES.items() for name in names}
_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def edition_class(edition: str) -> EditionClass:
    """The class of an edition's name or EditionID, by ASCII case only as SQLite compares."""
    return _CLASS_OF.get(edition.translate(_ASCII_LOWER), EditionClass.OTHER)


_CLIENT_EDITION = {
    EditionClass.ENTERPRISE: _MET,
    EditionClass.PRO: _MET,
    EditionClass.LTSC: _UNMET,
    EditionClass.HOME: _UNMET,
}
EDITION: Mapping[Platform, Mapping[EditionClass, CheckResult]] = {
    Platform.WIN11_24H2: _CLIENT_EDITION,
    Platform.WIN11_25H2: _CLIENT_EDITION,
    Platform.SERVER_2025: {EditionClass.AZURE: _MET, EditionClass.SERVER: _MET},
    Platform.SERVER_2022: {EditionClass.AZURE: _MET, EditionClass.SERVER: _UNMET},
}

VBS: Mapping[str, CheckResult] = {
    VbsState.RUNNING: _MET,
    VbsState.NOT_RUNNING: _UNMET,
    VbsState.OFF: _UNMET,
}

CHPE: Mapping[str, CheckResult] = {ChpeState.DISABLED: _MET, ChpeState.ENABLED: _UNMET}

CLIENT_MANAGEMENT: Mapping[str, CheckResult] = {
    Management.INTUNE: _MET,
    Management.AZURE: _UNMET,
    Management.ARC: _UNMET,
    Management.AZURE_LOCAL: _UNMET,
    Management.NONE: _UNMET,
}


def policy(settings: ReadinessSettings) -> Mapping[str, CheckResult]:
    """Devices in no policy follow the tenant's default, where it is known."""
    by_default = {True: _MET, False: _UNMET, None: _UNKNOWN}[settings.tenant_allows_hotpatch]
    return {PolicyState.ALLOW: _MET, PolicyState.BLOCK: _UNMET, PolicyState.NO_POLICY: by_default}


class ServerPath(StrEnum):
    """How a server comes by hotpatches."""

    AZURE_EDITION = "azure-edition"
    ARC = "arc"
    UNDECIDED = "undecided"
    """The edition is not known, and it decides."""


def server_path(platform: Platform, edition: EditionClass) -> ServerPath:
    """Server 2022 has hotpatches in Azure Edition alone; Server 2025 in others through Azure Arc."""
    if platform is Platform.SERVER_2022 or edition is EditionClass.AZURE:
        return ServerPath.AZURE_EDITION
    return ServerPath.ARC if edition is EditionClass.SERVER else ServerPath.UNDECIDED


CONNECTION: Mapping[ServerPath, Mapping[str, CheckResult]] = {
    # A virtual machine on Azure Local is projected into Azure through Arc, so Arc is no contradiction here.
    ServerPath.AZURE_EDITION: {
        Management.AZURE: _MET,
        Management.AZURE_LOCAL: _MET,
        Management.ARC: _MET,
        Management.INTUNE: _UNMET,
        Management.NONE: _UNMET,
    },
    ServerPath.ARC: {
        Management.ARC: _MET,
        Management.AZURE: _UNMET,
        Management.AZURE_LOCAL: _UNMET,
        Management.INTUNE: _UNMET,
        Management.NONE: _UNMET,
    },
    ServerPath.UNDECIDED: {Management.ARC: _MET, Management.INTUNE: _UNMET, Management.NONE: _UNMET},
}

SUBSCRIPTION: Mapping[ServerPath, Mapping[str, CheckResult]] = {
    # Included with Azure Edition: silence is no lack, a switch that is known to be off is.
    ServerPath.AZURE_EDITION: {
        Subscription.ENABLED: _MET,
        Subscription.PENDING: _UNMET,
        Subscription.ACTION_REQUIRED: _UNMET,
        Subscription.DISABLED: _UNMET,
        Subscription.UNKNOWN: _NOT_APPLICABLE,
    },
    ServerPath.ARC: {
        Subscription.ENABLED: _MET,
        Subscription.PENDING: _UNMET,
        Subscription.ACTION_REQUIRED: _UNMET,
        Subscription.DISABLED: _UNMET,
    },
    ServerPath.UNDECIDED: {Subscription.ENABLED: _MET},
}

_CLIENT_FLOOR = {Architecture.X64: OsBuild(26100, 2033), Architecture.ARM64: OsBuild(26100, 4929)}
FLOORS: Mapping[Platform, Mapping[Architecture, OsBuild]] = {
    Platform.WIN11_24H2: _CLIENT_FLOOR,
    Platform.WIN11_25H2: _CLIENT_FLOOR,
    Platform.SERVER_2025: {Architecture.X64: OsBuild(26100, 1742)},
}
"""The first build that could be hotpatched. Server 2022 has had hotpatches from its first build."""

SERVICED_UNTIL: Mapping[Platform, Mapping[EditionClass, date]] = {
    Platform.WIN11_24H2: {
        EditionClass.PRO: date(2026, 10, 13),
        EditionClass.HOME: date(2026, 10, 13),
        EditionClass.ENTERPRISE: date(2027, 10, 12),
    },
    Platform.WIN11_25H2: {
        EditionClass.PRO: date(2027, 10, 12),
        EditionClass.HOME: date(2027, 10, 12),
        EditionClass.ENTERPRISE: date(2028, 10, 10),
    },
}
"""The day of the last update (Windows 11 release information). Editions that stand not here have no date in it."""

HOTPATCHABLE_NUMBERS = frozenset({26100, 26200, 26300, 20348})
"""Build numbers of Windows versions that have hotpatches on some edition; 28000 (26H1) has none."""


def service_end(platform: Platform, edition: EditionClass, today: date) -> tuple[CheckResult, date | None]:
    """Whether a Windows version still gets updates, and the day of the last one where it is known."""
    ends = SERVICED_UNTIL.get(platform)
    if ends is None or edition is EditionClass.LTSC:
        return _NOT_APPLICABLE, None
    if edition in ends:
        last = ends[edition]
        return (_MET if today <= last else _UNMET), last
    first, last = min(ends.values()), max(ends.values())
    if first < today <= last:
        return _UNKNOWN, None
    return (_MET, first) if today <= first else (_UNMET, last)
