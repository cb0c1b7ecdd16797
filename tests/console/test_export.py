"""Files that open in a spreadsheet without running anything, complete or not there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.columns import DEVICES
from console.export import csv_lines, guard, json_lines, write_list
from engine.model.errors import BadInput
from engine.model.records.fleet import DeviceRow
from tests.console.fake_engine import NOW, device_row

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "|calc", "%00", "=cmd|' /C calc'!A0", "＝1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text(text: str) -> None:
    assert guard(text).startswith("'")


@given(st.text(max_size=30))
def test_no_guarded_cell_begins_a_formula(text: str) -> None:
    shown = guard(text).lstrip()
    assert not shown or shown[0] not in "=+-@\t\r\n|%＝＋－＠"


def test_plain_cells_stay() -> None:
    assert guard("PC-0412") == "PC-0412"
    assert guard("26100.8246") == "26100.8246"


@given(st.text(max_size=20), st.text(max_size=20))
def test_csv_reads_back_cell_for_cell(name: str, site: str) -> None:
    row = device_row(1, name=name, site=site)
    text = "".join(csv_lines(DEVICES, [row], NOW))
    titles, cells = csv.reader(io.StringIO(text))
    assert titles == [column.title for column in DEVICES]
    assert cells == [guard(column.cell(row, NOW).text) for column in DEVICES]


@pytest.mark.parametrize("size", [0, 1, 3])
def test_json_is_one_array(size: int) -> None:
    rows = [device_row(number, name="PC \x1b[2J ä") for number in range(size)]
    text = "".join(json_lines(DEVICES, rows, NOW))
    assert text.isascii()
    assert "\x1b" not in text
    assert len(json.loads(text)) == size


@pytest.mark.parametrize("name", ["list.csv", "LIST.CSV", "list.json"])
def test_a_list_is_written_whole(tmp_path: Path, name: str) -> None:
    assert write_list(tmp_path / name, DEVICES, [device_row(1), device_row(2)], NOW, state=tmp_path / "s.db") == 2
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_what_breaks_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"

    def rows() -> Iterator[DeviceRow]:
        yield device_row(1)
        raise BadInput("gone")

    with pytest.raises(BadInput):
        write_list(path, DEVICES, rows(), NOW, state=tmp_path / "s.db")
    assert list(tmp_path.iterdir()) == []


def test_an_older_list_stays(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("older", encoding="utf-8")
    with pytest.raises(BadInput, match="already") as refused:
        write_list(path, DEVICES, [device_row(1)], NOW, state=tmp_path / "s.db")
    assert "Remove it first" in refused.value.instead
    assert path.read_text(encoding="utf-8") == "older"
    assert [each.name for each in tmp_path.iterdir()] == ["list.csv"]


def test_other_endings_and_folders_are_refused_with_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.csv or \.json"):
        write_list(tmp_path / "list.xlsx", DEVICES, [], NOW, state=tmp_path / "s.db")
    with pytest.raises(BadInput, match="no such folder"):
        write_list(tmp_path / "no" / "list.csv", DEVICES, [], NOW, state=tmp_path / "s.db")
