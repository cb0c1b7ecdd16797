"""What failed installs have in common, whether to try again, and by when somebody must act. Pure.

The engine's reads, plans and both fronts import from here. It reads no storage and knows no clock.
"""

from engine.rules.failures.cases import Escalation, Exclusion, FailureCase, KnownProblem, group_key
from engine.rules.failures.factors import BaseRates, CommonFactor, FactorRules, base_rates, common_factors
from engine.rules.failures.groups import (
    BaseFor,
    CauseSummary,
    FailedInstall,
    FailureGroup,
    group_failures,
    summarise_causes,
)
from engine.rules.failures.rates import Population, population_of, rates_for
from engine.rules.failures.retries import RETRY_LIMITS, RetryDecision, retry_decision
from engine.rules.failures.sla import (
    DEFAULT_TARGETS,
    FailureTimes,
    Sla,
    SlaSeconds,
    SlaSpan,
    SlaStage,
    SlaState,
    SlaSum,
    SlaSummary,
    SlaTarget,
    SlaTargets,
    due_at,
    judge,
    severity_for,
    sla_state,
    sum_spans,
    summarise_sla,
)
from engine.rules.failures.views import (
    FailureGroupView,
    GroupSla,
    RetryOutlook,
    escalation_due,
    group_sla,
    retry_outlook,
    view_groups,
)

__all__ = [
    "DEFAULT_TARGETS",
    "RETRY_LIMITS",
    "BaseFor",
    "BaseRates",
    "CauseSummary",
    "CommonFactor",
    "Escalation",
    "Exclusion",
    "FactorRules",
    "FailedInstall",
    "FailureCase",
    "FailureGroup",
    "FailureGroupView",
    "FailureTimes",
    "GroupSla",
    "KnownProblem",
    "Population",
    "RetryDecision",
    "RetryOutlook",
    "Sla",
    "SlaSeconds",
    "SlaSpan",
    "SlaStage",
    "SlaState",
    "SlaSum",
    "SlaSummary",
    "SlaTarget",
    "SlaTargets",
    "base_rates",
    "common_factors",
    "due_at",
    "escalation_due",
    "group_failures",
    "group_key",
    "group_sla",
    "judge",
    "population_of",
    "rates_for",
    "retry_decision",
    "retry_outlook",
    "severity_for",
    "sla_state",
    "sum_spans",
    "summarise_causes",
    "summarise_sla",
    "view_groups",
]
