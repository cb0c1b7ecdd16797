"""Records as JSON: every word of a shape is true of its record, new fields follow, and lines are what `json` writes."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

import console.cli
import console.reports
import engine
from console.cli.documents import document, iso, plain
from console.cli.lines import lines
from console.cli.shapes import RECORDS
from engine import open_engine
from engine.model.build import OsBuild
from engine.model.model import Approval, Verdict
from engine.model.records.fleet import DeviceQuery
from tests.console.fake_engine import device_row

NOW = datetime(2026, 5, 13, 9, tzinfo=UTC)


def records() -> Iterator[type[Struct]]:
    for package in (engine, console.cli, console.reports):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                for value in vars(importlib.import_module(found.name)).values():
                    if isinstance(value, type) and issubclass(value, Struct):
                        yield value


def test_every_shape_is_about_a_record_and_its_fields() -> None:
    known = {each.__name__: each for each in records()}

    for name, words in RECORDS.items():
        assert name in known, name
        for word in words.split():
            path = word.lstrip("-*").partition("=")[2] or word.lstrip("-*")
            field = path.partition(":")[0].rstrip("?").removesuffix("()").partition(".")[0]
            there = not field or hasattr(known[name], field) or hasattr(known[name], f"{field}_at")
            assert there, f"{name} has no {field!r}"


class Told(Struct, frozen=True):
    """A record that no shape names."""

    name: str
    seen_at: datetime
    build: OsBuild
    kb: int
    verdict: Verdict
    lasts: timedelta
    new: tuple[Told, ...] = ()


class Odd(Struct, frozen=True):
    """Fields alone, of all kinds."""

    name: str
    none: str | None
    yes: bool
    many: tuple[str | float, ...]
    empty: tuple[str, ...]


class Late(Struct, frozen=True):
    """Not of fields alone: a KB is written otherwise."""

    kb: int
    ring: str


def test_a_record_without_a_shape_is_json_field_by_field() -> None:
    inner = Told("b", NOW, OsBuild(26100, 1), 5089466, Verdict.READY, timedelta(hours=1))
    found = document(Told("a", NOW, OsBuild(26100, 8390), 5089549, Verdict.UNKNOWN, timedelta(seconds=2), (inner,)))

    told = {
        "seen": "2026-05-13T09:00:00Z",
        "build": "26100.8390",
        "kb": "KB5089549",
        "verdict": "unknown",
        "lasts": 2.0,
    }
    assert found == {"name": "a", **told, "new": [document(inner)]}
    assert json.dumps(found)


def test_what_depends_on_the_time_is_not_guessed() -> None:
    approval = Approval(1, 5089466, ("Test",), "tried", "alice", NOW)

    assert document(approval, NOW)["valid"] is True
    assert document(approval, NOW)["kb"] == "KB5089466"
    with pytest.raises(TypeError):
        document(approval)


def test_what_has_no_form_as_json_is_refused() -> None:
    with pytest.raises(TypeError):
        plain({"what": object()})


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_times_are_whole_seconds_in_utc(at: datetime) -> None:
    if at.year in (1, 9999):
        return
    assert iso(at) == at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


@given(st.text(st.characters()))
@example("\x7f")
@example("\ud800")
@example('\x1b[31m \b\f\n\r\t"\\/')
@example("Zürich 😀")
def test_a_line_is_what_json_writes_of_the_document_in_ascii(text: str) -> None:
    odd = Odd(text, None, yes=True, many=(text, 1, 1.0, True), empty=())
    row = device_row(1, name=text, user=text, ring=text, reasons=(text, "VBS off"), tenant="")

    for record in (odd, row, device_row(2, platform=None, build=None, ring="", last_seen_at=None)):
        (line,) = lines([record], "as_of", lambda _: text)
        assert line == json.dumps(document(record) | {"as_of": text}, ensure_ascii=True)
        assert line.isascii()


def test_a_line_of_a_record_with_more_than_fields_is_its_document_too() -> None:
    late = Late(5089466, "Broad")

    (line,) = lines([late], "as_of", lambda _: NOW)
    assert line == '{"kb": "KB5089466", "ring": "Broad", "as_of": "2026-05-13T09:00:00Z"}'


def test_lines_of_a_whole_fleet_are_its_documents(prepared_demo: Path) -> None:
    with open_engine(prepared_demo, read_only=True) as engine:
        rows = list(engine.reads.devices.each(DeviceQuery()))

    assert len(rows) > 1
    assert list(lines(rows, "as_of", lambda row: row.tenant or None)) == [
        json.dumps(document(row) | {"as_of": row.tenant or None}) for row in rows
    ]
