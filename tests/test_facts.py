"""A fact of a device stands in one table; every place that goes by it has what the table says, a new one at once."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from console.cli import helpdesk
from console.cli.documents import document
from console.cli.session import Session
from console.columns import DEVICES
from console.device_reads import DeviceReport
from console.widgets.device_text import device_paras
from engine.files.devices import COLUMNS, DateOrder, ImportedRow
from engine.files.devices.columns import meaning
from engine.files.devices.record import stated
from engine.files.devices.rows import DeviceRowReader
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.facts import FACTS, Fact
from engine.model.filters import FIELDS
from engine.model.model import (
    ChpeState,
    DeviceFacts,
    DeviceState,
    FormFactor,
    Management,
    Subscription,
    Track,
    Verdict,
)
from engine.model.records.fleet import DeviceRow
from engine.rules.helpdesk.facts import device_facts
from engine.rules.readiness import assess
from engine.store.connection import open_state
from engine.store.device_rows import ROW_COLUMNS
from engine.store.devices import FACT_COLUMNS, DeviceStore, fact_values, facts_of
from engine.store.filter_sql import compile_text
from tests.documents import ROOT
from tests.engine.helpdesk_devices import APRIL_BUILD, HOUR, MAY_13, MAY_BUILD, detail_of, facts, told

NOW = datetime(2026, 5, 12, 17, tzinfo=UTC)
NAMES = [each.name for each in FACTS]
IN_LISTS = [each.name for each in FACTS if each.in_lists]
OTHERS = set("external_id name_key user_key search_key".split())
"""Columns that a check-in writes beside the facts."""


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    with closing(open_state(tmp_path_factory.mktemp("facts") / "fleet.db")) as connection:
        yield connection


def test_every_fact_stands_in_the_table_once_in_the_order_of_the_record() -> None:
    assert list(DeviceFacts.__struct_fields__) == NAMES


def test_the_table_and_the_record_agree_on_types_and_on_what_is_not_told() -> None:
    hints = get_type_hints(DeviceFacts)
    silent = DeviceFacts("", None, None, None, provider="")
    for fact in FACTS:
        of_record = {kind for kind in get_args(hints[fact.name]) or (hints[fact.name],) if kind is not type(None)}
        assert of_record == {fact.kind}, fact.name
        if fact.name != "provider":
            assert fact.not_told == getattr(silent, fact.name), fact.name
            assert (fact.not_told is None) == (type(None) in get_args(hints[fact.name])), fact.name


def test_columns_of_device_lists_are_the_facts_with_id_and_ring() -> None:
    names = [column.name for column in COLUMNS]

    assert names == ["name", "id", "ring", *IN_LISTS[1:]]
    assert list(stated({"name": "A"})) == names
    for fact in FACTS:
        for header in (fact.name, *fact.in_lists.aliases) if fact.in_lists else ():
            assert meaning(header, intune=False) == meaning(header.upper(), intune=True) == fact.name


def test_an_example_of_every_column_is_read_and_silence_is_what_the_record_says() -> None:
    reader = DeviceRowReader(intune=False, told_at=NOW, provider="import", dates=DateOrder.UNKNOWN)
    whole = reader.read(1, {each.name: each.example for each in COLUMNS}, (), has_last_seen=True)
    bare = reader.read(2, {"name": "A"}, (), has_last_seen=True)

    assert isinstance(whole, ImportedRow)
    for fact in FACTS:
        value = getattr(whole.facts, fact.name)
        assert isinstance(value, fact.kind), fact.name
        assert value != fact.not_told, fact.name
    assert isinstance(bare, ImportedRow)
    assert bare.facts == DeviceFacts("A", None, None, None, provider="import")


def test_the_state_has_a_column_for_every_fact(db: sqlite3.Connection) -> None:
    table = {row["name"] for row in db.execute("PRAGMA table_info(device)")}

    assert set(FACT_COLUMNS) == {*NAMES, *OTHERS}
    assert len(FACT_COLUMNS) == len(set(FACT_COLUMNS))
    assert set(FACT_COLUMNS) <= table


def _told(fact: Fact) -> st.SearchStrategy[object]:
    if fact.words:
        return st.sampled_from(list(fact.kind))
    seconds = st.integers(0, 2**32).map(lambda at: datetime.fromtimestamp(at, UTC))
    builds = st.builds(OsBuild, st.integers(1, 999_999), st.integers(0, 99_999_999))
    return {str: st.text(), int: st.integers(1, 4096), bool: st.booleans(), datetime: seconds, OsBuild: builds}[
        fact.kind
    ]


@given(st.fixed_dictionaries({each.name: st.just(each.not_told) | _told(each) for each in FACTS}))
def test_the_state_gives_back_what_it_was_given(db: sqlite3.Connection, told: dict[str, object]) -> None:
    facts = DeviceFacts(**told)  # type: ignore[arg-type]
    db.execute("DELETE FROM device")
    DeviceStore(db).insert_many([(*fact_values("id", facts), None)])

    row = db.execute("SELECT * FROM device").fetchone()
    assert facts_of(row) == facts
    assert dict(zip(FACT_COLUMNS, fact_values("id", facts), strict=True)) == {name: row[name] for name in FACT_COLUMNS}


def test_every_fact_that_can_be_asked_for_has_its_field_and_its_column(db: sqlite3.Connection) -> None:
    asked = {each.in_filters.name: each for each in FACTS if each.in_filters}
    fields = {each.name: each for each in FIELDS}

    assert asked.keys() <= fields.keys()
    assert len(fields) == len(FIELDS)
    for name, fact in asked.items():
        assert set(fact.words) <= set(fields[name].values)
        for text in (fields[name].example, *(f"{name}:{value}" for value in fields[name].values)):
            condition = compile_text(text, NOW)
            assert f"d.{fact.name}" in condition.where, text
            db.execute(f"SELECT 1 FROM device d WHERE {condition.where}", condition.params)


def test_every_fact_is_in_the_json_of_a_device_and_those_of_a_row_come_from_their_column() -> None:
    for fact in FACTS:
        told = document(_with(CLIENT, fact, _others(fact, CLIENT)[0]))
        keys = [key for key, value in document(CLIENT).items() if told[key] != value]
        assert keys == [fact.shown.json or fact.name.removesuffix("_at")]
    in_rows = [name for name in DeviceRow.__struct_fields__ if name in NAMES]
    assert in_rows == [name for name in ROW_COLUMNS.replace("d.", "").split(", ") if name in NAMES]
    assert set(in_rows) == {each.name for each in FACTS if each.shown.column}


# --- where a fact is shown --------------------------------------------------------------------------

NOTHING_ELSE = {
    "domain": "a device is found by it; the sign-in name says it to people",
    "cores": "the report of costs counts them",
    "provider": "the age of what it told names it, where it is a tenant",
}
"""Facts that no page, ticket or column shows."""
CLIENT = facts(
    MAY_BUILD,
    domain="CONTOSO",
    serial="PF3K7Q2",
    asset_tag="A-10042",
    site="London",
    model="Latitude 7450",
    driver="Intel Graphics 31.0.101",
    cores=16,
    policy_name="Hotpatch default",
    subscription=Subscription.ENABLED,
    chpe=ChpeState.DISABLED,
)
ARM = replace(CLIENT, architecture=Architecture.ARM64)
SERVER = replace(
    CLIENT, platform=Platform.SERVER_2025, edition="Datacenter", form=FormFactor.SERVER, management=Management.ARC
)


def _others(fact: Fact, device: DeviceFacts) -> list[object]:
    """Other values of a fact, told as well as the device's own."""
    told = getattr(device, fact.name)
    if fact.words:
        return [word for word in fact.kind if word not in (told, fact.not_told)]
    if fact.name in ("edition", "licence"):
        return [{"edition": "Education", "licence": "m365-e5"}[fact.name]]
    other: object = {
        str: f"x{told}",
        int: 17,
        bool: not told,
        datetime: MAY_13 - 3 * HOUR,
        OsBuild: APRIL_BUILD,
    }[fact.kind]
    return [other]


