"""Converts autoscalers between autoscaling/v1 and v2.

v1 knows one metric only: the use of cpu. As in Kubernetes, what it does not know is kept in annotations, so that a
client of v1 that changes an object does not lose the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from master.kinds.autoscaling.metrics import metric_from_v1, metric_to_v1, status_from_v1, status_to_v1

_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
_METRICS: Final = f"{_PREFIX}metrics"
_BEHAVIOR: Final = f"{_PREFIX}behavior"
_STATUSES: Final = f"{_PREFIX}current-metrics"
_CONDITIONS: Final = f"{_PREFIX}conditions"
_ALL: Final = (_METRICS, _BEHAVIOR, _STATUSES, _CONDITIONS)

Json = dict[str, Any]


def to_v1(obj: Json) -> Json:
    """The object in v1."""
    spec, status = dict(obj.get("spec", {})), dict(obj.get("status") or {})
    metrics, statuses = spec.pop("metrics", []), status.pop("currentMetrics", None) or []
    kept: Json = {}
    if others := [metric_to_v1(metric) for metric in metrics if _utilization(metric) is None]:
        kept[_METRICS] = others
    if behavior := spec.pop("behavior", None):
        kept[_BEHAVIOR] = _renamed(behavior, _capital)
    if statuses:
        kept[_STATUSES] = [status_to_v1(item) for item in statuses]
    if conditions := status.pop("conditions", None):
        kept[_CONDITIONS] = conditions
    targets = [target for metric in metrics if (target := _utilization(metric)) is not None]
    if targets:
        spec["targetCPUUtilizationPercentage"] = targets[0]
    used = [item["resource"].get("current", {}) for item in statuses if _is_cpu(item)]
    if used and "averageUtilization" in used[-1]:
        status["currentCPUUtilizationPercentage"] = used[-1]["averageUtilization"]
    status.setdefault("currentReplicas", 0)
    return _with(obj, "autoscaling/v1", spec, status, kept)


def from_v1(obj: Json) -> Json:
    """The object in v2."""
    annotations = obj.get("metadata", {}).get("annotations", {})
    spec, status = dict(obj.get("spec", {})), dict(obj.get("status") or {})
    target, used = spec.pop("targetCPUUtilizationPercentage", None), status.pop("currentCPUUtilizationPercentage", None)
    metrics = [metric_from_v1(metric) for metric in _kept(annotations, _METRICS, list)]
    if target is not None:
        metrics.append(_cpu("target", {"type": "Utilization", "averageUtilization": target}))
    if metrics:
        spec["metrics"] = metrics
    if behavior := _renamed(_kept(annotations, _BEHAVIOR, dict), _small):
        spec["behavior"] = behavior
    if statuses := [status_from_v1(item) for item in _kept(annotations, _STATUSES, list)]:
        status["currentMetrics"] = statuses
    elif used is not None:
        status["currentMetrics"] = [_cpu("current", {"averageUtilization": used})]
    if conditions := _kept(annotations, _CONDITIONS, list):
        status["conditions"] = conditions
    return _with(obj, "autoscaling/v2", spec, status, {})


def _cpu(name: str, value: Json) -> Json:
    return {"type": "Resource", "resource": {"name": "cpu", name: value}}


def _is_cpu(metric: Json) -> bool:
    return metric.get("type") == "Resource" and metric.get("resource", {}).get("name") == "cpu"


def _utilization(metric: Json) -> int | None:
    """The percentage of the one metric that v1 has a field for."""
    value: int | None = metric["resource"].get("target", {}).get("averageUtilization") if _is_cpu(metric) else None
    return value


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    """A behaviour with other spellings of its fields: in the annotation they begin with capitals, as Go's do."""
    if isinstance(value, dict):
        return {rename(key): _renamed(inner, rename) for key, inner in value.items() if inner is not None}
    return [_renamed(inner, rename) for inner in value] if isinstance(value, list) else value


def _kept(annotations: Json, name: str, type_: type) -> Any:
    """What an annotation keeps. Annotations that clients have damaged are ignored."""
    try:
        value = msgspec.json.decode(annotations.get(name, "null"))
    except ValueError:
        return type_()
    if isinstance(value, list):
        value = [item for item in value if isinstance(item, dict)]
    return value if isinstance(value, type_) else type_()


def _with(obj: Json, version: str, spec: Json, status: Json, kept: Json) -> Json:
    metadata = obj.get("metadata", {})
    annotations = {name: text for name, text in metadata.get("annotations", {}).items() if name not in _ALL}
    annotations |= {name: msgspec.json.encode(value).decode() for name, value in kept.items()}
    metadata = {name: value for name, value in metadata.items() if name != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    return {**obj, "apiVersion": version, "metadata": metadata, "spec": spec, "status": status}
