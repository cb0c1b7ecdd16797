"""The client as its callers use it: reading, reading POSTs, changes, signing in, files."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
import traceback
from typing import Any

import pytest

from engine.model.errors import Denied, Gone, ProviderError, Refused, SignInNeeded, Unreachable
from engine.providers.graph.answers import AnswerUnusable, GraphError, WritesOff
from engine.providers.graph.client import BETA, V1, Limits, Part
from engine.providers.graph.tokens import StaticToken
from tests.tenant.fixtures import READ_TOKEN, TOKEN, FakeTime, RenewingTokens, Tokens, client_of
from tests.tenant.fleet import intune_id
from tests.tenant.server import Elsewhere, Tenant

DEVICES = "/deviceManagement/managedDevices"
REPORT = "/deviceManagement/reports/getWindowsUpdateAlertSummaryReport"
SYNC = f"{DEVICES}/{intune_id(1)}/syncDevice"


async def test_one_object_and_what_is_sent_with_it(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        device = await client.get(f"{DEVICES}/{intune_id(1)}", {"$select": "id,deviceName"}, headers={"X-A": "b"})
    assert device["deviceName"] == "PC-000001"
    sent = tenant.requests[0]
    assert (sent.method, sent.path, sent.query) == (
        "GET",
        f"/beta{DEVICES}/{intune_id(1)}",
        "$select=id,deviceName",
    )
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["accept"] == "application/json"
    assert sent.headers["x-a"] == "b"
    assert "content-type" not in sent.headers
    assert len(sent.headers["client-request-id"]) == 36


async def test_an_error_says_what_microsoft_said_with_both_ids(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        with pytest.raises(Gone) as caught:
            await client.get(f"{DEVICES}/nothing")
    error = caught.value
    assert isinstance(error, GraphError)
    assert "GET /beta/deviceManagement/managedDevices/nothing" in error.what
    assert "Resource not found." in error.why
    assert error.said.client_request_id == tenant.requests[0].headers["client-request-id"]
    assert error.said.client_request_id in error.why
    assert f"request-id {error.said.request_id}" in error.why
    assert len(error.said.request_id) == 36


async def test_an_error_names_the_path_without_the_query(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        with pytest.raises(Gone) as caught:
            await client.get(f"{DEVICES}/nothing", {"$select": "id,deviceName"})
    assert caught.value.what == f"Microsoft Graph has nothing at GET /beta{DEVICES}/nothing."


async def test_a_refused_ready_token_is_to_be_put_in_anew(tenant: Tenant) -> None:
    source = StaticToken("CORP_TOKEN", {"CORP_TOKEN": "an-old-one"})
    async with client_of(tenant, tokens=source) as client:
        with pytest.raises(SignInNeeded) as caught:
            await client.get(DEVICES)
    assert caught.value.instead == "Put a new token into CORP_TOKEN."


async def test_a_missing_permission_is_denied_and_not_repeated(tenant: Tenant) -> None:
    tenant.state.denied.append(("", DEVICES))
    async with client_of(tenant) as client:
        with pytest.raises(Denied, match="not authorized") as caught:
            await client.get(DEVICES)
    assert "provider check" in caught.value.instead
    assert len(tenant.requests) == 1


@pytest.mark.parametrize("path", ["deviceManagement", "", "https://evil.example/x"])
async def test_a_path_that_is_none_is_a_mistake_of_ours(tenant: Tenant, path: str) -> None:
    async with client_of(tenant) as client:
        with pytest.raises(ValueError, match="slash"):
            await client.get(path)
    assert tenant.requests == []


@pytest.mark.parametrize("path", ["//evil.example/x", "/@evil.example/x", "/\\evil.example", "/x y", "/x?a=\n"])
async def test_no_path_leads_off_the_host(tenant: Tenant, path: str) -> None:
    async with client_of(tenant) as client:
        with pytest.raises(ProviderError):
            await client.get(path)
    tenant.violations.clear()  # the contract has no such paths
    assert all(seen.path.startswith("/beta/") for seen in tenant.requests)


@pytest.mark.parametrize("body", ["text", 7, [1], None])
async def test_what_is_no_object_is_said_to_be_none(tenant: Tenant, body: Any) -> None:
    tenant.faults.rewrite(lambda _: body, "/organization")
    async with client_of(tenant) as client:
        with pytest.raises(AnswerUnusable, match="no object"):
            await client.get("/organization", version=V1)


async def test_a_proxys_page_is_no_answer(tenant: Tenant) -> None:
    tenant.faults.web_page("/organization", nth=1)
    tenant.faults.web_page("/organization", nth=2, status=407)
    async with client_of(tenant) as client:
        with pytest.raises(AnswerUnusable, match='titled "Sign in to the proxy"'):
            await client.get("/organization", version=V1)
        with pytest.raises(GraphError, match="perhaps a proxy"):
            await client.get("/organization", version=V1)


async def test_a_report_is_read_although_it_comes_as_octet_stream(tenant: Tenant) -> None:
    matrix = {"TotalRowCount": 1, "Schema": [{"Column": "A", "PropertyType": "String"}], "Values": [["x"]]}
    content = json.dumps(matrix).encode()
    tenant.faults.status(200, REPORT, body=content, content_type="application/octet-stream")
    tenant.faults.status(503, REPORT, nth=2)
    tenant.faults.status(200, REPORT, nth=3, body=b"\xef\xbb\xbf" + content, content_type="application/octet-stream")
    async with client_of(tenant, writes=False, tokens=Tokens(READ_TOKEN)) as client:
        assert await client.ask(REPORT, {"top": 10}) == matrix
        assert await client.ask(REPORT, {"top": 10}) == matrix  # reads, so a fault is waited out
    assert [json.loads(seen.body) for seen in tenant.requests] == [{"top": 10}] * 3
    assert tenant.writes == []


# --- changes ------------------------------------------------------------------------------------------


async def test_a_change_is_signed_for_changing(tenant: Tenant) -> None:
    tokens = Tokens()
    async with client_of(tenant, tokens=tokens) as client:
        answer = await client.send("post", SYNC)
        await client.get(DEVICES)
    assert (answer.status, answer.body) == (204, None)
    assert answer.request_id
    assert tokens.asked == [(True, ""), (False, "")]


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE", "GET"])
async def test_read_only_sends_nothing_and_asks_for_no_token(tenant: Tenant, method: str) -> None:
    tokens = Tokens()
    async with client_of(tenant, writes=False, tokens=tokens) as client:
        with pytest.raises(WritesOff, match="was not sent") as caught:
            await client.send(method, SYNC, {"a": 1})
    assert isinstance(caught.value, Refused)
    assert isinstance(caught.value, ProviderError)
    assert tenant.requests == []
    assert tokens.asked == []


async def test_a_token_that_may_only_read_is_denied(tenant: Tenant) -> None:
    async with client_of(tenant, tokens=Tokens(READ_TOKEN)) as client:
        with pytest.raises(Denied, match="Insufficient privileges"):
            await client.send("POST", SYNC)


# --- signing in -----------------------------------------------------------------------------------------


async def test_a_refused_token_ends_when_there_is_no_other(tenant: Tenant) -> None:
    async with client_of(tenant, tokens=Tokens("wrong-token")) as client:
        with pytest.raises(SignInNeeded, match="expired or is not yet valid"):
            await client.get(DEVICES)
    assert len(tenant.requests) == 1


async def test_a_token_that_ends_in_mid_run_is_renewed_once(tenant: Tenant) -> None:
    tokens = RenewingTokens("first-token", "second-token")
    tenant.state.tokens.add("first-token")
    tenant.faults.expire_token(DEVICES, nth=2, other="second-token")
    async with client_of(tenant, tokens=tokens) as client:
        items = [item async for page in client.pages(DEVICES) for item in page.items]
    assert len(items) == 25
    sent = [seen.headers["authorization"].removeprefix("Bearer ") for seen in tenant.requests]
    assert sent == ["first-token", "first-token", "second-token", "second-token"]


async def test_a_source_that_cannot_renew_is_asked_again(tenant: Tenant) -> None:
    class Refreshed(Tokens):
        async def token(self, *, write: bool = False, claims: str = "") -> str:
            self.asked.append((write, claims))
            return "first-token" if len(self.asked) == 1 else "second-token"

    tenant.faults.expire_token(DEVICES, other="second-token")
    async with client_of(tenant, tokens=Refreshed()) as client:
        assert (await client.get(DEVICES))["value"]


async def test_demanded_claims_reach_the_token_source(tenant: Tenant) -> None:
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'
    tokens = RenewingTokens("first-token", "second-token")
    tenant.state.tokens.add("first-token")
    tenant.faults.challenge(DEVICES, claims=claims, other="second-token")
    async with client_of(tenant, tokens=tokens) as client:
        assert (await client.get(DEVICES))["value"]
    assert tokens.asked == [(False, ""), (False, claims)]


async def test_endless_refusals_of_tokens_end(tenant: Tenant) -> None:
    class Ever(Tokens):
        async def renewed(self, *, write: bool = False) -> str:
            self.asked.append((write, "renewed"))
            return f"token-number-{len(self.asked)}"

    tokens = Ever("token-number-0")
    async with client_of(tenant, tokens=tokens) as client:
        with pytest.raises(SignInNeeded):
            await client.get(DEVICES)
    assert len(tenant.requests) == 3


async def test_what_the_token_source_says_is_passed_on(tenant: Tenant) -> None:
    class Nobody(Tokens):
        async def token(self, *, write: bool = False, claims: str = "") -> str:
            raise SignInNeeded("There is no token.", "", "Sign in.")

    async with client_of(tenant, tokens=Nobody()) as client:
        with pytest.raises(SignInNeeded, match=r"There is no token\."):
            await client.get(DEVICES)
        with pytest.raises(SignInNeeded):
            _ = [answer async for answer in client.batch([Part("1", "GET", "/x")])]
    assert tenant.requests == []


# --- files ----------------------------------------------------------------------------------------------


def blob(tenant: Tenant, content: bytes = b"zip" * 1000) -> str:
    tenant.state.blobs["job.zip"] = content
    return f"{tenant.base_url}/blob/job.zip?sv=2024&sig=SECRET%2BSIGNATURE%3D"


async def test_a_file_is_fetched_without_the_token(tenant: Tenant) -> None:
    target = io.BytesIO(b"head")
    target.seek(4)
    async with client_of(tenant) as client:
        await client.get("/organization", version=V1)
        assert await client.download(blob(tenant), target, 5000) == 3000
    assert target.getvalue() == b"head" + b"zip" * 1000
    sent = tenant.requests[-1]
    assert "authorization" not in sent.headers
    assert TOKEN not in str(sent)
    assert sent.query == "sv=2024&sig=SECRET%2BSIGNATURE%3D"


async def test_a_file_may_come_from_another_host_but_never_a_token_with_it(
    tenant: Tenant, elsewhere: Elsewhere
) -> None:
    async with client_of(tenant) as client:
        with pytest.raises(Gone):
            await client.download(f"{elsewhere.base_url}/blob/x?sig=s", io.BytesIO(), 100)
    assert len(elsewhere.requests) == 1
    assert "authorization" not in elsewhere.requests[0].headers


async def test_a_file_that_is_too_long_is_given_up(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        with pytest.raises(AnswerUnusable, match="too long"):
            await client.download(blob(tenant), io.BytesIO(), 2999)


async def test_a_file_that_broke_off_begins_anew(tenant: Tenant) -> None:
    tenant.faults.status(503, "/blob/")
    tenant.faults.close("/blob/", nth=2)
    target = io.BytesIO()
    async with client_of(tenant) as client:
        assert await client.download(blob(tenant), target, 5000) == 3000
    assert target.getvalue() == b"zip" * 1000
    assert len(tenant.requests) == 3


async def test_a_files_address_is_in_no_error_and_no_log(tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = blob(tenant)
    del tenant.state.blobs["job.zip"]
    async with client_of(tenant) as client:
        with pytest.raises(Gone) as caught:
            await client.download(url, io.BytesIO(), 10)
        with pytest.raises(AnswerUnusable) as refused:
            await client.download("http://files.example/x?sig=SECRETSIGNATURE", io.BytesIO(), 10)
    words = "".join(traceback.format_exception(caught.value)) + str(refused.value) + caplog.text
    assert "SECRET" not in words
    assert "/blob/job.zip" in caplog.text


async def test_a_redirected_file_is_not_followed(tenant: Tenant, elsewhere: Elsewhere) -> None:
    tenant.faults.status(302, "/blob/", Location=f"{elsewhere.base_url}/blob/x")
    async with client_of(tenant) as client:
        with pytest.raises(GraphError):
            await client.download(blob(tenant), io.BytesIO(), 100)
    assert elsewhere.requests == []


# --- the client itself ----------------------------------------------------------------------------------


async def test_a_call_that_is_given_up_leaves_the_client_usable(tenant: Tenant) -> None:
    tenant.faults.stall(DEVICES)
    async with client_of(tenant, limits=Limits(concurrency=1, most_at_once=1)) as client:
        task = asyncio.create_task(client.get(DEVICES))
        while not tenant.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.get("/organization", version=V1))["value"]


async def test_many_share_one_client(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle(DEVICES, nth=5, times=3, retry_after="2")
    async with client_of(tenant, time=time) as client:
        found = await asyncio.gather(*(client.get(f"{DEVICES}/{intune_id(number)}") for number in range(25)))
    assert [device["id"] for device in found] == [intune_id(number) for number in range(25)]


async def test_a_service_that_never_finishes_is_unreachable(tenant: Tenant) -> None:
    tenant.faults.stall(times=9)
    async with client_of(tenant, limits=Limits(attempts=2, answer_seconds=0.05)) as client:
        with pytest.raises(Unreachable, match="did not answer in time"):
            await client.get(DEVICES, version=BETA)


def test_the_module_loads_no_http_library() -> None:
    code = (
        "import sys, engine.providers.graph.client; "
        "print([name for name in ('httpx', 'msal', 'pydantic', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
