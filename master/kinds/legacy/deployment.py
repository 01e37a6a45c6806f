"""Deployment in extensions/v1beta1, its first version: the fields are the same, but more of them may be left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from master.registry.resource import Version
from master.schema.data import Data
from master.schema.facts import facts
from master.schema.tree import Struct

# No limit, as this version has it by default.
_NEVER: Final = (1 << 31) - 1
_ROLLING: Final = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}


def _tree() -> Struct:
    """The types of apps/v1, where the selector is required."""
    whole = facts().struct("apps.v1.Deployment")
    spec = whole.fields["spec"]
    assert isinstance(spec.node, Struct)
    selector = replace(spec.node.fields["selector"], required=False)
    node = replace(spec.node, fields={**spec.node.fields, "selector": selector})
    return replace(whole, fields={**whole.fields, "spec": replace(spec, node=node)})


def _to_stored(value: dict[str, Any]) -> dict[str, Any]:
    """Sets the defaults of this version, which differ from those of apps/v1."""
    spec = value.get("spec")
    if spec is None:
        return value
    labels = spec.get("template", {}).get("metadata", {}).get("labels", {})
    defaults = {
        "selector": {"matchLabels": labels},
        "revisionHistoryLimit": _NEVER,
        "progressDeadlineSeconds": _NEVER,
        "strategy": _ROLLING,
    }
    missing = {name: default for name, default in defaults.items() if not spec.get(name) and spec.get(name) != 0}
    return {**value, "spec": {**spec, **missing}}


DEPLOYMENT_V1BETA1: Final = Version(
    "v1beta1",
    Data("Deployment", _tree),
    to_stored=_to_stored,
    group="extensions",
    old=True,
)
