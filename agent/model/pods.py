"""Pods, with all that is set for a whole pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from agent.model.containers import Container, RestartPolicy
from agent.model.identity import ObjectRef, PodUid
from agent.model.volumes import Volume

_NOTHING: Mapping[str, str] = MappingProxyType({})


class DnsPolicy(StrEnum):
    """Which resolvers a pod has."""

    CLUSTER_FIRST = "ClusterFirst"
    """Cluster DNS; for a pod in the host's network, those of the host."""
    CLUSTER_FIRST_WITH_HOST_NET = "ClusterFirstWithHostNet"
    DEFAULT = "Default"
    """Those of the host."""
    NONE = "None"
    """Only those that the pod itself names."""


class PodPhase(StrEnum):
    """A pod's phase, as Kubernetes documents it."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port of the node that leads to a port of a pod. `address`: the only one that has it; empty: all of the node.

    `pod` is `namespace/name`, for people.
    """

    pod: str
    protocol: str
    port: int
    pod_port: int
    address: str = ""

    def clashes_with(self, other: HostPort) -> bool:
        """Whether one node cannot have both."""
        same = (self.protocol, self.port) == (other.protocol, other.port)
        return same and (self.address == other.address or "" in (self.address, other.address))


@dataclass(frozen=True, slots=True)
class HostAlias:
    """A line in the pod's hosts file."""

    ip: str
    hostnames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DnsConfig:
    """Settings of resolv.conf that a pod adds. An option is a name and a value, which may be empty."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel parameter of the pod's own namespaces, with dots between the parts of its name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. `deletion_at` above 0: the pod is to end within `grace_period_s`."""

    MERGE: ClassVar[str] = "Merge"
    STRICT: ClassVar[str] = "Strict"

    uid: PodUid
    namespace: str
    name: str
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    restart_policy: RestartPolicy = RestartPolicy.ALWAYS
    host_network: bool = False
    hostname: str = ""
    enable_service_links: bool = True
    host_aliases: tuple[HostAlias, ...] = ()
    active_deadline_s: int = 0
    created_at: float = 0.0
    generation: int = 0
    """The number of the spec, which counts its changes; 0 from a master that does not send it."""
    deletion_at: float = 0.0
    grace_period_s: int = 30
    service_account: str = ""
    ended_phase: PodPhase | None = None
    """SUCCEEDED or FAILED once the master has recorded it: the pod is never run again."""
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool = False
    supplemental_groups: tuple[int, ...] = ()
    fs_group: int | None = None
    """A further group of all processes, which also owns the volumes."""
    fs_group_on_mismatch: bool = False
    """A volume whose own directory belongs to that group already is not changed."""
    groups_policy: str = ""
    """STRICT: the image adds no groups to these; MERGE or empty: it may. A newer master may send something else."""
    sysctls: tuple[Sysctl, ...] = ()
    unsupported: tuple[str, ...] = ()
    """Settings, as field paths, that cannot be carried out and must not be ignored: the pod is refused."""
    dns_policy: DnsPolicy = DnsPolicy.CLUSTER_FIRST
    dns_config: DnsConfig | None = None
    subdomain: str = ""
    set_hostname_as_fqdn: bool = False
    hostname_override: str = ""
    """The host name in the pod, whatever its name in DNS is; empty: that of the other fields."""
    pull_secrets: tuple[str, ...] = ()
    """Names of secrets with the credentials of registries, in the order in which they are tried."""
    ephemeral_containers: tuple[Container, ...] = ()
    """They were added to the running pod, for debugging."""
    priority: int = 0

    @property
    def ref(self) -> ObjectRef:
        """Namespace and name, for messages."""
        return ObjectRef(self.namespace, self.name)

    @property
    def deleted(self) -> bool:
        """The pod is to be removed."""
        return self.deletion_at > 0

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """The containers: init containers first, ephemeral containers last."""
        return (*self.planned_containers, *self.ephemeral_containers)

    @property
    def planned_containers(self) -> tuple[Container, ...]:
        """The containers that the pod was created with, init containers first."""
        return (*self.init_containers, *self.containers)

    def container(self, name: str) -> Container | None:
        """The container of that name, whatever its role."""
        return next((container for container in self.all_containers if container.name == name), None)
