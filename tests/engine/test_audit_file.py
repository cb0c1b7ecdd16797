"""The audit in its file: every byte of every column, every page of it, and exports that stand by themselves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.model.audit import AuditEntry, Head, chain
from engine.model.errors import NotFound
from engine.safekeeping.audit_lines import AuditExport, verify_lines
from engine.store import Store

BEGIN = datetime(2026, 5, 13, 9, tzinfo=UTC)
RECORDS = 4
TEXTS = ("actor", "action", "body", "previous", "hash")


def entry(n: int) -> AuditEntry:
    details = {"before": {"ring": "closed"}, "after": {"ring": "open"}}
    kb = 5089466 if n % 2 else None
    at = BEGIN + timedelta(minutes=n)
    return AuditEntry(at, "mia", "jump01", "approve", f"no. {n}", "why", kb, ("Test",), n, details)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    store = Store(path)
    with store.transaction():
        for n in range(1, RECORDS + 1):
            store.audit.append(entry(n))
    store.close()
    return path


@pytest.fixture
def store(state: Path) -> Iterator[Store]:
    """The state as somebody sees it who writes to the file by other means."""
    opened = Store(state)
    opened.connection.executescript("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_deleted")
    yield opened
    opened.close()


def found_after(store: Store, sql: str, *params: object) -> int:
    """Where verification finds what a statement does; the statement is taken back."""
    store.connection.execute("BEGIN")
    try:
        store.connection.execute(sql, params)
        check = store.audit.check()
        assert check.broken is not None, (sql, params)
        return check.broken.seq
    finally:
        store.connection.execute("ROLLBACK")


def test_the_untouched_audit_holds(store: Store) -> None:
    check = store.audit.check()
    assert check.holds
    assert check.records == RECORDS
    assert store.audit.head() == (check.head.seq, check.head.hash)


def test_every_byte_of_every_text_of_every_record(store: Store) -> None:
    flips = 0
    for seq in range(1, RECORDS + 1):
        for column in TEXTS:
            raw = store.connection.execute(
                f"SELECT CAST({column} AS BLOB) FROM audit WHERE seq = ?", (seq,)
            ).fetchone()[0]
            for place in range(len(raw)):
                for bit in (0x01, 0x80):
                    changed = raw[:place] + bytes([raw[place] ^ bit]) + raw[place + 1 :]
                    sql = f"UPDATE audit SET {column} = CAST(? AS TEXT) WHERE seq = ?"
                    assert found_after(store, sql, changed, seq) in (seq, seq + 1)
                    flips += 1
    assert flips > 2_000


@pytest.mark.parametrize("column", ["seq", "at", "kb"])
def test_every_bit_of_every_number_of_every_record(store: Store, column: str) -> None:
    for seq in range(1, RECORDS + 1):
        value = store.connection.execute(f"SELECT {column} FROM audit WHERE seq = ?", (seq,)).fetchone()[0]
        for bit in range(62):
            changed = (value or 0) ^ (1 << bit)
            taken = store.connection.execute("SELECT 1 FROM audit WHERE seq = ?", (changed,)).fetchone()
            if column == "seq" and taken:
                continue
            assert found_after(store, f"UPDATE audit SET {column} = ? WHERE seq = ?", changed, seq) <= seq + 1


@pytest.mark.parametrize("column", [*TEXTS, "at"])
def test_a_column_that_is_of_another_kind_is_found(store: Store, column: str) -> None:
    assert found_after(store, f"UPDATE audit SET {column} = CAST({column} AS BLOB) WHERE seq = 2") == 2


def test_a_deleted_first_middle_and_last_record_are_found(store: Store) -> None:
    for seq in range(1, RECORDS + 1):
        assert found_after(store, "DELETE FROM audit WHERE seq = ?", seq) == seq
    assert found_after(store, "DELETE FROM audit") == 1


def test_two_swapped_records_are_found(store: Store) -> None:
    for each, place in ((2, -2), (3, 2), (-2, 3)):
        store.connection.execute("UPDATE audit SET seq = ? WHERE seq = ?", (place, each))
    broken = store.audit.verify()
    assert broken is not None
    assert broken.seq == 2


def test_a_head_that_is_gone_or_nonsense_is_found(store: Store) -> None:
    assert found_after(store, "DELETE FROM setting WHERE name = 'audit-head'") == RECORDS
    for nonsense in ("", "[]", "null", '["a", "b"]', "[1, 2, 3]", f'[{RECORDS}, "{"0" * 64}"]'):
        found_after(store, "UPDATE setting SET value = ? WHERE name = 'audit-head'", nonsense)


def test_an_end_cut_off_with_its_head_needs_the_copy_from_elsewhere(store: Store) -> None:
    outside = Head(*(store.audit.head() or (0, "")))
    before = store.audit.before(RECORDS)
    assert before is not None
    store.connection.execute("DELETE FROM audit WHERE seq = ?", (RECORDS,))
    store.connection.execute(
        "UPDATE setting SET value = ? WHERE name = 'audit-head'", (f'[{before.seq}, "{before.hash}"]',)
    )
    assert store.audit.check().holds
    broken = store.audit.check(outside).broken
    assert broken is not None
    assert broken.seq == RECORDS


def test_a_record_put_before_the_first_is_found(store: Store) -> None:
    for seq in (0, -5):
        sql = "INSERT INTO audit SELECT ?, at, actor, action, kb, body, previous, hash FROM audit WHERE seq = 1"
        assert found_after(store, sql, seq) == seq


def test_a_head_out_of_every_range_and_a_table_that_is_gone_are_found(store: Store) -> None:
    assert found_after(store, "DROP TABLE audit") == 1
    for nonsense in ('[1e400, "a"]', "[" * 100_000):
        found_after(store, "UPDATE setting SET value = ? WHERE name = 'audit-head'", nonsense)


CUT = f"DELETE FROM audit WHERE seq = {RECORDS}"
HEADLESS = "DELETE FROM setting WHERE name = 'audit-head'"
OLD_HEAD = f"""
UPDATE setting SET value = json_array({RECORDS} - 1, (SELECT hash FROM audit WHERE seq = {RECORDS} - 1))
WHERE name = 'audit-head'
"""
NO_HEAD_AT_ALL = "UPDATE setting SET value = '[9223372036854775807, \"x\"]' WHERE name = 'audit-head'"


@pytest.mark.parametrize(
    "done", [[CUT], ["DELETE FROM audit"], [HEADLESS], [CUT, HEADLESS], [OLD_HEAD], [NO_HEAD_AT_ALL]]
)
def test_records_that_are_added_later_heal_nothing(store: Store, done: list[str]) -> None:
    for each in done:
        store.connection.execute(each)
    for n in (1, 2):
        with store.transaction():
            store.audit.append(entry(RECORDS + n))
        assert not store.audit.check().holds


def test_a_record_that_cannot_be_read_hides_no_other(store: Store) -> None:
    untouched = store.audit.page(10)
    for damaged in (
        "{}",
        "",
        "[" * 100_000,
        untouched_body(store).replace('"rings":["Test"]', '"rings":7'),
        untouched_body(store).replace('"devices":3', '"devices":"3"'),
        b"\xff\xfe",
    ):
        store.connection.execute("BEGIN")
        store.connection.execute("UPDATE audit SET body = CAST(? AS TEXT) WHERE seq = 3", (damaged,))
        for shown in (store.audit.page(10), tuple(store.audit.between(BEGIN, BEGIN + timedelta(days=1)))):
            assert [row.seq for row in shown] == [row.seq for row in untouched]
            assert [row for row in shown if row.seq != 3] == [row for row in untouched if row.seq != 3]
            broken = next(row for row in shown if row.seq == 3)
            assert broken.action == "unreadable"
            assert broken.at == BEGIN + timedelta(minutes=3)
            assert "3 cannot be read" in broken.summary
        store.connection.execute("ROLLBACK")


def untouched_body(store: Store) -> str:
    return str(store.connection.execute("SELECT body FROM audit WHERE seq = 3").fetchone()[0])


def test_pages_go_by_the_number_of_the_row_whatever_its_text_says(store: Store) -> None:
    store.connection.execute("UPDATE audit SET body = replace(body, '\"seq\":3', '\"seq\":99') WHERE seq = 3")
    assert [row.seq for row in store.audit.page(2, 4)] == [3, 2]


def test_a_flipped_byte_anywhere_on_the_pages_of_the_audit_is_found_or_alters_nothing(state: Path) -> None:
    with sqlite3.connect(state) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page_size = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'").fetchone()[0]
    connection.close()
    original = state.read_bytes()
    begin = (root - 1) * page_size
    true = read(state)
    assert true[0] is None
    found = 0
    for place in (*range(begin, begin + 16), *range(begin + 16, begin + page_size, 23)):
        state.write_bytes(original[:place] + bytes([original[place] ^ 0x01]) + original[place + 1 :])
        broken, kept = read(state)
        assert broken is not None or kept == true[1], place
        found += broken is not None
    assert found > 20


def read(path: Path) -> tuple[object, object]:
    """What verification says of a file, and what its records are."""
    store = Store(path, read_only=True)
    try:
        broken = store.audit.verify()
        return broken, None if broken is not None else list(store.audit.records())
    finally:
        store.close()


# --- exports ----------------------------------------------------------------------------------------


def exported(store: Store, since: datetime | None = None) -> list[str]:
    return list(AuditExport(store, since, None))


def test_an_export_holds_by_itself_and_tells_the_last_hash(store: Store) -> None:
    lines = exported(store)
    check = verify_lines(lines)
    assert check.holds
    assert (check.records, check.start.seq) == (RECORDS, 0)
    assert (check.head.seq, check.head.hash) == store.audit.head()
    assert len(lines) == RECORDS + 1


def test_a_part_is_exported_and_held_by_the_record_before_it(store: Store) -> None:
    whole = exported(store)
    lines = exported(store, BEGIN + timedelta(minutes=3))
    assert lines[:-1] == whole[2:-1]
    before = store.audit.before(3)
    assert before is not None
    check = verify_lines(lines, before)
    assert check.holds
    assert check.start == before
    assert not verify_lines(lines, Head(before.seq, "0" * 64)).holds
    with pytest.raises(NotFound, match="no audit record"):
        exported(store, BEGIN + timedelta(days=1))


def test_every_byte_of_an_export_counts(store: Store) -> None:
    text = "".join(exported(store))
    for place in range(len(text)):
        changed = text[:place] + chr(ord(text[place]) ^ 0x01) + text[place + 1 :]
        assert not verify_lines(changed.splitlines(keepends=True)).holds, place


def test_missing_moved_and_added_lines_of_an_export_are_found(store: Store) -> None:
    lines = exported(store)
    for gone in range(1, len(lines)):
        assert not verify_lines(lines[:gone] + lines[gone + 1 :]).holds
    # Without its first line it is a part: it says so, and what it begins with is not the copy that was kept.
    part = verify_lines(lines[1:])
    assert not part.holds
    assert not verify_lines([lines[0], lines[2], lines[1], *lines[3:]]).holds
    assert not verify_lines([*lines, lines[-1]]).holds
    assert not verify_lines([*lines, lines[0]]).holds
    assert not verify_lines([]).holds
    assert not verify_lines(["{}\n"]).holds


def test_an_export_written_anew_is_found_by_the_copy_from_elsewhere(store: Store) -> None:
    lines = exported(store)
    outside = verify_lines(lines).head
    cut = [*lines[:-2], lines[-1]]
    assert not verify_lines(cut).holds
    shorter = exported(store)[: RECORDS - 1]
    walk = verify_lines([*shorter, lines[-1].replace(f'"records":{RECORDS}', f'"records":{RECORDS - 1}')])
    assert not walk.holds
    honest = Head(RECORDS - 1, verify_lines(lines[: RECORDS - 1]).head.hash)
    made = f'{{"records":{RECORDS - 1},"after":0,"start":"{"0" * 64}","last":{honest.seq},"hash":"{honest.hash}"}}\n'
    forged = [*shorter, made]
    assert verify_lines(forged).holds
    assert not verify_lines(forged, outside).holds


def test_a_broken_chain_is_exported_up_to_its_break_and_without_the_last_line(store: Store) -> None:
    store.connection.execute("UPDATE audit SET actor = 'eve' WHERE seq = 3")
    export = AuditExport(store, None, None)
    lines = list(export)
    assert len(lines) == 2
    assert export.check is not None
    assert export.check.broken is not None
    assert export.check.broken.seq == 3


def test_an_audit_without_its_head_or_with_a_record_before_the_first_is_not_exported(store: Store) -> None:
    for done in (
        HEADLESS,
        "INSERT INTO audit SELECT -5, at, actor, action, kb, body, previous, hash FROM audit WHERE seq = 1",
    ):
        store.connection.execute(done)
        export = AuditExport(store, None, None)
        assert not [line for line in export if line.startswith('{"records"')]
        assert export.check is not None
        assert not export.check.holds


def test_an_empty_audit_exports_its_last_line_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "empty.db")
    lines = exported(store)
    store.close()
    assert len(lines) == 1
    assert verify_lines(lines).holds


def test_the_hash_is_of_the_text_as_it_stands_in_the_line(store: Store) -> None:
    line = exported(store)[0]
    body = line.partition('"record":')[2][:-2]
    assert f'"hash":"{chain("0" * 64, body)}"' in line
