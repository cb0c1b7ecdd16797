"""Whom rings and policies reach: the SQL agrees with a plain reading of groups, for one device and for all at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import lru_cache

from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils import Database

from engine.model.tenants import Reach, RingKind
from engine.rules.tenants.inventory import EVERY_DEVICE, EVERY_USER, Assignment, ListedDevice, Member, assignments_of
from engine.store.schema import migrations
from engine.store.tenants.inventory import TenantInventoryStore
from engine.store.tenants.reach import ReachStore
from tests.engine.tenant_pulls import picture, policy, ring

NOW = datetime(2026, 5, 20, 8, tzinfo=UTC)
GROUPS = ("g1", "g2", "g3")
DEVICES = tuple(f"d{number}" for number in range(4))
USERS = ("", "u1", "u2")

members = st.dictionaries(
    st.sampled_from(GROUPS), st.sets(st.sampled_from([*DEVICES, *USERS[1:]]), max_size=4), max_size=3
)
assignments = st.lists(
    st.builds(
        Assignment,
        kind=st.just(RingKind.POLICY),
        key=st.sampled_from(["r1", "r2", "p1", "p2"]),
        name=st.just(""),
        is_ring=st.just(False),
        allows=st.none(),
        group=st.sampled_from([*GROUPS, EVERY_DEVICE, EVERY_USER]),
        excluded=st.booleans(),
    ),
    max_size=8,
)
owners = st.lists(st.sampled_from(USERS), min_size=len(DEVICES), max_size=len(DEVICES))
SAYS: Mapping[str, tuple[bool, bool | None]] = {
    "r1": (True, None),
    "r2": (True, False),
    "p1": (False, True),
    "p2": (False, False),
}


def spelled(found: Sequence[Assignment]) -> list[Assignment]:
    """The same with the nature that each key has; all-assignments exclude nobody."""
    return [
        Assignment(each.kind, each.key, f"name of {each.key}", *SAYS[each.key], each.group, each.excluded)
        for each in found
        if not (each.excluded and each.group in (EVERY_DEVICE, EVERY_USER))
    ]


def reached(device: str, user: str, groups: Mapping[str, set[str]], assigned: Sequence[Assignment]) -> set[str]:
    """Keys of all that reaches a device, read off plainly."""

    def covers(each: Assignment) -> bool:
        by_user = each.is_ring and bool(user)
        if each.group == EVERY_DEVICE:
            return True
        if each.group == EVERY_USER:
            return by_user
        inside = groups.get(each.group, set())
        return device in inside or (by_user and user in inside)

    held = {each.key for each in assigned if not each.excluded and covers(each)}
    return held - {each.key for each in assigned if each.excluded and covers(each)}


@lru_cache(maxsize=1)
def empty() -> bytes:
    """A state without a fleet, that each example begins with."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrations.apply(Database(connection, execute_plugins=False))
        return connection.serialize()


@given(members, assignments, owners)
def test_the_sql_reads_groups_as_a_person_would(
    groups: dict[str, set[str]], drawn: list[Assignment], users: list[str]
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.deserialize(empty())
    inventory, reach, assigned = TenantInventoryStore(connection), ReachStore(connection), spelled(drawn)
    connection.execute(
        "INSERT INTO tenant_pull (provider, number, stage, cursor, tally, begun_at, moved_at) "
        "VALUES ('corp', 1, 'compose', '', '', 0, 0)"
    )
    listed = [
        ListedDevice(f"i-{device}", device, user, NOW, {"deviceName": device})
        for device, user in zip(DEVICES, users, strict=True)
    ]
    inventory.keep_listed("corp", 1, listed, NOW)
    reach.keep_assignments("corp", list(RingKind), assigned)
    for group, inside in groups.items():
        kinds = [Member("user" if each in USERS else "device", each.upper(), f"o-{each}") for each in sorted(inside)]
        reach.keep_members("corp", group, 1, kinds)
    reach.place("corp", 1, {"r2": 20, "r1": 10})
    found = {
        told.entra_id: (told.allowed_by, told.blocked_by, ring_id)
        for told, ring_id in reach.each_told("corp", 1, {"r2": 20, "r1": 10}, {})
    }
    for row, (device, user) in enumerate(zip(DEVICES, users, strict=True), 1):
        keys = reached(device, user, groups, assigned)
        allowing = min((f"name of {key}" for key in keys if SAYS[key][1]), default="")
        blocking = min((f"name of {key}" for key in keys if SAYS[key][1] is False), default="")
        ring_id = 20 if "r2" in keys else 10 if "r1" in keys else None
        assert found[device] == (allowing, blocking, ring_id)
        assert reach.policies_of("corp", row) == (allowing, blocking)
    connection.close()


def test_what_a_picture_assigns_row_by_row() -> None:
    everywhere = policy("All", 1, hotpatch=True, all_devices=True, excluded=("x",))
    people = ring("People")
    people = type(people)(
        people.key, people.kind, people.id, people.name, Reach(all_users=True), (), deferral_days=0, hotpatch=False
    )
    rows = assignments_of(picture([people], [everywhere]))
    assert [(each.key, each.group, each.excluded, each.allows) for each in rows] == [
        ("People", EVERY_USER, False, None),
        ("id-All", everywhere.reach.included[0], False, True),
        ("id-All", EVERY_DEVICE, False, True),
        ("id-All", "x", True, True),
    ]
