"""What may be asked of the bench together, what a full screen is, and whose code is measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import rounds
from tests.bench.checkouts import Checkout, requirements
from tests.bench.fleets import ROOT
from tests.bench.frames import shows_facts


def test_the_parts_that_were_named_are_measured_against_a_base(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, tuple[str, ...], object, object]] = []

    def measure(commit: str, parts: Sequence[str], _: object, **how: object) -> str:
        asked.append((commit, tuple(parts), how["devices"], how["rounds"]))
        return "| table |"

    monkeypatch.setattr(rounds, "measure", measure)
    words = "--base abc --only terminal --only commands --only terminal --devices 2,000 --rounds 5"

    assert bench.main(words.split()) == 0
    assert asked == [("abc", ("terminal", "commands"), 2_000, 5)]
    assert capsys.readouterr().out == "| table |\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--only everything", "invalid choice"),
        ("--base abc --write", "--base goes neither"),
        ("--checkout . --only reading", "measured from within"),
        ("--checkout .", "measured from within"),
        ("--base abc --rounds 0", "at least one"),
    ],
)
def test_what_cannot_be_measured_is_refused(words: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        bench.main(words.split())
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "is_full"),
    [("Needs you ───\r\n  Reading …", False), ("Needs you ───\r\n  ✗ now    73 failed installs", True), ("", False)],
)
def test_a_frame_of_placeholders_is_no_full_screen(body: str, is_full: bool) -> None:
    assert shows_facts(f" Overview    2,000 devices\r\n{body}\x1b[24;1H +17 ?".encode()) is is_full


def test_a_checkout_runs_its_own_code_wherever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "base"
    for package in ("console", "engine"):
        (base / package).mkdir(parents=True)
        (base / package / "__init__.py").touch()
    monkeypatch.chdir(ROOT)

    Checkout(base).check(tmp_path)


def test_a_checkout_without_code_of_its_own_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="would be measured"):
        Checkout(tmp_path / "base").check(tmp_path)


def test_requirements_are_those_of_program_and_tests() -> None:
    names = {each.partition(">")[0] for each in requirements(ROOT / "pyproject.toml")}

    assert {"click", "textual", "pytest", "pyte"} <= names
