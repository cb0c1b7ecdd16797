"""The filter of the activity screen: words and fields, the same on work under way and on decisions. Pure.

It reads like the filter of devices (``ring:fast -by:engine kb:5089466``), but its fields are those of installs and
decisions. A wrong field says which fields exist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from console.text import kb, words
from engine.model.errors import BadInput
from engine.model.records.fleet import ActiveInstall, AuditRow

FIELDS: Mapping[str, str] = {
    "device": "the device's name",
    "ring": "the ring",
    "kb": "the release",
    "by": "who asked or decided",
    "action": "what is done: apply, approve, ring opened ...",
    "state": "how far an install is: downloading, installing ...",
    "why": "the reason that was given",
    "at": "the day of a decision, 2026-05-13",
}
"""Field → meaning, in the order in which help shows them."""
_ALIASES = {"who": "by", "actor": "by", "name": "device", "reason": "why", "stage": "state", "on": "at"}
_WORD = re.compile(r'(?P<minus>-?)(?:(?P<field>[^\s:"]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s"]*))')


class FilterWord(Struct, frozen=True):
    """One word of a filter; `field` is "" for a bare word."""

    field: str
    wanted: str
    negated: bool


def parse(text: str) -> tuple[FilterWord, ...]:
    """The words of a filter; all of them must hold.

    Raises:
        BadInput: a field is not known, or says nothing.
    """
    found = []
    for match in _WORD.finditer(text):
        if not match[0] or match[0] == "-":
            continue
        wanted = (match["quoted"] if match["quoted"] is not None else match["plain"]).casefold()
        field = (match["field"] or "").casefold()
        field = _ALIASES.get(field, field)
        if field and field not in FIELDS:
            raise BadInput(f"There is no field {match['field']!r} here.", "", f"The fields are: {', '.join(FIELDS)}.")
        if field and not wanted:
            raise BadInput(f"{field}: says nothing yet.", "", f"Write what it is to be: {FIELDS[field]}.")
        if field == "kb":
            wanted = wanted.removeprefix("kb")
        if wanted:
            found.append(FilterWord(field, wanted, bool(match["minus"])))
    return tuple(found)


def matches(filter: tuple[FilterWord, ...], row: ActiveInstall | AuditRow) -> bool:
    """Whether every word holds for a row."""
    if not filter:
        return True
    facts = _active_facts(row) if isinstance(row, ActiveInstall) else _audit_facts(row)
    everything = "\n".join(facts.values())
    return all(
        (each.wanted in (facts[each.field] if each.field else everything)) is not each.negated for each in filter
    )


def _active_facts(row: ActiveInstall) -> dict[str, str]:
    return _folded(
        device=row.device_name,
        ring=row.ring,
        kb=kb(row.kb),
        by=row.requested_by,
        action=words(row.action),
        state=f"{words(row.state)}\n{row.stage}",
        why="",
        at=f"{row.requested_at:%Y-%m-%d}",
    )


def _audit_facts(row: AuditRow) -> dict[str, str]:
    sample = row.details.get("sample")
    names = [str(name) for name in sample] if isinstance(sample, list) else []
    return _folded(
        device="\n".join([row.summary, *names]),
        ring="\n".join(row.rings),
        kb=kb(row.kb) if row.kb is not None else "",
        by=row.actor,
        action=f"{words(row.action)}\n{row.action}",
        state="",
        why=row.reason,
        at=f"{row.at:%Y-%m-%d}",
    )


def _folded(**facts: str) -> dict[str, str]:
    return {name: value.casefold() for name, value in facts.items()}
