"""Reads filter text into a tree; a mistake says what would be right and where it stands.

Text comes from keyboards, settings and scripts. Values keep their meaning, never SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from msgspec import Struct

from engine.model.build import OsBuild, parse_kb
from engine.model.errors import BadInput, nearest
from engine.model.filters.fields import EVERY_NAME, FIELD_NAMES, Field, FieldKind, field_named
from engine.model.filters.tree import (
    AGE_SECONDS,
    SHORTHANDS,
    Absent,
    Age,
    BareWord,
    BuildNumber,
    Comparison,
    DaysAgo,
    ErrorCode,
    Filter,
    Kb,
    Op,
    Term,
    Value,
)

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(!=|<=|>=|<|>|:|=)")
_AGE = re.compile(r"(\d{1,6})([mhdw])", re.IGNORECASE | re.ASCII)
_CODE = re.compile(r"0x[0-9a-f]{1,8}", re.IGNORECASE)
_LONGEST_AGE = timedelta(days=36_500)
_DAYS = {"today": 0, "yesterday": 1}
MAX_LENGTH = 4_000
"""Characters; longer text is no filter that a person typed."""

MAX_STARS = 5
"""In one value: every further star makes matching a million names slower."""

Known = Mapping[str, Sequence[str]]
"""Names that only the state file knows, by field: ``{"ring": ("Test", "First")}``."""


class FilterError(BadInput):
    """Filter text that cannot be understood; `start` and `end` are the place in it."""

    def __init__(self, what: str, why: str, instead: str, *, start: int, end: int, field: str = "") -> None:
        super().__init__(what, why, instead)
        self.field = field
        self.start = start
        self.end = end


class Piece(Struct, frozen=True):
    """One value as it was typed."""

    text: str
    start: int
    end: int
    quoted: bool


class RawTerm(Struct, frozen=True):
    """One term as it was typed; `field` is "" for a bare word."""

    start: int
    end: int
    negated: bool
    field: str
    op: str
    pieces: tuple[Piece, ...]


def parse(text: str, known: Known | None = None) -> Filter:
    """The tree of a filter text.

    Raises:
        FilterError: a wrong field (says which exist), a wrong value (says which exist), an unclosed quote.
    """
    return Filter(tuple(_term(raw, known or {}) for raw in scan(text)))


def scan(text: str) -> list[RawTerm]:
    """The terms of the text before their meaning.

    Raises:
        FilterError: an unclosed quote, a value that is missing, a text that is too long.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(
            f"The filter has {len(text)} characters.",
            f"At most {MAX_LENGTH} are read.",
            "Shorten it, or mark the devices instead.",
            start=MAX_LENGTH,
            end=len(text),
        )
    terms: list[RawTerm] = []
    at = _skip_blanks(text, 0)
    while at < len(text):
        term = _scan_term(text, at)
        terms.append(term)
        at = _skip_blanks(text, term.end)
    return terms


def _scan_term(text: str, start: int) -> RawTerm:
    negated = text[start] == "-"
    at = start + 1 if negated else start
    if at >= len(text) or text[at].isspace() or text[at] == "-":
        end = at + 1 if text[at : at + 1] == "-" else at
        raise FilterError(
            "A minus needs a word or a field right after it.",
            "",
            'Write -ready or -ring:last; a text that begins with a minus goes in quotes: "-x".',
            start=start,
            end=end,
        )
    found = _FIELD.match(text, at)
    if found is None:
        piece = _scan_piece(text, at, stop_at_comma=False)
        return RawTerm(start, piece.end, negated, "", "", (piece,))
    pieces = [_scan_piece(text, found.end(), stop_at_comma=True)]
    while text[pieces[-1].end : pieces[-1].end + 1] == ",":
        pieces.append(_scan_piece(text, pieces[-1].end + 1, stop_at_comma=True))
    return RawTerm(start, pieces[-1].end, negated, found[1], found[2], tuple(pieces))


def _scan_piece(text: str, start: int, *, stop_at_comma: bool) -> Piece:
    if text[start : start + 1] == '"':
        return _scan_quoted(text, start)
    at = start
    while at < len(text) and not text[at].isspace() and not (stop_at_comma and text[at] == ","):
        at += 1
    return Piece(text[start:at], start, at, quoted=False)


def _scan_quoted(text: str, start: int) -> Piece:
    at = start + 1
    while True:
        closing = text.find('"', at)
        if closing < 0:
            raise FilterError(
                "A quote is not closed.",
                "",
                'End it with another "; a quote inside quotes is written twice: "".',
                start=start,
                end=len(text),
            )
        if text[closing + 1 : closing + 2] != '"':
            break
        at = closing + 2
    end = closing + 1
    if end < len(text) and not text[end].isspace() and text[end] != ",":
        raise FilterError(
            "Something stands right after a closing quote.",
            "",
            "Put a blank between two terms, a comma between two values.",
            start=end,
            end=end + 1,
        )
    return Piece(text[start + 1 : closing].replace('""', '"'), start, end, quoted=True)


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _term(raw: RawTerm, known: Known) -> Term:
    if not raw.field:
        piece = raw.pieces[0]
        meaning = None if piece.quoted else SHORTHANDS.get(piece.text.casefold())
        if meaning is not None:
            return Comparison("readiness", Op.IS, (meaning,), raw.negated)
        if piece.quoted and not piece.text:
            raise FilterError(
                "There is nothing between the quotes.", "", "Write what to search for.", start=raw.start, end=raw.end
            )
        _check_stars(piece)
        return BareWord(piece.text, raw.negated)
    field = field_named(raw.field)
    if field is None:
        raise _no_such_field(raw)
    op, negated = (Op.IS, not raw.negated) if raw.op == "!=" else (Op(raw.op), raw.negated)
    if op is Op.EXACT and field.kind is not FieldKind.TEXT:
        op = Op.IS
    _check_op(raw, field, op)
    return Comparison(field.name, op, tuple(_value(piece, field, op, known) for piece in raw.pieces), negated)


