"""What a terminal shows after all that a program has sent."""

from __future__ import annotations

import pyte

from tests.bench.pseudo_terminal import COLUMNS, LINES


def shows_facts(data: bytes) -> bool:
    """Whether the screen shows a fact between its first line and its last: facts have numbers, placeholders none."""
    screen = pyte.Screen(COLUMNS, LINES)
    pyte.ByteStream(screen).feed(data)
    return any(sign.isdigit() for line in screen.display[1:-1] for sign in line)
