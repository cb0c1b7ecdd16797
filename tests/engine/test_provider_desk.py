"""Adding, listing, switching and removing providers: who may, what is recorded, and what stays."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine import Engine, open_engine
from engine.model.errors import BadInput, NotFound, NotOffered, Refused
from engine.model.intents import Actor, Role
from engine.model.model import DeviceFacts
from engine.model.records.fleet import DeviceQuery
from engine.providers.base import PolicyVerb
from engine.providers.graph.config import GraphConfig, made_from
from engine.providers.graph.provider import GraphProvider
from engine.providers.opening import Providers
from engine.store import Store
from engine.store.devices import fact_values
from engine.tenants.desk import ProviderDesk
from tests.tenant.login import CLIENT, TENANT

NOW = datetime(2026, 5, 20, 8, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    with open_engine(path, actor=Actor("mia", "jump01 test"), create=True) as opened:
        yield opened


@pytest.fixture
def desk(engine: Engine) -> ProviderDesk:
    return engine.provider_desk()


def ready_token(port: int = 8080) -> GraphConfig:
    return made_from(base_url=f"http://127.0.0.1:{port}", token_env="TOKEN")


def person() -> GraphConfig:
    return made_from(tenant_id=TENANT, client_id=CLIENT)


def audit_of(path: Path) -> list[dict[str, object]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT body FROM audit ORDER BY seq").fetchall()
    connection.close()
    return [json.loads(row[0]) for row in rows]


def devices_in(path: Path, provider: str, count: int) -> None:
    store = Store(path)
    with store.transaction():
        store.devices.insert_many(
            (*fact_values(f"id-{n}", DeviceFacts(f"PC-{n:03}", None, None, None, provider=provider)), None)
            for n in range(count)
        )
    store.close()


def test_a_ready_token_of_an_approver_may_write_at_once(desk: ProviderDesk, path: Path) -> None:
    facts = desk.add("corp", ready_token(), NOW)

    assert (facts.name, facts.writes, facts.devices, facts.added_by) == ("corp", True, 0, "mia")
    (record,) = audit_of(path)
    assert (record["action"], record["actor"]) == ("provider-add", "mia")
    assert record["details"] == {**ready_token().facts(), "writes": True}


@pytest.mark.parametrize(
    ("config", "role", "asked", "expected"),
    [
        (ready_token(), Role.OPERATOR, None, False),
        (ready_token(), Role.APPROVER, False, False),
        (person(), Role.APPROVER, None, False),
        (person(), Role.APPROVER, True, True),
    ],
)
def test_writing_is_off_unless_somebody_who_may_has_said_otherwise(
    path: Path, config: GraphConfig, role: Role, asked: bool | None, expected: bool
) -> None:
    with open_engine(path, role=role, create=True) as engine:
        assert engine.provider_desk().add("corp", config, NOW, writes=asked).writes is expected


@pytest.mark.parametrize("role", [Role.VIEWER, Role.HELP_DESK])
def test_who_may_not_is_refused(path: Path, role: Role) -> None:
    open_engine(path, create=True).close()
    with open_engine(path, role=role) as engine:
        desk = engine.provider_desk()
        with pytest.raises(Refused, match="Cannot add a provider"):
            desk.add("corp", ready_token(), NOW)
        with pytest.raises(Refused, match="Cannot remove"):
            desk.remove("corp", NOW)
        with pytest.raises(Refused, match="Cannot switch writing on"):
            desk.switch_writes("corp", NOW, on=True)
    with open_engine(path, role=Role.OPERATOR) as engine, pytest.raises(Refused, match="this needs approver"):
        engine.provider_desk().add("corp", ready_token(), NOW, writes=True)


def test_read_only_refuses_every_change(engine: Engine, path: Path) -> None:
    engine.provider_desk().add("corp", ready_token(), NOW)
    with open_engine(path, read_only=True) as reader:
        desk = reader.provider_desk()
        for change in (
            lambda: desk.add("other", ready_token(), NOW),
            lambda: desk.remove("corp", NOW),
            lambda: desk.switch_writes("corp", NOW, on=False),
        ):
            with pytest.raises(Refused, match="read-only"):
                change()
        provider = desk.graph("corp")
        assert not provider.writes
        assert desk.providers()[0].writes


@pytest.mark.parametrize(
    "name", ["", " corp", "a/b", "..", "-corp", "c" * 41, "ümlaut", "a b", "x\n", "simulated", "Import"]
)
def test_names_that_cannot_be_used(desk: ProviderDesk, name: str) -> None:
    with pytest.raises(BadInput):
        desk.add(name, ready_token(), NOW)


def test_a_name_is_taken_whatever_its_case(desk: ProviderDesk, path: Path) -> None:
    desk.add("corp", ready_token(), NOW)

    with pytest.raises(BadInput, match="There is a provider corp already"):
        desk.add("CORP", ready_token(9090), NOW)
    assert len(audit_of(path)) == 1


def test_a_dry_run_changes_nothing(desk: ProviderDesk, path: Path) -> None:
    facts = desk.add("corp", ready_token(), NOW, dry_run=True)

    assert facts.writes
    assert desk.providers() == ()
    assert audit_of(path) == []


def test_writing_is_switched_and_recorded(desk: ProviderDesk, path: Path) -> None:
    desk.add("corp", person(), NOW)

    assert desk.switch_writes("Corp", NOW, on=True)
    assert not desk.switch_writes("corp", NOW, on=True)
    assert desk.graph("corp").writes
    assert desk.switch_writes("corp", NOW, on=False)
    assert not desk.graph("corp").writes
    assert [record["details"] for record in audit_of(path)[1:]] == [
        {"before": False, "after": True},
        {"before": True, "after": False},
    ]


def test_removing_keeps_the_devices(desk: ProviderDesk, engine: Engine, path: Path) -> None:
    desk.add("corp", ready_token(), NOW)
    devices_in(path, "corp", 3)
    devices_in(path, "other", 2)

    would = desk.remove("corp", NOW, dry_run=True)
    done = desk.remove("corp", NOW)

    assert (would.devices, done.devices, done.removed_devices) == (3, 3, 0)
    assert engine.reads.devices.total(DeviceQuery()) == 5
    assert desk.providers() == ()
    desk.add("corp", ready_token(), NOW)
    assert desk.providers()[0].devices == 3


def test_removing_takes_the_devices_when_asked(desk: ProviderDesk, engine: Engine, path: Path) -> None:
    desk.add("corp", ready_token(), NOW)
    devices_in(path, "corp", 3)
    devices_in(path, "other", 2)

    assert desk.remove("corp", NOW, remove_devices=True).removed_devices == 3
    assert engine.reads.devices.total(DeviceQuery()) == 2
    record = audit_of(path)[-1]
    assert (record["action"], record["devices"]) == ("provider-remove", 3)


def test_what_was_still_to_be_sent_never_reaches_a_tenant_of_the_same_name(
    desk: ProviderDesk, path: Path, engine: Engine
) -> None:
    desk.add("corp", ready_token(), NOW)
    waiting = (
        "INSERT INTO tenant_request (provider, wish, method, version, path, body, why, ring_key, rings, policy, item, "
        "asked_by, asked_at, state) VALUES ('corp', 'approve', 'POST', 'beta', '/x', '{}', '', '', '[]', '', '', "
        "'mia', 0, ?)"
    )
    with sqlite3.connect(path) as connection:
        connection.executemany(waiting, [("waiting",), ("sending",), ("confirmed",)])
    connection.close()

    assert desk.remove("corp", NOW, dry_run=True).dropped_requests == 2
    assert desk.remove("corp", NOW).dropped_requests == 2
    desk.add("corp", ready_token(9090), NOW)
    with sqlite3.connect(path) as connection:
        left = connection.execute("SELECT state FROM tenant_request").fetchall()
    connection.close()
    assert left == [("confirmed",)]


def test_names_that_do_not_exist_name_near_ones(desk: ProviderDesk) -> None:
    with pytest.raises(NotFound, match="provider add graph"):
        desk.graph("corp")
    desk.add("corp", ready_token(), NOW)
    with pytest.raises(NotFound, match="Did you mean corp"):
        desk.graph("crop")


def test_a_ready_token_needs_no_sign_in(desk: ProviderDesk) -> None:
    desk.add("corp", ready_token(), NOW)

    with pytest.raises(NotOffered, match="nothing to sign in to"):
        desk.sign_in("corp", lambda _: None, NOW)
    assert not desk.sign_out("corp", NOW)


def test_a_configuration_that_was_spoilt_does_not_hide_the_others(desk: ProviderDesk, path: Path) -> None:
    desk.add("bad", ready_token(), NOW)
    desk.add("good", ready_token(), NOW)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE provider SET config = '{}' WHERE name = 'bad'")
    connection.close()

    bad, good = desk.providers()
    assert "cannot be used" in bad.trouble
    assert not good.trouble
    with pytest.raises(BadInput, match="provider remove bad"):
        _ = desk.graph("bad").config
    desk.remove("bad", NOW)
    assert [row.name for row in desk.providers()] == ["good"]


def test_a_tenant_says_honestly_what_it_can_do(desk: ProviderDesk) -> None:
    can = desk.add("corp", ready_token(), NOW).capabilities

    assert not can.install_now
    assert not can.uninstall_device
    assert not can.reports_progress
    assert can.is_by_policy
    assert can.requests == frozenset(PolicyVerb)
    assert "at its next scan" in can.note


# --- the mapping of a state file --------------------------------------------------------------------


def test_a_demo_has_its_simulated_fleet_beside_named_tenants(demo_state: Path) -> None:
    with open_engine(demo_state) as engine:
        desk = engine.provider_desk()
        desk.add("corp", ready_token(), engine.now())
        simulated, corp = desk.providers()

    assert (simulated.name, simulated.devices, simulated.capabilities.install_now) == ("simulated", 500, True)
    assert (corp.name, corp.devices) == ("corp", 0)


def test_the_mapping_sees_what_other_processes_add(path: Path) -> None:
    with open_engine(path, create=True) as first, open_engine(path) as second:
        seen = second._providers
        assert isinstance(seen, Providers)
        assert (len(seen), "corp" in seen, "simulated" in seen) == (0, False, False)
        first.provider_desk().add("corp", ready_token(), NOW)
        assert (list(seen), "CORP" in seen) == (["corp"], True)
        provider = seen["Corp"]
        assert provider is seen["corp"]
        assert isinstance(provider, GraphProvider)
        assert provider.writes
        first.provider_desk().switch_writes("corp", NOW, on=False)
        changed = seen["corp"]
        assert isinstance(changed, GraphProvider)
        assert not changed.writes
        with pytest.raises(KeyError):
            seen["other"]


async def test_a_turn_of_the_runner_asks_a_tenant_for_nothing(path: Path) -> None:
    with open_engine(path, create=True) as engine:
        engine.provider_desk().add("corp", ready_token(), NOW)
        assert (await engine.run_due()).driving
        provider = engine.provider_desk().graph("corp")
        assert await provider.report([], NOW) == ()
        with pytest.raises(NotOffered, match="hotpatch import --from corp"):
            async for _ in provider.devices(None):
                pass
