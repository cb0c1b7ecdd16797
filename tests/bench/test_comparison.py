"""Tables of measurements read back, and the one that holds them side by side."""

from __future__ import annotations

from tests.bench import table
from tests.bench.comparison import Measured, Part, Quantity, markdown, read_table
from tests.bench.table import Line, Section


def _table(*lines: Line) -> dict[tuple[str, str], Measured]:
    return read_table(table.markdown("5 devices", [Section("A part", lines)]))


def test_what_one_run_has_printed_is_read_back() -> None:
    found = _table(
        Line("rows", "57.0 ms", "1.00 ms", 57.0),
        Line("start", "2.00 s", "500 ms (empty application)", 4.0),
        Line("start", "2.00 s", "1.00 s (1,000 devices)", 2.0, (table.at_most(1.2, 2.0),)),
        Line("demo", "9,754 rows/s, 103 s", "1,939 rows/s, 516 ms (1,000 devices)"),
    )

    assert found == {
        ("rows", ""): Measured((Quantity(0.057, "s"),), 57.0),
        ("start", "empty application"): Measured((Quantity(2.0, "s"),), 4.0),
        ("start", "1,000 devices"): Measured((Quantity(2.0, "s"),), 2.0),
        ("demo", "1,000 devices"): Measured((Quantity(9754.0, "rows/s"), Quantity(103.0, "s")), None),
    }


def test_details_that_differ_from_run_to_run_do_not_part_a_line() -> None:
    assert list(_table(Line("the slowest of 20 (user, descending)", "2.00 ms"))) == [("the slowest of 20", "")]


def test_brackets_within_brackets_belong_to_what_it_is_compared_with() -> None:
    found = _table(Line("status", "1.00 s", "9.80 ms (`python -c 'f()'`)", 102.0))

    assert list(found) == [("status", "`python -c 'f()'`")]


def test_what_was_not_measured_is_no_line() -> None:
    assert _table(Line("documents", "not measured: they are not here")) == {}


def test_medians_stand_beside_each_other() -> None:
    now = [_table(Line("step", f"271 bytes, {ms} ms", "271 bytes, 1.00 ms (few)", ms)) for ms in (3.0, 2.0, 2.5)]
    base = [_table(Line("step", f"350 bytes, {ms} ms", "271 bytes, 1.00 ms (few)", ms)) for ms in (5.0, 5.0, 5.5)]

    assert markdown("5 devices", "base abc", [Part("terminal", now, base)]).splitlines() == [
        "| 5 devices | now | base abc | ratio | spread |",
        "|---|---|---|---|---|",
        "| **terminal** | | | | |",
        "| step, against few | 271 bytes, 2.50 ms, 2.50 times | 350 bytes, 5.00 ms, 5.00 times | 0.50 | 40 %; 10 % |",
    ]


def test_a_line_of_one_side_alone_has_no_ratio() -> None:
    now, base = [_table(Line("new", "86 MB"))], [_table(Line("old", "1.00 s"))]

    assert markdown("", "base", [Part("terminal", now, base)]).splitlines()[3:] == [
        "| new | 86 MB | – |  | 0 %; – |",
        "| old | – | 1.00 s |  | –; 0 % |",
    ]
