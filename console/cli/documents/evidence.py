"""The compliance and cost reports as JSON. Pure; every key is relied on by scripts.

What is not known is null, never 0. Shares are 0.0 to 1.0, amounts a low and a high end with their currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.cli.documents.values import Document, iso, optional_kb
from engine.model.build import kb_text

if TYPE_CHECKING:
    from engine.model.records.reports import (
        BreakEven,
        ComplianceReport,
        CostReport,
        CostRow,
        IneligibleCost,
        Money,
        Offender,
        RateUsed,
        ReleaseCompliance,
        SliceCompliance,
        SubscriptionMonth,
    )

_DECIMALS = 6
_CENTS = 2


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)


# --- compliance -------------------------------------------------------------------------------------


def compliance_report(found: ComplianceReport) -> Document:
    """Every release with its marks, by platform, ring and site; who lags behind; drift; figures of others."""
    return {
        "made": iso(found.made_at),
        "period": {"from": found.period.first, "to": found.period.last},
        "filter": found.filter or None,
        "devices": found.devices,
        "records_begin": iso(found.records_begin),
        "releases": [_release(each) for each in found.releases],
        "worst": [_offender(each) for each in found.offenders],
        "unprotected": found.offenders_total,
        "drift": [
            {
                "ring": each.ring or None,
                "platform": each.platform,
                "baseline": kb_text(each.baseline_kb),
                "since": iso(each.since),
                "devices": each.devices,
                "behind": each.behind,
                "not_seen_since": each.not_seen,
            }
            for each in found.drift
        ],
        "published": [
            {
                "who": each.who,
                "what": each.what,
                "hours": each.mark_hours,
                "share": each.share,
                "source": each.source,
                "doubt": each.doubt or None,
            }
            for each in found.figures
        ],
        "assumptions": list(found.assumptions),
    }


def _release(found: ReleaseCompliance) -> Document:
    return {
        "month": found.month,
        "released": iso(found.released_at),
        "releases": [
            {
                "platform": each.platform,
                "released": iso(each.released_at),
                "kind": each.kind,
                "kb": kb_text(each.kb),
                "twin": optional_kb(each.twin_kb),
                "provisional": each.provisional,
            }
            for each in found.releases
        ],
        **_slice(found.total),
        "platforms": _named("platform", found.platforms),
        "rings": _named("ring", found.rings),
        "sites": _named("site", found.sites),
        "curve": [{"hours": each.hours, "protected": each.protected} for each in found.curve],
        "followed_until": iso(found.followed_until),
        "kept": found.kept,
        "first_seen_later": found.first_seen_later,
    }


def _named(key: str, slices: Sequence[SliceCompliance]) -> list[Document]:
    return [{key: each.name or None, **_slice(each)} for each in slices]


def _slice(found: SliceCompliance) -> Document:
    return {
        "devices": found.devices,
        "devices_now": found.devices_now,
        "protected_now": found.protected_now,
        "share_now": _share(found.share_now),
        **{
            str(each.mark): {
                "protected": each.protected,
                "devices": each.devices,
                "share": _share(each.share),
                "ends": iso(each.ends_at),
                "running": each.running,
            }
            for each in found.marks
        },
        "hours_to": {f"{share:.0%}": hours for share, hours in found.hours_to},
        "median_hours": found.median_hours,
    }


def _offender(found: Offender) -> Document:
    return {
        "device": found.device_name,
        "user": found.user or None,
        "ring": found.ring or None,
        "site": found.site or None,
        "platform": found.platform,
        "build": found.build or None,
        "unprotected_since": iso(found.unprotected_since),
        "missing": found.missing,
        "reason": found.reason,
        "last_seen": iso(found.last_seen_at),
    }


# --- cost -------------------------------------------------------------------------------------------


def cost_report(found: CostReport) -> Document:
    """Restarts that happened and restarts avoided, in numbers and money, with every rate and assumption."""
    return {
        "made": iso(found.made_at),
        "period": {"from": found.period.first, "to": found.period.last},
        "filter": found.filter or None,
        "devices": found.devices,
        "records_begin": iso(found.records_begin),
        "running_month": found.running_month or None,
        "total": _row(found.total),
        "months": [{"month": each.name, **_row(each)} for each in found.months],
        "platforms": [{"platform": each.name, **_row(each)} for each in found.platforms],
        "rings": [{"ring": each.name or None, **_row(each)} for each in found.rings],
        "subscription": [_subscription(each) for each in found.subscription],
        "subscription_total": _money(found.subscription_total),
        "ineligible": [_ineligible(each) for each in found.ineligible],
        "break_even": _break_even(found.break_even),
        "net": _money(found.net),
        "rates": [_rate(each) for each in found.rates],
        "assumptions": list(found.assumptions),
    }


def _row(found: CostRow) -> Document:
    return {
        "device_months": found.sums.device_months,
        "hotpatched": found.sums.hotpatched,
        "restarts": found.sums.restarts,
        "restarts_inferred": found.sums.restarts_inferred,
        "avoided_proven": found.sums.avoided_proven,
        "avoided_not_provable": found.sums.avoided_unproven,
        "server_avoided_proven": found.server_avoided_proven,
        "server_avoided_not_provable": found.server_avoided_unproven,
        "saved": _money(found.saved),
        "saved_not_provable": _money(found.saved_unproven),
        "not_priced": found.not_priced,
    }


def _subscription(found: SubscriptionMonth) -> Document:
    return {
        "month": found.month,
        "servers": found.servers,
        "cores": found.cores,
        "servers_without_cores": found.unknown_cores,
        "enrolled": found.enrolled,
        "enrolled_cores": found.enrolled_cores,
        "cost": _money(found.cost),
        "cost_enrolled": _money(found.cost_enrolled),
        "rates": [_rate(each) for each in found.prices],
    }


def _ineligible(found: IneligibleCost) -> Document:
    return {
        "month": found.month,
        "devices": found.devices,
        "restarts": found.restarts,
        "avoidable": found.avoidable,
        "cost": _money(found.cost),
        "not_priced": found.not_priced,
    }


def _break_even(found: BreakEven | None) -> Document | None:
    if found is None:
        return None
    needed = found.restarts_needed
    return {
        "subscription": _money(found.subscription),
        "restarts_needed": None if needed is None else {"low": round(needed[0], 3), "high": round(needed[1], 3)},
        "restarts_avoided": round(found.restarts_avoided, 3),
        "reached": found.reached,
    }


def _rate(found: RateUsed) -> Document:
    return {
        "rate": found.id,
        "what": found.what,
        "amount": _money(found.amount),
        "unit": found.unit,
        "from": found.valid_from or None,
        "to": found.valid_to or None,
        "source": found.source,
        "doubt": found.doubt or None,
        "own": found.is_own,
    }


def _money(found: Money | None) -> Document | None:
    if found is None:
        return None
    return {"low": round(found.low, _CENTS), "high": round(found.high, _CENTS), "currency": found.currency}
