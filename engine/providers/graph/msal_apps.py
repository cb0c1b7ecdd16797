"""Makes the msal application for each way of signing in, and reads the certificate; `signin` alone loads it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msal  # type: ignore[import-untyped]
from msgspec import Struct

from engine.providers.graph.config import GraphConfig, SignInWay
from engine.providers.graph.login_http import LoginHttp

_LARGEST_PEM = 200_000
_CAPABILITIES = ["CP1"]
"""We answer claims challenges, so the service may hand out long-lived tokens that it can take back at any time.
Source: "Claims challenges, claims requests and client capabilities"."""


class Trouble(Exception):
    """Something on this machine that keeps anybody from signing in."""

    def __init__(self, why: str, instead: str) -> None:
        super().__init__(why)
        self.why = why
        self.instead = instead


def make_app(config: GraphConfig, name: str, http: LoginHttp, path: Path, environment: Mapping[str, str]) -> Any:
    """The msal application for this way of signing in.

    Raises:
        Trouble: the certificate or the secret cannot be used.
        SignInNeeded: the token file cannot be used.
    """
    way = config.sign_in
    if way is SignInWay.MANAGED_IDENTITY:
        identity = (
            msal.UserAssignedManagedIdentity(client_id=config.client_id)
            if config.client_id
            else msal.SystemAssignedManagedIdentity()
        )
        return msal.ManagedIdentityClient(identity, http_client=http, client_capabilities=_CAPABILITIES)
    shared: dict[str, Any] = {
        "authority": _https(config.tenant_authority),
        "http_client": http,
        # The address is the operator's word, and asking another host whether it is a good one tells that host of it.
        "instance_discovery": False,
        "client_capabilities": _CAPABILITIES,
    }
    if way is SignInWay.DEVICE_CODE:
        return msal.PublicClientApplication(config.client_id, token_cache=_cache(config, name, path), **shared)
    credential: Any = _secret(config, environment)
    if way is SignInWay.CERTIFICATE:
        pem = read_certificate(Path(config.certificate)).pem
        credential = {"private_key": pem, "public_certificate": pem}
    return msal.ConfidentialClientApplication(config.client_id, client_credential=credential, **shared)


def _cache(config: GraphConfig, name: str, path: Path) -> Any:
    if config.memory_cache:
        return msal.TokenCache()
    from engine.providers.graph.token_cache import kept_tokens

    return kept_tokens(path, name)


def _https(authority: str) -> str:
    # msal takes nothing else; `login_http` sends what is meant for the loopback over http.
    return urlsplit(authority)._replace(scheme="https").geturl()


def _secret(config: GraphConfig, environment: Mapping[str, str]) -> str:
    if config.sign_in is not SignInWay.SECRET:
        return ""
    found = environment.get(config.secret_env, "").strip()
    if not found:
        raise Trouble(
            f"The environment variable {config.secret_env} is not set.",
            f"Set {config.secret_env} to the secret's value in the shell or service that runs hotpatch.",
        )
    return found


# --- certificates -----------------------------------------------------------------------------------


class Certificate(Struct, frozen=True):
    """A certificate with its key, as read from a file; never shown whole."""

    pem: str
    thumbprint: str
    """SHA-1 in capitals, as the Entra portal lists it."""
    valid_until: datetime

    def __repr__(self) -> str:
        return f"Certificate({self.thumbprint})"


def read_certificate(path: Path) -> Certificate:
    """The certificate and the key of a PEM file.

    Raises:
        Trouble: it cannot be read, is open to everybody, lacks the key or the certificate, or is locked.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    how = "Put both into one file: cat app.crt app.key > app.pem; chmod 600 app.pem"
    try:
        found = path.stat()
        if os.name == "posix" and found.st_mode & stat.S_IRWXO:
            raise Trouble(f"Everybody on this machine can reach {path}.", f"Take it back: chmod 600 {path}")
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_PEM:
            raise Trouble(f"{path} is no PEM file.", how)
        pem = path.read_text(encoding="ascii")
    except OSError as error:
        raise Trouble(f"{path}: {error.strerror}.", "Name a file that you may read with --cert.") from error
    except UnicodeDecodeError:
        raise Trouble(f"{path} is no PEM file.", "Convert it: openssl pkcs12 -in app.pfx -out app.pem -nodes") from None
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise Trouble(f"{path} holds no certificate.", how) from None
    try:
        key = load_pem_private_key(pem.encode(), None)
    except TypeError:
        raise Trouble(
            f"The key in {path} is locked with a password.",
            "Keep an unlocked copy in a file that only the service can read: openssl pkey -in app.pem",
        ) from None
    except ValueError:
        raise Trouble(f"{path} holds no private key.", how) from None
    if key.public_key() != certificate.public_key():
        raise Trouble(f"The key in {path} does not belong to its certificate.", how)
    mark = certificate.fingerprint(hashes.SHA1()).hex().upper()  # a name that the portal shows, no proof
    return Certificate(pem, mark, certificate.not_valid_after_utc)


def oauth_error(text: str) -> Mapping[str, object] | None:
    """The refusal in an answer of a sign-in service; None where it is something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("error"), str) else None
