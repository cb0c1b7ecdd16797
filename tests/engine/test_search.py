"""Finding a device by what people call it: name, user, serial or asset tag, as typed or pasted."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine, open_engine
from engine.model.errors import BadInput, NotFound
from engine.model.records.fleet import DeviceQuery, DeviceRow
from engine.store.search import Match, find_devices

ALICE = "LON-LT-0042"


@pytest.fixture(scope="module")
def engine(prepared_demo: Path) -> Iterator[Engine]:
    with open_engine(prepared_demo, read_only=True) as opened:
        yield opened


def rename(engine: Engine, device_id: int, **columns: str) -> None:
    """Give a device of a test's own file another name or user."""
    with engine.reads.store.transaction():
        for column, value in columns.items():
            engine.reads.store.connection.execute(f"UPDATE device SET {column} = ? WHERE id = ?", (value, device_id))
        engine.reads.store.connection.execute(
            "UPDATE device SET name_key = lower(name), user_key = lower(user), "
            "search_key = lower(name || char(10) || user || char(10) || user_name) WHERE id = ?",
            (device_id,),
        )
        engine.reads.store.state.count_change()


@pytest.mark.parametrize(
    "text",
    [
        "LON-LT-0042",
        "lon-lt-0042",
        "lon-lt-42",
        "LON-LT-00042",
        "lon lt 42",
        "LON_LT_0042",
        "LON–LT–0042",
        "  LON-LT-0042\n",
        '"LON-LT-0042"',
        "LON-LT-0042.contoso.com",
        r"CONTOSO\LON-LT-0042$",
        "LON-LT-0042$",
        r"CONTOSO\alice",
        "contoso/alice",
        r"contoso.com\ALICE",
        "alice@contoso.com",
        "ALICE@Contoso.com",
        "mailto:alice@contoso.com",
        "Alice Hartley <alice@contoso.com>",
        "alice",
        "Alice Hartley",
        "Hartley, Alice",
        "hartley",
        "CT-100000",
        "ct-100000",
    ],
)
def test_the_device_that_is_meant_is_found(engine: Engine, text: str) -> None:
    assert engine.reads.devices.find(text).facts.name == ALICE
    assert engine.reads.devices.search(text)[0].name == ALICE


def test_serial_numbers_are_found_whole_and_by_their_beginning(engine: Engine) -> None:
    serial = engine.reads.devices.find(ALICE).facts.serial
    assert engine.reads.devices.find(serial.lower()).facts.name == ALICE
    assert ALICE in {row.name for row in engine.reads.devices.search(serial[:6])}


def test_several_matches_are_counted_and_named_with_their_users(engine: Engine) -> None:
    with pytest.raises(BadInput) as raised:
        engine.reads.devices.find("meyer")
    assert raised.value.what == "'meyer' matches 2 devices."
    assert raised.value.why.startswith("They are CPC-ameyer-7F2K (anna.meyer@contoso.com), MUC-DT-0004 (")
    with pytest.raises(BadInput) as raised:
        engine.reads.devices.find("lon-")
    many = sum(row.name.startswith("LON-") for row in engine.reads.devices.search("lon-", 500))
    assert raised.value.what == f"'lon-' matches {many} devices."
    assert raised.value.why.startswith("Among them LON-DT-0001 (")


def test_nothing_found_names_what_is_near(engine: Engine) -> None:
    with pytest.raises(NotFound) as raised:
        engine.reads.devices.find("LON-LT-9942")
    assert ALICE in raised.value.nearest
    with pytest.raises(NotFound) as raised:
        engine.reads.devices.find("zzzz")
    assert raised.value.nearest == ()
    with pytest.raises(BadInput, match="No device is named"):
        engine.reads.devices.find("   ")
    assert engine.reads.devices.search("") == ()


