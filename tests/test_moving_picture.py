"""The moving picture of the README: what is laid together, and what is kept in screenshots/."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tests.documents import ROOT
from tests.moving_picture import Frame, animated

KEPT = ROOT / "screenshots" / "bad-patch.svg"
_FONT = '@font-face {\n src: url("https://example.com/font.woff2");\n}\n'


def _frame(words: str, seconds: float) -> Frame:
    svg = f'<svg class="t" viewBox="0 0 40 20" xmlns="http://www.w3.org/2000/svg"><style>{_FONT}</style>{words}</svg>'
    return Frame(svg, f"{words} & more", seconds)


def test_each_frame_is_shown_in_its_turn_and_for_its_time() -> None:
    text = animated([_frame("one", 1), _frame("two", 3)])

    assert "animation: 4s step-end infinite" in text
    assert "@keyframes f1 { 0.000% { visibility: hidden } 25.000% { visibility: visible } 100.000%" in text
    assert [each.split(">")[-1] for each in re.findall(r"<text[^<]*", text)] == ["one &amp; more", "two &amp; more"]
    assert "example.com" not in text
    ElementTree.fromstring(text)


def test_the_kept_picture_is_small_and_asks_for_nothing() -> None:
    text = KEPT.read_text(encoding="utf-8")
    tree = ElementTree.fromstring(text)

    assert len(text.encode()) < 600_000
    assert not re.search(r"url\((?!#)|@import|href=|<script", text), "an image may fetch and run nothing"
    assert text.count("@keyframes") == sum("frame" in each.get("class", "") for each in tree) >= 8
    assert "halted by engine" in text.replace("&#160;", " ")
    assert "led back" in text.replace("&#160;", " ").casefold()
