"""Lists over several pages: links word for word, none off the host, none in a circle, and on from a kept one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.errors import BadInput, ProviderError
from engine.providers.graph.answers import AnswerUnusable, GraphError
from engine.providers.graph.client import V1, GraphClient, Limits, Page
from engine.providers.graph.paging import page_of
from tests.tenant.fixtures import FakeTime, client_of
from tests.tenant.server import Elsewhere, Tenant
from tests.tenant.state import group_id

DEVICES = "/deviceManagement/managedDevices"
ASKED = {"$filter": "operatingSystem eq 'Windows'", "$select": "id,deviceName", "$top": "1000"}


async def pages_of(client: GraphClient, start: str = "") -> list[Page]:
    return [page async for page in client.pages(DEVICES, ASKED, start=start)]


async def test_links_are_followed_word_for_word(tenant: Tenant) -> None:
    """The tenant refuses a link that was put together anew."""
    async with client_of(tenant) as client:
        pages = await pages_of(client)
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert len({item["id"] for page in pages for item in page.items}) == 25
    for page, seen in zip(pages, tenant.requests[1:], strict=False):
        assert page.next_link == f"{tenant.base_url}{seen.path}?{seen.query}"
    assert pages[-1].next_link == ""


async def test_headers_go_with_every_page(tenant: Tenant) -> None:
    tenant.state.page_size = 2
    async with client_of(tenant) as client:
        named = {"ConsistencyLevel": "eventual", "Prefer": "odata.maxpagesize=2"}
        found = [page async for page in client.pages("/groups", {"$count": "true"}, version=V1, headers=named)]
    assert len(found) == 2
    assert [seen.headers["consistencylevel"] for seen in tenant.requests] == ["eventual"] * 2


async def test_a_kept_link_goes_on_where_it_was(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        all_pages = await pages_of(client)
    before = len(tenant.requests)
    async with client_of(tenant) as client:
        rest = await pages_of(client, start=all_pages[0].next_link)
    assert rest == all_pages[1:]
    assert len(tenant.requests) - before == 2


async def test_a_link_that_the_service_forgot_is_a_plain_error(tenant: Tenant) -> None:
    stale = f"{tenant.base_url}/beta{DEVICES}?$skiptoken=stale"
    async with client_of(tenant) as client:
        with pytest.raises(GraphError, match="skip token") as caught:
            await pages_of(client, start=stale)
    assert caught.value.status == 400


async def test_a_device_deleted_in_mid_paging_is_missed_and_nothing_else(tenant: Tenant) -> None:
    tenant.faults.before(lambda state: state.devices.delete(17), f"/beta{DEVICES}", nth=2)
    async with client_of(tenant) as client:
        names = [item["deviceName"] for page in await pages_of(client) for item in page.items]
    assert names == [f"PC-{number:06d}" for number in range(25) if number != 17]


async def test_a_refusal_in_mid_paging_is_waited_out(tenant: Tenant) -> None:
    time = FakeTime()
    tenant.faults.throttle(DEVICES, nth=2, times=2, retry_after="5")
    async with client_of(tenant, time=time) as client:
        assert sum(len(page.items) for page in await pages_of(client)) == 25
    assert time.slept == [5.0, 5.0]


async def test_no_link_leads_to_another_host(tenant: Tenant, elsewhere: Elsewhere) -> None:
    tenant.faults.link(f"{elsewhere.base_url}/beta{DEVICES}?$skiptoken=x", DEVICES)
    async with client_of(tenant) as client:
        with pytest.raises(AnswerUnusable, match="another address") as caught:
            await pages_of(client)
    assert "--base-url" in caught.value.instead
    assert elsewhere.requests == []
    assert len(tenant.requests) == 1


async def test_a_kept_link_may_not_lead_elsewhere_either(tenant: Tenant, elsewhere: Elsewhere) -> None:
    async with client_of(tenant) as client:
        with pytest.raises(AnswerUnusable, match="another address"):
            await pages_of(client, start=f"{elsewhere.base_url}/beta{DEVICES}")
    assert elsewhere.requests == []
    assert tenant.requests == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_leads_to_another_host(tenant: Tenant, elsewhere: Elsewhere, status: int) -> None:
    tenant.faults.status(status, DEVICES, Location=f"{elsewhere.base_url}/beta{DEVICES}")
    async with client_of(tenant) as client:
        with pytest.raises(AnswerUnusable, match="another address"):
            await client.get(DEVICES)
    assert elsewhere.requests == []


async def test_a_redirect_at_home_is_followed_a_few_times(tenant: Tenant) -> None:
    tenant.faults.status(307, "/organization", times=2, Location="/v1.0/organization?$top=1")
    async with client_of(tenant) as client:
        assert (await client.get("/organization", version=V1))["value"]
        tenant.faults.status(307, "/groups", times=99, Location="/v1.0/groups")
        with pytest.raises(GraphError):
            await client.get("/groups", version=V1)
    assert len(tenant.asked("/groups")) == 4


async def test_a_circle_of_links_ends(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        pages = await pages_of(client)
        tenant.faults.link(pages[0].next_link, DEVICES, nth=3)
        found = []
        with pytest.raises(AnswerUnusable, match="does not end"):
            async for page in client.pages(DEVICES, ASKED):
                found.append(page)
    assert len(found) == 2


async def test_a_list_without_end_ends(tenant: Tenant) -> None:
    tenant.state.devices.count = 1000
    async with client_of(tenant, limits=Limits(pages=3)) as client:
        with pytest.raises(AnswerUnusable, match="More than 3 pages"):
            await pages_of(client)
    assert len(tenant.requests) == 3


async def test_unknown_members_and_enum_values_survive(tenant: Tenant) -> None:
    tenant.faults.member("processorArchitecture", "riscV", DEVICES)
    tenant.faults.member("somethingNew", {"deep": [1]}, DEVICES)
    async with client_of(tenant) as client:
        items = (await client.get(DEVICES))["value"]
    assert {item["processorArchitecture"] for item in items} == {"riscV"}
    assert items[0]["somethingNew"] == {"deep": [1]}


@pytest.mark.parametrize(
    "value", [{"value": "x"}, {"value": [1]}, {"value": {}}, {"value": [], "@odata.nextLink": 7}, {"value": [None]}]
)
async def test_what_is_no_list_is_said_to_be_none(tenant: Tenant, value: dict[str, object]) -> None:
    tenant.faults.rewrite(lambda _: value, DEVICES)
    async with client_of(tenant) as client:
        with pytest.raises(AnswerUnusable):
            await pages_of(client)


async def test_empty_lists_and_null_links(tenant: Tenant) -> None:
    tenant.faults.rewrite(lambda _: {"value": None, "@odata.nextLink": None}, DEVICES, nth=1)
    tenant.faults.rewrite(lambda _: {"value": [], "@odata.nextLink": ""}, DEVICES, nth=2)
    async with client_of(tenant) as client:
        assert await pages_of(client) == [Page((), "")]
        assert await pages_of(client) == [Page((), "")]


async def test_group_members_over_pages_with_groups_within(tenant: Tenant) -> None:
    async with client_of(tenant) as client:
        path = f"/groups/{group_id(9)}/transitiveMembers"
        members = [item async for page in client.pages(path, version=V1) for item in page.items]
    kinds = [item["@odata.type"] for item in members]
    assert kinds.count("#microsoft.graph.device") == 25
    assert kinds.count("#microsoft.graph.group") == 3


@given(
    st.dictionaries(
        st.sampled_from(["value", "@odata.nextLink", "x"]),
        st.none() | st.text() | st.lists(st.integers() | st.just({})),
    )
)
def test_no_answer_breaks_the_reading_of_a_page(answer: dict[str, object]) -> None:
    try:
        assert isinstance(page_of(answer), Page)
    except ProviderError as error:
        assert not isinstance(error, BadInput)
