"""Compiles filters to conditions on ``device d``; whatever reads devices by a filter asks here.

Every value that a person typed is a bound parameter. What stands in the SQL text itself is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from engine.model.build import OsBuild
from engine.model.facts import FACTS
from engine.model.filters import (
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
    parse,
)
from engine.model.model import InstallAction, InstallState

_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


class SqlCondition(Struct, frozen=True):
    """What stands after WHERE, over alias ``d`` for the table device, with its bound parameters."""

    where: str
    params: Sequence[Any]


def compile_text(text: str, now: datetime) -> SqlCondition:
    """The condition for a filter text; every device for an empty one.

    Raises:
        FilterError: the text is not a filter.
    """
    return compile_filter(parse(text), now)


def compile_filter(wanted: Filter, now: datetime) -> SqlCondition:
    """The condition for a filter. `now` gives ages and ``today`` their meaning."""
    writer = _Writer(now.astimezone(UTC))
    clauses = [writer.term(term) for term in wanted.terms]
    return SqlCondition(" AND ".join(clauses) or "1", tuple(writer.params))


class _Writer(Struct):
    """Writes one condition; parameters are collected in the order of their question marks."""

    now: datetime
    params: list[Any] = field(default_factory=list)

    def term(self, term: Term) -> str:
        clause = self._word(term.text) if isinstance(term, BareWord) else self._comparison(term)
        # IS NOT TRUE, not NOT: a fact that is not known is not "that", and NOT NULL would drop the device.
        return f"({clause}) IS NOT TRUE" if term.negated else f"({clause})"

    def bind(self, value: Any) -> str:
        self.params.append(value)
        return "?"

    # --- words and texts ----------------------------------------------------------------------------

    def _word(self, text: str) -> str:
        # People paste DOMAIN\user; the domain is no part of either column.
        searched = text.rpartition("\\")[2] or text
        if "*" in searched:
            return " OR ".join(_TEXTS[column](self, searched) for column in ("name", "user"))
        return f"d.search_key GLOB {self.bind(holding(searched.casefold()))}"

    def folded(self, column: str, text: str) -> str:
        """A column that is stored case-folded."""
        text = text.casefold()
        if "*" not in text:
            return f"instr({column}, {self.bind(text)})"
        if text.endswith("*") and text.count("*") == 1:
            return self._prefix(column, text[:-1])
        return f"{column} LIKE {self.bind(_like(text))} ESCAPE '!'"

    def plain(self, column: str, text: str) -> str:
        """A column as the device wrote it; SQLite folds A to Z alone, so the value is folded alike."""
        if "*" not in text:
            return f"instr(lower({column}), {self.bind(text.translate(_ASCII_LOWER))})"
        return f"{column} LIKE {self.bind(_like(text))} ESCAPE '!'"

    def _prefix(self, column: str, prefix: str) -> str:
        if not prefix:
            return f"{column} <> ''"
        above = prefix + chr(0x10FFFF)
        return f"{column} >= {self.bind(prefix)} AND {column} < {self.bind(above)}"

    # --- comparisons --------------------------------------------------------------------------------

    def _comparison(self, term: Comparison) -> str:
        if term.field in _CHOICES:
            return self._choice(_CHOICES[term.field], [str(value) for value in term.values])
        if term.field in _FLAGS:
            return self._flag(_FLAGS[term.field], [str(value) for value in term.values])
        if term.field == "ring":
            return self._ring(term.values)
        return " OR ".join(f"({self._one(term.field, term.op, value)})" for value in term.values)

    def _one(self, name: str, op: Op, value: Value) -> str:
        if name in _TEXTS and isinstance(value, str):
            if op is Op.EXACT or not value:
                return _EXACT_TEXTS[name](self, value)
            return _TEXTS[name](self, value)
        if name in _MOMENTS:
            return self._moment(_MOMENTS[name], op, value, never_is_long_ago=name == "seen")
        if name == "build":
            return self._build(op, value)
        if name == "kb" and isinstance(value, Kb):
            return self._has_release(value.number)
        if name == "error" and isinstance(value, ErrorCode):
            code = self.bind(value.value)
            return f"d.id IN (SELECT device_id FROM install WHERE open_failure = 1 AND error_code = {code})"
        if name == "reason":
            # The verdict follows from the reasons; saying so lets the index (verdict ..., reasons) answer alone.
            verdicts = "d.verdict <> 'ready'" if str(value).endswith("?") else "d.verdict = 'not-ready'"
            return f"{verdicts} AND instr(',' || d.reasons || ',', {self.bind(f',{value},')})"
        if name == "provider":
            return f"d.provider = {self.bind(value)} COLLATE NOCASE"
        raise AssertionError(f"field {name} has no column")

    def _choice(self, column: str, values: list[str]) -> str:
        nullable = column in _NULLABLE
        there = [value for value in values if not (nullable and value == "unknown")]
        clauses = []
        if len(there) == 1:
            clauses.append(f"{column} = {self.bind(there[0])}")
        elif there:
            clauses.append(f"{column} IN ({', '.join(self.bind(value) for value in there)})")
        if len(there) < len(values):
            clauses.append(f"{column} IS NULL")
        return " OR ".join(clauses)

    def _flag(self, column: str, values: list[str]) -> str:
        return " OR ".join(f"{column} {_FLAG_VALUES[value]}" for value in values)

    def _ring(self, values: tuple[Value, ...]) -> str:
        names = [value for value in values if isinstance(value, str)]
        clauses = []
        if len(names) == 1:
            # One ring as a scalar keeps the order of the index (ring_id, state, name_key).
            clauses.append(f"d.ring_id = (SELECT id FROM ring WHERE name = {self.bind(names[0])})")
        elif names:
            marks = ", ".join(self.bind(name) for name in names)
            clauses.append(f"d.ring_id IN (SELECT id FROM ring WHERE name IN ({marks}))")
        if len(names) < len(values):
            clauses.append("d.ring_id IS NULL")
        return " OR ".join(clauses)

    def _build(self, op: Op, value: Value) -> str:
        if isinstance(value, Absent):
            return "d.build IS NULL"
        if isinstance(value, BuildNumber):
            low, high = OsBuild(value.number, 0).as_int(), OsBuild(value.number + 1, 0).as_int()
        elif isinstance(value, OsBuild):
            low, high = value.as_int(), value.as_int() + 1
        else:
            raise AssertionError(f"{value!r} is no build")
        return self._between("d.build", op, low, high)

    def _moment(self, column: str, op: Op, value: Value, *, never_is_long_ago: bool) -> str:
        if isinstance(value, Absent):
            return f"{column} IS NULL"
        if isinstance(value, Age):
            at = int(self.now.timestamp()) - value.seconds
            # An age counts backwards: more than 7 days is earlier than 7 days ago.
            sign = {Op.MORE: "<", Op.AT_LEAST: "<=", Op.LESS: ">", Op.AT_MOST: ">=", Op.IS: ">="}[op]
            clause = f"{column} {sign} {self.bind(at)}"
            never = never_is_long_ago and op in (Op.MORE, Op.AT_LEAST)
            return f"{clause} OR {column} IS NULL" if never else clause
        if isinstance(value, DaysAgo):
            day = self.now.date() - timedelta(days=value.days)
        elif isinstance(value, date):
            day = value
        else:
            raise AssertionError(f"{value!r} is no moment")
        low = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        return self._between(column, op, low, low + 86_400)

    def _between(self, column: str, op: Op, low: int, high: int) -> str:
        """Compare with a stretch from `low` to before `high`."""
        match op:
            case Op.LESS:
                return f"{column} < {self.bind(low)}"
            case Op.AT_MOST:
                return f"{column} < {self.bind(high)}"
            case Op.MORE:
                return f"{column} >= {self.bind(high)}"
            case Op.AT_LEAST:
                return f"{column} >= {self.bind(low)}"
            case _ if high == low + 1:
                return f"{column} = {self.bind(low)}"
            case _:
                return f"{column} >= {self.bind(low)} AND {column} < {self.bind(high)}"

    def _has_release(self, kb: int) -> str:
        by_build = (
            f"d.build IN (SELECT build FROM release WHERE kb = {self.bind(kb)}) "
            f"AND (d.platform, d.build) IN (SELECT platform, build FROM release WHERE kb = {self.bind(kb)})"
        )
        by_install = (
            f"d.id IN (SELECT i.device_id FROM install i WHERE i.kb = {self.bind(kb)} "
            f"AND i.action = '{InstallAction.APPLY}' AND i.state = '{InstallState.SUCCEEDED}' "
            "AND NOT EXISTS (SELECT 1 FROM install u WHERE u.device_id = i.device_id AND u.kb = i.kb "
            f"AND u.id > i.id AND u.state = '{InstallState.UNINSTALLED}'))"
        )
        return f"({by_build}) OR {by_install}"


def holding(text: str) -> str:
    """A GLOB pattern for texts that hold this one.

    GLOB, because it is the quickest of SQLite's ways over a million texts that are case-folded already.
    """
    # SQLite ends a pattern at NUL; another sign that no name has keeps it from matching everything.
    text = text.replace("\x00", "\x01")
    return "*" + text.replace("[", "[[]").replace("?", "[?]").replace("*", "[*]") + "*"


def _like(text: str) -> str:
    """A LIKE pattern in which only the star is special; ``!`` is the escape sign."""
    escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return escaped.replace("*", "%")


def _folded(column: str) -> Callable[[_Writer, str], str]:
    return lambda writer, text: writer.folded(column, text)


def _plain(column: str) -> Callable[[_Writer, str], str]:
    return lambda writer, text: writer.plain(column, text)


def _exact(column: str) -> Callable[[_Writer, str], str]:
    return lambda writer, text: f"{column} = {writer.bind(text)} COLLATE NOCASE"


def _exact_folded(column: str) -> Callable[[_Writer, str], str]:
    return lambda writer, text: f"{column} = {writer.bind(text.casefold())}"


def _user(writer: _Writer, text: str) -> str:
    return f"{writer.folded('d.user_key', text)} OR {writer.plain('d.user_name', text)}"


def _user_is(writer: _Writer, text: str) -> str:
    if not text:
        return "d.user_key = ''"
    return f"d.user_key = {writer.bind(text.casefold())} OR d.user_name = {writer.bind(text)} COLLATE NOCASE"


def _columns(shape: type) -> dict[str, str]:
    """The columns of all facts of a shape, by the fields that ask for them."""
    asked = ((each.in_filters, each) for each in FACTS if each.shape is shape)
    return {words.name: f"d.{fact.name}" for words, fact in asked if words and not words.is_name}


_COLUMNS = _columns(str)
_TEXTS: dict[str, Callable[[_Writer, str], str]] = {
    **{name: _plain(column) for name, column in _COLUMNS.items()},
    "name": _folded("d.name_key"),
    "user": _user,
}
_EXACT_TEXTS: dict[str, Callable[[_Writer, str], str]] = {
    **{name: _exact(column) for name, column in _COLUMNS.items()},
    "name": _exact_folded("d.name_key"),
    "user": _user_is,
}
_CHOICES = {"readiness": "d.verdict", "state": "d.state", "track": "d.track", **_columns(StrEnum)}
_NULLABLE = frozenset(f"d.{each.name}" for each in FACTS if each.shape is StrEnum and each.not_told is None)
_FLAGS = {"protected": "d.protected", "eligible": "d.eligible", "enrolled": "d.enrolled", **_columns(bool)}
_FLAG_VALUES = {"yes": "= 1", "no": "= 0", "unknown": "IS NULL"}
_MOMENTS = _columns(datetime)
