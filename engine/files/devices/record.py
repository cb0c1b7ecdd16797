"""One row of a device list, checked by pydantic, and the facts it states. The readers call it for every row.

What a cell says is kept or refused with a reason, never repaired in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, create_model

from engine.model.build import Architecture, OsBuild, Platform
from engine.model.facts import FACTS, Fact
from engine.model.model import Management, VbsState
from engine.rules.readiness import licence_of_sku, licences

_LONGEST = 300
_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""Control characters and line separators have no place in a name; the screen would have to defend itself for ever."""

_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=_LONGEST, pattern=_CONTROLS)]
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=_CONTROLS)]


def _text_of(value: object) -> str:
    """The value as text, before it is looked up or remembered."""
    if not isinstance(value, str | int):
        raise ValueError(f"{_shown(value)} must be written as text")
    text = str(value)
    if len(text) > _LONGEST:
        raise ValueError(f"{_shown(text)} has more than {_LONGEST} characters")
    return text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 44 else text[:43] + "…"


def _words(kind: str, known: Mapping[str, Any], shown: str, not_told: Any = None) -> BeforeValidator:
    """A validator for one of a few words, whatever their case, blanks and dashes."""

    @lru_cache(maxsize=512)
    def read(text: str) -> Any:
        key = "".join(sign for sign in text.casefold() if sign.isalnum())
        if key not in known:
            raise ValueError(f"{_shown(text)} is no {kind}; values: {shown}")
        return known[key]

    return BeforeValidator(lambda value: not_told if value in (None, "") else read(_text_of(value)))


def _of_words(fact: Fact) -> BeforeValidator:
    called, aliases = _CALLED[fact.name]
    known = {"".join(sign for sign in each.value if sign.isalnum()): each for each in fact.kind}
    return _words(called, {**known, **aliases}, ", ".join(fact.words), fact.not_told)


_OTHER_WINDOWS = re.compile(
    r"(?:other|(?:microsoft )?(?:windows|win) ?(?:7|8|10|11|server)\b.*|server[ -]?20\d\d)", re.I
)
_PLATFORMS = {
    **{key: platform for platform in Platform for key in (platform.value, platform.label.casefold())},
    "24h2": Platform.WIN11_24H2,
    "25h2": Platform.WIN11_25H2,
    "windows server 2025": Platform.SERVER_2025,
    "windows server 2022": Platform.SERVER_2022,
}


@lru_cache(maxsize=512)
def _platform_of(text: str) -> Platform | None:
    known = _PLATFORMS.get(" ".join(text.casefold().split()))
    if known is None and not _OTHER_WINDOWS.fullmatch(text.strip()):
        names = ", ".join(Platform)
        raise ValueError(f"{_shown(text)} is not a Windows version; values: {names}, other")
    return known


@lru_cache(maxsize=4096)
def _build_of(text: str) -> OsBuild:
    try:
        return OsBuild.parse(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is not a build; write it like 26100.8390") from None


_EDITION_PREFIX = re.compile(r"(?:microsoft )?windows (?:server (?:20\d\d )?|1[01] )?", re.I)


@lru_cache(maxsize=512)
def _edition_of(text: str) -> str:
    return _EDITION_PREFIX.sub("", text.strip(), count=1).strip()


@lru_cache(maxsize=512)
def _licence_of(text: str) -> str:
    """The key for a key, a title or a part number; other text stays, and readiness calls it unknown."""
    wanted = text.strip()
    for licence in licences().values():
        if wanted.casefold() in (licence.key, licence.title.casefold()):
            return licence.key
    return licence_of_sku(wanted) or wanted


def _unless_empty(read: Callable[[str], Any]) -> BeforeValidator:
    return BeforeValidator(lambda value: None if value in (None, "") else read(_text_of(value)))


def _text_through(read: Callable[[str], str]) -> BeforeValidator:
    return BeforeValidator(lambda value: "" if value is None else read(_text_of(value)))


_TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_CALLED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "architecture": ("processor", {"amd64": Architecture.X64, "x8664": Architecture.X64, "unknown": None}),
    "form": ("kind of machine", {}),
    "management": (
        "management",
        {
            "mdm": Management.INTUNE,
            "comanaged": Management.INTUNE,
            "azurearc": Management.ARC,
            "configmgr": Management.NONE,
            "mde": Management.NONE,
        },
    ),
    "policy": ("policy state", {}),
    "subscription": ("state of enablement", {}),
    "vbs": (
        "state of VBS",
        {
            "2": VbsState.RUNNING,
            "on": VbsState.RUNNING,
            "1": VbsState.NOT_RUNNING,
            "notrunning": VbsState.NOT_RUNNING,
            "rebootrequired": VbsState.NOT_RUNNING,
            "0": VbsState.OFF,
            "notenabled": VbsState.OFF,
            "notconfigured": VbsState.OFF,
            "notlicensed": VbsState.OFF,
            "doesnotmeethardwarerequirements": VbsState.OFF,
            "require64bitarchitecture": VbsState.OFF,
            "other": VbsState.UNKNOWN,
        },
    ),
    "chpe": ("state of CHPE", {}),
}
"""By the fact: what one of its words is called, and which other words mean the same."""
_OF_SHAPE: Mapping[type, Any] = {
    str: _Text,
    OsBuild: Annotated[Any, _unless_empty(_build_of)],
    bool: Annotated[Any, _words("answer", _TRUTH, "yes, no")],
    datetime: _Text,
}
"""How a fact is read by its shape. Times stay text: which order of dates they have is the file's to tell."""
_OF_FACT: Mapping[str, Any] = {
    "name": _Name,
    "platform": Annotated[Any, _unless_empty(_platform_of)],
    "edition": Annotated[_Text, _text_through(_edition_of)],
    "cores": Annotated[int | None, Field(ge=1, le=4096), _unless_empty(str.strip)],
    "licence": Annotated[_Text, _text_through(_licence_of)],
}
"""Those that are read in a way of their own."""


def _field(fact: Fact) -> tuple[Any, Any]:
    """How a fact's cell is checked, and what stands for a cell that is not there."""
    if fact.name in _OF_FACT:
        return _OF_FACT[fact.name], ... if fact.name == "name" else fact.not_told
    if fact.shape is StrEnum:
        return Annotated[Any, _of_words(fact)], fact.not_told
    return _OF_SHAPE[fact.shape], "" if fact.shape is datetime else fact.not_told


_FACTS = {each.name: _field(each) for each in FACTS if each.in_lists}
# In the order of the columns: a row's first fault is told.
_FIELDS: dict[str, Any] = {"name": _FACTS.pop("name"), "id": (_Text, ""), "ring": (_Text, ""), **_FACTS}
_RECORD = create_model("_RECORD", __config__=ConfigDict(extra="ignore", coerce_numbers_to_str=True), **_FIELDS)


def stated(cells: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says: ``id``, ``ring`` and every fact by its name, times still as text.

    Raises:
        pydantic.ValidationError: a cell cannot be used.
    """
    return vars(_RECORD.model_validate(cells))
