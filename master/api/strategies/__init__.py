"""The rules of each kind for its objects: defaults, checks, allocation. Each kind has an entry in `strategies`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from master import kinds
from master.api.strategies.replicationcontroller import ReplicationControllerStrategy
from master.api.strategies.simple import (
    ConfigMapStrategy,
    EndpointSliceStrategy,
    EndpointsStrategy,
    EventStrategy,
    NamespaceStrategy,
    NodeStrategy,
    SecretStrategy,
)
from master.kinds.core.pod.strategy import PodStrategy
from master.kinds.core.service.strategy import ServiceRanges, ServiceStrategy
from master.registry.resource import Resource
from master.registry.strategy import Strategy, Taken


def strategies(ranges: ServiceRanges, holder: Callable[[str], bytes | None]) -> dict[Resource[Any], Strategy[Any]]:
    """The strategy of each kind. `holder` returns the object that holds a uniqueness key."""
    return {
        kinds.NAMESPACE: NamespaceStrategy(),
        kinds.NODE: NodeStrategy(),
        kinds.POD: PodStrategy(),
        kinds.SERVICE: ServiceStrategy(ranges, holder),
        kinds.ENDPOINTS: EndpointsStrategy(),
        kinds.ENDPOINTSLICE: EndpointSliceStrategy(),
        kinds.REPLICATIONCONTROLLER: ReplicationControllerStrategy(),
        kinds.CONFIGMAP: ConfigMapStrategy(),
        kinds.SECRET: SecretStrategy(),
        kinds.EVENT: EventStrategy(),
    }


__all__ = ["ServiceRanges", "Strategy", "Taken", "strategies"]
