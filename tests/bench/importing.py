"""An import of a device list against a bare `executemany` of the same rows, and what preparing a demo takes."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from engine import open_engine
from engine.catalog import load_bundled
from engine.files.devices import COLUMNS
from engine.fleet.demo import DEMO_BEGINS
from engine.providers.simulated.fleet import generate
from engine.rules.rollout.presets import preset
from engine.store import Store
from engine.store.devices import FACT_COLUMNS, fact_values
from tests.bench.fleets import CACHE, SMALL, Fleet
from tests.bench.table import Line, Section, at_most, duration
from tests.bench.timing import compare

if TYPE_CHECKING:
    from engine.model.sample import SampleDevice

_MOST = 2.5
_ROWS, _QUICK_ROWS = 100_000, 10_000

_Row = tuple[Any, ...]


def measure(full: Fleet, small: Fleet, *, quick: bool) -> Section:
    """The section on taking in."""
    rows, repetitions = (_QUICK_ROWS, 1) if quick else (_ROWS, 3)
    return Section("Taking in", (_import_line(min(rows, full.size), repetitions), *_preparing_lines(full, small)))


def _preparing_lines(full: Fleet, small: Fleet) -> Iterable[Line]:
    if not full.seconds or not small.seconds:
        yield Line(f"a demo of {full.size:,} devices", "was there already, not measured")
        return
    yield Line(
        f"a demo of {full.size:,} devices: rows/s",
        f"{full.size / full.seconds:,.0f} rows/s, {duration(full.seconds)}",
        f"{small.size / small.seconds:,.0f} rows/s, {duration(small.seconds)} ({SMALL:,} devices)",
    )
    yield Line(
        f"a demo of {full.size:,} devices: peak memory",
        f"{full.peak_megabytes:.0f} MB",
        f"{small.peak_megabytes:.0f} MB ({SMALL:,} devices)",
        full.peak_megabytes / small.peak_megabytes,
    )


def _import_line(size: int, repetitions: int) -> Line:
    with TemporaryDirectory(dir=CACHE) as place:
        file = Path(place) / "devices.csv"
        rows = _write(file, size)
        pair = compare(
            lambda: _import(file, Path(place) / "import.db", size),
            lambda: _insert(rows, Path(place) / "bare.db"),
            repetitions,
            warm=False,
        )
    return Line(
        f"import of {size:,} rows from CSV",
        f"{size / pair.full:,.0f} rows/s, {duration(pair.full)}",
        f"{size / pair.base:,.0f} rows/s, {duration(pair.base)} (bare `executemany`, same table and indexes)",
        pair.ratio,
        (at_most(_MOST, pair.ratio),),
    )


def _write(file: Path, size: int) -> list[_Row]:
    """Write a device list; the answer is its rows as the table wants them."""
    names = [column.name for column in COLUMNS]
    known = [each for each in load_bundled().releases if each.released_at <= DEMO_BEGINS]
    ring_ids = {ring.name: ring.id for ring in preset()}
    rows: list[_Row] = []
    with file.open("w", encoding="utf-8", newline="") as written:
        writer = csv.writer(written)
        writer.writerow(names)
        for each in generate(known, size=size, now=DEMO_BEGINS):
            writer.writerow(_cells(names, each))
            rows.append((*fact_values(each.external_id, each.facts), ring_ids[each.ring]))
    return rows


def _import(file: Path, target: Path, size: int) -> float:
    _remove(target)
    with open_engine(target, create=True) as engine:
        begin = time.perf_counter()
        report = engine.import_devices(file)
        seconds = time.perf_counter() - begin
    assert report.added.devices == size, report
    return seconds


def _insert(rows: list[_Row], target: Path) -> float:
    """One `executemany` in one transaction: nothing is read, nothing counted, nothing judged."""
    _remove(target)
    columns = [*FACT_COLUMNS, "ring_id"]
    insert = f"INSERT INTO device ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    store = Store(target)
    try:
        for ring in preset():
            store.rollout.save_ring(ring)
        for event in ("insert", "delete", "update"):
            store.connection.execute(f"DROP TRIGGER device_count_{event}")
        begin = time.perf_counter()
        store.connection.execute("BEGIN IMMEDIATE")
        store.connection.executemany(insert, rows)
        store.connection.execute("COMMIT")
        return time.perf_counter() - begin
    finally:
        store.close()


def _remove(path: Path) -> None:
    for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        each.unlink(missing_ok=True)


def _cells(names: list[str], device: SampleDevice) -> list[str]:
    own = {"id": device.external_id, "ring": device.ring}
    return [own[name] if name in own else _cell(getattr(device.facts, name)) for name in names]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)
