"""Bytes of a document on their way to the reader: unpacked, limited, and refused when they are no CVRF.

Called by the reader only. Entities and external references are impossible because a document type declaration,
which they need, is refused before the parser sees anything that follows it.
"""

from __future__ import annotations

import gzip
import io
from enum import StrEnum
from typing import IO, Protocol, cast
from xml.parsers import expat

from engine.model.errors import BadInput

MAX_DOCUMENT_BYTES = 200_000_000
"""Unpacked; the largest real document has 11 MB. A gzip file that unfolds beyond this is refused."""
CHUNK = 1 << 16


class FaultKind(StrEnum):
    """How a document or its index can be wrong; each was seen from the MSRC service."""

    CUT_OFF = "cut-off"
    NOT_CVRF = "not-cvrf"
    EMPTY = "no-vulnerabilities"
    UNSAFE = "unsafe"
    TOO_LARGE = "too-large"
    DROPPED = "dropped"
    MISSING = "missing-from-index"
    UNREACHABLE = "unreachable"


class DocumentFault(BadInput):
    """A document that cannot be used; what is known stays as it is."""

    def __init__(self, kind: FaultKind, what: str, why: str = "", instead: str = "", *, file: str = "") -> None:
        super().__init__(what, why, instead, file=file)
        self.kind = kind


class Readable(Protocol):
    """Whatever gives bytes: an open file, an unpacker, a download."""

    def read(self, size: int = -1, /) -> bytes: ...


FETCH_AGAIN = "Fetch it again; what is known stays as it is."


def open_stream(source: IO[bytes], name: str) -> DocumentStream:
    """The document's own bytes, unpacked where the source is gzip.

    Raises:
        DocumentFault: the source is empty.
    """
    head = source.read(CHUNK)
    if not head:
        raise DocumentFault(FaultKind.CUT_OFF, "the document is empty.", "", FETCH_AGAIN, file=name)
    stream: Readable = _Rejoined(head, source)
    if head[:2] == b"\x1f\x8b":
        stream = gzip.GzipFile(fileobj=cast("IO[bytes]", stream))
    return DocumentStream(stream, name)


class _Rejoined:
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest

    def read(self, size: int = -1, /) -> bytes:
        return self._head.read(size) or self._rest.read(size)


class DocumentStream:
    """Refuses what unfolds beyond the limit, and a prolog that declares a document type.

    Entities and external references need a document type declaration, which only the prolog may hold: expat
    reads along until the first element begins, and no further.
    """

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream = stream
        self._name = name
        self._bytes = 0
        self._prolog: expat.XMLParserType | None = expat.ParserCreate()
        self._prolog.StartDoctypeDeclHandler = self._refuse
        self._prolog.StartElementHandler = self._root
        self.root = ""

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        if not self._bytes:
            self._refuse_page(data)
        self._bytes += len(data)
        if self._bytes > MAX_DOCUMENT_BYTES:
            raise DocumentFault(
                FaultKind.TOO_LARGE,
                f"the document is larger than {MAX_DOCUMENT_BYTES // 1_000_000} MB.",
                "No monthly document is that large.",
                "Check where the file comes from.",
                file=self._name,
            )
        if self._prolog is not None:
            self._read_prolog(data)
        return data

    def _refuse_page(self, head: bytes) -> None:
        """HTML need not be well-formed XML, so it is told by its beginning."""
        begin = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower()
        if begin.startswith((b"<!doctype html", b"<html")):
            self._refuse("html")
        if begin.startswith((b"{", b"[")):
            raise DocumentFault(
                FaultKind.NOT_CVRF,
                "this is a JSON text, not a CVRF document.",
                "Only the XML form is read.",
                "Fetch it with Accept: application/xml.",
                file=self._name,
            )

    def _read_prolog(self, data: bytes) -> None:
        assert self._prolog is not None
        try:
            self._prolog.Parse(data, not data)
        except expat.ExpatError:
            self._prolog = None  # the walk below finds the same error and tells its place
        if self.root:
            self._prolog = None
            if self.root.rsplit(":", 1)[-1].lower() != "cvrfdoc":
                raise DocumentFault(
                    FaultKind.NOT_CVRF,
                    f"this is not a CVRF document but <{self.root[:40]}>.",
                    "A page of another site answers like this when an address has moved.",
                    FETCH_AGAIN,
                    file=self._name,
                )

    def _root(self, name: str, _attributes: object) -> None:
        self.root = self.root or name

    def _refuse(self, name: str, *_rest: object) -> None:
        is_page = name.lower() == "html"
        raise DocumentFault(
            FaultKind.NOT_CVRF if is_page else FaultKind.UNSAFE,
            "this is a HTML page, not a CVRF document." if is_page else "the document declares a document type.",
            "" if is_page else "No CVRF document needs one, and entities can be used for attacks.",
            FETCH_AGAIN if is_page else "Check where the file comes from.",
            file=self._name,
        )
