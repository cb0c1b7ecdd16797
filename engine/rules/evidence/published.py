"""What others are published to have reached, for comparison; read from data/published_figures.json.

`evidence` puts it beside the fleet's own numbers. In our own words, each with its source and what weakens it.
"""

from __future__ import annotations

import json
from importlib import resources

from engine.model.records.reports import PublishedFigure


def published_figures() -> tuple[PublishedFigure, ...]:
    """Every figure, in the order of the file."""
    kept = json.loads(resources.files("data").joinpath("published_figures.json").read_text(encoding="utf-8"))
    return tuple(
        PublishedFigure(
            who=each["who"],
            what=each["what"],
            mark_hours=each["mark_hours"],
            share=each["share"],
            source=each["source"],
            doubt=each["doubt"],
        )
        for each in kept["figures"]
    )
