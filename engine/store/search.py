"""Finds devices by what people call them: name, user, serial number or asset tag, as they are typed or pasted.

`DeviceStore` calls it. Exact and nearly exact readings are probed in indexes; only when they are too few is the part
searched for in one scan over the index that holds names and users.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import product

from msgspec import Struct

from engine.model.errors import nearest
from engine.model.records.fleet import DeviceRow
from engine.store.device_rows import ROW_COLUMNS, device_rows
from engine.store.filter_sql import holding
from engine.store.values import placeholders

_LAST = chr(0x10FFFF)
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212\ufe58\uff0d"), "-")
_MAIL = re.compile(r"(?:mailto:)?([^\s<>()\[\];,\"']+@[^\s<>()\[\];,\"']+)")
_DIGITS = re.compile(r"[0-9]+")
_WIDEST_NUMBER = 8
_MOST_VARIANTS = 512
_SHORTEST_PREFIX = 3
_NAMES_COMPARED = 2_000


class Match(IntEnum):
    """How a device was found, the surest first."""

    NAME = 0
    """It is called so."""
    NAME_READ = 1
    """It is called so, but for leading zeros, signs between, or a DNS domain."""
    USER = 2
    """The whole sign-in name of its user."""
    ACCOUNT = 3
    """The sign-in name without its domain, in the domain that was typed, or where none was."""
    NUMBER = 4
    """Serial number or asset tag."""
    OTHER_DOMAIN = 5
    """The account, in another domain than the one that was typed."""
    PREFIX = 6
    """Name, sign-in name, serial number or asset tag begins so."""
    PART = 7
    """Every word stands somewhere in name, sign-in name or full name."""

    @property
    def is_exact(self) -> bool:
        return self <= Match.OTHER_DOMAIN


class Found(Struct, frozen=True):
    """Devices in the order of how surely they are meant, then by name."""

    rows: tuple[DeviceRow, ...]
    best: Match | None
    """How the first ones were found; None when nothing was."""
    as_good: int
    """How many devices were found as surely as the first, also those beyond the rows; where nothing matches exactly,
    all that match in part."""
    obvious: DeviceRow | None
    """The one device that is meant: alone in matching exactly, or alone in matching at all."""


class _Asked(Struct, frozen=True):
    """What was typed, taken apart."""

    text: str
    """Case-folded, without quotes, domain and the sign of a computer account."""
    domain: str
    """``contoso`` of ``CONTOSO\\alice`` or ``contoso.com`` of ``alice@contoso.com``; "" for none."""
    account: str
    """What may be the sign-in name without its domain."""
    is_mail: bool


def find_devices(connection: sqlite3.Connection, text: str, limit: int, *, surest_only: bool = False) -> Found:
    """Devices that a text may mean, at most `limit`, the surest first.

    With `surest_only` parts are looked for only where nothing matches better, so that a whole name costs no scan.
    """
    asked = _read(text)
    if not asked.text:
        return Found((), None, 0, None)
    matches = dict(_exact(connection, asked))
    if not matches:
        matches = dict(_begins(connection, asked))
    found = dict(sorted(matches.items(), key=lambda match: match[1]))
    best = min(found.values(), default=None)
    counted = sum(match == best for match in found.values()) if best is not None else 0
    if len(found) < limit and not (surest_only and best is not None and best.is_exact):
        wanted = limit + len(found)
        parts = _parts(connection, asked, wanted)
        for device_id in parts:
            found.setdefault(device_id, Match.PART)
        if best is None or not best.is_exact:
            best = min(found.values(), default=None)
            counted = max(len(found), _count_parts(connection, asked) if len(parts) == wanted else 0)
    rows = _rows(connection, found, limit)
    return Found(rows, best, counted, rows[0] if counted == 1 and rows else None)


def exact_devices(connection: sqlite3.Connection, text: str, limit: int) -> tuple[DeviceRow, ...]:
    """Only those that the text names exactly or nearly so; reads indexes alone."""
    asked = _read(text)
    return _rows(connection, dict(_exact(connection, asked)), limit) if asked.text else ()


def names_near(connection: sqlite3.Connection, text: str, limit: int = 3) -> tuple[str, ...]:
    """Names that are like the text, for "did you mean"."""
    wanted = _read(text).text
    for length in (5, 3, 1):
        stem = wanted[:length]
        if not stem:
            break
        rows = connection.execute(
            "SELECT name FROM device WHERE name_key >= ? AND name_key < ? ORDER BY name_key LIMIT ?",
            (stem, stem + _LAST, _NAMES_COMPARED),
        )
        if near := nearest(wanted, [row[0] for row in rows], limit):
            return near
    return ()


# --- reading what was typed ---------------------------------------------------------------------------


def _read(text: str) -> _Asked:
    plain = unicodedata.normalize("NFC", text).translate(_DASHES).strip().strip("\"'`“”‘’").strip()
    if (mail := _MAIL.search(plain)) is not None:
        address = mail[1].casefold().rstrip(".")
        account, _, domain = address.rpartition("@")
        return _Asked(address, domain, account, is_mail=True)
    domain, _, rest = plain.replace("/", "\\").rpartition("\\") if _looks_like_account(plain) else ("", "", plain)
    rest = rest.strip().casefold()
    rest = rest[:-1] if rest.endswith("$") and len(rest) > 1 else rest
    return _Asked(rest, domain.strip().casefold(), rest, is_mail=False)


def _looks_like_account(text: str) -> bool:
    """``DOMAIN\\name``, also with the other slash as people type it; not a path or a model."""
    return text.count("\\") + text.count("/") == 1 and not any(sign.isspace() for sign in text.strip())


def _name_variants(asked: _Asked) -> Iterator[str]:
    """Other spellings of a device's name: leading zeros, signs between its parts, a DNS domain behind it."""
    bare = asked.text.split(".", 1)[0] if not asked.is_mail else ""
    for spelling in dict.fromkeys((asked.text, bare, re.sub(r"[\s_./]+", "-", asked.text))):
        if spelling:
            yield from _with_zeros(spelling)


