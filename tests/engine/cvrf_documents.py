"""Writes small CVRF documents for tests: the shape of Microsoft's, none of its text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from xml.sax.saxutils import escape, quoteattr

from engine.catalog.msrc import MonthDocument, read_stream

PRODUCTS = {
    "12390": "Windows 11 Version 24H2 for x64-based Systems",
    "12389": "Windows 11 Version 24H2 for ARM64-based Systems",
    "20438": "Windows 11 Version 25H2 for x64-based Systems",
    "20437": "Windows 11 Version 25H2 for ARM64-based Systems",
    "12436": "Windows Server 2025",
    "12437": "Windows Server 2025 (Server Core installation)",
    "11923": "Windows Server 2022",
    "11924": "Windows Server 2022 (Server Core installation)",
    "12244": "Windows Server 2022, 23H2 Edition (Server Core installation)",
    "11676-11923": "Microsoft .NET Framework 3.5 AND 4.8 on Windows Server 2022",
}
CLIENT_24H2 = ("12390", "12389")
CLIENT_25H2 = ("20438", "20437")
SERVER_2025 = ("12436", "12437")
SERVER_2022 = ("11923", "11924")
HOTPATCH = "Security Hotpatch Update"
UPDATE = "Security Update"

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<cvrf:cvrfdoc xmlns:vuln="http://www.icasi.org/CVRF/schema/vuln/1.1"
  xmlns:cvrf="http://www.icasi.org/CVRF/schema/cvrf/1.1" xmlns:prod="http://www.icasi.org/CVRF/schema/prod/1.1">
"""


@dataclass(frozen=True)
class Row:
    """One Remediation element."""

    kb: int | str
    build: str
    products: Sequence[str] = CLIENT_24H2
    subtype: str = UPDATE
    type: str = "Vendor Fix"
    restart: str = "Yes"


@dataclass(frozen=True)
class Vulnerability:
    """One Vulnerability element."""

    cve: str
    rows: Sequence[Row]
    title: str = "An example"
    severity: str = "Important"
    cvss: str = "7.8"
    status: str = "Publicly Disclosed:No;Exploited:No;Latest Software Release:Exploitation Less Likely"
    revisions: Sequence[tuple[str, str, str]] = ()
    """Number, date, text."""
    note: str = ""


def cves(month: str, count: int, rows: Sequence[Row], first: int = 1) -> list[Vulnerability]:
    """`count` vulnerabilities of a month that the same rows fix."""
    year = month[:4]
    number = int(month[5:]) * 1000
    return [Vulnerability(f"CVE-{year}-{10_000 + number + n}", rows) for n in range(first, first + count)]


def xml(
    document_id: str,
    vulnerabilities: Iterable[Vulnerability],
    *,
    revised: str = "2026-07-01T10:00:00",
    revision: int = 1,
    products: dict[str, str] | None = None,
) -> bytes:
    """The document as bytes."""
    names = PRODUCTS if products is None else products
    tree = "".join(
        f"<prod:FullProductName ProductID={quoteattr(k)}>{escape(v)}</prod:FullProductName>" for k, v in names.items()
    )
    parts = [
        _HEAD,
        "<cvrf:DocumentTitle>Example</cvrf:DocumentTitle><cvrf:DocumentTracking><cvrf:Identification>"
        f"<cvrf:ID>{escape(document_id)}</cvrf:ID></cvrf:Identification><cvrf:RevisionHistory><cvrf:Revision>"
        f"<cvrf:Number>{revision}</cvrf:Number><cvrf:Date>{revised}</cvrf:Date></cvrf:Revision></cvrf:RevisionHistory>"
        f"<cvrf:CurrentReleaseDate>{revised}</cvrf:CurrentReleaseDate></cvrf:DocumentTracking>\n",
        f'<prod:ProductTree><prod:Branch Type="Vendor" Name="Microsoft">{tree}</prod:Branch></prod:ProductTree>\n',
        *(_vulnerability(each) for each in vulnerabilities),
        "</cvrf:cvrfdoc>\n",
    ]
    return "".join(parts).encode()


def document(document_id: str, vulnerabilities: Iterable[Vulnerability], **more: object) -> MonthDocument:
    """The document as the reader sees it."""
    return read_stream(BytesIO(xml(document_id, vulnerabilities, **more)), document_id)  # type: ignore[arg-type]


def _vulnerability(each: Vulnerability) -> str:
    ids = dict.fromkeys(product for row in each.rows for product in row.products)
    severities = "".join(
        f'<vuln:Threat Type="Severity"><vuln:Description>{each.severity}</vuln:Description>'
        f"<vuln:ProductID>{product}</vuln:ProductID></vuln:Threat>"
        for product in ids
    )
    scores = "".join(
        f"<vuln:ScoreSet><vuln:BaseScore>{each.cvss}</vuln:BaseScore>"
        f"<vuln:ProductID>{product}</vuln:ProductID></vuln:ScoreSet>"
        for product in ids
    )
    revisions = "".join(
        f"<vuln:Revision><cvrf:Number>{number}</cvrf:Number><cvrf:Date>{day}T07:00:00</cvrf:Date>"
        f"<cvrf:Description>{escape(text)}</cvrf:Description></vuln:Revision>"
        for number, day, text in each.revisions
    )
    return (
        f"<vuln:Vulnerability><vuln:Title>{escape(each.title)}</vuln:Title>"
        f'<vuln:Notes><vuln:Note Type="Description">{escape(each.note)}</vuln:Note></vuln:Notes>'
        f"<vuln:CVE>{each.cve}</vuln:CVE><vuln:Threats>{severities}"
        f'<vuln:Threat Type="Exploit Status"><vuln:Description>{each.status}</vuln:Description></vuln:Threat>'
        f"</vuln:Threats><vuln:CVSSScoreSets>{scores}</vuln:CVSSScoreSets>"
        f"<vuln:Remediations>{''.join(_row(row) for row in each.rows)}</vuln:Remediations>"
        f"<vuln:RevisionHistory>{revisions}</vuln:RevisionHistory></vuln:Vulnerability>\n"
    )


def _row(row: Row) -> str:
    products = "".join(f"<vuln:ProductID>{product}</vuln:ProductID>" for product in row.products)
    return (
        f'<vuln:Remediation Type="{row.type}"><vuln:Description>{row.kb}</vuln:Description>{products}'
        f"<vuln:RestartRequired>{row.restart}</vuln:RestartRequired><vuln:SubType>{row.subtype}</vuln:SubType>"
        f"<vuln:FixedBuild>{row.build}</vuln:FixedBuild></vuln:Remediation>"
    )
