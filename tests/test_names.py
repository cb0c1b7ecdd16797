"""A name means one thing: no two public classes of the program bear the same."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.documents import ROOT


def test_no_two_public_classes_bear_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for wing in ("engine", "console"):
        for path in sorted((ROOT / wing).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(path.relative_to(ROOT).as_posix())

    assert len(places) > 300
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
