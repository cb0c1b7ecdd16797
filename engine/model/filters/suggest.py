"""What could come next while a filter is typed: fields, values, whole words with a meaning."""

from __future__ import annotations

from msgspec import Struct

from engine.model.filters.fields import FIELDS, Field, FieldKind, field_named
from engine.model.filters.parse import FilterError, Known, Piece, RawTerm, scan
from engine.model.filters.tree import SHORTHANDS

_AGES = (("7d", "7 days"), ("14d", "14 days"), ("30d", "30 days"))


class Suggestion(Struct, frozen=True):
    """Replace ``text[start:end]`` by `insert`."""

    insert: str
    start: int
    end: int
    help: str


def suggest(text: str, cursor: int, known: Known | None = None, limit: int = 12) -> list[Suggestion]:
    """What fits at the cursor, the best first. Never raises: for text that cannot be understood there is nothing."""
    cursor = max(0, min(cursor, len(text)))
    before = text[:cursor]
    try:
        terms = scan(before)
    except FilterError:
        bare_minus = before.endswith("-") and (len(before) == 1 or before[-2].isspace())
        return _names("", cursor, cursor)[:limit] if bare_minus else []
    last = terms[-1] if terms and terms[-1].end == cursor else None
    if last is None:
        return _names("", cursor, cursor)[:limit]
    piece = last.pieces[-1]
    if piece.quoted:
        return []
    if not last.field:
        return _names(piece.text, piece.start, cursor)[:limit]
    field = field_named(last.field)
    return [] if field is None else _values(field, last, piece, known or {})[:limit]


def _names(typed: str, start: int, end: int) -> list[Suggestion]:
    folded = typed.casefold()
    words = [
        Suggestion(word, start, end, f"readiness:{meaning}")
        for word, meaning in SHORTHANDS.items()
        if typed and word.startswith(folded)
    ]
    direct = [_name(each, start, end) for each in FIELDS if each.name.startswith(folded)]
    by_alias = [
        _name(each, start, end)
        for each in FIELDS
        if typed and not each.name.startswith(folded) and any(alias.startswith(folded) for alias in each.aliases)
    ]
    return words + direct + by_alias


def _name(field: Field, start: int, end: int) -> Suggestion:
    sign = ">" if field.kind is FieldKind.MOMENT else ":"
    return Suggestion(field.name + sign, start, end, f"{field.help}: {field.example}")


def _values(field: Field, term: RawTerm, piece: Piece, known: Known) -> list[Suggestion]:
    typed = piece.text.casefold()
    chosen = {each.text.casefold() for each in term.pieces[:-1]}
    ordered = term.op in (":", "=", "!=")
    choices = [(value, "") for value in known.get(field.name, ())]
    if field.kind is FieldKind.MOMENT:
        choices += _AGES
    words = field.values if ordered else tuple(each for each in field.values if each in ("today", "yesterday"))
    choices += [(value, "") for value in words]
    return [
        Suggestion(_as_typed(value), piece.start, piece.end, help_text)
        for value, help_text in sorted(choices, key=lambda each: not each[0].casefold().startswith(typed))
        if (typed in value.casefold()) and value.casefold() not in chosen and value.casefold() != typed
    ]


def _as_typed(value: str) -> str:
    """The value with quotes where it needs them."""
    if value and not any(sign.isspace() or sign in ',"' for sign in value):
        return value
    return '"' + value.replace('"', '""') + '"'
