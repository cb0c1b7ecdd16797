"""Columns: ids, widths, what fits, what cells say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import columns
from console.columns import DEVICES, Column, place
from console.text import Tone, cells, sign
from engine.model.model import DeviceState, Verdict
from engine.store.walk import SORT_KEYS
from tests.console.fake_engine import NOW, device_row

LISTS: dict[str, tuple[Column[Any], ...]] = {
    name: getattr(columns, name)
    for name in ("DEVICES", "RELEASES", "FAILURES", "ACTIVE", "AUDIT", "RINGS", "RING_PROGRESS")
}


@pytest.mark.parametrize("name", LISTS)
def test_ids_are_unique_and_titles_fit(name: str) -> None:
    ids = [column.id for column in LISTS[name]]
    assert len(set(ids)) == len(ids)
    for column in LISTS[name]:
        assert len(column.title) <= column.width, column.id
        assert column.align in ("left", "right")


@pytest.mark.parametrize("name", LISTS)
@given(width=st.integers(1, 300))
def test_placed_columns_fill_the_width_and_never_pass_it(name: str, width: int) -> None:
    placed = place(LISTS[name], width)
    assert placed
    used = sum(each.width for each in placed) + columns.GAP * (len(placed) - 1)
    assert used <= max(width, placed[0].width)
    if any(each.column.grow for each in placed) and len(placed) > 1:
        assert used == width


@pytest.mark.parametrize("name", LISTS)
def test_every_list_shows_something_useful_at_80(name: str) -> None:
    assert len(place(LISTS[name], 78)) >= 4


def test_all_usual_device_columns_fit_at_80() -> None:
    shown = [each.column.id for each in place(DEVICES, 78)]
    assert shown == ["name", "user", "ring", "build", "readiness", "state"]


def test_chosen_columns_come_in_the_order_wanted() -> None:
    shown = [each.column.id for each in place(DEVICES, 200, ("state", "name", "nonsense"))]
    assert shown == ["state", "name"]


def test_device_sort_keys_are_those_of_the_store() -> None:
    assert {column.sort for column in DEVICES if column.sort} <= set(SORT_KEYS)


@pytest.mark.parametrize("state", DeviceState)
@pytest.mark.parametrize("protected", [True, False])
def test_states_fit_their_column_with_the_sign(state: DeviceState, protected: bool) -> None:
    column = next(each for each in DEVICES if each.id == "state")
    cell = column.cell(device_row(1, state=state, protected=protected), NOW)
    assert cell.severity is not Tone.NONE
    assert cells(sign(cell.severity)) + 1 + cells(cell.text) <= column.width


@pytest.mark.parametrize("verdict", Verdict)
def test_readiness_fits_its_column_with_the_sign(verdict: Verdict) -> None:
    column = next(each for each in DEVICES if each.id == "readiness")
    cell = column.cell(device_row(1, verdict=verdict), NOW)
    assert cells(sign(cell.severity)) + 1 + cells(cell.text) <= column.width


def test_progress_bar() -> None:
    assert columns.progress_bar(0) == "─" * 10
    assert columns.progress_bar(55) == "━" * 5 + "─" * 5
    assert columns.progress_bar(1000) == "━" * 10
