"""Signing in, against a sign-in service on the loopback: each way, each refusal, nothing to other hosts."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from engine.model.errors import SignInNeeded, Unreachable
from engine.providers.graph.config import SignInWay, made_from
from engine.providers.graph.permissions import read_scopes, write_scopes
from engine.providers.graph.refusals import MEANINGS, explain
from engine.providers.graph.signed_tokens import SignedTokens
from engine.providers.graph.signin import DeviceCode, SignIn
from engine.providers.graph.token_facts import read_token
from tests.tenant.login import (
    ARC_SECRET,
    CLIENT,
    DEVICE_CODE,
    PENDING,
    REFRESH,
    SLOW_DOWN,
    TENANT,
    USER_CODE,
    Login,
    refusal,
    running_login,
)


@pytest.fixture
def login() -> Iterator[Login]:
    with running_login() as played:
        yield played


@dataclass
class Desk:
    """A sign-in whose waits are noted instead of sat out."""

    login: Login
    folder: Path
    waits: list[float] = field(default_factory=list)
    codes: list[DeviceCode] = field(default_factory=list)
    gives_up_after: int = 1_000

    def pause(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return len(self.waits) > self.gives_up_after

    def sign_in(self, **given: Any) -> SignIn:
        environment = given.pop("environment", os.environ)
        known: dict[str, Any] = {"tenant_id": TENANT, "client_id": CLIENT, "authority": self.login.base_url, **given}
        config = made_from(**known)
        return SignIn(config, "corp", folder=self.folder, pause=self.pause, environment=environment)


@pytest.fixture
def desk(login: Login, tmp_path: Path) -> Desk:
    return Desk(login, tmp_path / "tokens")


# --- by a device code -------------------------------------------------------------------------------


def test_a_person_signs_in_once_and_every_program_after_needs_nobody(desk: Desk) -> None:
    desk.login.answers = [PENDING, SLOW_DOWN, PENDING]

    assert desk.sign_in().by_device_code(desk.codes.append) == "mia@contoso.example"
    assert desk.waits == [5.0, 5.0, 10.0, 10.0]
    assert (desk.codes[0].verification_uri, desk.codes[0].user_code) == (
        "https://microsoft.com/devicelogin",
        USER_CODE,
    )
    assert desk.codes[0].expires_at > datetime.now(UTC)

    later = desk.sign_in()
    assert later.silent().text == desk.login.given[0]
    assert later.account() == "mia@contoso.example"
    assert [form["grant_type"].rpartition(":")[2] for form in desk.login.forms] == ["device_code"] * 4


def test_only_reading_is_asked_for_until_writing_is_wanted(desk: Desk) -> None:
    desk.login.consented = (*read_scopes(), "offline_access")
    desk.sign_in().by_device_code(desk.codes.append)

    assert set(desk.codes[0].scopes) == set(read_scopes())
    assert not any("ReadWrite" in each or "Privileged" in each for each in desk.codes[0].scopes)
    with pytest.raises(SignInNeeded, match="granted the app the permissions"):
        desk.sign_in().silent(write=True)

    desk.login.consented = None
    desk.sign_in().by_device_code(desk.codes.append, write=True)
    assert set(desk.codes[1].scopes) == {*read_scopes(), *write_scopes()}
    assert desk.sign_in().silent(write=True).text == desk.login.given[-1]
    # Whoever may write may read: no second token is fetched for it.
    assert desk.sign_in().silent().text in desk.login.given


def test_scopes_can_be_narrowed(desk: Desk) -> None:
    desk.sign_in(read_scopes=("WindowsUpdates.Read.All",)).by_device_code(desk.codes.append)

    assert desk.codes[0].scopes == ("WindowsUpdates.Read.All",)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"error": "authorization_declined", "error_description": "AADSTS70020: declined"}, "declined in the browser"),
        ({"error": "expired_token"}, "Nobody typed the code in time"),
        (refusal("invalid_grant", 53003, "Access has been blocked."), "Conditional Access policy"),
        (refusal("invalid_grant", 50199, "For security reasons, user confirmation is required."), "confirmation"),
        (refusal("invalid_grant", 50076, "You must use multi-factor authentication."), "second factor"),
        (refusal("invalid_client", 7000218, "The request body must contain ..."), "public client"),
        (refusal("unauthorized_client", 700016, "Application was not found."), CLIENT),
        (refusal("invalid_grant", 65001, "The user or administrator has not consented."), "Nobody has granted"),
    ],
)
def test_refusals_are_explained(desk: Desk, answer: dict[str, Any], says: str) -> None:
    desk.login.answers = [PENDING, answer]

    with pytest.raises(SignInNeeded) as caught:
        desk.sign_in().by_device_code(desk.codes.append)
    said = str(caught.value)
    assert says in said
    assert caught.value.instead
    assert DEVICE_CODE not in said
    if "correlation_id" in answer:
        assert "correlation id c0ffee-1" in said
        assert "Timestamp" not in said


def test_a_tenant_that_gives_no_codes_says_why(desk: Desk) -> None:
    desk.login.device_answer = refusal("unauthorized_client", 700016, "Application not found in the directory.")

    with pytest.raises(SignInNeeded, match=f"knows no app {CLIENT}"):
        desk.sign_in().by_device_code(desk.codes.append)
    assert desk.codes == []


def test_giving_up_ends_the_waiting(desk: Desk) -> None:
    desk.login.answers = [PENDING] * 50
    desk.gives_up_after = 3

    with pytest.raises(SignInNeeded, match="given up"):
        desk.sign_in().by_device_code(desk.codes.append)
    assert len(desk.login.forms) == 3


def test_another_thread_can_end_the_waiting(login: Login, tmp_path: Path) -> None:
    config = made_from(tenant_id=TENANT, client_id=CLIENT, authority=login.base_url)
    sign_in = SignIn(config, "corp", folder=tmp_path)
    with pytest.raises(SignInNeeded, match="given up"):
        sign_in.by_device_code(lambda _: sign_in.cancel())


def test_the_service_away_for_a_while_does_not_end_the_waiting(desk: Desk) -> None:
    import httpx

    left = [2]

    class Shaky(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/token") and left[0]:
                left[0] -= 1
                raise httpx.ConnectError("no route", request=request)
            return super().handle_request(request)

    config = made_from(tenant_id=TENANT, client_id=CLIENT, authority=desk.login.base_url)
    transport = Shaky(limits=httpx.Limits(max_keepalive_connections=0))
    sign_in = SignIn(config, "corp", folder=desk.folder, pause=desk.pause, transport=transport)
    assert sign_in.by_device_code(desk.codes.append)
    assert desk.waits == [5.0, 10.0, 20.0]


def test_another_person_takes_the_place_of_the_first(desk: Desk) -> None:
    desk.sign_in().by_device_code(desk.codes.append)
    desk.login.username = "ole@contoso.example"
    desk.sign_in().by_device_code(desk.codes.append)

    assert desk.sign_in().account() == "ole@contoso.example"
    assert "mia@contoso.example" not in desk.sign_in().path.read_text(encoding="utf-8")


def test_nobody_signed_in_is_said_without_asking_anybody(desk: Desk) -> None:
    with pytest.raises(SignInNeeded, match="Nobody is signed in to corp") as caught:
        desk.sign_in().silent()
    assert "hotpatch provider login corp" in caught.value.instead
    assert desk.sign_in().account() == ""
    assert desk.login.asked == []


def test_a_token_near_its_end_is_refreshed(desk: Desk) -> None:
    desk.login.expires_in = 200
    desk.sign_in().by_device_code(desk.codes.append)
    desk.login.expires_in = 3600

    assert desk.sign_in().silent().text == desk.login.given[1]
    assert desk.login.forms[-1]["grant_type"] == "refresh_token"


def test_a_revoked_sign_in_is_explained(desk: Desk) -> None:
    desk.login.expires_in = 10
    desk.sign_in().by_device_code(desk.codes.append)
    desk.login.answers = [refusal("invalid_grant", 50173, "The provided grant has expired due to it being revoked.")]

    with pytest.raises(SignInNeeded, match="kept sign-in has ended") as caught:
        desk.sign_in().silent()
    assert REFRESH not in str(caught.value)


def test_claims_go_to_the_service_word_for_word(desk: Desk) -> None:
    desk.sign_in().by_device_code(desk.codes.append)
    claims = '{"access_token": {"nbf": {"essential": true, "value": "1604106651"}}}'

    fresh = desk.sign_in().silent(claims=claims)

    assert fresh.text == desk.login.given[1]
    sent = json.loads(desk.login.forms[-1]["claims"])
    assert sent["access_token"]["nbf"]["value"] == "1604106651"
    assert sent["access_token"]["xms_cc"] == {"values": ["CP1"]}


def test_memory_only_leaves_nothing_on_disk(desk: Desk) -> None:
    sign_in = desk.sign_in(memory_cache=True)
    sign_in.by_device_code(desk.codes.append)

    assert sign_in.silent().text == desk.login.given[0]
    assert not desk.folder.exists()
    with pytest.raises(SignInNeeded, match="in memory only"):
        desk.sign_in(memory_cache=True).silent()


def test_signing_out_leaves_nothing(desk: Desk) -> None:
    sign_in = desk.sign_in()
    sign_in.by_device_code(desk.codes.append)

    assert sign_in.forget()
    assert list(desk.folder.iterdir()) == []
    with pytest.raises(SignInNeeded, match="Nobody"):
        sign_in.silent()
    assert not sign_in.forget()


# --- the application itself -------------------------------------------------------------------------


def pem(path: Path, *, ends: datetime | None = None, password: bytes | None = None, what: str = "both") -> Path:
    """A certificate with its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048) if what == "stranger" else key
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hotpatch")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(other.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(ends or now + timedelta(days=3650))
        .sign(other, hashes.SHA256())
    )
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    public = made.public_bytes(serialization.Encoding.PEM)
    path.write_bytes({"key": private, "certificate": public}.get(what, private + public))
    path.chmod(0o600)
    return path


