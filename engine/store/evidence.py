"""Reads what happened to builds, in the order of time, and keeps the compliance of months that have closed.

`engine.evidence.evidence` asks; what the rows mean is decided in `protection`, `compliance` and `cost`. Streams tuples
instead of records: a year of a million devices is twelve million rows.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

from engine.model.build import Platform
from engine.model.model import DeviceState, Verdict
from engine.store.filter_sql import SqlCondition
from engine.store.values import moment, placeholders, seconds, time_of

Change = tuple[int, int, int | None, int | None]
"""When, which device, its build from then on, and the KB that our install brought (None where none did)."""
Happening = tuple[int, int, int | None, int | None, int, int]
"""When, device, build, KB, whether it restarted, and how it is known: `SEEN`, `DONE`, `UNDONE` or `FAILED`."""
SEEN, DONE, UNDONE, FAILED = range(4)
_STEPS = Decoder(list[tuple[tuple[int, int], ...]])

_CHANGES = """
    SELECT finished_at AS at, device_id, build_after AS build, kb FROM install
        WHERE state = 'succeeded' AND finished_at > :since AND finished_at <= :until
    UNION ALL SELECT finished_at, device_id, build_after, NULL FROM install
        WHERE state = 'uninstalled' AND finished_at > :since AND finished_at <= :until
    UNION ALL SELECT at, device_id, build, NULL FROM build_seen WHERE at > :since AND at <= :until
    ORDER BY at, device_id, build"""
_HAPPENINGS = f"""
    SELECT finished_at AS at, device_id, build_after AS build, kb, restarted, {DONE} FROM install
        WHERE state = 'succeeded' AND finished_at > :since AND finished_at <= :until
    UNION ALL SELECT finished_at, device_id, build_after, kb, restarted, {UNDONE} FROM install
        WHERE state = 'uninstalled' AND finished_at > :since AND finished_at <= :until
    UNION ALL SELECT finished_at, device_id, NULL, kb, 1, {FAILED} FROM install
        WHERE state = 'failed' AND finished_at > :since AND finished_at <= :until AND restarted = 1
    UNION ALL SELECT at, device_id, build, NULL, 0, {SEEN} FROM build_seen WHERE at > :since AND at <= :until
    ORDER BY at, device_id, build"""


class ClosedCount(Struct, frozen=True):
    """One group of devices in a month that has closed."""

    platform: Platform
    ring_id: int | None
    site: str
    devices: int
    arrived: int
    """Seen for the first time after the release."""
    steps: tuple[tuple[int, int], ...]
    """Hours after the release, and by how many the protected devices changed then."""


class ClosedMonth(Struct, frozen=True):
    """What was measured of a month when it closed."""

    month: str
    released_at: datetime
    until: datetime
    measured_at: datetime
    releases: str
    """What was known of its releases, as a text to compare."""


class UnprotectedRow(Struct, frozen=True):
    """A device without the current release, with what is needed to say why."""

    device_id: int
    name: str
    user: str
    ring: str
    site: str
    platform: Platform
    build: int | None
    verdict: Verdict
    reasons: tuple[str, ...]
    state: DeviceState
    error_code: int | None
    """Of its open failure."""
    held: bool
    last_seen_at: datetime | None
    first_seen_at: datetime | None
    lost_at: datetime | None
    """When a release was last uninstalled from it."""


class BehindRow(Struct, frozen=True):
    """Devices of a ring and platform, and how many of them are behind the baseline."""

    ring_id: int | None
    platform: Platform
    devices: int
    behind: int
    not_seen: int


class ServerRow(Struct, frozen=True):
    """Arc-connected servers that could take hotpatches and were there by the same time."""

    first_seen_at: datetime | None
    """None: from the beginning, as far as is known."""
    servers: int
    cores: int
    unknown_cores: int
    enrolled: int
    enrolled_cores: int


class EvidenceStore:
    """The proof behind compliance and cost."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    # --- what happened ------------------------------------------------------------------------------

    def records_begin(self) -> datetime | None:
        """Since when the state file tells of the fleet: its first audit record or install, else first sighting."""
        row = self._db.execute(
            "SELECT ifnull(min(ifnull(a, i), ifnull(i, a)), s) FROM (SELECT "
            "(SELECT at FROM audit WHERE typeof(at) = 'integer' ORDER BY seq LIMIT 1) AS a, "
            "(SELECT min(finished_at) FROM install WHERE state = 'succeeded') AS i, "
            "(SELECT min(at) FROM build_seen) AS s)"
        ).fetchone()
        return moment(row[0])

    def changes_between(self, since: datetime, until: datetime) -> int:
        """How many changes `changes` would stream."""
        span = _span(since, until)
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM install WHERE state = 'succeeded' "
            "AND finished_at > :since AND finished_at <= :until) "
            "+ (SELECT count(*) FROM build_seen WHERE at > :since AND at <= :until)",
            span,
        ).fetchone()
        return int(row[0])

    def changes(self, since: datetime, until: datetime) -> Iterator[Change]:
        """Every change of a build after `since` up to `until`, in the order of time.

        Of two on one device in the same second the higher build counts as the later.
        """
        return self._stream(_CHANGES, _span(since, until))

    def happenings(self, since: datetime, until: datetime) -> Iterator[Happening]:
        """The same with restarts and with installs that failed after a restart."""
        return self._stream(_HAPPENINGS, _span(since, until))

    def first_sightings(self) -> Iterator[tuple[int, int]]:
        """(device, when) of those whose first sighting is on record; the others were always there."""
        return self._stream("SELECT device_id, min(at) FROM build_seen GROUP BY device_id", {})

    # --- the fleet ----------------------------------------------------------------------------------

    def highest_id(self) -> int:
        return int(self._db.execute("SELECT ifnull(max(id), 0) FROM device").fetchone()[0])

    def members(self, condition: SqlCondition) -> Iterator[tuple[Any, ...]]:
        """The matching devices on known platforms as (id, platform, ring id or -1, site, build, eligible, provider)."""
        cursor = self._db.cursor()
        cursor.row_factory = None
        return cursor.execute(
            "SELECT d.id, d.platform, ifnull(d.ring_id, -1), d.site, d.build, d.eligible, d.provider "
            f"FROM device d WHERE d.platform IS NOT NULL AND ({condition.where})",
            tuple(condition.params),
        )

    def alike(self) -> tuple[tuple[Platform, int | None, int | None], ...]:
        """Every (platform, ring id, build) that devices have; one index answers."""
        rows = self._db.execute(
            "SELECT platform, ring_id, build FROM device WHERE platform IS NOT NULL GROUP BY platform, ring_id, build"
        )
        return tuple((Platform(row[0]), row[1], row[2]) for row in rows)

    def ids_alike(self, platform: Platform, ring_id: int | None, build: int | None) -> Iterator[tuple[int]]:
        """The devices that have all of this."""
        return self._stream(
            "SELECT id FROM device WHERE platform = :platform AND ring_id IS :ring_id AND build IS :build",
            {"platform": platform, "ring_id": ring_id, "build": build},
        )

    # --- kept sums ----------------------------------------------------------------------------------

    def tells_of_later(self, now: datetime) -> bool:
        """Whether a change is on record that has not come yet: somebody's clock is wrong."""
        row = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM install WHERE state = 'succeeded' AND finished_at > :now) "
            "OR EXISTS (SELECT 1 FROM install WHERE state = 'uninstalled' AND finished_at > :now) "
            "OR EXISTS (SELECT 1 FROM build_seen WHERE at > :now)",
            {"now": seconds(now)},
        ).fetchone()
        return bool(row[0])

    def build_counts(self) -> list[tuple[str, int, int, int]]:
        """(Platform, first hour, build or 0, devices) as things stand."""
        return list(self._stream("SELECT platform, first_hour, build, devices FROM build_count WHERE devices <> 0", {}))

    def flow_builds(self) -> list[int]:
        """Every build that devices have had, as `build_flow` has it; read by jumps through its key."""
        rows = self._stream(
            "WITH RECURSIVE b (build) AS (SELECT min(build) FROM build_flow UNION ALL "
            "SELECT (SELECT min(f.build) FROM build_flow f WHERE f.build > b.build) FROM b WHERE b.build IS NOT NULL) "
            "SELECT build FROM b WHERE build IS NOT NULL",
            {},
        )
        return [build for (build,) in rows]

    def flows(self, builds: Sequence[int]) -> Iterator[tuple[int, str, int, int, int]]:
        """(Hour, platform, first hour, build, by how many the devices with it changed then) of these builds."""
        return self._stream(
            "SELECT hour, platform, first_hour, build, devices FROM build_flow "
            "WHERE build IN (SELECT value FROM json_each(:builds)) AND devices <> 0",
            {"builds": json.dumps(builds)},
        )

    def builds(self, condition: SqlCondition) -> tuple[tuple[Platform, int | None, int], ...]:
        """(Platform, build, devices) of the matching devices."""
        rows = self._db.execute(
            "SELECT d.platform, d.build, count(*) FROM device d "
            f"WHERE d.platform IS NOT NULL AND ({condition.where}) GROUP BY d.platform, d.build",
            tuple(condition.params),
        )
        return tuple((Platform(row[0]), row[1], row[2]) for row in rows)

    def unprotected(
        self, platform: Platform, build: int | None, condition: SqlCondition, limit: int
    ) -> tuple[UnprotectedRow, ...]:
        """Devices of a platform that run this build, those that have been silent the longest first."""
        # "+": the platform's index would read a third of the fleet, the build's only these.
        rows = self._db.execute(
            "SELECT d.*, ifnull(r.name, '') AS ring, "
            "(SELECT i.error_code FROM install i WHERE i.device_id = d.id AND i.open_failure = 1 "
            "ORDER BY i.id DESC LIMIT 1) AS code, "
            "EXISTS (SELECT 1 FROM exclusion x WHERE x.device_id = d.id AND x.lifted_at IS NULL) AS held, "
            "(SELECT min(at) FROM build_seen s WHERE s.device_id = d.id) AS first_seen, "
            "(SELECT max(i.finished_at) FROM install i WHERE i.device_id = d.id AND i.state = 'uninstalled') AS lost "
            "FROM device d LEFT JOIN ring r ON r.id = d.ring_id "
            f"WHERE d.build IS ? AND +d.platform = ? AND ({condition.where}) "
            "ORDER BY ifnull(d.last_seen_at, 0), d.name_key, d.id LIMIT ?",
            (build, platform, *condition.params, limit),
        )
        return tuple(
            UnprotectedRow(
                device_id=row["id"],
                name=row["name"],
                user=row["user"],
                ring=row["ring"],
                site=row["site"],
                platform=Platform(row["platform"]),
                build=row["build"],
                verdict=Verdict(row["verdict"]),
                reasons=tuple(part for part in row["reasons"].split(",") if part),
                state=DeviceState(row["state"]),
                error_code=row["code"],
                held=bool(row["held"]),
                last_seen_at=moment(row["last_seen_at"]),
                first_seen_at=moment(row["first_seen"]),
                lost_at=moment(row["lost"]),
            )
            for row in rows
        )

    def behind(self, condition: SqlCondition, baselines: Mapping[Platform, datetime]) -> tuple[BehindRow, ...]:
        """Devices by ring and platform, and how many are behind; one pass over the fleet."""
        if not baselines:
            return ()
        since = " ".join("WHEN ? THEN ?" for _ in baselines)
        times = [value for platform, at in baselines.items() for value in (platform, seconds(at))]
        rows = self._db.execute(
            "SELECT d.ring_id, d.platform, count(*) AS devices, sum(d.track = 'behind') AS behind, "
            f"sum(d.track = 'behind' AND ifnull(d.last_seen_at, 0) < CASE d.platform {since} END) AS not_seen "
            f"FROM device d WHERE d.platform IN ({placeholders(len(baselines))}) AND ({condition.where}) "
            "GROUP BY d.ring_id, d.platform",
            (*times, *baselines, *condition.params),
        )
        return tuple(
            BehindRow(row["ring_id"], Platform(row["platform"]), row["devices"], row["behind"], row["not_seen"])
            for row in rows
        )

    def arc_servers(self, condition: SqlCondition) -> tuple[ServerRow, ...]:
        """Servers that need Arc's subscription and could take hotpatches, by when they were first seen.

        Azure Edition has hotpatching included (Learn, "Enable Hotpatch for Azure Arc-enabled servers").
        """
        rows = self._db.execute(
            "SELECT (SELECT min(at) FROM build_seen s WHERE s.device_id = d.id) AS first_seen, count(*) AS servers, "
            "ifnull(sum(d.cores), 0) AS cores, sum(d.cores IS NULL) AS unknown_cores, "
            "sum(d.subscription = 'enabled') AS enrolled, "
            "ifnull(sum(CASE d.subscription WHEN 'enabled' THEN d.cores END), 0) AS enrolled_cores "
            "FROM device d WHERE d.platform = 'server-2025' AND d.management = 'arc' AND d.eligible = 1 "
            f"AND d.edition NOT LIKE '%azure edition%' AND ({condition.where}) GROUP BY 1",
            tuple(condition.params),
        )
        return tuple(
            ServerRow(
                moment(row["first_seen"]),
                row["servers"],
                row["cores"],
                row["unknown_cores"],
                row["enrolled"],
                row["enrolled_cores"],
            )
            for row in rows
        )

    # --- months that have closed --------------------------------------------------------------------

    def closed_months(self) -> tuple[ClosedMonth, ...]:
        return tuple(
            ClosedMonth(
                row["month"],
                time_of(row["released_at"]),
                time_of(row["until_at"]),
                time_of(row["measured_at"]),
                row["releases"],
            )
            for row in self._db.execute("SELECT * FROM closed_month ORDER BY month")
        )

    def closed_counts(self, months: Sequence[str], *, whole: bool = False) -> Iterator[tuple[str, ClosedCount]]:
        """What was kept of these months, as (month, group); `whole` leaves rings and sites out of the groups."""
        group = "-1 AS ring_id, '' AS site" if whole else "ring_id, site"
        for row in self._db.execute(
            f"SELECT month, platform, {group}, sum(devices) AS devices, sum(arrived) AS arrived, "
            f"'[' || group_concat(steps) || ']' AS steps FROM closed_month_count WHERE month IN "
            f"({placeholders(len(months))}) GROUP BY 1, 2, 3, 4",
            tuple(months),
        ):
            ring_id = None if row["ring_id"] < 0 else row["ring_id"]
            steps = tuple(step for each in _STEPS.decode(row["steps"]) for step in each)
            platform = Platform(row["platform"])
            yield row["month"], ClosedCount(platform, ring_id, row["site"], row["devices"], row["arrived"], steps)

    def close_month(self, month: ClosedMonth, counts: Iterable[ClosedCount]) -> None:
        """Keep a month, in the place of what was kept of it; inside the caller's transaction."""
        self._db.execute("DELETE FROM closed_month WHERE month = ?", (month.month,))
        self._db.execute(
            "INSERT INTO closed_month VALUES (?, ?, ?, ?, ?)",
            (
                month.month,
                seconds(month.released_at),
                seconds(month.until),
                seconds(month.measured_at),
                month.releases,
            ),
        )
        self._db.executemany(
            "INSERT INTO closed_month_count VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    month.month,
                    each.platform,
                    -1 if each.ring_id is None else each.ring_id,
                    each.site,
                    each.devices,
                    each.arrived,
                    json.dumps(each.steps, separators=(",", ":")),
                )
                for each in counts
            ),
        )

    # --- streaming ----------------------------------------------------------------------------------

    def _stream(self, statement: str, params: Mapping[str, Any]) -> Iterator[Any]:
        cursor = self._db.cursor()
        cursor.row_factory = None
        cursor.arraysize = 2_000
        return iter(cursor.execute(statement, params))


def _span(since: datetime, until: datetime) -> dict[str, int]:
    return {"since": seconds(since), "until": seconds(until)}
