"""Reading and changing the fields of an object: attributes of a typed model, or keys of a JSON object.

The walkers of the tree (defaulting.py, validation.py) work on both through this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from master.schema.tree import Field


@dataclass(frozen=True, slots=True)
class Access:
    """One representation of objects.

    `key`: the name of a field in it. `get(obj, key)`: the value, or None. `change(obj, values)`: a copy with other
    values. `items(values)`: a list in this representation.
    """

    key: Callable[[Field], str]
    get: Callable[[Any, str], Any]
    change: Callable[[Any, dict[str, Any]], Any]
    items: Callable[[list[Any]], Any]


TYPED: Final = Access(
    key=lambda field: field.attribute,
    get=getattr,
    change=lambda obj, values: replace(obj, **values),
    items=tuple,
)
JSON: Final = Access(
    key=lambda field: field.name,
    get=lambda obj, key: obj.get(key),
    change=lambda obj, values: {**obj, **values},
    items=list,
)
