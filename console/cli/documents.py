"""Records of the engine as JSON, by one function: `document`. `shapes` says where the two differ.

Pure. Times are ISO 8601 in UTC; builds, KBs and error codes as people write them; unknown values null.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from console.cli.shapes import RECORDS, VIEWS
from engine.model.build import Architecture, OsBuild, kb_text

if TYPE_CHECKING:
    from engine.model.model import Release
    from engine.model.records.fleet import DataAge

Document = dict[str, Any]
Now = datetime | None
_Take = Callable[[Any, Now], Any]
"""Takes a value from a record; the time for what depends on it."""
_Part = tuple[str, _Take]
"""A key, "" where all keys of the value are spliced in, and what takes the value."""


def document(record: Struct, now: Now = None) -> Document:
    """A record with everything in it, as JSON values.

    Raises:
        TypeError: the time is needed for what it tells, and was not given.
    """
    found: Document = _maker(type(record))(record, now)
    return found


def documents(records: Iterable[Struct], now: Now = None) -> list[Document]:
    """One for each record."""
    return [document(each, now) for each in records]


def view(name: str, record: Struct, now: Now = None) -> Document:
    """Another document of a record: one of `shapes.VIEWS`."""
    found: Document = _CONVERSIONS[name](record, now)
    return found


def plain(value: object, now: Now = None) -> Any:
    """Any value as JSON values."""
    return _maker(type(value))(value, now)


def as_of(ages: Iterable[DataAge]) -> Document:
    """By tenant, when what is shown of it was pulled; null for one that never was."""
    return {each.provider: iso(each.pulled_at) for each in ages}


def architectures_of(release: Release) -> list[str]:
    """In their order, whatever the order in which the release names them."""
    return [each.value for each in Architecture if each in release.architectures]


def iso(at: datetime | None) -> str | None:
    """``2026-05-13T09:00:00Z``."""
    if at is None:
        return None
    if at.tzinfo is not UTC or at.microsecond:
        at = at.astimezone(UTC).replace(microsecond=0)
    told: str = to_builtins(at)  # the same as `strftime`, at a twentieth of its time
    return told


# --- values -----------------------------------------------------------------------------------------


def _word(value: Enum, _: Now) -> Any:
    return value._value_  # `value` costs a call for each of millions of words


def _each(values: Iterable[Any], now: Now) -> list[Any]:
    return [each if type(each) in _JSON else plain(each, now) for each in values]


def _by_key(values: Mapping[Any, Any], now: Now) -> Document:
    return {str(key): plain(each, now) for key, each in values.items()}


_JSON: frozenset[type] = frozenset({str, int, float, bool, type(None)})
_MAKERS: dict[type, _Take] = {
    **dict.fromkeys(_JSON, lambda value, _: value),
    OsBuild: lambda value, _: str(value),
    datetime: lambda value, _: iso(value),
    date: lambda value, _: value.isoformat(),
    timedelta: lambda value, _: value.total_seconds(),
}
"""By type; those of records and words are added when the first one is met."""


def _maker(kind: type) -> _Take:
    if (known := _MAKERS.get(kind)) is not None:
        return known
    made: _Take
    if issubclass(kind, Enum):
        made = _word
    elif issubclass(kind, Struct):
        made = _object(_parts_of(kind))
    elif issubclass(kind, Mapping):
        made = _by_key
    elif issubclass(kind, tuple | list | frozenset):
        made = _each
    else:
        raise TypeError(f"{kind.__name__} has no form as JSON")
    _MAKERS[kind] = made
    return made


# --- shapes -----------------------------------------------------------------------------------------

_WORD = re.compile(r"(?P<mark>[-*]?)(?:(?P<key>\w+)=)?(?P<path>[\w.]*)(?P<asks>\(\))?(?::(?P<by>[\w-]+))?(?P<null>\??)")


def _unmentioned(words: Iterable[str], fields: Iterable[str]) -> list[str]:
    """The fields of a record that no word is about."""
    told = set()
    for found in filter(None, map(_WORD.fullmatch, words)):
        told |= {found["path"].partition(".")[0], found["key"]}
    return [name.removesuffix("_at") for name in fields if not {name, name.removesuffix("_at")} & told]


def plain_fields(kind: type[Struct]) -> list[tuple[str, str, bool]]:
    """Key, path, and whether nothing is null, of each field of a record of fields alone; [] for any other record."""
    parts = _parts_of(kind)
    found = [(key, take.path, take.null) for key, take in parts if key and isinstance(take, _Plain)]
    return found if len(found) == len(parts) else []


def _parts_of(kind: type[Struct]) -> list[_Part]:
    words = RECORDS.get(kind.__name__, "").split()
    fields = kind.__struct_fields__
    return _parts([*words, *_unmentioned(words, fields)], fields)


def _parts(words: Iterable[str], fields: Iterable[str]) -> list[_Part]:
    known = frozenset(fields)
    return [part for word in words if (part := _part(word, known)) is not None]


def _object(parts: Iterable[_Part]) -> _Take:
    """What makes the document of a shape's parts."""

    def made(record: Any, now: Now) -> Document:
        told: Document = {}
        for key, take in parts:
            if key:
                told[key] = take(record, now)
            else:
                told.update(take(record, now))
        return told

    return made


def _part(word: str, fields: frozenset[str]) -> _Part | None:
    """One word's; None for a field that is left out."""
    found = _WORD.fullmatch(word)
    assert found is not None, f"{word!r} is no word of a shape"
    if found["mark"] == "-":
        return None
    steps = [each for each in found["path"].split(".") if each]
    name = steps[-1] if steps else ""
    key = "" if found["mark"] else (found["key"] or name)
    if len(steps) == 1 and name not in fields and f"{name}_at" in fields:
        steps = [f"{name}_at"]
    return key, _taker(steps, _conversion(found["by"] or "", steps), asks=bool(found["asks"]), null=bool(found["null"]))


