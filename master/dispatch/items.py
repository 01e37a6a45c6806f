"""A node's desired state as independent items: a key, and the item's bytes as they appear in a Cut.

Owns the keys and the encoding of one item, set or removed. A Cut is a message of repeated fields, and protobuf encodes
a message as the concatenation of its fields. So each item is encoded once for all nodes, and a cut is a join of bytes
(cuts.py).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import Endpoints
from master.kinds.core.secret import Secret
from master.kinds.core.service.model import Service
from master.kinds.discovery.endpointslice import EndpointSlice
from master.objects.meta import Object
from proto import checks
from proto.gen import desired_pb2, session_pb2


class Section(IntEnum):
    """The kinds of items in their order within a cut: a pod comes after everything that it needs."""

    NODE = 0
    PEER = 1
    SERVICE = 2
    ENDPOINTS = 3
    """All endpoints of a service, for sessions without slices."""
    ENDPOINT_SLICE = 4
    CONFIG_MAP = 5
    SECRET = 6
    POD = 7


class Key(NamedTuple):
    """Names an item. Pods (by uid) and peers (by name) have no namespace."""

    section: Section
    namespace: str
    name: str


NODE_KEY = Key(Section.NODE, "", "")

_SECTIONS: Final[dict[type[Object], Section]] = {
    Service: Section.SERVICE,
    Endpoints: Section.ENDPOINTS,
    EndpointSlice: Section.ENDPOINT_SLICE,
    ConfigMap: Section.CONFIG_MAP,
    Secret: Section.SECRET,
}


def key_of(obj: Object) -> Key:
    """The key of an object that nodes know by its namespace and name."""
    return Key(_SECTIONS[type(obj)], obj.metadata.namespace, obj.metadata.name)


class Unsendable(ValueError):
    """Agents would refuse the item."""


Message = (
    desired_pb2.NodeConfig
    | desired_pb2.Peer
    | desired_pb2.Service
    | desired_pb2.ServiceEndpoints
    | desired_pb2.EndpointSlice
    | desired_pb2.ConfigMap
    | desired_pb2.Secret
    | desired_pb2.Pod
)


def encode(message: Message) -> bytes:
    """The item's bytes. They are equal exactly when the items are, so that comparing them detects a change.

    Raises Unsendable when agents would refuse the item.
    """
    if problem := checks.problem(message):
        raise Unsendable(problem)
    cut = session_pb2.Cut()
    match message:
        case desired_pb2.NodeConfig():
            cut.node.CopyFrom(message)
        case desired_pb2.Peer():
            cut.peers.append(message)
        case desired_pb2.Service():
            cut.services.append(message)
        case desired_pb2.ServiceEndpoints():
            cut.endpoints.append(message)
        case desired_pb2.EndpointSlice():
            cut.endpoint_slices.append(message)
        case desired_pb2.ConfigMap():
            cut.config_maps.append(message)
        case desired_pb2.Secret():
            cut.secrets.append(message)
        case desired_pb2.Pod():
            cut.pods.append(message)
    # Maps have no order: without `deterministic`, one secret could have two encodings.
    return cut.SerializeToString(deterministic=True)


def encode_removed(key: Key) -> bytes:
    """The bytes that remove an item. A node's own configuration is never removed, only replaced."""
    ref = desired_pb2.ObjectRef(namespace=key.namespace, name=key.name)
    cut = session_pb2.Cut()
    match key.section:
        case Section.PEER:
            cut.removed_peers.append(key.name)
        case Section.SERVICE:
            cut.removed_services.append(ref)
        case Section.ENDPOINTS:
            cut.removed_endpoints.append(ref)
        case Section.ENDPOINT_SLICE:
            cut.removed_endpoint_slices.append(ref)
        case Section.CONFIG_MAP:
            cut.removed_config_maps.append(ref)
        case Section.SECRET:
            cut.removed_secrets.append(ref)
        case Section.POD:
            cut.removed_pods.append(key.name)
        case Section.NODE:
            pass
    return cut.SerializeToString()
