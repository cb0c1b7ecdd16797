"""Microsoft's sign-in service on the loopback, as far as msal speaks to it, with the refusals it is known for.

It hands out tokens that can be read and that only look signed; tests search for its secrets where they must not be.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.serving import Serving, serving

TENANT = "aaaabbbb-0000-4ccc-8ddd-eeeeffff0000"
CLIENT = "11112222-3333-4444-8555-666677778888"
DEVICE_CODE = "device-code-SECRET-77aa"
REFRESH = "refresh-token-SECRET-88bb"
USER_CODE = "GHKW-2PLR"
ARC_SECRET = "arc-key-SECRET-99cc"


def refusal(error: str, code: int, words: str) -> dict[str, Any]:
    """A refusal in the service's form."""
    said = f"AADSTS{code}: {words} Trace ID: 1f-2 Correlation ID: c0ffee-1 Timestamp: 2026-05-20 08:00:00Z"
    return {
        "error": error,
        "error_description": said,
        "error_codes": [code],
        "trace_id": "1f-2",
        "correlation_id": "c0ffee-1",
    }


PENDING = {"error": "authorization_pending", "error_description": "AADSTS70016: pending", "error_codes": [70016]}
SLOW_DOWN = {"error": "slow_down", "error_description": "slow down"}


@dataclass
class Login:
    """A running sign-in service: whom it knows, what it answers next, what it was asked."""

    base_url: str = ""
    tenant: str = TENANT
    username: str = "mia@contoso.example"
    granted: tuple[str, ...] | None = None
    """Scopes or roles that tokens carry; None gives what is asked for."""
    consented: tuple[str, ...] | None = None
    """Scopes that may be asked for; None lets everything."""
    answers: list[dict[str, Any] | int] = field(default_factory=list)
    """What the token address answers before it is well: refusals, or a bare HTTP status."""
    device_answer: dict[str, Any] | None = None
    """Instead of a device code."""
    elsewhere: str = ""
    """Where discovery says that tokens are given, instead of here."""
    expires_in: int = 3600
    forms: list[Mapping[str, str]] = field(default_factory=list)
    """The forms posted to the token address."""
    asked: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    """The access tokens."""
    arc_key: str = ""
    """The file that an Arc server tells a caller to read `ARC_SECRET` from; "" plays Azure, which asks for none."""
    wanted: str = ""
    """The scopes that the last device code was for."""

    # --- answers ------------------------------------------------------------------------------------

    def discovery(self, tenant: str) -> tuple[int, Any]:
        if tenant not in (self.tenant, "contoso.example"):
            return 400, refusal("invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
        where = f"{self.base_url}/{self.tenant}"
        token = f"{self.elsewhere or where}/oauth2/v2.0/token"
        return 200, {
            "issuer": f"{where}/v2.0",
            "authorization_endpoint": f"{where}/oauth2/v2.0/authorize",
            "token_endpoint": token,
            "device_authorization_endpoint": f"{where}/oauth2/v2.0/devicecode",
        }

    def device_code(self, form: Mapping[str, str]) -> tuple[int, Any]:
        self.wanted = form.get("scope", "")
        if self.device_answer is not None:
            return 400, self.device_answer
        return 200, {
            "user_code": USER_CODE,
            "device_code": DEVICE_CODE,
            "verification_uri": "https://microsoft.com/devicelogin",
            "expires_in": 900,
            "interval": 5,
            "message": "To sign in ...",
        }

    def token(self, form: Mapping[str, str]) -> tuple[int, Any]:
        self.forms.append(form)
        if self.answers:
            answer = self.answers.pop(0)
            return (answer, {}) if isinstance(answer, int) else (400, answer)
        asked = form.get("scope") or self.wanted
        scopes = [each.rpartition("/")[2] for each in asked.split() if "/" in each]
        if self.consented is not None and not set(scopes) <= {*self.consented, ".default"}:
            return 400, refusal("invalid_grant", 65001, "The user or administrator has not consented.")
        delegated = form["grant_type"] != "client_credentials"
        text = self.access_token(scopes, delegated=delegated)
        found: dict[str, Any] = {"token_type": "Bearer", "expires_in": self.expires_in, "access_token": text}
        if delegated:
            found |= {
                "scope": asked,
                "refresh_token": REFRESH,
                "id_token": self._id_token(form.get("client_id", CLIENT)),
                "client_info": packed({"uid": self.username.partition("@")[0], "utid": self.tenant}),
            }
        return 200, found

    def access_token(self, names: list[str], *, delegated: bool) -> str:
        granted = list(self.granted) if self.granted is not None else names
        said: dict[str, Any] = {
            "tid": self.tenant,
            "aud": "https://graph.microsoft.com",
            "app_displayname": "Hotpatch Console",
            "exp": int(time.time()) + self.expires_in,
            "uti": f"token number {len(self.given)}",
        }
        said |= {"scp": " ".join(granted), "upn": self.username} if delegated else {"roles": granted}
        self.given.append(jwt(said))
        return self.given[-1]

    def _id_token(self, client_id: str) -> str:
        now = int(time.time())
        return jwt(
            {
                "aud": client_id,
                "iss": f"{self.base_url}/{self.tenant}/v2.0",
                "iat": now,
                "nbf": now,
                "exp": now + 3600,
                "sub": "s",
                "oid": self.username,
                "tid": self.tenant,
                "preferred_username": self.username,
            }
        )

    # --- a managed identity's service, too ----------------------------------------------------------

    def identity(self, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, Any]:
        if headers.get("metadata") != "true" or "api-version" not in query:
            return 400, {"error": "bad_request"}
        if self.arc_key and headers.get("authorization") != f"Basic {ARC_SECRET}":
            return 401, {}
        if self.answers:
            answer = self.answers.pop(0)
            return (answer, {}) if isinstance(answer, int) else (400, answer)
        text = self.access_token([], delegated=False)
        return 200, {"access_token": text, "expires_in": "86400", "resource": query["resource"], "token_type": "Bearer"}


def packed(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def jwt(said: Mapping[str, Any]) -> str:
    """A token that can be read; its signature is none."""
    return f"{packed({'alg': 'none', 'typ': 'JWT'})}.{packed(said)}.c2lnbmF0dXJl"


def _handler(login: Login) -> type[Serving]:
    class Handler(Serving):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            login.asked.append(f"GET {parts.path}")
            if parts.path.endswith("/.well-known/openid-configuration"):
                self._say(*login.discovery(parts.path.split("/")[1]))
            elif parts.path.startswith("/metadata/identity"):
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self._say(*login.identity(query, {name.lower(): value for name, value in self.headers.items()}))
            else:
                self._say(404, {})

        def do_POST(self) -> None:
            form = {name: values[0] for name, values in parse_qs(self.body().decode()).items()}
            login.asked.append(f"POST {self.path}")
            if self.path.endswith("/devicecode"):
                self._say(*login.device_code(form))
            elif self.path.endswith("/token"):
                self._say(*login.token(form))
            else:
                self._say(404, {})

        def _say(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == 401:
                self.send_header("WWW-Authenticate", f"Basic realm={login.arc_key}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextmanager
def running_login(login: Login | None = None) -> Iterator[Login]:
    """The service on a port of its own while the block runs."""
    played = login or Login()
    with serving(_handler(played)) as played.base_url:
        yield played
