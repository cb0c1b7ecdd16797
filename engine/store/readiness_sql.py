"""Judges readiness of many devices in one statement, from the same tables and rules as `engine.rules.readiness`.

Called by `store` after a catalog, a clock or a whole fleet has moved. It must agree with `assess` on every device.
Each check becomes two bits of one number (0 not applicable, 1 met, 2 unknown, 3 not met), in the order of RULES.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from engine.catalog.levels import Levels
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import STALE_REASON, CheckId, DeviceFacts, Track, Verdict
from engine.rules.readiness import (
    DEFAULT_SETTINGS,
    RULES,
    CheckResult,
    ReadinessSettings,
    ReadinessStage,
    licences,
    values,
)
from engine.rules.readiness.checks import baseline, on_track
from engine.rules.readiness.model import Context
from engine.rules.readiness.values import EditionClass
from engine.store.values import seconds

_CODE = {
    CheckResult.NOT_APPLICABLE: 0,
    CheckResult.MET: 1,
    CheckResult.UNKNOWN: 2,
    CheckResult.NOT_MET: 3,
}
_UNKNOWN = CheckResult.UNKNOWN
_SHIFT = {rule.id: 2 * place for place, rule in enumerate(RULES)}
_LOW_BITS = sum(1 << shift for shift in _SHIFT.values())
_HIGH_BITS = _LOW_BITS << 1
_VOLATILE = sum(3 << _SHIFT[rule.id] for rule in RULES if rule.volatile)
CHUNK = 50_000
"""Devices in one statement: the new values of a statement are held in memory until it ends."""


class DeviceScope(Struct, frozen=True):
    """Which devices a statement is about: a condition on ``device d`` with named parameters."""

    where: str
    params: Mapping[str, Any] = field(default_factory=dict)
    narrow: bool = False
    """Few devices of many: they are looked up first, instead of walking every stretch of ids."""

    def within(self, other: DeviceScope) -> DeviceScope:
        """The devices that are in both."""
        clash = self.params.keys() & other.params.keys()
        if clash:
            raise ValueError(f"both scopes use the parameter {', '.join(sorted(clash))}")
        return DeviceScope(
            f"({self.where}) AND ({other.where})", {**self.params, **other.params}, self.narrow or other.narrow
        )


EVERY_DEVICE = DeviceScope("1")


def with_ids(ids: Iterable[int]) -> DeviceScope:
    """These devices."""
    return DeviceScope("d.id IN (SELECT value FROM json_each(:ids))", {"ids": json.dumps(list(ids))}, narrow=True)


def of_platform(platform: Platform) -> DeviceScope:
    """Every device of a platform."""
    # The plus keeps SQLite on the stretch of ids: by platform first, each stretch would walk the whole platform.
    return DeviceScope("+d.platform = :platform", {"platform": platform.value})


def due(now: datetime) -> DeviceScope:
    """Devices whose facts have become too old since they were judged."""
    return DeviceScope("d.stale_at <= :due_at", {"due_at": seconds(now)}, narrow=True)


def id_range(first: int, last: int) -> DeviceScope:
    """Devices from one id to another, both included."""
    return DeviceScope("d.id BETWEEN :first_id AND :last_id", {"first_id": first, "last_id": last}, narrow=True)


class Statement(Struct, frozen=True):
    """One UPDATE with its named parameters."""

    sql: str
    params: Mapping[str, Any]


def judge(
    connection: sqlite3.Connection,
    levels: Mapping[Platform, Levels],
    now: datetime,
    settings: ReadinessSettings = DEFAULT_SETTINGS,
    scope: DeviceScope = EVERY_DEVICE,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Judge every device of the scope and write what has changed, in stretches of ids; returns how many rows.

    Call it inside a transaction. `progress` is told how far it is and how far it goes, in ids.
    """
    changed = 0
    for stretch, done, whole in _stretches(connection, scope):
        statement = update_statement(levels, now, settings, stretch)
        connection.execute(statement.sql, dict(statement.params))
        changed += connection.execute("SELECT changes()").fetchone()[0]
        if progress is not None:
            progress(done, whole)
    return changed


