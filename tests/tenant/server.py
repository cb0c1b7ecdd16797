"""The tenant over HTTP: signing in, routing, batches, faults, and the log of what was asked.

`fixtures` starts it. Each request and each answer, also within a batch, goes by the contract where that is at hand.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.serving import Serving, serving
from tests.tenant.contract import contract
from tests.tenant.families import all_routes
from tests.tenant.faults import CLOSE, CUT, STALL, Faults
from tests.tenant.odata import BadQuery
from tests.tenant.routing import Asked, Reply, error, not_found
from tests.tenant.state import TenantState

READS_WITH_POST = "/deviceManagement/reports/get"
"""POSTs whose path begins so change nothing."""


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; parts of batches are listed too, after their batch."""

    method: str
    path: str
    """With version, without query, as it came."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    in_batch: bool = False

    @property
    def is_write(self) -> bool:
        """It may change something; a batch is what its parts are."""
        reads = self.method == "GET" or READS_WITH_POST in self.path or self.path.endswith("/$batch")
        return not reads


@dataclass
class Tenant:
    """A running tenant: where it is, what it holds, how it misbehaves, what it was asked."""

    state: TenantState = field(default_factory=TenantState)
    faults: Faults = field(default_factory=Faults)
    base_url: str = ""
    token: str = ""
    requests: list[Seen] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    """What went against the contract; a test with the fixture fails at its end when there is any."""
    operations: set[str] = field(default_factory=set)
    """The contract's operations that were asked for."""

    def asked(self, beginning: str, method: str = "") -> list[Seen]:
        """The requests, parts of batches included, to paths (without the version) that begin so."""
        return [
            seen
            for seen in self.requests
            if f"/{seen.path.split('/', 2)[-1]}".startswith(beginning) and method in ("", seen.method)
        ]

    @property
    def writes(self) -> list[Seen]:
        """The requests that may have changed something."""
        return [seen for seen in self.requests if seen.is_write]


