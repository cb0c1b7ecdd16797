"""Text from devices, feeds and other people: it is shown as text, and none of it reaches the terminal as anything else.

The import refuses what no inventory holds; the rest is written into the state file, as a provider might.
"""

from __future__ import annotations

import base64
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.steps import KB
from tests.e2e.terminal import Terminal, hotpatch, terminal

HOSTILE = (
    "[bold]PWN[/bold]",
    "[@click=app.quit]PWN[/]",
    "[/",
    "[red on",
    "\x1b[35;1;5mPWN\x1b[0m",
    "\x1b[?1049lPWN\x1b[2J",
    "\x1b]52;c;UFdO\x07PWN",
    "\x1b]0;PWN\x07",
    "\x1b]8;;http://pwn.example\x1b\\PWN",
    "\x1bPPWN\x1b\\",
    "\x9b35mPWN",
    "\x9d0;PWN\x9c",
    "PWN\u202egnp.exe",
    "PWN\u2066x\u2069\u200b\u200f\ufeff",
    "PWN\r\n\tPWN\b\b\x7f",
    "PWN\x00x",
    "\U000e0041PWN",
)
_MARKUP = 4
"""So many of them are markup alone, which is shown as it is."""
ALL = "".join(HOSTILE)
_OURS = re.compile(rb"\x1b\]22;[a-z-]*\x07|\x1b\]52;c;[A-Za-z0-9+/=]*\x07")
"""The operating-system commands of the console itself: the pointer's shape, and what was asked to be copied."""
_NEVER = re.compile(
    rb"\x1b\]|\x1bP|\x1b\[35;1;5m|\x1b\[2J.|[\x00\x07\x08\x7f]|\xc2[\x80-\x9f]"
    rb"|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xf3\xa0[\x80-\x83]"
)
_NEVER_PRINTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_COMMANDS = (
    "devices",
    "devices --plain",
    "devices --json",
    "device A04 --json",
    "failures",
    "failures --json",
    "rings",
    "rings --json",
    f"release {KB} --json",
    "approvals",
    "approvals --json",
    "status",
)


@pytest.fixture
def poisoned(state: Path) -> Path:
    """A demo in which whatever can carry text carries hostile text."""
    with closing(sqlite3.connect(state)) as connection, connection:
        failed = "id IN (SELECT device_id FROM install WHERE open_failure = 1)"
        found = connection.execute(f"SELECT id FROM device ORDER BY NOT {failed}, id LIMIT 60").fetchall()
        for number, (device,) in enumerate(found):
            text = HOSTILE[number % len(HOSTILE)]
            name = f"A{number:02}{text}"
            connection.execute(
                "UPDATE device SET name = ?1, name_key = ?2, search_key = ?2, user = ?3, user_name = ?3, site = ?3,"
                " model = ?3, serial = ?3, asset_tag = ?3, driver = ?3, policy_name = ?3, edition = ?3 WHERE id = ?4",
                (name, name.casefold(), text, device),
            )
        connection.execute("UPDATE cve SET title = ?", (ALL,))
        connection.execute("UPDATE install SET reason = ?1, requested_by = ?1", (ALL,))
        connection.execute("UPDATE ring SET name = ? WHERE name = 'First'", (f"F{ALL}",))
        now = 1_778_662_800
        connection.execute(
            "INSERT INTO approval (kb, rings, reason, approved_by, approved_at) VALUES (?, ?, ?, ?, ?)",
            (5_089_466, '["Test"]', ALL, ALL, now),
        )
        connection.execute(
            "INSERT INTO lease (id, holder, host, pid, taken_at, expires_at) VALUES (1, ?, ?, 1, ?, ?)",
            (ALL, ALL, now, now * 2),
        )
    return state


def assert_harmless(console: Terminal) -> None:
    """Nothing hostile among the bytes that the program has written."""
    found = _NEVER.search(_OURS.sub(b"", console.raw))
    assert found is None, console.raw[max(found.start() - 80, 0) :][:200]


def test_what_is_looked_for_would_be_found() -> None:
    for text in HOSTILE[_MARKUP:]:
        assert _NEVER.search(f"{text} ".encode()), ascii(text)
        assert _NEVER_PRINTED.search(text), ascii(text)


def test_no_screen_lets_anything_through(home: Path, poisoned: Path) -> None:
    with terminal("--db", poisoned, home=home) as console:
        console.expect("Overview", KB, "F[bold]")
        console.press("2").expect("A00[bold]", "A01[@click", "A02[/", "A05", "A14PWN")
        console.click("A01[@click").until(lambda: console.cursor_row().startswith("A01[@click"), "the clicked row")
        console.press("enter").expect("› A01[@click=app.quit]")
        for number in range(2, 8):
            console.press("j").until(lambda n=number: console.cursor_row().startswith(f"A0{n}"), "the next row")  # type: ignore[misc]
        console.press("y").expect("clipboard")
        console.press("m").expect("Move to which ring?", "F[bold]PWN").press("escape").expect_gone("Move to which")
        console.press("3").expect("Rings", "F[bold]").press("j").expect("[bold]PWN[/bold]")
        console.press("5").expect("Failures", "Component store").press("enter").expect("A00[bold]")
        console.press("6").expect("Releases", KB).press("enter").expect("[@click=app.quit]PWN[/]")
        console.press("7").expect("Activity")
        console.press("4").expect("Calendar")
        console.press("2").expect("A00[bold]").press("ctrl+p").expect("A verb, a screen")
        console.type("[bold]").expect("Device A00[bold]PWN").press("escape").expect_gone("Device A00").press("q")
        assert console.ends() == 0
        assert_harmless(console)
    copied = [base64.b64decode(each) for each in re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", console.raw)]
    assert len(copied) == 1
    assert _NEVER_PRINTED.search(copied[0].decode()) is None


@pytest.mark.parametrize("words", _COMMANDS)
def test_no_command_lets_anything_through(home: Path, poisoned: Path, words: str) -> None:
    printed = hotpatch("--db", poisoned, *words.split(), home=home, expect=None)
    assert "PWN" in printed
    found = _NEVER_PRINTED.search(printed)
    assert found is None, ascii(printed[max(found.start() - 80, 0) :][:200])


def test_an_import_takes_markup_as_text_and_refuses_controls(home: Path, state: Path) -> None:
    taken = enumerate(HOSTILE[: _MARKUP + 1])
    rows = "".join(f'"A{number:02}{text}","{text}x","{text}",Test,win11-24h2\n' for number, text in taken)
    home.joinpath("list.csv").write_text(f"name,user,model,ring,platform\n{rows}", encoding="utf-8")
    printed = hotpatch("--db", state, "import", "list.csv", home=home, expect=3)
    assert "added: 4 devices" in printed
    assert _NEVER_PRINTED.search(printed) is None
    with terminal("--db", state, home=home) as console:
        console.expect("Overview", KB).press("2").expect("A00[bold]", "A01[@click=app", "A02[/", "A03[red on")
        console.press("enter").expect("[bold]PWN[/bold]x")
        console.press("7").expect("Activity", "list.csv").press("q")
        assert console.ends() == 0
        assert_harmless(console)