def _no_such_field(raw: RawTerm) -> FilterError:
    close = nearest(raw.field, EVERY_NAME, 2)
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    return FilterError(
        f"There is no field {raw.field!r}.",
        f"Fields: {', '.join(FIELD_NAMES)}.",
        f"{hint}To search for the text itself, put it in quotes.",
        start=raw.start + raw.negated,
        end=raw.start + raw.negated + len(raw.field),
        field=raw.field,
    )


def _check_op(raw: RawTerm, field: Field, op: Op) -> None:
    if op in (Op.IS, Op.EXACT):
        return
    if field.kind not in (FieldKind.BUILD, FieldKind.MOMENT):
        raise FilterError(
            f"{field.name} cannot be compared with {op}.",
            "Only build, seen and boot have an order.",
            f"Write {field.example}.",
            start=raw.start,
            end=raw.end,
            field=field.name,
        )
    if len(raw.pieces) > 1:
        raise FilterError(
            f"{field.name}{op} takes one value.",
            "Several values mean any of them, which has no order.",
            f"Write {field.example}.",
            start=raw.start,
            end=raw.end,
            field=field.name,
        )


def _value(piece: Piece, field: Field, op: Op, known: Known) -> Value:
    text = piece.text
    if not text and not (piece.quoted and field.kind is FieldKind.TEXT):
        raise _wrong(piece, field, "A value is missing.", known)
    match field.kind:
        case FieldKind.TEXT:
            _check_stars(piece)
            return text
        case FieldKind.CHOICE:
            return _choice(piece, field, known)
        case FieldKind.NAME:
            return _name(piece, field, known)
        case FieldKind.BUILD:
            return _build(piece, field, op)
        case FieldKind.MOMENT:
            return _moment(piece, field, op)
        case FieldKind.KB:
            return Kb(_number(piece, field))
        case FieldKind.CODE:
            return ErrorCode(_code(piece, field))


def _check_stars(piece: Piece) -> None:
    if piece.text.count("*") > MAX_STARS:
        raise FilterError(
            f"{piece.text!r} has more than {MAX_STARS} stars.",
            "",
            "Write the part that matters; without a star it is found anywhere in the text.",
            start=piece.start,
            end=piece.end,
        )


def _choice(piece: Piece, field: Field, known: Known) -> str:
    folded = piece.text.casefold()
    folded = field.value_aliases.get(folded, folded)
    if folded not in field.values:
        raise _wrong(piece, field, f"{field.name} has no value {piece.text!r}.", known)
    return str(folded)


def _name(piece: Piece, field: Field, known: Known) -> Value:
    if not piece.quoted and piece.text.casefold() in field.values:
        return Absent(piece.text.casefold())
    names = known.get(field.name)
    if names is not None and piece.text.casefold() not in {name.casefold() for name in names}:
        raise _wrong(piece, field, f"There is no {field.name} {piece.text!r}.", known)
    return piece.text


def _build(piece: Piece, field: Field, op: Op) -> Value:
    text = piece.text
    if text.casefold() == "unknown" and op is Op.IS:
        return Absent("unknown")
    if text.isascii() and text.isdigit():
        # Windows build numbers lie below 30000; Server 2025's revisions lie above.
        if len(text) == 5 and "10000" <= text < "30000":
            return BuildNumber(int(text))
        raise _wrong(
            piece, field, f"{text} is a revision without its build.", {}, f"Write build{op}26100.{int(text[:8])}."
        )
    try:
        return OsBuild.parse(text)
    except ValueError:
        raise _wrong(piece, field, f"{text!r} is not a build.", {}) from None


def _moment(piece: Piece, field: Field, op: Op) -> Value:
    folded = piece.text.casefold()
    if folded in _DAYS:
        return DaysAgo(_DAYS[folded])
    if folded in field.values and op is Op.IS:
        return Absent(folded)
    found = _AGE.fullmatch(folded)
    if found is not None:
        age = Age(int(found[1]), found[2])
        if age.seconds > _LONGEST_AGE.total_seconds():
            raise _wrong(piece, field, f"{piece.text} is longer ago than any device.", {})
        return age
    try:
        day = date.fromisoformat(piece.text)
    except ValueError:
        day = date.min
    if not 1970 <= day.year <= 2999:
        units = ", ".join(f"7{unit}" for unit in AGE_SECONDS)
        raise _wrong(
            piece,
            field,
            f"{piece.text!r} is neither a day nor an age.",
            {},
            f"Write a day like 2026-05-01, today, yesterday, or an age ({units}): {field.example}.",
        )
    return day


def _number(piece: Piece, field: Field) -> int:
    try:
        return parse_kb(piece.text)
    except ValueError:
        raise _wrong(piece, field, f"{piece.text!r} is not a KB number.", {}) from None


def _code(piece: Piece, field: Field) -> int:
    if _CODE.fullmatch(piece.text):
        return int(piece.text, 16)
    raise _wrong(piece, field, f"{piece.text!r} is not an error code.", {})


def _wrong(piece: Piece, field: Field, what: str, known: Known, instead: str = "") -> FilterError:
    values = tuple(known.get(field.name, ())) + field.values
    if field.kind is FieldKind.CHOICE or values:
        close = nearest(piece.text, values, 2)
        hint = f"Did you mean {' or '.join(close)}? " if close else ""
        why = f"Values: {', '.join(values)}."
    else:
        hint, why = "", ""
    return FilterError(
        what, why, instead or f"{hint}Write {field.example}.", start=piece.start, end=piece.end, field=field.name
    )
