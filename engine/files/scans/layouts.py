"""The columns of the scanners' exports, each declared once: which header belongs to whom, and what it means.

Taken from real exports. Nessus, Security Center, Tenable VM: docs.tenable.com "CSV Vulnerability Export Fields" and
"Findings Export Fields and Associated CSV Keys". Qualys scan report, VMDR and PCI: samples of DefectDojo's parser
tests. Defender: Learn, "Export software vulnerabilities assessment per device", "DeviceTvmSoftwareVulnerabilities".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from engine.files.moments import DateOrder
from engine.files.scans.finding import Scanner


class Layout(Struct, frozen=True):
    """One form of export. A field's columns stand in the order in which the first that is filled counts."""

    name: str
    scanner: Scanner
    needs: tuple[str, ...]
    """Columns by which it is recognised, folded; all must be there."""
    host: tuple[str, ...]
    """DNS names first, then NetBIOS names, then addresses."""
    finding_id: tuple[str, ...]
    cve: tuple[str, ...]
    title: tuple[str, ...]
    severity: tuple[str, ...] = ()
    seen_at: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    device_key: tuple[str, ...] = ()
    vendor: tuple[str, ...] = ()
    software: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    """Texts that say whether it is about Windows, where no column names the software."""
    dates: DateOrder = DateOrder.UNKNOWN
    """What the scanner writes first in 5/6/2026, unless a file shows otherwise."""


def folded(header: str) -> str:
    """A header without case, blanks and signs: ``CVE ID``, ``cveId`` and ``CVE_ID`` are one."""
    return "".join(sign for sign in header.casefold() if sign.isalnum())


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "Tenable's findings export",
        Scanner.NESSUS,
        needs=("definitionid", "definitioncve", "assetname"),
        host=("assetdisplayfqdn", "assethostname", "assetname", "assetnetbiosname", "assetdisplayipv4address"),
        finding_id=("definitionid",),
        cve=("definitioncve",),
        title=("definitionname",),
        severity=("severity", "definitionseverity"),
        seen_at=("lastseen",),
        state=("state",),
        evidence=("definitionname", "definitionfamily", "definitionsolution", "definitionsynopsis"),
    ),
    Layout(
        "Tenable Security Center's export",
        Scanner.NESSUS,
        needs=("plugin", "pluginname", "ipaddress", "cve"),
        host=("dnsname", "netbiosname", "ipaddress"),
        finding_id=("plugin",),
        cve=("cve",),
        title=("pluginname",),
        severity=("severity", "riskfactor"),
        seen_at=("lastobserved",),
        evidence=("pluginname", "family", "stepstoremediate", "synopsis"),
    ),
    Layout(
        "Nessus CSV",
        Scanner.NESSUS,
        needs=("pluginid", "cve", "host", "name"),
        host=("fqdn", "dnsname", "host", "netbios", "netbiosname", "ipaddress"),
        finding_id=("pluginid",),
        cve=("cve",),
        title=("name",),
        severity=("risk", "riskfactor", "severity"),
        seen_at=("lastfound", "hostend", "hoststart"),
        state=("vulnerabilitystate",),
        evidence=("name", "pluginfamily", "mskb", "solution", "synopsis"),
    ),
    Layout(
        "Qualys VMDR's export",
        Scanner.QUALYS,
        needs=("qid", "title", "assetname"),
        host=("assetname", "dns", "netbios", "assetipv4", "assetipv6"),
        finding_id=("qid",),
        cve=("cve", "cveid", "cveids", "cves"),
        title=("title",),
        severity=("severity",),
        seen_at=("lastdetected",),
        state=("status",),
        device_key=("assetid",),
        evidence=("title", "category", "solution"),
        dates=DateOrder.MONTH_FIRST,
    ),
    Layout(
        "Qualys scan report",
        Scanner.QUALYS,
        needs=("ip", "qid", "title"),
        host=("fqdn", "dns", "netbios", "ip"),
        finding_id=("qid",),
        cve=("cveid", "cveids", "cve"),
        title=("title",),
        severity=("severity",),
        seen_at=("lastdetected",),
        state=("vulnstatus",),
        device_key=("hostid",),
        evidence=("title", "category", "vendorreference", "solution"),
        dates=DateOrder.MONTH_FIRST,
    ),
    Layout(
        "Qualys PCI report",
        Scanner.QUALYS,
        needs=("ip", "hostname", "qid", "vulntitle"),
        host=("hostname", "ip"),
        finding_id=("qid",),
        cve=("cveid",),
        title=("vulntitle",),
        severity=("severity",),
        seen_at=("lastscan",),
        evidence=("vulntitle", "category", "solution"),
    ),
    Layout(
        "Defender's software vulnerabilities",
        Scanner.DEFENDER,
        needs=("cveid", "devicename"),
        host=("devicename", "computerdnsname"),
        finding_id=("id",),
        cve=("cveid",),
        title=("recommendedsecurityupdate",),
        severity=("vulnerabilityseveritylevel", "severity"),
        seen_at=("lastseentimestamp", "eventtimestamp", "timestamp", "lastseen"),
        state=("status",),
        device_key=("deviceid",),
        vendor=("softwarevendor",),
        software=("softwarename",),
        version=("softwareversion",),
    ),
    Layout(
        "Defender's vulnerabilities by machine",
        Scanner.DEFENDER,
        needs=("cveid", "machineid"),
        host=("computerdnsname", "machinename", "machineid"),
        finding_id=("id",),
        cve=("cveid",),
        title=("fixingkbid",),
        severity=("severity",),
        device_key=("machineid",),
        vendor=("productvendor",),
        software=("productname",),
        version=("productversion",),
    ),
)


class Places(Struct, frozen=True):
    """Where the cells of a layout stand in a row, or under which keys in an object."""

    layout: Layout
    names: Mapping[str, str]
    """Folded column → the header as it is written."""

    def headers(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The headers that are there of these columns, in their order."""
        return tuple(self.names[column] for column in columns if column in self.names)


def recognise(headers: Sequence[str]) -> Places | None:
    """The layout that these headers belong to; None when they are no scanner's."""
    names: dict[str, str] = {}
    for header in headers:
        names.setdefault(folded(header), header)
    for layout in LAYOUTS:
        if all(column in names for column in layout.needs):
            return Places(layout, names)
    return None


def known_layouts() -> str:
    """The forms by name, for a message."""
    return ", ".join(layout.name for layout in LAYOUTS)
