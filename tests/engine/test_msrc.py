"""Reading CVRF documents: what is meant is read, what cannot be trusted is refused whole."""

from __future__ import annotations

import gzip
import tracemalloc
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.msrc import DocumentFault, FaultKind, Package, month_of, read_document, read_stream, stream
from engine.catalog.msrc.document import document_id_of
from engine.catalog.msrc.products import product_of
from engine.model.build import Architecture, OsBuild, Platform
from engine.model.errors import BadInput
from engine.model.model import Severity
from tests.conftest import SHARED
from tests.engine.cvrf_documents import (
    CLIENT_24H2,
    HOTPATCH,
    PRODUCTS,
    SERVER_2022,
    Row,
    Vulnerability,
    cves,
    document,
    xml,
)

ROW = Row(5089466, "10.0.26100.8390", CLIENT_24H2, HOTPATCH)
GOOD = xml("2026-May", [Vulnerability("CVE-2026-0001", [ROW])])


def fault_of(content: bytes) -> DocumentFault:
    with pytest.raises(DocumentFault) as caught:
        read_stream(BytesIO(content), "file.xml")
    assert "file.xml" in str(caught.value)
    return caught.value


# --- products -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "platform", "architecture"),
    [
        ("Windows 11 Version 24H2 for x64-based Systems", Platform.WIN11_24H2, Architecture.X64),
        ("Windows 11 version 25H2 for ARM64-based Systems", Platform.WIN11_25H2, Architecture.ARM64),
        ("Windows 11 Version 25H2 for ARM systems", Platform.WIN11_25H2, Architecture.ARM64),
        ("Windows Server 2025", Platform.SERVER_2025, Architecture.X64),
        ("Windows  Server 2022 (Server Core installation)", Platform.SERVER_2022, Architecture.X64),
        ("Windows Server 2022 Datacenter: Azure Edition", Platform.SERVER_2022, Architecture.X64),
    ],
)
def test_products_are_recognised_however_they_are_spelt(
    name: str, platform: Platform, architecture: Architecture
) -> None:
    product = product_of(name)
    assert product is not None
    assert (product.platform, product.architecture, product.is_hotpatch) == (platform, architecture, False)


@pytest.mark.parametrize(
    "name",
    [
        "Windows Server 2022, 23H2 Edition (Server Core installation)",
        "Windows 11 version 26H1 for x64-based Systems",
        "Microsoft .NET Framework 3.5 AND 4.8.1 on Windows Server 2025",
        "Windows HLK for Windows Server 2022",
        "Windows ADK for Windows 11, version 24H2",
        "Microsoft SQL Server 2022 for x64-based Systems (GDR)",
        "Azure DevOps Server 2022",
        "",
    ],
)
def test_other_products_are_left_out(name: str) -> None:
    assert product_of(name) is None


def test_documents_of_2022_name_the_hotpatch_in_the_product() -> None:
    product = product_of("Windows Server 2022 Azure Edition Core Hotpatch")
    assert product is not None
    assert (product.platform, product.is_hotpatch) == (Platform.SERVER_2022, True)


# --- months -------------------------------------------------------------------------------------------


@given(st.integers(2016, 2040), st.integers(1, 12))
def test_document_ids_and_months_are_inverse(year: int, number: int) -> None:
    month = f"{year}-{number:02d}"
    assert month_of(document_id_of(month)) == month


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-Xyz", "May-2026", "2026-05"])
def test_other_ids_are_no_months(text: str) -> None:
    with pytest.raises(ValueError, match="2026-May"):
        month_of(text)


# --- rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subtype", "package"),
    [
        ("Security Hotpatch Update", Package.HOTPATCH),
        ("SecurityHotpatchUpdate", Package.HOTPATCH),
        ("Security HotPatch Update", Package.HOTPATCH),
        ("AzureHotpatch", Package.HOTPATCH),
        ("Security Update", Package.UPDATE),
        ("Standalone Security Update", Package.STANDALONE),
        ("Security Only", Package.STANDALONE),
    ],
)
def test_the_hotpatch_subtype_is_read_in_every_spelling(subtype: str, package: Package) -> None:
    read = document("2026-May", [Vulnerability("CVE-2026-0001", [Row(5089466, "10.0.26100.8390", subtype=subtype)])])
    assert {row.package for row in read.rows} == {package}


