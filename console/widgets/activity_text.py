"""One decision, or one install under way, in full words for a pane. Pure functions from records to paragraphs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from console.columns import install_state_cell, progress_bar
from console.keys import BY_ID
from console.text import NOTHING, count, kb, moment_long, plural, until, words
from console.widgets.drawing import KEY, MUTED, cell
from console.widgets.paragraphs import BLANK, Para, field, hung, para, title
from engine.model.records.fleet import ActiveInstall, AuditRow

_KNOWN = ("steps", "restarts", "installs", "sample", "left_out", "command", "before", "after")


def audit_text(row: AuditRow) -> list[Para]:
    """The whole record: what, who, why, consequences, the same as a command, its place in the chain."""
    rows = [
        title(row.summary),
        field("when", moment_long(row.at)),
        field("who", row.actor),
        field("from", row.origin or NOTHING),
        field("why", row.reason or NOTHING),
        *([field("release", kb(row.kb))] if row.kb is not None else []),
        *([field("rings", ", ".join(row.rings))] if row.rings else []),
        field("devices", count(row.devices) if row.devices else NOTHING),
    ]
    restarts = row.details.get("restarts")
    if isinstance(restarts, int) and not isinstance(restarts, bool):
        rows.append(field("restarts", count(restarts) if restarts else "none"))
    if command := command_of(row):
        rows += [
            BLANK,
            title("As a command"),
            para(command),
            para((BY_ID["copy"].key_label, KEY), (" sends it to the clipboard", MUTED)),
        ]
    rows += _part(
        "Steps", (hung((f"{n}. ", MUTED), text) for n, text in enumerate(_texts(row.details.get("steps")), 1))
    )
    rows += _part("Left out", (hung("  ", text) for text in _left_out(row.details.get("left_out"))))
    sample = _texts(row.details.get("sample"))
    rows += _part("First devices", [para(", ".join(sample))] if sample else [])
    for name in ("before", "after"):
        rows += _part(name.capitalize(), _fields(row.details.get(name)))
    others = [field(words(name), _value(value)) for name, value in row.details.items() if name not in _KNOWN and value]
    rows += _part("Details", others)
    return [*rows, BLANK, para((f"record {row.seq}  {row.hash[:16]}", MUTED))]


def command_of(row: AuditRow) -> str:
    """The same change as a command line, "" for what no command does."""
    command = row.details.get("command")
    return command if isinstance(command, str) else ""


def audit_record(row: AuditRow) -> Mapping[str, object]:
    """The record as it goes into a JSON document."""
    return {
        "seq": row.seq,
        "at": row.at.isoformat(),
        "actor": row.actor,
        "origin": row.origin,
        "action": row.action,
        "summary": row.summary,
        "reason": row.reason,
        "kb": kb(row.kb) if row.kb is not None else None,
        "rings": list(row.rings),
        "devices": row.devices,
        "details": dict(row.details),
        "hash": row.hash,
    }


def install_text(row: ActiveInstall, now: datetime) -> list[Para]:
    """An install under way: how far it is, who asked for it, when it goes on."""
    return [
        title(row.device_name),
        field("release", kb(row.kb)),
        field("action", words(row.action)),
        field("state", cell(install_state_cell(row.state))),
        field("stage", row.stage or NOTHING),
        field("progress", f"{progress_bar(row.progress, 20)} {row.progress}%"),
        field("ring", row.ring or NOTHING),
        field("asked by", row.requested_by or NOTHING),
        field("asked at", moment_long(row.requested_at)),
        field("next step", until(row.next_at, now)),
        BLANK,
        para((BY_ID["open"].key_label, KEY), (" opens its device", MUTED)),
    ]


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _left_out(value: object) -> Iterable[str]:
    for each in value if isinstance(value, list | tuple) else ():
        if isinstance(each, Mapping):
            devices, why = each.get("devices"), each.get("why")
            yield f"{plural(devices, 'device')}: {why}" if isinstance(devices, int) and devices else str(why)


def _part(name: str, paras: Iterable[Para]) -> list[Para]:
    listed = list(paras)
    return [BLANK, title(name), *listed] if listed else []


def _fields(value: object) -> list[Para]:
    if not isinstance(value, Mapping):
        return []
    return [hung((f"{words(str(name))}  ", MUTED), _value(each)) for name, each in value.items()]


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value) or NOTHING
    if isinstance(value, Mapping):
        return ", ".join(f"{words(name)} {_inner(each)}" for name, each in value.items()) or NOTHING
    return NOTHING if value is None or value == "" else str(value)


def _inner(value: object) -> str:
    """A value within a value: what has parts of its own stands in brackets."""
    return f"({_value(value)})" if isinstance(value, list | tuple | Mapping) else str(value)
