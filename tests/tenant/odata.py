"""The part of OData that the fake understands: filters, selection, order. What it does not understand is a 400."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Row = Mapping[str, Any]
Test = Callable[[Row], bool]


class BadQuery(Exception):
    """The service answers 400 with these words."""


_TOKEN = re.compile(
    r"\s*(?:(?P<punctuation>[(),])|(?P<text>'(?:[^']|'')*')"
    r"|(?P<word>@?[A-Za-z0-9_.:\-/]+))"
)
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "gt": lambda left, right: left is not None and left > right,
    "ge": lambda left, right: left is not None and left >= right,
    "lt": lambda left, right: left is not None and left < right,
    "le": lambda left, right: left is not None and left <= right,
}


def matching(text: str) -> Test:
    """A filter as a test of rows: comparisons, `and`, `or`, `not`, brackets, `isof`, `startswith`, `contains`.

    Raises:
        BadQuery: anything else.
    """
    tokens = _tokens(text)
    test = _either(tokens)
    if tokens:
        raise BadQuery(f"Invalid filter clause: syntax error at {tokens[0]!r}.")
    return test


def selected(row: Row, select: str) -> dict[str, Any]:
    """The row's named members, and what is always there."""
    if not select:
        return dict(row)
    wanted = {name.strip() for name in select.split(",")}
    return {name: value for name, value in row.items() if name in wanted or name in ("id", "@odata.type")}


def ordered(rows: list[Row], order: str) -> list[Row]:
    """The rows in order of one member; `desc` turns it round."""
    if not order:
        return rows
    name, _, direction = order.partition(" ")
    if direction not in ("", "asc", "desc") or not name.isidentifier():
        raise BadQuery(f"Invalid $orderby: {order!r}.")
    return sorted(rows, key=lambda row: str(row.get(name) or ""), reverse=direction == "desc")


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise BadQuery(f"Invalid filter clause: syntax error at position {at}.")
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


def _either(tokens: list[str]) -> Test:
    test = _both(tokens)
    while tokens and tokens[0] == "or":
        tokens.pop(0)
        left, right = test, _both(tokens)
        test = lambda row, left=left, right=right: left(row) or right(row)  # noqa: E731
    return test


def _both(tokens: list[str]) -> Test:
    test = _one(tokens)
    while tokens and tokens[0] == "and":
        tokens.pop(0)
        left, right = test, _one(tokens)
        test = lambda row, left=left, right=right: left(row) and right(row)  # noqa: E731
    return test


def _one(tokens: list[str]) -> Test:
    head = _next(tokens)
    if head == "not":
        inner = _one(tokens)
        return lambda row: not inner(row)
    if head == "(":
        inner = _either(tokens)
        _expect(tokens, ")")
        return inner
    if head in ("isof", "startswith", "contains"):
        _expect(tokens, "(")
        if head == "isof":
            wanted = "#" + str(_value(_next(tokens))).removeprefix("#")
            _expect(tokens, ")")
            return lambda row: row.get("@odata.type") == wanted
        name = _next(tokens)
        _expect(tokens, ",")
        part = str(_value(_next(tokens)))
        _expect(tokens, ")")
        if head == "startswith":
            return lambda row: str(row.get(name) or "").startswith(part)
        return lambda row: part in str(row.get(name) or "")
    compare = _COMPARISONS.get(_next(tokens))
    if compare is None:
        raise BadQuery(f"Invalid filter clause after {head!r}.")
    value = _value(_next(tokens))
    return lambda row: compare(_member(row, head), value)


def _member(row: Row, name: str) -> Any:
    value: Any = row
    for part in name.split("/"):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _value(token: str) -> Any:
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    if token in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[token]
    if re.fullmatch(r"-?\d+", token):
        return int(token)
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", token) or re.fullmatch(r"[0-9a-f-]{36}", token):
        return token
    raise BadQuery(f"Invalid filter clause: {token!r} is no value.")


def _next(tokens: list[str]) -> str:
    if not tokens:
        raise BadQuery("Invalid filter clause: it ends too early.")
    return tokens.pop(0)


def _expect(tokens: list[str], wanted: str) -> None:
    if _next(tokens) != wanted:
        raise BadQuery(f"Invalid filter clause: {wanted!r} is missing.")
