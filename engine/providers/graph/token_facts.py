"""What an access token says of itself, where it is a readable one; for `checks` alone, never for a decision.

Microsoft may change the form of Graph's tokens at any time, so nothing is verified and nothing depends on it.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from msgspec import Struct

from engine.providers.graph.answers import plain

_MOST = 200


class TokenFacts(Struct, frozen=True):
    """A token's own words, cleaned; the token itself is not among them."""

    tenant_id: str
    audience: str
    app: str
    """Name of the app, else its number."""
    who: str
    """The person, "" for an application's own token."""
    is_delegated: bool
    granted: frozenset[str]
    """Permissions: scopes of a person's token, roles of an application's."""
    expires_at: datetime | None


def read_token(token: str) -> TokenFacts | None:
    """What the token says; None where it is not a readable one."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        said = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    scopes = said.get("scp")
    roles = said.get("roles")
    names = scopes.split() if isinstance(scopes, str) else []
    names += [each for each in roles if isinstance(each, str)] if isinstance(roles, list) else []
    return TokenFacts(
        tenant_id=_text(said, "tid"),
        audience=_text(said, "aud"),
        app=_text(said, "app_displayname") or _text(said, "appid") or _text(said, "azp"),
        who=_text(said, "upn") or _text(said, "preferred_username") or _text(said, "unique_name"),
        is_delegated=isinstance(scopes, str),
        granted=frozenset(plain(each, 100) for each in names[:_MOST]),
        expires_at=_moment(said.get("exp")),
    )


def _text(said: dict[str, object], name: str) -> str:
    found = said.get(name)
    return plain(found, 120) if isinstance(found, str) else ""


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