def _taker(steps: list[str], convert: _Take, *, asks: bool, null: bool) -> _Take:
    if convert is plain and steps and not asks:
        return _Plain(".".join(steps), null=null)
    get: Callable[[Any], Any] = attrgetter(".".join(steps)) if steps else _itself

    def take(record: Any, now: Now) -> Any:
        value = get(record)
        if asks:
            if now is None:
                raise TypeError(f"{steps[-1]} depends on the time")
            value = value(now)
        return None if null and not value else convert(value, now)

    return take


def _itself(record: Any) -> Any:
    return record


class _Plain:
    """The commonest taker: what is JSON already is handed on."""

    def __init__(self, path: str, *, null: bool) -> None:
        self.path = path
        self.null = null
        self._get = attrgetter(path)

    def __call__(self, record: Any, now: Now) -> Any:
        value = self._get(record)
        if self.null and not value:
            return None
        return value if type(value) in _JSON else _maker(type(value))(value, now)


def _conversion(name: str, steps: list[str]) -> _Take:
    if name.isdigit():
        decimals = int(name)
        return lambda value, _: None if value is None else round(value, decimals)
    if name.startswith("by-") and name not in _CONVERSIONS:
        return _named(name.removeprefix("by-"))
    if name:
        return _CONVERSIONS[name]
    last = steps[-1] if steps else ""
    if last == "kb" or last.endswith("_kb"):
        return _kb
    if last == "kbs":
        return lambda value, _: [kb_text(each) for each in value]
    return _code if last in ("code", "error_code") else plain


def _kb(value: int | None, _: Now) -> str | None:
    return None if value is None else kb_text(value)


def _code(value: int | None, _: Now) -> str | None:
    """``0x800F0922``; null where the device told none."""
    return f"0x{value & 0xFFFFFFFF:08X}" if value else None


def _named(what: str) -> _Take:
    """Rows by their name, which is a platform, a ring, a site or a month."""
    return lambda rows, now: [{what: each.name or None, **document(each, now)} for each in rows]


def _reason(value: Any, _: Now) -> str:
    from engine.rules.findings import reason

    return reason(value)


def _next_step(value: Any, _: Now) -> str | None:
    from engine.rules.findings import next_step

    return next_step(value) or None


def _every_verdict(counts: Counter[Any], _: Now) -> Document:
    from engine.rules.findings import FindingVerdict

    return {each.value: counts[each] for each in FindingVerdict}


def _window(value: Any, _: Now) -> str | None:
    from engine.rules.rollout.windows import window_text

    return window_text(value) or None


def _over_time(report: Any, now: Now) -> list[Document]:
    """Days, or months where the period is long."""
    length = len("2026-05") if report.by_month else len("2026-05-13")
    return [document(each, now) | {"begins": each.begins.isoformat()[:length]} for each in report.eventful]


def _shaped(name: str) -> _Take:
    """A view; made when the first one is asked for."""
    made: list[_Take] = []

    def take(record: Any, now: Now) -> Any:
        if not made:
            made.append(_object(_parts(VIEWS[name].split(), ())))
        return None if record is None else made[0](record, now)

    return take


_CONVERSIONS: dict[str, _Take] = {
    **{name: _shaped(name) for name in VIEWS},
    # lists
    "count": lambda value, _: len(value),
    "sorted": lambda value, _: sorted(value),
    "ordered": lambda value, _: [each.value for each in Architecture if each in value],
    "joined": lambda value, _: ", ".join(value) or None,
    "listed": lambda value, _: "; ".join(value) or None,
    "ids": lambda value, _: [each.id for each in value],
    "cve-ids": lambda value, _: [each.cve.id for each in value],
    "kb-names": lambda value, _: [kb_text(each.kb) for each in value],
    "brief-releases": lambda value, now: [view("brief-release", getattr(each, "after", each), now) for each in value],
    "restarting": lambda value, now: [view("restarting-device", each, now) for each in value],
    # mappings
    "mapping": lambda value, _: dict(value),
    "ages": lambda value, _: as_of(value),
    "asked": lambda value, _: [{"what": why, "since": iso(since)} for why, since in value],
    "band": lambda value, _: None if value is None else {"low": round(value[0], 3), "high": round(value[1], 3)},
    "by-mark": lambda value, now: {each.mark.value: document(each, now) for each in value},
    "by-share": lambda value, _: {f"{share:.0%}": hours for share, hours in value},
    "commonest-first": lambda value, _: {why.value: number for why, number in value.most_common()},
    "every-verdict": _every_verdict,
    "decisions": lambda value, now: {
        each.kind.value: [view("decision", row, now) for row in each.rows] for each in value
    },
    "gate": lambda value, now: {"holds": all(each.holds for each in value), "conditions": documents(value, now)},
    # single values
    "nothing": lambda *_: None,
    "words": lambda value, _: None if value is None else str(value),
    "kb": _kb,
    "window": _window,
    "reason": _reason,
    "next-step": _next_step,
    "expires": lambda value, _: None if value.proof is None else iso(value.next_baseline_at),
    "hold-id": lambda value, _: value.safeguard_id if value.holds else None,
    "demo": lambda value, _: None if value.demo is None else view("demo-clock", value),
    # what depends on the whole record
    "reasons": lambda value, now: [
        document(each, now) | {"share": _share(each.devices, value.total.devices)} for each in value.reasons
    ],
    "over-time": _over_time,
}


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole > 0 else None
