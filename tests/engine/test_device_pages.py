"""Walking the device list by key gives the whole list, in order, from either end and from any device."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Engine, open_engine
from engine.model.errors import BadInput
from engine.model.records.fleet import Anchor, AnchorKind, DeviceQuery
from engine.store import Store
from engine.store.filter_sql import compile_text
from engine.store.walk import SORT_KEYS, Walk

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)

rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "B", "lon-1", "Ä", "zz"]),
        st.one_of(st.none(), st.sampled_from(["win11-24h2", "server-2025"])),
        st.one_of(st.none(), st.integers(1, 3)),
        st.one_of(st.none(), st.integers(0, 2)),
        st.sampled_from(["idle", "failed", "queued"]),
        st.sampled_from(["", "London", "Berlin"]),
    ),
    max_size=24,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("walk") / "fleet.db"
    open_engine(path, create=True).close()
    found = Store(path)
    yield found
    found.close()


def fill(db: sqlite3.Connection, devices: list[tuple[object, ...]]) -> None:
    db.execute("DELETE FROM device")
    columns = (
        "provider, external_id, name, name_key, platform, build, ring_id, state, site, user, user_name, user_key, "
        "domain, serial, asset_tag, form, model, driver, edition, licence, management, policy, policy_name, "
        "subscription, vbs, chpe, last_seen_at"
    )
    for number, (name, platform, build, seen, state, site) in enumerate(devices):
        values = ["x", str(number), name, str(name).casefold(), platform, build, build, state, site, *[""] * 17, seen]
        db.execute(f"INSERT INTO device ({columns}) VALUES ({', '.join('?' * len(values))})", values)


@given(rows, st.sampled_from(sorted(SORT_KEYS)), st.booleans(), st.integers(1, 7), st.sampled_from(["", "-state:idle"]))
def test_pages_forwards_and_backwards_are_the_whole_list(
    store: Store, devices: list[tuple[object, ...]], sort: str, down: bool, size: int, filter_text: str
) -> None:
    db = store.connection
    db.execute("BEGIN")
    try:
        fill(db, devices)
        query = DeviceQuery(filter_text, sort, down)
        walk = Walk(db, query, compile_text(filter_text, NOW))
        column = SORT_KEYS[sort]
        where = "state <> 'idle'" if filter_text else "1"
        direction = "DESC" if down else "ASC"
        wanted = [
            row[0]
            for row in db.execute(
                f"SELECT id FROM device WHERE {where} "
                f"ORDER BY {column} {direction}, name_key {direction}, id {direction}"
            )
        ]
        assert [row[0] for row in walk.each()] == wanted

        forwards: list[int] = []
        at = Anchor(AnchorKind.TOP)
        while page := walk.page(at, size)[0]:
            forwards += [row[0] for row in page]
            at = Anchor(AnchorKind.AFTER, forwards[-1])
        assert forwards == wanted

        backwards: list[int] = []
        at = Anchor(AnchorKind.END)
        while page := walk.page(at, size)[0]:
            backwards = [row[0] for row in page] + backwards
            at = Anchor(AnchorKind.BEFORE, backwards[0])
        assert backwards == wanted

        for place, device_id in enumerate(wanted):
            assert walk.position(device_id) == place
            assert [row[0] for row in walk.page(Anchor(AnchorKind.AT, device_id), 2)[0]] == wanted[place : place + 2]
    finally:
        db.execute("ROLLBACK")


@pytest.fixture
def engine(demo_state: Path) -> Iterator[Engine]:
    with open_engine(demo_state) as found:
        yield found


def test_a_name_is_reached_by_its_beginning_or_the_next(engine: Engine) -> None:
    page = engine.reads.devices.page(DeviceQuery(), Anchor(AnchorKind.NAME, name="LON-LT-004"), 3)
    assert page.rows[0].name == "LON-LT-0040"
    later = engine.reads.devices.page(DeviceQuery(), Anchor(AnchorKind.NAME, name="LON-M"), 1)
    assert later.rows[0].name > "LON-LT"


def test_a_device_that_is_gone_or_filtered_out_has_no_position(engine: Engine) -> None:
    assert engine.reads.devices.position(DeviceQuery(), 10**9) is None
    ready = next(engine.reads.devices.each(DeviceQuery("ready")))
    assert engine.reads.devices.position(DeviceQuery("-ready"), ready.id) is None


def test_an_order_that_does_not_exist_is_named_with_those_that_do(engine: Engine) -> None:
    with pytest.raises(BadInput, match="Sort by name, user, ring"):
        engine.reads.devices.page(DeviceQuery(sort="colour"), Anchor(AnchorKind.TOP), 5)


@pytest.mark.parametrize("sort", sorted(SORT_KEYS))
def test_every_order_is_read_from_an_index(engine: Engine, sort: str) -> None:
    db = engine.reads.store.connection
    walk = Walk(db, DeviceQuery("", sort), compile_text("", NOW))
    plan = " ".join(row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {walk._select('', backwards=False)}"))
    assert "TEMP B-TREE" not in plan
