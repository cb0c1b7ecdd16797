"""Importing a device list into a real state file: all of it or nothing, and twice is once."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlite_utils import Database

from engine import Engine, open_engine
from engine.model.build import OsBuild
from engine.model.errors import BadInput, Refused
from engine.model.intents import Role
from engine.model.model import Verdict
from engine.model.records.fleet import DeviceQuery
from engine.store import incoming
from engine.store.schema import recount

HEADER = "name,ring,platform,architecture,build,edition,user,licence,management,policy,vbs,last_seen_at"
ALICE = "LON-1,Test,win11-24h2,x64,26100.8246,Enterprise,alice@contoso.com,m365-e3,intune,allow,running,2026-11-20"
BOB = "LON-2,Broad,win11-25h2,x64,26200.8246,Enterprise,bob@contoso.com,m365-e3,intune,allow,off,2026-11-20"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = open_engine(tmp_path / "fleet.db", create=True)
    yield found
    found.close()


def written(tmp_path: Path, *rows: str, header: str = HEADER, name: str = "devices.csv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def names(engine: Engine) -> list[str]:
    return [row.name for row in engine.reads.devices.each(DeviceQuery())]


def test_a_list_comes_in_with_rings_readiness_and_an_audit_record(engine: Engine, tmp_path: Path) -> None:
    report = engine.import_devices(written(tmp_path, ALICE, BOB))
    assert (report.done, report.rows, report.added.devices) == (True, 2, 2)
    rows = {row.name: row for row in engine.reads.devices.each(DeviceQuery())}
    assert rows["LON-1"].ring == "Test"
    assert rows["LON-2"].verdict is Verdict.NOT_READY
    assert "VBS off" in rows["LON-2"].reasons
    record = engine.reads.activity.audit()[0]
    assert (record.action, record.devices) == ("import", 2)
    assert sum(count.devices for count in engine.reads.devices.counts()) == 2


def test_the_same_file_twice_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    path = written(tmp_path, ALICE, BOB)
    engine.import_devices(path)
    number = engine.change_number()
    again = engine.import_devices(path)
    assert (again.added.devices, again.changed.devices, again.gone.devices) == (0, 0, 0)
    assert engine.change_number() == number
    assert len(engine.reads.activity.audit()) == 1


def test_a_file_that_tells_no_check_ins_twice_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    path = written(tmp_path, "LON-1,26100.8246", header="name,build")
    engine.import_devices(path)
    again = engine.import_devices(path)
    assert (again.added.devices, again.changed.devices) == (0, 0)


def test_a_dry_run_tells_added_changed_and_gone_and_touches_nothing(engine: Engine, tmp_path: Path) -> None:
    engine.import_devices(written(tmp_path, ALICE, BOB))
    number = engine.change_number()
    mended = BOB.replace(",off,", ",running,")
    third = ALICE.replace("LON-1", "LON-3")
    report = engine.import_devices(written(tmp_path, mended, third, name="next.csv"), dry_run=True)
    assert not report.done
    assert (report.added.sample, report.changed.sample, report.gone.sample) == (("LON-3",), ("LON-2",), ("LON-1",))
    assert report.changed_facts == (("vbs", 1),)
    assert engine.change_number() == number
    assert names(engine) == ["LON-1", "LON-2"]


def test_what_a_row_does_not_tell_stays(engine: Engine, tmp_path: Path) -> None:
    engine.import_devices(written(tmp_path, ALICE))
    engine.import_devices(written(tmp_path, "LON-1,26100.8390", header="name,build"))
    facts = engine.reads.devices.find("LON-1").facts
    assert (str(facts.build), facts.user, facts.licence) == ("26100.8390", "alice@contoso.com", "m365-e3")


def test_gone_devices_stay_unless_their_removal_is_asked_for(engine: Engine, tmp_path: Path) -> None:
    engine.import_devices(written(tmp_path, ALICE, BOB))
    only_one = written(tmp_path, ALICE, name="one.csv")
    kept = engine.import_devices(only_one)
    assert kept.gone.devices == 1
    assert names(engine) == ["LON-1", "LON-2"]
    removed = engine.import_devices(only_one, remove_gone=True)
    assert removed.removed == 1
    assert names(engine) == ["LON-1"]
    assert sum(count.devices for count in engine.reads.devices.counts()) == 1


def test_bad_rows_are_named_and_do_not_stop_the_others(engine: Engine, tmp_path: Path) -> None:
    mistyped = ALICE.replace("LON-1", "LON-9").replace("Test", "Tset")
    path = written(tmp_path, ALICE, mistyped, "LON-8,,,,not-a-build,,,,,,,")
    report = engine.import_devices(path)
    assert report.bad_count == 2
    assert [(bad.line, bad.field) for bad in report.bad] == [(3, "ring"), (4, "build")]
    assert "Test, First, Fast, Broad, Last" in report.bad[0].reason
    assert names(engine) == ["LON-1"]


def test_a_strict_import_takes_nothing_when_one_row_is_bad(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"devices\.csv, line 3, field build"):
        engine.import_devices(written(tmp_path, ALICE, "LON-8,,,,not-a-build,,,,,,,"), strict=True)
    assert names(engine) == []


def test_an_interrupted_import_leaves_nothing_behind(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.import_devices(written(tmp_path, ALICE))

    def interrupted(*_: object, **__: object) -> tuple[int, int]:
        raise KeyboardInterrupt

    for place in ("add", "take_over"):
        monkeypatch.setattr(incoming.Incoming, place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.import_devices(written(tmp_path, ALICE, BOB))
        monkeypatch.undo()
        assert names(engine) == ["LON-1"]
    assert engine.import_devices(written(tmp_path, ALICE, BOB)).added.devices == 1


def test_a_viewer_may_look_but_not_import(tmp_path: Path) -> None:
    open_engine(tmp_path / "fleet.db", create=True).close()
    with open_engine(tmp_path / "fleet.db", role=Role.VIEWER) as engine:
        path = written(tmp_path, ALICE)
        assert engine.import_devices(path, dry_run=True).added.devices == 1
        with pytest.raises(Refused, match="role is viewer"):
            engine.import_devices(path)


def test_kept_totals_are_right_after_small_and_bulk_imports(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.devices._COUNT_ANEW_FROM", 300)
    path = tmp_path / "many.csv"
    for size in (50, 500, 480):
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER.split(","))
            for number in range(size):
                writer.writerow((ALICE if number % 3 else BOB).replace("LON-", f"D{number}-").split(","))
        engine.import_devices(path, remove_gone=True)
        kept = sorted(engine.reads.devices.counts(), key=repr)
        store = engine.reads.store
        with store.transaction():
            recount(Database(store.connection, execute_plugins=False))
        assert sorted(engine.reads.devices.counts(), key=repr) == kept
        assert sum(count.devices for count in kept) == size


def builds_seen(engine: Engine) -> list[tuple[str, str, str]]:
    rows = engine.reads.store.connection.execute(
        "SELECT d.name, datetime(b.at, 'unixepoch'), b.build FROM build_seen b JOIN device d ON d.id = b.device_id "
        "ORDER BY d.name, b.at"
    )
    return [(name, at, str(OsBuild.from_int(build))) for name, at, build in rows]


def test_the_first_check_in_of_each_build_is_remembered(engine: Engine, tmp_path: Path) -> None:
    engine.import_devices(written(tmp_path, ALICE, BOB))
    assert builds_seen(engine) == [
        ("LON-1", "2026-11-20 00:00:00", "26100.8246"),
        ("LON-2", "2026-11-20 00:00:00", "26200.8246"),
    ]
    patched = ALICE.replace("26100.8246", "26100.8390").replace("2026-11-20", "2026-11-21")
    same_build = BOB.replace("2026-11-20", "2026-11-21")
    engine.import_devices(written(tmp_path, patched, same_build))
    engine.import_devices(written(tmp_path, patched.replace("2026-11-21", "2026-11-22"), same_build))
    assert [row for row in builds_seen(engine) if row[1] > "2026-11-20 00:00:00"] == [
        ("LON-1", "2026-11-21 00:00:00", "26100.8390")
    ]
    engine.import_devices(written(tmp_path, BOB), remove_gone=True)
    assert {name for name, _, _ in builds_seen(engine)} == {"LON-2"}


def test_two_builds_of_one_check_in_the_later_telling_is_right(engine: Engine, tmp_path: Path) -> None:
    engine.import_devices(written(tmp_path, ALICE))
    engine.import_devices(written(tmp_path, ALICE.replace("26100.8246", "26100.8390")))
    assert builds_seen(engine) == [("LON-1", "2026-11-20 00:00:00", "26100.8390")]


def test_a_build_without_a_check_in_was_seen_when_it_was_imported(engine: Engine, tmp_path: Path) -> None:
    engine.import_devices(written(tmp_path, "LON-1,26100.8246", "LON-2,", header="name,build"))
    found = builds_seen(engine)
    assert [(name, build) for name, _, build in found] == [("LON-1", "26100.8246")]
    assert abs((datetime.fromisoformat(found[0][1]) - engine.now().replace(tzinfo=None)).total_seconds()) < 60
