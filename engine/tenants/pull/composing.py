"""The end of a pull: devices are made of what was read and taken over, with their rings, in one transaction.

`machine` calls it. It asks the tenant nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from engine.fleet.takeover import Differences, ImportReport, differences, entry_for, take_over
from engine.model.intents import Actor
from engine.providers.graph.facts import facts_of
from engine.rules.tenants.inventory import Pull
from engine.store import Store
from engine.store.devices import fact_values
from engine.store.incoming import Incoming
from engine.tenants.pull.lists import PICTURE
from engine.tenants.rings import take_over_rings
from engine.tenants.status import follow

FORM = "Microsoft Graph"
_CHUNK = 2_000
_DECIDED = frozenset("user user_name user_key search_key platform licence management policy policy_name vbs".split())
"""Facts that a tenant alone decides on: where it is silent now, what it said before does not hold any more."""


class _Undone(Exception):
    """Takes back what a dry run has done to compare."""


def compose(store: Store, actor: Actor, pull: Pull, now: datetime, *, dry_run: bool, remove_gone: bool) -> ImportReport:
    """Compare the devices of a pull with the fleet and, unless it is a dry run, take them over.

    The pull is done with it, or stays as it was.
    """
    provider = pull.provider
    ring_ids = _rings(store, pull, now, dry_run=dry_run)
    # Where the tenant has told of rings, a device in none of them is in none here either.
    decided = _DECIDED | {"ring_id"} if ring_ids else _DECIDED
    incoming = Incoming(store.connection, provider, now, decided=decided)
    try:
        with incoming.filling():
            _fill(store, incoming, pull, ring_ids)
        rows = store.tenant_reach.count_current(provider, pull.number)
        left_out = pull.tally.left_out + store.tenant_inventory.listed(provider, pull.number) - rows
        found = _taken_over(store, actor, pull, incoming, now, rows, dry_run=dry_run, remove_gone=remove_gone)
    finally:
        incoming.drop()
    return ImportReport(
        form=FORM,
        rows=rows,
        added=found.added,
        changed=found.changed,
        gone=found.gone,
        changed_facts=found.changed_facts,
        bad=(),
        bad_count=0,
        skipped=left_out,
        unknown_columns=(),
        done=not dry_run,
        removed=found.gone.devices if remove_gone else 0,
        faults=tuple(f"{stage}: {words}" for stage, words in (pull.tally.faults or {}).items()),
    )


def _rings(store: Store, pull: Pull, now: datetime, *, dry_run: bool) -> Mapping[str, int]:
    """The tenant's rings here by the tenant's key, in order; taken over first, as devices are put into them."""
    kept = store.tenant_pulls.picture(pull.provider)
    if kept and not dry_run:
        with store.transaction():
            take_over_rings(store, pull.provider, PICTURE.decode(kept), now)
    return {each.ring.key: each.ring_id for each in store.tenant_rings.bound(pull.provider) if each.gone_at is None}


def _fill(store: Store, incoming: Incoming, pull: Pull, ring_ids: Mapping[str, int]) -> None:
    reach, provider = store.tenant_reach, pull.provider
    reach.place(provider, pull.number, ring_ids)
    values: Any = (
        (*fact_values(told.intune_id, facts_of(told, provider)), ring_id)
        for told, ring_id in reach.each_told(provider, pull.number, ring_ids, pull.tally.faults or {})
    )
    while chunk := list(islice(values, _CHUNK)):
        incoming.add(chunk)


def _taken_over(
    store: Store,
    actor: Actor,
    pull: Pull,
    incoming: Incoming,
    now: datetime,
    rows: int,
    *,
    dry_run: bool,
    remove_gone: bool,
) -> Differences:
    provider, inventory = pull.provider, store.tenant_inventory
    try:
        with store.transaction():
            # A device that was enrolled anew keeps its history; that must be so before devices are compared.
            store.tenant_reach.follow_enrolments(provider, pull.number)
            found = differences(incoming)
            if dry_run:
                raise _Undone
            oldest = inventory.oldest_fact(provider, pull.number)
            if found.changes(remove_gone=remove_gone):
                details: dict[str, object] = {"provider": provider, "form": FORM, "rows": rows, "pull": pull.number}
                entry = entry_for(actor, now, provider, found, details, remove_gone=remove_gone)
                take_over(store, incoming, found, now, entry, remove_gone=remove_gone)
            else:
                store.state.count_change()  # the age of the data is shown as well
            inventory.tidy(provider, pull.number)
            follow(store, provider, now)
            store.tenant_pulls.finish(pull, now, oldest)
    except _Undone:
        pass
    return found
