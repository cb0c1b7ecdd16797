"""The fields of a filter, each declared once: parser, suggestions, help and the SQL compiler read them here.

Those that ask for a fact of a device stand in `engine.model.facts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, StrEnum, auto

from msgspec import Struct, field

from engine.model.build import OsBuild
from engine.model.facts import FACTS, Fact, FilterWords
from engine.model.model import STALE_REASON, CheckId, DeviceState, Track, Verdict


class FieldKind(Enum):
    """How a field's values are written and compared."""

    TEXT = auto()
    """``:`` contains, ``=`` is exactly, ``*`` stands for any characters."""
    NAME = auto()
    """A whole name, whatever its case."""
    CHOICE = auto()
    BUILD = auto()
    MOMENT = auto()
    KB = auto()
    CODE = auto()


class Field(Struct, frozen=True):
    """One field of the filter language."""

    name: str
    kind: FieldKind
    help: str
    example: str
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """For a choice every value; for the others words with a meaning of their own."""
    value_aliases: Mapping[str, str] = field(default_factory=dict)


_YES_NO = ("yes", "no", "unknown")
_TRUTH = {"true": "yes", "false": "no", "1": "yes", "0": "no"}
_REASONS = (
    *(check.value for check in CheckId),
    *(f"{check}?" for check in CheckId),
    STALE_REASON,
)

_KINDS: Mapping[type, FieldKind] = {
    str: FieldKind.TEXT,
    StrEnum: FieldKind.CHOICE,
    bool: FieldKind.CHOICE,
    OsBuild: FieldKind.BUILD,
    datetime: FieldKind.MOMENT,
}
"""By a fact's shape. Numbers are not asked for yet."""


def _field(fact: Fact, words: FilterWords) -> Field:
    """The field that asks for a fact: kind and values are those of its type."""
    kind = FieldKind.NAME if words.is_name else _KINDS[fact.shape]
    values: tuple[str, ...] = ()
    if fact.shape is StrEnum:
        # Of a set of words without UNKNOWN, None is not told.
        values = (*fact.words, "unknown") if fact.not_told is None else fact.words
    elif fact.shape is bool:
        values = _YES_NO
    elif fact.shape is datetime:
        values = (words.untold, "today", "yesterday")
    elif fact.shape is OsBuild:
        values = (words.untold,)
    meant = _TRUTH if fact.shape is bool else words.value_aliases
    return Field(words.name, kind, words.help, words.example, words.aliases, values, meant)


_OF_FACTS = {each.name: _field(each, each.in_filters) for each in FACTS if each.in_filters}


def _facts(names: str) -> list[Field]:
    return [_OF_FACTS.pop(name) for name in names.split()]


FIELDS: tuple[Field, ...] = (
    *_facts("name user"),
    Field("ring", FieldKind.NAME, "the ring, or none", "ring:broad", values=("none",)),
    Field("readiness", FieldKind.CHOICE, "the verdict", "readiness:not-ready", ("verdict",), tuple(Verdict)),
    Field(
        "reason",
        FieldKind.CHOICE,
        "the check that is not met, with ? the one that is unknown; stale: not seen lately",
        "reason:vbs",
        ("why",),
        _REASONS,
        {"stale": STALE_REASON},
    ),
    Field("state", FieldKind.CHOICE, "what is going on with the device now", "state:failed", (), tuple(DeviceState)),
    Field("track", FieldKind.CHOICE, "where its build stands on the calendar", "track:behind", (), tuple(Track)),
    Field(
        "protected",
        FieldKind.CHOICE,
        "runs the current hotpatch, the current LCU, or something later",
        "protected:no",
        (),
        ("yes", "no"),
        _TRUTH,
    ),
    Field("eligible", FieldKind.CHOICE, "could take hotpatches", "eligible:yes", (), _YES_NO, _TRUTH),
    Field(
        "enrolled", FieldKind.CHOICE, "policy or subscription in place", "enrolled:no", ("enrolment",), _YES_NO, _TRUTH
    ),
    *_facts("platform build architecture edition licence management policy subscription vbs chpe restart_pending"),
    *_facts("last_seen_at boot_at"),
    Field("kb", FieldKind.KB, "has this release: by its build, or by an install that succeeded", "kb:KB5089466"),
    Field("error", FieldKind.CODE, "has an open failure with this error code", "error:0x800F0922", ("code",)),
    *_facts("site form model driver serial asset_tag domain provider"),
    *_OF_FACTS.values(),
)
"""In the order in which help and suggestions show them; a fact that has no place of its own here comes last."""

_BY_NAME = {name: each for each in FIELDS for name in (each.name, *each.aliases)}
FIELD_NAMES: tuple[str, ...] = tuple(each.name for each in FIELDS)
EVERY_NAME: tuple[str, ...] = tuple(_BY_NAME)

SYNTAX: tuple[tuple[str, str], ...] = (
    ("alice lon-0042", "both words, each in the name or the user"),
    ("ring:broad state:failed", "both hold"),
    ("ring:test,first", "any of these"),
    ("-ready   -ring:last   ring!=last", "not so"),
    ('site:"New York"', "quotes around blanks, commas and signs"),
    ("name:lon-*   model:*book   serial=PF3K7Q2", "* is anything, = is exactly"),
    ("build<26100.8390   build:26200", "builds compare as builds"),
    ("seen>7d   seen:today   seen>=2026-05-01", "longer ago than 7 days; on a day (UTC); from a day on"),
)
"""Examples with their meaning, for the help page."""


def field_named(name: str) -> Field | None:
    """The field of this name or alias, whatever its case."""
    return _BY_NAME.get(name.casefold())
