"""How deeply a JSON value from a client may be nested. Recursive functions must not exceed the stack."""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 100
"""Real objects are not nested nearly as deeply."""


def too_deep(value: Any) -> bool:
    """Whether a value has more levels than allowed. Does not recurse."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
