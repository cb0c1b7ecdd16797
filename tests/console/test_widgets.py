"""Title line, footer, bars, trends: drawn by pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.keys import BY_ID
from console.text import cells
from console.widgets.key_hints import hint_line
from console.widgets.ring_bar import Share, bar, legend, progress_shares, ring_line, split_cells
from console.widgets.status_line import StatusLine, facts_of
from console.widgets.trend import spark
from engine.model.model import Gate, Ring
from engine.model.records.fleet import DemoClock, RingProgress, StateInfo

NOW = datetime(2026, 5, 13, 9, 0, tzinfo=UTC)


def info(**changes: object) -> StateInfo:
    facts: dict[str, object] = {
        "path": "fleet.db",
        "now": NOW,
        "change_number": 1,
        "devices": 500,
        "actor": "tester",
        "role": "approver",
        "read_only": False,
        "demo": DemoClock(60, False),
        "scenario": "",
        "driver": "",
    }
    return StateInfo(**{**facts, **changes})  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=6), st.integers(0, 120))
def test_parts_of_a_bar_fill_it_exactly(amounts: list[int], width: int) -> None:
    parts = split_cells(amounts, width)
    assert sum(parts) == (width if sum(amounts) else 0)
    there = [part for part, amount in zip(parts, amounts, strict=True) if amount]
    if width >= len(there):
        assert all(part >= 1 for part in there)
    assert all(part == 0 for part, amount in zip(parts, amounts, strict=True) if not amount)


@given(st.integers(0, 80), st.integers(0, 80), st.integers(1, 60))
def test_a_bar_is_as_wide_as_asked(one: int, other: int, width: int) -> None:
    assert bar([Share(one, "█", "$ok", "a"), Share(other, "░", "$muted", "b")], width).cell_length == width


def progress(**counts: int) -> RingProgress:
    numbers: dict[str, Any] = {"installed": 0, "failed": 0, "active": 0, "not_ready": 0, "pending": 0, **counts}
    return RingProgress(
        ring=Ring(1, "Fast", 3, 2, 5, 2, 0, Gate()),
        kb=5089466,
        devices=sum(numbers.values()),
        approved=True,
        opens_at=NOW,
        opened_at=NOW,
        stopped="",
        waits_for="",
        gate=(),
        **numbers,
    )


def test_a_ring_reads_without_colours() -> None:
    shown = ring_line(progress(installed=12, active=3, failed=1, pending=4), 76)
    assert shown.plain.startswith("Fast   █")
    assert all(glyph in shown.plain for glyph in "█▓✗░")
    assert "60 %" in shown.plain
    assert shown.cell_length <= 76
    assert legend(progress(installed=12, failed=1)).plain.split() == ["█", "12", "installed", "✗", "1", "failed"]
    assert len({share.glyph for share in progress_shares(progress())}) == 5


@given(st.lists(st.floats(0, 1e6), max_size=30), st.integers(0, 40))
def test_a_trend_is_one_cell_a_value(values: list[float], width: int) -> None:
    shown = spark(values, width)
    assert cells(shown) == (min(len(values), width) if width else len(values))


def test_a_trend_rises() -> None:
    assert spark([0, 1, 4, 8]) == " ▂▅█"
    assert spark([1, 1], top=100) == "▁▁"


@given(st.integers(20, 200), st.sets(st.sampled_from(sorted(BY_ID))))
def test_the_footer_shows_whole_keys_and_counts_the_others(width: int, ids: set[str]) -> None:
    hints = sorted(
        ((BY_ID[each], True) for each in {*ids, "help", "quit"}), key=lambda hint: (hint[0].rank or 99, hint[0].id)
    )
    shown = hint_line(hints, width).plain
    assert cells(shown) <= width
    assert shown.rstrip().endswith("?")
    assert "q quit" in shown


def test_the_title_line_keeps_the_clock_and_what_limits_one() -> None:
    line = StatusLine()
    line.set_reactive(StatusLine.crumbs, ("Devices", "ring:fast -ready", "PC-0412"))
    line.set_reactive(StatusLine.facts, facts_of(info(read_only=True), driving=False))
    line.set_reactive(StatusLine.remark, "1,000,000 devices, 12 marked")
    assert line._right(100) == [
        "1,000,000 devices, 12 marked",
        "read-only",
        "nobody drives",
        "demo ×60",
        "13 May 09:00",
    ]
    assert line._right(24) == ["read-only", "13 May 09:00"]
    assert line._right(1) == ["13 May 09:00"]


@pytest.mark.parametrize(
    ("changes", "driving", "words"),
    [
        ({}, True, ["demo ×60", "13 May 09:00"]),
        ({"demo": DemoClock(300, True)}, True, ["demo stopped", "13 May 09:00"]),
        ({"demo": None, "driver": "jump02"}, False, ["driven elsewhere", "13 May 09:00"]),
        ({"demo": None, "read_only": True}, False, ["read-only", "nobody drives", "13 May 09:00"]),
    ],
)
def test_facts_of_the_state_file(changes: dict[str, object], driving: bool, words: list[str]) -> None:
    assert [fact for fact, _ in facts_of(info(**changes), driving=driving)] == words