def _stretches(connection: sqlite3.Connection, scope: DeviceScope) -> Iterator[tuple[DeviceScope, int, int]]:
    """The scope in parts of at most CHUNK devices, each with how much is done after it and how much there is."""
    if scope.narrow:
        found = connection.execute(f"SELECT d.id FROM device d WHERE {scope.where} ORDER BY d.id", dict(scope.params))
        ids = array("q", (row[0] for row in found))
        for first in range(0, len(ids), CHUNK):
            yield with_ids(ids[first : first + CHUNK]), min(first + CHUNK, len(ids)), len(ids)
        return
    highest = connection.execute("SELECT ifnull(max(id), 0) FROM device").fetchone()[0]
    for first in range(1, highest + 1, CHUNK):
        last = min(first + CHUNK - 1, highest)
        yield scope.within(id_range(first, last)), last, highest


def update_statement(
    levels: Mapping[Platform, Levels],
    now: datetime,
    settings: ReadinessSettings = DEFAULT_SETTINGS,
    scope: DeviceScope = EVERY_DEVICE,
) -> Statement:
    """The UPDATE that sets verdict, eligible, enrolled, reasons, track, protected and stale_at in a scope.

    Rows that would stay as they are are not written, so that repeating it costs a read.
    """
    now = now.replace(microsecond=0)
    writer = _Writer(levels, now, settings)
    steady = writer.by_platform(writer.steady, writer.steady_without_platform())
    volatile = writer.by_platform(writer.volatile, "0")
    old = f"(({volatile} | ({volatile} >> 1)) & {_LOW_BITS & _VOLATILE}) << 1"
    fresh = "ifnull(d.last_seen_at > :fresh_after, 0)"
    columns = ("verdict", "eligible", "enrolled", "reasons", "track", "protected", "stale_at")
    # Every name and number in it is ours; values are bound. A fleet has few combinations of checks, so the words
    # are made once a combination; MATERIALIZED keeps SQLite from writing the sums out again at each use.
    sql = f"""
    WITH judged AS MATERIALIZED (
        SELECT d.id, d.last_seen_at, {fresh} AS fresh, d.platform IS NULL AS bare,
            {steady} + CASE WHEN {fresh} THEN {volatile} ELSE {old} END AS checks,
            {writer.by_platform(writer.standing, str(2 * _TRACKS.index(Track.UNKNOWN)))} AS standing
        FROM device d WHERE {scope.where}
    ), said AS MATERIALIZED (
        SELECT checks, fresh, bare,
            CASE WHEN checks & (checks >> 1) & {_LOW_BITS} THEN '{Verdict.NOT_READY}'
                WHEN checks & {_HIGH_BITS} THEN '{Verdict.UNKNOWN}' ELSE '{Verdict.READY}' END AS verdict,
            {_stage(ReadinessStage.ELIGIBLE)} AS eligible,
            CASE WHEN bare THEN NULL ELSE {_stage(ReadinessStage.ENROLLED)} END AS enrolled,
            CASE WHEN checks & {_HIGH_BITS} = 0 THEN '' ELSE substr({_reasons()}, 2) END AS reasons
        FROM (SELECT DISTINCT checks, fresh, bare FROM judged)
    ), news AS (
        SELECT judged.id, verdict, eligible, enrolled, reasons, {_track()} AS track, standing & 1 AS protected,
            CASE WHEN judged.fresh THEN last_seen_at + :max_age END AS stale_at
        FROM judged CROSS JOIN said USING (checks, fresh, bare)
    )
    UPDATE device SET {", ".join(f"{name} = news.{name}" for name in columns)} FROM news
    WHERE device.id = news.id AND ({" OR ".join(f"device.{name} IS NOT news.{name}" for name in columns)})
    """
    params = {
        "fresh_after": seconds(now) - int(settings.max_age.total_seconds()),
        "max_age": int(settings.max_age.total_seconds()),
        **writer.params,
        **scope.params,
    }
    return Statement(sql, params)


