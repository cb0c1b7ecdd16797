"""Builds `data/catalog.json` from a folder of MSRC documents: `python -m engine.catalog.build FOLDER`.

Called by `make catalog`. It uses the importer that also serves `catalog import`, and adds nothing of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engine.catalog.bundled import CATALOG_FILE, to_json
from engine.catalog.catalog import Catalog
from engine.catalog.merging import merge_all
from engine.catalog.msrc import read_document
from engine.model.errors import BadInput, EngineError


def build(folder: Path) -> Catalog:
    """The catalog that the documents of a folder make.

    Raises:
        BadInput: no document in the folder, or one that cannot be used.
    """
    files = sorted(file for file in folder.iterdir() if file.name.endswith((".xml", ".xml.gz")))
    if not files:
        raise BadInput(f"there is no document in {folder}.", "", "Name a folder of *.xml or *.xml.gz files.")
    catalog, _ = merge_all(Catalog(), (read_document(file) for file in files))
    return catalog


def main(arguments: list[str]) -> int:
    """Write the catalog file; returns the exit code."""
    if len(arguments) not in (1, 2) or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m engine.catalog.build FOLDER [FILE]\n")
        return 2
    target = Path(arguments[1]) if len(arguments) == 2 else _packaged_file()
    try:
        catalog = build(Path(arguments[0]))
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    target.write_text(to_json(catalog), encoding="utf-8")
    sys.stderr.write(
        f"{target}: {len(catalog.releases)} releases, {len(catalog.cves)} CVEs, {len(catalog.fixes)} fixes "
        f"from {len(catalog.documents)} documents\n"
    )
    return 0


def _packaged_file() -> Path:
    import data

    return Path(data.__file__).parent / CATALOG_FILE


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
