"""Signs in to a tenant: silently where that is possible, by a device code where a person must help.

`GraphProvider` makes it. Blocking, and safe to call from several threads; `signed_tokens` puts it beside an event loop.
Loads msal on first use. No token, secret or code ever stands in an error, a record or a representation.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.model.errors import ProviderError, SignInNeeded, Unreachable
from engine.providers.graph.answers import plain
from engine.providers.graph.config import GraphConfig, SignInWay
from engine.providers.graph.permissions import read_scopes, write_scopes
from engine.providers.graph.refusals import explain, usual_remedy
from engine.providers.graph.token_file import forget, token_file

if TYPE_CHECKING:
    import httpx

    from engine.providers.graph.login_http import LoginHttp

_WAITING = frozenset({"authorization_pending", "slow_down"})
_LONGEST_PAUSE = 60.0
logging.getLogger("msal").addHandler(logging.NullHandler())


class DeviceCode(Struct, frozen=True):
    """What a person needs for signing in with a browser elsewhere."""

    verification_uri: str
    user_code: str
    expires_at: datetime
    scopes: tuple[str, ...]
    """The permissions that are asked for."""


OnCode = Callable[[DeviceCode], None]


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and how long it holds."""

    text: str = field(repr=False)
    good_until: float
    """By `time.time`."""


