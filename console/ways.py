"""The three ways to begin where there is no state file: the first screen, empty lists and standard error name them."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Way(Struct, frozen=True):
    """One way to a fleet."""

    title: str
    words: tuple[str, ...]
    """The command, and what it is given."""
    meaning: str


TRY = Way("Try it", ("demo",), "a sample fleet, where nothing can break")
FILE = Way("Bring a file", ("import", "devices.csv"), "a list of devices: CSV, JSON or Intune's export")
TENANT = Way("Connect a tenant", ("provider", "add", "graph", "--help"), "Windows 11 devices from Microsoft Graph")
WAYS = (TRY, FILE, TENANT)


def command(way: Way, state: Path | None = None) -> str:
    """The command line; `state` is the file that was named, None for the usual one."""
    line = " ".join(("hotpatch", *way.words))
    if state is None:
        return line
    from shlex import quote

    return f"{line} --db {quote(str(state))}"


def lines(state: Path | None = None) -> list[str]:
    """A line a way: ``Try it            hotpatch demo``."""
    width = max(len(way.title) for way in WAYS)
    return [f"{way.title:{width}}  {command(way, state)}" for way in WAYS]
