"""What a service does on a bad day, scripted: each fault names the requests it meets and how often.

Tests call the named methods; the server asks `before` and `after` around each request and each part of a batch.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.tenant.routing import Asked, Reply, error
from tests.tenant.state import TenantState

Effect = Callable[[Asked, TenantState], "Reply | None"]
Change = Callable[[Asked, Reply], Reply]


@dataclass
class _Fault:
    """One scripted misbehaviour."""

    method: str
    path: str
    """The path with its version begins so, or (with ~ in front) a pattern is found in path and query."""
    first: int
    """Counted from 1 among the requests that it fits."""
    times: int
    in_batch: bool | None
    """Only parts of a batch, only whole requests, or (None) both."""
    effect: Effect | None = None
    change: Change | None = None
    seen: int = 0

    def meets(self, asked: Asked, is_part: bool) -> bool:
        if self.method and asked.method != self.method:
            return False
        if self.in_batch is not None and self.in_batch != is_part:
            return False
        if self.path.startswith("~"):
            fits = re.search(self.path[1:], asked.url) is not None
        else:
            fits = f"/{asked.version}{asked.path}".startswith(self.path) or asked.path.startswith(self.path)
        if not fits:
            return False
        self.seen += 1
        return self.first <= self.seen < self.first + self.times


CLOSE = Reply(-1)
"""Instead of an answer: the connection is closed."""
CUT = Reply(-2)
"""An answer that breaks off in the middle."""
STALL = Reply(-3)
"""No answer, and the connection stays open."""


@dataclass
class Faults:
    """The script. In all methods `path` is the beginning of a path ("" is any), `nth` counts the fitting requests."""

    _script: list[_Fault] = field(default_factory=list)

    def throttle(
        self, path: str = "", *, nth: int = 1, times: int = 1, retry_after: str | None = "2", method: str = ""
    ) -> None:
        """429 for whole requests; `retry_after` None leaves the header out."""
        self._effect(path, nth, times, method, _throttled(retry_after), in_batch=False)

    def throttle_part(self, path: str = "", *, nth: int = 1, times: int = 1, retry_after: str | None = "2") -> None:
        """429 for a part of a batch."""
        self._effect(path, nth, times, "", _throttled(retry_after), in_batch=True)

    def status(
        self,
        status: int,
        path: str = "",
        *,
        nth: int = 1,
        times: int = 1,
        method: str = "",
        body: Any = None,
        content_type: str = "application/json",
        in_batch: bool | None = None,
        **headers: str,
    ) -> None:
        """Any status instead of an answer; header names with _ for -. `body` None gives Graph's form of an error."""
        if body is None:
            made = error(status, _CODES.get(status, "UnknownError"), f"The service says {status}.")
            body = made.body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = Reply(status, body, named, content_type, on_contract=False)
        self._effect(path, nth, times, method, lambda *_: reply, in_batch=in_batch)

    def close(self, path: str = "", *, nth: int = 1, times: int = 1, method: str = "", after: bool = False) -> None:
        """No answer: the connection closes before the request was carried out, or after it was."""
        if after:
            self._change(path, nth, times, method, lambda *_: CLOSE)
        else:
            self._effect(path, nth, times, method, lambda *_: CLOSE, in_batch=False)

    def cut(self, path: str = "", *, nth: int = 1, times: int = 1) -> None:
        """The answer breaks off in the middle."""
        self._change(path, nth, times, "", lambda _, reply: replace(CUT, body=reply.body, on_contract=False))

    def stall(self, path: str = "", *, nth: int = 1, times: int = 1) -> None:
        """The service takes the request and never answers."""
        self._effect(path, nth, times, "", lambda *_: STALL, in_batch=False)

    def expire_token(self, path: str = "", *, nth: int = 1, other: str) -> None:
        """From the nth request on the tokens of before are refused and only `other` is accepted."""

        def expire(asked: Asked, state: TenantState) -> None:
            state.tokens.clear()
            state.write_tokens.clear()
            state.write_tokens.add(other)

        self._effect(path, nth, 1, "", expire)

    def challenge(self, path: str = "", *, nth: int = 1, claims: str, other: str) -> None:
        """401 with a claims challenge; afterwards only `other` is accepted."""
        packed = base64.b64encode(claims.encode()).decode()
        header = (
            'Bearer realm="", authorization_uri="https://login.example/common/oauth2/authorize", '
            f'error="insufficient_claims", claims="{packed}"'
        )

        def challenge(asked: Asked, state: TenantState) -> Reply:
            state.tokens.clear()
            state.write_tokens.clear()
            state.write_tokens.add(other)
            refused = error(401, "InvalidAuthenticationToken", "Continuous access evaluation resulted in challenge.")
            return replace(refused, headers={"WWW-Authenticate": header})

        self._effect(path, nth, 1, "", challenge)

    def before(self, action: Callable[[TenantState], object], path: str = "", *, nth: int = 1) -> None:
        """Something happens in the tenant just before the nth request: a device is deleted in mid-paging."""

        def act(asked: Asked, state: TenantState) -> None:
            action(state)

        self._effect(path, nth, 1, "", act)

    def rewrite(
        self, change: Callable[[Any], Any], path: str = "", *, nth: int = 1, times: int = 1, method: str = ""
    ) -> None:
        """The answer's JSON value is changed on its way, beyond what the contract allows."""

        def changed(asked: Asked, reply: Reply) -> Reply:
            return replace(reply, body=change(json.loads(json.dumps(reply.body))), on_contract=False)

        self._change(path, nth, times, method, changed)

    def headers(self, path: str = "", *, nth: int = 1, times: int = 1, **headers: str) -> None:
        """More headers in the answer; names with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._change(path, nth, times, "", lambda _, reply: replace(reply, headers={**reply.headers, **named}))

    # --- well-known ones, put together from the above -----------------------------------------------

    def link(self, address: str, path: str = "", *, nth: int = 1) -> None:
        """The nth page names this address as the next one."""
        self.rewrite(lambda value: {**value, "@odata.nextLink": address}, path, nth=nth)

    def member(self, name: str, value: Any, path: str = "", *, nth: int = 1, times: int = 1) -> None:
        """All items of the answer have another value in a member: a new enum value, null, a number as text."""

        def changed(body: Any) -> Any:
            if isinstance(body.get("value"), list):
                return {**body, "value": [{**item, name: value} for item in body["value"]]}
            return {**body, name: value}

        self.rewrite(changed, path, nth=nth, times=times)

    def web_page(self, path: str = "", *, status: int = 200, nth: int = 1, times: int = 1) -> None:
        """A proxy's page instead of an answer."""
        page = b"<html><head><title>Sign in to the proxy</title></head><body>...</body></html>"
        self.status(status, path, nth=nth, times=times, body=page, content_type="text/html")

    @property
    def is_empty(self) -> bool:
        """Whether nothing was scripted."""
        return not self._script

    # --- the server's side ----------------------------------------------------------------------------

    def met(self, asked: Asked, state: TenantState, *, is_part: bool) -> tuple[Reply | None, list[Change]]:
        """What happens to a request: an answer instead of the right one, and changes to the answer."""
        instead: Reply | None = None
        changes: list[Change] = []
        for fault in [each for each in self._script if each.meets(asked, is_part)]:
            if fault.effect:
                instead = instead or fault.effect(asked, state)
            if fault.change:
                changes.append(fault.change)
        return instead, changes

    def _effect(
        self, path: str, nth: int, times: int, method: str, effect: Effect, in_batch: bool | None = None
    ) -> None:
        self._script.append(_Fault(method, path, nth, times, in_batch, effect=effect))

    def _change(self, path: str, nth: int, times: int, method: str, change: Change) -> None:
        self._script.append(_Fault(method, path, nth, times, None, change=change))


_CODES = {400: "BadRequest", 403: "Forbidden", 404: "ResourceNotFound", 409: "Conflict", 503: "serviceNotAvailable"}


def _throttled(retry_after: str | None) -> Effect:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    reply = replace(error(429, "TooManyRequests", "Too many requests"), headers=headers)
    # The contract knows the header as a number; a date is as legal in HTTP.
    plain = retry_after is None or retry_after.isdigit()
    return lambda *_: replace(reply, on_contract=plain)