def _with(device: DeviceFacts, fact: Fact, value: object) -> DeviceFacts:
    return replace(device, **{fact.name: value})  # type: ignore[arg-type]


def _page(device: DeviceFacts) -> dict[str, str]:
    """The page of a device by its lines, with what is worked out from the facts as it is of another device."""
    detail = replace(detail_of(CLIENT, MAY_13), facts=device)
    report = DeviceReport(detail, told(CLIENT), assess(CLIENT, None, MAY_13), None, None, MAY_13)
    found: dict[str, str] = {}
    part = "head"
    for each in device_paras(report, ()):
        if each.body.plain in ("Next", "Readiness", "Build", "Device", "History"):
            part = each.body.plain
        line = each.head.plain.strip() or part
        found[line] = found.get(line, "") + each.body.plain
    return found


def _command(device: DeviceFacts, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    detail = replace(detail_of(CLIENT, MAY_13), facts=device)
    readiness = replace(assess(CLIENT, None, MAY_13), checks=())
    helpdesk._show_device(Session(plain=True), helpdesk._Told(detail, readiness, told(CLIENT), (), ()), MAY_13)
    lines = capsys.readouterr().out.splitlines()
    return {"head": lines[0], **dict(line.split("\t") for line in lines if "\t" in line)}


def _ticket(device: DeviceFacts) -> dict[str, str]:
    detail = replace(detail_of(CLIENT, MAY_13), facts=device)
    return dict(device_facts(detail, assess(CLIENT, None, MAY_13), None, with_driver=True))


def _changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {line for line in before.keys() | after.keys() if before.get(line) != after.get(line)}


def test_every_fact_is_shown_where_the_table_says_and_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    page, command, ticket = _page(CLIENT), _command(CLIENT, capsys), _ticket(CLIENT)
    for fact in FACTS:
        other = _with(CLIENT, fact, _others(fact, CLIENT)[-1])
        where = {fact.shown.page} - {""}
        assert where <= _changed(page, _page(other)) <= where | {"head"}, fact.name
        assert _changed(command, _command(other, capsys)) == {fact.shown.command} - {""}, fact.name
        assert _changed(ticket, _ticket(other)) == {fact.shown.ticket} - {""}, fact.name
        assert any([where, fact.shown.command, fact.shown.check]) != (fact.name in NOTHING_ELSE), fact.name


def _found(device: DeviceFacts) -> dict[str, str]:
    return {each.check: each.found for each in assess(device, None, MAY_13).checks}


def test_a_check_tells_the_fact_that_the_table_gives_it() -> None:
    for fact in FACTS:
        tellers: set[str] = set()
        for device in (CLIENT, ARM, SERVER):
            for other in _others(fact, device):
                before, after = _found(device), _found(_with(device, fact, other))
                tellers |= {check for check in before.keys() & after.keys() if before[check] != after[check]}
        assert (fact.shown.check in tellers) if fact.shown.check else not tellers, fact.name


def test_a_column_of_the_list_shows_the_fact_that_the_table_gives_it() -> None:
    row = DeviceRow(
        id=1,
        ring="Broad",
        verdict=Verdict.READY,
        reasons=(),
        track=Track.HOTPATCH,
        protected=True,
        state=DeviceState.IDLE,
        tenant="",
        **{each.name: getattr(CLIENT, each.name) for each in FACTS if each.shown.column},
    )
    for fact in FACTS:
        if fact.shown.column:
            other = replace(row, **{fact.name: _others(fact, CLIENT)[0]})  # type: ignore[arg-type]
            columns = [each.id for each in DEVICES if each.cell(row, MAY_13) != each.cell(other, MAY_13)]
            assert columns == [fact.shown.column]


_NEW = {
    "engine/model/model.py": ('    site: str = ""\n', '    site: str = ""\n    shelf: str = ""\n'),
    "engine/model/facts.py": (
        '    Fact(\n        "model",\n',
        '    Fact("shelf", str, ListWords("where it lies", "B-12", ("Rack",)), FilterWords("shelf", "", "shelf:b")),\n'
        '    Fact(\n        "model",\n',
    ),
}
_MIGRATION = """

@migrations()
def m999_shelf(db: Database) -> None:
    db.execute("ALTER TABLE device ADD COLUMN shelf TEXT NOT NULL DEFAULT ''")
"""
"""What CONTRIBUTING asks for a fact that is text."""


def test_a_new_fact_is_everywhere(tmp_path: Path) -> None:
    for part in ("engine", "console", "data"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, (before, after) in _NEW.items():
        path = tmp_path / name
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1, name
        path.write_text(text.replace(before, after), encoding="utf-8")
    with (tmp_path / "engine/store/schema/kept.py").open("a", encoding="utf-8") as migrations:
        migrations.write(_MIGRATION)
    for name, shelf in (("first", "B-11"), ("second", "B-12")):
        (tmp_path / f"{name}.csv").write_text(f"name,site,Rack\nPC-1,London,{shelf}\nPC-2,London,\n", encoding="utf-8")
    calls = (
        "import first.csv --json --yes",
        "import second.csv --json --yes",
        "devices shelf:b-12 --json",
        "device PC-1 --json",
    )
    script = f"from console.cli import run\nfor call in {calls!r}: run(['--db', 's.db', *call.split()]), print(',')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )

    assert done.stderr == ""
    first, second, rows, page = json.loads(f"[{done.stdout.rstrip().removesuffix(',')}]")
    assert (first["added"]["devices"], first["unknown_columns"]) == (2, [])
    assert (second["changed"]["devices"], second["changed_facts"]) == (1, {"shelf": 1})
    assert [row["name"] for row in rows] == ["PC-1"]
    assert page["shelf"] == "B-12"
