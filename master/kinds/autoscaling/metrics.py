"""Converts metrics of autoscalers to the forms that autoscaling/v1 keeps in annotations, and back."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]
# The field of each type of metric.
_FIELDS: Final[tuple[str, ...]] = ("object", "pods", "resource", "containerResource", "external")
_SHARES: Final = ("resource", "containerResource")


def metric_to_v1(metric: Json) -> Json:
    """A metric of a spec in the form of v1."""
    return {"type": metric.get("type", ""), **{name: _to(name, metric[name]) for name in _FIELDS if name in metric}}


def metric_from_v1(metric: Json) -> Json:
    """A metric of a spec from the form of v1."""
    return {"type": metric.get("type", ""), **{name: _from(name, metric[name]) for name in _FIELDS if name in metric}}


def status_to_v1(metric: Json) -> Json:
    """A metric of a status in the form of v1."""
    fields = {name: _status_to(name, metric[name]) for name in _FIELDS if name in metric}
    return {"type": metric.get("type", ""), **fields}


def status_from_v1(metric: Json) -> Json:
    """A metric of a status from the form of v1."""
    fields = {name: _status_from(name, metric[name]) for name in _FIELDS if name in metric}
    return {"type": metric.get("type", ""), **fields}


def _set(**fields: Any) -> Json:
    """The fields that are set."""
    return {name: value for name, value in fields.items() if value is not None}


def _to(kind: str, source: Json) -> Json:
    target, metric = source.get("target", {}), source.get("metric", {})
    if kind in _SHARES:
        names = _set(name=source.get("name"), container=source.get("container"))
        share, value = target.get("averageUtilization"), target.get("averageValue")
        return names | _set(targetAverageUtilization=share, targetAverageValue=value)
    name, selector = metric.get("name", ""), metric.get("selector")
    value, average = target.get("value"), target.get("averageValue")
    if kind == "external":
        return _set(metricName=name, metricSelector=selector, targetValue=value, targetAverageValue=average)
    if kind == "pods":
        return _set(metricName=name, selector=selector, targetAverageValue=average or "0")
    described = source.get("describedObject", {})
    return _set(target=described, metricName=name, selector=selector, targetValue=value or "0", averageValue=average)


def _from(kind: str, source: Json) -> Json:
    if kind in _SHARES:
        share, value = source.get("targetAverageUtilization"), source.get("targetAverageValue")
        target = _set(averageUtilization=share, averageValue=value)
        target["type"] = "AverageValue" if share is None else "Utilization"
        return _set(name=source.get("name"), container=source.get("container"), target=target)
    metric = _set(name=source.get("metricName", ""), selector=source.get("metricSelector", source.get("selector")))
    if kind == "external":
        value, average = source.get("targetValue"), source.get("targetAverageValue")
        type_ = "AverageValue" if value is None else "Value"
        return {"metric": metric, "target": {"type": type_, **_set(value=value, averageValue=average)}}
    if kind == "pods":
        return {
            "metric": metric,
            "target": {"type": "AverageValue", "averageValue": source.get("targetAverageValue", "0")},
        }
    value, average = source.get("targetValue", "0"), source.get("averageValue")
    # v1 always writes a value, even if only the average counts.
    kept = None if average is not None and value == "0" else value
    target = {"type": "Value" if average is None else "AverageValue", **_set(value=kept, averageValue=average)}
    return {"describedObject": source.get("target", {}), "metric": metric, "target": target}


def _status_to(kind: str, source: Json) -> Json:
    current, metric = source.get("current", {}), source.get("metric", {})
    average, value = current.get("averageValue"), current.get("value")
    if kind in _SHARES:
        names = _set(name=source.get("name"), container=source.get("container"))
        share = current.get("averageUtilization")
        return names | _set(currentAverageUtilization=share, currentAverageValue=average or "0")
    name, selector = metric.get("name", ""), metric.get("selector")
    if kind == "external":
        names = _set(metricName=name, metricSelector=selector)
        return names | _set(currentValue=value or "0", currentAverageValue=average)
    if kind == "pods":
        return _set(metricName=name, selector=selector, currentAverageValue=average or "0")
    described = source.get("describedObject", {})
    return _set(target=described, metricName=name, selector=selector, currentValue=value or "0", averageValue=average)


def _status_from(kind: str, source: Json) -> Json:
    if kind in _SHARES:
        share, value = source.get("currentAverageUtilization"), source.get("currentAverageValue", "0")
        current = _set(averageUtilization=share, averageValue=value)
        return _set(name=source.get("name"), container=source.get("container"), current=current)
    metric = _set(name=source.get("metricName", ""), selector=source.get("metricSelector", source.get("selector")))
    if kind == "pods":
        return {"metric": metric, "current": {"averageValue": source.get("currentAverageValue", "0")}}
    average = source.get("currentAverageValue" if kind == "external" else "averageValue")
    current = {"value": source.get("currentValue", "0"), **_set(averageValue=average)}
    described = {} if kind == "external" else {"describedObject": source.get("target", {})}
    return {**described, "metric": metric, "current": current}
