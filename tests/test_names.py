"""A name means one thing: no two public classes of the program bear the same."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import textual

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


def test_styles_name_classes_that_there_are() -> None:
    # Textual takes a selector that matches nothing without a word, so a renamed widget loses its styles in silence.
    texts = [(ROOT / "console/console.tcss").read_text(encoding="utf-8")]
    toolkit = Path(textual.__file__).parent
    known = {
        name
        for path in toolkit.rglob("*.py")
        for name in re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.M)
    }
    for path in sorted((ROOT / "console").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                known.add(node.name)
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and "CSS" in ast.unparse(node):
                texts.append(str(node.value.value))
    selectors = re.findall(
        r"^([^/{}]*)\{", "\n".join(re.sub(r"/\*.*?\*/", "", text, flags=re.S) for text in texts), re.M
    )
    named = {name for each in selectors for name in re.findall(r"(?<![\w.#&$-])[A-Z]\w+", each)}

    assert len(named) > 10
    assert named - known == set()
