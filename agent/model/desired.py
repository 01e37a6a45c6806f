"""The state of one revision: all pods of the node, and the objects of the cluster that they refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.model.identity import ObjectRef, PodUid
from agent.model.pods import Pod


@dataclass(frozen=True, slots=True)
class ClusterDns:
    """The domain of the cluster's names, and the address that answers them. Empty: the cluster has none."""

    domain: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class ServiceEnvPort:
    """A port of a service, for service variables."""

    name: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class ServiceEnv:
    """The part of a service that service variables are made from."""

    ref: ObjectRef
    cluster_ip: str
    ports: tuple[ServiceEnvPort, ...]


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A config map; text and binary keys together, as bytes."""

    ref: ObjectRef
    data: Mapping[str, bytes]
    binary_keys: frozenset[str] = frozenset()
    """Keys of binaryData, which are files in volumes and never environment variables."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret; repr() leaves its data out."""

    ref: ObjectRef
    data: Mapping[str, bytes] = field(repr=False)
    type: str = ""
    """Empty: not known."""
    uid: str = ""
    """Empty: not known."""


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that pods need, all of one revision."""

    pods: Mapping[PodUid, Pod]
    services: tuple[ServiceEnv, ...] = ()
    config_maps: Mapping[ObjectRef, ConfigMap] = field(default_factory=dict)
    secrets: Mapping[ObjectRef, Secret] = field(default_factory=dict)
    dns: ClusterDns = ClusterDns()
    secrets_known: bool = True
    """False for a state read from disk without secrets: a pod that needs a secret waits for the master."""
    host_ip: str = ""
    """The node's address, for `status.hostIP`."""
    refused: frozenset[PodUid] = frozenset()
    """Pods of the master that are not in `pods`, because they break a rule: what runs of them goes on."""
