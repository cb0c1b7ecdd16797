"""README's tables are what the program says, its commands run, its links and pictures exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from console.cli import hotpatch
from tests.documents import README, ROOT, written

TEXT = README.read_text(encoding="utf-8")


def test_the_tables_are_what_the_program_says() -> None:
    assert written(TEXT) == TEXT, "write them anew: .venv/bin/python -m tests.documents"


def fenced_commands() -> list[str]:
    return [
        line.partition(" #")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("hotpatch ")
    ]


def test_every_command_of_the_readme_runs_in_its_order(demo_state: Path) -> None:
    lines = fenced_commands()
    assert len(lines) > 10
    for line in lines:
        result = CliRunner().invoke(hotpatch, ["--db", str(demo_state), "--yes", *shlex.split(line)[1:]])
        assert result.exit_code in (0, 3), f"{line}: {result.output}"
        assert "Traceback" not in result.output


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_and_pictures_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), f"{page} points to {target}"


def test_every_make_target_of_the_documents_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"(?:`|\n)make ([a-z-]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page}: make {target}"
