"""Where a token may never be: in an error, a log, a traceback, or at another host."""

from __future__ import annotations

import io
import logging
import traceback
from pathlib import Path

import pytest

from engine.model.errors import EngineError, Gone
from engine.providers.graph.client import V1, Limits
from tests.tenant.fixtures import TOKEN, client_of
from tests.tenant.server import Elsewhere, Tenant

DEVICES = "/deviceManagement/managedDevices"


async def _everything_that_fails(tenant: Tenant, elsewhere: Elsewhere) -> list[BaseException]:
    """Errors of each kind, from a tenant that says the token back wherever it can."""
    echo = {"error": {"code": TOKEN, "message": f"{TOKEN} Bearer {TOKEN}", "innerError": {"request-id": TOKEN}}}
    for nth, status in enumerate((400, 401, 403, 404, 409, 410, 500, 501), 1):
        tenant.faults.status(status, "/organization", nth=nth, body=echo)
    tenant.faults.status(400, "/organization", nth=9, body=TOKEN.encode(), content_type="text/plain")
    tenant.faults.status(200, "/organization", nth=10, body=TOKEN.encode(), content_type="text/plain")
    tenant.faults.throttle("/organization", nth=11, retry_after="9999")
    tenant.faults.close("/organization", nth=12)
    tenant.faults.status(302, "/organization", nth=13, Location=f"{elsewhere.base_url}/{TOKEN}")
    tenant.faults.link(f"{elsewhere.base_url}/x?token={TOKEN}", "/groups")
    errors: list[BaseException] = []
    async with client_of(tenant, limits=Limits(attempts=1)) as client:
        for _ in range(13):
            try:
                await client.get("/organization", version=V1)
            except EngineError as error:
                errors.append(error)
        try:
            _ = [page async for page in client.pages("/groups", version=V1)]
        except EngineError as error:
            errors.append(error)
        try:
            tenant.faults.headers("/devices", request_id=TOKEN)
            await client.get("/devices", version=V1)
            tenant.faults.headers("/devices", nth=2, request_id=TOKEN)
            await client.get("/devices/nothing", version=V1)
        except EngineError as error:
            errors.append(error)
    assert len(errors) == 15
    return errors


async def test_no_token_is_in_an_error_a_log_or_a_traceback(
    tenant: Tenant, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    errors = await _everything_that_fails(tenant, elsewhere)
    words = caplog.text + "".join(record.getMessage() + repr(record.args) for record in caplog.records)
    for error in errors:
        words += "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        assert error.__cause__ is None or not hasattr(error.__cause__, "request")
    assert TOKEN not in words
    assert "Bearer" not in caplog.text
    assert "GET /v1.0/organization -> 400" in caplog.text
    assert elsewhere.requests == []


async def test_the_log_says_what_support_wants_to_know(tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="hotpatch.graph")
    async with client_of(tenant) as client:
        await client.get(DEVICES, {"$top": "1"})
    record = caplog.records[0]
    assert record.name == "hotpatch.graph"
    own = tenant.requests[0].headers["client-request-id"]
    assert record.getMessage().startswith("GET /beta/deviceManagement/managedDevices?$top=1 -> 200 in ")
    assert record.getMessage().endswith(f"client-request-id {own}")


async def test_a_proxy_never_sees_a_request_to_this_machine(
    tenant: Tenant, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over plain http a proxy would read the token."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, elsewhere.base_url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with client_of(tenant) as client:
        assert (await client.get(DEVICES))["value"]
    assert elsewhere.requests == []


async def test_cookies_and_passwords_of_the_machine_stay_at_home(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden-word\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with client_of(tenant) as client:
        await client.get(DEVICES)
        with pytest.raises(Gone):
            await client.download(f"{tenant.base_url}/blob/none", io.BytesIO(), 10)
    assert [seen.headers.get("authorization") for seen in tenant.requests] == [f"Bearer {TOKEN}", None]
