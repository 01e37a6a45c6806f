"""The tables of `kubectl get`. Each kind has an entry in `_TABLES`; a kind without one shows name and age."""

from __future__ import annotations

from typing import Any

from master import kinds
from master.api.tables.nodes import NODES
from master.api.tables.others import (
    CONFIGMAPS,
    ENDPOINTS,
    ENDPOINTSLICES,
    EVENTS,
    NAMESPACES,
    PLAIN,
    REPLICATIONCONTROLLERS,
    SECRETS,
    SERVICES,
)
from master.kinds.core.pod.table import PODS
from master.registry.resource import Resource
from master.registry.table import Column, Table

_TABLES: dict[Resource[Any], Table] = {
    kinds.POD: PODS,
    kinds.NODE: NODES,
    kinds.SERVICE: SERVICES,
    kinds.REPLICATIONCONTROLLER: REPLICATIONCONTROLLERS,
    kinds.ENDPOINTS: ENDPOINTS,
    kinds.ENDPOINTSLICE: ENDPOINTSLICES,
    kinds.EVENT: EVENTS,
    kinds.NAMESPACE: NAMESPACES,
    kinds.CONFIGMAP: CONFIGMAPS,
    kinds.SECRET: SECRETS,
}


def table(kind: Resource[Any]) -> Table:
    """The table of a kind."""
    return _TABLES.get(kind, PLAIN)


__all__ = ["Column", "Table", "table"]
