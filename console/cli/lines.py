"""Records as lines of JSON: the text of their documents, many times as quick as making those first.

Pure. ASCII only. A record of fields alone, such as a row of a million devices, is put into a text made once from its
shape; of any other, the document is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any

from msgspec import Struct

from console.cli.documents import document, iso, plain, plain_fields
from engine.model.build import OsBuild

_Text = Callable[[Any], str]
_written = json.JSONEncoder(allow_nan=False).encode


def lines(records: Iterable[Struct], key: str, value: Callable[[Any], object]) -> Iterator[str]:
    """The document of each record, with one more key at its end and what belongs to that record under it.

    Raises:
        TypeError: what a record tells depends on the time.
    """
    known: dict[type, Callable[[Any, object], str]] = {}
    for each in records:
        kind = type(each)
        if (line := known.get(kind)) is None:
            line = known[kind] = _line(kind, key)
        yield line(each, value(each))


def _line(kind: type[Struct], more: str) -> Callable[[Any, object], str]:
    fields = plain_fields(kind)
    if len(fields) < 2:
        return lambda record, value: _written({**document(record), more: plain(value)})
    get = attrgetter(*(path for _, path, _ in fields))
    keys = [*(key for key, _, _ in fields), more]
    nulls = [*(null for _, _, null in fields), False]
    known: dict[tuple[type, ...], Callable[..., str]] = {}

    def made(record: Any, value: object) -> str:
        values = (*get(record), value)
        kinds = tuple(map(type, values))
        if (form := known.get(kinds)) is None:
            form = known[kinds] = _form(keys, [_text(each, null=null) for each, null in zip(kinds, nulls, strict=True)])
        return form(*values)

    return made


def _form(keys: Sequence[str], texts: Sequence[_Text]) -> Callable[..., str]:
    """Writes a whole line as one f-string, which costs less than a loop over its values; made of words of a shape."""
    assert all(map(str.isidentifier, keys))
    slots = ", ".join(f"v{place}" for place in range(len(keys)))
    pairs = ", ".join(f'"{key}": {{t{place}(v{place})}}' for place, key in enumerate(keys))
    names = {f"t{place}": text for place, text in enumerate(texts)}
    form: Callable[..., str] = eval(f"lambda {slots}: f'{{{{{pairs}}}}}'", names)
    return form


# --- values -----------------------------------------------------------------------------------------


def _text(kind: type, *, null: bool = False) -> _Text:
    """What writes values of a type; `null` where nothing is null."""
    if (text := _TEXTS.get(kind)) is None:
        text = _any
        if issubclass(kind, Enum):
            text = {each: _any(each) for each in kind}.__getitem__
        elif issubclass(kind, OsBuild):  # few, though a hostile file may bring many
            text = lru_cache(4096)(_any)
        _TEXTS[kind] = text
    return (lambda value: text(value) if value else "null") if null else text


def _any(value: object) -> str:
    return _written(plain(value))


def _each(values: tuple[Any, ...]) -> str:
    return f"[{', '.join([_text(type(each))(each) for each in values])}]" if values else "[]"


_TEXTS: dict[type, _Text] = {
    str: encode_basestring_ascii,
    type(None): {None: "null"}.__getitem__,
    bool: {True: "true", False: "false"}.__getitem__,
    datetime: lambda value: f'"{iso(value)}"',
    tuple: _each,
}
"""By type; others are added when the first one is met."""
