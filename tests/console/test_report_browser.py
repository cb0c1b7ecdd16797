"""The HTML report in a real browser: it loads without a word on the console, and prints to a few pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.files import write_whole
from console.reports.making import KINDS, ReportRequest, lines, make
from engine import open_engine
from tests.console import chromium

pytestmark = pytest.mark.skipif(not chromium.is_there(), reason=chromium.ABSENT)


@pytest.fixture(scope="module")
def pages(prepared_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    with open_engine(prepared_demo, read_only=True) as engine:
        for kind in KINDS:
            write_whole(
                folder / f"{kind}.html",
                lines(make(engine, ReportRequest(kind)).report, "html"),
                state=Path(engine.info().path),
            )
    return {kind: folder / f"{kind}.html" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_it_loads_with_its_style_and_without_complaint(pages: dict[str, Path], kind: str) -> None:
    done = chromium.browse(pages[kind], "--dump-dom")
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Refused" in line]
    assert said == []
    assert "</html>" in done.stdout
    assert f"{kind} report" in done.stdout


def test_a_page_that_breaks_its_own_policy_would_be_noticed(pages: dict[str, Path], tmp_path: Path) -> None:
    worse = tmp_path / "worse.html"
    content = pages["readiness"].read_text(encoding="utf-8")
    worse.write_text(content.replace("</main>", "<script>document.title = 'x'</script></main>"), encoding="utf-8")
    assert "CONSOLE" in chromium.browse(worse, "--dump-dom").stderr


@pytest.mark.parametrize("kind", KINDS)
def test_it_prints_to_a_few_pages(pages: dict[str, Path], tmp_path: Path, kind: str) -> None:
    printed = tmp_path / "report.pdf"
    chromium.browse(pages[kind], "--no-pdf-header-footer", f"--print-to-pdf={printed}")
    found = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed.read_bytes()))
    assert 1 <= found <= 12
