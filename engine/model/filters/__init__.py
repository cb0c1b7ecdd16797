"""The filter language of screens and commands: text to tree and back, suggestions, views under a name.

``ring:broad state:failed build<26100.8390 -ready user:alice``. The store compiles trees to SQL; there is none here.
"""

from engine.model.filters.fields import FIELD_NAMES, FIELDS, SYNTAX, Field, FieldKind, field_named
from engine.model.filters.parse import FilterError, Known, parse
from engine.model.filters.suggest import Suggestion, suggest
from engine.model.filters.tree import (
    Absent,
    Age,
    BareWord,
    BuildNumber,
    Comparison,
    DaysAgo,
    ErrorCode,
    Filter,
    Kb,
    Op,
    Term,
    Value,
)
from engine.model.filters.views import VIEWS, View, view_named

__all__ = [
    "FIELDS",
    "FIELD_NAMES",
    "SYNTAX",
    "VIEWS",
    "Absent",
    "Age",
    "BareWord",
    "BuildNumber",
    "Comparison",
    "DaysAgo",
    "ErrorCode",
    "Field",
    "FieldKind",
    "Filter",
    "FilterError",
    "Kb",
    "Known",
    "Op",
    "Suggestion",
    "Term",
    "Value",
    "View",
    "field_named",
    "parse",
    "suggest",
    "view_named",
]
