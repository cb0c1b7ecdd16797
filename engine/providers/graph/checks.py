"""Looks step by step at what works in a tenant, and says what is missing and who can grant it.

`tenants.desk.check` calls it. Sends only requests that read, each as small as it can be, and changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.model.errors import ProviderError, SignInNeeded
from engine.providers.graph.config import GraphConfig, SignInWay
from engine.providers.graph.pacing import Limits
from engine.providers.graph.permissions import permissions
from engine.providers.graph.probes import access
from engine.providers.graph.provider import NOTE, GraphProvider
from engine.providers.graph.steps import CheckStep, StepState, permission_step
from engine.providers.graph.token_facts import TokenFacts, read_token

if TYPE_CHECKING:
    from engine.providers.graph.tokens import TokenSource

_GRAPH_APP = "00000003-0000-0000-c000-000000000000"
"""Microsoft Graph's own number, which tokens may name as their audience instead of its address."""
_PATIENCE = Limits(attempts=3, longest_wait=20.0, total_wait=40.0, connect_seconds=10.0, answer_seconds=60.0)
"""Less than other readers have: somebody sits there and waits."""


async def examine(provider: GraphProvider, limits: Limits = _PATIENCE) -> AsyncIterator[CheckStep]:
    """Every step in the order in which one would look; what stands on a failed step is skipped.

    Raises:
        BadInput: what the state file keeps of the provider cannot be used.
    """
    config = provider.config
    if (certificate := _certificate(config)) is not None:
        yield certificate
    tokens = provider.tokens()
    signed_in, facts = await _sign_in(config, tokens)
    yield signed_in
    is_in = signed_in.state is StepState.OK
    if is_in:
        for step in _token_steps(config, facts):
            yield step
    async with provider.open(tokens=tokens, limits=limits) as client:
        async for step in access(client, config.base_url, facts, is_open=is_in):
            yield step
    if is_in:
        async for step in _writing(provider, tokens, facts):
            yield step
    yield CheckStep("on-demand", "installing", StepState.NOTE, NOTE)


# --- sign-in ----------------------------------------------------------------------------------------


def _certificate(config: GraphConfig) -> CheckStep | None:
    if config.sign_in is not SignInWay.CERTIFICATE:
        return None
    from engine.providers.graph.msal_apps import Trouble, read_certificate

    try:
        found = read_certificate(Path(config.certificate))
    except Trouble as trouble:
        return CheckStep("certificate", "certificate", StepState.FAILED, trouble.why, fix=trouble.instead)
    words = f"thumbprint {found.thumbprint}, valid until {found.valid_until:%Y-%m-%d}"
    if found.valid_until <= datetime.now(UTC):
        fix = "Make a new certificate and upload it under Certificates & secrets of the app registration."
        return CheckStep("certificate", "certificate", StepState.FAILED, f"{words}: it has ended", fix=fix)
    return CheckStep("certificate", "certificate", StepState.OK, words)


async def _sign_in(config: GraphConfig, tokens: TokenSource) -> tuple[CheckStep, TokenFacts | None]:
    try:
        token = await tokens.token()
    except ProviderError as error:
        found = " ".join(part for part in (error.what, error.why) if part)
        return CheckStep("sign-in", "sign-in", StepState.FAILED, found, fix=error.instead), None
    facts = read_token(token)
    who = f", as {facts.who or facts.app}" if facts is not None and (facts.who or facts.app) else ""
    return CheckStep("sign-in", "sign-in", StepState.OK, f"by {config.sign_in}{who}"), facts


def _token_steps(config: GraphConfig, facts: TokenFacts | None) -> Sequence[CheckStep]:
    if facts is None:
        unread = "the token is not a readable one, so its permissions show only in the steps below"
        return [CheckStep("token", "token", StepState.NOTE, unread)]
    steps = [_tenant_step(config, facts)]
    if facts.audience and facts.audience.rstrip("/") not in (config.resource, _GRAPH_APP):
        fix = "Ask for a token of Microsoft Graph, or set --resource."
        wrong = f"the token is for {facts.audience}, not for {config.resource}"
        steps.append(CheckStep("audience", "audience", StepState.FAILED, wrong, fix=fix))
    wanted = [each for each in permissions() if not each.writes]
    steps.append(permission_step("permissions", "permissions to read", wanted, facts))
    return steps


def _tenant_step(config: GraphConfig, facts: TokenFacts) -> CheckStep:
    if facts.expires_at is not None and facts.expires_at <= datetime.now(UTC):
        ended = f"the token ended {facts.expires_at:%Y-%m-%d %H:%M} UTC"
        return CheckStep("token", "token", StepState.FAILED, ended, fix="Put a new token into the variable.")
    is_number = len(config.tenant_id) == 36 and "." not in config.tenant_id
    if is_number and facts.tenant_id and facts.tenant_id.casefold() != config.tenant_id.casefold():
        wrong = f"the token is for tenant {facts.tenant_id}, not {config.tenant_id}"
        return CheckStep("token", "token", StepState.FAILED, wrong, fix="Sign in to the right tenant.")
    kind = "a person's permissions" if facts.is_delegated else "the app's own permissions"
    return CheckStep("token", "token", StepState.OK, f"tenant {facts.tenant_id or 'not told'}, {kind}")


# --- writing ----------------------------------------------------------------------------------------


async def _writing(provider: GraphProvider, tokens: TokenSource, facts: TokenFacts | None) -> AsyncIterator[CheckStep]:
    if not provider.writes:
        how = f"off: nothing is changed in the tenant. Switch it on: hotpatch provider writes {provider.name} on"
        yield CheckStep("writing", "writing", StepState.NOTE, how)
        return
    try:
        facts = read_token(await tokens.token(write=True)) or facts
    except SignInNeeded as error:
        found = " ".join(part for part in (error.what, error.why) if part)
        names = tuple(each.name for each in permissions() if each.writes)
        yield CheckStep("writing", "writing", StepState.DENIED, found, names, error.instead)
        return
    except ProviderError as error:
        yield CheckStep("writing", "writing", StepState.FAILED, error.what, fix=error.instead)
        return
    if facts is None:
        yield CheckStep(
            "writing", "writing", StepState.NOTE, "on; whether the permissions do shows with the first change"
        )
        return
    wanted = [each for each in permissions() if each.writes]
    step = permission_step("writing", "writing", wanted, facts)
    yield replace(step, found=f"on, with {step.found}" if step.state is StepState.OK else f"on, but {step.found}")
