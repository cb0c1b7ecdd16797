"""What Graph says in its many forms becomes words that are whole, short and safe; types, enums and ids both ways."""

from __future__ import annotations

import json
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.errors import BadInput, Denied, Gone, NotOffered, ProviderError, SignInNeeded, Throttled, Unreachable
from engine.providers.graph.addresses import Addresses, shown
from engine.providers.graph.answers import AnswerUnusable, GraphError, Said, error_of, plain, read_error, without
from engine.providers.graph.challenges import claims_in
from engine.providers.graph.config import made_from
from engine.providers.graph.odata import enum_or_text, literal, query, segment, truth, type_name, typed

NO_IDS = ("", "")


def said(status: int, body: object, *, content_type: str = "application/json", secrets: tuple[str, ...] = ()) -> Said:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_error(status, {"content-type": content_type}, content, NO_IDS, secrets)


def test_graphs_own_form_with_the_most_specific_code() -> None:
    inner = {"code": "deviceNotFound", "request-id": "r-1", "innerError": {"code": "theDeepest"}}
    error = {"code": "BadRequest", "message": "It is wrong.", "innerError": inner}
    found = said(400, {"error": error})
    assert (found.code, found.message, found.request_id) == ("theDeepest", "It is wrong.", "r-1")
    assert found.in_words() == "Microsoft Graph said: It is wrong. (HTTP 400, theDeepest, request-id r-1)"


def test_the_details_are_said_too() -> None:
    details = [{"code": "a", "message": "The ring has no name."}, {"code": "b", "message": "It is wrong."}]
    found = said(400, {"error": {"code": "X", "message": "It is wrong.", "details": details}})
    assert found.message == "It is wrong. The ring has no name."


def test_intunes_document_within_the_message() -> None:
    nested = json.dumps({"_version": 3, "Message": "The policy is gone. - Activity ID: 1f", "CustomApiErrorPhrase": ""})
    assert said(404, {"error": {"code": "NotFound", "message": nested}}).message == (
        "The policy is gone. - Activity ID: 1f"
    )


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            {"error": "invalid_grant", "error_description": "AADSTS53003: blocked"},
            "invalid_grant",
            "AADSTS53003: blocked",
        ),
        ({"error": {"code": "X", "message": {"lang": "en", "value": "Older form"}}}, "X", "Older form"),
        ({"Message": "No error member"}, "", "No error member"),
        ({"type": "about:blank", "title": "Not here", "detail": "No such route", "status": 404}, "", "No such route"),
        ({"error": None}, "", ""),
        ({"error": {"code": 7, "message": ["x"]}}, "", ""),
        ([1, 2], "", ""),
        (b"", "", ""),
        (b"upstream timed out", "", "upstream timed out"),
        (b"\xff\xfe broken", "", "\ufffd\ufffd broken"),
    ],
)
def test_other_forms(body: object, code: str, message: str) -> None:
    found = said(500, body)
    assert (found.code, found.message) == (code, message)


def test_a_web_page_is_named_as_one() -> None:
    page = b"<!DOCTYPE html><html><head><title> Sign in &amp; go </title></head>" + b"<p>x</p>" * 5000
    message = said(502, page, content_type="text/html").message
    assert message.startswith('a web page titled "Sign in & go"')
    assert len(message) < 200


def test_nothing_that_looks_like_a_token_or_a_key_is_said() -> None:
    jwt = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwcyJ9.c2lnbmF0dXJl-_x"
    words = f"Authorization: Bearer abc.DEF-123 and {jwt} and https://x.example/f?sv=1&sig=AbC%2Bd&se=2 and plain-one"
    found = said(401, {"error": {"code": "plain-one", "message": words}}, secrets=("plain-one",))
    for secret in ("abc.DEF-123", jwt, "AbC%2Bd", "plain-one", "eyJ"):
        assert secret not in found.in_words()
    assert "sv=1" in found.message