def test_a_certificate_signs_in_and_keeps_nothing(desk: Desk, tmp_path: Path) -> None:
    file = pem(tmp_path / "app.pem")
    sign_in = desk.sign_in(certificate=str(file))

    assert sign_in.silent().text == desk.login.given[0]
    form = desk.login.forms[0]
    assert (form["grant_type"], form["scope"]) == ("client_credentials", "https://graph.microsoft.com/.default")
    head = json.loads(_unpacked(form["client_assertion"].split(".")[0]))
    assert head["alg"] == "PS256"
    assert "x5t#S256" in head
    assert "client_secret" not in form
    assert sign_in.silent().text == desk.login.given[0]
    assert not desk.folder.exists()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.chmod(0o604), "Everybody on this machine"),
        (lambda path: path.write_bytes(b"\x30\x82\xff\xfe"), "no PEM file"),
        (lambda path: path.write_text("nothing", encoding="ascii"), "holds no certificate"),
        (lambda path: pem(path, what="key"), "holds no certificate"),
        (lambda path: pem(path, what="certificate"), "holds no private key"),
        (lambda path: pem(path, what="stranger"), "does not belong"),
        (lambda path: pem(path, password=b"locked"), "locked with a password"),
    ],
)
def test_a_certificate_that_cannot_be_used_says_why(
    desk: Desk, tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    file = pem(tmp_path / "app.pem")
    spoil(file)

    with pytest.raises(SignInNeeded, match=says) as caught:
        desk.sign_in(certificate=str(file)).silent()
    assert caught.value.instead
    assert desk.login.forms == []
    assert "PRIVATE" not in str(caught.value)


def test_a_secret_comes_from_the_environment_only(desk: Desk) -> None:
    environment = {"APP_SECRET": "hunter2-secret"}
    sign_in = desk.sign_in(secret_env="APP_SECRET", environment=environment)

    assert sign_in.silent().text == desk.login.given[0]
    assert desk.login.forms[0]["client_secret"] == "hunter2-secret"
    desk.login.answers = [refusal("invalid_client", 7000215, "Invalid client secret provided.")]
    with pytest.raises(SignInNeeded, match="secret of the app is wrong") as caught:
        desk.sign_in(secret_env="APP_SECRET", environment=environment).silent()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SignInNeeded, match="APP_SECRET is not set"):
        desk.sign_in(secret_env="APP_SECRET", environment={}).silent()


