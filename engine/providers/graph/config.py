"""How a tenant is reached and signed in to: addresses, identifiers, names of variables and files. Never a secret.

The commands make it, the state file keeps it as JSON, and client and sign-in read it. It contacts nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import PurePath
from urllib.parse import SplitResult, urlsplit

from engine.model.errors import BadInput


class Cloud(StrEnum):
    """Microsoft's separate clouds. Source: "Microsoft Graph national cloud deployments"."""

    GLOBAL = "global"
    USGOV = "usgov"
    """US Government L4 (GCC High); GCC itself is in the global cloud."""
    DOD = "dod"
    CHINA = "china"
    """Operated by 21Vianet."""


@dataclass(frozen=True, slots=True)
class CloudAddresses:
    """Where a cloud answers."""

    graph: str
    login: str


CLOUDS: Mapping[Cloud, CloudAddresses] = {
    Cloud.GLOBAL: CloudAddresses("https://graph.microsoft.com", "https://login.microsoftonline.com"),
    Cloud.USGOV: CloudAddresses("https://graph.microsoft.us", "https://login.microsoftonline.us"),
    Cloud.DOD: CloudAddresses("https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
    Cloud.CHINA: CloudAddresses("https://microsoftgraph.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
}


class SignInWay(StrEnum):
    """How a token is come by."""

    DEVICE_CODE = "device-code"
    """A person types a code into a browser elsewhere; the person's own permissions."""
    CERTIFICATE = "certificate"
    """The application proves itself with a key in a PEM file; its own permissions."""
    SECRET = "secret-env"
    """The application proves itself with a secret in an environment variable; where there is no certificate."""
    MANAGED_IDENTITY = "managed-identity"
    """Azure or Arc vouches for the machine that this runs on."""
    TOKEN = "token-env"
    """A ready token in an environment variable; for tests and for proxies that sign in themselves."""

    @property
    def is_delegated(self) -> bool:
        """A person's permissions rather than the application's own."""
        return self is SignInWay.DEVICE_CODE

    @property
    def is_interactive(self) -> bool:
        """A person must do something for the first token."""
        return self is SignInWay.DEVICE_CODE


@dataclass(frozen=True, slots=True)
class GraphConfig:
    """One tenant as an operator has described it. Checked when made; `made_from` fills in what was left out."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - pydantic reads it from here

    base_url: str
    """Where Graph answers, without the version: ``https://graph.microsoft.com``."""
    authority: str
    """Where sign-in answers, without the tenant: ``https://login.microsoftonline.com``."""
    resource: str
    """What tokens are asked for; the cloud's own Graph address, also where `base_url` names a proxy."""
    sign_in: SignInWay
    cloud: Cloud = Cloud.GLOBAL
    tenant_id: str = ""
    """Number or domain of the tenant; "" where the way of signing in does not need it."""
    client_id: str = ""
    """The app registration; with a managed identity, the one the user assigned, "" for the machine's own."""
    certificate: str = ""
    """PEM file that holds the key and the certificate."""
    secret_env: str = ""
    """Name of the environment variable that holds the secret."""
    token_env: str = ""
    """Name of the environment variable that holds the token."""
    memory_cache: bool = False
    """Keep tokens in memory only: every process signs in anew."""
    read_scopes: tuple[str, ...] = field(default=())
    """Delegated permissions asked for at sign-in; () for all that the console reads with."""
    write_scopes: tuple[str, ...] = field(default=())
    """Delegated permissions asked for when writing is wanted; () for all that the console writes with."""

    def __post_init__(self) -> None:
        for name in ("base_url", "authority", "resource"):
            object.__setattr__(self, name, checked_url(getattr(self, name), name))
        _check_identifiers(self)
        _check_way(self)

    @property
    def tenant_authority(self) -> str:
        """The address that signs in to this tenant."""
        return f"{self.authority}/{self.tenant_id or 'organizations'}"

    def is_ours(self, url: str) -> bool:
        """Whether an address is on Graph's configured scheme, host and port: only there may a token go."""
        try:
            return _origin(urlsplit(url)) == _origin(urlsplit(self.base_url))
        except ValueError:
            return False

    def facts(self) -> Mapping[str, object]:
        """What audit records and lists show of it; all of it is, as it holds no secret."""
        shown: dict[str, object] = {
            "cloud": str(self.cloud),
            "base_url": self.base_url,
            "authority": self.authority,
            "sign_in": str(self.sign_in),
            "tenant_id": self.tenant_id,
            "client_id": self.client_id,
            "certificate": self.certificate,
            "secret_env": self.secret_env,
            "token_env": self.token_env,
            "token_cache": "memory" if self.memory_cache else "file",
        }
        return {name: value for name, value in shown.items() if value}


def made_from(
    *,
    cloud: Cloud = Cloud.GLOBAL,
    base_url: str = "",
    authority: str = "",
    resource: str = "",
    sign_in: SignInWay | None = None,
    tenant_id: str = "",
    client_id: str = "",
    certificate: str = "",
    secret_env: str = "",
    token_env: str = "",
    memory_cache: bool = False,
    read_scopes: tuple[str, ...] = (),
    write_scopes: tuple[str, ...] = (),
) -> GraphConfig:
    """A configuration from what an operator gave; the cloud's addresses stand in for what was left out.

    Without `sign_in` the way follows from what is named: a token, a certificate, a secret, else a device code.

    Raises:
        BadInput: something is missing, does not fit, or could be no address.
    """
    known = CLOUDS[cloud]
    return GraphConfig(
        base_url=base_url or known.graph,
        authority=authority or known.login,
        resource=resource or known.graph,
        sign_in=sign_in or _way_of(token_env=token_env, certificate=certificate, secret_env=secret_env),
        cloud=cloud,
        tenant_id=tenant_id.strip(),
        client_id=client_id.strip(),
        certificate=certificate,
        secret_env=secret_env,
        token_env=token_env,
        memory_cache=memory_cache,
        read_scopes=read_scopes,
        write_scopes=write_scopes,
    )


def to_json(config: GraphConfig) -> str:
    """The text that the state file keeps."""
    from pydantic import TypeAdapter

    return TypeAdapter(GraphConfig).dump_json(config, exclude_defaults=True).decode()


def from_json(words: str, name: str) -> GraphConfig:
    """What the state file keeps of the provider `name`.

    Raises:
        BadInput: it is not what `to_json` wrote.
    """
    from pydantic import TypeAdapter, ValidationError

    instead = f"Remove it and add it again: hotpatch provider remove {name}"
    try:
        return TypeAdapter(GraphConfig).validate_json(words)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise BadInput(
            f"What is kept of provider {name} cannot be used.", f"{place}: {first['msg']}.", instead
        ) from None
    except BadInput as error:
        raise BadInput(f"What is kept of provider {name} cannot be used.", error.what, instead) from error


# --- checking ---------------------------------------------------------------------------------------

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCOPE = re.compile(r"[A-Za-z][A-Za-z0-9.\-]*")
_TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,251}[A-Za-z0-9])?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_OPTIONS = {"base_url": "--base-url", "authority": "--authority", "resource": "--resource"}


