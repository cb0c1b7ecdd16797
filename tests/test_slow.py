"""The list of slow tests names only what is there."""

from __future__ import annotations

from tests.slow import SLOW, TESTS


def test_every_one_exists() -> None:
    for entry in SLOW:
        place, _, name = entry.partition("::")
        text = (TESTS / place).read_text(encoding="utf-8")
        assert f"def {name}(" in text if name else "def test_" in text or ".TestCase" in text, entry
