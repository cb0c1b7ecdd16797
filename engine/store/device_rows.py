"""Lines of the device list from SQLite rows; shared by the reads that list devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from engine.model.build import Architecture, Platform
from engine.model.model import DeviceState, Track, Verdict
from engine.model.records.fleet import DeviceRow
from engine.rules.readiness import reason_words
from engine.store.providers import TENANT
from engine.store.values import os_build

ROW_COLUMNS = (
    "d.id, d.name, d.user, d.site, d.form, d.model, d.platform, d.architecture, d.build, "
    "ifnull(r.name, '') AS ring, d.verdict, d.reasons, d.track, d.protected, d.state, d.last_seen_at, "
    f"ifnull({TENANT}, '') AS tenant"
)
"""For ``FROM device d LEFT JOIN ring r ON r.id = d.ring_id``."""


_PLATFORMS: dict[str | None, Platform | None] = {None: None, **{each.value: each for each in Platform}}
_ARCHITECTURES: dict[str | None, Architecture | None] = {None: None, **{each.value: each for each in Architecture}}
_VERDICTS = {each.value: each for each in Verdict}
_TRACKS = {each.value: each for each in Track}
_STATES = {each.value: each for each in DeviceState}


def device_rows(rows: Iterable[Iterable[Any]]) -> Iterator[DeviceRow]:
    """The records of rows of `ROW_COLUMNS`; a list of a million devices is made here, so words are looked up."""
    moment = datetime.fromtimestamp
    # By place in both: a million names of columns and fields are not looked up.
    for (
        id, name, user, site, form, model, platform, architecture, build, ring,
        verdict, reasons, track, protected, state, seen, tenant,
    ) in rows:  # fmt: skip
        yield DeviceRow(
            id,
            name,
            user,
            site,
            form,
            model,
            _PLATFORMS[platform],
            _ARCHITECTURES[architecture],
            _build(build),
            ring,
            _VERDICTS[verdict],
            _reasons(reasons),
            _TRACKS[track],
            protected == 1,
            _STATES[state],
            None if seen is None else moment(seen, UTC),
            tenant,
        )


_build = lru_cache(4096)(os_build)


@lru_cache(4096)
def _reasons(ids: str) -> tuple[str, ...]:
    return tuple(reason_words(part) for part in ids.split(",") if part)
