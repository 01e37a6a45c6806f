"""Reading the fields of an object: attributes of a typed model, or keys of a JSON object.

The checks of the tree (validation.py) work on both through this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from master.schema.tree import Field


@dataclass(frozen=True, slots=True)
class Access:
    """One representation of objects.

    `key`: the name of a field in it. `get(obj, key)`: the value, or None.
    """

    key: Callable[[Field], str]
    get: Callable[[Any, str], Any]


TYPED: Final = Access(
    key=lambda field: field.attribute,
    get=getattr,
)
JSON: Final = Access(
    key=lambda field: field.name,
    get=lambda obj, key: obj.get(key),
)
