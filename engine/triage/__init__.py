"""What failed installs have in common, whether to try again, and by when somebody must act. Pure.

The engine's reads, plans and both fronts import from here. It reads no storage and knows no clock.
"""

from engine.triage.factors import BaseRates, CommonFactor, FactorRules, base_rates, common_factors
from engine.triage.groups import BaseFor, CauseSummary, FailedInstall, FailureGroup, group_failures, summarise_causes
from engine.triage.retries import RETRY_LIMITS, RetryDecision, retry_decision
from engine.triage.sla import (
    DEFAULT_TARGETS,
    FailureTimes,
    Sla,
    SlaStage,
    SlaState,
    SlaSummary,
    SlaTarget,
    SlaTargets,
    due_at,
    judge,
    severity_for,
    sla_state,
    summarise_sla,
)

__all__ = [
    "DEFAULT_TARGETS",
    "RETRY_LIMITS",
    "BaseFor",
    "BaseRates",
    "CauseSummary",
    "CommonFactor",
    "FactorRules",
    "FailedInstall",
    "FailureGroup",
    "FailureTimes",
    "RetryDecision",
    "Sla",
    "SlaStage",
    "SlaState",
    "SlaSummary",
    "SlaTarget",
    "SlaTargets",
    "base_rates",
    "common_factors",
    "due_at",
    "group_failures",
    "judge",
    "retry_decision",
    "severity_for",
    "sla_state",
    "summarise_causes",
    "summarise_sla",
]
