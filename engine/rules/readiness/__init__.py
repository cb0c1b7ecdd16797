"""Whether a device can take hotpatches: declared rules, small pure functions, one verdict.

Runner, imports, the device's page and the store's statements over a whole fleet ask `assess`.
"""

from engine.model.model import STALE_REASON, CheckId
from engine.rules.readiness.assess import DEFAULT_SETTINGS, age_words, assess, is_stale, verdict_for, with_notes
from engine.rules.readiness.licences import (
    NO_LICENCE,
    Assigned,
    Licence,
    best_licence,
    licence_by_plans,
    licence_of_sku,
    licences,
)
from engine.rules.readiness.model import (
    Audience,
    Check,
    CheckResult,
    CheckRule,
    Readiness,
    ReadinessSettings,
    ReadinessStage,
)
from engine.rules.readiness.rules import RULES, reason_words, rules_for

__all__ = [
    "DEFAULT_SETTINGS",
    "NO_LICENCE",
    "RULES",
    "STALE_REASON",
    "Assigned",
    "Audience",
    "Check",
    "CheckId",
    "CheckResult",
    "CheckRule",
    "Licence",
    "Readiness",
    "ReadinessSettings",
    "ReadinessStage",
    "age_words",
    "assess",
    "best_licence",
    "is_stale",
    "licence_by_plans",
    "licence_of_sku",
    "licences",
    "reason_words",
    "rules_for",
    "verdict_for",
    "with_notes",
]
