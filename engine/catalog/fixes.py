"""One fact of the catalog: this release fixes this vulnerability, here.

Kept apart so that the store and the coverage share it; it decides nothing.
"""

from __future__ import annotations

from msgspec import Struct

from engine.model.build import Architecture, OsBuild, Platform


class Fix(Struct, frozen=True):
    """This release fixes this CVE on this platform and architecture."""

    kb: int
    platform: Platform
    architecture: Architecture
    cve: str
    filed: str
    """Month of the document that lists it, ``2026-05``; later than the release's month for a CVE filed late."""
    build: OsBuild | None = None
    """FixedBuild as filed, kept only while the release itself is not in the catalog."""
