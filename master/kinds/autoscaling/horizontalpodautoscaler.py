"""HorizontalPodAutoscaler: metrics, limits and behaviour. Stored as autoscaling/v2, and served as v1 as well."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from master.kinds.autoscaling import conversion
from master.registry.passive import Supplement
from master.registry.table import Cell
from master.registry.untyped import UntypedStrategy, with_spec
from master.schema.checks import Findings
from master.schema.data import Untyped

_CPU: Final = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}
_PERCENT: Final = {"type": "Percent", "value": 100, "periodSeconds": 15}
_PODS: Final = {"type": "Pods", "value": 4, "periodSeconds": 15}
_UP: Final = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [_PODS, _PERCENT]}
_DOWN: Final = {"selectPolicy": "Max", "policies": [_PERCENT]}
# The type of a metric, and the field with its settings. The order is that of Kubernetes' checks.
_SOURCES: Final = {
    "Object": "object",
    "External": "external",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
_SHOWN_METRICS: Final = 2


class HorizontalPodAutoscalerStrategy(UntypedStrategy):
    """The rules of autoscalers."""

    def default(self, obj: Untyped) -> Untyped:
        spec = obj.spec if obj.spec.get("metrics") else {**obj.spec, "metrics": [_CPU]}
        behavior = spec.get("behavior")
        if behavior is not None:
            up, down = behavior.get("scaleUp", {}), behavior.get("scaleDown", {})
            spec = {**spec, "behavior": {**behavior, "scaleUp": {**_UP, **up}, "scaleDown": {**_DOWN, **down}}}
        return with_spec(obj, spec)

    def check(self, obj: Untyped, old: Untyped | None, findings: Findings, keyspace: Any) -> None:
        super().check(obj, old, findings, keyspace)
        reference = obj.spec.get("scaleTargetRef", {})
        before = None if old is None else old.spec.get("scaleTargetRef", {})
        names = ("apiVersion", "kind")
        if before is None or any(before.get(name) != reference.get(name) for name in names):
            # A controller of the core group is the only workload without a group.
            needs_group = reference.get("kind") != "ReplicationController"
            _check_version(reference, "spec.scaleTargetRef", findings, needs_group=needs_group)

    def check_content(self, obj: Untyped, findings: Findings) -> None:
        spec = obj.spec
        least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
        if most == 0:
            findings.required("spec.maxReplicas", "must be set and greater than 0")
        elif most < 0:
            findings.invalid("spec.maxReplicas", most, "must be greater than or equal to 1")
        if least is not None and most < least:
            findings.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
        metrics = spec.get("metrics", ())
        for index, metric in enumerate(metrics):
            _check_metric(metric, f"spec.metrics[{index}]", findings)
        if least == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
            why = "must specify at least one Object or External metric to support scaling to zero replicas"
            findings.forbidden("spec.metrics", why)


def _check_version(reference: dict[str, Any], at: str, findings: Findings, *, needs_group: bool) -> None:
    version = reference.get("apiVersion", "")
    if version.count("/") > 1:
        findings.invalid(f"{at}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    elif needs_group and not version.partition("/")[2]:
        findings.invalid(f"{at}.apiVersion", version, "apiVersion must specify API group")


def _check_metric(metric: dict[str, Any], at: str, findings: Findings) -> None:
    type_ = metric.get("type", "")
    if not type_:
        findings.required(f"{at}.type", "must specify a metric source type")
    expected = _SOURCES.get(type_)
    if expected is None:
        findings.unsupported(f"{at}.type", type_, sorted(_SOURCES))
    elif expected not in metric:
        findings.required(f"{at}.{expected}", "must populate information for the given metric source")
    present = [field for field in _SOURCES.values() if field in metric]
    for field in present:
        if len(present) > 1 and field != expected:
            findings.forbidden(f"{at}.{field}", "must populate the given metric source only")
    if present:
        _check_source(present[0], metric[present[0]], f"{at}.{present[0]}", findings)


def _check_source(kind: str, source: dict[str, Any], at: str, findings: Findings) -> None:
    target = source.get("target", {})
    if kind == "object":
        _check_version(source.get("describedObject", {}), f"{at}.describedObject", findings, needs_group=False)
    if kind == "pods":
        if "averageValue" not in target:
            findings.required(f"{at}.target.averageValue", "must specify a positive target averageValue")
        return
    other, needed = ("averageUtilization", "averageUtilization")
    if kind in ("object", "external"):
        other, needed = "value", "averageValue"
    if other not in target and "averageValue" not in target:
        findings.required(f"{at}.target.{needed}", f"must set either {other} or averageValue")
    if kind != "object" and other in target and "averageValue" in target:
        field = "value" if kind == "external" else "averageValue"
        findings.forbidden(f"{at}.target.{field}", f"may not set both {other} and averageValue")


def _targets(obj: Untyped, now: datetime) -> Cell:
    specs = obj.spec.get("metrics", ())
    statuses = (obj.status or {}).get("currentMetrics") or ()
    texts = [_target(spec, statuses[index] if index < len(statuses) else {}) for index, spec in enumerate(specs)]
    if not texts:
        return "<none>"
    shown = ", ".join(texts[:_SHOWN_METRICS])
    return shown if len(texts) <= _SHOWN_METRICS else f"{shown} + {len(texts) - _SHOWN_METRICS} more..."


def _target(spec: dict[str, Any], status: dict[str, Any]) -> str:
    kind = _SOURCES.get(spec.get("type", ""), "")
    if kind not in spec:
        return "<unknown type>"
    target, current = spec[kind].get("target", {}), status.get(kind, {}).get("current", {})
    if kind in ("resource", "containerResource"):
        return f"{spec[kind].get('name', '')}: {_share(target, current)}"
    if "averageValue" in target:
        average = "" if kind == "pods" else " (avg)"
        return f"{current.get('averageValue', '<unknown>')}/{target['averageValue']}{average}"
    return f"{current.get('value', '<unknown>')}/{target.get('value', '')}"


def _share(target: dict[str, Any], current: dict[str, Any]) -> str:
    """The usage of a resource and its target, in its unit or in percent."""
    if "averageValue" in target:
        return f"{current.get('averageValue', '<unknown>')}/{target['averageValue']}"
    percent, wanted = current.get("averageUtilization"), target.get("averageUtilization")
    return f"{'<unknown>' if percent is None else f'{percent}%'}/{'<auto>' if wanted is None else f'{wanted}%'}"


HORIZONTALPODAUTOSCALER: Final = Supplement(
    HorizontalPodAutoscalerStrategy,
    cells={"Targets": _targets},
    conversions={"v1": (conversion.to_v1, conversion.from_v1)},
)
