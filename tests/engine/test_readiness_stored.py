"""The stored answers are those of `assess` for any fleet; only what changes is written, and memory has an end."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.catalog.levels import Levels, make_levels
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.model import (
    ChpeState,
    DeviceFacts,
    Management,
    PolicyState,
    Release,
    ReleaseKind,
    Subscription,
    Track,
    VbsState,
)
from engine.rules.readiness import Readiness, ReadinessSettings, assess, licences
from engine.rules.readiness.values import EDITION_NAMES
from engine.store.connection import open_state
from engine.store.devices import DeviceStore, fact_values, facts_of
from engine.store.readiness import REMEMBERED, UPDATE, Judgements, judge

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)
AGE = timedelta(days=14)


def release(platform: Platform, kind: ReleaseKind, revision: int | None, day: int, kb: int = 5_000_000) -> Release:
    at = datetime(2026, 4, 1, 17, tzinfo=UTC) + timedelta(days=day)
    build = None if revision is None else OsBuild(platform.build_number, revision)
    return Release(kb + day, platform, kind, f"{at:%Y-%m}", at, build, platform.architectures, True, "test")


def calendar(platform: Platform) -> Levels:
    return make_levels(
        platform,
        [
            release(platform, ReleaseKind.BASELINE, 8246, 13),
            release(platform, ReleaseKind.HOTPATCH, 8390, 40),
            release(platform, ReleaseKind.LCU, 8457, 40, 6_000_000),
        ],
        NOW,
    )


LEVELS = {platform: calendar(platform) for platform in Platform}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_state(tmp_path / "fleet.db")
    yield connection
    connection.close()


def fill(db: sqlite3.Connection, fleet: list[DeviceFacts]) -> None:
    db.execute("DELETE FROM device")
    DeviceStore(db).insert_many([(*fact_values(str(place), facts), None) for place, facts in enumerate(fleet, 1)])


def kept(row: sqlite3.Row) -> tuple[object, ...]:
    names = ("verdict", "eligible", "enrolled", "reasons", "track", "protected", "stale_at")
    return tuple(row[name] for name in names)


def expected(
    facts: DeviceFacts, levels: Mapping[Platform, Levels], now: datetime, rules: ReadinessSettings
) -> tuple[object, ...]:
    own = levels.get(facts.platform) if facts.platform else None
    readiness = assess(facts, own, now, rules)
    return (
        readiness.verdict,
        readiness.eligible,
        readiness.enrolled,
        ",".join(readiness.reason_ids),
        own.track_of(facts.build) if own else Track.UNKNOWN,
        bool(own and own.is_current(facts.build)),
        None if readiness.stale_at is None else int(readiness.stale_at.timestamp()),
    )


_REVISIONS = [0, 1741, 1742, 2032, 2033, 4928, 4929, 8245, 8246, 8247, 8300, 8390, 8391, 8456, 8457, 8458, 9000, 32_690]
_BUILDS = st.none() | st.builds(
    OsBuild, st.sampled_from([14393, 20348, 22631, 26100, 26200, 26300, 28000]), st.sampled_from(_REVISIONS)
)
_EDITIONS = st.one_of(
    st.sampled_from(["", "ENTERPRISE", "Pro", "Datacenter: Azure Edition", "Standard", "Ünbekannt", "enterprise "]),
    st.sampled_from(["pro\x00", "PRO\N{KELVIN SIGN}", "\N{FULLWIDTH LATIN SMALL LETTER P}ro", "'; --", "x" * 300]),
    st.sampled_from([name for names in EDITION_NAMES.values() for name in names]),
)
_SEEN = st.none() | st.sampled_from([timedelta(0), AGE, AGE - timedelta(seconds=1), AGE + timedelta(seconds=1)]).map(
    lambda age: NOW - age
)
_FACTS = st.builds(
    DeviceFacts,
    name=st.just("D"),
    platform=st.none() | st.sampled_from(Platform),
    architecture=st.none() | st.sampled_from(Architecture),
    build=_BUILDS,
    edition=_EDITIONS,
    licence=st.sampled_from(["", "gone", "M365-E3", "m365-e3\x00", *licences()]),
    management=st.sampled_from(Management),
    policy=st.sampled_from(PolicyState),
    subscription=st.sampled_from(Subscription),
    vbs=st.sampled_from(VbsState),
    chpe=st.sampled_from(ChpeState),
    last_seen_at=_SEEN | st.integers(-5, 60).map(lambda days: NOW - timedelta(days=days)),
)


@st.composite
def _levels(draw: st.DrawFn) -> dict[Platform, Levels]:
    made = {}
    for platform in draw(st.lists(st.sampled_from(Platform), unique=True)):
        releases = draw(
            st.lists(
                st.builds(
                    release,
                    st.just(platform),
                    st.sampled_from(ReleaseKind),
                    st.none() | st.sampled_from([*_REVISIONS, 8390, 8457]),
                    st.integers(0, 60),
                ),
                max_size=6,
            )
        )
        made[platform] = make_levels(platform, releases, NOW)
    return made


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fleet=st.lists(_FACTS, min_size=1, max_size=25),
    levels=st.just(LEVELS) | _levels(),
    rules=st.builds(ReadinessSettings, st.sampled_from([1, 14, 30]), st.none() | st.booleans()),
    now=st.sampled_from([NOW, NOW.replace(microsecond=500_000), datetime(2026, 10, 14, tzinfo=UTC)])
    | st.sampled_from([2026, 2027, 2028, 2029]).map(lambda year: datetime(year, 10, 13, 23, 59, tzinfo=UTC)),
)
def test_what_is_stored_is_what_assess_says(
    db: sqlite3.Connection,
    fleet: list[DeviceFacts],
    levels: dict[Platform, Levels],
    rules: ReadinessSettings,
    now: datetime,
) -> None:
    fill(db, fleet)
    judge(db, levels, now, rules)
    for row in db.execute("SELECT * FROM device ORDER BY id"):
        assert kept(row) == expected(facts_of(row), levels, now, rules), facts_of(row)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(levels=_levels(), revisions=st.lists(st.integers(0, 40_000), min_size=1, max_size=30))
def test_any_build_stands_where_the_calendar_says(
    db: sqlite3.Connection, levels: dict[Platform, Levels], revisions: list[int]
) -> None:
    numbers = (20348, 26100, 26200)
    fleet = [
        DeviceFacts("D", platform, Architecture.X64, OsBuild(number, revision))
        for platform in Platform
        for number in numbers
        for revision in revisions
    ]
    fill(db, fleet)
    judge(db, levels, NOW)
    for row in db.execute("SELECT * FROM device"):
        own = levels.get(Platform(row["platform"]))
        build = OsBuild.from_int(row["build"])
        assert row["track"] == (own.track_of(build) if own else Track.UNKNOWN)
        assert row["protected"] == int(bool(own and own.is_current(build)))


READY = DeviceFacts(
    name="D",
    platform=Platform.WIN11_24H2,
    architecture=Architecture.X64,
    build=OsBuild(26100, 8390),
    edition="Enterprise",
    licence="m365-e3",
    management=Management.INTUNE,
    policy=PolicyState.ALLOW,
    vbs=VbsState.RUNNING,
    last_seen_at=NOW,
)


def test_nothing_is_written_twice(db: sqlite3.Connection) -> None:
    fill(db, [READY, replace(READY, vbs=VbsState.OFF), replace(READY, last_seen_at=None)])
    assert judge(db, LEVELS, NOW) == 3
    before = db.total_changes
    assert judge(db, LEVELS, NOW) == 0
    assert db.total_changes == before
    assert [row[0] for row in db.execute("SELECT verdict FROM device ORDER BY id")] == ["ready", "not-ready", "unknown"]


def test_a_scope_leaves_the_others_alone(db: sqlite3.Connection) -> None:
    fleet = [READY, replace(READY, platform=Platform.WIN11_25H2, build=OsBuild(26200, 8390)), READY, READY]
    fill(db, fleet)
    scopes: list[tuple[Platform | None, tuple[int, int] | None, set[int]]] = [
        (Platform.WIN11_25H2, None, {2}),
        (None, (2, 3), {2, 3}),
        (Platform.WIN11_24H2, (2, 3), {3}),
        (None, (0, -1), set()),
        (None, None, {1, 2, 3, 4}),
    ]
    for platform, ids, judged in scopes:
        db.execute("UPDATE device SET verdict = 'unknown', reasons = ''")
        assert judge(db, LEVELS, NOW, platform=platform, ids=ids) == len(judged)
        assert {row[0] for row in db.execute("SELECT id FROM device WHERE verdict = 'ready'")} == judged


def test_answers_change_at_the_moment_facts_become_stale(db: sqlite3.Connection) -> None:
    fill(db, [READY, replace(READY, last_seen_at=NOW - timedelta(days=3))])
    judge(db, LEVELS, NOW)
    first = NOW + timedelta(days=11)
    assert judge(db, LEVELS, first - timedelta(seconds=1)) == 0
    assert judge(db, LEVELS, first) == 1
    rows = db.execute("SELECT verdict, reasons, stale_at FROM device ORDER BY id").fetchall()
    assert tuple(rows[1]) == ("unknown", "stale?", None)
    assert rows[0]["verdict"] == "ready"
    assert judge(db, LEVELS, first) == 0


def test_kept_totals_follow(db: sqlite3.Connection) -> None:
    fill(db, [READY, READY, replace(READY, vbs=VbsState.OFF)])
    judge(db, LEVELS, NOW)
    rows = db.execute("SELECT verdict, devices FROM device_count WHERE devices > 0 ORDER BY verdict").fetchall()
    assert [tuple(row) for row in rows] == [("not-ready", 1), ("ready", 2)]


def test_stretches_of_ids_add_up(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.readiness.CHUNK", 3)
    fill(db, [READY] * 8)
    assert judge(db, LEVELS, NOW) == 8


def test_a_device_is_found_by_its_key(db: sqlite3.Connection) -> None:
    params = {"first": 1, "last": 10, "platform": None, "too_old_at": 0, "max_age": 0}
    with Judgements(LEVELS, NOW, ReadinessSettings()).asked_by(db):
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {UPDATE}", params)]
    assert "SEARCH d USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan
    assert "SEARCH device USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert "SCAN device" not in plan


# --- the function in SQL ----------------------------------------------------------------------------


def test_each_combination_of_facts_is_judged_once(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[DeviceFacts] = []

    def counted(facts: DeviceFacts, *rest: Any) -> Readiness:
        judged.append(facts)
        return assess(facts, *rest)

    monkeypatch.setattr("engine.store.readiness.assess", counted)
    # Builds between two releases, spellings of an edition and times of check-ins are no combinations of their own.
    alike = [
        replace(READY, build=OsBuild(26100, 8000 + place), edition=edition, last_seen_at=NOW - timedelta(hours=place))
        for place in range(50)
        for edition in ("Enterprise", "Education")
    ]
    fill(db, [*alike, READY, READY, replace(READY, vbs=VbsState.OFF)])
    judge(db, LEVELS, NOW)
    assert len(judged) == 3


def test_memory_has_an_end_for_a_hostile_fleet(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.readiness.REMEMBERED", 5)
    monkeypatch.setattr("engine.store.readiness.CHUNK", 20)
    made: list[Judgements] = []
    known = Judgements.__init__

    def noted(self: Judgements, *rest: Any) -> None:
        known(self, *rest)
        made.append(self)

    monkeypatch.setattr(Judgements, "__init__", noted)
    fleet = [
        replace(READY, vbs=vbs, policy=policy, management=management, edition=edition, licence=f"licence-{place}")
        for place, (vbs, policy, management, edition) in enumerate(
            product(VbsState, PolicyState, Management, ("Pro", "Home", "Moonshine"))
        )
    ]
    fill(db, fleet)
    judge(db, LEVELS, NOW)
    for row in db.execute("SELECT * FROM device ORDER BY id"):
        assert kept(row) == expected(facts_of(row), LEVELS, NOW, ReadinessSettings())
    assert len(made) > 5, "what is remembered was thrown away on the way"
    # A stretch ends with a few answers too many at most, and is forgotten after it.
    assert max(len(each) for each in made) <= 5 + 20
    assert REMEMBERED < 10_000


def test_words_that_no_version_knows_are_not_told(db: sqlite3.Connection) -> None:
    fill(db, [READY])
    db.execute("UPDATE device SET vbs = 'quantum', policy = '', management = 'MDM'")
    judge(db, LEVELS, NOW)
    assert db.execute("SELECT reasons FROM device").fetchone()[0] == "management?,policy?,vbs?"
    db.execute("UPDATE device SET platform = 'win12', architecture = 'riscv'")
    judge(db, LEVELS, NOW)
    assert db.execute("SELECT reasons, track FROM device").fetchone()[:] == ("os-version?", "unknown")


def test_the_function_is_there_for_the_statement_alone(db: sqlite3.Connection) -> None:
    fill(db, [READY])
    judge(db, LEVELS, NOW)
    with pytest.raises(sqlite3.OperationalError):
        db.execute("SELECT assessed(0)")
    # Any client of SQLite can open, read and write the file: nothing that lies in it calls a function of ours.
    for row in db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        assert not re.search(r"assess(ed)?\s*\(", row["sql"]), row["name"]