class _Writer(Struct):
    """Writes the checks of each platform as sums of two-bit fields."""

    levels: Mapping[Platform, Levels]
    now: datetime
    settings: ReadinessSettings
    params: dict[str, Any] = field(default_factory=dict)

    def by_platform(self, write: Callable[[Platform], str], otherwise: str) -> str:
        branches = " ".join(f"WHEN '{platform}' THEN {write(platform)}" for platform in Platform)
        return f"(CASE d.platform {branches} ELSE {otherwise} END)"

    def bind(self, value: str) -> str:
        name = f"value_{len(self.params)}"
        self.params[name] = value
        return f":{name}"

    # --- facts that do not age ----------------------------------------------------------------------

    def steady(self, platform: Platform) -> str:
        low, high = OsBuild(platform.build_number, 0).as_int(), OsBuild(platform.build_number + 1, 0).as_int()
        version = (
            f"CASE WHEN d.build IS NULL OR d.build >= {low} AND d.build < {high} "
            f"THEN {_bits(CheckId.OS_VERSION, CheckResult.MET)} ELSE {_bits(CheckId.OS_VERSION, _UNKNOWN)} END"
        )
        edition = self._by_edition(lambda kind: self._edition_sum(platform, kind))
        if platform.is_server:
            return f"({version} + {edition})"
        processor = (
            f"CASE WHEN d.architecture IS NULL THEN {_bits(CheckId.ARCHITECTURE, _UNKNOWN)} "
            f"ELSE {_bits(CheckId.ARCHITECTURE, CheckResult.MET)} END"
        )
        management = _by_value(CheckId.MANAGEMENT, "d.management", values.CLIENT_MANAGEMENT)
        return f"({version} + {edition} + {processor} + {management})"

    def steady_without_platform(self) -> str:
        span = OsBuild(1, 0).as_int()
        numbers = ", ".join(str(number) for number in sorted(values.HOTPATCHABLE_NUMBERS))
        return (
            f"CASE WHEN d.build IS NULL OR d.build / {span} IN ({numbers}) "
            f"THEN {_bits(CheckId.OS_VERSION, _UNKNOWN)} ELSE {_bits(CheckId.OS_VERSION, CheckResult.NOT_MET)} END"
        )

    def _edition_sum(self, platform: Platform, kind: EditionClass) -> str:
        fixed = _bits(CheckId.EDITION, values.EDITION[platform].get(kind, _UNKNOWN))
        if platform.is_server:
            path = values.server_path(platform, kind)
            return f"{fixed} + {_by_value(CheckId.CONNECTION, 'd.management', values.CONNECTION[path])}"
        service, _ = values.service_end(platform, kind, self.now.date())
        return str(fixed + _bits(CheckId.END_OF_SERVICE, service))

    def _by_edition(self, write: Callable[[EditionClass], str]) -> str:
        written = {kind: write(kind) for kind in EditionClass}
        if len(set(written.values())) == 1:
            return written[EditionClass.OTHER]
        branches = " ".join(
            f"WHEN lower(d.edition) IN ({', '.join(self.bind(name) for name in names)}) THEN {written[kind]}"
            for kind, names in values.EDITION_NAMES.items()
            if written[kind] != written[EditionClass.OTHER]
        )
        return f"CASE {branches} ELSE {written[EditionClass.OTHER]} END"

    # --- facts that age -----------------------------------------------------------------------------

    def volatile(self, platform: Platform) -> str:
        terms = [self._floor(platform), self._standing_checks(platform)]
        if platform is not Platform.SERVER_2022:
            terms.append(_by_value(CheckId.VBS, "d.vbs", values.VBS))
        if platform.is_server:
            terms.append(
                self._by_edition(
                    lambda kind: _by_value(
                        CheckId.SUBSCRIPTION,
                        "d.subscription",
                        values.SUBSCRIPTION[values.server_path(platform, kind)],
                    )
                )
            )
        else:
            terms.append(self._licence())
            terms.append(_by_value(CheckId.POLICY, "d.policy", values.policy(self.settings)))
            chpe = _by_value(CheckId.CHPE, "d.chpe", values.CHPE)
            terms.append(f"CASE d.architecture WHEN '{Architecture.ARM64}' THEN {chpe} ELSE 0 END")
        return f"({' + '.join(terms)})"

    def _licence(self) -> str:
        results = {True: CheckResult.MET, False: CheckResult.NOT_MET, None: _UNKNOWN}
        branches = " ".join(
            f"WHEN {self.bind(licence.key)} THEN {_bits(CheckId.LICENCE, results[licence.eligible])}"
            for licence in licences().values()
        )
        return f"CASE d.licence {branches} ELSE {_bits(CheckId.LICENCE, _UNKNOWN)} END"

    def _floor(self, platform: Platform) -> str:
        floors = values.FLOORS.get(platform)
        if floors is None:
            return "0"
        met, unmet, unknown = (
            _bits(CheckId.BUILD_FLOOR, result) for result in (CheckResult.MET, CheckResult.NOT_MET, _UNKNOWN)
        )
        lowest, highest = min(floors.values()).as_int(), max(floors.values()).as_int()
        exact = " ".join(
            f"WHEN d.architecture = '{architecture}' AND d.build < {build.as_int()} THEN {unmet} "
            f"WHEN d.architecture = '{architecture}' THEN {met}"
            for architecture, build in floors.items()
        )
        return (
            f"CASE WHEN d.build IS NULL THEN {unknown} {exact} WHEN d.build < {lowest} THEN {unmet} "
            f"WHEN d.build >= {highest} THEN {met} ELSE {unknown} END"
        )

    # --- the calendar -------------------------------------------------------------------------------

    def _standing_checks(self, platform: Platform) -> str:
        context = Context(self.levels.get(platform), self.now, self.settings)

        def code(build: OsBuild | None) -> int:
            facts = DeviceFacts("", platform, None, build)
            return _bits(CheckId.BASELINE, baseline(facts, context).result) + _bits(
                CheckId.TRACK, on_track(facts, context).result
            )

        return self._by_build(platform, code)

    def standing(self, platform: Platform) -> str:
        """Track and protection of a build: the track's place, doubled, plus 1 where it is protected."""
        levels = self.levels.get(platform)

        def code(build: OsBuild | None) -> int:
            if levels is None or build is None:
                return 2 * _TRACKS.index(Track.UNKNOWN)
            return 2 * _TRACKS.index(levels.track_of(build)) + levels.is_current(build)

        return self._by_build(platform, code)

    def _by_build(self, platform: Platform, code: Callable[[OsBuild | None], int]) -> str:
        """A CASE over stretches of builds. What a calendar says changes only at the builds it knows."""
        starts = _turning_points(platform, self.levels.get(platform))
        branches = []
        for low, high in zip([OsBuild(0, 0), *starts], starts, strict=False):
            branches.append((high.as_int(), code(low)))
        last = code(starts[-1])
        merged = [
            (high, value)
            for place, (high, value) in enumerate(branches)
            if value != (branches[place + 1][1] if place + 1 < len(branches) else last)
        ]
        cases = " ".join(f"WHEN d.build < {high} THEN {value}" for high, value in merged)
        return f"CASE WHEN d.build IS NULL THEN {code(None)} {cases} ELSE {last} END"