def test_a_document_becomes_rows_by_platform_and_architecture() -> None:
    read = document(
        "2026-May",
        [
            Vulnerability(
                "CVE-2026-0001",
                [
                    ROW,
                    Row(5087545, "10.0.20348.5139", SERVER_2022),
                    Row(1, "1", ("12244",)),
                    Row(2, "4.8", ("11676-11923",)),
                ],
            )
        ],
        revised="2026-05-14T08:30:00",
        revision=7,
    )
    assert (read.id, read.month, read.revision, read.vulnerabilities) == ("2026-May", "2026-05", 7, 1)
    assert read.revised_at == datetime(2026, 5, 14, 8, 30, tzinfo=UTC)
    rows = {(row.kb, row.platform, row.architecture, row.build) for row in read.rows}
    assert rows == {
        (5089466, Platform.WIN11_24H2, Architecture.X64, OsBuild(26100, 8390)),
        (5089466, Platform.WIN11_24H2, Architecture.ARM64, OsBuild(26100, 8390)),
        (5087545, Platform.SERVER_2022, Architecture.X64, OsBuild(20348, 5139)),
    }


def test_repeated_products_and_rows_count_once() -> None:
    rows = [Row(5089466, "10.0.26100.8390", ("12390", "12390")), Row(5089466, "10.0.26100.8390", ("12390",))]
    read = document("2026-May", [Vulnerability("CVE-2026-0001", rows), Vulnerability("CVE-2026-0001", rows)])
    assert len(read.rows) == 1
    assert list(read.cves) == ["CVE-2026-0001"]


def test_known_issues_mitigations_and_pages_are_no_fixes() -> None:
    rows = [
        Row(5089466, "10.0.26100.8390", type="Known Issue"),
        Row(5089467, "", type="Mitigation"),
        Row("Release Notes", "10.1.26100.3478"),
        Row("5089468", "10.0.26100.8390"),
    ]
    read = document("2026-May", [Vulnerability("CVE-2026-0001", rows)])
    assert {row.kb for row in read.rows} == {5089468}


@pytest.mark.parametrize(
    ("product", "filed", "meant"),
    [
        ("20437", "10.0.26100.7982", OsBuild(26200, 7982)),
        ("12436", "10.0.26200.4349", OsBuild(26100, 4349)),
        ("11923", "20348.5139", OsBuild(20348, 5139)),
        ("11923", "10.0.26100.8390", None),
        ("11923", "", None),
        ("11923", "4.8.9334.0", None),
    ],
)
def test_a_slip_in_the_build_number_is_put_right_within_one_branch(
    product: str, filed: str, meant: OsBuild | None
) -> None:
    read = document("2026-May", [Vulnerability("CVE-2026-0001", [Row(5084597, filed, (product,))])])
    assert [row.build for row in read.rows] == [meant]


def test_ratings_come_from_the_products_that_matter() -> None:
    status = "Publicly Disclosed:Yes;Exploited:Yes;Latest Software Release:Exploitation Detected"
    read = document(
        "2026-May",
        [
            Vulnerability("CVE-2026-0001", [ROW], severity="Critical", cvss="9.8", status=status, title=" A\n  title "),
            Vulnerability("CVE-2026-0002", [ROW], severity="", cvss="unknown", status=""),
        ],
    )
    first, second = read.cves["CVE-2026-0001"], read.cves["CVE-2026-0002"]
    assert (first.title, first.severity, first.cvss) == ("A title", Severity.CRITICAL, 9.8)
    assert first.exploited
    assert first.disclosed
    assert (second.severity, second.cvss, second.exploited, second.disclosed) == (Severity.UNRATED, None, False, False)


def test_the_day_of_a_package_is_that_of_the_revision_that_names_it() -> None:
    revisions = [
        ("1.0", "2025-10-14", "Information published."),
        ("3.0", "2025-10-24", "Security hotpatch updates are now available."),
        ("2.0", "2025-10-23", "An out of band update KB5070881 is out."),
        ("2.1", "2025-10-25", "Links to KB5070884."),
    ]
    rows = [
        Row(5070881, "10.0.26100.6905", ("12436",)),
        Row(5070884, "10.0.20348.4297", ("11923",)),
        Row(5070893, "10.0.26100.6905", ("12437",), "Standalone Security Update"),
    ]
    read = document("2025-Oct", [Vulnerability("CVE-2025-59287", rows, revisions=revisions)])
    days = {row.kb: row.dated for row in read.rows}
    assert days == {5070881: date(2025, 10, 23), 5070884: date(2025, 10, 23), 5070893: date(2025, 10, 24)}


# --- faults -------------------------------------------------------------------------------------------


def test_plain_and_packed_documents_read_alike(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.xml", tmp_path / "b.data"
    plain.write_bytes(GOOD)
    packed.write_bytes(gzip.compress(GOOD))
    assert read_document(plain) == read_document(packed)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_a_document_that_is_cut_off_is_refused_whole(share: float) -> None:
    content = GOOD[: int(len(GOOD) * share)]
    assert fault_of(content).kind is FaultKind.CUT_OFF
    packed = gzip.compress(GOOD)
    assert fault_of(packed[: int(len(packed) * share)]).kind is FaultKind.CUT_OFF


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>moved</body></html>",
        b"\n  <!doctype HTML>\n<p>not closed<br>",
        b"<html lang='en'><body>moved</body></html>",
        b"<?xml version='1.0'?><!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0//EN' 'x'><html/>",
        b"<?xml version='1.0'?><feed><entry/></feed>",
        b'{"value": []}',
        b"Too many requests",
    ],
)
def test_other_answers_are_no_documents(content: bytes) -> None:
    assert fault_of(content).kind is FaultKind.NOT_CVRF