def _with_zeros(name: str) -> Iterator[str]:
    pieces = _DIGITS.split(name)
    runs = _DIGITS.findall(name)
    options: list[list[str]] = []
    variants = 1
    for run in reversed(runs):
        bare = run.lstrip("0") or "0"
        widths = [bare.zfill(width) for width in range(len(bare), max(len(bare), _WIDEST_NUMBER) + 1)]
        fits = variants * len(widths) <= _MOST_VARIANTS
        options.append(widths if fits else [run])
        variants *= len(widths) if fits else 1
    for chosen in product(*reversed(options)):
        yield "".join(piece + number for piece, number in zip(pieces, (*chosen, ""), strict=True))


# --- looking it up ------------------------------------------------------------------------------------


def _exact(connection: sqlite3.Connection, asked: _Asked) -> Iterator[tuple[int, Match]]:
    """Ids with the surest way in which each is meant."""
    found: dict[int, Match] = {}

    def note(ids: Iterable[int], match: Match) -> None:
        for device_id in ids:
            found[device_id] = min(match, found.get(device_id, match))

    note(_ids(connection, "name_key = ?", asked.text), Match.NAME)
    variants = list(dict.fromkeys(_name_variants(asked)))
    for start in range(0, len(variants), 500):
        part = variants[start : start + 500]
        note(_ids(connection, f"name_key IN ({placeholders(len(part))})", *part), Match.NAME_READ)
    note(_ids(connection, "user_key = ?", asked.text), Match.ACCOUNT if not asked.is_mail else Match.USER)
    for device_id, is_same_domain in _accounts(connection, asked):
        note([device_id], Match.ACCOUNT if is_same_domain else Match.OTHER_DOMAIN)
    note(_ids(connection, "serial = ? COLLATE NOCASE", asked.text), Match.NUMBER)
    note(_ids(connection, "asset_tag = ? COLLATE NOCASE", asked.text), Match.NUMBER)
    yield from found.items()


def _accounts(connection: sqlite3.Connection, asked: _Asked) -> Iterator[tuple[int, bool]]:
    """Devices whose user has this account name, and whether in the domain that was typed."""
    rows = connection.execute(
        "SELECT id, user_key, domain FROM device WHERE user_key = :account "
        "UNION ALL SELECT id, user_key, domain FROM device WHERE user_key > :account || '@' "
        "AND user_key < :account || '@' || :last "
        "UNION ALL SELECT id, user_key, domain FROM device WHERE user_key = :qualified",
        {"account": asked.account, "last": _LAST, "qualified": f"{asked.domain}\\{asked.account}"},
    )
    for device_id, user_key, domain in rows:
        behind = user_key.rpartition("@")[2] if "@" in user_key else user_key.rpartition("\\")[0]
        own = {domain.casefold(), behind, behind.partition(".")[0]} - {""}
        yield device_id, not asked.domain or asked.domain in own or asked.domain.partition(".")[0] in own


def _begins(connection: sqlite3.Connection, asked: _Asked) -> Iterator[tuple[int, Match]]:
    """Serial numbers and asset tags that begin so; names and users are found by their parts anyway."""
    if len(asked.text) < _SHORTEST_PREFIX or asked.is_mail:
        return
    for column in ("serial", "asset_tag"):
        condition = f"{column} COLLATE NOCASE >= ? AND {column} COLLATE NOCASE < ?"
        for device_id in _ids(connection, condition, asked.text, asked.text + _LAST):
            yield device_id, Match.PREFIX


def _ids(connection: sqlite3.Connection, condition: str, *params: str) -> list[int]:
    rows = connection.execute(f"SELECT id FROM device WHERE {condition} LIMIT 1000", params)
    return [row[0] for row in rows]


def _part_condition(asked: _Asked) -> tuple[str, list[str]]:
    words = asked.account.split() if asked.is_mail else [each for each in re.split(r"[\s,;]+", asked.text) if each]
    return " AND ".join("search_key GLOB ?" for _ in words) or "0", [holding(word) for word in words]


def _parts(connection: sqlite3.Connection, asked: _Asked, limit: int) -> list[int]:
    condition, words = _part_condition(asked)
    rows = connection.execute(f"SELECT id FROM device WHERE {condition} ORDER BY name_key, id LIMIT ?", (*words, limit))
    return [row[0] for row in rows]


def _count_parts(connection: sqlite3.Connection, asked: _Asked) -> int:
    condition, words = _part_condition(asked)
    return int(connection.execute(f"SELECT count(*) FROM device WHERE {condition}", words).fetchone()[0])


def _rows(connection: sqlite3.Connection, found: dict[int, Match], limit: int) -> tuple[DeviceRow, ...]:
    """The rows of the best `limit` devices."""
    ids = sorted(found, key=lambda device_id: found[device_id])
    # Within one way of matching the order is by name, which only the rows tell: all of the last way are read.
    if len(ids) > limit:
        last = found[ids[limit - 1]]
        ids = [device_id for device_id in ids if found[device_id] <= last][:1000]
    rows: list[DeviceRow] = []
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        rows += device_rows(
            connection.execute(
                f"SELECT {ROW_COLUMNS} FROM device d LEFT JOIN ring r ON r.id = d.ring_id "
                f"WHERE d.id IN ({placeholders(len(part))})",
                part,
            )
        )
    rows.sort(key=lambda row: (found[row.id], row.name.casefold(), row.id))
    return tuple(rows[:limit])