class _Play:
    """Answers requests from a tenant's state."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.ended = threading.Event()
        self._routes = all_routes()

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The answer to a whole request."""
        with self.tenant.state.lock:
            self._note(method, url, headers, body, in_batch=False)
            if url.startswith("/blob/"):
                return self._file(url, headers)
            return self._checked(method, url, headers, body, is_part=False)

    def _note(self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, in_batch: bool) -> None:
        path, _, query = url.partition("?")
        self.tenant.requests.append(Seen(method, path, query, headers, body, in_batch))

    def _file(self, url: str, headers: Mapping[str, str]) -> Reply:
        """A file behind a key in its address; a token must not come here."""
        if "authorization" in headers:
            self.tenant.violations.append(f"GET {url}: a token was sent to a file's address")
        asked = Asked("GET", f"/blob{url.removeprefix('/blob')}", headers, None, self.tenant.base_url)
        instead, _ = self.tenant.faults.met(asked, self.tenant.state, is_part=False)
        found = self.tenant.state.blobs.get(url.partition("?")[0].removeprefix("/blob/"))
        gone = Reply(
            404, b"<?xml version='1.0'?><Error><Code>BlobNotFound</Code></Error>", content_type="application/xml"
        )
        return instead or (Reply(body=found, content_type="application/octet-stream") if found is not None else gone)

    def _checked(self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, is_part: bool) -> Reply:
        """The answer, with request and answer held against the contract."""
        tenant, known = self.tenant, contract()
        if known:
            operation, faults = known.request_faults(method, url, headers, body)
            tenant.violations += faults
            tenant.operations |= {operation} - {""}
            known.covered |= tenant.operations
        reply = self._with_faults(method, url, headers, body, is_part=is_part)
        if known and reply.on_contract and reply.status > 0:
            content = _bytes_of(reply.body)
            tenant.violations += known.answer_faults(method, url, reply.status, reply.content_type, content)
        return reply

    def _with_faults(self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, is_part: bool) -> Reply:
        if url.count("/") < 2:
            return not_found()
        try:
            value = json.loads(body) if body else None
        except ValueError:
            return self._signed_error(error(400, "BadRequest", "The body is no JSON."), headers)
        asked = Asked(method, url, headers, value, self.tenant.base_url)
        instead, changes = self.tenant.faults.met(asked, self.tenant.state, is_part=is_part)
        reply = instead or self._refusal(asked, is_part) or self._routed(asked)
        for change in changes:
            reply = change(asked, reply)
        return self._signed_error(reply, headers)

    def _signed_error(self, reply: Reply, headers: Mapping[str, str]) -> Reply:
        """The reply with its ids, and those within an error's body as well."""
        ids = {
            "request-id": str(uuid.uuid4()),
            "client-request-id": headers.get("client-request-id", str(uuid.uuid4())),
        }
        body = reply.body
        if isinstance(body, dict) and isinstance(body.get("error"), dict) and "innerError" in body["error"]:
            inner = {"date": self.tenant.state.now.rstrip("Z"), **ids}
            body = {"error": {**body["error"], "innerError": inner}}
        return replace(reply, body=body, headers={**ids, **reply.headers})

    def _refusal(self, asked: Asked, is_part: bool) -> Reply | None:
        """401 without a token that is accepted, 403 where something is denied or the token may only read."""
        state = self.tenant.state
        if not is_part:
            scheme, _, token = asked.headers.get("authorization", "").partition(" ")
            if scheme != "Bearer" or token not in state.tokens | state.write_tokens:
                return error(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
        for method, path in state.denied:
            if method in ("", asked.method) and asked.path.startswith(path):
                return error(403, "Forbidden", "Application is not authorized to perform this operation.")
        return None

    def _may_write(self, asked: Asked) -> bool:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        reads = asked.method == "GET" or asked.path.startswith(READS_WITH_POST)
        return reads or token in self.tenant.state.write_tokens

    def _routed(self, asked: Asked) -> Reply:
        if asked.path == "/$batch" and asked.method == "POST":
            return self._batch(asked)
        if not self._may_write(asked):
            return error(403, "Forbidden", "Insufficient privileges to complete the operation.")
        for each in self._routes:
            found = each.pattern.fullmatch(asked.path) if asked.version in each.versions else None
            if found and each.method == asked.method:
                try:
                    return each.handler(replace(asked, names=found.groupdict()), self.tenant.state)
                except BadQuery as wrong:
                    return error(400, "BadRequest", str(wrong))
        return not_found()

    def _batch(self, asked: Asked) -> Reply:
        """Each part by itself, against its own operation of the contract; answers come in the other order."""
        parts = asked.body.get("requests", []) if isinstance(asked.body, dict) else []
        ids = [part["id"] for part in parts]
        if not 1 <= len(parts) <= 20 or len(set(ids)) < len(ids):
            return error(400, "BadRequest", "A batch holds 1 to 20 requests with ids of their own.")
        answers = []
        for part in parts:
            headers = {name.lower(): value for name, value in part.get("headers", {}).items()}
            body = json.dumps(part["body"]).encode() if "body" in part else b""
            if body and "content-type" not in headers:
                answers.append({"id": part["id"], "status": 400, "headers": {}, "body": {"error": _NO_TYPE}})
                continue
            headers["authorization"] = asked.headers.get("authorization", "")
            url = f"/{asked.version}{part['url']}"
            self._note(part["method"], url, headers, body, in_batch=True)
            reply = self._checked(part["method"], url, headers, body, is_part=True)
            answer: dict[str, Any] = {"id": part["id"], "status": reply.status, "headers": dict(reply.headers)}
            if reply.body is not None:
                answer["headers"]["Content-Type"] = reply.content_type
                answer["body"] = reply.body
            answers.append(answer)
        return Reply(body={"responses": answers[::-1]})


_NO_TYPE = {"code": "BadRequest", "message": "Write request must contain a Content-Type header."}


def _bytes_of(body: Any) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()


def _handler(play: _Play) -> type[Serving]:
    class Handler(Serving):
        def _serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.body()
            try:
                reply = play.answer(self.command, self.path, headers, body)
            except Exception as error:  # noqa: BLE001 - the test must see what broke in the tenant itself
                play.tenant.violations.append(f"the tenant broke on {self.command} {self.path}: {error!r}")
                reply = Reply(500)
            if reply.status == STALL.status:
                play.ended.wait()
            if reply.status in (STALL.status, CLOSE.status):
                self.close_connection = True
                return
            is_cut = reply.status == CUT.status
            content = _bytes_of(reply.body)
            lines = [f"HTTP/1.1 {200 if is_cut else reply.status} -"]
            named = {"Content-Type": reply.content_type, **reply.headers, "Content-Length": str(len(content))}
            lines += [f"{name}: {value}" for name, value in named.items()]
            whole = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content
            # In one piece: two would wait for each other's acknowledgement.
            self.wfile.write(whole[: len(whole) - len(content) // 2 - 1] if is_cut else whole)
            if is_cut:
                self.close_connection = True

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve

    return Handler


@contextmanager
def running(tenant: Tenant) -> Iterator[Tenant]:
    """The tenant on a port of its own while the block runs."""
    play = _Play(tenant)
    with serving(_handler(play), play.ended) as tenant.base_url:
        yield tenant


@dataclass
class Elsewhere:
    """Another host, where nothing of ours should ever arrive."""

    base_url: str = ""
    requests: list[Seen] = field(default_factory=list)


@contextmanager
def another_host() -> Iterator[Elsewhere]:
    """A second server that answers everything with an empty list and keeps what it was sent."""
    tenant = Tenant()
    with running(tenant):
        yield Elsewhere(tenant.base_url, tenant.requests)
