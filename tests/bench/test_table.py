"""The table of measurements and its place in docs/reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.fleets import ROOT
from tests.bench.table import Line, Section, at_most, duration, markdown, write_into


def test_a_line_tells_what_was_missed() -> None:
    section = Section("Reading", (Line("rows", "2.00 ms", "1.00 ms", 2.0, (at_most(1.2, 2.0), at_most(150, 2, "ms"))),))

    assert markdown("5 devices", [section]).splitlines() == [
        "| 5 devices | measured | against | ratio | aim |",
        "|---|---|---|---|---|",
        "| **Reading** | | | | |",
        "| rows | 2.00 ms | 1.00 ms | 2.00 | ≤ 1.2 **missed**, ≤ 150 ms |",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.00057, "0.57 ms"), (0.0113, "11.3 ms"), (0.113, "113 ms"), (2.414, "2.41 s"), (113, "113 s")],
)
def test_times_have_three_figures_or_so(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n", encoding="utf-8")

    write_into(readme, "| new \\1 |")
    write_into(readme, "| newer |")

    assert readme.read_text(encoding="utf-8") == "before\n<!-- bench -->\n| newer |\n<!-- /bench -->\nafter\n"


def test_a_page_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- bench -->\n", encoding="utf-8")

    with pytest.raises(ValueError, match="/bench"):
        write_into(readme, "| new |")
    assert readme.read_text(encoding="utf-8") == "<!-- bench -->\n"


def test_the_page_of_measurements_has_the_marks() -> None:
    text = (ROOT / "docs" / "reference" / "performance.md").read_text(encoding="utf-8")

    assert text.count("<!-- bench -->\n") == text.count("<!-- /bench -->\n") == 1
