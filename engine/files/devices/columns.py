"""The columns of a device list, each declared once: our own format, and what Intune's export calls the same things.

The readers find their columns here and the table of the documents is made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct


class ImportColumn(Struct, frozen=True):
    """One column of our format; `aliases` are other headers that mean it, as Intune and Graph write them."""

    name: str
    help: str
    example: str
    values: str = ""
    aliases: tuple[str, ...] = ()


COLUMNS: tuple[ImportColumn, ...] = (
    ImportColumn("name", "the device's name; the only column that must be there", "LON-LT-0042", "", ("Device name",)),
    ImportColumn(
        "id",
        "what tells two devices apart for ever; without it the name does",
        "9de5069c-5afe-602b-2ea0-a04b66beb2c0",
        "",
        ("Device ID", "external id"),
    ),
    ImportColumn("ring", "the ring it belongs to", "Broad"),
    ImportColumn(
        "platform",
        "the Windows version; worked out from build and edition where it is missing",
        "win11-24h2",
        "win11-24h2, win11-25h2, server-2025, server-2022, other",
    ),
    ImportColumn("architecture", "the processor", "x64", "x64, arm64", ("ProcessorArchitecture", "arch")),
    ImportColumn("build", "build and revision", "26100.8390", "", ("OS version", "os build")),
    ImportColumn("edition", "name of the edition, or EditionID", "Enterprise", "", ("SkuFamily", "sku")),
    ImportColumn("form", "what kind of machine", "laptop", "laptop, desktop, server, cloud-pc", ("form factor",)),
    ImportColumn("user", "the primary user's sign-in name", "alice.meyer@contoso.com", "", ("Primary user UPN", "UPN")),
    ImportColumn("user_name", "the primary user's full name", "Alice Meyer", "", ("Primary user display name",)),
    ImportColumn("domain", "the user's domain", "CONTOSO"),
    ImportColumn("serial", "serial number", "PF3K7Q2", "", ("Serial number",)),
    ImportColumn("asset_tag", "asset tag", "A-10042", "", ("asset",)),
    ImportColumn("site", "where it stands", "London"),
    ImportColumn("model", "hardware model", "Latitude 7450"),
    ImportColumn("driver", "a driver that matters for grouping failures", "Intel Graphics 31.0.101"),
    ImportColumn("cores", "processor cores, for the cost of servers", "16", "1 to 4096"),
    ImportColumn("licence", "key, name or part number of the licence", "m365-e3", "", ("license",)),
    ImportColumn(
        "management",
        "what manages it",
        "intune",
        "intune, azure, arc, azure-local, none, unknown",
        ("Managed by",),
    ),
    ImportColumn(
        "policy", "the hotpatch switch of its quality update policy", "allow", "allow, block, no-policy, unknown"
    ),
    ImportColumn("policy_name", "name of that policy", "Hotpatch default"),
    ImportColumn(
        "subscription",
        "hotpatch enablement of a server in Azure Arc",
        "enabled",
        "enabled, pending, action-required, disabled, unknown",
    ),
    ImportColumn(
        "vbs",
        "virtualization-based security: 2, 1, 0 or in words",
        "running",
        "running, enabled-not-running, off, unknown",
    ),
    ImportColumn("chpe", "CHPE on Arm64", "disabled", "disabled, enabled, unknown"),
    ImportColumn("restart_pending", "whether a restart is pending", "no", "yes, no"),
    ImportColumn("boot_at", "last start", "2026-05-04T07:12:00Z", "a time; UTC where it names no zone", ("last boot",)),
    ImportColumn(
        "last_seen_at",
        "last check-in, the age of all facts; without the column, the time of the import",
        "2026-05-12T16:40:00Z",
        "a time; UTC where it names no zone",
        ("Last check-in", "last seen", "LastContact", "lastSyncDateTime"),
    ),
)

OPERATING_SYSTEM = "os"
MANUFACTURER = "manufacturer"
EMAIL = "email"
_INTUNE_EXTRAS: Mapping[str, tuple[str, ...]] = {
    OPERATING_SYSTEM: ("OS", "operatingSystem"),
    MANUFACTURER: ("Manufacturer",),
    EMAIL: ("Primary user email address", "emailAddress"),
}
"""Columns that only Intune's export has a use for."""

_INTUNE_MARKS = {"devicename", "osversion"}
_INTUNE_SIGNS = {
    "lastcheckin",
    "lastcontact",
    "primaryuserupn",
    "azureaddeviceid",
    "microsoftentradeviceid",
    "skufamily",
}


def folded(header: str) -> str:
    """A header without case, blanks and signs: ``Last check-in`` and ``last_check_in`` are one."""
    return "".join(sign for sign in header.casefold() if sign.isalnum())


_OURS = {folded(name): column.name for column in COLUMNS for name in (column.name, *column.aliases)}
_INTUNE = {**_OURS, **{folded(name): key for key, names in _INTUNE_EXTRAS.items() for name in names}}


def is_intune(headers: Iterable[str]) -> bool:
    """Whether these are the headers of the device export of Intune's admin centre."""
    found = {folded(header) for header in headers}
    return found >= _INTUNE_MARKS and bool(found & _INTUNE_SIGNS)


def meaning(header: str, *, intune: bool) -> str:
    """Which of our columns a header means; "" for a column that is not read."""
    return (_INTUNE if intune else _OURS).get(folded(header), "")


def format_table() -> str:
    """Our format as a Markdown table, for the documents."""
    lines = ["| column | meaning | values | example |", "|---|---|---|---|"]
    lines += [f"| `{each.name}` | {each.help} | {each.values} | `{each.example}` |" for each in COLUMNS]
    return "\n".join(lines)
