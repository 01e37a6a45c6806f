"""The kinds that the API serves. Each has a file with its models and its declaration, and an entry in `ALL`.

The docstrings of the models are for users of the API: meaning, units, defaults and allowed values of the fields.
"""

from typing import Any

from master.api.kinds.configmap import CONFIGMAP
from master.api.kinds.endpoints import ENDPOINTS
from master.api.kinds.endpointslice import ENDPOINTSLICE
from master.api.kinds.event import EVENT
from master.api.kinds.namespace import NAMESPACE
from master.api.kinds.node import NODE
from master.api.kinds.pod import POD
from master.api.kinds.replicationcontroller import REPLICATIONCONTROLLER
from master.api.kinds.secret import SECRET
from master.api.kinds.service import SERVICE
from master.objects.kind import KindSpec

ALL: tuple[KindSpec[Any], ...] = (
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
