"""Writes what readiness says of many devices after a catalog, a clock or a whole fleet has moved.

A statement asks `assess` of `engine.rules.readiness` as the SQL function of that name. It is there only while `judge`
runs: no trigger, view, index or generated column can call it, and the file stays readable without it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from engine.catalog.levels import Levels
from engine.model.build import Architecture, Platform
from engine.model.model import (
    ChpeState,
    DeviceFacts,
    Management,
    PolicyState,
    Subscription,
    Track,
    VbsState,
)
from engine.rules.readiness import DEFAULT_SETTINGS, ReadinessSettings, assess
from engine.rules.readiness.alike import as_judged, turning_points
from engine.rules.readiness.assess import too_old_at
from engine.store.values import os_build, seconds

CHUNK = 50_000
"""Devices in one statement: the new values of a statement are held in memory until it ends."""
REMEMBERED = 8_192
"""Combinations of facts whose answer is remembered. A real fleet has hundreds; a hostile import may have a new one in
each row, with texts as long as imports permit."""

_FACTS = "platform architecture build edition licence management policy subscription vbs chpe".split()
_ANSWER = "verdict eligible enrolled reasons track protected".split()
_WRITTEN = (*_ANSWER, "stale_at")
_FRESH = "ifnull(d.last_seen_at > :too_old_at, 0)"

# Every name in it is ours; values are bound. A fleet has few answers, so each is taken apart once; MATERIALIZED keeps
# SQLite from asking again at each use. The plus keeps it on the stretch of ids, not on the index of platforms.
UPDATE = f"""
WITH judged AS MATERIALIZED (
    SELECT d.id, d.last_seen_at, {_FRESH} AS fresh,
        assess({", ".join(f"d.{name}" for name in _FACTS)}, {_FRESH}) AS answer
    FROM device d WHERE d.id BETWEEN :first AND :last AND (:platform IS NULL OR +d.platform = :platform)
), said AS MATERIALIZED (
    SELECT answer, {", ".join(f"told ->> {place} AS {name}" for place, name in enumerate(_ANSWER))}
    FROM (SELECT answer, assessed(answer) AS told FROM (SELECT DISTINCT answer FROM judged))
), news AS (
    SELECT judged.id, {", ".join(_ANSWER)}, CASE WHEN fresh THEN last_seen_at + :max_age END AS stale_at
    FROM judged CROSS JOIN said USING (answer)
)
UPDATE device SET {", ".join(f"{name} = news.{name}" for name in _WRITTEN)} FROM news
WHERE device.id = news.id AND ({" OR ".join(f"device.{name} IS NOT news.{name}" for name in _WRITTEN)})
"""
"""Sets verdict, eligible, enrolled, reasons, track, protected and stale_at of the devices with the ids from :first to
:last. Rows that would stay as they are are not written, so that repeating it costs a read."""


def judge(
    connection: sqlite3.Connection,
    levels: Mapping[Platform, Levels],
    now: datetime,
    settings: ReadinessSettings = DEFAULT_SETTINGS,
    *,
    platform: Platform | None = None,
    ids: tuple[int, int] | None = None,
) -> int:
    """Judge every device, or those of a platform or of a range of ids, and write what has changed.

    Call it inside a transaction, and with no read of the same connection under way. Returns how many rows it wrote.
    """
    first, highest = ids or (1, connection.execute("SELECT ifnull(max(id), 0) FROM device").fetchone()[0])
    params = {
        "platform": platform,
        "too_old_at": seconds(too_old_at(now, settings)),
        "max_age": int(settings.max_age.total_seconds()),
    }
    answers = Judgements(levels, now, settings)
    changed = 0
    for low in range(first, highest + 1, CHUNK):
        if len(answers) > REMEMBERED:
            answers = Judgements(levels, now, settings)
        with answers.asked_by(connection):
            connection.execute(UPDATE, {**params, "first": low, "last": min(low + CHUNK - 1, highest)})
            changed += connection.execute("SELECT changes()").fetchone()[0]
    return changed


class Judgements:
    """What `assess` says to combinations of facts, as SQL functions; each combination is asked once while remembered.

    Two memories: of facts as they stand in the row, so that nearly every row is answered without a line of Python,
    and of facts as the rules tell them apart, so that rows that differ in every text and build are not judged each.
    """

    def __init__(self, levels: Mapping[Platform, Levels], now: datetime, settings: ReadinessSettings) -> None:
        self._levels: dict[Platform | None, Levels] = dict(levels.items())
        self._turning_points = {
            platform: turning_points(platform, self._levels.get(platform)) for platform in (None, *Platform)
        }
        self._now = now
        self._settings = settings
        self._numbers: dict[str, int] = {}
        self._answers: list[str] = []
        self._number_of_row = lru_cache(REMEMBERED)(self._of_row)
        self._number_of = lru_cache(REMEMBERED)(self._of)

    def __len__(self) -> int:
        """How many different answers there were."""
        return len(self._answers)

    @contextmanager
    def asked_by(self, connection: sqlite3.Connection) -> Iterator[None]:
        """For statements within: ``assess(facts…)`` is the number of an answer, ``assessed(number)`` its JSON."""
        connection.create_function("assess", len(_FACTS) + 1, self._number_of_row, deterministic=True)
        connection.create_function("assessed", 1, self._answers.__getitem__, deterministic=True)
        try:
            yield
        finally:
            # Removed by the documentation; CPython 3.11 keeps a name that fails when called. Both free the memory.
            connection.create_function("assess", len(_FACTS) + 1, None)
            connection.create_function("assessed", 1, None)

    def _of_row(
        self,
        platform: str | None,
        architecture: str | None,
        build: int | None,
        edition: str,
        licence: str,
        management: str,
        policy: str,
        subscription: str,
        vbs: str,
        chpe: str,
        is_fresh: int,
    ) -> int:
        facts = DeviceFacts(
            name="",
            platform=_member(Platform, platform, None),
            architecture=_member(Architecture, architecture, None),
            build=os_build(build),
            edition=edition,
            licence=licence,
            management=_member(Management, management, Management.UNKNOWN),
            policy=_member(PolicyState, policy, PolicyState.UNKNOWN),
            subscription=_member(Subscription, subscription, Subscription.UNKNOWN),
            vbs=_member(VbsState, vbs, VbsState.UNKNOWN),
            chpe=_member(ChpeState, chpe, ChpeState.UNKNOWN),
            last_seen_at=self._now if is_fresh else None,
        )
        return self._number_of(as_judged(facts, self._turning_points[facts.platform]))

    def _of(self, facts: DeviceFacts) -> int:
        levels = self._levels.get(facts.platform)
        readiness = assess(facts, levels, self._now, self._settings)
        answer = json.dumps(
            (
                readiness.verdict,
                readiness.eligible,
                readiness.enrolled,
                ",".join(readiness.reason_ids),
                levels.track_of(facts.build) if levels else Track.UNKNOWN,
                bool(levels and levels.is_current(facts.build)),
            )
        )
        number = self._numbers.setdefault(answer, len(self._answers))
        if number == len(self._answers):
            self._answers.append(answer)
        return number


_Word = TypeVar("_Word", bound=StrEnum)
_Otherwise = TypeVar("_Otherwise")


def _member(words: type[_Word], told: str | None, otherwise: _Otherwise) -> _Word | _Otherwise:
    """A word that no version knows is not told, as everywhere else in readiness."""
    try:
        return otherwise if told is None else words(told)
    except ValueError:
        return otherwise
