"""Whether a scanner is right about a device: pure decisions over findings, a device's history and the catalog.

`engine.evidence.scanners` brings the facts together and calls it. A finding stands unless something proves otherwise.
"""

from engine.rules.findings.device import Failure, InstallStep, Seen, TargetDevice, history
from engine.rules.findings.judge import Judge
from engine.rules.findings.judgement import FindingVerdict, Judgement, LevelSource, Proof, Reconciled, Why
from engine.rules.findings.words import VERDICT_WORDS, next_step, proof_words, reason, scanner_name

__all__ = [
    "VERDICT_WORDS",
    "Failure",
    "FindingVerdict",
    "InstallStep",
    "Judge",
    "Judgement",
    "LevelSource",
    "Proof",
    "Reconciled",
    "Seen",
    "TargetDevice",
    "Why",
    "history",
    "next_step",
    "proof_words",
    "reason",
    "scanner_name",
]
