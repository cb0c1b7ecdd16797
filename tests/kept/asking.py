"""Asks a kept state everything, and carries its scripts out on copies; what was said is one JSON document."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kept.making import DAY, Kept, tenant_of
from tests.kept.surroundings import STATE, audit_bytes, fixed, installs, kept_json, said

V0_1 = Path(__file__).parent / "v0_1"


def packed(kept: Kept) -> Path:
    return V0_1 / f"{kept.name}.db.gz"


def read_record(kept: Kept) -> dict[str, Any]:
    """What 0.1 said of the state and did with it."""
    with gzip.open(V0_1 / f"{kept.name}.json.gz", "rt", encoding="utf-8") as file:
        record: dict[str, Any] = json.load(file)
    return record


@contextmanager
def copied(kept: Kept, record: dict[str, Any], folder: Path, *, later: bool = False) -> Iterator[None]:
    """A copy of the state as 0.1 left it, with the files that its command lines name, in its surroundings."""
    with gzip.open(packed(kept)) as file, (folder / STATE).open("wb") as state:
        shutil.copyfileobj(file, state)
    for name, text in record["files"].items():
        (folder / name).write_bytes(text.encode())
        os.utime(folder / name, (DAY.timestamp(), DAY.timestamp()))
    with fixed(folder, DAY + kept.later if later else DAY):
        yield


def script_of(kept: Kept, record: dict[str, Any], name: str) -> dict[str, Any]:
    """Carry a script out on the present copy: what each line said, and what all of them wrote."""
    before, json_before = audit_bytes(), kept_json()
    old = installs()
    with tenant_of(kept, record["writes"]):
        told = [[line, said(line)] for line in kept.scripts[name]]
    json_after = kept_json()
    written = {
        place: sorted((Counter(texts) - Counter(json_before.get(place, []))).elements())
        for place, texts in json_after.items()
    }
    return {
        "said": told,
        "audit": audit_bytes(after=before[-1]["seq"] if before else 0),
        "json": {place: texts for place, texts in written.items() if texts},
        "installs": installs(),
        "installs before": [each["id"] for each in old],
    }


@contextmanager
def temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
