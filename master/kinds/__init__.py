"""The kinds that the API serves. Each has a file with its models and its declaration, and an entry in `ALL`.

The docstrings of the models are for users of the API: meaning, units, defaults and allowed values of the fields.
"""

from typing import Any

from master.kinds.core.configmap import CONFIGMAP
from master.kinds.core.endpoints import ENDPOINTS
from master.kinds.core.event import EVENT
from master.kinds.core.namespace import NAMESPACE
from master.kinds.core.node import NODE
from master.kinds.core.pod.model import POD
from master.kinds.core.replicationcontroller import REPLICATIONCONTROLLER
from master.kinds.core.secret import SECRET
from master.kinds.core.service.model import SERVICE
from master.kinds.discovery.endpointslice import ENDPOINTSLICE
from master.registry.resource import Resource

ALL: tuple[Resource[Any], ...] = (
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    ENDPOINTS,
    ENDPOINTSLICE,
    REPLICATIONCONTROLLER,
    CONFIGMAP,
    SECRET,
    EVENT,
)

__all__ = [
    "ALL",
    "CONFIGMAP",
    "ENDPOINTS",
    "ENDPOINTSLICE",
    "EVENT",
    "NAMESPACE",
    "NODE",
    "POD",
    "REPLICATIONCONTROLLER",
    "SECRET",
    "SERVICE",
]
