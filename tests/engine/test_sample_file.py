"""The file of a sample fleet: read lazily, and complained about with file, line and field."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.errors import BadInput
from engine.providers.simulated.sample import DEMO_SEED, DEMO_START
from engine.providers.simulated.sample_file import dump_fleet, load_fleet
from tests.engine.sample_fleets import fleet

# --- the file -----------------------------------------------------------------------------------------


@cache
def small_file() -> tuple[str, ...]:
    return tuple(dump_fleet(fleet(20), seed=DEMO_SEED, size=20, now=DEMO_START))


def test_file_reads_back() -> None:
    assert tuple(load_fleet(small_file(), "f.jsonl")) == fleet(20)


def test_file_is_read_lazily() -> None:
    reading = load_fleet([*small_file()[:3], "broken"], "f.jsonl")
    assert [next(reading).external_id, next(reading).external_id] == [d.external_id for d in fleet(20)[:2]]
    with pytest.raises(BadInput) as caught:
        next(reading)
    assert caught.value.line == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("platform", "win10"),
        ("architecture", 64),
        ("build", "8390"),
        ("build", 26100.8390),
        ("name", ""),
        ("user", 3),
        ("cores", True),
        ("restart_pending", "no"),
        ("boot_at", "yesterday"),
        ("last_seen_at", 10**30),
        ("history", {}),
        ("history", [[5083769]]),
        ("history", [None]),
        ("history", [[5083769, 99, 1, 1, 0, 0, 0, None, None, None, 1, 2, 0, 3]]),
        ("history", [[5083769, 0, 1, 1, 0, 0, 0, "0xnone", None, None, 1, 2, 0, 3]]),
    ],
)
def test_a_bad_value_is_named_with_its_place(field: str, value: object) -> None:
    line = json.loads(small_file()[1])
    line[field] = value
    with pytest.raises(BadInput) as caught:
        list(load_fleet([small_file()[0], json.dumps(line)], "f.jsonl"))
    assert (caught.value.file, caught.value.line, caught.value.field) == ("f.jsonl", 2, field)
    assert caught.value.instead


@pytest.mark.parametrize("header", ["", "[]", "{}", '{"format": "hotpatch-console sample fleet", "version": 2}'])
def test_a_file_of_another_kind_is_refused(header: str) -> None:
    with pytest.raises(BadInput) as caught:
        list(load_fleet([header], "f.jsonl"))
    assert caught.value.line == 1


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(BadInput, match="empty"):
        list(load_fleet([], "f.jsonl"))


@given(data=st.data())
def test_a_damaged_line_is_bad_input_and_nothing_else(data: st.DataObject) -> None:
    line = data.draw(st.sampled_from(small_file()[1:]))
    place = data.draw(st.integers(0, len(line) - 1))
    damage = data.draw(st.text(max_size=3))
    damaged = line[:place] + damage + line[place + data.draw(st.integers(0, 4)) :]
    places = []
    try:
        list(load_fleet([small_file()[0], damaged], "f.jsonl"))
    except BadInput as error:
        places.append(error.line)
    assert places in ([], [2])
