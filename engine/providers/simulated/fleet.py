"""The sample fleet: a company's devices with their rings and their past, made from releases and a seed.

`generate` streams them, so that a million fit in the memory of one. Same seed, size, time and releases give the
same devices in every process. Knows no store and no readiness rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from engine.model.build import Architecture, Platform
from engine.model.model import ChpeState, DeviceFacts, FormFactor, Management, PolicyState, Release
from engine.model.sample import SampleDevice
from engine.providers.simulated import company
from engine.providers.simulated.anchors import ANCHORS, RESERVED_NAMES, ToldDevice
from engine.providers.simulated.conditions import (
    ALLOW_POLICY,
    Draft,
    apply_condition,
    conditions_for,
)
from engine.providers.simulated.draws import (
    GOLDEN_STEP,
    ROOT_STEP,
    WORD,
    between,
    even_word,
    pick,
    spread,
    stream,
    words,
)
from engine.providers.simulated.history import EARLY_CODES, LATE_CODES, SHARED_CODE, Story, past_of
from engine.providers.simulated.people import person, short_alias
from engine.providers.simulated.presence import is_dark
from engine.providers.simulated.sample import DEMO_SEED, DEMO_SIZE, DEMO_START
from engine.providers.simulated.sample_file import load_bundled_fleet
from engine.providers.simulated.shelf import shelves

__all__ = ["generate", "load_bundled_fleet"]

_SERVER_PERCENT = 13
_FULL_PAST_UP_TO = 20_000
_SHORT_PAST = 2
"""Releases that a device of a larger fleet remembers."""
_RINGS = spread([("First", 54), ("Fast", 163), ("Broad", 783)])
_EXECUTIVE_PER_MILLE = 27
_TEST_PER_MILLE = 10
_TROUBLED_EVERY = 4
"""Of the devices with the troubled model and driver, every so many-th fails."""
_FAILED_PER_MILLE = 17
_SHARED_ELSEWHERE = 20
"""Of the other open failures, one in so many has the shared code without the shared model."""
_EARLY_SHARE = 4
"""Of the other open failures, one in so many is of the release before the latest."""
_UNINSTALLED_PER_MILLE = 12
_OOB_LCU_PERCENT = 10
_ON_LEAVE_PERCENT = 4
_SECOND_DEVICE_PERCENT = 55
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PAIRS = tuple(a + b for a in _BASE36 for b in _BASE36)
_SERIAL_STEP = 1_400_305_337
_SUFFIX_STEP = 1_037_923
"""Odd and not divisible by 3: multiplying by them visits every number of the range once."""
_DAY_SECONDS = 86_400


def generate(
    releases: Sequence[Release], *, seed: int = DEMO_SEED, size: int = DEMO_SIZE, now: datetime = DEMO_START
) -> Iterator[SampleDevice]:
    """Stream a fleet of `size` devices as it stands at `now`; releases published later are not known to it."""
    fleet = _Fleet(releases, seed, size, now)
    anchored = [fleet.anchored(number, anchor) for number, anchor in enumerate(ANCHORS[:size])]
    yield from anchored
    for number in range(len(anchored), size):
        yield fleet.drawn(number)


class _Fleet:
    """Keeps what devices of a fleet must not share: names, people and the turn of whoever fails."""

    def __init__(self, releases: Sequence[Release], seed: int, size: int, now: datetime) -> None:
        self._seed = seed
        self._now = now
        self._shelves = shelves(releases, now, keep=_SHORT_PAST if size > _FULL_PAST_UP_TO else None)
        self._people = 0
        self._counts: dict[str, int] = {}
        in_test = sum(anchor.ring == "Test" for anchor in ANCHORS)
        self._test_share = max(0, size * _TEST_PER_MILLE // 1000 - in_test) / max(size, 1)

    def anchored(self, number: int, anchor: ToldDevice) -> SampleDevice:
        """A device that is told."""
        word = words(f"{self._seed}/{number}")
        draft = self._begin(number, anchor.site, anchor.hardware, anchor.platform, anchor.offer, word)
        draft.name, draft.ring = anchor.name, anchor.ring
        draft.user_name = anchor.user_name
        draft.user = f"{anchor.sign_in}@{company.SIGN_IN_DOMAIN}" if anchor.sign_in else ""
        apply_condition(draft, anchor.condition, word[0])
        return self._finish(draft, word, failure_code=None)

    def drawn(self, number: int) -> SampleDevice:
        """A device left to chance."""
        word = words(f"{self._seed}/{number}")
        site = pick(company.SITES, word[0])
        if word[1] % 100 < _SERVER_PERCENT:
            offer = pick(company.SERVER_OFFERS, word[2])
            draft = self._begin(number, site, pick(offer.hardware, word[3]), offer.platform, offer, word)
            role = pick(company.SERVER_ROLES, word[4])
            draft.name = self._numbered(f"{site.code}-SRV-{role}", 2)
            is_special = role in company.CRITICAL_ROLES
        else:
            hardware = pick(company.CLIENT_HARDWARE, word[2])
            draft = self._begin(number, site, hardware, pick(company.CLIENT_PLATFORMS, word[3]), None, word)
            self._give_user(draft, word[4])
            draft.name = self._client_name(draft)
            is_special = word[5] % 1000 < _EXECUTIVE_PER_MILLE
        draft.ring = self._ring(word[6], is_special=is_special)
        table = conditions_for(draft)
        condition = pick(table.entries, even_word(self._turn(table.kind), self._seed, GOLDEN_STEP))
        apply_condition(draft, condition, word[7])
        return self._finish(draft, word, failure_code=self._failure(draft, word))

    def _begin(
        self,
        number: int,
        site: company.Site,
        hardware: company.Hardware,
        platform: Platform,
        offer: company.ServerOffer | None,
        word: tuple[int, ...],
    ) -> Draft:
        """A device in good order, before anything is wrong with it."""
        draft = Draft(number, site, hardware, platform, "Enterprise", "", Management.INTUNE)
        draft.driver = pick(hardware.drivers, word[8])
        if offer is not None:
            draft.edition, draft.management = offer.edition, offer.management
            draft.subscription, draft.on_track = offer.subscription, offer.takes_hotpatches
            return draft
        draft.policy, draft.policy_name = PolicyState.ALLOW, ALLOW_POLICY
        is_cloud_pc = hardware.form is FormFactor.CLOUD_PC
        draft.licence = company.CLOUD_PC_LICENCE if is_cloud_pc else pick(company.LICENCES, word[9])
        if hardware.architecture is Architecture.ARM64:
            draft.chpe = ChpeState.DISABLED
        return draft

    def _finish(self, draft: Draft, word: tuple[int, ...], *, failure_code: int | None) -> SampleDevice:
        """The facts and the past that follow from the draft."""
        draw = stream(f"{self._seed}/{draft.number}/past")
        hardware = draft.hardware
        is_server = draft.platform.is_server
        last_seen_at = self._last_seen(draft, word)
        past = past_of(
            self._shelves[draft.platform, hardware.architecture],
            Story(
                ring=draft.ring,
                on_track=draft.on_track,
                is_server=is_server,
                last_seen_at=last_seen_at,
                missed=0 if failure_code else draft.missed,
                failure_code=failure_code,
                was_uninstalled=word[10] % 1000 < _UNINSTALLED_PER_MILLE and draft.name not in RESERVED_NAMES,
                took_oob_lcu=is_server and word[11] % 100 < _OOB_LCU_PERCENT and draft.name not in RESERVED_NAMES,
            ),
            draw,
        )
        facts = DeviceFacts(
            draft.name, draft.platform, hardware.architecture, past.build, draft.edition, hardware.form,
            draft.user, draft.user_name, company.DOMAIN, _serial(hardware.serial, draft.number),
            f"CT-{100_000 + draft.number}", draft.site.city, hardware.model, draft.driver, hardware.cores,
            draft.licence, draft.management, draft.policy, draft.policy_name, draft.subscription,
            draft.vbs, draft.chpe, draft.missed > 0 and bool(word[12] & 1),
            self._boot(past.restarted_at, last_seen_at, word[13], is_server=is_server), last_seen_at,
        )  # fmt: skip
        return SampleDevice(draft.name, facts, draft.ring, past.installs)

    def _last_seen(self, draft: Draft, word: tuple[int, ...]) -> datetime:
        if is_dark(draft.name):
            return self._now - timedelta(between(20, 90, word[14]), between(0, _DAY_SECONDS, word[15]))
        form = draft.hardware.form
        if draft.platform.is_server or form is FormFactor.CLOUD_PC:
            return self._now - timedelta(0, between(60, 4 * 3_600, word[14]))
        days = between(1, 3, word[15]) if form is FormFactor.LAPTOP and word[15] % 100 < _ON_LEAVE_PERCENT else 0
        return self._now - timedelta(days, between(120, 20 * 3_600, word[14]))

    def _boot(self, restarted_at: datetime | None, last_seen_at: datetime, word: int, *, is_server: bool) -> datetime:
        """The last start: that of the last install, unless somebody restarted it since."""
        since = restarted_at or last_seen_at - timedelta(90)
        if word % 100 < (85 if is_server else 30):
            return since
        return since + timedelta(0, int((last_seen_at - since).total_seconds() * (word >> 8) / (1 << 24)))

    def _give_user(self, draft: Draft, word: int) -> None:
        """The device's primary user; a cloud PC often belongs to somebody who has a device already."""
        if draft.hardware.form is FormFactor.CLOUD_PC and word % 100 < _SECOND_DEVICE_PERCENT and self._people:
            draft.user_name, sign_in = person(word % self._people)
        else:
            draft.user_name, sign_in = person(self._people)
            self._people += 1
        draft.user = f"{sign_in}@{company.SIGN_IN_DOMAIN}"

    def _client_name(self, draft: Draft) -> str:
        form = draft.hardware.form
        if form is not FormFactor.CLOUD_PC:
            return self._numbered(f"{draft.site.code}-{company.FORM_CODES[form]}-", 4)
        alias = short_alias(draft.user.partition("@")[0])
        return f"CPC-{alias}-{_base36(self._turn('cloud-pc name') * _SUFFIX_STEP, 2)}"

    def _numbered(self, prefix: str, digits: int) -> str:
        """The next free name of a series."""
        while True:
            name = f"{prefix}{self._turn(prefix) + 1:0{digits}d}"
            if name not in RESERVED_NAMES:
                return name

    def _ring(self, word: int, *, is_special: bool) -> str:
        if word / WORD < self._test_share:
            return "Test"
        return "Last" if is_special else pick(_RINGS, even_word(self._turn("ring"), self._seed, ROOT_STEP))

    def _failure(self, draft: Draft, word: tuple[int, ...]) -> int | None:
        """The code of an install that has not gone in: shared by a model and its driver, or anyone's own trouble."""
        if is_dark(draft.name):
            return None
        if draft.driver == company.TROUBLED_DRIVER and draft.hardware.model == company.TROUBLED_MODEL:
            return SHARED_CODE if self._turn("troubled") % _TROUBLED_EVERY == 1 else None
        if word[9] % 1000 >= _FAILED_PER_MILLE:
            return None
        turn = self._turn("failed")
        if turn % _SHARED_ELSEWHERE == _SHARED_ELSEWHERE // 4:
            return SHARED_CODE
        if turn % _EARLY_SHARE == 1:
            return EARLY_CODES[turn // _EARLY_SHARE % len(EARLY_CODES)]
        return LATE_CODES[turn % len(LATE_CODES)]

    def _turn(self, kind: str) -> int:
        """How many of this kind there were before."""
        turn = self._counts.get(kind, 0)
        self._counts[kind] = turn + 1
        return turn


def _base36(number: int, pairs: int) -> str:
    text = ""
    for _ in range(pairs):
        number, pair = divmod(number, len(_PAIRS))
        text = _PAIRS[pair] + text
    return text


def _serial(beginning: str, number: int) -> str:
    """A serial number as its maker writes them; no two of a beginning are the same below two thousand million."""
    scrambled = (number + 4_711) * _SERIAL_STEP
    if beginning.startswith("0000"):
        digits = f"{scrambled % 10**12:012d}"
        return f"{beginning}{digits[:4]}-{digits[4:8]}-{digits[8:]}"
    return f"{beginning}{_base36(scrambled, 3)}{_BASE36[number % 31]}"
