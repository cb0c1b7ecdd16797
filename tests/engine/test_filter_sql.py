"""Filters as SQL: the same devices as a plain reading of the filter finds, bound parameters only, indexes used."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.filters import Absent, Age, BareWord, Comparison, Filter, FilterError, Op, parse
from engine.model.model import DeviceFacts, FormFactor, PolicyState
from engine.store.connection import open_state
from engine.store.devices import DeviceStore, fact_values
from engine.store.filter_sql import compile_filter, compile_text

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
RINGS = ("Test", "First", "Broad")

DEVICE = DeviceFacts(
    name="LON-LT-0042",
    platform=Platform.WIN11_24H2,
    architecture=Architecture.X64,
    build=OsBuild(26100, 8390),
    edition="Enterprise",
    form=FormFactor.LAPTOP,
    user="Alice.Meyer@contoso.com",
    user_name="Alice Meyer",
    site="London",
    model="Latitude 7450",
    licence="m365-e3",
    policy=PolicyState.ALLOW,
    restart_pending=False,
    boot_at=NOW - timedelta(days=40),
    last_seen_at=NOW - timedelta(days=1),
)


def add(db: sqlite3.Connection, facts: DeviceFacts, ring: int | None = 1, **decided: Any) -> int:
    number = db.execute("SELECT ifnull(max(id), 0) + 1 FROM device").fetchone()[0]
    DeviceStore(db).insert_many([(*fact_values(f"id-{number}", facts), ring)])
    for column, value in decided.items():
        db.execute(f"UPDATE device SET {column} = ? WHERE id = ?", (value, number))
    return int(number)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_state(tmp_path / "fleet.db")
    for number, name in enumerate(RINGS, 1):
        connection.execute(
            "INSERT INTO ring (id, name, position, deferral_days, deadline_days, grace_days, max_in_flight, gate) "
            "VALUES (?, ?, ?, 0, 0, 0, 0, '{}')",
            (number, name, number),
        )
    yield connection
    connection.close()


def names(db: sqlite3.Connection, text: str) -> list[str]:
    condition = compile_text(text, NOW)
    rows = db.execute(f"SELECT d.name FROM device d WHERE {condition.where} ORDER BY d.id", condition.params)
    return [row[0] for row in rows]


def test_an_empty_filter_is_every_device(db: sqlite3.Connection) -> None:
    assert compile_text(" ", NOW).where == "1"


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("lon-lt", True),
        ("ALICE", True),
        ('"alice meyer"', True),
        ("contoso\\alice", True),
        ("bob", False),
        ("-bob alice", True),
        ("l*42", True),
        ("42*", False),
        ("name:lon-*", True),
        ("name:on-*", False),
        ("name=lon-lt-0042", True),
        ("name=lon", False),
        ("user:meyer", True),
        ("user=alice.meyer@CONTOSO.com", True),
        ('user="Alice meyer"', True),
        ('user:""', False),
        ("ring:TEST", True),
        ("ring:first,test", True),
        ("ring:nowhere", False),
        ("ring!=broad", True),
        ("ring:none", False),
        ("platform:24h2 arch:x64 form:laptop", True),
        ("platform:unknown", False),
        ("-platform:unknown", True),
        ("build:26100", True),
        ("build:26100.8390", True),
        ("build<26100.8390", False),
        ("build<=26100.8390", True),
        ("build>26100.8246 build<26200", True),
        ("build>=26200", False),
        ("build>26100", False),
        ("build:unknown", False),
        ("seen<7d", True),
        ("seen:2d", True),
        ("seen>7d", False),
        ("seen:yesterday", True),
        ("seen:today", False),
        ("seen:2026-05-12", True),
        ("seen>=2026-05-12 seen<=2026-05-12", True),
        ("seen<2026-05-12", False),
        ("seen>2026-05-12", False),
        ("seen:never", False),
        ("boot>30d boot<2026-05-01", True),
        ("restart:no protected:no", True),
        ("restart:unknown", False),
        ("eligible:unknown", True),
        ("vbs:unknown policy:allow", True),
        ("model:latitude site:london site=LONDON", True),
        ("model:*7450", True),
        ("model:7450*", False),
        ("model:lat%7450", False),
        ("model:latitude_7450", False),
        ("licence:e3 edition:enter*", True),
        ("serial:1", False),
        ('serial:""', True),
        ("provider:SIMULATED", True),
    ],
)
def test_one_device(db: sqlite3.Connection, text: str, hit: bool) -> None:
    add(db, DEVICE)
    assert names(db, text) == (["LON-LT-0042"] if hit else [])
    assert names(db, f"-{text}" if " " not in text and not text.startswith("-") else "") == (
        [] if hit and " " not in text and not text.startswith("-") else ["LON-LT-0042"]
    )


def test_facts_that_are_not_known_match_only_unknown_and_negations(db: sqlite3.Connection) -> None:
    add(db, DeviceFacts("BARE", None, None, None), ring=None)
    for text in ("platform:24h2", "arch:x64", "build<26100.1", "build>1000.0", "seen<7d", "boot>1d", "restart:yes"):
        assert names(db, text) == []
        assert names(db, f"-{text}") == ["BARE"]
    for text in ("platform:unknown", "arch:unknown", "build:unknown", "seen:never", "boot:unknown", "ring:none"):
        assert names(db, text) == ["BARE"]
    assert names(db, "seen>7d") == ["BARE"], "never seen counts as longer ago"


def test_reasons_are_whole_ids(db: sqlite3.Connection) -> None:
    add(db, replace(DEVICE, name="OFF"), reasons="vbs,baseline", verdict="not-ready")
    add(db, replace(DEVICE, name="MAYBE"), reasons="vbs?", verdict="unknown")
    add(db, replace(DEVICE, name="OLD"), reasons="edition,stale?", verdict="not-ready")
    assert names(db, "reason:vbs") == ["OFF"]
    assert names(db, "reason:vbs?") == ["MAYBE"]
    assert names(db, "reason:stale") == ["OLD"]
    assert names(db, "reason:vbs,edition") == ["OFF", "OLD"]
    assert names(db, "-reason:vbs") == ["MAYBE", "OLD"]
    assert names(db, "not-ready") == ["OFF", "OLD"]
    assert names(db, "-ready -reason:stale") == ["OFF", "MAYBE"]


def _install(db: sqlite3.Connection, device: int, kb: int, action: str, state: str, error: int | None = None) -> None:
    db.execute(
        "INSERT INTO install (device_id, kb, platform, action, state, stage, progress, attempt, by_hand, requested_at, "
        "requested_by, reason, error_code, open_failure) "
        "VALUES (?, ?, 'win11-24h2', ?, ?, '', 0, 1, 0, 0, 'me', '', ?, ?)",
        (device, kb, action, state, error, int(error is not None)),
    )


def test_a_release_is_on_a_device_by_its_build_or_by_an_install(db: sqlite3.Connection) -> None:
    db.execute(
        "INSERT INTO release (kb, platform, kind, month, released_at, build, architectures, restart_required, source, "
        "provisional) VALUES (5089466, 'win11-24h2', 'hotpatch', '2026-05', 0, ?, 'x64', 0, '', 0)",
        (OsBuild(26100, 8390).as_int(),),
    )
    add(db, replace(DEVICE, name="BY-BUILD"))
    add(db, replace(DEVICE, name="OTHER-PLATFORM", platform=Platform.SERVER_2025))
    gone = add(db, replace(DEVICE, name="GONE", build=OsBuild(26100, 1)))
    _install(db, gone, 5089466, "apply", "succeeded")
    _install(db, gone, 5089466, "uninstall", "uninstalled")
    back = add(db, replace(DEVICE, name="LATER", build=OsBuild(26100, 9999)))
    _install(db, back, 5089466, "apply", "succeeded")
    failed = add(db, replace(DEVICE, name="FAILED", build=None))
    _install(db, failed, 5089466, "apply", "failed", 0x800F0922)
    assert names(db, "kb:KB5089466") == ["BY-BUILD", "LATER"]
    assert names(db, "-kb:5089466") == ["OTHER-PLATFORM", "GONE", "FAILED"]
    assert names(db, "error:0x800f0922") == ["FAILED"]
    assert names(db, "error:0x80070070") == []


HOSTILE = [
    "'; DROP TABLE device; --",
    "%",
    "_",
    "!",
    "!%",
    '"',
    "\\",
    "*",
    "a*b",
    "\x00",
    "' OR 1=1 --",
    "Ünïcødé",
    "\x1b[2J",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", ["name", "user", "site", "ring", "provider", ""])
def test_values_are_bound_and_never_become_sql(db: sqlite3.Connection, value: str, field: str) -> None:
    add(db, DEVICE)
    quoted = '"' + value.replace('"', '""') + '"'
    text = f"{field}:{quoted}" if field else quoted
    condition = compile_text(text, NOW)
    assert condition.where.count("?") == len(condition.params)
    assert value not in condition.where or value in '%_!*\\"'
    assert all(letter not in condition.where for letter in ("DROP", "1=1", "Ü", "\x1b"))
    names(db, text)
    assert db.execute("SELECT count(*) FROM device").fetchone()[0] == 1


def test_signs_of_like_are_letters(db: sqlite3.Connection) -> None:
    for site in ("100%", "100x", "a_b", "axb", "wow!"):
        add(db, replace(DEVICE, name=site, site=site))
    assert names(db, "site:0%") == ["100%"]
    assert names(db, "site:a_b*") == ["a_b"]
    assert names(db, "site:*%*") == ["100%"]
    assert names(db, "site:*w!") == ["wow!"]
    assert names(db, "a_b") == ["a_b"]


def test_text_that_is_no_filter_is_refused() -> None:
    with pytest.raises(FilterError, match="no field"):
        compile_text("nothing:1", NOW)


# --- against a plain reading ------------------------------------------------------------------------

_devices = st.lists(
    st.tuples(
        st.builds(
            replace,
            st.just(DEVICE),
            name=st.sampled_from(["LON-1", "LON-2", "ber-1", "x_y", "x%y"]),
            user=st.sampled_from(["", "alice@c.com", "BOB@c.com"]),
            build=st.none() | st.builds(OsBuild, st.sampled_from([26100, 26200]), st.sampled_from([1, 8246, 8390])),
            site=st.sampled_from(["", "London", "New York"]),
            restart_pending=st.none() | st.booleans(),
            last_seen_at=st.none() | st.integers(0, 20 * 24).map(lambda hours: NOW - timedelta(hours=hours)),
        ),
        st.none() | st.sampled_from([1, 2, 3]),
        st.sampled_from(["idle", "failed"]),
    ),
    max_size=6,
)
_terms = st.one_of(
    st.builds(BareWord, st.sampled_from(["lon", "ALICE", "x_", "%", "1", "c.com"]), st.booleans()),
    st.builds(
        Comparison,
        st.just("ring"),
        st.just(Op.IS),
        st.lists(st.sampled_from(["test", "FIRST", "gone", Absent("none")]), min_size=1, max_size=2).map(tuple),
        st.booleans(),
    ),
    st.builds(
        Comparison, st.just("state"), st.just(Op.IS), st.sampled_from([("idle",), ("failed", "idle")]), st.booleans()
    ),
    st.builds(
        Comparison,
        st.just("build"),
        st.sampled_from([Op.IS, Op.LESS, Op.AT_MOST, Op.MORE, Op.AT_LEAST]),
        st.sampled_from([(OsBuild(26100, 8246),), (OsBuild(26200, 1),)]),
        st.booleans(),
    ),
    st.builds(
        Comparison,
        st.just("seen"),
        st.sampled_from([Op.IS, Op.LESS, Op.AT_MOST, Op.MORE, Op.AT_LEAST]),
        st.sampled_from([(Age(7, "d"),), (Age(24, "h"),), (date(2026, 5, 10),)]),
        st.booleans(),
    ),
    st.builds(
        Comparison, st.just("site"), st.just(Op.IS), st.sampled_from([("london",), ("",), ("o",)]), st.booleans()
    ),
    st.builds(
        Comparison, st.just("restart"), st.just(Op.IS), st.sampled_from([("yes",), ("no", "unknown")]), st.booleans()
    ),
)

_COMPARE = {
    Op.IS: lambda a, b: a == b,
    Op.LESS: lambda a, b: a < b,
    Op.AT_MOST: lambda a, b: a <= b,
    Op.MORE: lambda a, b: a > b,
    Op.AT_LEAST: lambda a, b: a >= b,
}


def _holds(term: BareWord | Comparison, facts: DeviceFacts, ring: int | None, state: str) -> bool:
    """What a term says about a device, read plainly."""
    if isinstance(term, BareWord):
        wanted = term.text.casefold()
        found = any(wanted in text.casefold() for text in (facts.name, facts.user, facts.user_name))
    else:
        found = any(_is(term.field, term.op, value, facts, ring, state) for value in term.values)
    return found is not term.negated


def _is(field: str, op: Op, value: Any, facts: DeviceFacts, ring: int | None, state: str) -> bool:
    if field == "ring":
        return (
            ring is None
            if isinstance(value, Absent)
            else ring is not None and RINGS[ring - 1].casefold() == value.casefold()
        )
    if field == "state":
        return bool(state == value)
    if field == "build":
        return facts.build is not None and bool(_COMPARE[op](facts.build, value))
    if field == "site":
        return value in facts.site.casefold() if value else not facts.site
    if field == "restart":
        return bool({None: "unknown", True: "yes", False: "no"}[facts.restart_pending] == value)
    seen = facts.last_seen_at
    if isinstance(value, date):
        return seen is not None and bool(_COMPARE[op](seen.date(), value))
    if seen is None:
        return op in (Op.MORE, Op.AT_LEAST)
    age = NOW - seen
    limit = timedelta(seconds=value.seconds)
    return bool(_COMPARE[Op.AT_MOST if op is Op.IS else op](age, limit))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_devices, st.lists(_terms, max_size=3).map(lambda terms: Filter(tuple(terms))))
def test_sql_finds_what_a_plain_reading_finds(
    db: sqlite3.Connection, devices: list[tuple[DeviceFacts, int | None, str]], wanted: Filter
) -> None:
    db.execute("DELETE FROM device")
    for facts, ring, state in devices:
        add(db, facts, ring, state=state)
    condition = compile_filter(wanted, NOW)
    found = [
        row[0]
        for row in db.execute(f"SELECT d.id FROM device d WHERE {condition.where} ORDER BY d.id", condition.params)
    ]
    assert found == [
        number for number, device in enumerate(devices, 1) if all(_holds(term, *device) for term in wanted.terms)
    ]
    assert compile_filter(parse(str(wanted)), NOW) == condition


# --- indexes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("ring:broad state:failed", "SEARCH d USING INDEX device_by_ring_state (ring_id=? AND state=?)"),
        ("state:failed", "SEARCH d USING INDEX device_by_state (state=?)"),
        ("readiness:not-ready", "SEARCH d USING INDEX device_by_verdict (verdict=?)"),
        ("reason:vbs", "SEARCH d USING INDEX device_by_verdict (verdict=?)"),
        ("name:lon-*", "SEARCH d USING INDEX device_by_name (name_key>? AND name_key<?)"),
        ("", "SCAN d USING INDEX device_by_name"),
        ("alice", "SCAN d USING INDEX device_by_name"),
    ],
)
def test_the_list_comes_from_an_index_in_its_order(db: sqlite3.Connection, text: str, uses: str) -> None:
    condition = compile_text(text, NOW)
    sql = f"SELECT d.* FROM device d WHERE {condition.where} ORDER BY d.name_key, d.id LIMIT 40"
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", condition.params)]
    assert plan[0] == uses
    assert not any("TEMP B-TREE" in step for step in plan)


@pytest.mark.parametrize(
    ("text", "index"),
    [("alice", "device_by_name"), ("reason:vbs", "device_by_verdict"), ("build<26100.8390", "device_by_build")],
)
def test_counting_reads_an_index_alone(db: sqlite3.Connection, text: str, index: str) -> None:
    condition = compile_text(text, NOW)
    sql = f"EXPLAIN QUERY PLAN SELECT count(*) FROM device d WHERE {condition.where}"
    plan = [row[3] for row in db.execute(sql, condition.params)]
    assert f"USING COVERING INDEX {index}" in plan[0]


@pytest.mark.parametrize("text", ["kb:KB5089466", "error:0x800F0922"])
def test_releases_and_errors_start_from_the_few_installs(db: sqlite3.Connection, text: str) -> None:
    condition = compile_text(text, NOW)
    sql = f"EXPLAIN QUERY PLAN SELECT d.* FROM device d WHERE {condition.where} ORDER BY d.name_key, d.id LIMIT 40"
    assert not any(row[3].startswith("SCAN d") for row in db.execute(sql, condition.params))
