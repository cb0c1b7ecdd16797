"""Writes the tables of README.md from what the program says of itself: ``python -m tests.documents``.

`tests/test_documents.py` compares, so that the tables cannot lie.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from console.cli import hotpatch
from console.cli.reference import permissions_markdown
from console.keys import key_table
from engine.files.devices import format_table

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def keys_block() -> str:
    """Every key once, by group."""
    rows = ["| key | does | |", "|---|---|---|"]
    group_before = ""
    for group, keys, label, sentence in key_table():
        shown = f"**{group}**" if group != group_before else ""
        group_before = group
        words = " ".join(f"`{key}`" for key in keys.split(" "))
        rows.append(f"| {words} | {label}: {sentence[0].lower()}{sentence[1:].rstrip('.')} | {shown} |")
    return "\n".join(rows)


def commands_block() -> str:
    """Every command with the first sentence of its help."""
    rows = ["| command | |", "|---|---|"]
    for path, command in commands(hotpatch, "hotpatch"):
        if command.hidden or (isinstance(command, click.Group) and not command.invoke_without_command):
            continue
        sentence = (command.help or "").strip().split("\n\n")[0].replace("\n", " ")
        rows.append(f"| `{path}` | {sentence} |")
    return "\n".join(rows)


def commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    """A command and all below it with their full names."""
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            found += commands(below, f"{path} {name}")
    return found


def written(text: str) -> str:
    """README's text with fresh tables."""
    blocks = (
        ("columns", format_table()),
        ("permissions", permissions_markdown()),
        ("keys", keys_block()),
        ("commands", commands_block()),
    )
    for name, block in blocks:
        text = re.sub(
            rf"(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)",
            lambda found, block=block: f"{found[1]}{block}\n{found[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
    return text


def main() -> None:
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
