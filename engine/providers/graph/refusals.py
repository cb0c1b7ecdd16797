"""What the sign-in service's refusals mean, what to do, and who can do it. Pure; `signin` asks it.

Meanings in our own words after Microsoft's "Microsoft Entra authentication and authorization error codes"; a code that
is not listed there keeps Microsoft's text. The codes only choose words, never what the program does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from engine.model.errors import SignInNeeded
from engine.providers.graph.answers import plain, without
from engine.providers.graph.config import GraphConfig, SignInWay

_ADMIN = "ask an administrator of the tenant for Conditional Access"
_CONSENT = (
    "Ask a Privileged Role Administrator or Global Administrator to grant consent for the app in the Entra portal"
)
_OTHER_WAY = "or sign in another way: a certificate (--cert) or a managed identity (--sign-in managed-identity)"


class Meaning(Struct, frozen=True):
    """One refusal in words."""

    why: str
    instead: str
    """``{name}`` stands for the provider, ``{tenant}`` and ``{client}`` for what it is configured with."""


_BLOCKED = Meaning(
    "A Conditional Access policy of the tenant forbids this sign-in. Many tenants block device codes altogether.",
    f"Ask{_ADMIN[3:]} whether device codes are blocked for this app, {_OTHER_WAY}.",
)
_MFA = Meaning(
    "The tenant wants a second factor for this.",
    "Sign in anew and pass the second factor in the browser: hotpatch provider login {name}",
)
_DEVICE = Meaning(
    "A Conditional Access policy lets in managed devices only, and a device code cannot prove where it is used.",
    f"Ask{_ADMIN[3:]} about an exception, {_OTHER_WAY}.",
)
_NO_CONSENT = Meaning(
    "Nobody has granted the app the permissions that it asks for.",
    f"Have it consented: {_CONSENT}; hotpatch provider check {{name}} lists them.",
)
_EXPIRED = Meaning(
    "The kept sign-in has ended: too long unused, revoked, or the password was changed.",
    "Sign in anew: hotpatch provider login {name}",
)
_NO_APP = Meaning(
    "The tenant {tenant} knows no app {client}.",
    "Compare --client-id and --tenant with the overview of the app registration; another cloud needs --cloud.",
)
_NO_TENANT = Meaning(
    "There is no tenant {tenant} in this cloud.",
    "Compare --tenant with the overview in the Entra portal; another cloud needs --cloud.",
)
_SECRET = Meaning(
    "The secret of the app is wrong or has expired.",
    "Have the app's owner make a new one, or better use a certificate; put the secret's value, not its ID, into the "
    "environment variable.",
)
_CERTIFICATE = Meaning(
    "The app does not know this certificate, or the proof made with it was not accepted.",
    "Have the app's owner upload the certificate under Certificates & secrets, and check the clock of this machine.",
)
_NO_USER = Meaning(
    "The account is not a member of the tenant {tenant}.",
    "Sign in with an account of that tenant, or have yours invited.",
)
_DISABLED_APP = Meaning("The app is switched off in the tenant.", "Ask an Application Administrator to enable it.")
_ANOTHER_CLOUD = Meaning("The tenant is in another cloud.", "Add the provider again with --cloud.")

MEANINGS: Mapping[int, Meaning] = {
    16000: _NO_USER,
    50020: _NO_USER,
    50034: _NO_USER,
    51004: _NO_USER,
    50005: _DEVICE,
    53000: _DEVICE,
    53001: _DEVICE,
    50097: _DEVICE,
    50129: _DEVICE,
    50131: _BLOCKED,
    53003: _BLOCKED,
    530032: _BLOCKED,
    50199: Meaning(
        "The confirmation in the browser did not go through. Where device codes are blocked, the sign-in log shows "
        "this code, too.",
        f"Try again and confirm that you mean this app. If it comes back: {_ADMIN}, {_OTHER_WAY}.",
    ),
    530035: Meaning(
        "The tenant's security defaults forbid this sign-in.",
        f"Ask a Security Administrator of the tenant, {_OTHER_WAY}.",
    ),
    50074: _MFA,
    50076: _MFA,
    50078: _MFA,
    50072: Meaning(
        "The account has no second factor yet, and the tenant wants one.",
        "Register one at https://aka.ms/mfasetup, then: hotpatch provider login {name}",
    ),
    50079: Meaning(
        "The account has no second factor yet, and the tenant wants one.",
        "Register one at https://aka.ms/mfasetup, then: hotpatch provider login {name}",
    ),
    50055: Meaning("The account's password has expired.", "Change it in a browser, then sign in again."),
    50057: Meaning("The account is disabled.", "Ask a User Administrator of the tenant."),
    50053: Meaning(
        "The account is locked after failed attempts, or the address is distrusted.", "Wait, then try again."
    ),
    50105: Meaning(
        "The app is open to assigned people only, and this account is not assigned.",
        "Ask an Application Administrator to assign the account to the app.",
    ),
    50173: _EXPIRED,
    50089: _EXPIRED,
    50132: _EXPIRED,
    50133: _EXPIRED,
    70000: _EXPIRED,
    70008: _EXPIRED,
    700082: _EXPIRED,
    70043: Meaning(
        "The tenant wants a new sign-in from time to time, and this one is too old.",
        "Sign in anew: hotpatch provider login {name}",
    ),
    65001: _NO_CONSENT,
    90008: _NO_CONSENT,
    90094: _NO_CONSENT,
    90095: _NO_CONSENT,
    650056: _NO_CONSENT,
    65004: Meaning(
        "The person who signed in did not agree to the permissions.",
        f"Sign in again and agree, or: {_CONSENT}.",
    ),
    65002: Meaning(
        "This is one of Microsoft's own apps; it may not be used for this.",
        "Register an app of your own and give its --client-id.",
    ),
    700016: _NO_APP,
    700011: _NO_APP,
    70001: _DISABLED_APP,
    7000112: _DISABLED_APP,
    90002: _NO_TENANT,
    50059: _NO_TENANT,
    50128: _NO_TENANT,
    90019: _NO_TENANT,
    90038: _ANOTHER_CLOUD,
    50134: _ANOTHER_CLOUD,
    7000218: Meaning(
        "The app is registered for servers only; a device code needs a public client.",
        "Have the app's owner set 'Allow public client flows' to Yes under Authentication.",
    ),
    700025: Meaning(
        "The app is registered as a public client, which proves itself with nothing.",
        "Sign in by a device code, or register an app with a certificate.",
    ),
    7000215: _SECRET,
    7000222: _SECRET,
    70002: _SECRET,
    700027: _CERTIFICATE,
    700030: _CERTIFICATE,
    50012: _CERTIFICATE,
    50013: _CERTIFICATE,
    70011: Meaning("A permission that was asked for does not exist.", "Compare the names given with --scope."),
    500011: Meaning(
        "The tenant does not know the service that the token is for.",
        "Leave out --resource, or choose the right --cloud.",
    ),
    50001: Meaning(
        "The tenant does not know the service that the token is for.",
        "Leave out --resource, or choose the right --cloud.",
    ),
    50196: Meaning("The service saw too many equal requests in a row.", "Wait a few minutes, then try again."),
}

_BY_ERROR: Mapping[str, Meaning] = {
    "authorization_declined": Meaning(
        "The sign-in was declined in the browser.", "If it was a mistake: hotpatch provider login {name}"
    ),
    "access_denied": Meaning(
        "The sign-in was declined in the browser.", "If it was a mistake: hotpatch provider login {name}"
    ),
    "expired_token": Meaning("Nobody typed the code in time.", "Begin anew: hotpatch provider login {name}"),
    "code_expired": Meaning("Nobody typed the code in time.", "Begin anew: hotpatch provider login {name}"),
    "bad_verification_code": Meaning("The code was not accepted.", "Begin anew: hotpatch provider login {name}"),
    "interaction_required": Meaning(
        "The tenant wants the person to sign in again.", "Sign in anew: hotpatch provider login {name}"
    ),
    "invalid_grant": _EXPIRED,
}

_CODE = re.compile(r"AADSTS(\d{4,8})")
_TRAILER = re.compile(r"\s*(?:Trace ID|Correlation ID|Timestamp):\s*\S+(?:\s+\d\d:\d\d:\d\dZ)?", re.IGNORECASE)


def explain(answer: Mapping[str, object], config: GraphConfig, name: str, secrets: Iterable[str] = ()) -> SignInNeeded:
    """The refusal in an OAuth answer as an error for people: what it means, what Microsoft said, what to do.

    `secrets` are taken out of the service's words, should it have repeated one.
    """
    said = without(str(answer.get("error_description") or answer.get("error") or ""), secrets)
    code = code_of(answer)
    meaning = MEANINGS.get(code) or _BY_ERROR.get(str(answer.get("error") or ""))
    shown = _TRAILER.sub("", plain(said))
    correlation = plain(str(answer.get("correlation_id") or ""), 60)
    quoted = f"Microsoft said: {shown}" if shown else ""
    if quoted and quoted[-1] not in ".!?":
        quoted += "."
    noted = f"(correlation id {correlation})" if correlation else ""
    told = _filled(meaning.why, config, name) if meaning else ""
    return SignInNeeded(
        f"Signing in to {name} was refused.",
        " ".join(part for part in (told, quoted, noted) if part) or "The service gave no reason.",
        _filled(meaning.instead, config, name) if meaning else usual_remedy(config, name),
    )


def code_of(answer: Mapping[str, object]) -> int:
    """The AADSTS number of an answer; 0 where it has none."""
    codes = answer.get("error_codes")
    if isinstance(codes, list) and codes and isinstance(codes[0], int):
        return codes[0]
    found = _CODE.search(str(answer.get("error_description") or ""))
    return int(found[1]) if found else 0


def usual_remedy(config: GraphConfig, name: str) -> str:
    """What helps where the service does not say what is wrong."""
    if config.sign_in is SignInWay.DEVICE_CODE:
        return f"Sign in anew: hotpatch provider login {name}"
    return f"Look step by step: hotpatch provider check {name}"


def _filled(words: str, config: GraphConfig, name: str) -> str:
    return (
        words.replace("{name}", name)
        .replace("{tenant}", config.tenant_id or "of this machine")
        .replace("{client}", config.client_id or "of this machine")
    )
