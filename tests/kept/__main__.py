"""``python -m tests.kept NAME...``: makes states and writes down what this version says of them. Not for 0.1 again."""

from __future__ import annotations

import gzip
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.kept.asking import copied, packed, script_of, temporary
from tests.kept.lines import lines
from tests.kept.making import DAY, STATES, Kept, scan
from tests.kept.surroundings import STATE, audit_bytes, fixed, kept_json, said


def make(kept: Kept) -> None:
    """Make one state, pack it, and record what is said and done."""
    record: dict[str, Any] = {"about": kept.about, "files": dict(kept.files)}
    with temporary() as folder:
        with fixed(folder, DAY):
            record["writes"] = kept.make()
            record["files"]["scan.csv"] = scan((kept.words["device"], kept.words["other"]))
            record["files"].setdefault("devices.csv", "name,platform,build\nNEW-1,win11-24h2,26100.8246\n")
        with closing(sqlite3.connect(folder / STATE)) as connection:
            connection.execute("DELETE FROM lease")  # it names a process of this machine
            connection.commit()
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        packed(kept).write_bytes(gzip.compress((folder / STATE).read_bytes(), 9, mtime=0))
    with temporary() as folder, copied(kept, record, folder):
        record["audit"], record["json"] = audit_bytes(), kept_json()
    with temporary() as folder, copied(kept, record, folder):
        record["said"] = {line: said(line) for line in (*lines(**kept.words), *kept.more)}
    record["scripts"] = {}
    for name in kept.scripts:
        with temporary() as folder, copied(kept, record, folder, later=True):
            record["scripts"][name] = script_of(kept, record, name)
    text = json.dumps(record, indent=0)
    Path(packed(kept).with_name(f"{kept.name}.json.gz")).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    for each in STATES:
        if each.name in (sys.argv[1:] or [each.name]):
            make(each)
            print(each.name, packed(each).stat().st_size)  # noqa: T201 - it is a command