@pytest.mark.parametrize("client_id", ["", CLIENT])
def test_a_managed_identity_of_azure(desk: Desk, monkeypatch: pytest.MonkeyPatch, client_id: str) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", desk.login.base_url)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    sign_in = desk.sign_in(sign_in=SignInWay.MANAGED_IDENTITY, tenant_id="", client_id=client_id)

    assert sign_in.silent().text == desk.login.given[0]
    assert desk.login.asked == ["GET /metadata/identity/oauth2/token"]


def test_a_managed_identity_of_an_arc_server(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from msal import managed_identity  # type: ignore[import-untyped]

    key = tmp_path / "one.key"
    key.write_text(ARC_SECRET, encoding="ascii")
    desk.login.arc_key = str(key)
    monkeypatch.setitem(
        managed_identity._supported_arc_platforms_and_their_prefixes, managed_identity.sys.platform, str(tmp_path)
    )
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{desk.login.base_url}/metadata/identity/oauth2/token")
    monkeypatch.setenv("IMDS_ENDPOINT", desk.login.base_url)
    given = {"sign_in": SignInWay.MANAGED_IDENTITY, "tenant_id": "", "client_id": ""}

    assert desk.sign_in(**given).silent().text == desk.login.given[0]
    key.unlink()
    with pytest.raises(SignInNeeded, match="himds") as caught:
        desk.sign_in(**given).silent()
    assert ARC_SECRET not in str(caught.value)


def test_a_machine_without_an_identity_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")

    with pytest.raises(Unreachable, match="No managed identity answers"):
        desk.sign_in(sign_in=SignInWay.MANAGED_IDENTITY, tenant_id="", client_id="").silent()


def test_an_identity_that_the_machine_does_not_have(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", desk.login.base_url)
    desk.login.answers = [{"error": "invalid_request", "error_description": "Identity not found"}]

    with pytest.raises(SignInNeeded, match="Identity not found"):
        desk.sign_in(sign_in=SignInWay.MANAGED_IDENTITY, tenant_id="", client_id=CLIENT).silent()


# --- what goes wrong around it ----------------------------------------------------------------------


def test_an_unknown_tenant_is_named(desk: Desk) -> None:
    with pytest.raises(SignInNeeded, match=r"no tenant nowhere\.example"):
        desk.sign_in(tenant_id="nowhere.example").by_device_code(desk.codes.append)


def test_a_service_that_does_not_answer(tmp_path: Path) -> None:
    config = made_from(tenant_id=TENANT, client_id=CLIENT, authority="http://127.0.0.1:9", secret_env="S")
    with pytest.raises(Unreachable, match="did not answer"):
        SignIn(config, "corp", folder=tmp_path, environment={"S": "x"}).silent()


@pytest.mark.parametrize("status", [500, 503, 407, 302])
def test_a_service_that_answers_something_else(desk: Desk, status: int) -> None:
    desk.login.answers = [status] * 3

    with pytest.raises((Unreachable, SignInNeeded)) as caught:
        desk.sign_in(secret_env="S", environment={"S": "hunter2-secret"}).silent()
    assert "hunter2" not in str(caught.value)


def test_no_secret_is_led_to_another_host(desk: Desk) -> None:
    with running_login() as other:
        desk.login.elsewhere = f"{other.base_url}/{TENANT}"
        with pytest.raises(Unreachable):
            desk.sign_in(secret_env="S", environment={"S": "hunter2-secret"}).silent()
        desk.login.elsewhere = f"{other.base_url.replace('http://', 'https://')}/{TENANT}"
        with pytest.raises(Unreachable, match="another host"):
            desk.sign_in(secret_env="S", environment={"S": "hunter2-secret"}).silent()
        assert other.asked == []


def test_nothing_secret_shows_in_representations(desk: Desk) -> None:
    sign_in = desk.sign_in()
    sign_in.by_device_code(desk.codes.append)
    token = sign_in.silent()

    for shown in (repr(sign_in), repr(token), repr(SignedTokens(sign_in))):
        assert token.text not in shown
        assert REFRESH not in shown


# --- beside an event loop ---------------------------------------------------------------------------


async def test_many_at_once_fetch_one_token(desk: Desk) -> None:
    source = SignedTokens(desk.sign_in(secret_env="S", environment={"S": "x"}))

    found = await asyncio.gather(*(source.token() for _ in range(50)))

    assert set(found) == {desk.login.given[0]}
    assert len(desk.login.forms) == 1


async def test_a_challenge_is_met_once_for_all(desk: Desk) -> None:
    source = SignedTokens(desk.sign_in(secret_env="S", environment={"S": "x"}))
    await source.token()
    claims = '{"access_token": {"nbf": {"essential": true, "value": "1"}}}'

    found = await asyncio.gather(*(source.token(claims=claims) for _ in range(20)))

    assert set(found) == {desk.login.given[1]}
    assert await source.token() == desk.login.given[1]


async def test_a_token_refused_before_its_time_is_replaced_once(desk: Desk) -> None:
    source = SignedTokens(desk.sign_in(secret_env="S", environment={"S": "x"}))
    first = await source.token()

    found = await asyncio.gather(*(source.renewed() for _ in range(10)))

    assert set(found) == {desk.login.given[1]}
    assert first == desk.login.given[0]
    assert await source.token() == desk.login.given[1]


async def test_a_person_signs_in_on_the_spot_where_nothing_is_kept(desk: Desk) -> None:
    source = SignedTokens(desk.sign_in(memory_cache=True), desk.codes.append)

    assert await source.token() == desk.login.given[0]
    assert await source.token() == desk.login.given[0]
    assert len(desk.codes) == 1


async def test_without_anybody_to_ask_it_says_so(desk: Desk) -> None:
    with pytest.raises(SignInNeeded, match="in memory only"):
        await SignedTokens(desk.sign_in(memory_cache=True)).token()


# --- words ------------------------------------------------------------------------------------------


def test_every_meaning_is_whole_and_fills_its_names() -> None:
    config = made_from(tenant_id=TENANT, client_id=CLIENT)
    for code in MEANINGS:
        error = explain(refusal("invalid_grant", code, "Words of the service."), config, "corp")
        assert "Words of the service." in error.why
        assert error.instead.endswith((".", "corp", ".)"))
        assert "{" not in str(error)


def test_an_unknown_refusal_keeps_the_services_words_made_harmless() -> None:
    config = made_from(tenant_id=TENANT, client_id=CLIENT)
    error = explain({"error": "odd", "error_description": "AADSTS999999: \x1b[31mred\nwords"}, config, "corp")

    assert "red words" in error.why
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)
    assert explain({}, config, "corp").why == "The service gave no reason."


@pytest.mark.parametrize("token", ["", "a.b.c", "a.b", "eyJ.W10.x", "a." + "e30" * 5 + ".b"])
def test_what_is_no_readable_token_tells_nothing(token: str) -> None:
    facts = read_token(token)
    assert facts is None or facts.granted == frozenset()


def test_a_token_tells_what_it_carries(login: Login) -> None:
    person = read_token(login.access_token(["WindowsUpdates.Read.All", "X.Y"], delegated=True))
    app = read_token(login.access_token(["WindowsUpdates.Read.All"], delegated=False))

    assert person is not None
    assert app is not None
    assert (person.is_delegated, person.who, person.tenant_id) == (True, "mia@contoso.example", TENANT)
    assert person.granted == {"WindowsUpdates.Read.All", "X.Y"}
    assert (app.is_delegated, app.app, app.granted) == (
        False,
        "Hotpatch Console",
        frozenset({"WindowsUpdates.Read.All"}),
    )


def _unpacked(part: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
