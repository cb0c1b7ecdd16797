"""A scanner export against the sample fleet, with findings of every class, for tests of commands and screens."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from engine import open_engine
from engine.model.records.fleet import DeviceQuery
from engine.rules.findings import FindingVerdict
from tests.engine.scan_exports import Row, nessus

SCANNED = datetime(2026, 5, 13, 6, tzinfo=UTC)
MAY, APRIL = "CVE-2026-35423", "CVE-2026-32159"


def write_scan(state: Path, path: Path, *, bad: int = 1) -> Path:
    """Nessus's export of forty devices of the demo with two CVEs each, and what is beside servicing or unknown."""
    with open_engine(state) as engine:
        names = [row.name for row in engine.reads.devices.each(DeviceQuery("platform:win11-24h2"))][:40]
    rows = [Row(name, (MAY, APRIL), id=str(240_001 + place)) for place, name in enumerate(names)]
    rows += [
        Row("LON-LT-GHOST", (MAY,)),
        Row("10.20.30.40", (MAY,)),
        Row(names[0], ("CVE-2021-44228",), id="156002", title="Apache Log4j < 2.15.0", solution="Upgrade."),
        Row(names[1], (), id="19506", title="Windows scan information"),
        *(Row(names[2], ("CVE-26-1",)) for _ in range(bad)),
    ]
    path.write_text(nessus(rows), encoding="utf-8")
    stamp = SCANNED.timestamp()
    os.utime(path, (stamp, stamp))
    return path


def count(document: dict[str, object]) -> int:
    """The findings of all verdicts together."""
    verdicts = document["verdicts"]
    assert isinstance(verdicts, dict)
    assert set(verdicts) == {str(each) for each in FindingVerdict}
    return sum(verdicts.values())
