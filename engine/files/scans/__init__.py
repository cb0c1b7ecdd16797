"""Findings from the exports of vulnerability scanners: Nessus and its sisters, Qualys, Microsoft Defender.

Reconciliation calls it. It reads and checks, one row at a time; what becomes of a finding is decided elsewhere.
"""

from engine.files.scans.finding import BadLine, ScanFinding, Scanner, SkippedLine
from engine.files.scans.reading import ScanFile
from engine.files.scans.rows import ScannedLine

__all__ = ["BadLine", "ScanFile", "ScanFinding", "ScannedLine", "Scanner", "SkippedLine"]