@given(st.text(max_size=300))
def test_words_of_the_service_are_one_short_printable_line(words: str) -> None:
    shown_ = plain(words, 50)
    assert len(shown_) <= 50
    assert shown_.isprintable()


@given(st.binary(max_size=200), st.sampled_from([200, 400, 401, 429, 500]))
def test_no_body_breaks_the_reading(body: bytes, status: int) -> None:
    assert read_error(status, {}, body, NO_IDS).status == status


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "message", "code", "innerError", "details", "Message"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_breaks_the_reading(body: object) -> None:
    assert said(400, body).in_words()


def test_a_deep_body_is_no_crash() -> None:
    assert said(400, b"[" * 100_000).status == 400


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, GraphError),
        (401, SignInNeeded),
        (403, Denied),
        (404, Gone),
        (410, Gone),
        (405, NotOffered),
        (409, GraphError),
        (501, NotOffered),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_each_status_has_its_kind(status: int, kind: type[ProviderError]) -> None:
    error = error_of("GET /beta/{x}", Said(status, "C", "M", "r", "c"))
    assert isinstance(error, kind)
    assert isinstance(error, GraphError)
    assert (error.status, error.code) == (status, "C")
    assert "GET /beta/{x}" in error.what
    assert "request-id r, client-request-id c" in error.why
    assert not isinstance(error, Throttled)


def test_short_secrets_are_left_alone() -> None:
    assert without("a cat sat", ("a", "cat", "secret")) == "a cat sat"


# --- challenges ---------------------------------------------------------------------------------------

CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}'


@pytest.mark.parametrize(
    "written",
    [
        "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNzAwMDAwMDAwIn19fQ==",
        "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNzAwMDAwMDAwIn19fQ",
        CLAIMS.replace('"', '\\"'),
    ],
)
def test_demanded_claims_are_read(written: str) -> None:
    header = f'Bearer realm="", authorization_uri="https://l/", error="insufficient_claims", claims="{written}"'
    assert json.loads(claims_in(header)) == json.loads(CLAIMS)


@pytest.mark.parametrize("header", ["", "Bearer", 'Bearer claims=""', 'Bearer claims="%%%"', 'Bearer claims="WzFd"'])
def test_no_claims(header: str) -> None:
    assert claims_in(header) == ""


@given(st.text(max_size=80))
def test_no_header_breaks_the_reading_of_claims(header: str) -> None:
    claims_in(header)
    claims_in(f'claims="{header}"')


# --- OData ------------------------------------------------------------------------------------------------


class Colour(StrEnum):
    ARM64 = "arM64"
    X64 = "x64"


def test_types_with_and_without_their_sign() -> None:
    for said_ in ("#microsoft.graph.windowsUpdates.ring", "microsoft.graph.windowsUpdates.ring"):
        assert type_name({"@odata.type": said_}) == "windowsUpdates.ring"
    assert type_name({}) == type_name({"@odata.type": None}) == ""
    written = typed("windowsUpdates.ring", {"id": "1", "@odata.type": "old"})
    assert written == {"@odata.type": "#microsoft.graph.windowsUpdates.ring", "id": "1"}
    assert typed("#microsoft.graph.windowsUpdates.ring", {}) == typed("windowsUpdates.ring", {})


def test_enums_survive_what_is_new() -> None:
    assert enum_or_text(Colour, "arM64") is Colour.ARM64
    assert enum_or_text(Colour, "ARM64") is Colour.ARM64
    assert enum_or_text(Colour, "riscV") == "riscV"
    assert enum_or_text(Colour, None) == ""
    assert enum_or_text(Colour, 7) == "7"


@pytest.mark.parametrize(
    ("value", "meant"),
    [(True, True), (False, False), ("false", False), ("True", True), (None, None), ("", None), (1, None), ([], None)],
)
def test_booleans_that_come_as_text(value: object, meant: bool | None) -> None:
    assert truth(value) is meant


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(lambda text: text.strip(". ")))
def test_an_id_stays_one_part_of_a_path(value: str) -> None:
    written = segment(value)
    assert not set(written) & set("/?#&%") - {"%"}
    assert unquote(written) == value


