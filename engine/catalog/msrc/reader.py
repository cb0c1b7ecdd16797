"""Reads one CVRF document, plain or gzip, as a stream: memory does not grow with the document.

Called by catalog builds, imports and sync. A document that cannot be trusted whole (cut off, no CVRF, with a
document type declaration) is refused whole; never returns a part of one.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, cast
from xml.etree import ElementTree

from engine.catalog.msrc.document import FixRow, MonthDocument, Package, month_of
from engine.catalog.msrc.products import Product, product_of
from engine.catalog.msrc.stream import FETCH_AGAIN, DocumentFault, DocumentStream, FaultKind, open_stream
from engine.model.build import OsBuild, Platform
from engine.model.errors import BadInput
from engine.model.model import Cve, Severity

_VULN = "{http://www.icasi.org/CVRF/schema/vuln/1.1}"
_PROD = "{http://www.icasi.org/CVRF/schema/prod/1.1}"
_CVRF = "{http://www.icasi.org/CVRF/schema/cvrf/1.1}"
_KB = re.compile(r"(?:KB)?(\d{6,8})", re.IGNORECASE)
_BUILD = re.compile(r"(?:10\.0\.)?(\d{4,6})\.(\d{1,8})")
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
# One servicing branch, one KB: the revision is the same, only the number before it differs.
_BRANCH = frozenset({26100, 26200, 26300})
_SEVERITIES = {severity.value.lower(): severity for severity in Severity}


def read_document(path: Path) -> MonthDocument:
    """Read a document from a file, unpacking it when it is gzip, whatever it is called.

    Raises:
        DocumentFault: cut off, not CVRF, without vulnerabilities, unsafe or too large.
        BadInput: the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            return read_stream(file, name=path.name)
    except OSError as error:
        why = error.strerror or str(error)
        raise BadInput("the file cannot be read.", f"{why}.", "Name a CVRF document.", file=path.name) from error


