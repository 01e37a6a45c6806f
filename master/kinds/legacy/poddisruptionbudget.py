"""PodDisruptionBudget in policy/v1beta1: an empty selector selects no pods there, and all pods in policy/v1."""

from __future__ import annotations

from typing import Any, Final

# Selects pods with a label that no pod has. Kubernetes writes the same.
_NONE: Final = {
    "matchExpressions": [{"key": "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match", "operator": "Exists"}]
}


def from_stored(value: dict[str, Any]) -> dict[str, Any]:
    """The budget as policy/v1beta1 has it."""
    return _with_selector(value, _NONE, {})


def to_stored(value: dict[str, Any]) -> dict[str, Any]:
    """The budget as policy/v1 has it."""
    return _with_selector(value, {}, _NONE)


def _with_selector(value: dict[str, Any], old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    spec = value.get("spec")
    if spec is None or spec.get("selector") != old:
        return value
    return {**value, "spec": {**spec, "selector": new}}
