"""Brings MSRC documents from files into a catalog, for networks without internet.

Called by `catalog import`, by the catalog build and by syncing. A file that cannot be used is reported and the
others go on; never changes what is known because of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.catalog.catalog import Catalog
from engine.catalog.merging import Changes, Fault, merge_all
from engine.catalog.msrc import DocumentFault, MonthDocument, read_document
from engine.model.errors import BadInput

_ENDINGS = (".xml", ".xml.gz")


def import_files(known: Catalog, paths: Iterable[Path]) -> tuple[Catalog, Changes]:
    """Add the documents of files and folders; what cannot be used stands in `Changes.faults`.

    Raises:
        BadInput: a path does not exist, or a folder holds no document.
    """
    documents: list[MonthDocument] = []
    faults: list[Fault] = []
    for file in files_of(paths):
        try:
            documents.append(read_document(file))
        except DocumentFault as error:
            faults.append(Fault(error.kind.value, file.name, str(error)))
        except BadInput as error:
            faults.append(Fault("unreadable", file.name, str(error)))
    catalog, changes = merge_all(known, documents)
    return catalog, changes.with_faults(faults)


def files_of(paths: Iterable[Path]) -> Sequence[Path]:
    """The files that paths name; a folder stands for the documents in it, by name.

    Raises:
        BadInput: a path does not exist, or a folder holds no document.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(file for file in path.iterdir() if file.name.lower().endswith(_ENDINGS))
            if not found:
                raise BadInput(
                    f"there is no MSRC document in the folder {path}.",
                    "Only files that end in .xml or .xml.gz are looked at.",
                    "Name the files themselves, or a folder that holds them.",
                )
            files.extend(found)
        elif path.exists():
            files.append(path)
        else:
            raise BadInput(f"there is no file {path}.", "", "Name CVRF documents or a folder of them.")
    return files
