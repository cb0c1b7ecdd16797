"""How a family of resources says what it answers: routes with handlers, and the shapes that answers have.

A family module has `ROUTES`, `OPERATIONS` (the contract's operation ids that they play) and `drive`, which asks for
each of them once; `families` lists the modules.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.tenant.odata import BadQuery, matching, ordered, selected
from tests.tenant.state import TenantState


@dataclass(frozen=True)
class Reply:
    """What a handler answers."""

    status: int = 200
    body: Any = None
    """A JSON value, bytes for anything else, None for no body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    on_contract: bool = True
    """False: made to be wrong; not held against the contract."""


@dataclass(frozen=True)
class Asked:
    """One request, also a part of a batch."""

    method: str
    url: str
    """Path with version, and query, as they came."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    base_url: str
    """The tenant's own address, for links in answers."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What stood in the path's places, like ``{id}``."""

    @property
    def version(self) -> str:
        return self.url.split("/")[1]

    @property
    def path(self) -> str:
        """Without version and query, decoded."""
        return "/" + unquote(urlsplit(self.url).path).split("/", 2)[2]

    @property
    def options(self) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))


Handler = Callable[[Asked, TenantState], Reply]


@dataclass(frozen=True)
class Route:
    """Which requests a handler answers."""

    method: str
    versions: tuple[str, ...]
    pattern: re.Pattern[str]
    handler: Handler


def route(method: str, versions: str, path: str, handler: Handler) -> Route:
    """`path` is relative to the version, with places like ``{id}``; `versions` is like ``"beta v1.0"``."""
    pieces = re.split(r"\{(\w+)\}", path)
    pattern = "".join(re.escape(piece) if at % 2 == 0 else f"(?P<{piece}>[^/]+)" for at, piece in enumerate(pieces))
    return Route(method, tuple(versions.split()), re.compile(pattern), handler)


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    """An error as Graph shapes it; the ids are put in by the server."""
    return Reply(status, {"error": {"code": code, "message": message, "innerError": {}}}, headers)


def not_found(what: str = "Resource") -> Reply:
    return error(404, "ResourceNotFound", f"{what} not found.")


def one(row: Mapping[str, Any] | None, asked: Asked) -> Reply:
    """A single object, with `$select` obeyed; 404 for None."""
    return Reply(body=selected(row, asked.options.get("$select", ""))) if row is not None else not_found()


def listed(
    asked: Asked,
    state: TenantState,
    rows: Iterable[Mapping[str, Any]] | Callable[[int], Iterator[tuple[int, Mapping[str, Any]]]],
    *,
    adapt: Callable[[Mapping[str, Any], Asked], Mapping[str, Any]] = lambda row, _: row,
) -> Reply:
    """One page of a list, with filter, order, selection and the link to the next page.

    `rows`: all rows, or for long lists a function that gives position and row from a position on; the latter cannot be
    ordered. `adapt` changes a row before `$select`, as `$expand` does.
    """
    options = asked.options
    unknown = {name for name in options if name not in _UNDERSTOOD}
    if unknown:
        raise BadQuery(f"The query options {sorted(unknown)} are not understood here.")
    test = matching(options["$filter"]) if options.get("$filter") else None
    if callable(rows):
        if "$orderby" in options:
            raise BadQuery("This list cannot be ordered.")
        numbered = rows(_position(options, asked))
    else:
        everything = ordered(list(rows), options.get("$orderby", ""))
        start = _position(options, asked)
        numbered = ((at, everything[at]) for at in range(start, len(everything)))
    most = min(state.page_size, _number(options.get("$top")) or state.page_size)
    items, following = [], None
    for at, row in numbered:
        if test and not test(row):
            continue
        if len(items) == most:
            following = at
            break
        items.append(selected(adapt(row, asked), options.get("$select", "")))
    body: dict[str, Any] = {"value": items}
    if options.get("$count") == "true" and not callable(rows):
        body["@odata.count"] = len([row for row in rows if not test or test(row)])
    if following is not None:
        body["@odata.nextLink"] = _next_link(asked, following)
    return Reply(body=body)


_UNDERSTOOD = frozenset({"$filter", "$select", "$top", "$orderby", "$expand", "$count", "$skiptoken"})


def _number(text: str | None) -> int:
    if text is None:
        return 0
    if not text.isdigit():
        raise BadQuery(f"Invalid number {text!r}.")
    return int(text)


def _position(options: Mapping[str, str], asked: Asked) -> int:
    """Where a page begins. A link that was changed on its way is refused: it must come back as it was given."""
    token = options.get("$skiptoken")
    if token is None:
        return 0
    try:
        position, mark = base64.b64decode(token.removeprefix("a~b'c,"), validate=True).decode().split("/")
    except ValueError:
        raise BadQuery("The skip token is not valid.") from None
    if mark != _mark(asked, int(position)):
        raise BadQuery("The skip token does not belong to this query.")
    return int(position)


def _next_link(asked: Asked, position: int) -> str:
    token = base64.b64encode(f"{position}/{_mark(asked, position)}".encode()).decode()
    # Some of its signs are escaped and some are not: a client that puts it together anew changes it.
    return f"{asked.base_url}{_without_token(asked.url)}$skiptoken=a~b%27c,{quote(token, safe='')}"


def _without_token(url: str) -> str:
    before, _, query = url.partition("?")
    kept = [option for option in query.split("&") if option and not unquote(option).startswith("$skiptoken=")]
    return before + "?" + "".join(f"{option}&" for option in kept)


def _mark(asked: Asked, position: int) -> str:
    return f"{zlib.crc32(f'{_without_token(asked.url)}#{position}'.encode()):08x}"
