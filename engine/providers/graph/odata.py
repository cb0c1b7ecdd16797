"""Small words of OData that every reader and writer of Graph needs: type names, addresses, members that vary.

Pure. What is unknown survives: a new enum member stays as text, a new type as its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import quote

from engine.model.errors import BadInput

TYPE = "@odata.type"
NEXT_LINK = "@odata.nextLink"

_Member = TypeVar("_Member", bound=StrEnum)


def type_name(item: Mapping[str, Any]) -> str:
    """The item's type without '#' and without ``microsoft.graph.``: ``windowsUpdates.azureADDevice``; "" for none."""
    said = item.get(TYPE)
    return said.removeprefix("#").removeprefix("microsoft.graph.") if isinstance(said, str) else ""


def typed(name: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """The members with their type in front, as Graph wants it written; `name` as `type_name` gives it."""
    full = name.removeprefix("#").removeprefix("microsoft.graph.")
    return {TYPE: f"#microsoft.graph.{full}", **{key: value for key, value in members.items() if key != TYPE}}


def enum_or_text(kind: type[_Member], value: object) -> _Member | str:
    """The member of that value, whatever its case; the text itself where the service has a new one; "" for none."""
    if not isinstance(value, str):
        return "" if value is None else str(value)
    wanted = value.casefold()
    return next((member for member in kind if member.value.casefold() == wanted), value)


def truth(value: object) -> bool | None:
    """A Boolean, also where the service wrote it as text ("false"); None for null, and for what is neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().casefold())
    return None


def segment(value: str) -> str:
    """An id as one part of a path: whatever it holds, it stays one part and opens no query.

    Raises:
        BadInput: it is empty, only dots, or no text; a path with it would lead elsewhere than to one thing.
    """
    try:
        written = quote(value, safe="")
    except UnicodeEncodeError:
        written = ""
    if not value.strip(". ") or not written:
        raise BadInput(f"{value!r} is not an id.", "Microsoft Graph has nothing that is named so.")
    return written


def literal(value: str) -> str:
    """A text inside `$filter`, with its quotes."""
    return "'" + value.replace("'", "''") + "'"


def query(params: Mapping[str, str] | None) -> str:
    """The query with its question mark, ready to stand behind a path; "" for none. Blanks become %20."""
    if not params:
        return ""
    options = ((quote(name, safe="$@"), quote(value, safe=_PLAIN, errors="replace")) for name, value in params.items())
    return "?" + "&".join(f"{name}={value}" for name, value in options)


_PLAIN = "$,'()/:@*;=!"
"""What may stand unescaped in a query's value (RFC 3986) and is easier to read so."""
