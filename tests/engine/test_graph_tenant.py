"""The tenant that other tests talk to: all it plays goes by the contract, and the guard does see what is wrong."""

from __future__ import annotations

import json
import socket
import threading
from urllib.parse import urlsplit

import pytest

from engine.providers.graph.client import BETA, V1, Part
from tests.tenant import families
from tests.tenant.contract import Contract, contract
from tests.tenant.fixtures import client_of
from tests.tenant.fleet import Fleet, intune_id
from tests.tenant.server import Tenant, running
from tests.tenant.state import TenantState

DEVICES = "/deviceManagement/managedDevices"
ENROL = "/beta/admin/windows/updates/updatableAssets/enrollAssets"
AS_JSON = {"content-type": "application/json"}


@pytest.mark.shared
async def test_every_operation_played_is_in_the_contract_and_was_driven(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        for family in families.FAMILIES:
            await family.drive(client)
        for version in (BETA, V1):
            part = Part("1", "GET", f"{DEVICES}/{intune_id(3)}?$select=id")
            assert [answer.error async for answer in client.batch([part], version=version)] == [None]
    assert tenant.violations == []
    known = contract()
    assert known is not None
    assert families.all_operations() <= known.operations
    assert sorted(families.all_operations() - tenant.operations) == []
    assert sorted(tenant.operations - families.all_operations()) == []


@pytest.fixture(scope="module")
def known() -> Contract:
    found = contract()
    assert found is not None
    return found


@pytest.mark.shared
def test_the_contract_is_an_openapi_document(known: Contract) -> None:
    from openapi_core import OpenAPI

    assert OpenAPI.from_dict(dict(known.document)).spec


@pytest.mark.shared
@pytest.mark.parametrize(
    ("method", "url", "body", "fault"),
    [
        ("GET", f"/beta{DEVICES}?$top=many", None, "$top"),
        ("GET", f"/beta{DEVICES}?$bogus=1", None, "no option"),
        ("GET", f"/beta{DEVICES}?$top=1&$top=2", None, "twice"),
        ("GET", "/beta/nothing", None, "not found"),
        ("PUT", f"/beta{DEVICES}", None, "not found"),
        ("POST", ENROL, {"updateCategory": "quality", "assets": [{"id": "x"}]}, "@odata.type"),
        ("POST", ENROL, {"updateCategory": "all", "assets": []}, "'all' is not one of"),
        ("POST", ENROL, {"updateCategory": "quality", "assets": [], "more": 1}, "more"),
        ("POST", "/beta/$batch", {"requests": [{"id": "1", "method": "GET", "url": "/x"}] * 21}, "is too long"),
    ],
)
def test_the_guard_sees_a_wrong_request(known: Contract, method: str, url: str, body: object, fault: str) -> None:
    _, faults = known.request_faults(method, url, AS_JSON, json.dumps(body).encode() if body else b"")
    assert any(fault in each for each in faults), faults


@pytest.mark.shared
@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, {"value": [{"id": "1", "invented": 3}]}, "invented"),
        (200, {"value": [{"id": "1", "processorArchitecture": "riscV"}]}, "riscV"),
        (200, {"value": [{"id": 1}]}, "string"),
        (418, {}, "status"),
        (404, {"error": "text"}, "object"),
    ],
)
def test_the_guard_sees_a_wrong_answer(known: Contract, status: int, body: object, fault: str) -> None:
    content = json.dumps(body).encode()
    faults = known.answer_faults("GET", f"/beta{DEVICES}", status, "application/json", content)
    assert any(fault in each for each in faults), faults


async def test_a_device_is_the_same_by_number_whoever_asks(tenant: Tenant) -> None:
    tenant.state.devices.change(4, deviceName="DESK-4", userId="")
    tenant.state.devices.delete(5)
    async with client_of(tenant) as client:
        names = [item["deviceName"] async for page in client.pages(DEVICES) for item in page.items]
        single = await client.get(f"{DEVICES}/{intune_id(4)}", {"$select": "id,deviceName,hardwareInformation"})
    assert len(names) == 24
    assert names[4:6] == ["DESK-4", "PC-000006"]
    assert single["deviceName"] == "DESK-4"
    assert single["hardwareInformation"]["deviceGuardVirtualizationBasedSecurityState"] == "running"


async def test_the_list_leaves_hardware_out_and_filters(tenant: Tenant) -> None:
    tenant.state.devices.mac_every = 5
    async with client_of(tenant) as client:
        wanted = {"$filter": "operatingSystem eq 'Windows'", "$select": "id,operatingSystem,hardwareInformation"}
        items = [item async for page in client.pages(DEVICES, wanted) for item in page.items]
    assert len(items) == 20
    assert {item["operatingSystem"] for item in items} == {"Windows"}
    assert {item["hardwareInformation"] for item in items} == {None}


def test_a_hundred_thousand_devices_cost_nothing_until_they_are_asked_for() -> None:
    fleet = Fleet(100_000)
    number, row = next(iter(fleet.rows("beta", 99_999)))
    assert (number, row["deviceName"]) == (99_999, "PC-099999")
    assert fleet.by_id(intune_id(77_777), "beta") is not None
    assert fleet.by_id(intune_id(100_000), "beta") is None
    assert len(vars(fleet)["_changed"]) + len(vars(fleet)["_hardware"]) == 0


# --- a client that breaks off ---------------------------------------------------------------------------

HEAD = "POST /beta/$batch HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
BODY = json.dumps({"requests": [{"id": "1", "method": "GET", "url": f"{DEVICES}?$select=id"}]})


@pytest.mark.parametrize(
    "sent", [HEAD[:30], HEAD, f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n", f"{HEAD}Content-Length: 900\r\n\r\n{BODY}"]
)
def test_half_a_request_is_neither_noted_nor_held_against_the_contract(sent: str) -> None:
    played = Tenant()
    with running(played), socket.create_connection(("127.0.0.1", urlsplit(played.base_url).port or 0)) as client:
        client.sendall(sent.encode())
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert (played.requests, played.violations) == ([], [])


def test_what_a_request_does_after_its_client_left_is_known_when_the_tenant_has_ended() -> None:
    played = Tenant()
    entered, goes_on = threading.Event(), threading.Event()

    def breaks(_: TenantState) -> None:
        entered.set()
        goes_on.wait()
        raise RuntimeError("late")

    played.faults.before(breaks, DEVICES)
    with running(played):
        with socket.create_connection(("127.0.0.1", urlsplit(played.base_url).port or 0)) as client:
            client.sendall(f"GET /beta{DEVICES} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
            assert entered.wait(60)
        threading.Timer(0.05, goes_on.set).start()
    assert [each for each in played.violations if "late" in each]


def test_a_connection_that_is_kept_open_does_not_keep_the_tenant_from_ending() -> None:
    with running(Tenant()) as played:
        client = socket.create_connection(("127.0.0.1", urlsplit(played.base_url).port or 0))
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.recv(14) == b"HTTP/1.1 404 -"
    with client:
        assert client.recv(10_000).endswith(b"}}")
        assert client.recv(100) == b""
