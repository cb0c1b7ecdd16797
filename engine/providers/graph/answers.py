"""What Graph answered: a result, or an error in our words together with what the service said.

`client`, `paging` and `batching` make these; those who call Graph catch them. No token ever stands in one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from html import unescape
from typing import Any

from msgspec import Struct, field

from engine.model.errors import Denied, EngineError, Gone, NotOffered, ProviderError, Refused, SignInNeeded, Throttled
from engine.model.errors import Unreachable as NoAnswer

_LONGEST_MESSAGE = 600


class Answer(Struct, frozen=True):
    """One answer of the service that is no error."""

    status: int
    body: Any = None
    """The JSON value; None where there was no body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    request_id: str = ""
    client_request_id: str = ""


class Said(Struct, frozen=True):
    """What the service said about a request that failed; all of it cleaned and cut to a readable length."""

    status: int = 0
    """HTTP status; 0 when there was no answer."""
    code: str = ""
    """The most specific error code."""
    message: str = ""
    request_id: str = ""
    client_request_id: str = ""

    def in_words(self) -> str:
        """One or two sentences that name what Microsoft's support will ask for."""
        ids = (("request-id", self.request_id), ("client-request-id", self.client_request_id))
        code = "" if self.code and self.message.startswith(self.code) else self.code
        parts = [part for part in (f"HTTP {self.status}" if self.status else "", code) if part]
        parts += [f"{name} {value}" for name, value in ids if value]
        said = f"Microsoft Graph said: {self.message}" if self.message else ""
        if said and said[-1] not in ".!?":
            said += "."
        noted = f"({', '.join(parts)})" if parts else ""
        return f"{said} {noted}".strip()


class GraphError(ProviderError):
    """A request to Graph that failed in a way without a kind of its own, such as 400 or 409."""

    def __init__(
        self, what: str, why: str = "", instead: str = "", *, said: Said | None = None, outcome_unknown: bool = False
    ) -> None:
        EngineError.__init__(self, what, why, instead)
        self.said = said or Said()
        self.outcome_unknown = outcome_unknown
        """The service may have done what was asked although no answer came: read back before asking again."""

    @property
    def status(self) -> int:
        return self.said.status

    @property
    def code(self) -> str:
        return self.said.code


class GraphThrottled(GraphError, Throttled):
    """The service asks for a longer wait than one call may take; `retry_at` says until when."""

    def __init__(self, what: str, why: str = "", instead: str = "", *, said: Said, retry_at: datetime) -> None:
        super().__init__(what, why, instead, said=said)
        self.retry_at = retry_at


class GraphSignInNeeded(GraphError, SignInNeeded):
    """The service did not accept the token, nor a fresh one."""


class GraphDenied(GraphError, Denied):
    """403: a permission of the app, or a role of the person, is missing."""


class GraphGone(GraphError, Gone):
    """404 or 410: no such thing, or not any more."""


class GraphNotOffered(GraphError, NotOffered):
    """405 or 501: the service cannot do this at all."""


class GraphUnreachable(GraphError, NoAnswer):
    """No connection, no answer in time, or a service that says it is down, after all attempts."""


class AnswerUnusable(GraphError):
    """An answer that no Graph service would give: no JSON, too long, or one that leads to another host."""


class WritesOff(Refused, GraphError):
    """A change that was refused before anything was sent, as this provider is read only."""

    def __init__(self, method: str, path: str) -> None:
        GraphError.__init__(
            self,
            f"{method} {path} was not sent.",
            "This provider is read only: nothing in the tenant is changed.",
            "Switch writing on for the provider, or ask someone who may.",
        )


def error_of(place: str, said: Said) -> GraphError:
    """The error that a status stands for. `place` is method and path. Throttling has more to say: see `throttled`."""
    status = said.status
    kind, what, instead = _KINDS.get(status, (GraphError, "Microsoft Graph refused {}.", ""))
    if status >= 500 and status != 501:
        kind, what, instead = GraphUnreachable, "Microsoft Graph could not answer {}.", "Try again later."
    return kind(what.format(place), said.in_words(), instead, said=said)


def throttled(place: str, said: Said, retry_at: datetime) -> GraphThrottled:
    """429 that outlasted the attempts, or asks for more patience than one call has."""
    when = retry_at.strftime("%H:%M:%S UTC")
    return GraphThrottled(
        f"Microsoft Graph asks to wait before {place}.",
        said.in_words(),
        f"Try again after {when}; what has been done so far is kept.",
        said=said,
        retry_at=retry_at,
    )


