"""Filters on a command line: words that begin with a dash, and values whose quotes the shell has taken."""

from __future__ import annotations

from collections.abc import Iterable

import click

from console.cli.session import Command

_NEGATED = "\x1f"
"""Stands before a word such as ``-ready`` while click parses, which would take it for options."""


class FilterCommand(Command):
    """A command that takes a filter: ``-ready`` is a word of it, not a row of options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {name for param in self.get_params(ctx) for name in param.opts}
        return super().parse_args(ctx, [_NEGATED + each if _is_negated(each, known) else each for each in args])


def _is_negated(word: str, known: set[str]) -> bool:
    return len(word) > 2 and word[0] == "-" and word[1] != "-" and word not in known


def filter_text(words: Iterable[str]) -> str:
    """The filter that the words of a command line make up."""
    return " ".join(_quoted(word.removeprefix(_NEGATED)) for word in words).strip()


def _quoted(word: str) -> str:
    """``site:New York`` gets back the quotes that the shell took; a whole filter in one word stays as it is."""
    if " " not in word or '"' in word:
        return word
    from engine.model.filters import FieldKind, field_named

    for operator in ("!=", "<=", ">=", ":", "=", "<", ">"):
        name, found, value = word.partition(operator)
        field = field_named(name.lstrip("-"))
        if found and field is not None and field.kind is FieldKind.TEXT and not any(sign in value for sign in ":=<>"):
            return f'{name}{operator}"{value}"'
    return word
