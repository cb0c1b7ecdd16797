"""Writes exports as the scanners write them: their real columns, their order, their dates, their odd lines.

Layouts: docs.tenable.com "CSV Vulnerability Export Fields" and "Findings Export Fields and Associated CSV Keys";
Qualys scan report and VMDR as in DefectDojo's parser samples; Learn "Export software vulnerabilities assessment per
device". A finding here is one row; several CVEs stand in one cell where the scanner does that.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

NESSUS = (
    "Plugin ID,CVE,CVSS v2.0 Base Score,Risk,Host,Protocol,Port,Name,Synopsis,Description,Solution,See Also,"
    "Plugin Output,STIG Severity,CVSS v3.0 Base Score,CVSS v2.0 Temporal Score,CVSS v3.0 Temporal Score,VPR Score,"
    "Risk Factor,BID,XREF,MSKB,Plugin Publication Date,Plugin Modification Date,Metasploit,Core Impact,CANVAS"
).split(",")
TENABLE_IO = (
    "Plugin ID,CVE,CVSS,Risk,Host,Protocol,Port,Name,Synopsis,Description,Solution,See Also,Plugin Output,Asset UUID,"
    "Vulnerability State,IP Address,FQDN,NetBios,OS,Plugin Family,First Found,Last Found,Host Start,Host End"
).split(",")
TENABLE_FINDINGS = (
    "asset.display_fqdn;asset.display_ipv4_address;asset.host_name;asset.id;asset.name;asset.netbios_name;"
    "definition.cve;definition.family;definition.id;definition.name;definition.severity;definition.solution;"
    "definition.synopsis;first_observed;id;last_seen;output;port;protocol;severity;state"
).split(";")
SECURITY_CENTER = (
    "Plugin,Plugin Name,Family,Severity,IP Address,Protocol,Port,Exploit?,Repository,MAC Address,DNS Name,NetBIOS Name,"
    "Plugin Output,Synopsis,Description,Steps to Remediate,See Also,Risk Factor,CVE,First Discovered,Last Observed"
).split(",")
QUALYS = (
    "IP,Network,DNS,NetBIOS,Tracking Method,OS,IP Status,QID,Title,Vuln Status,Type,Severity,Port,Protocol,FQDN,SSL,"
    "First Detected,Last Detected,Times Detected,Date Last Fixed,CVE ID,Vendor Reference,Bugtraq ID,CVSS3,CVSS3 Base,"
    "CVSS3 Temporal,Threat,Impact,Solution,Exploitability,Associated Malware,Results,PCI Vuln,Ticket State,Instance,"
    "OS CPE,Category,Associated Tags"
).split(",")
VMDR = (
    "CVE,CVE-Description,CVSSv2 Base (nvd),CVSSv3.1 Base (nvd),QID,Title,Severity,KB Severity,Type Detected,"
    "Last Detected,First Detected,Protocol,Port,Status,Asset Id,Asset Name,Asset IPV4,Asset IPV6,Solution,Asset Tags,"
    "Disabled,Ignored,QVS Score,Detection AGE,Category,Operating System,Results"
).split(",")
DEFENDER = (
    "id deviceId rbacGroupName deviceName osPlatform osVersion osArchitecture softwareVendor softwareName "
    "softwareVersion cveId vulnerabilitySeverityLevel recommendedSecurityUpdate recommendedSecurityUpdateId "
    "recommendedSecurityUpdateUrl diskPaths registryPaths lastSeenTimestamp firstSeenTimestamp exploitabilityLevel "
    "recommendationReference securityUpdateAvailable"
).split()
HUNTING = (
    "DeviceId,DeviceName,OSPlatform,OSVersion,OSArchitecture,SoftwareVendor,SoftwareName,SoftwareVersion,CveId,"
    "VulnerabilitySeverityLevel,RecommendedSecurityUpdate,RecommendedSecurityUpdateId,LastSeenTimestamp"
).split(",")

SEEN = datetime(2026, 5, 13, 6, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """One finding, whoever reports it."""

    host: str
    cves: tuple[str, ...]
    id: str = "240001"
    title: str = "KB5089549: Windows 11 Version 24H2 / 25H2 Security Update (May 2026)"
    seen_at: datetime = SEEN
    software: str = "windows_11"
    vendor: str = "microsoft"
    solution: str = "Apply Security Update 5089549"
    state: str = ""


def table(
    columns: list[str],
    rows: Iterable[Mapping[str, str]],
    *,
    delimiter: str = ",",
    head: str = "",
    quoting: int = csv.QUOTE_ALL,
) -> str:
    """CSV text of rows by column."""
    out = io.StringIO()
    out.write(head)
    writer = csv.DictWriter(out, columns, restval="", delimiter=delimiter, quoting=quoting, lineterminator="\r\n")  # type: ignore[arg-type]
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def nessus(rows: Iterable[Row], **options: object) -> str:
    """Nessus: a row a CVE, no dates, long texts over several lines."""

    def cells() -> Iterable[Mapping[str, str]]:
        for row in rows:
            for cve in row.cves or ("",):
                yield {
                    "Plugin ID": row.id,
                    "CVE": cve,
                    "Risk": "High",
                    "Host": row.host,
                    "Protocol": "tcp",
                    "Port": "445",
                    "Name": row.title,
                    "Synopsis": "The remote host is affected by multiple vulnerabilities.",
                    "Description": 'It is missing a security update.\n\n  - One.\n  - Another, with a "quote".',
                    "Solution": row.solution,
                    "Plugin Output": "\nThe remote host is missing one of:\n  - 5089549\n\n  Remote : 26100.8390\n",
                }

    return table(NESSUS, cells(), **options)  # type: ignore[arg-type]


def tenable_io(rows: Iterable[Row]) -> str:
    """Tenable's older export: states, DNS and NetBIOS names, times of the scan."""
    return table(
        TENABLE_IO,
        (
            {
                "Plugin ID": row.id,
                "CVE": ", ".join(row.cves),
                "Risk": "High",
                "Host": "10.1.2.3",
                "Name": row.title,
                "Solution": row.solution,
                "Vulnerability State": row.state or "Active",
                "IP Address": "10.1.2.3",
                "FQDN": row.host if "." in row.host else "",
                "NetBios": row.host.split(".")[0].upper(),
                "Plugin Family": "Windows : Microsoft Bulletins"
                if not row.vendor or row.vendor == "microsoft"
                else "Misc.",
                "Last Found": f"{row.seen_at:%Y-%m-%dT%H:%M:%S}.371Z",
            }
            for row in rows
        ),
    )


