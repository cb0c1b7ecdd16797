"""What a person does with several keys: decide a plan, approve a release, set the demo's pace, look at a device list.

Names only what is meant to stay: KB numbers, ring names, the words of keys and plans.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.e2e.terminal import Terminal, facts

KB = "KB5089466"
"""The hotpatch of May 2026 for Windows 11, which waits for approval when a demo begins."""
BUILDS = {"win11-24h2": "26100.8390", "win11-25h2": "26200.8390"}
"""What it brings a device to."""
UNDER_WAY = re.compile(r"\b(downloading|installing|verifying)\b")


def confirm(console: Terminal) -> None:
    """Do what the plan on the screen says, in the way it asks for."""
    console.until(lambda: console.shows("y do it") or console.shows("Type the number of devices"), "a plan")
    asked = re.search(r"Type the number of devices, ([\d,]+)", console.text())
    if asked is None:
        console.press("y").expect_gone("y do it")
    else:
        console.at_field("Type the number").type(asked[1].replace(",", ""))
        console.press("enter").expect_gone("Type the number")


def approve(console: Terminal, ring: str, reason: str) -> None:
    """Approve the hotpatch for the ring that the dialog has ticked; stay on the releases screen."""
    console.press("6").expect("Releases").expect_row(KB, "hotpatch")
    console.press("a").expect(f"Approve {KB}", "Not before").expect_row("[x]", ring)
    console.press("tab").at_field("Reason").type(reason).press("enter")
    console.expect(f"Approve {KB} for ring {ring}")
    confirm(console)
    console.expect_row(KB, "hotpatch", ring)


def pace(console: Terminal, times: int) -> None:
    """Let the demo's clock run so many times as fast as life."""
    for step in (300, 1_800, 7_200):
        if step <= times:
            console.press("]").expect(f"×{step}")


def devices(state: Path, home: Path, text: str = "") -> dict[str, dict[str, Any]]:
    """The devices that a filter matches, by name, as the command line tells them."""
    return {each["name"]: each for each in facts("--db", state, "devices", *text.split(), home=home)}


def offered(state: Path, home: Path, ring: str) -> list[str]:
    """The devices of a ring that take the hotpatch: ready, on Windows 11, not protected yet."""
    found = devices(state, home, f"ring:{ring} ready").values()
    return [each["name"] for each in found if each["platform"] in BUILDS and not each["protected"]]


def installs(state: Path) -> dict[str, list[tuple[str, str, bool]]]:
    """What each device went through with the hotpatch: action, how it ended, whether it restarted; oldest first."""
    found: dict[str, list[tuple[str, str, bool]]] = {}
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as connection:
        for name, action, ended, restarted in connection.execute(
            "SELECT device.name, action, install.state, restarted FROM install JOIN device ON device.id = device_id"
            " WHERE kb = ? ORDER BY install.id",
            (int(KB[2:]),),
        ):
            found.setdefault(name, []).append((action, ended, bool(restarted)))
    return found


def activity(state: Path, home: Path) -> dict[str, Any]:
    """What is under way, and the audit trail, newest first; with the demo's present."""
    document: dict[str, Any] = facts("--db", state, "activity", home=home)
    return document
