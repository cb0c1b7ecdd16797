"""Runbooks: the short checklist for a class of causes, the program's own or an organisation's. Reads files only.

The failures screen and `hotpatch runbook` call it. Files of an organisation are not trusted: their text is checked
before anyone sees it, and a name can never lead out of the folder.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from data import packaged
from engine.model.causes import Cause
from engine.model.errors import BadInput, NotFound, nearest

BUILT_IN = "built in"
"""The origin of the program's own runbooks."""

_LARGEST = 256 * 1024
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NOT_RUNBOOKS = frozenset({"readme", "index", "changelog", "license", "licence"})
# Control characters, and the marks that break lines or turn text around; tab and line feed are harmless.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
_HEADING = re.compile(r"#[ \t]+(?P<title>\S.*?)[ \t#]*")


class Runbook(Struct, frozen=True):
    """One checklist, as Markdown."""

    cause: str
    """Its name: a cause class such as ``component-store``, or a name an organisation gave."""
    title: str
    """The first heading, without its mark."""
    text: str
    """The whole Markdown, heading included; free of control characters."""
    origin: str
    """`BUILT_IN`, or the path of the file it was read from."""


def runbook(cause: Cause | str, overrides: Path | None = None) -> Runbook:
    """The runbook of a cause; an organisation's file goes before the built-in one.

    Names are forgiving: ``Component_Store`` is ``component-store``.

    Raises:
        NotFound: there is none of that name; lists near ones.
        BadInput: the organisation's file cannot be used; names the file and, where it can, the line.
    """
    name = _name_of(cause)
    if (path := _own_files(overrides).get(name)) is not None:
        return _parse(name, _read(path), str(path))
    if name in set(Cause):
        return _parse(name, packaged(f"runbooks/{name}.md"), BUILT_IN)
    known = names(overrides)
    raise NotFound(
        f"There is no runbook {str(cause)[:60]!r}.",
        nearest(name[:60], known),
        f"There are: {', '.join(known)}.",
    )


def names(overrides: Path | None = None) -> tuple[str, ...]:
    """Every runbook that can be asked for: the cause classes, then what an organisation added, by name.

    Raises:
        BadInput: the folder of the organisation cannot be read.
    """
    added = sorted(_own_files(overrides).keys() - set(Cause))
    return (*(cause.value for cause in Cause), *added)


def problems(overrides: Path | None) -> tuple[BadInput, ...]:
    """What is wrong with an organisation's runbooks, file by file; for `hotpatch doctor`."""
    try:
        own = _own_files(overrides)
    except BadInput as error:
        return (error,)
    return tuple(_problems(own))


def _problems(own: dict[str, Path]) -> Iterator[BadInput]:
    for name, path in sorted(own.items()):
        try:
            _parse(name, _read(path), str(path))
        except BadInput as error:
            yield error


def _own_files(folder: Path | None) -> dict[str, Path]:
    """Name → Markdown file of the organisation's folder; a folder that is not there has none."""
    if folder is None:
        return {}
    try:
        entries = sorted(entry for entry in folder.iterdir() if entry.suffix.lower() == ".md")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(folder, _why(error), "Make it a folder that you may read.") from None
    found: dict[str, Path] = {}
    for entry in entries:
        name = _name_of(entry.stem)
        if not _NAME.fullmatch(name) or name in _NOT_RUNBOOKS:
            continue
        if name in found:
            raise _unusable(entry, f"{found[name].name} has the same name.", "Keep one of the two.")
        found[name] = entry
    return found


def _read(path: Path) -> str:
    """The text of a file that may be anything: a pipe is not waited for, a huge file is not loaded."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _unusable(path, "It is not an ordinary file.", "Write the runbook as a Markdown file.")
            with open(handle, "rb", closefd=False) as file:
                content = file.read(_LARGEST + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise _unusable(path, _why(error), "Make it a file that you may read.") from None
    if len(content) > _LARGEST:
        raise _unusable(path, f"It is larger than {_LARGEST // 1024} KB.", "A runbook is a short checklist.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(path, "It is not UTF-8.", "Save it as UTF-8.", line) from None


def _parse(name: str, text: str, origin: str) -> Runbook:
    text = text.replace("\r\n", "\n").rstrip()
    for number, line in enumerate(text.split("\n"), start=1):
        if (found := _HARMFUL.search(line)) is not None:
            what = f"It contains the control character U+{ord(found[0]):04X}."
            raise _unusable(Path(origin), what, "Take the character out.", number)
    first = text.lstrip("\n")
    heading = _HEADING.fullmatch(first.split("\n", 1)[0])
    if heading is None:
        raise _unusable(Path(origin), "It has no title.", 'Begin it with a line such as "# Network".', 1)
    return Runbook(name, heading["title"], first + "\n", origin)


def _name_of(text: str) -> str:
    return re.sub(r"[\s_-]+", "-", text.strip().lower()).strip("-")


def _why(error: OSError) -> str:
    return f"{error.strerror or 'It cannot be read'}."


def _unusable(path: Path, why: str, instead: str, line: int | None = None) -> BadInput:
    return BadInput("This runbook cannot be used.", why, instead, file=str(path), line=line)
