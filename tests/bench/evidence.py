"""Compliance and cost over a year of history: each device with an install every month, on the real releases."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from engine import Engine, open_engine
from engine.catalog.protection import Reaches, make_reaches
from engine.evidence.closing import close_next
from engine.store.values import seconds
from tests.bench.fleets import CACHE, SMALL, Fleet
from tests.bench.table import Line, Section, duration
from tests.bench.timing import Pair

_FIRST = "2025-05"
"""From the month before the sample fleet's own past begins in a large fleet."""
_DAYS = "CASE ring_id WHEN 1 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN 6 WHEN 4 THEN 10 ELSE 11 END"
_INSTALL = f"""
    INSERT INTO install (device_id, ring_id, kb, platform, action, state, stage, progress, attempt, by_hand,
        requested_at, requested_by, started_at, finished_at, build_after, restarted, reason)
    SELECT id, ring_id, :kb, platform, 'apply', 'succeeded', 'succeeded', 100, 1, 0, :at, 'engine', :at,
        :at + id * 7919 % 86400 + 86400 * {_DAYS}, :build, :restarts, 'year' FROM device WHERE platform = :platform
"""

Question = Callable[[Engine], object]


def measure(full: Fleet, small: Fleet) -> Section:
    """The section on evidence. The files with a year of history are kept beside the fleets."""
    with open_engine(_year(full)) as engine, open_engine(_year(small)) as base:

        def line(what: str, question: Question) -> Line:
            pair = Pair(_once(question, engine), _once(question, base))
            return Line(what, duration(pair.full), duration(pair.base), pair.ratio, ())

        installs = engine.reads.store.connection.execute("SELECT count(*) FROM install").fetchone()[0]
        lines = [
            line(
                "protection against the present month, as status and overview ask",
                lambda e: e.reads.evidence.compliance(),
            ),
            line("compliance of every month, nothing kept yet", lambda e: e.reads.evidence.compliance_report()),
            line("the same for one ring", lambda e: e.reads.evidence.compliance_report(None, "ring:fast")),
            line("cost of every month", lambda e: e.reads.evidence.cost_report()),
            line("keeping a month that has closed", lambda e: close_next(e.reads.store, e.now())),
        ]
        for each in (engine, base):
            while close_next(each.reads.store, each.now()):
                pass
        lines += [
            line("the overview's trend, months kept", lambda e: e.reads.evidence.compliance_trend()),
            line("compliance of every month, months kept", lambda e: e.reads.evidence.compliance_report()),
        ]
    return Section(f"Evidence in {installs:,} installs, against {SMALL:,} devices", tuple(lines))


def _once(question: Question, engine: Engine) -> float:
    begin = time.perf_counter()
    question(engine)
    return time.perf_counter() - begin


def _year(fleet: Fleet) -> Path:
    """A copy of a fleet with a year of history; nothing kept of its months."""
    path = CACHE / f"year-{fleet.path.name}"
    if not path.exists():
        for old in CACHE.glob(f"year-fleet-{fleet.size}-*"):
            old.unlink()
        unfinished = path.with_suffix(".unfinished")
        shutil.copy(fleet.path, unfinished)
        with open_engine(unfinished) as engine:
            _remember(engine)
        unfinished.replace(path)
    with open_engine(path) as engine, engine.reads.store.transaction():
        engine.reads.store.connection.execute("DELETE FROM closed_month")
    return path


def _remember(engine: Engine) -> None:
    """Give every device an install for each month before its own past; indexes are made once, at the end."""
    db, store = engine.reads.store.connection, engine.reads.store
    reaches: Reaches = make_reaches(store.releases.releases(), engine.now())
    earliest = store.evidence.records_begin()
    with store.transaction():
        indexes = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = 'install' "
            "AND name <> 'install_by_device'"  # what is kept with each write looks there
        ).fetchall()
        for name, _ in indexes:
            db.execute(f"DROP INDEX {name}")
        for month in reaches.months:
            if month < _FIRST or (earliest is not None and month >= f"{earliest:%Y-%m}"):
                continue
            for each in reaches.of_month(month):
                release = each.main
                db.execute(
                    _INSTALL,
                    {
                        "kb": release.kb,
                        "at": seconds(release.released_at),
                        "build": release.build.as_int() if release.build is not None else None,
                        "restarts": int(not release.kind.is_hotpatch),
                        "platform": release.platform,
                    },
                )
        for _, sql in indexes:
            db.execute(sql)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
