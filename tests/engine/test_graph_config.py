"""How a tenant is described: addresses, identifiers, ways of signing in; nothing else gets in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.errors import BadInput, SignInNeeded
from engine.providers.graph.config import CLOUDS, Cloud, GraphConfig, SignInWay, from_json, made_from, to_json
from engine.providers.graph.tokens import StaticToken

TENANT = "aaaabbbb-0000-4ccc-8ddd-eeeeffff0000"
CLIENT = "11112222-3333-4444-8555-666677778888"


def test_a_base_url_and_a_token_are_enough() -> None:
    config = made_from(base_url="http://127.0.0.1:8080/", token_env="TOKEN")

    assert config.base_url == "http://127.0.0.1:8080"
    assert config.sign_in is SignInWay.TOKEN
    assert config.resource == "https://graph.microsoft.com"


@pytest.mark.parametrize("cloud", Cloud)
def test_each_cloud_brings_its_addresses(cloud: Cloud) -> None:
    config = made_from(cloud=cloud, tenant_id=TENANT, client_id=CLIENT)

    assert (config.base_url, config.authority) == (CLOUDS[cloud].graph, CLOUDS[cloud].login)
    assert config.resource == config.base_url
    assert config.tenant_authority == f"{config.authority}/{TENANT}"
    assert config.sign_in is SignInWay.DEVICE_CODE


@pytest.mark.parametrize(
    "url",
    [
        "http://graph.microsoft.com",
        "http://127.0.0.1.example.com",
        "https://user@graph.microsoft.com",
        "https://:pass@graph.microsoft.com",
        "https://graph.microsoft.com?x=1",
        "https://graph.microsoft.com?",
        "https://graph.microsoft.com#x",
        "https://",
        "ftp://graph.microsoft.com",
        "graph.microsoft.com",
        "https://graph.microsoft.com:99999",
        "https://graph.microsoft.com:0",
        "https://graph. microsoft.com",
        "https://graph.microsoft.com\n.example",
        "https://graph\\@evil.example",
        "https://[::1",
    ],
)
@pytest.mark.parametrize("option", ["base_url", "authority", "resource"])
def test_an_address_that_could_lead_a_token_astray_is_refused(url: str, option: str) -> None:
    with pytest.raises(BadInput, match="cannot be used"):
        made_from(token_env="T", **{option: url})


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.1.2.3", "http://[::1]:8", "https://proxy.corp/graph"]
)
def test_the_loopback_and_https_are_taken(url: str) -> None:
    assert made_from(token_env="T", base_url=url).base_url == url


def test_only_the_configured_origin_is_ours() -> None:
    config = made_from(token_env="T", base_url="https://graph.microsoft.com")

    assert config.is_ours("https://GRAPH.microsoft.com:443/beta/x?$skiptoken=1")
    for other in (
        "http://graph.microsoft.com/beta",
        "https://graph.microsoft.com:444/",
        "https://graph.microsoft.com.evil.example/",
        "https://evil.example/https://graph.microsoft.com",
        "//graph.microsoft.com",
        "https://[::1",
    ):
        assert not config.is_ours(other)


@given(st.text(max_size=60))
def test_whatever_is_given_is_an_address_or_refused(text: str) -> None:
    try:
        url = made_from(base_url=text, token_env="T").base_url
    except BadInput:
        return
    assert url.startswith(("https://", "http://"))
    assert url.isprintable()
    assert "@" not in url.split("/")[2]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"client_id": CLIENT}, "--tenant"),
        ({"tenant_id": TENANT}, "--client-id"),
        ({"sign_in": SignInWay.CERTIFICATE, "tenant_id": TENANT, "client_id": CLIENT}, "--cert"),
        ({"sign_in": SignInWay.TOKEN}, "--token-env"),
        ({"sign_in": SignInWay.MANAGED_IDENTITY, "token_env": "T"}, "no use"),
        ({"token_env": "T", "secret_env": "S"}, "no use"),
        ({"token_env": "T", "tenant_id": "two words"}, "--tenant"),
        ({"token_env": "T", "client_id": "the name of the app"}, "--client-id"),
        ({"certificate": "app.pem", "tenant_id": TENANT, "client_id": CLIENT}, "whole path"),
        ({"token_env": "T", "read_scopes": ("two words",)}, "permission"),
    ],
)
def test_each_way_of_signing_in_says_what_it_needs(given: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        made_from(**given)  # type: ignore[arg-type]


def test_a_secret_given_instead_of_a_name_is_refused_and_not_repeated() -> None:
    for option in ("token_env", "secret_env"):
        with pytest.raises(BadInput) as caught:
            made_from(tenant_id=TENANT, client_id=CLIENT, **{option: "eyJ0eXAi.Oi-very-secret"})  # type: ignore[arg-type]
        assert "very-secret" not in str(caught.value)


def test_it_survives_the_state_file(tmp_path: Path) -> None:
    for config in (
        made_from(base_url="http://127.0.0.1:8080", token_env="TOKEN"),
        made_from(cloud=Cloud.CHINA, tenant_id=TENANT, client_id=CLIENT, memory_cache=True, read_scopes=("User.Read",)),
        made_from(certificate=str(tmp_path / "app.pem"), tenant_id="contoso.example", client_id=CLIENT),
        made_from(sign_in=SignInWay.MANAGED_IDENTITY),
    ):
        kept = to_json(config)
        assert from_json(kept, "corp") == config
        assert set(json.loads(kept)) >= {"base_url", "authority", "sign_in"}


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "[]",
        "{}",
        '{"base_url": "http://evil.example", "authority": "https://a", "resource": "https://a", '
        '"sign_in": "token-env", "token_env": "T"}',
        '{"base_url": "https://a", "authority": "https://a", "resource": "https://a", "sign_in": "token-env", '
        '"token_env": "T", "secret": "x"}',
    ],
)
def test_what_was_written_by_others_is_refused_with_the_name(kept: str) -> None:
    with pytest.raises(BadInput, match="provider corp cannot be used"):
        from_json(kept, "corp")


def test_facts_hold_no_empty_rows_and_no_secret() -> None:
    facts = made_from(base_url="http://127.0.0.1:8080", token_env="TOKEN").facts()

    assert facts["token_env"] == "TOKEN"
    assert facts["token_cache"] == "file"
    assert "secret_env" not in facts


# --- a ready token ----------------------------------------------------------------------------------


async def test_a_ready_token_is_read_each_time() -> None:
    environment = {"TOKEN": " abc.def "}
    source = StaticToken("TOKEN", environment)

    assert await source.token() == "abc.def"
    environment["TOKEN"] = "next"
    assert await source.token(write=True) == "next"
    assert "next" not in repr(source)


@pytest.mark.parametrize("token", ["", "   ", "two words", "line\nbreak", "ümlaut", "Bearer abc"])
async def test_what_could_be_no_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(SignInNeeded) as caught:
        await StaticToken("TOKEN", {"TOKEN": token}).token()
    assert "TOKEN" in str(caught.value)
    assert not token.strip() or token not in str(caught.value)


async def test_a_ready_token_cannot_meet_a_claims_challenge() -> None:
    with pytest.raises(SignInNeeded, match="not accepted any more"):
        await StaticToken("TOKEN", {"TOKEN": "abc"}).token(claims='{"access_token": {}}')


def test_a_config_is_checked_however_it_is_made() -> None:
    with pytest.raises(BadInput):
        GraphConfig("http://evil.example", "https://a", "https://a", SignInWay.TOKEN, token_env="T")