def tenable_findings(rows: Iterable[Row]) -> str:
    """Tenable's findings export: keys as headers, semicolons."""
    return table(
        TENABLE_FINDINGS,
        (
            {
                "asset.name": row.host,
                "asset.host_name": row.host,
                "definition.cve": ",".join(row.cves),
                "definition.id": row.id,
                "definition.name": row.title,
                "definition.solution": row.solution,
                "last_seen": f"{row.seen_at:%Y-%m-%dT%H:%M:%S}.379Z",
                "severity": "High",
                "state": row.state or "ACTIVE",
            }
            for row in rows
        ),
        delimiter=";",
    )


def security_center(rows: Iterable[Row]) -> str:
    """Security Center: dates in words."""
    return table(
        SECURITY_CENTER,
        (
            {
                "Plugin": row.id,
                "Plugin Name": row.title,
                "Severity": "High",
                "IP Address": "10.1.2.3",
                "DNS Name": row.host.lower(),
                "NetBIOS Name": "",
                "Steps to Remediate": row.solution,
                "CVE": ",".join(row.cves),
                "Last Observed": f"{row.seen_at:%b} {row.seen_at.day}, {row.seen_at:%Y %H:%M:%S} UTC",
            }
            for row in rows
        ),
    )


QUALYS_HEAD = (
    '"Vulnerability report","05/13/2026 at 07:00:00 (GMT)"\r\n"Contoso","1 High Street","London","None","W1","GB"\r\n'
    '"Asset Groups","IPs","Active Hosts","Hosts Matching Filters"\r\n"All","10.0.0.0-10.0.255.255","2","2"\r\n\r\n'
    '"IP","Total Vulnerabilities","Security Risk"\r\n"10.1.2.3","4","5.0"\r\n\r\n'
)


def qualys(rows: Iterable[Row], *, head: str = QUALYS_HEAD) -> str:
    """A Qualys report: a summary before the header, several CVEs in a cell, month before day."""
    return table(
        QUALYS,
        (
            {
                "IP": "10.1.2.3",
                "DNS": row.host if "." in row.host else "",
                "NetBIOS": row.host.split(".")[0].upper(),
                "OS": "Windows 11 Enterprise 64 bit Edition Version 24H2",
                "QID": row.id,
                "Title": row.title,
                "Vuln Status": row.state or "Active",
                "Type": "Vuln",
                "Severity": "5",
                "Last Detected": f"{row.seen_at:%m/%d/%Y %H:%M:%S}",
                "CVE ID": ", ".join(row.cves),
                "Vendor Reference": "KB5089549, KB5087539" if row.vendor == "microsoft" else "",
                "Solution": row.solution,
                "Results": "KB5089549 is not installed\n%windir%\\system32\\ntoskrnl.exe Version is 10.0.26100.8390#\n",
                "Category": "Windows" if row.vendor == "microsoft" else "Local",
            }
            for row in rows
        ),
        head=head,
    )


VMDR_HEAD = (
    '"Asset Vuln Datalist Report","13 May 2026 08:00AM GMT+0100","1"\r\n"Contoso","1 High Street","London","None","W1",'
    '"GB"\r\n"Ann","ann","IDM - Scanner VMDR"\r\n'
)


