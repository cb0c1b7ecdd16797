"""Reads Microsoft's monthly security documents (CVRF 3.0) into plain records.

Called by catalog builds, imports and sync. It decides nothing about releases: that is `engine.catalog`.
"""

from engine.catalog.msrc.document import FixRow, MonthDocument, Package, month_of
from engine.catalog.msrc.reader import read_document, read_stream
from engine.catalog.msrc.stream import MAX_DOCUMENT_BYTES, DocumentFault, FaultKind

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "DocumentFault",
    "FaultKind",
    "FixRow",
    "MonthDocument",
    "Package",
    "month_of",
    "read_document",
    "read_stream",
]
