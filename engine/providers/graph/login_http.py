"""The HTTP connection that msal signs in through: to the configured sign-in address and nowhere else.

`signin` makes it. Follows no redirect, so that neither a secret nor a refresh token can be led away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from msgspec import Struct

from engine.model.errors import Unreachable
from engine.providers.graph.config import GraphConfig, SignInWay

_SECRET_FIELDS = frozenset({"client_secret", "client_assertion", "refresh_token", "device_code", "code"})
_TIMES = httpx.Timeout(30.0, connect=10.0)
_FROM_HERE = httpx.Timeout(10.0, connect=3.0)
"""A managed identity answers from this machine or its host: no answer in seconds means that there is none."""


class LoginReply(Struct, frozen=True):
    """An answer in the shape that msal reads."""

    status_code: int
    text: str
    headers: Mapping[str, str]


class LoginHttp:
    """What msal takes as its ``http_client``."""

    def __init__(self, config: GraphConfig, transport: httpx.BaseTransport | None = None) -> None:
        is_local = config.sign_in is SignInWay.MANAGED_IDENTITY
        parts = urlsplit(config.authority)
        self._anywhere = is_local
        self._netloc = parts.netloc
        self._scheme = parts.scheme
        self._hosts = {parts.hostname or ""}
        if not is_local:
            self._hosts |= _microsofts(parts.hostname or "")
        # No proxy on the way to a service of this machine: it would see what is meant for here.
        near = is_local or parts.scheme == "http"
        self._client = httpx.Client(
            timeout=_FROM_HERE if is_local else _TIMES,
            follow_redirects=False,
            # Sign-ins are rare: no connection is kept that somebody would have to close.
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=not near,
            transport=transport,
            headers={"User-Agent": "hotpatch-console"},
        )
        self._sent: deque[str] = deque(maxlen=16)
        self.last: LoginReply | None = None
        """The newest answer, for telling a refusal that msal gives no words to."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What was sent and must never be shown, should the service repeat it in a refusal."""
        return tuple(self._sent)

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> LoginReply:
        self._sent.extend(str((headers or {}).get("Authorization", "")).split()[1:])
        return self._reply("GET", url, params=params, headers=headers)

    def post(
        self, url: str, params: Any = None, data: Mapping[str, Any] | None = None, headers: Any = None, **_: Any
    ) -> LoginReply:
        form = {name: value.decode() if isinstance(value, bytes) else value for name, value in (data or {}).items()}
        self._sent.extend(str(form[name]) for name in _SECRET_FIELDS & form.keys())
        return self._reply("POST", url, params=params, data=form, headers=headers)

    def close(self) -> None:
        self._client.close()

    def _reply(self, method: str, url: str, **sent: Any) -> LoginReply:
        answer = self._client.request(method, self._checked(url), **sent)
        text = answer.text
        if self._scheme == "http":
            # msal takes https addresses only; on the loopback both sides mean the same server.
            text = text.replace(f"http://{self._netloc}", f"https://{self._netloc}")
        self.last = LoginReply(answer.status_code, text, dict(answer.headers))
        return self.last

    def _checked(self, url: str) -> str:
        parts = urlsplit(url)
        if self._anywhere:
            return url
        if parts.netloc == self._netloc:
            return urlunsplit(parts._replace(scheme=self._scheme))
        if parts.scheme != "https" or (parts.hostname or "") not in self._hosts or parts.port not in (None, 443):
            raise Unreachable(
                "The sign-in was broken off.",
                f"The service at {self._netloc} pointed to another host, and nothing is sent there.",
                "Check --authority; perhaps a proxy on the way answers in its place.",
            )
        return url


def _microsofts(host: str) -> set[str]:
    """The other names of Microsoft's sign-in service, where the configured address is one of them."""
    from msal.authority import WELL_KNOWN_AUTHORITY_HOSTS  # type: ignore[import-untyped]

    return set(WELL_KNOWN_AUTHORITY_HOSTS) if host in WELL_KNOWN_AUTHORITY_HOSTS else set()