def read_stream(source: IO[bytes], name: str = "") -> MonthDocument:
    """Read a document from bytes, plain or gzip.

    Raises:
        DocumentFault: cut off, not CVRF, without vulnerabilities, unsafe or too large.
    """
    stream = open_stream(source, name)
    try:
        return _Reading(stream, name).document()
    except ElementTree.ParseError as error:
        line = error.position[0]
        if not stream.root:
            raise DocumentFault(
                FaultKind.NOT_CVRF, "this is not an XML document.", f"{error}.", FETCH_AGAIN, file=name
            ) from error
        raise DocumentFault(
            FaultKind.CUT_OFF,
            f"the document is cut off or damaged at line {line}.",
            f"{error}.",
            FETCH_AGAIN,
            file=name,
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DocumentFault(
            FaultKind.CUT_OFF, "the gzip file is cut off or damaged.", f"{error}.", FETCH_AGAIN, file=name
        ) from error


class _Reading:
    """One walk over a document. Each vulnerability is forgotten as soon as it was read."""

    def __init__(self, stream: DocumentStream, name: str) -> None:
        self._stream = stream
        self._name = name
        self._products: dict[str, Product] = {}
        self._rows: dict[FixRow, None] = {}
        self._cves: dict[str, Cve] = {}
        self._vulnerabilities = 0
        self._has_products = False
        self._id = ""
        self._revision = 0
        self._revised_at = datetime.min.replace(tzinfo=UTC)

    def document(self) -> MonthDocument:
        for element in self._walk():
            if element.tag == f"{_VULN}Vulnerability":
                self._vulnerabilities += 1
                self._read_vulnerability(element)
            elif element.tag == f"{_CVRF}DocumentTracking":
                self._read_tracking(element)
            else:
                self._has_products = True
                self._read_products(element)
        if not self._id:
            raise DocumentFault(
                FaultKind.NOT_CVRF, "the document does not say which month it is.", "", FETCH_AGAIN, file=self._name
            )
        if not self._vulnerabilities:
            raise DocumentFault(
                FaultKind.EMPTY,
                f"the document {self._id} holds no vulnerability.",
                "The service answers like this at times.",
                FETCH_AGAIN,
                file=self._name,
            )
        return MonthDocument(
            id=self._id,
            month=month_of(self._id),
            revision=self._revision,
            revised_at=self._revised_at,
            vulnerabilities=self._vulnerabilities,
            rows=tuple(self._rows),
            cves=self._cves,
        )

    def _walk(self) -> Iterator[ElementTree.Element]:
        """The elements that matter, each complete; everything before them is dropped from memory."""
        wanted = {f"{_VULN}Vulnerability", f"{_CVRF}DocumentTracking", f"{_PROD}ProductTree"}
        root: ElementTree.Element | None = None
        notes = f"{_CVRF}DocumentNotes"
        for event, element in ElementTree.iterparse(cast("IO[bytes]", self._stream), ("start", "end")):
            if event == "start":
                if root is None:
                    root = element
            elif element.tag in wanted:
                yield element
                assert root is not None
                root.clear()
            elif element.tag == notes:
                element.clear()

    def _read_tracking(self, tracking: ElementTree.Element) -> None:
        text = (tracking.findtext(f"{_CVRF}Identification/{_CVRF}ID") or "").strip()
        try:
            month_of(text)
        except ValueError as error:
            raise DocumentFault(FaultKind.NOT_CVRF, f"{error}.", "", FETCH_AGAIN, file=self._name) from error
        self._id = text
        numbers = (revision.findtext(f"{_CVRF}Number") or "" for revision in tracking.iter(f"{_CVRF}Revision"))
        self._revision = max((int(float(n)) for n in numbers if re.fullmatch(r"\d+(\.\d+)?", n)), default=0)
        self._revised_at = _moment(tracking.findtext(f"{_CVRF}CurrentReleaseDate")) or self._revised_at

    def _read_products(self, tree: ElementTree.Element) -> None:
        for element in tree.iter(f"{_PROD}FullProductName"):
            product = product_of(element.text or "")
            if product is not None:
                self._products[element.get("ProductID", "")] = product

    def _read_vulnerability(self, element: ElementTree.Element) -> None:
        cve = (element.findtext(f"{_VULN}CVE") or "").strip().upper()
        if not self._has_products:
            raise DocumentFault(
                FaultKind.NOT_CVRF,
                "the document lists vulnerabilities before any product.",
                "Without product names no row can be placed.",
                FETCH_AGAIN,
                file=self._name,
            )
        fixes = element.find(f"{_VULN}Remediations")
        if fixes is None or not _CVE.fullmatch(cve):
            return
        before = len(self._rows)
        revisions: list[tuple[date, str]] | None = None
        for fix in fixes.iterfind(f"{_VULN}Remediation"):
            if fix.get("Type") != "Vendor Fix":
                continue
            products = [
                product
                for child in fix.iterfind(f"{_VULN}ProductID")
                if (product := self._products.get((child.text or "").strip())) is not None
            ]
            kb = _KB.fullmatch((fix.findtext(f"{_VULN}Description") or "").strip())
            if products and kb is not None:
                if revisions is None:
                    revisions = _revisions(element)
                self._add(int(kb[1]), fix, cve, products, revisions)
        if len(self._rows) > before:
            self._cves[cve] = self._rating(cve, element)

    def _add(
        self,
        kb: int,
        fix: ElementTree.Element,
        cve: str,
        products: list[Product],
        revisions: list[tuple[date, str]],
    ) -> None:
        package = _package(fix.findtext(f"{_VULN}SubType") or "")
        build = _BUILD.fullmatch((fix.findtext(f"{_VULN}FixedBuild") or "").strip())
        dated = _dated(kb, package, revisions)
        for product in products:
            row = FixRow(
                kb=kb,
                platform=product.platform,
                architecture=product.architecture,
                cve=cve,
                package=Package.HOTPATCH if product.is_hotpatch else package,
                build=_build(build, product.platform),
                dated=dated,
            )
            self._rows[row] = None

    def _rating(self, cve: str, element: ElementTree.Element) -> Cve:
        severities = [
            _SEVERITIES.get((threat.findtext(f"{_VULN}Description") or "").strip().lower(), Severity.UNRATED)
            for threat in element.iterfind(f"{_VULN}Threats/{_VULN}Threat")
            if threat.get("Type") == "Severity" and self._concerns(threat)
        ]
        status = " ".join(
            (threat.findtext(f"{_VULN}Description") or "")
            for threat in element.iterfind(f"{_VULN}Threats/{_VULN}Threat")
            if threat.get("Type") == "Exploit Status"
        )
        scores = [
            float(score)
            for scored in element.iterfind(f"{_VULN}CVSSScoreSets/{_VULN}ScoreSet")
            if self._concerns(scored)
            and re.fullmatch(r"\d{1,2}(\.\d+)?", score := (scored.findtext(f"{_VULN}BaseScore") or "").strip())
        ]
        order = list(Severity)
        known = self._cves.get(cve)
        title = " ".join((element.findtext(f"{_VULN}Title") or "").split())
        return Cve(
            id=cve,
            title=title[:300] or (known.title if known else ""),
            severity=min([*severities, known.severity if known else Severity.UNRATED], key=order.index),
            cvss=max([*scores, *([known.cvss] if known and known.cvss is not None else [])], default=None),
            exploited=_says(status, "Exploited") or bool(known and known.exploited),
            disclosed=_says(status, "Publicly Disclosed") or bool(known and known.disclosed),
        )

    def _concerns(self, element: ElementTree.Element) -> bool:
        """Whether a rating is for a platform of ours; one that names no product is for all."""
        ids = [(child.text or "").strip() for child in element.iterfind(f"{_VULN}ProductID")]
        return not ids or any(product in self._products for product in ids)


def _package(subtype: str) -> Package:
    """By what is meant: the hotpatch subtype is spelt in at least four ways (MSRC documents of 2022 to 2026)."""
    text = "".join(subtype.split()).lower()
    if "hotpatch" in text:
        return Package.HOTPATCH
    if "standalone" in text or text == "securityonly":
        return Package.STANDALONE
    return Package.UPDATE


def _build(found: re.Match[str] | None, platform: Platform) -> OsBuild | None:
    if found is None:
        return None
    number, revision = int(found[1]), int(found[2])
    if number != platform.build_number and {number, platform.build_number} <= _BRANCH:
        number = platform.build_number  # a slip seen in July 2025 and March 2026: another branch member's number
    return OsBuild(number, revision) if number == platform.build_number else None


def _says(status: str, field: str) -> bool:
    return re.search(rf"(?:^|[;\s]){field}\s*:\s*Yes\b", status, re.IGNORECASE) is not None


def _revisions(element: ElementTree.Element) -> list[tuple[date, str]]:
    """Whole-number revisions after the first, oldest first: they announce new packages, others only wording."""
    found = []
    for revision in element.iterfind(f"{_VULN}RevisionHistory/{_VULN}Revision"):
        number = (revision.findtext(f"{_CVRF}Number") or "").strip()
        moment = _moment(revision.findtext(f"{_CVRF}Date"))
        if moment is not None and re.fullmatch(r"\d+(\.0*)?", number) and int(float(number)) > 1:
            found.append((moment.date(), revision.findtext(f"{_CVRF}Description") or ""))
    return sorted(found)


def _dated(kb: int, package: Package, revisions: list[tuple[date, str]]) -> date | None:
    """The revision that names the KB, else the first that announces its kind of package, else the first.

    CVE-2025-59287 was revised on 23 October for the out-of-band LCUs and on the 24th for those of hotpatched servers.
    """
    naming = [day for day, text in revisions if str(kb) in text]
    if not naming and package is not Package.UPDATE:
        naming = [day for day, text in revisions if "hotpatch" in text.lower()]
    return naming[0] if naming else revisions[0][0] if revisions else None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