def vmdr(rows: Iterable[Row], *, head: str = VMDR_HEAD, nested: bool = False) -> str:
    """Qualys VMDR: a row a CVE, three lines before the header; also with each row as one quoted cell."""

    def cells() -> Iterable[Mapping[str, str]]:
        for row in rows:
            for cve in row.cves or ("'-",):
                yield {
                    "CVE": cve,
                    "QID": row.id,
                    "Title": row.title,
                    "Severity": "5",
                    "Last Detected": f"{row.seen_at:%b %d, %Y %I:%M %p}",
                    "Status": row.state or "ACTIVE",
                    "Asset Name": row.host.upper(),
                    "Asset IPV4": "10.1.2.3,10.1.2.4",
                    "Solution": row.solution,
                    "Category": "Windows" if row.vendor == "microsoft" else "Local",
                }

    text = table(VMDR, cells())
    if nested:
        text = "".join('"' + line.replace('"', '""') + '"\r\n' for line in text.splitlines())
    return head + text


def defender_objects(rows: Iterable[Row]) -> list[dict[str, object]]:
    """Defender's answers: an object a CVE."""
    found: list[dict[str, object]] = []
    for row in rows:
        for cve in row.cves or (None,):
            found.append(
                dict.fromkeys(DEFENDER)
                | {
                    "id": f"{row.id}_{row.host}_{cve}",
                    "deviceId": "44f612345baf759462dbe6db733b6a9c59ab4",
                    "deviceName": f"{row.host.lower()}",
                    "osVersion": "10.0.26100.8390",
                    "softwareVendor": row.vendor,
                    "softwareName": row.software,
                    "softwareVersion": "10.0.26100.8390",
                    "cveId": cve,
                    "vulnerabilitySeverityLevel": "High",
                    "recommendedSecurityUpdate": row.title,
                    "recommendedSecurityUpdateId": "5089549",
                    "diskPaths": [],
                    "lastSeenTimestamp": f"{row.seen_at:%Y-%m-%d %H:%M:%S}.8476880",
                    "securityUpdateAvailable": True,
                }
            )
    return found


def defender_pages(rows: Iterable[Row]) -> str:
    """The service's answer as it comes, here two pages one after the other."""
    objects = defender_objects(rows)
    half = len(objects) // 2
    context = "https://api.securitycenter.microsoft.com/api/$metadata#Collection(...AssetVulnerability)"
    return "\n".join(
        json.dumps(
            {"@odata.context": context, "value": part, "@odata.nextLink": "https://example.invalid/next"}, indent=1
        )
        for part in (objects[:half], objects[half:])
    )


def defender_lines(rows: Iterable[Row]) -> str:
    """The files of the export "via files": an object a line."""
    return "".join(json.dumps(each) + "\n" for each in defender_objects(rows))


def hunting(rows: Iterable[Row]) -> str:
    """CSV of advanced hunting and of the portal."""
    return table(
        HUNTING,
        (
            {
                "DeviceId": "44f612345baf759462dbe6db733b6a9c59ab4",
                "DeviceName": row.host,
                "SoftwareVendor": row.vendor,
                "SoftwareName": row.software,
                "CveId": cve,
                "VulnerabilitySeverityLevel": "High",
                "RecommendedSecurityUpdate": row.title,
                "LastSeenTimestamp": f"{row.seen_at:%Y-%m-%dT%H:%M:%S}Z",
            }
            for row in rows
            for cve in row.cves or ("",)
        ),
        quoting=csv.QUOTE_MINIMAL,
    )


def packed(text: str) -> bytes:
    """Gzipped, as Defender's files come."""
    return gzip.compress(text.encode(), mtime=0)


EXPORTS: Mapping[str, tuple[str, Callable[[Iterable[Row]], str | bytes]]] = {
    "nessus": ("nessus.csv", nessus),
    "nessus-utf16": ("nessus16.csv", lambda rows: b"\xff\xfe" + nessus(rows).encode("utf-16-le")),
    "nessus-bom-semicolon": ("n;.csv", lambda rows: b"\xef\xbb\xbf" + nessus(rows, delimiter=";").encode()),
    "tenable-io": ("tenable.csv", tenable_io),
    "tenable-findings": ("findings.csv", tenable_findings),
    "security-center": ("sc.csv", security_center),
    "qualys": ("qualys.csv", qualys),
    "qualys-bare": ("qualys-bare.csv", lambda rows: qualys(rows, head="")),
    "vmdr": ("vmdr.csv", vmdr),
    "vmdr-nested": ("vmdr-nested.csv", lambda rows: vmdr(rows, nested=True)),
    "defender-pages": ("defender.json", defender_pages),
    "defender-array": ("defender-array.json", lambda rows: json.dumps(defender_objects(rows))),
    "defender-lines": ("defender.jsonl", defender_lines),
    "defender-packed": ("defender.json.gz", lambda rows: packed(defender_lines(rows))),
    "hunting": ("hunting.csv", hunting),
}
"""Form → a file's name, and what writes it."""
