"""Which objects a selector selects, and which services or workloads select an object: indexes answer it.

Only a selector that requires no certain label, such as `tier notin (test)`, needs a look at the whole namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from master.cache import Cache, Entry, typed
from master.component.podstate import PodState, selects, state_of
from master.kinds import POD
from master.objects.index import ANY_LABELS, LABEL, LABEL_SELECTOR, SELECTOR, label_value
from master.objects.labelselector import AnySelector
from master.objects.meta import LabelSelector
from master.registry.resource import Resource


def pods_of(cache: Cache, namespace: str, selector: AnySelector | None) -> list[PodState]:
    """The pods of the namespace that the selector of a workload matches, by name; an empty selector matches none."""
    return [state_of(entry) for entry in selected(cache, POD, namespace, selector)]


def selected(cache: Cache, kind: Resource[Any], namespace: str, selector: AnySelector | None) -> Iterator[Entry]:
    """The objects of a kind with the index LABEL that the selector of a workload matches."""
    return (entry for entry in _candidates(cache, kind, namespace, selector) if selects(selector, entry.meta.labels))


def _candidates(cache: Cache, kind: Resource[Any], namespace: str, selector: AnySelector | None) -> Iterable[Entry]:
    """The objects with those labels of one condition of the selector that the fewest objects have."""
    if not selector:
        return ()

    def count(values: list[str]) -> int:
        return sum(cache.count_by(kind, LABEL, value, namespace) for value in values)

    conditions = [[label_value(key, value)] for key, value in _equal(selector).items()]
    if isinstance(selector, LabelSelector):
        conditions += [
            [label_value(condition.key, value) for value in {*condition.values}]
            for condition in selector.match_expressions
            if condition.operator == "In"
        ]
        if not conditions:
            return cache.entries(kind, namespace)
    rarest = min(conditions, key=count)
    return [entry for value in rarest for entry in cache.by(kind, LABEL, value, namespace)]


def _equal(selector: AnySelector) -> Mapping[str, str]:
    return selector.match_labels if isinstance(selector, LabelSelector) else selector


def selecting(cache: Cache, kind: Resource[Any], namespace: str, labels: Mapping[str, str]) -> list[str]:
    """The names of the objects of a kind, such as Service, whose `spec.selector` matches the labels."""
    if not cache.count(kind, namespace):
        return []
    index = LABEL_SELECTOR if LABEL_SELECTOR in kind.indexes else SELECTOR
    values = [label_value(key, value) for key, value in labels.items()]
    return [
        obj.metadata.name
        for value in (*values, ANY_LABELS)
        for obj in typed(cache.by(kind, index, value, namespace))
        if selects(obj.spec.selector, labels)
    ]
