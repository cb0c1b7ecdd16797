"""A file is whole or not there, and never written over unasked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.files import check_target, write_whole
from engine.model.errors import BadInput


def only(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_new_file_is_written_whole_and_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a.txt", ["one\r\n", "zwei ä\n"], state=tmp_path / "s.db")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").read_bytes() == "one\r\nzwei ä\n".encode()
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640
    assert only(tmp_path) == ["a.txt"]


def test_an_older_file_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("older", encoding="utf-8")
    with pytest.raises(BadInput, match="already") as refused:
        write_whole(path, ["new"], state=tmp_path / "s.db")
    assert "Remove it first" in refused.value.instead, "nobody can say --force here"
    with pytest.raises(BadInput, match="already") as refused:
        write_whole(path, ["new"], force=False, state=tmp_path / "s.db")
    assert "--force" in refused.value.instead
    assert path.read_text(encoding="utf-8") == "older"
    write_whole(path, ["new"], force=True, state=tmp_path / "s.db")
    assert path.read_text(encoding="utf-8") == "new"
    assert only(tmp_path) == ["a.txt"]


def test_who_was_quicker_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"

    def pieces() -> Iterator[str]:
        yield "mine"
        path.write_text("theirs", encoding="utf-8")

    with pytest.raises(BadInput, match="already"):
        write_whole(path, pieces(), state=tmp_path / "s.db")
    assert path.read_text(encoding="utf-8") == "theirs"
    assert only(tmp_path) == ["a.txt"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write_whole(tmp_path / "a.txt", ["one"], state=tmp_path / "s.db")
    assert only(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, BadInput("gone"), OSError(28, "No space left on device")])
@pytest.mark.parametrize("older", [False, True])
def test_what_breaks_in_between_leaves_nothing(tmp_path: Path, error: BaseException, older: bool) -> None:
    path = tmp_path / "a.txt"
    if older:
        path.write_text("older", encoding="utf-8")

    def pieces() -> Iterator[str]:
        yield "half"
        raise error

    with pytest.raises((KeyboardInterrupt, BadInput)):
        write_whole(path, pieces(), force=older, state=tmp_path / "s.db")
    assert only(tmp_path) == (["a.txt"] if older else [])
    if older:
        assert path.read_text(encoding="utf-8") == "older"


def test_places_where_no_file_can_be_are_told_before_the_work(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path, "folder"),
        (tmp_path / "no" / "a.txt", "no such folder"),
        (tmp_path / "pipe", "no ordinary file"),
        (tmp_path / ("x" * 300), "cannot be written"),
    ):
        with pytest.raises(BadInput, match=words):
            check_target(path, force=True, state=tmp_path / "s.db")


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("way", ["itself", "relative", "dotted", "symbolic link", "hard link", "the state is a link"])
@pytest.mark.parametrize("there", [True, False])
def test_the_state_and_what_lies_beside_it_are_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, way: str, there: bool
) -> None:
    state, own = tmp_path / "s.db", tmp_path / f"s.db{suffix}"
    monkeypatch.chdir(tmp_path)
    state.write_text("state", encoding="utf-8")
    if there:
        own.write_text("state", encoding="utf-8")
    elif suffix:
        assert not own.exists()
    target = {"relative": Path(own.name), "dotted": tmp_path / ".." / tmp_path.name / own.name}.get(way, own)
    if way == "symbolic link":
        target = tmp_path / "other"
        target.symlink_to(own)
    elif way == "hard link" and own.exists():
        target = tmp_path / "other"
        target.hardlink_to(own)
    elif way == "the state is a link":
        state = tmp_path / "link.db"
        state.symlink_to("s.db")
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.exists()}
    for force in (None, False, True):
        with pytest.raises(BadInput, match="state file itself"):
            write_whole(target, ["new"], state=state, force=force)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir() if each.exists()} == before


def test_a_file_that_is_not_wanted_in_the_end_is_not_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", ["one"], state=tmp_path / "s.db", wanted=lambda: False)
    assert only(tmp_path) == []
