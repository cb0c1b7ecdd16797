"""What one MSRC document says about the hotpatchable platforms, as plain records.

Made by the reader, taken by `engine.catalog`; holds rows as filed, nothing concluded from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct, field

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import Cve

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DOCUMENT_ID = re.compile(r"(?P<year>\d{4})-(?P<name>[A-Za-z]{3})(-.*)?")


class Package(StrEnum):
    """What kind of package a fix row names, as far as the row itself tells."""

    HOTPATCH = "hotpatch"
    UPDATE = "update"
    """"Security Update": a cumulative update, or a companion that hides among them."""
    STANDALONE = "standalone"
    """"Standalone Security Update" or "Security Only": a companion beside a hotpatch."""


class FixRow(Struct, frozen=True):
    """One KB fixes one CVE on one platform and architecture, as filed in one document."""

    kb: int
    platform: Platform
    architecture: Architecture
    cve: str
    package: Package
    build: OsBuild | None
    """FixedBuild with the platform's build number; None where the row gives none."""
    dated: date | None
    """When the CVE was revised to name this KB; tells the day of an out-of-band release."""


class MonthDocument(Struct, frozen=True):
    """The part of one monthly document that concerns the hotpatchable platforms."""

    id: str
    """``2026-May``"""
    month: str
    """``2026-05``"""
    revision: int
    revised_at: datetime
    vulnerabilities: int
    """How many the whole document holds, other products included."""
    rows: tuple[FixRow, ...]
    cves: Mapping[str, Cve] = field(default_factory=dict)


def month_of(document_id: str) -> str:
    """``2026-05`` for ``2026-May``.

    Raises:
        ValueError: not the id of a monthly document.
    """
    found = _DOCUMENT_ID.fullmatch(document_id.strip())
    if found is None or found["name"].lower() not in _MONTHS:
        raise ValueError(f"{document_id!r} is not the id of a monthly document; ids look like 2026-May")
    return f"{found['year']}-{_MONTHS.index(found['name'].lower()) + 1:02d}"


def document_id_of(month: str) -> str:
    """``2026-May`` for ``2026-05``."""
    year, number = month.split("-")
    return f"{year}-{_MONTHS[int(number) - 1].title()}"
