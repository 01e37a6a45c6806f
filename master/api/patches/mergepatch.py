"""JSON merge patch (RFC 7386): null removes a key, objects are merged, all other values replace the old ones."""

from __future__ import annotations

from typing import Any

from master.schema.schema import Schema


def apply(current: Any, patch: Any, schema: Schema[Any]) -> Any:
    """The current value with the patch applied. Changes neither of them. The schema does not matter."""
    return merge(current, patch)


def merge(target: Any, patch: Any) -> Any:
    """The target with the patch applied. Changes neither of them."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result
