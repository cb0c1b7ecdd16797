"""What one row of a scanner's export says: a finding, or why it says none. Plain records; they decide nothing."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Scanner(StrEnum):
    """Whose export it is."""

    NESSUS = "nessus"
    """Nessus, Tenable Security Center and Tenable Vulnerability Management."""
    QUALYS = "qualys"
    DEFENDER = "defender"
    """Microsoft Defender Vulnerability Management."""

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {Scanner.NESSUS: "Nessus", Scanner.QUALYS: "Qualys", Scanner.DEFENDER: "Microsoft Defender"}


class ScanFinding(Struct, frozen=True):
    """One row: a host, and the vulnerabilities that the scanner says it has."""

    line: int
    scanner: Scanner
    finding_id: str
    """The scanner's own: plugin id, QID, or Defender's record id."""
    hosts: tuple[str, ...]
    """What the host is called, the surest name first: DNS names, NetBIOS names, addresses; as written."""
    device_key: str
    """The scanner's own id of the device, "" where it tells none."""
    cves: tuple[str, ...]
    """In capitals, each once, in the order of the row; empty where the row names none."""
    title: str
    severity: str
    other_software: str
    """The software that the row is about where that is not Windows; "" for Windows, or where the row does not tell."""
    seen_at: datetime | None
    """When the scanner saw it last; None where the row does not tell."""
    about_windows: bool = False
    """The row says that this device's Windows itself lacks the fix; False where it may be about something else."""

    @property
    def host(self) -> str:
        """The name to show."""
        return self.hosts[0]


class BadLine(Struct, frozen=True):
    """A row that cannot be read."""

    line: int
    field: str
    """The column, "" where the whole row is meant."""
    reason: str
    """What is wrong, and what would be right."""


class SkippedLine(Struct, frozen=True):
    """A row that reports nothing open: the scanner itself calls it fixed, or lists software without a vulnerability."""

    line: int