def checked_url(url: str, name: str) -> str:
    """An address that a token may be sent to, without a slash at its end.

    https, or http on the loopback alone: there nobody else listens in, which tests and local proxies rely on.

    Raises:
        BadInput: no such address.
    """
    example = "Write it like https://graph.microsoft.com, or http://127.0.0.1:8080 for a server on this machine."
    option = _OPTIONS.get(name, name)

    def wrong(why: str) -> BadInput:
        return BadInput(f"{option} cannot be used.", why, example)

    plain = url.strip()
    if not plain.isprintable() or any(each in plain for each in ' \\"<>'):
        raise wrong("An address holds no blanks or control characters.")
    try:
        parts = urlsplit(plain)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong("It is no address.") from None
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise wrong("It must be a whole https address with a host.")
    if parts.username is not None or parts.password is not None:
        raise wrong("It must not hold a user name or password.")
    if parts.query or parts.fragment or plain[-1:] in "?#":
        raise wrong("It must not hold a query or a fragment.")
    if parts.scheme == "http" and not is_loopback(host):
        raise wrong("Over http a token could be read on the way; only this machine itself is reached so.")
    return plain.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    if host.casefold() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").casefold(), parts.port or usual


def _way_of(*, token_env: str, certificate: str, secret_env: str) -> SignInWay:
    if token_env:
        return SignInWay.TOKEN
    if certificate:
        return SignInWay.CERTIFICATE
    return SignInWay.SECRET if secret_env else SignInWay.DEVICE_CODE


def _check_identifiers(config: GraphConfig) -> None:
    if config.tenant_id and not _TENANT.fullmatch(config.tenant_id):
        raise BadInput("--tenant cannot be used.", "", "Give the tenant's number or a domain: contoso.onmicrosoft.com")
    if config.client_id and not _UUID.fullmatch(config.client_id):
        raise BadInput(
            "--client-id cannot be used.", "", "Copy the application (client) ID of the app registration's overview."
        )
    for option, name in (("--token-env", config.token_env), ("--secret-env", config.secret_env)):
        if name and not _VARIABLE.fullmatch(name):
            # The value is not repeated: somebody may have given the secret itself.
            raise BadInput(
                f"{option} takes the name of an environment variable.",
                "Secrets are never given on a command line, where others could read them.",
                f"For example: {option} HOTPATCH_TOKEN",
            )
    for scope in (*config.read_scopes, *config.write_scopes):
        if not _SCOPE.fullmatch(scope):
            raise BadInput("A permission cannot be used.", "", "Name it like WindowsUpdates.Read.All")
    if config.certificate and not PurePath(config.certificate).is_absolute():
        raise BadInput("--cert must name a file by its whole path.", "", "For example: --cert /etc/hotpatch/app.pem")


def _check_way(config: GraphConfig) -> None:
    """Each way of signing in needs some things and has no use for others."""
    given = {
        "--tenant": config.tenant_id,
        "--client-id": config.client_id,
        "--cert": config.certificate,
        "--secret-env": config.secret_env,
        "--token-env": config.token_env,
    }
    needed, allowed = _NEEDS[config.sign_in]
    missing = [option for option in needed if not given[option]]
    if missing:
        raise BadInput(
            f"Signing in by {config.sign_in} needs {' and '.join(missing)}.",
            "",
            "Give it, or choose another way with --sign-in; --token-env NAME needs nothing else.",
        )
    extra = [option for option, value in given.items() if value and option not in (*needed, *allowed)]
    if extra:
        raise BadInput(
            f"{' and '.join(extra)} has no use when signing in by {config.sign_in}.",
            "",
            "Leave it out, or change --sign-in.",
        )


_NEEDS: Mapping[SignInWay, tuple[tuple[str, ...], tuple[str, ...]]] = {
    SignInWay.DEVICE_CODE: (("--tenant", "--client-id"), ()),
    SignInWay.CERTIFICATE: (("--tenant", "--client-id", "--cert"), ()),
    SignInWay.SECRET: (("--tenant", "--client-id", "--secret-env"), ()),
    SignInWay.MANAGED_IDENTITY: ((), ("--tenant", "--client-id")),
    SignInWay.TOKEN: (("--token-env",), ("--tenant", "--client-id")),
}