@pytest.mark.parametrize("value", ["", ".", "..", "  ", ". .", "a\ud800"])
def test_what_is_no_id_makes_no_path(value: str) -> None:
    with pytest.raises(BadInput, match="not an id"):
        segment(value)


def test_literals_and_queries() -> None:
    assert literal("O'Brien") == "'O''Brien'"
    assert query(None) == query({}) == ""
    asked = {"$filter": "name eq 'A & B #1'", "$select": "id,name", "$top": "5"}
    written = query(asked)
    assert written == "?$filter=name%20eq%20'A%20%26%20B%20%231'&$select=id,name&$top=5"
    assert dict(parse_qsl(written[1:])) == asked


# --- addresses --------------------------------------------------------------------------------------------

OURS = Addresses(made_from(base_url="https://graph.example:8443/base", token_env="T"))


@pytest.mark.parametrize("url", ["https://graph.example:8443/beta/x?$skiptoken=a%27b", "https://GRAPH.example:8443/"])
def test_our_own_addresses_are_let_through_unchanged(url: str) -> None:
    assert OURS.checked(url) is url


@pytest.mark.parametrize(
    "url",
    [
        "https://graph.example/beta/x",
        "http://graph.example:8443/beta/x",
        "https://graph.example:8443@evil.example/x",
        "https://user@graph.example:8443/x",
        "https://user:word@graph.example:8443/x",
        "https://evil.example\\@graph.example:8443/x",
        "https://graph.example:8443.evil.example/x",
        "//graph.example:8443/x",
        "/beta/x",
        "https:///x",
        "https://graph.example:8443/x\n",
        "https://graph.example:99999999/x",
        "https://[::1/x",
        "https://graph.exаmple:8443/x",
        "https://graph.example:8443/" + "x" * 20_000,
        "",
    ],
)
def test_no_other_address_gets_a_token(url: str) -> None:
    with pytest.raises(AnswerUnusable, match="another address"):
        OURS.checked(url)


@given(st.text(max_size=60))
def test_whatever_stands_behind_our_host_name_is_no_way_out(tail: str) -> None:
    url = f"https://graph.example:8443{tail}"
    try:
        OURS.checked(url)
    except AnswerUnusable:
        return
    parts = urlsplit(url)
    assert (parts.hostname, parts.port, parts.username) == ("graph.example", 8443, None)


@pytest.mark.parametrize(
    "url", ["http://files.example/x", "http://127.0.0.1:80/x", "ftp://x/y", "https://a:b@x/y", "x", ""]
)
def test_no_other_address_is_fetched_from(url: str) -> None:
    with pytest.raises(AnswerUnusable, match="was not made"):
        OURS.checked_file(url)


def test_files_come_over_https_or_from_this_machine_to_itself() -> None:
    assert OURS.checked_file("https://x.blob.example/f.zip?sig=s")
    local = Addresses(made_from(base_url="http://127.0.0.1:9", token_env="T"))
    assert local.checked_file("http://localhost:8/blob/f")


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    url = "https://x/beta/devices?$top=5&$skiptoken=SECRET1&sig=SECRET2&$select=id%2Cname&%24filter=a%20eq%201"
    assert shown(url) == "/beta/devices?$top=5&$skiptoken=…&sig=…&$select=id,name&$filter=a eq 1"
    assert shown("https://x/a%0Ab") == "/a%0Ab"


def test_a_path_begins_with_a_slash() -> None:
    with pytest.raises(ValueError, match="slash"):
        OURS.of("devices", None, "beta")
    assert OURS.of("/devices", {"$top": "1"}, "v1.0") == "https://graph.example:8443/base/v1.0/devices?$top=1"
