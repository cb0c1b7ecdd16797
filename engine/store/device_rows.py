"""One line of the device list from one SQLite row; shared by the reads that list devices."""

from __future__ import annotations

import sqlite3

from engine.model.build import Architecture, Platform
from engine.model.model import DeviceState, Track, Verdict
from engine.model.records.fleet import DeviceRow
from engine.rules.readiness import reason_words
from engine.store.providers import TENANT
from engine.store.values import moment, os_build

ROW_COLUMNS = (
    "d.id, d.name, d.user, d.site, d.form, d.model, d.platform, d.architecture, d.build, "
    "ifnull(r.name, '') AS ring, d.verdict, d.reasons, d.track, d.protected, d.state, d.last_seen_at, "
    f"ifnull({TENANT}, '') AS tenant"
)
"""For ``FROM device d LEFT JOIN ring r ON r.id = d.ring_id``."""


def device_row(row: sqlite3.Row) -> DeviceRow:
    """The record of a row of `ROW_COLUMNS`."""
    return DeviceRow(
        id=row["id"],
        name=row["name"],
        user=row["user"],
        site=row["site"],
        form=row["form"],
        model=row["model"],
        platform=None if row["platform"] is None else Platform(row["platform"]),
        architecture=None if row["architecture"] is None else Architecture(row["architecture"]),
        build=os_build(row["build"]),
        ring=row["ring"],
        verdict=Verdict(row["verdict"]),
        reasons=tuple(reason_words(part) for part in row["reasons"].split(",") if part),
        track=Track(row["track"]),
        protected=bool(row["protected"]),
        state=DeviceState(row["state"]),
        last_seen_at=moment(row["last_seen_at"]),
        tenant=row["tenant"],
    )
