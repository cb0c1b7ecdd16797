"""A scanner export against a fleet: findings a second beside a bare pass over the CSV, and what memory it takes."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import open_engine
from engine.model.records.fleet import DeviceQuery
from tests.bench.fleets import CACHE, Fleet, hotpatch
from tests.bench.processes import Used, use
from tests.bench.table import Line, Section, at_most, duration

_FINDINGS, _QUICK_FINDINGS = 1_000_000, 50_000
_PART = 10
"""Peak memory is compared with that of a file so many times shorter."""
_MOST_MEMORY = 1.3
_OUTPUT = "\nThe remote host is missing one of the following rollup KBs :\n  - 5089549\n\n  Remote : 26100.8390\n"
_HEADER = (
    "Plugin ID,CVE,CVSS v2.0 Base Score,Risk,Host,Protocol,Port,Name,Synopsis,Description,Solution,See Also,"
    "Plugin Output"
).split(",")


def measure(full: Fleet, variables: Mapping[str, str], *, quick: bool) -> Section:
    """The section on scanner exports."""
    findings = _QUICK_FINDINGS if quick else _FINDINGS
    with TemporaryDirectory(dir=CACHE) as place:
        whole, part = Path(place) / "scan.csv", Path(place) / "part.csv"
        _write(full.path, whole, findings)
        _write(full.path, part, findings // _PART)
        run, short, bare = _reconcile(full.path, whole, variables), _reconcile(full.path, part, variables), _pass(whole)
    memory = run.peak_megabytes / short.peak_megabytes
    return Section(
        "Scanner exports",
        (
            Line(
                f"reconcile {findings:,} findings: findings/s",
                f"{findings / run.seconds:,.0f} findings/s, {duration(run.seconds)}",
                f"{findings / bare:,.0f} rows/s, {duration(bare)} (`csv.reader` over the same file)",
                run.seconds / bare,
            ),
            Line(
                f"reconcile {findings:,} findings: peak memory",
                f"{run.peak_megabytes:.0f} MB",
                f"{short.peak_megabytes:.0f} MB ({findings // _PART:,} findings)",
                memory,
                (at_most(_MOST_MEMORY, memory),),
            ),
        ),
    )


def _write(state: Path, path: Path, findings: int) -> None:
    """Nessus's layout, host after host, each with CVEs of the last months."""
    dice = random.Random(20260513)
    with open_engine(state, read_only=True) as engine:
        names = [row.name for row in engine.reads.devices.each(DeviceQuery())]
        cves = sorted({fix.cve for fix in engine.reads.releases.catalog().fixes if fix.filed >= "2026-01"})
    each = max(findings // len(names), 1)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for number in range(findings):
            host = names[number // each % len(names)]
            writer.writerow(
                (
                    *(240_000 + number % 997, dice.choice(cves), "7.2", "High", host, "tcp", "445"),
                    *(
                        "KB5089549: Windows 11 Security Update (May 2026)",
                        "It is missing an update.",
                        "",
                        "Install it.",
                    ),
                    *("", _OUTPUT),
                )
            )


def _reconcile(state: Path, path: Path, variables: Mapping[str, str]) -> Used:
    """One call in a process of its own, which prints what hardly any finding is."""
    command = hotpatch("--db", state, "--read-only", "reconcile", path, "--only", "unknown-device", "--plain")
    return use(command, variables)


def _pass(path: Path) -> float:
    begin = time.perf_counter()
    with path.open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass
    return time.perf_counter() - begin
