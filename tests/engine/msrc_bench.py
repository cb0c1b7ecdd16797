"""Measures an import: time against a bare walk of the same document, and memory against its size.

Called by `make bench` (`python -m tests.engine.msrc_bench FOLDER`); asserts nothing.
"""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from engine.catalog import import_files, load_bundled
from engine.catalog.msrc import read_document

_AIM = 1.5


@dataclass(frozen=True, slots=True)
class ImportBench:
    """What one document costs. Times in seconds, memory in MB of peak resident size of a process of its own."""

    name: str
    megabytes: float
    bare_walk: float
    importing: float
    """Reading and merging into the bundled catalog."""
    peak: float
    peak_of_four: float
    """For a document with the same vulnerabilities four times."""

    @property
    def ratio(self) -> float:
        return self.importing / self.bare_walk

    def __str__(self) -> str:
        return (
            f"{self.name}, {self.megabytes:.1f} MB: imported in {self.importing:.2f} s, "
            f"bare iterparse {self.bare_walk:.2f} s, ratio {self.ratio:.2f} (aim {_AIM}); "
            f"peak memory {self.peak:.0f} MB, for a document four times as long {self.peak_of_four:.0f} MB"
        )


def measure(folder: Path) -> ImportBench:
    """Measure the largest document of a folder."""
    file = max(folder.glob("*.xml.gz"), key=lambda each: each.stat().st_size)
    content = gzip.decompress(file.read_bytes())
    known = load_bundled()
    with TemporaryDirectory() as place:
        once, four = Path(place) / "once.xml", Path(place) / "four.xml"
        once.write_bytes(content)
        four.write_bytes(_four_times(content))
        return ImportBench(
            name=file.name,
            megabytes=len(content) / 1e6,
            bare_walk=_best(lambda: _walk(file)),
            importing=_best(lambda: import_files(known, [file])),
            peak=_peak(once),
            peak_of_four=_peak(four),
        )


def _walk(file: Path) -> None:
    with gzip.open(file) as content:
        for _ in ElementTree.iterparse(content):
            pass


def _best(action: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def _four_times(content: bytes) -> bytes:
    begin, end = content.index(b"<vuln:Vulnerability"), content.rindex(b"</vuln:Vulnerability>") + 21
    return content[:begin] + content[begin:end] * 4 + content[end:]


def _peak(file: Path) -> float:
    """Peak memory of a process that reads one file."""
    command = [sys.executable, "-m", "tests.engine.msrc_bench", "--read", str(file)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def _own_peak() -> float:
    """VmHWM where there is /proc: ru_maxrss also counts what the parent held before it started this program."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1] == "--read":
        read_document(Path(sys.argv[2]))
        sys.stdout.write(f"{_own_peak():.1f}")
    else:
        sys.stdout.write(f"{measure(Path(sys.argv[1]))}\n")