class SignIn:
    """The sign-in of one provider.

    `transport`, `folder`, `environment` and `pause` are for tests; `pause` waits some seconds and says whether the
    person has given up.
    """

    def __init__(
        self,
        config: GraphConfig,
        name: str,
        *,
        transport: httpx.BaseTransport | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        pause: Callable[[float], bool] | None = None,
    ) -> None:
        self._config = config
        self._name = name
        self._transport = transport
        self._environment = environment
        self._pause = pause
        self._lock = threading.RLock()
        self._path = token_file(name, config, folder)
        self._cancelled = threading.Event()

    def __repr__(self) -> str:
        return f"SignIn({self._name!r}, {self._config.sign_in.value!r})"

    @property
    def remedy(self) -> str:
        """What a person does when the service refuses a token of this sign-in."""
        return usual_remedy(self._config, self._name)

    @property
    def keeps_file(self) -> bool:
        """Whether a sign-in outlives this process. Only a person's does: all others can sign in again by themselves."""
        return self._config.sign_in is SignInWay.DEVICE_CODE and not self._config.memory_cache

    @property
    def path(self) -> Path:
        """The file that keeps the sign-in, whether it exists or not."""
        return self._path

    # --- tokens -------------------------------------------------------------------------------------

    def silent(self, *, write: bool = False, claims: str = "", fresh: bool = False) -> Token:
        """A token without a person's help. `fresh` asks the service for another one even if the kept one holds.

        Raises:
            SignInNeeded: a person must sign in, or the service refuses.
            Unreachable: the service did not answer.
        """
        with self._lock, self._told():
            way = self._config.sign_in
            if way is SignInWay.DEVICE_CODE:
                answer = self._refreshed(write=write, claims=claims, fresh=fresh)
            elif way is SignInWay.MANAGED_IDENTITY:
                if fresh:
                    self._forget_app()
                answer = self._app.acquire_token_for_client(
                    resource=self._config.resource, claims_challenge=claims or None
                )
            else:
                if fresh:
                    self._forget_app()
                answer = self._app.acquire_token_for_client(
                    [f"{self._config.resource}/.default"], claims_challenge=claims or None, **self._network_errors()
                )
            return self._token(answer)

    def by_device_code(self, on_code: OnCode, *, write: bool = False) -> str:
        """Let a person sign in; returns whom the service knows them as. `cancel` from another thread ends it.

        Raises:
            SignInNeeded: declined, too late, given up, or refused by the tenant.
            Unreachable: the service did not answer.
        """
        scopes = self._scopes(write=write)
        with self._lock, self._told():
            self._cancelled.clear()
            flow = self._app.initiate_device_flow(scopes)
            if "user_code" not in flow:
                raise self._refused(flow)
            until = datetime.fromtimestamp(flow["expires_at"], UTC)
            shown = tuple(scope.rpartition("/")[2] for scope in scopes)
            on_code(DeviceCode(plain(flow["verification_uri"], 200), plain(flow["user_code"], 40), until, shown))
            answer = self._polled(flow)
            self._token(answer)
            account = str((answer.get("id_token_claims") or {}).get("preferred_username") or "")
            self._only_this_account(account)
            return plain(account, 120)

    def cancel(self) -> None:
        """End a sign-in that waits for a person; may be called from another thread."""
        self._cancelled.set()

    def account(self) -> str:
        """Who is signed in, by what is kept; "" for nobody, or where no person signs in.

        Raises:
            SignInNeeded: what is kept cannot be used.
            Unreachable: the service did not answer.
        """
        if self._config.sign_in is not SignInWay.DEVICE_CODE or (self.keeps_file and not self._path.exists()):
            return ""
        with self._lock, self._told():
            accounts = self._app.get_accounts()
        return plain(str(accounts[0].get("username") or ""), 120) if accounts else ""

    def forget(self) -> bool:
        """Forget the sign-in here, in the file and in memory; whether anything was kept."""
        with self._lock:
            self._forget_app()
            return forget(self._path) if self.keeps_file or self._path.exists() else False

    # --- how ----------------------------------------------------------------------------------------

    def _refreshed(self, *, write: bool, claims: str, fresh: bool) -> Mapping[str, Any]:
        if self.keeps_file and not self._path.exists():
            raise self._nobody(write=False)
        accounts = self._app.get_accounts()
        if not accounts:
            raise self._nobody(write=False)
        answer = self._app.acquire_token_silent_with_error(
            self._scopes(write=write),
            accounts[0],
            force_refresh=fresh,
            claims_challenge=claims or None,
            **self._network_errors(),
        )
        if answer is None:
            raise self._nobody(write=write)
        found: Mapping[str, Any] = answer
        return found

    def _polled(self, flow: dict[str, Any]) -> Mapping[str, Any]:
        """Ask until the person is done. The service says how often; it may ask for more time, and it may be away."""
        import httpx

        flow["interval"] = max(1, int(flow.get("interval") or 5))
        wait = float(flow["interval"])
        while True:
            if self._gave_up(wait):
                raise SignInNeeded("The sign-in was given up.", "", f"Begin anew: hotpatch provider login {self._name}")
            if time.time() >= flow["expires_at"]:
                return {"error": "expired_token"}
            flow.pop("latest_attempt_at", None)
            try:
                answer: Mapping[str, Any] = self._app.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)
            except httpx.TransportError:
                wait = min(wait * 2, _LONGEST_PAUSE)  # the code still holds: RFC 8628, 3.5
                continue
            if answer.get("error") not in _WAITING:
                return answer
            wait = float(flow["interval"])

    def _gave_up(self, seconds: float) -> bool:
        return self._pause(seconds) if self._pause is not None else self._cancelled.wait(seconds)

    def _only_this_account(self, username: str) -> None:
        """Whoever signed in before is forgotten: one provider, one person."""
        for account in self._app.get_accounts():
            if username and account.get("username") != username:
                self._app.remove_account(account)

    def _nobody(self, *, write: bool) -> SignInNeeded:
        if write:
            return SignInNeeded(
                f"Writing to {self._name} needs more permissions.",
                "The sign-in was for reading.",
                f"Sign in for both: hotpatch provider login {self._name}",
            )
        if self._config.memory_cache:
            return SignInNeeded(
                f"Nobody is signed in to {self._name}.",
                "Its sign-in is kept in memory only, so each program signs in anew.",
                "Run the command at a terminal, or add the provider without --memory-cache.",
            )
        return SignInNeeded(
            f"Nobody is signed in to {self._name}.", "", f"Sign in: hotpatch provider login {self._name}"
        )

    def _scopes(self, *, write: bool) -> list[str]:
        names = [*(self._config.read_scopes or read_scopes())]
        if write:
            names += self._config.write_scopes or write_scopes()
        return [f"{self._config.resource}/{name}" for name in dict.fromkeys(names)]

    def _token(self, answer: Mapping[str, Any]) -> Token:
        text = answer.get("access_token")
        if not isinstance(text, str) or not text:
            raise self._refused(answer)
        return Token(text, time.time() + float(answer.get("expires_in") or 0))

    @cached_property
    def _http(self) -> LoginHttp:
        from engine.providers.graph.login_http import LoginHttp

        return LoginHttp(self._config, self._transport)

    @cached_property
    def _app(self) -> Any:
        from engine.providers.graph.msal_apps import make_app

        return make_app(self._config, self._name, self._http, self._path, self._environment)

    def _forget_app(self) -> None:
        self.__dict__.pop("_app", None)

    def _network_errors(self) -> dict[str, Any]:
        """msal falls back to a token that still holds when one of these keeps it from a newer one."""
        import httpx

        return {"http_exceptions": (httpx.TransportError,)}

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever msal and the network raise, as an error of ours."""
        import httpx
        from msal.exceptions import MsalError  # type: ignore[import-untyped]

        from engine.providers.graph.msal_apps import Trouble

        try:
            yield
        except ProviderError:
            raise
        except httpx.TransportError as error:
            raise self._no_answer(error) from None
        except (MsalError, ValueError, KeyError, TypeError, OSError, Trouble) as error:
            raise self._unusual(error) from None

    def _refused(self, answer: Mapping[str, Any]) -> SignInNeeded:
        return explain(answer, self._config, self._name, self._http.secrets)

    def _no_answer(self, error: Exception) -> Unreachable:
        if self._config.sign_in is SignInWay.MANAGED_IDENTITY:
            return Unreachable(
                f"No managed identity answers for {self._name}.",
                f"{plain(type(error).__name__)}: this machine is no Azure VM or Arc server, or its agent does not run.",
                "Run hotpatch there, or sign in by a certificate or a device code.",
            )
        return Unreachable(
            f"The sign-in service of {self._name} did not answer.",
            f"{self._config.authority}: {plain(str(error)) or type(error).__name__}.",
            "Check the network, the proxy (HTTPS_PROXY) and --authority.",
        )

    def _unusual(self, error: Exception) -> ProviderError:
        """A refusal that msal gives no words to stands in the service's last answer."""
        from engine.providers.graph.msal_apps import Trouble, oauth_error

        if isinstance(error, Trouble):
            return SignInNeeded(f"Signing in to {self._name} is not possible.", error.why, error.instead)
        last = self.__dict__["_http"].last if "_http" in self.__dict__ else None
        refused = oauth_error(last.text) if last is not None else None
        if refused is not None and last is not None and last.status_code < 500:
            return self._refused(refused)
        if isinstance(error, OSError):
            return SignInNeeded(
                f"Signing in to {self._name} is not possible.",
                f"{plain(str(error.filename or 'a file'))}: {error.strerror or type(error).__name__}.",
                "On an Arc server the user must be a member of the group himds."
                if self._config.sign_in is SignInWay.MANAGED_IDENTITY
                else "Make the file readable and writable for you.",
            )
        status = f"HTTP {last.status_code}" if last is not None else type(error).__name__
        return Unreachable(
            f"The sign-in service of {self._name} answered something unusual.",
            f"{self._config.tenant_authority}: {status}.",
            "Check --authority and --tenant; perhaps a proxy on the way answers in its place.",
        )
