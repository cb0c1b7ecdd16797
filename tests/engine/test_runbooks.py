"""Runbooks: one for every cause, an organisation's own before it, and nothing a hostile file could do."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.causes import Cause
from engine.model.errors import BadInput, NotFound
from engine.rules.failures.runbooks import BUILT_IN, names, problems, runbook


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_has_a_checklist(cause: Cause) -> None:
    found = runbook(cause)
    assert found.cause == cause.value
    assert found.origin == BUILT_IN
    assert found.title.startswith(f"{cause.label}: ")
    assert found.text.startswith(f"# {found.title}\n")
    assert "**Done when**" in found.text
    assert "**Escalate**" in found.text
    assert len(re.findall(r"(?m)^\d\. ", found.text)) >= 4
    assert len(re.findall(r"(?m)^ {7}\S", found.text)) >= 3, "commands"
    assert len(found.text.splitlines()) <= 45
    assert not any(line != line.rstrip() for line in found.text.splitlines())


def test_names_list_the_causes_first(tmp_path: Path) -> None:
    assert names() == tuple(cause.value for cause in Cause)
    (tmp_path / "bitlocker.md").write_text("# BitLocker\n")
    (tmp_path / "network.md").write_text("# Ours\n")
    assert names(tmp_path) == (*(cause.value for cause in Cause), "bitlocker")


def test_a_folder_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    assert names(tmp_path / "none") == names()
    assert runbook("network", tmp_path / "none").origin == BUILT_IN
    assert problems(tmp_path / "none") == ()


def test_an_organisation_overrides_and_adds(tmp_path: Path) -> None:
    own = tmp_path / "Disk_Space.MD"
    own.write_bytes(b"\xef\xbb\xbf\r\n# Disk space at Contoso #\r\n\r\n1. Call the \xc3\xbcber-team.\r\n")
    found = runbook(Cause.DISK_SPACE, tmp_path)
    assert found.title == "Disk space at Contoso"
    assert found.text == "# Disk space at Contoso #\n\n1. Call the über-team.\n"
    assert found.origin == str(own)
    (tmp_path / "lost laptop.md").write_text("# Lost laptop\n")
    assert runbook("Lost-Laptop", tmp_path).title == "Lost laptop"
    assert runbook("network", tmp_path).origin == BUILT_IN


@pytest.mark.parametrize("asked", ["component-store", "Component Store", " COMPONENT_STORE "])
def test_names_are_forgiving(asked: str) -> None:
    assert runbook(asked).cause == "component-store"


def test_an_unknown_name_lists_near_ones() -> None:
    with pytest.raises(NotFound) as caught:
        runbook("netwrok")
    assert caught.value.nearest[0] == "network"
    assert "hotpatch-prerequisite" in str(caught.value)


@pytest.mark.parametrize("asked", ["../causes", "..", "", "network.md", "/etc/passwd", "a\x00b", "x" * 5000])
def test_a_name_never_leads_out_of_the_folder(asked: str, tmp_path: Path) -> None:
    inside = tmp_path / "runbooks"
    inside.mkdir()
    (tmp_path / "causes.md").write_text("# Outside\n")
    with pytest.raises(NotFound) as caught:
        runbook(asked, inside)
    assert len(str(caught.value)) < 500


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    for name in ("README.md", "notes.txt", ".hidden.md.swp", "-.md", "wörter.md"):
        (tmp_path / name).write_text("whatever")
    assert names(tmp_path) == names()
    assert problems(tmp_path) == ()


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        (b"", 1, "no title"),
        (b"no heading\n# Later\n", 1, "no title"),
        (b"#\n", 1, "no title"),
        (b"## Second level\n", 1, "no title"),
        (b"# Title\n\nclear \x1b[2J screen\n", 3, "U+001B"),
        (b"# T\x00itle\n", 1, "U+0000"),
        ("# Title\n\u202eevil\n".encode(), 2, "U+202E"),
        ("# Title\n\nC1 \u009b31m\n".encode(), 3, "U+009B"),
        (b"# Title\nlone \r return\n", 2, "U+000D"),
        (b"# Title\n\n\xff\xfe\n", 3, "UTF-8"),
        (b"# Title\n" + b"x" * 300_000, None, "256 KB"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(content: bytes, line: int | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "network.md"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        runbook("network", tmp_path)
    assert caught.value.file == str(path)
    assert caught.value.line == line
    assert why in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert [problem.file for problem in problems(tmp_path)] == [str(path)]
    assert runbook("policy", tmp_path).origin == BUILT_IN, "one bad file spoils no other"


def test_what_is_no_ordinary_file_is_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "policy.md").mkdir()
    os.mkfifo(tmp_path / "network.md")
    (tmp_path / "service.md").symlink_to(tmp_path / "gone")
    for name in ("policy", "network", "service"):
        with pytest.raises(BadInput) as caught:
            runbook(name, tmp_path)
        assert caught.value.file.endswith(f"{name}.md")
    assert len(problems(tmp_path)) == 3


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files cannot be counted here")
def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "policy.md").mkdir()
    (tmp_path / "network.md").write_bytes(b"\xff")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("policy", "network") * 10:
        with pytest.raises(BadInput):
            runbook(name, tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "network.md"
    path.write_text("# Secret\n")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("engine.rules.failures.runbooks.os.open", refuse)
    with pytest.raises(BadInput) as caught:
        runbook("network", tmp_path)
    assert caught.value.file == str(path)
    assert caught.value.why == "Permission denied."


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "runbooks"
    path.write_text("# Not a folder\n")
    with pytest.raises(BadInput) as caught:
        names(path)
    assert caught.value.file == str(path)
    assert [problem.file for problem in problems(path)] == [str(path)]


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "disk-space.md").write_text("# One\n")
    (tmp_path / "disk_space.md").write_text("# Two\n")
    with pytest.raises(BadInput) as caught:
        runbook("disk-space", tmp_path)
    assert "disk-space.md has the same name" in str(caught.value)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_runbook_or_bad_input(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("own")
    (folder / "network.md").write_bytes(b"# Title\n" + content)
    try:
        found = runbook("network", folder)
    except BadInput as error:
        assert error.file
    else:
        assert found.title == "Title"
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", found.text)
