"""The stages that walk lists of the tenant's: devices, enrolment, rings and policies, members of groups.

`machine` calls one of them a step. Each reads one page and keeps it.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from engine.model.errors import ProviderError
from engine.model.tenants import TenantPicture
from engine.providers.graph.answers import AnswerUnusable
from engine.providers.graph.client import Page
from engine.providers.graph.devices import device_pages, read_device
from engine.providers.graph.enrolment import enrolment_pages, read_asset
from engine.providers.graph.members import member_pages, read_member
from engine.providers.graph.rings import read_rings
from engine.rules.tenants.inventory import Cursor, Pull, PullStage, assignments_of, why_not_whole
from engine.tenants.pull.reading import (
    NOT_FOR_US,
    PullWork,
    behind_page,
    from_the_top,
    is_stale_link,
    may_restart,
    one_page,
    without_stage,
)

PICTURE = msgspec.json.Decoder(TenantPicture)


async def devices(work: PullWork) -> Pull:
    """One page of the list of devices. It is always walked whole: that is how deleted devices are noticed."""
    pull, inventory = work.pull, work.store.tenant_inventory
    try:
        page = await one_page(device_pages(work.client, pull.cursor.next_link))
        cursor = behind_page(pull.cursor, page)
    except ProviderError as error:
        anew = _anew(work, error)
        with work.keeping(anew):
            inventory.forget_listed(work.provider, pull.number)
        return anew
    found = [device for item in page.items if (device := read_device(item)) is not None]
    tally = pull.tally
    moved = replace(
        pull,
        cursor=cursor,
        tally=replace(
            tally,
            left_out=tally.left_out + len(page.items) - len(found),
            done=tally.done + len(page.items),
        ),
    )
    moved = _behind(moved, page)
    with work.keeping(moved):
        inventory.keep_listed(work.provider, pull.number, found, work.now)
    return moved


async def enrolment(work: PullWork) -> Pull:
    """One page of the update service's list of devices."""
    pull, inventory = work.pull, work.store.tenant_inventory
    try:
        page = await one_page(enrolment_pages(work.client, pull.cursor.next_link))
        cursor = behind_page(pull.cursor, page)
    except ProviderError as error:
        if isinstance(error, NOT_FOR_US) and not is_stale_link(error, pull.cursor):
            beyond = without_stage(pull, error)
            with work.keeping(beyond):
                work.store.tenant_pulls.read_whole(work.provider, enrolment=False)
            return beyond
        anew = _anew(work, error)
        with work.keeping(anew):
            pass
        return anew
    found = [asset for item in page.items if (asset := read_asset(item)) is not None]
    tally = replace(pull.tally, done=pull.tally.done + len(page.items))
    moved = _behind(replace(pull, cursor=cursor, tally=tally), page)
    with work.keeping(moved):
        inventory.keep_enrolments(work.provider, pull.number, found, work.now)
        if not page.next_link:
            inventory.close_enrolments(work.provider, pull.number)
            work.store.tenant_pulls.read_whole(work.provider, enrolment=True)
    return moved


async def rings(work: PullWork) -> Pull:
    """All rings and policies of the tenant and whom they are assigned to; what is not told stays as it was."""
    pull = work.pull
    try:
        picture = await read_rings(work.client, work.now)
    except NOT_FOR_US as error:
        beyond = without_stage(pull, error, PullStage.COMPOSE)
        with work.keeping(beyond):
            work.store.tenant_pulls.read_whole(work.provider, policies=False)
        return beyond
    tally = pull.tally
    if picture.untold:
        tally = tally.with_fault(PullStage.RINGS, " ".join(picture.untold))
    moved = replace(pull, tally=tally).at_next()
    with work.keeping(moved):
        work.store.tenant_reach.keep_assignments(work.provider, picture.told, assignments_of(picture))
        work.store.tenant_pulls.read_whole(work.provider, policies=not why_not_whole(picture))
        work.store.tenant_pulls.keep_picture(work.provider, msgspec.json.encode(picture).decode())
    return moved


async def members(work: PullWork) -> Pull:
    """One page of the members of one group."""
    pull, reach = work.pull, work.store.tenant_reach
    group = pull.cursor.group or reach.next_group(work.provider, pull.number)
    if not group:
        moved = pull.at_next()
        with work.keeping(moved):
            pass
        return moved
    pull = replace(pull, cursor=replace(pull.cursor, group=group))
    try:
        page = await one_page(member_pages(work.client, group, pull.cursor.next_link))
        cursor = behind_page(pull.cursor, page)
    except ProviderError as error:
        return _without_group(replace(work, pull=pull), error)
    found = [member for item in page.items if (member := read_member(item)) is not None]
    ended = not page.next_link
    left = reach.count_groups(work.provider, pull.number)
    tally = replace(pull.tally, done=pull.tally.done + ended, total=pull.tally.total or left)
    moved = replace(pull, cursor=Cursor() if ended else cursor, tally=tally)
    with work.keeping(moved):
        reach.keep_members(work.provider, group, pull.number, found)
        if ended:
            reach.close_group(work.provider, group, pull.number, work.now)
    return moved


def _without_group(work: PullWork, error: ProviderError) -> Pull:
    """A group that is gone has no members; one that may not be read makes its policies unknown."""
    pull, reach, group = work.pull, work.store.tenant_reach, work.pull.cursor.group
    if is_stale_link(error, pull.cursor) or not isinstance(error, NOT_FOR_US):
        anew = _anew(work, error)
        with work.keeping(anew):
            pass
        return anew
    if getattr(error, "status", 0) in (404, 410):
        moved = replace(pull, cursor=Cursor(), tally=replace(pull.tally, done=pull.tally.done + 1))
        with work.keeping(moved):
            reach.close_group(work.provider, group, pull.number, work.now)
        return moved
    beyond = without_stage(pull, error)
    with work.keeping(beyond):
        work.store.tenant_pulls.read_whole(work.provider, policies=False)
    return beyond


def _behind(pull: Pull, page: Page) -> Pull:
    return pull if page.next_link else pull.at_next()


def _anew(work: PullWork, error: ProviderError) -> Pull:
    """The list from its beginning, where a kept link has gone stale or its pages go in a circle.

    Raises:
        ProviderError: the error itself, where walking anew does not help.
    """
    pull = work.pull
    circles = isinstance(error, AnswerUnusable) and bool(pull.cursor.next_link)
    if not (circles or is_stale_link(error, pull.cursor)):
        raise error
    if not may_restart(pull):
        with work.keeping(pull.at(PullStage.DONE)):  # the next pull begins with the first stage again
            pass
        raise error
    anew = from_the_top(pull)
    if pull.stage is PullStage.MEMBERS:
        return anew
    return replace(
        anew, tally=replace(anew.tally, done=0, left_out=0 if pull.stage is PullStage.DEVICES else pull.tally.left_out)
    )