def test_an_empty_file_and_a_document_without_vulnerabilities_are_told_apart() -> None:
    assert fault_of(b"").kind is FaultKind.CUT_OFF
    assert fault_of(xml("2026-May", [])).kind is FaultKind.EMPTY


def test_a_document_that_names_no_month_or_no_products_is_refused() -> None:
    assert fault_of(xml("Hello", [Vulnerability("CVE-2026-0001", [ROW])])).kind is FaultKind.NOT_CVRF
    begin = GOOD.index(b"<prod:ProductTree>")
    end = GOOD.index(b"</prod:ProductTree>") + len(b"</prod:ProductTree>")
    assert fault_of(GOOD[:begin] + GOOD[end:]).kind is FaultKind.NOT_CVRF


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE c [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>"""


@pytest.mark.parametrize(
    "prolog",
    [
        LAUGHS,
        b'<?xml version="1.0"?><!DOCTYPE cvrfdoc SYSTEM "http://127.0.0.1:9/x.dtd">',
        b'<?xml version="1.0"?><!DOCTYPE cvrfdoc [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<?xml version="1.0"?>' + b" " * 200_000 + b"<!DOCTYPE cvrfdoc [<!ENTITY a 'x'>]>",
    ],
)
def test_entities_and_external_references_are_refused_before_they_are_read(prolog: bytes) -> None:
    body = GOOD.split(b"?>", 1)[1].replace(b"An example", b"&a;")
    assert fault_of(prolog + body).kind is FaultKind.UNSAFE
    assert fault_of(gzip.compress(prolog + body)).kind is FaultKind.UNSAFE


def test_a_declaration_in_another_encoding_is_refused_too() -> None:
    text = GOOD.split(b"?>", 1)[1].decode()
    content = ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE c [<!ENTITY a "x">]>' + text).encode("utf-16")
    assert fault_of(content).kind is FaultKind.UNSAFE


def test_a_packed_file_that_unfolds_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_DOCUMENT_BYTES", 100_000)
    bomb = gzip.compress(GOOD.replace(b"An example", b"x" * 1_000_000))
    assert len(bomb) < 10_000
    assert fault_of(bomb).kind is FaultKind.TOO_LARGE


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.xml: the file cannot be read"):
        read_document(tmp_path / "none.xml")


@given(st.binary(max_size=400))
def test_no_bytes_bring_anything_but_a_fault(content: bytes) -> None:
    with pytest.raises(DocumentFault):
        read_stream(BytesIO(content))


@given(st.integers(0, len(GOOD)), st.integers(0, len(GOOD)), st.binary(max_size=8))
def test_a_damaged_document_is_refused_or_still_whole(begin: int, end: int, patch: bytes) -> None:
    content = GOOD[: min(begin, end)] + patch + GOOD[max(begin, end) :]
    try:
        read = read_stream(BytesIO(content))
    except DocumentFault:
        return
    assert read.vulnerabilities >= 1
    assert read.month


# --- size ---------------------------------------------------------------------------------------------


def peak_of(vulnerabilities: int) -> int:
    """Peak memory of reading a document in which most concerns other products, as in real ones."""
    other = Row(5000000, "10.0.25398.1", ("12244",))
    filler = [Vulnerability(f"CVE-2026-{20_000 + n}", [other], note="x" * 2_000) for n in range(vulnerabilities)]
    content = xml("2026-May", [*cves("2026-05", 5, [ROW]), *filler])
    tracemalloc.start()
    try:
        read_stream(BytesIO(content))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_document() -> None:
    small, large = peak_of(100), peak_of(1_000)
    assert large < small * 1.2


# --- the real documents -------------------------------------------------------------------------------


@pytest.mark.shared
def test_every_real_document_is_read() -> None:
    files = sorted((SHARED / "msrc").glob("*.xml.gz"))
    assert len(files) == 18
    for file in files:
        read = read_document(file)
        assert file.name == f"cvrf-{read.id}.xml.gz"
        assert read.revision > 0
        assert len(read.cves) >= 30
        assert {row.platform for row in read.rows} >= set(Platform) - {Platform.WIN11_25H2}
        assert set(read.cves) == {row.cve for row in read.rows}
        assert all(cve.severity is not Severity.UNRATED or cve.id == "CVE-2025-6965" for cve in read.cves.values())


def test_the_examples_name_the_products_of_real_documents() -> None:
    assert sum(product_of(name) is not None for name in PRODUCTS.values()) == 8
