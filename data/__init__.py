"""What the program knows and cannot work out: releases, error codes, licences, permissions, runbooks, and a fleet."""

from __future__ import annotations

from pathlib import Path


def packaged(name: str) -> str:
    """The text of a file of this package; `name` is its place in it: ``runbooks/network.md``.

    Raises:
        OSError: the file is not there or cannot be read.
    """
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
