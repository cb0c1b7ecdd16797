"""What a check of a tenant finds: every part of the service, what is missing, and who can grant it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from console.cli.reference import permissions_markdown
from engine.providers.graph.checks import examine
from engine.providers.graph.config import made_from, to_json
from engine.providers.graph.pacing import Limits
from engine.providers.graph.permissions import permissions, read_scopes, write_scopes
from engine.providers.graph.provider import GraphProvider
from engine.providers.graph.steps import CheckStep, StepState
from tests.conftest import SHARED
from tests.tenant.fixtures import TOKEN
from tests.tenant.login import TENANT, jwt
from tests.tenant.server import Tenant

HASTY = Limits(attempts=1)
ALL = [*read_scopes(), *write_scopes()]


def token_with(*granted: str, delegated: bool = False, **more: object) -> str:
    said: dict[str, object] = {"tid": TENANT, "aud": "https://graph.microsoft.com", "exp": 4_000_000_000, **more}
    said |= {"scp": " ".join(granted), "upn": "mia@contoso.example"} if delegated else {"roles": list(granted)}
    return jwt(said)


async def steps_of(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, token: str = TOKEN, *, writes: bool = True, **given: str
) -> Mapping[str, CheckStep]:
    tenant.state.write_tokens.add(token)
    monkeypatch.setenv("CHECKED_TOKEN", token)
    config = made_from(**{"base_url": tenant.base_url, "token_env": "CHECKED_TOKEN", **given})
    provider = GraphProvider("corp", to_json(config), writes=writes)
    return {step.id: step async for step in examine(provider, HASTY)}


async def test_all_is_well(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.state.page_size = 1
    steps = await steps_of(tenant, monkeypatch, token_with(*ALL))

    for name in ("sign-in", "token", "permissions", "address", "organization", "devices", "hardware", "writing"):
        assert steps[name].state is StepState.OK, steps[name]
    assert not tenant.writes
    assert "at its next scan" in steps["on-demand"].found


async def test_an_unreadable_token_is_no_fault(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = await steps_of(tenant, monkeypatch)

    assert steps["token"].state is StepState.NOTE
    assert "permissions" not in steps
    assert steps["devices"].state is StepState.OK


async def test_a_missing_permission_is_named_with_who_can_grant_it(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.state.denied.append(("GET", "/admin/windows/updates"))
    steps = await steps_of(tenant, monkeypatch, token_with(*(each for each in ALL if "WindowsUpdates" not in each)))

    for name in ("permissions", "catalogue", "enrolment"):
        assert steps[name].state is StepState.DENIED
        assert "WindowsUpdates.Read.All" in steps[name].missing
    assert "application permission" in steps["catalogue"].fix
    assert "Privileged Role Administrator" in steps["catalogue"].fix
    assert "not authorized" in steps["catalogue"].found
    assert "WindowsUpdates.ReadWrite.All" in steps["writing"].missing
    assert steps["devices"].state is StepState.OK


async def test_a_permission_that_is_there_but_no_role(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.state.denied.append(("GET", "/deviceManagement/managedDevices"))
    steps = await steps_of(tenant, monkeypatch, token_with(*ALL, delegated=True))

    assert steps["permissions"].state is StepState.OK
    assert steps["devices"].state is StepState.DENIED
    assert "Intune Administrator" in steps["devices"].fix
    assert "a role" in steps["devices"].fix
    assert steps["hardware"].state is StepState.SKIPPED


async def test_a_wider_permission_does_as_well(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = ["DeviceManagementManagedDevices.ReadWrite.All", "DeviceManagementConfiguration.ReadWrite.All"]
    steps = await steps_of(
        tenant, monkeypatch, token_with(*wide, "WindowsUpdates.ReadWrite.All", "Directory.Read.All"), writes=False
    )

    assert steps["permissions"].state is StepState.OK
    assert steps["writing"].state is StepState.NOTE
    assert "provider writes corp on" in steps["writing"].found


async def test_no_token_skips_the_rest(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = await steps_of(tenant, monkeypatch, token_env="NOT_SET_ANYWHERE")

    assert steps["sign-in"].state is StepState.FAILED
    assert "NOT_SET_ANYWHERE" in steps["sign-in"].fix
    assert {step.state for name, step in steps.items() if name not in ("sign-in", "on-demand")} == {StepState.SKIPPED}
    assert tenant.requests == []


async def test_an_address_where_nobody_is(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = await steps_of(tenant, monkeypatch, base_url="http://127.0.0.1:9")

    assert steps["address"].state is StepState.FAILED
    assert "HTTPS_PROXY" in steps["address"].fix
    assert steps["devices"].state is StepState.SKIPPED


async def test_a_token_that_is_not_accepted(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.state.tokens.clear()
    steps = await steps_of(tenant, monkeypatch)
    assert steps["organization"].state is StepState.OK
    tenant.state.write_tokens.clear()
    monkeypatch.setenv("CHECKED_TOKEN", "another-one")
    provider = GraphProvider(
        "corp", to_json(made_from(base_url=tenant.base_url, token_env="CHECKED_TOKEN")), writes=False
    )
    refused = {step.id: step async for step in examine(provider, HASTY)}

    assert refused["address"].state is StepState.OK
    assert refused["organization"].state is StepState.FAILED
    assert "another-one" not in str(refused)


@pytest.mark.parametrize(
    ("more", "given", "step", "says"),
    [
        ({"exp": 1_000_000_000}, {}, "token", "ended"),
        ({"tid": "0" * 36}, {"tenant_id": TENANT}, "token", "not aaaabbbb"),
        ({"aud": "https://management.azure.com"}, {}, "audience", "management.azure.com"),
    ],
)
async def test_a_token_for_something_else(
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, object],
    given: dict[str, str],
    step: str,
    says: str,
) -> None:
    steps = await steps_of(tenant, monkeypatch, token_with(*ALL, **more), **given)

    assert steps[step].state is StepState.FAILED
    assert says in steps[step].found


async def test_hostile_words_of_a_tenant_are_made_harmless(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant.faults.member("displayName", "\x1b[31mContoso\nLtd", "/v1.0/organization")
    steps = await steps_of(tenant, monkeypatch)

    assert steps["organization"].found.startswith("[31mContoso Ltd")


# --- the permissions themselves ---------------------------------------------------------------------


def test_reading_asks_for_nothing_that_writes() -> None:
    assert not [name for name in read_scopes() if "Write" in name or "Privileged" in name]
    assert len({each.name for each in permissions()}) == len(permissions())
    for each in permissions():
        assert each.why
        assert each.without
        assert each.operations


def test_the_documents_list_every_permission() -> None:
    table = permissions_markdown().splitlines()

    assert len(table) == len(permissions()) + 2
    assert all(row.count("|") == 5 for row in table)
    assert "| `WindowsUpdates.Read.All` | reading |" in permissions_markdown()


@pytest.mark.shared
def test_the_permissions_are_what_the_operations_ask_for() -> None:
    document = yaml.safe_load((SHARED / "contracts" / "graph-subset.yaml").read_text(encoding="utf-8"))
    checked = 0
    for each in permissions():
        for operation in each.operations:
            method, _, path = operation.partition(" ")
            told = document["paths"][path][method.lower()].get("x-ms-permissions") or {}
            for kind, names in told.items():
                assert each.name in {name.rstrip("*") for name in names}, (operation, kind)
                checked += 1
    assert checked > 20