_KINDS: Mapping[int, tuple[type[GraphError], str, str]] = {
    401: (
        GraphSignInNeeded,
        "Microsoft Graph did not accept the sign-in for {}.",
        "Sign in again: hotpatch provider login NAME",
    ),
    403: (
        GraphDenied,
        "Microsoft Graph denied {}.",
        "A permission or a role is missing; hotpatch provider check NAME says which, and who can grant it.",
    ),
    404: (GraphGone, "Microsoft Graph has nothing at {}.", ""),
    410: (GraphGone, "What {} asked for is gone.", ""),
    405: (GraphNotOffered, "Microsoft Graph does not offer {}.", ""),
    501: (GraphNotOffered, "Microsoft Graph does not offer {}.", ""),
}


# --- what the service said --------------------------------------------------------------------------


def read_error(
    status: int,
    headers: Mapping[str, str],
    body: object,
    ids: tuple[str, str],
    secrets: Iterable[str] = (),
) -> Said:
    """Code, message and ids out of whatever came: Graph's form, Intune's nested one, OAuth's, HTML, text, nothing.

    `body`: the bytes, or the decoded value of a batch part. `ids`: request-id and client-request-id as the headers
    have them. `secrets` are taken out, should the service have echoed one.
    """
    value = _decoded(body) if isinstance(body, bytes | bytearray) else body
    code, message, inner_id = "", "", ""
    if isinstance(value, str):
        message = _text_of(value, headers)
    elif isinstance(value, Mapping):
        code, message, inner_id = _from_mapping(value)
    hidden = tuple(secrets)
    code, message = plain(without(code, hidden), 80), plain(without(message, hidden))
    return Said(status, code, message, plain(without(ids[0] or inner_id, hidden), 80), plain(ids[1], 80))


def _decoded(body: bytes | bytearray) -> object:
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return bytes(body[:20_000]).decode("utf-8", "replace")


def _from_mapping(value: Mapping[str, Any]) -> tuple[str, str, str]:
    error = value.get("error", value)
    if isinstance(error, str):  # OAuth's form, as sign-in services and gateways write it
        return error, _text(value.get("error_description")), ""
    if not isinstance(error, Mapping):
        return "", "", ""
    code, message = _text(error.get("code") or error.get("Code")), _message(error)
    details = error.get("details")
    if isinstance(details, list):
        more = [_text(each.get("message")) for each in details[:3] if isinstance(each, Mapping)]
        message = " ".join([message, *(each for each in more if each and each not in message)]).strip()
    inner, inner_id = error.get("innerError") or error.get("innererror"), ""
    for _ in range(5):  # the deepest one is the most specific
        if not isinstance(inner, Mapping):
            break
        code = _text(inner.get("code")) or code
        message = message or _message(inner)
        inner_id = inner_id or _text(inner.get("request-id"))
        inner = inner.get("innerError") or inner.get("innererror")
    return code, message, inner_id


def _message(error: Mapping[str, Any]) -> str:
    """The message; Intune puts a whole JSON document into it, whose own message is what a person wants to read."""
    # The last two are those of RFC 9457, as gateways write it.
    said = next((error[name] for name in ("message", "Message", "detail", "title") if error.get(name)), None)
    if isinstance(said, Mapping):  # OData's older form: {"lang": .., "value": ..}
        said = said.get("value")
    words = _text(said)
    if words.lstrip().startswith("{"):
        try:
            nested = json.loads(words)
        except (ValueError, RecursionError):
            return words
        if isinstance(nested, Mapping):
            return _text(nested.get("Message") or nested.get("message")) or words
    return words


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


_TITLE = re.compile(r"<title[^>]{0,200}>(.{1,300}?)</title", re.IGNORECASE | re.DOTALL)


def _text_of(words: str, headers: Mapping[str, str]) -> str:
    is_page = "html" in headers.get("content-type", "").casefold() or words.lstrip()[:1] == "<"
    if not is_page:
        return words
    title = _TITLE.search(words)
    named = f' titled "{unescape(title[1]).strip()}"' if title else ""
    return f"a web page{named}, not an answer of Graph; perhaps a proxy on the way gave it"


# --- words that are safe to show --------------------------------------------------------------------

_SECRET_LIKE = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]*){0,4}"  # a JSON web token or its beginning
    r"|(?<=bearer )[^\s,;\"']+"
    r"|(?<=[?&](?:sig|sas)=)[^&\s\"']+"
    r"|(?<=sig=)[^&\s\"']+",
    re.IGNORECASE,
)


def plain(words: str, longest: int = _LONGEST_MESSAGE) -> str:
    """A text of the service without control characters or anything that looks like a token; cut to length."""
    cut = words[: longest * 8]
    flat = " ".join("".join(each if each.isprintable() else " " for each in cut).split())
    safe = _SECRET_LIKE.sub("…", flat)
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def without(words: str, secrets: Iterable[str]) -> str:
    """The text with each of the secrets taken out, should the service have echoed one."""
    for secret in secrets:
        if len(secret) >= 4:
            words = words.replace(secret, "…")
    return words
