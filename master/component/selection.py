"""Which pods a selector selects, and which services or controllers select a pod: answered by indexes, not by scans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from master.cache import Cache, Entry, typed
from master.component.podstate import PodState, selects, state_of
from master.kinds import POD
from master.objects.index import LABEL, SELECTOR, label_value
from master.registry.resource import Resource


def pods_of(cache: Cache, namespace: str, selector: Mapping[str, str]) -> list[PodState]:
    """The pods of the namespace that an equality selector matches, by name; an empty selector matches none."""
    states = map(state_of, _candidates(cache, namespace, selector))
    return [pod for pod in states if selects(selector, pod.metadata.labels)]


def _candidates(cache: Cache, namespace: str, selector: Mapping[str, str]) -> list[Entry]:
    """The pods with that label of the selector which the fewest pods have."""
    values = [label_value(key, value) for key, value in selector.items()]
    if not values:
        return []
    rarest = min(values, key=lambda value: cache.count_by(POD, LABEL, value, namespace))
    return cache.by(POD, LABEL, rarest, namespace)


def selecting(cache: Cache, kind: Resource[Any], namespace: str, labels: Mapping[str, str]) -> list[str]:
    """The names of the objects of a kind, such as Service, whose `spec.selector` matches the labels of a pod."""
    return [
        obj.metadata.name
        for key, value in labels.items()
        for obj in typed(cache.by(kind, SELECTOR, label_value(key, value), namespace))
        if selects(obj.spec.selector, labels)
    ]