_TRACKS = tuple(Track)


def _turning_points(platform: Platform, levels: Levels | None) -> list[OsBuild]:
    """Builds at which a comparison with the known releases can change its answer."""
    points = {OsBuild(platform.build_number, 0), OsBuild(platform.build_number + 1, 0)}
    if levels is not None:
        releases = [*levels.hotpatches, *levels.cumulative, *levels.companions]
        for release in (*releases, *([levels.baseline] if levels.baseline else [])):
            if release.build is not None:
                points |= {release.build, OsBuild(release.build.number, release.build.revision + 1)}
    return sorted(points)


def _bits(check: CheckId, result: CheckResult) -> int:
    return _CODE[result] << _SHIFT[check]


def _by_value(check: CheckId, column: str, results: Mapping[str, CheckResult]) -> str:
    branches = " ".join(f"WHEN '{value}' THEN {_bits(check, result)}" for value, result in results.items())
    return f"CASE {column} {branches} ELSE {_bits(check, _UNKNOWN)} END"


def _stage(stage: ReadinessStage) -> str:
    high = sum(2 << _SHIFT[rule.id] for rule in RULES if rule.stage is stage)
    low = high >> 1
    return f"CASE WHEN checks & (checks >> 1) & {low} THEN 0 WHEN checks & {high} THEN NULL ELSE 1 END"


def _reasons() -> str:
    """What is not met, then what is unknown; volatile facts of a stale device are one reason together."""
    unmet, unknown, lasting = [], [], []
    for rule in RULES:
        mask, code = 3 << _SHIFT[rule.id], 2 << _SHIFT[rule.id]
        unmet.append(f"CASE checks & {mask} WHEN {mask} THEN ',{rule.id}' ELSE '' END")
        unknown.append(f"CASE checks & {mask} WHEN {code} THEN ',{rule.id}?' ELSE '' END")
        if not rule.volatile:
            lasting.append(unknown[-1])
    lasting.append(f"CASE WHEN checks & {_HIGH_BITS & _VOLATILE} THEN ',{STALE_REASON}' ELSE '' END")
    fresh, stale = " || ".join(unknown), " || ".join(lasting)
    return (
        f"(CASE WHEN checks & (checks >> 1) & {_LOW_BITS} THEN {' || '.join(unmet)} ELSE '' END "
        f"|| CASE WHEN fresh THEN {fresh} ELSE {stale} END)"
    )


def _track() -> str:
    branches = " ".join(f"WHEN {place} THEN '{track}'" for place, track in enumerate(_TRACKS))
    return f"CASE standing >> 1 {branches} END"
