"""Writes docs/reference/ from what the program says of itself: ``python -m tests.documents``.

`tests/test_documents.py` compares, so that the reference cannot lie. The page of measurements is not among them:
``python -m tests.bench --write`` puts its table there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from console.cli.reference import commands_markdown, exit_codes_markdown, options_markdown, permissions_markdown
from console.keys import key_table
from console.settings import settings_table
from engine.files.devices import format_table
from engine.model.filters.fields import FIELDS

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "reference"
PERFORMANCE = REFERENCE / "performance.md"
"""Written by the bench."""
PAGES = (README, *sorted((ROOT / "docs").rglob("*.md")))
"""Whatever a reader is led to; their commands run, their links and pictures exist."""


def _keys() -> str:
    """Every key once, by group."""
    rows = ["| key | does | |", "|---|---|---|"]
    group_before = ""
    for group, keys, label, sentence in key_table():
        shown = f"**{group}**" if group != group_before else ""
        group_before = group
        words = " ".join(f"`{key}`" for key in keys.split(" "))
        rows.append(f"| {words} | {label}: {sentence[0].lower()}{sentence[1:].rstrip('.')} | {shown} |")
    return "\n".join(rows)


def _settings() -> str:
    rows = ["| key | without it | meaning |", "|---|---|---|"]
    for key, default, meaning in settings_table():
        shown = "" if default in ("", "{}", "()", "None") else f"`{default}`"
        rows.append(f"| `{key}` | {shown} | {_cell(re.sub('``+', '`', meaning))} |")
    return "\n".join(rows)


def _filters() -> str:
    rows = ["| field | also | meaning | values | example |", "|---|---|---|---|---|"]
    for each in FIELDS:
        also, values = (", ".join(f"`{word}`" for word in words) for words in (each.aliases, each.values))
        rows.append(f"| `{each.name}` | {also} | {_cell(each.help)} | {_cell(values)} | `{_cell(each.example)}` |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_WRITTEN: Mapping[str, tuple[str, Callable[[], str]]] = {
    "commands": (
        "Commands",
        lambda: (
            f"{commands_markdown()}\n\n## Options of every command\n\nBefore or after its name.\n\n{options_markdown()}"
        ),
    ),
    "exit-codes": ("Exit codes", exit_codes_markdown),
    "keys": ("Keys", _keys),
    "settings": ("Settings", _settings),
    "filters": ("Fields of a filter", _filters),
    "columns": ("Columns of a device list", format_table),
    "permissions": ("Permissions in Microsoft Graph", permissions_markdown),
}
"""Page → its heading, and what the program says."""


def reference() -> dict[Path, str]:
    """Every written page with its text."""
    return {
        REFERENCE / f"{name}.md": f"# {title}\n\n<!-- written by python -m tests.documents -->\n{table()}\n"
        for name, (title, table) in _WRITTEN.items()
    }


def main() -> None:
    for path, text in reference().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
