"""The first screen, and what commands say where there is no state file."""

from __future__ import annotations

from pathlib import Path

import pytest

from console import ways
from console.first_start import Beginning, FirstStart
from console.settings import Settings
from tests.console.cli_kit import call


@pytest.mark.parametrize(
    ("keys", "begun"),
    [
        (("enter",), Beginning(ways.TRY)),
        (("j", "j", "enter"), Beginning(ways.TENANT)),
        (("escape",), None),
        (("q",), None),
        (("j", "enter", "escape", "escape"), None),
    ],
)
async def test_a_way_is_chosen_or_the_screen_is_left(
    tmp_path: Path, keys: tuple[str, ...], begun: Beginning | None
) -> None:
    app = FirstStart(tmp_path / "fleet.db", Settings(animation="none"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
    assert app.return_value == begun
    assert list(tmp_path.iterdir()) == []


async def test_a_file_is_asked_for_until_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "fleet.csv").write_text("name\nLON-LT-9001\n", encoding="utf-8")
    app = FirstStart(tmp_path / "fleet.db", Settings(animation="none"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("j", "enter")
        await pilot.pause()
        for name in ("nothing.csv", "fleet.csv"):
            app.screen.query_one("#text").value = str(tmp_path / name)  # type: ignore[attr-defined]
            await pilot.press("enter")
            await pilot.pause()
    assert app.return_value == Beginning(ways.FILE, str(tmp_path / "fleet.csv"))


def test_a_command_without_a_state_file_names_three_ways(own_folders: Path) -> None:
    called = call("status", "--json")

    assert (called.code, called.out) == (1, "")
    what, *named = called.err.splitlines()
    assert "There is no state file" in what
    assert [line.strip() for line in named] == ways.lines()
    assert "hotpatch demo" in named[0]
    assert "hotpatch import devices.csv" in named[1]
    assert "hotpatch provider add graph" in named[2]


def test_the_ways_are_told_for_the_file_that_was_named(tmp_path: Path) -> None:
    path = tmp_path / "my fleet.db"

    assert f"hotpatch demo --db '{path}'" in call("--db", path, "devices").err
    assert list(tmp_path.iterdir()) == []


def test_each_way_is_a_command_that_exists() -> None:
    for way in ways.WAYS:
        if way is not ways.FILE:  # it needs a file
            assert call(*way.words, "--help").code == 0
