"""The reference is what the program says, the commands of README and docs/ run, and what they claim is so."""

from __future__ import annotations

import asyncio
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from console.cli import hotpatch
from console.cli.changing import RESTARTS_UNASKED
from console.cli.session import Session
from engine import open_engine
from engine.catalog.bundled import load_bundled
from engine.fleet.demo import BUNDLED_SIZE
from engine.model.records.fleet import DeviceQuery
from engine.providers.base import Capabilities
from engine.providers.graph.config import Cloud
from engine.providers.graph.provider import GraphProvider
from engine.providers.simulated.faults import SCENARIOS
from engine.providers.simulated.sample import DEMO_START
from engine.rules.tenants.ring_wishes import LONGEST_PAUSE
from engine.tenants.upkeep import PULL_EVERY
from tests.console.scan_files import write_scan
from tests.documents import PAGES, PERFORMANCE, README, REFERENCE, ROOT, reference
from tests.engine.scan_exports import Row, hunting, qualys

FENCE = re.compile(r"```sh( norun)?\n(.*?)```", re.DOTALL)
"""`norun`: needs a tenant, the network, or documents that are not here; then its words are held against the command.
What a newcomer's tenant answers to those of docs/tenant.md is in tests/console/test_tenant_newcomer.py."""
OTHERS = ("CONTRIBUTING.md", "CHANGELOG.md")
README_LINES = 150


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _words(line: str) -> list[str]:
    """What stands after `hotpatch`, without a remark and without where the shell sends the output."""
    return shlex.split(line.partition(" #")[0].partition(" > ")[0])[1:]


def _fenced(page: Path, *, norun: bool) -> Iterator[list[str]]:
    for mark, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if bool(mark) is norun:
            yield from (_words(line) for line in block.splitlines() if line.startswith("hotpatch"))


