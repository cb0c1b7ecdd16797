"""The nouns of a tenant as the JSON texts that the state file keeps; `tenant_rings` alone uses it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from engine.rules.tenants.model import ApprovalRule, CatalogItem, PolicyKind, Reach, RingKind, TenantPolicy, TenantRing


def to_text(thing: TenantRing | TenantPolicy | CatalogItem) -> str:
    """Any of the three; times as ISO texts. The same thing always gives the same text."""
    return json.dumps(asdict(thing), default=_plain, sort_keys=True, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, Struct):
        return asdict(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"not kept: {type(value).__name__}")


def ring_from_text(text: str) -> TenantRing:
    kept = _kept(text)
    return TenantRing(
        **{
            **kept,
            "kind": RingKind(kept["kind"]),
            "policy_kind": PolicyKind(kept["policy_kind"]),
            "reach": _reach(kept["reach"]),
            "policies": tuple(kept["policies"]),
            "pause_expires_at": _moment(kept["pause_expires_at"]),
            "modified_at": _moment(kept["modified_at"]),
        }
    )


def policy_from_text(text: str) -> TenantPolicy:
    kept = _kept(text)
    return TenantPolicy(
        **{
            **kept,
            "kind": PolicyKind(kept["kind"]),
            "reach": _reach(kept["reach"]),
            "rules": tuple(ApprovalRule(**each) for each in kept["rules"]),
            "modified_at": _moment(kept["modified_at"]),
        }
    )


def item_from_text(text: str) -> CatalogItem:
    kept = _kept(text)
    return CatalogItem(
        **{
            **kept,
            "kind": PolicyKind(kept["kind"]),
            "kbs": tuple(kept["kbs"]),
            "released_at": _moment(kept["released_at"]),
        }
    )


def _kept(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def _reach(kept: dict[str, Any]) -> Reach:
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
    return Reach(**plain)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
