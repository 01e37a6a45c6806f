"""Keys that a body gives twice: parsers keep the last one, and the author meant something else.

Owns finding them and saying where. What follows (a warning, a refusal) is bodies.py's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any


class _Doubled(dict[str, Any]):
    """An object of which some keys came more than once."""

    names: tuple[str, ...] = ()


def in_json(body: bytes) -> list[str]:
    """One sentence a key, as Kubernetes words it; nothing for a body that is no JSON."""
    found = False

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        if len(pairs) == len(dict(pairs)):
            return dict(pairs)
        found = True
        doubled = _Doubled(pairs)
        doubled.names = tuple(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return doubled

    try:
        value = json.loads(body, object_pairs_hook=collect)
    except (ValueError, RecursionError):
        # Said already, by whoever parsed it.
        return []
    return [f'duplicate field "{path}"' for path in _paths(value, "")] if found else []


def _paths(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name in value.names if isinstance(value, _Doubled) else ():
            yield f"{at}.{name}" if at else name
        for key, inner in value.items():
            yield from _paths(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, f"{at}[{index}]")