def test_two_devices_of_one_user_are_both_told(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        other = engine.reads.devices.search("BER-DT-0003")[0]
        rename(engine, other.id, user="alice@contoso.com")
        with pytest.raises(BadInput) as raised:
            engine.reads.devices.find(r"contoso\alice")
        assert raised.value.what == r"'contoso\\alice' matches 2 devices."
        assert "BER-DT-0003" in raised.value.why
        assert ALICE in raised.value.why


def test_an_exact_name_wins_over_a_user_and_over_zeros(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        first, second = engine.reads.devices.search("BER-DT-0003")[0], engine.reads.devices.search("DUB-LT-0005")[0]
        rename(engine, first.id, name="alice")
        assert engine.reads.devices.find("Alice").id == first.id
        rename(engine, second.id, name="LON-LT-42")
        assert engine.reads.devices.find("lon-lt-42").id == second.id
        assert engine.reads.devices.find("lon-lt-0042").facts.name == ALICE
        with pytest.raises(BadInput, match="matches 2 devices"):
            engine.reads.devices.find("lon-lt-042")


def test_the_domain_that_was_typed_counts_where_it_tells_users_apart(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        other = engine.reads.devices.search("BER-DT-0003")[0]
        rename(engine, other.id, user="alice@fabrikam.com", domain="FABRIKAM")
        assert engine.reads.devices.find(r"FABRIKAM\alice").id == other.id
        assert engine.reads.devices.find(r"CONTOSO\alice").facts.name == ALICE
        assert engine.reads.devices.find("alice@fabrikam.com").id == other.id
        assert engine.reads.devices.find("alice@contoso.com").facts.name == ALICE
        with pytest.raises(BadInput, match="matches 2 devices"):
            engine.reads.devices.find("alice")
        rename(engine, other.id, user=r"fabrikam\alice", domain="")
        assert engine.reads.devices.find(r"FABRIKAM\alice").id == other.id


def test_signs_of_sql_and_patterns_mean_themselves(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        for text in ("%", "_", "lon%", "' OR 1=1 --", "*", "[", "\\", "//", "$", "\x00"):
            assert engine.reads.devices.search(text) == ()
            with pytest.raises((NotFound, BadInput)):
                engine.reads.devices.find(text)
        other = engine.reads.devices.search("BER-DT-0003")[0]
        rename(engine, other.id, name="100%_device")
        assert engine.reads.devices.find("0%_d").id == other.id


def test_exact_matches_go_first_and_the_limit_holds(engine: Engine) -> None:
    found = engine.reads.devices.search("alice", 3)
    assert found[0].name == ALICE
    assert len(found) == 3
    assert [row.name for row in found[1:]] == sorted(row.name for row in found[1:])
    assert len(engine.reads.devices.search("a", 7)) == 7


def test_a_whole_name_is_found_without_reading_every_device(engine: Engine) -> None:
    """Exact readings are probed in indexes: no step of their plans is a scan."""
    connection = engine.reads.store.connection
    read: list[str] = []
    connection.set_trace_callback(read.append)
    try:
        found = find_devices(connection, "lon-lt-42", 5, surest_only=True)
    finally:
        connection.set_trace_callback(None)
    assert (found.best, found.as_good) == (Match.NAME_READ, 1)
    for statement in read:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not any(step.startswith("SCAN") for step in plan), (statement, plan)


_NUMBERED = re.compile(r"(.*?)0*([0-9]+)$")


@given(st.integers(0, 10_000), st.integers(0, 6), st.booleans())
@settings(max_examples=80)
def test_every_device_is_found_by_its_name_whatever_its_zeros_and_case(
    engine: Engine, place: int, zeros: int, shout: bool
) -> None:
    rows = _rows(engine)
    row = rows[place % len(rows)]
    spelled = _NUMBERED.fullmatch(row.name)
    text = f"{spelled[1]}{'0' * zeros}{spelled[2]}" if spelled else row.name
    same = [each for each in rows if _bare(each.name) == _bare(text)]
    assert row in same
    if len(same) == 1:
        assert engine.reads.devices.find(text.upper() if shout else text.lower()).id == row.id


def _bare(name: str) -> str:
    return re.sub(r"0*([0-9]+)", r"\1", name.casefold())


@given(st.text(max_size=40))
@settings(max_examples=150)
def test_no_text_breaks_the_search(engine: Engine, text: str) -> None:
    found = engine.reads.devices.search(text, 5)
    assert len(found) <= 5
    assert len({row.id for row in found}) == len(found)


def test_any_part_of_name_or_user_is_enough(engine: Engine) -> None:
    dice = random.Random(7)
    for row in dice.sample(_rows(engine), 40):
        whole = dice.choice([each for each in (row.name, row.user.partition("@")[0]) if len(each) > 4])
        begin = dice.randrange(len(whole) - 4)
        part = whole[begin : begin + dice.randrange(4, len(whole) - begin + 1)].strip("-.")
        if len(part) < 3:
            continue
        assert row.id in {each.id for each in engine.reads.devices.search(part.upper(), 500)}, part


@cache
def _rows(engine: Engine) -> list[DeviceRow]:
    return list(engine.reads.devices.each(DeviceQuery()))
