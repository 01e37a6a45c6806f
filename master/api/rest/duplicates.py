"""Duplicate keys in a body. Parsers keep the last one silently, which its author probably did not intend.

Finds them and their paths. bodies.py decides whether they are warnings or errors.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any


class _Doubled(dict[str, Any]):
    """An object with duplicate keys, whose names are in `names`."""

    names: tuple[str, ...] = ()


def in_json(body: bytes) -> list[str]:
    """A sentence for each duplicate key, in Kubernetes' words. Empty for a body that is not JSON."""
    any_doubled = False

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal any_doubled
        if len(pairs) == len(dict(pairs)):
            return dict(pairs)
        any_doubled = True
        doubled = _Doubled(pairs)
        doubled.names = tuple(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return doubled

    try:
        value = json.loads(body, object_pairs_hook=collect)
    except (ValueError, RecursionError):
        # `bodies.parse` has reported the error.
        return []
    return [f'duplicate field "{path}"' for path in _paths(value, "")] if any_doubled else []


def _paths(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name in value.names if isinstance(value, _Doubled) else ():
            yield f"{at}.{name}" if at else name
        for key, inner in value.items():
            yield from _paths(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, f"{at}[{index}]")
