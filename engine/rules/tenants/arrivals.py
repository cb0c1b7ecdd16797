"""Whether a device's build shows that a release has arrived there. Pure; `engine.tenants.status` asks it.

Builds of a hotpatch and of its twin are compared by what they are, never by which number is higher.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from engine.model.build import OsBuild
from engine.model.model import Release, ReleaseKind


class Arrival(Struct, frozen=True):
    """What a build proves."""

    restarted: bool
    """The device came there by an update that restarts; False for a hotpatch, which does not."""
    by: Release | None
    """The release whose build it is; None for one that is newer than all that are known."""


def arrival(release: Release, build: OsBuild | None, releases: Iterable[Release]) -> Arrival | None:
    """How a release arrived on a device with this build: by itself, its twin, or something later; None if it did not.

    `releases`: all that are published, of any platform. A preview that is newer than an LCU of the month holds it.
    """
    if build is None or build.number != release.platform.build_number:
        return None
    later = [
        each
        for each in releases
        if each.platform is release.platform and each.build is not None and each.released_at >= release.released_at
    ]
    of_that_build = [each for each in later if each.build == build and each.kind is not ReleaseKind.COMPANION]
    if of_that_build:
        # Where two releases share a build, the wanted one, else a hotpatch: nothing is called a restart unproven.
        by = min(of_that_build, key=lambda each: (each.kb != release.kb, not each.kind.is_hotpatch, each.released_at))
        return Arrival(not by.kind.is_hotpatch, by)
    # An out-of-band LCU repairs a known trouble and is not for everyone: being above it proves no month's LCU.
    wanted = [each.build for each in later if each.kind is ReleaseKind.LCU or each.kind.is_baseline]
    holds_lcu = any(lcu is not None and build > lcu for lcu in wanted)
    known = {each.build for each in releases if each.platform is release.platform}
    return Arrival(True, None) if holds_lcu and build not in known else None
