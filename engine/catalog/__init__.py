"""Releases, vulnerabilities and fixes: what is known, what devices are compared with, what stays open.

Called by the store, the engine and both fronts. Reading documents is `engine.catalog.msrc`, fetching
`engine.catalog.sync`. Files and merging are loaded when first asked for: most commands only need releases and levels.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from engine.catalog.catalog import Catalog, Fix, KnownDocument
from engine.catalog.levels import Levels, make_levels

if TYPE_CHECKING:
    from engine.catalog.bundled import from_json, load_beyond, load_bundled, load_month_facts, to_json, with_releases
    from engine.catalog.coverage import Coverage, Gap, coverage_of
    from engine.catalog.importing import import_files
    from engine.catalog.merging import Changes, Fault, Revision, merge, merge_all

__all__ = [
    "Catalog",
    "Changes",
    "Coverage",
    "Fault",
    "Fix",
    "Gap",
    "KnownDocument",
    "Levels",
    "Revision",
    "coverage_of",
    "from_json",
    "import_files",
    "load_beyond",
    "load_bundled",
    "load_month_facts",
    "make_levels",
    "merge",
    "merge_all",
    "to_json",
    "with_releases",
]

_LATER = {
    "bundled": ("from_json", "load_beyond", "load_bundled", "load_month_facts", "to_json", "with_releases"),
    "coverage": ("Coverage", "Gap", "coverage_of"),
    "importing": ("import_files",),
    "merging": ("Changes", "Fault", "Revision", "merge", "merge_all"),
}


def __getattr__(name: str) -> object:
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
