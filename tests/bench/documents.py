"""Microsoft's documents: what `tests.engine.msrc_bench` measures, as lines of the table."""

from __future__ import annotations

from pathlib import Path

from tests.bench.fleets import ROOT
from tests.bench.table import Line, Section, at_most, duration
from tests.engine import msrc_bench

_TITLE = "Catalog"
_MOST = 1.5


def measure() -> Section:
    """The section on documents; one line that says so where there are none."""
    folder = ROOT.parent / "shared" / "msrc"
    if not any(folder.glob("*.xml.gz")):
        return Section(_TITLE, (Line("documents", f"not measured: ../shared/{Path(folder).name} is not here"),))
    found = msrc_bench.measure(folder)
    document = f"{found.name.removesuffix('.xml.gz')}, {found.megabytes:.1f} MB"
    return Section(
        _TITLE,
        (
            Line(
                f"import of a document ({document})",
                duration(found.importing),
                f"{duration(found.bare_walk)} (bare `iterparse` of it)",
                found.ratio,
                (at_most(_MOST, found.ratio),),
            ),
            Line(
                "peak memory, document four times as long",
                f"{found.peak_of_four:.0f} MB",
                f"{found.peak:.0f} MB (the document)",
                found.peak_of_four / found.peak,
            ),
        ),
    )
