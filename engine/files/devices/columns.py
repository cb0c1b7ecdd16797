"""The columns of a device list: our own format, and what Intune's export calls the same things.

They are the facts of a device (`engine.model.facts`), its id and its ring. The readers find their columns here and the
table of the documents is made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from engine.model.facts import FACTS, Fact, ListWords


class ImportColumn(Struct, frozen=True):
    """One column of our format; `aliases` are other headers that mean it, as Intune and Graph write them."""

    name: str
    help: str
    example: str
    values: str = ""
    aliases: tuple[str, ...] = ()


_VALUES: Mapping[type, str] = {bool: "yes, no", datetime: "a time; UTC where it names no zone"}


def _column(fact: Fact, words: ListWords) -> ImportColumn:
    values = words.values or ", ".join(fact.words) or _VALUES.get(fact.kind, "")
    return ImportColumn(fact.name, words.help, words.example, values, words.aliases)


_NAME, *_FACTS = (_column(each, each.in_lists) for each in FACTS if each.in_lists)

COLUMNS: tuple[ImportColumn, ...] = (
    _NAME,
    ImportColumn(
        "id",
        "what tells two devices apart for ever; without it the name does",
        "9de5069c-5afe-602b-2ea0-a04b66beb2c0",
        "",
        ("Device ID", "external id"),
    ),
    ImportColumn("ring", "the ring it belongs to", "Broad"),
    *_FACTS,
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
