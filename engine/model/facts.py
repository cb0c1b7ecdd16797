"""The facts of a device, each declared once: its type, what device lists and filters call it, where it is shown.

The fields of `DeviceFacts` say the same to the type checker, with what stands for "not told". The state's columns, the
columns of device lists, how they are read, the fields of filters and their SQL are made of this table. Pages and
documents compose a device in orders of their own: `tests/test_facts.py` holds them to it. It is loaded at each start:
plain words, nothing that is worked out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import (
    CheckId,
    ChpeState,
    DeviceFacts,
    FormFactor,
    Management,
    PolicyState,
    Subscription,
    VbsState,
)


class ListWords(Struct, frozen=True):
    """A column of our format of device lists, by the fact's name."""

    help: str
    example: str
    aliases: tuple[str, ...] = ()
    """Other headers that mean it, as Intune and Graph write them."""
    values: str = ""
    """Where they are others than the type's."""


class FilterWords(Struct, frozen=True):
    """A field of the filter language."""

    name: str
    help: str
    example: str
    aliases: tuple[str, ...] = ()
    value_aliases: Mapping[str, str] = {}
    untold: str = "unknown"
    """The word for a build or a time that is not told."""
    is_name: bool = False
    """Compared as a whole, whatever its case."""


class Shown(Struct, frozen=True):
    """Where people see it, by the name of the place there; "" where it is not. Scripts are told every fact."""

    page: str = ""
    """The line of the page of a device; ``head`` for what stands above them."""
    command: str = ""
    """The line of `hotpatch device NAME`; ``head`` likewise."""
    ticket: str = ""
    """The line among the facts of the help desk's ticket."""
    column: str = ""
    """The column of the list of devices."""
    check: CheckId | None = None
    """The prerequisite whose finding tells it, on page and command; several for a build."""
    json: str = ""
    """The key in documents, where that is not its name without ``_at``."""


class Fact(Struct, frozen=True):
    """One fact. Its name is the field of `DeviceFacts`, the column of the state and that of device lists."""

    name: str
    kind: type[Any]
    """What it is where it is told."""
    in_lists: ListWords | None
    """None for what no list can tell."""
    in_filters: FilterWords | None = None
    """None where nobody asks for it alone."""
    shown: Shown = Shown()

    @property
    def shape(self) -> type[Any]:
        """What decides how it is kept, read and compared: its kind, but `StrEnum` for each that is a set of words."""
        return StrEnum if issubclass(self.kind, StrEnum) else self.kind

    @property
    def words(self) -> tuple[str, ...]:
        """Every word that it can be, for a set of words."""
        kind = self.kind
        return tuple(kind) if issubclass(kind, StrEnum) else ()

    @property
    def not_told(self) -> Any:
        """What stands for it where nobody has told it: None, "" or UNKNOWN."""
        return _NOT_TOLD.get(self.name, "" if self.kind is str else None)


_NOT_TOLD = dict(zip(reversed(DeviceFacts.__struct_fields__), reversed(DeviceFacts.__struct_defaults__), strict=False))