def _commands() -> list[Path]:
    return [page for page in PAGES if any(_fenced(page, norun=False))]


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words lead to, and the words that are left for it."""
    command: click.Command = hotpatch
    while isinstance(command, click.Group) and words:
        below = command.get_command(click.Context(command), words[0])
        if below is None:
            break
        command, words = below, words[1:]
    return command, words


@pytest.fixture
def folder(demo_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that the documents speak of, and a demo."""
    with open_engine(demo_state) as engine:
        names = [row.name for row in engine.reads.devices.each(DeviceQuery("platform:win11-24h2"))][:3]
    rows = [Row(name, ("CVE-2026-35423",)) for name in names]
    write_scan(demo_state, tmp_path / "nessus.csv", bad=0)
    (tmp_path / "qualys.csv").write_text(qualys(rows), encoding="utf-8")
    (tmp_path / "defender.csv").write_text(hunting(rows), encoding="utf-8")
    (tmp_path / "devices.csv").write_text("name,ring,build\nLON-LT-9001,Broad,26100.8390\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_reference_is_what_the_program_says() -> None:
    for path, text in reference().items():
        assert path.read_text(encoding="utf-8") == text, "write it anew: .venv/bin/python -m tests.documents"
    assert {*reference(), PERFORMANCE} == set(REFERENCE.iterdir())


@pytest.mark.parametrize("page", _commands(), ids=_name)
def test_every_command_of_a_page_runs_in_its_order(page: Path, demo_state: Path, folder: Path) -> None:
    for number, words in enumerate(_fenced(page, norun=False)):
        state = demo_state
        if words[0] == "demo":  # its console is tested elsewhere; a demo of its own is made
            state, words = folder / f"demo-{number}.db", [*words, "--prepare", "--devices", "20"]
        result = CliRunner().invoke(hotpatch, ["--db", str(state), "--yes", *words])
        assert result.exit_code in (0, 3), f"{words}: {result.output}"
        assert "Traceback" not in result.output
        if page == README and words[0] == "approve":  # its tasks are days apart: the first ring has it by the next one
            with open_engine(demo_state) as engine:
                asyncio.run(engine.run_until_idle(until=engine.now() + timedelta(hours=8)))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_that_need_more_than_a_demo_are_well_formed(page: Path) -> None:
    for words in _fenced(page, norun=True):
        command, rest = _command(words)
        assert command is not hotpatch or not words, f"{_name(page)}: {words}"
        command.make_context(command.name, list(rest), obj=Session())


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_in_running_text_exist(page: Path) -> None:
    for code in re.findall(r"`hotpatch((?:\s[a-z-]+)+)", page.read_text(encoding="utf-8")):
        words = code.split()
        command, _ = _command(words)
        assert command is not hotpatch or words[0].startswith("-"), f"{_name(page)}: hotpatch{code}"


def test_the_front_door_is_short() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= README_LINES
    tasks = text.partition("## Eight tasks")[2].partition("\n## ")[0]
    assert [len(list(filter(None, block.splitlines()))) for _, block in FENCE.findall(tasks)] == [1] * 8


@pytest.mark.parametrize("page", [*PAGES, *(ROOT / name for name in OTHERS)], ids=_name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target, _, place in re.findall(r"\]\(([^)#\s]*)(#([^)\s]+))?\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), f"{_name(page)} points to {target}"
        if place:
            assert place in _places(found), f"{_name(page)} points to {target}#{place}"


def _places(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_led_to_from_the_front_door() -> None:
    text = README.read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert f"({_name(page)})" in text, f"README does not lead to {_name(page)}"


def test_every_make_target_of_the_documents_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in [*PAGES, *(ROOT / name for name in OTHERS)]:
        for target in re.findall(r"(?:`|\n)make ([a-z-]+)", page.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{_name(page)}: make {target}"


# --- the map of the house ---------------------------------------------------------------------------

MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_map_names_every_room() -> None:
    named = set(re.findall(r"^\| `engine/(\w+)/` \|", MAP, re.MULTILINE))
    rooms = {path.parent.name for path in (ROOT / "engine").glob("*/__init__.py")}
    assert named | {"reads"} == rooms, "`reads/` stands in the row of the door"
    assert len(named) == 13


def test_the_ways_through_the_house_name_files_that_exist() -> None:
    paths = set(re.findall(r"`((?:engine|console|tests|docs|data)/[\w/.-]+)`", MAP))
    assert len(paths) > 20
    for path in paths:
        assert "NAME" in path or "MODULE" in path or (ROOT / path).exists(), f"CONTRIBUTING names {path}"


# --- claims -----------------------------------------------------------------------------------------


def _kinds() -> set[str]:
    """The kinds of systems that can be connected, by the command that does it."""
    add, _ = _command(["provider", "add"])
    kind = next(each for each in add.params if each.name == "kind")
    assert isinstance(kind.type, click.Choice)
    return {str(choice) for choice in kind.type.choices}


def _graph_can() -> Capabilities:
    return GraphProvider("corp", "{}", writes=False).capabilities()


CLAIMS: tuple[tuple[str, str, Callable[[], bool]], ...] = (
    ("README.md", "Microsoft Graph | Windows 11 devices that Intune manages", lambda: "graph" in _kinds()),
    (
        "README.md",
        "Not yet: servers through Azure or Azure Arc, and hosts reached directly.",
        lambda: len(_kinds()) == 1,
    ),
    ("README.md", "turns decisions into *requests*", lambda: _graph_can().is_by_policy),
    ("README.md", "a device obeys at its next scan", lambda: not _graph_can().install_now),
    (
        "README.md",
        "Microsoft's real releases from January 2025 on",
        lambda: min(each.month for each in load_bundled().releases) == "2025-01",
    ),
    ("README.md", "sample fleet of 500 devices", lambda: BUNDLED_SIZE == 500),
    ("docs/install.md", "sample fleet of 500 devices", lambda: BUNDLED_SIZE == 500),
    (
        "docs/install.md",
        "begins on 13 May 2026, 09:00 UTC",
        lambda: f"{DEMO_START:%d %b %Y %H:%M}" == "13 May 2026 09:00",
    ),
    (
        "docs/install.md",
        "(`bad-patch`, `failing-patch`, `offline-wave`, `baseline-month`, `oob`)",
        lambda: {"none", "bad-patch", "failing-patch", "offline-wave", "baseline-month", "oob"} == set(SCENARIOS),
    ),
    ("docs/scripts.md", "more than 1,000 times", lambda: RESTARTS_UNASKED == 1_000),
    ("docs/tenant.md", "pull anew every 4 hours", lambda: timedelta(hours=4) == PULL_EVERY),
    ("docs/tenant.md", "goes on by itself after 35 days", lambda: timedelta(days=35) == LONGEST_PAUSE),
    ("docs/tenant.md", "`--cloud usgov|dod|china`", lambda: {"global", "usgov", "dod", "china"} == set(Cloud)),
)
"""Page, the words that claim something, and whether it is so: a claim that no longer holds is written anew."""


@pytest.mark.parametrize(("page", "words", "holds"), CLAIMS, ids=[words for _, words, _ in CLAIMS])
def test_what_is_claimed_is_so(page: str, words: str, holds: Callable[[], bool]) -> None:
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    assert words in text, f"{page} no longer says {words!r}: take the claim away here"
    assert holds(), f"{page} says {words!r}, and it is not so"


def test_the_python_that_is_claimed_is_the_one_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [found[1] for each in project["classifiers"] if (found := re.search(r":: (3\.\d+)$", each))]
    assert project["requires-python"] == f">={named[0]}"
    for page in ("README.md", "docs/install.md"):
        assert f"Python {named[0]} or newer" in (ROOT / page).read_text(encoding="utf-8")
