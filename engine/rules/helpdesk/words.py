"""How moments, months and text from devices become words of an answer."""

from __future__ import annotations

from datetime import date, datetime

from engine.model.build import kb_text
from engine.model.model import Install, InstallAction, Release, ReleaseKind

_MONTHS = (
    "January February March April May June July August September October November December".split()
)  # not strftime: the answer is English whatever the machine speaks
_LONGEST = 200


def plain(text: str, longest: int = _LONGEST) -> str:
    """One line of text from a device or a person, without anything that acts on a screen or a ticket system."""
    line = " ".join(text.split())
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def day(moment: date) -> str:
    """``9 June 2026``; in UTC where it is a time."""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def month(text: str) -> str:
    """``May 2026`` for ``2026-05``."""
    year, _, number = text.partition("-")
    return f"{_MONTHS[int(number) - 1]} {year}"


def time(moment: datetime) -> str:
    """``2026-05-13 09:00 UTC``."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def release_words(release: Release) -> str:
    """``the April 2026 baseline (KB5083769)``."""
    kinds = {
        ReleaseKind.BASELINE: "baseline",
        ReleaseKind.UNPLANNED_BASELINE: "baseline",
        ReleaseKind.HOTPATCH: "hotpatch",
        ReleaseKind.OOB_HOTPATCH: "out-of-band hotpatch",
        ReleaseKind.LCU: "cumulative update",
        ReleaseKind.OOB_LCU: "out-of-band update",
        ReleaseKind.COMPANION: "standalone fix",
    }
    return f"the {month(release.month)} {kinds[release.kind]} ({kb_text(release.kb)})"


def install_words(install: Install) -> str:
    """``install of KB5083769``."""
    return f"{'uninstall' if install.action is InstallAction.UNINSTALL else 'install'} of {kb_text(install.kb)}"


def sentence(text: str) -> str:
    """The text as a sentence: a capital first, one full stop at the end."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")