FACTS: tuple[Fact, ...] = (
    Fact(
        "name",
        str,
        ListWords("the device's name; the only column that must be there", "LON-LT-0042", ("Device name",)),
        FilterWords("name", "the device's name", "name:lon-*", ("device", "host")),
        shown=Shown(page="head", command="head", ticket="Device", column="name"),
    ),
    Fact(
        "platform",
        Platform,
        ListWords(
            "the Windows version; worked out from build and edition where it is missing",
            "win11-24h2",
            values="win11-24h2, win11-25h2, server-2025, server-2022, other",
        ),
        FilterWords(
            "platform",
            "the Windows version",
            "platform:win11-24h2",
            ("os",),
            {
                "24h2": Platform.WIN11_24H2,
                "25h2": Platform.WIN11_25H2,
                "2025": Platform.SERVER_2025,
                "2022": Platform.SERVER_2022,
            },
        ),
        shown=Shown(page="platform", command="Windows", ticket="Windows", column="platform", check=CheckId.OS_VERSION),
    ),
    Fact(
        "architecture",
        Architecture,
        ListWords("the processor", "x64", ("ProcessorArchitecture", "arch")),
        FilterWords(
            "arch",
            "the processor",
            "arch:arm64",
            ("architecture", "cpu"),
            {"amd64": Architecture.X64, "arm": Architecture.ARM64},
        ),
        shown=Shown(page="hardware", command="Windows", column="arch", check=CheckId.ARCHITECTURE),
    ),
    Fact(
        "build",
        OsBuild,
        ListWords("build and revision", "26100.8390", ("OS version", "os build")),
        FilterWords("build", "build and revision; a build number alone means every revision of it", "build<26100.8390"),
        shown=Shown(page="runs", command="Windows", ticket="Build", column="build", check=CheckId.BUILD_FLOOR),
    ),
    Fact(
        "edition",
        str,
        ListWords("name of the edition, or EditionID", "Enterprise", ("SkuFamily", "sku")),
        FilterWords("edition", 'the Windows edition; "" for not told', "edition:enterprise", ("sku",)),
        shown=Shown(page="platform", command="Windows", ticket="Windows", check=CheckId.EDITION),
    ),
    Fact(
        "form",
        FormFactor,
        ListWords("what kind of machine", "laptop", ("form factor",), "laptop, desktop, server, cloud-pc"),
        FilterWords("form", "laptop, desktop, server or cloud PC", "form:laptop", ("type",)),
        shown=Shown(page="hardware", command="Device", column="form"),
    ),
    Fact(
        "user",
        str,
        ListWords("the primary user's sign-in name", "alice.meyer@contoso.com", ("Primary user UPN", "UPN")),
        FilterWords("user", 'the primary user\'s sign-in name or full name; "" for none', "user:alice"),
        shown=Shown(page="user", command="User", ticket="User", column="user"),
    ),
    Fact(
        "user_name",
        str,
        ListWords("the primary user's full name", "Alice Meyer", ("Primary user display name",)),
        shown=Shown(page="user", command="User", ticket="User"),
    ),
    Fact(
        "domain",
        str,
        ListWords("the user's domain", "CONTOSO"),
        FilterWords("domain", "the domain the user belongs to", "domain:contoso"),
    ),
    Fact(
        "serial",
        str,
        ListWords("serial number", "PF3K7Q2", ("Serial number",)),
        FilterWords("serial", "the serial number", "serial=PF3K7Q2"),
        shown=Shown(page="serial", command="Serial, tag", ticket="Serial number"),
    ),
    Fact(
        "asset_tag",
        str,
        ListWords("asset tag", "A-10042", ("asset",)),
        FilterWords("asset", "the asset tag", "asset:A-10042", ("asset-tag", "tag")),
        shown=Shown(page="serial", command="Serial, tag", ticket="Asset tag"),
    ),
    Fact(
        "site",
        str,
        ListWords("where it stands", "London"),
        FilterWords("site", 'the site; "" for none', 'site:"New York"'),
        shown=Shown(page="site", command="Device", ticket="Model", column="site"),
    ),
    Fact(
        "model",
        str,
        ListWords("hardware model", "Latitude 7450"),
        FilterWords("model", "the hardware model", "model:latitude"),
        shown=Shown(page="hardware", command="Device", ticket="Model", column="model"),
    ),
    Fact(
        "driver",
        str,
        ListWords("a driver that matters for grouping failures", "Intel Graphics 31.0.101"),
        FilterWords("driver", "the driver that matters for failures", "driver:intel"),
        shown=Shown(page="driver", ticket="Driver"),
    ),
    Fact("cores", int, ListWords("processor cores, for the cost of servers", "16", values="1 to 4096")),
    Fact(
        "licence",
        str,
        ListWords("key, name or part number of the licence", "m365-e3", ("license",)),
        FilterWords("licence", 'the licence key; "" for not told', "licence:m365-e3", ("license",)),
        shown=Shown(check=CheckId.LICENCE),
    ),
    Fact(
        "management",
        Management,
        ListWords("what manages it", "intune", ("Managed by",)),
        FilterWords("management", "what manages it", "management:intune", ("managed",)),
        shown=Shown(page="managed by", command="Managed by", check=CheckId.MANAGEMENT),
    ),
    Fact(
        "policy",
        PolicyState,
        ListWords("the hotpatch switch of its quality update policy", "allow"),
        FilterWords("policy", "the hotpatch switch of its policy", "policy:block"),
        shown=Shown(check=CheckId.POLICY),
    ),
    Fact(
        "policy_name",
        str,
        ListWords("name of that policy", "Hotpatch default"),
        shown=Shown(command="Managed by", check=CheckId.POLICY),
    ),
    Fact(
        "subscription",
        Subscription,
        ListWords("hotpatch enablement of a server in Azure Arc", "enabled"),
        FilterWords("subscription", "hotpatch enablement of a server in Azure Arc", "subscription:pending"),
        shown=Shown(check=CheckId.SUBSCRIPTION),
    ),
    Fact(
        "vbs",
        VbsState,
        ListWords("virtualization-based security: 2, 1, 0 or in words", "running"),
        FilterWords(
            "vbs",
            "virtualization-based security",
            "vbs:off",
            (),
            {"on": VbsState.RUNNING, "2": VbsState.RUNNING, "1": VbsState.NOT_RUNNING, "0": VbsState.OFF},
        ),
        shown=Shown(check=CheckId.VBS),
    ),
    Fact(
        "chpe",
        ChpeState,
        ListWords("CHPE on Arm64", "disabled"),
        FilterWords("chpe", "CHPE on Arm64", "chpe:enabled", (), {"on": ChpeState.ENABLED, "off": ChpeState.DISABLED}),
        shown=Shown(check=CheckId.CHPE),
    ),
    Fact(
        "restart_pending",
        bool,
        ListWords("whether a restart is pending", "no"),
        FilterWords("restart", "a restart is pending", "restart:yes", ("restart-pending",)),
        shown=Shown(page="Next", ticket="Restart pending"),
    ),
    Fact(
        "boot_at",
        datetime,
        ListWords("last start", "2026-05-04T07:12:00Z", ("last boot",)),
        FilterWords(
            "boot",
            "when it last started; boot>30d is longer ago than 30 days",
            "boot>30d",
            ("booted",),
        ),
        shown=Shown(page="started", command="Started", ticket="Last start", json="booted"),
    ),
    Fact(
        "last_seen_at",
        datetime,
        ListWords(
            "last check-in, the age of all facts; without the column, the time of the import",
            "2026-05-12T16:40:00Z",
            ("Last check-in", "last seen", "LastContact", "lastSyncDateTime"),
        ),
        FilterWords(
            "seen",
            "when it last reported; seen>7d is longer ago than 7 days (never counts), seen<7d within them",
            "seen>7d",
            ("last-seen",),
            untold="never",
        ),
        shown=Shown(page="head", command="Last seen", ticket="Last seen", column="seen"),
    ),
    Fact(
        "provider",
        str,
        None,
        FilterWords("provider", "the system that reaches the device", "provider:graph", is_name=True),
    ),
)
"""In the order of `DeviceFacts`, which is that of the columns of device lists."""
