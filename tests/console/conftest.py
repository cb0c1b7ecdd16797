"""What tests of screens share: Textual's styles are parsed once a process, not anew for each console that is opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet


@pytest.fixture(scope="package", autouse=True)
def parsed_styles() -> Iterator[None]:
    """Rules are never changed once they are parsed: the same text with the same variables may share them."""
    parse = Stylesheet._parse_rules
    kept: dict[Any, Any] = {}

    def parse_once(self: Stylesheet, css: str, *where: Any, **how: Any) -> Any:
        key = (css, where, tuple(how.items()), tuple(self._variables.items()))
        if key not in kept:
            kept[key] = parse(self, css, *where, **how)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        yield
