"""An import of a device list against a bare `executemany` of the same rows, and what preparing a demo takes."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from engine import open_engine
from engine.catalog import load_bundled
from engine.demo import DEMO_BEGINS
from engine.inventory import COLUMNS
from engine.providers.simulated.fleet import generate
from engine.store import Store
from engine.store.devices import FACT_COLUMNS, fact_values
from tests.bench.fleets import CACHE, SMALL, Fleet
from tests.bench.table import Line, Section, at_most, duration

if TYPE_CHECKING:
    from engine.providers.simulated.sample import SampleDevice

_CHUNK = 2_000
_MOST = 2.5
LARGEST_IMPORT = 100_000


def measure(full: Fleet, small: Fleet, *, quick: bool) -> Section:
    """The section on taking in."""
    rows = min(full.size, 10_000 if quick else LARGEST_IMPORT)
    return Section("Taking in", (_import_line(rows), *_preparing_lines(full, small)))


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


def _import_line(rows: int) -> Line:
    with TemporaryDirectory(dir=CACHE) as place:
        file, target = Path(place) / "devices.csv", Path(place) / "import.db"
        bare = _write(file, Path(place) / "bare.db", rows)
        with open_engine(target, create=True) as engine:
            begin = time.perf_counter()
            report = engine.import_devices(file)
            seconds = time.perf_counter() - begin
        assert report.added.devices == rows, report
    ratio = seconds / bare
    return Line(
        f"import of {rows:,} rows from CSV",
        f"{rows / seconds:,.0f} rows/s, {duration(seconds)}",
        f"{rows / bare:,.0f} rows/s, {duration(bare)} (bare `executemany`, same table and indexes)",
        ratio,
        (at_most(_MOST, ratio),),
    )


def _write(file: Path, bare: Path, rows: int) -> float:
    """Write a device list; the same rows go into an empty state file, and its bare seconds are the answer."""
    names = [column.name for column in COLUMNS]
    known = [each for each in load_bundled().releases if each.released_at <= DEMO_BEGINS]
    store = Store(bare)
    try:
        with _Bare(store) as load, file.open("w", encoding="utf-8", newline="") as written:
            writer = csv.writer(written)
            writer.writerow(names)
            for chunk in _chunks(generate(known, size=rows, now=DEMO_BEGINS)):
                writer.writerows(_cells(names, each) for each in chunk)
                load.add(chunk)
        return load.seconds
    finally:
        store.close()


class _Bare:
    """One `executemany` after the other in one transaction; nothing is counted, nothing judged."""

    def __init__(self, store: Store) -> None:
        from engine.rings import preset

        for ring in preset():
            store.rollout.save_ring(ring)
        self._ring_ids = {ring.name: ring.id for ring in store.rollout.rings()}
        self._db = store.connection
        columns = [*FACT_COLUMNS, "ring_id"]
        self._sql = f"INSERT INTO device ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        self.seconds = 0.0

    def __enter__(self) -> _Bare:
        for event in ("insert", "delete", "update"):
            self._db.execute(f"DROP TRIGGER device_count_{event}")
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def add(self, devices: list[SampleDevice]) -> None:
        rows = [(*fact_values(each.external_id, each.facts), self._ring_ids[each.ring]) for each in devices]
        begin = time.perf_counter()
        self._db.executemany(self._sql, rows)
        self.seconds += time.perf_counter() - begin

    def __exit__(self, *_: object) -> None:
        begin = time.perf_counter()
        self._db.execute("COMMIT")
        self.seconds += time.perf_counter() - begin


def _chunks(fleet: Iterator[SampleDevice]) -> Iterator[list[SampleDevice]]:
    while chunk := list(islice(fleet, _CHUNK)):
        yield chunk


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
