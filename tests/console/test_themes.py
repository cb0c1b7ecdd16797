"""The looks: every variable in each, and text that can be read on what it stands on."""

from __future__ import annotations

from itertools import product

import pytest
from textual.color import Color
from textual.theme import Theme

from console.themes import DEFAULTS, THEMES

READ = ("ok", "due", "at-risk", "failed", "unknown", "muted", "key", "mark")
COLOURFUL = [theme for theme in THEMES if not theme.ansi]


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_look_has_every_variable(theme: Theme) -> None:
    assert set(DEFAULTS) <= set(theme.variables)


@pytest.mark.parametrize(
    ("theme", "name"), list(product(COLOURFUL, READ)), ids=lambda value: getattr(value, "name", value)
)
def test_text_can_be_read(theme: Theme, name: str) -> None:
    for ground in (theme.background, theme.surface):
        assert ground is not None
        assert contrast(Color.parse(theme.variables[name]), Color.parse(ground)) >= 4.5, (name, ground)


@pytest.mark.parametrize("theme", COLOURFUL, ids=lambda theme: theme.name)
def test_the_cursor_can_be_read(theme: Theme) -> None:
    text, ground = (Color.parse(theme.variables[name]) for name in ("cursor-text", "cursor"))
    assert contrast(text, ground) >= 4.5


def test_high_contrast_tells_good_from_bad_in_blue_and_orange() -> None:
    theme = next(theme for theme in THEMES if theme.name == "contrast")
    good, bad = Color.parse(theme.variables["ok"]), Color.parse(theme.variables["failed"])
    assert good.b > good.r
    assert bad.r > bad.b


def contrast(one: Color, other: Color) -> float:
    """The ratio of WCAG 2."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: Color) -> float:
    def channel(value: int) -> float:
        part = value / 255
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    return 0.2126 * channel(colour.r) + 0.7152 * channel(colour.g) + 0.0722 * channel(colour.b)
