"""What the master wants of this node: plain frozen values. What the node reports is in statuses.py.

Owns the types that travel between session, pods, runtime and volumes. Does not know protobuf (agent/wire converts),
Docker or the kernel. Quantities carry their unit in the name; times are seconds since the epoch (UTC), 0.0 means "not
known".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, NewType

from agent.handlers import NO_CHECKS, Checks

PodUid = NewType("PodUid", str)

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """Namespace and name of an object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class PullPolicy(StrEnum):
    """When an image is pulled from its registry (Kubernetes' imagePullPolicy)."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class RestartPolicy(StrEnum):
    """Whether a container that ended is started again."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


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


# --- containers ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyRef:
    """One key of a config map or secret in the pod's namespace; an optional key may be missing."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class EnvVar:
    """One environment variable; at most one of the sources other than `value` is set."""

    name: str
    value: str = ""
    field_path: str = ""
    config_map_key: KeyRef | None = None
    secret_key: KeyRef | None = None


@dataclass(frozen=True, slots=True)
class EnvFrom:
    """All keys of a config map or secret as variables."""

    name: str
    prefix: str = ""
    optional: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port that the container listens on; host_port 0: none on the host."""

    container_port: int
    name: str = ""
    host_port: int = 0
    protocol: str = "TCP"
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """Where a container mounts a volume of its pod."""

    name: str
    mount_path: str
    sub_path: str = ""
    read_only: bool = False
    sub_path_expr: str = ""
    """Like sub_path, with $(NAME) for variables of the container."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits are enforced by cgroups; the CPU request sets the CPU shares. 0: not set."""

    cpu_request_millis: int = 0
    cpu_limit_millis: int = 0
    memory_request_bytes: int = 0
    memory_limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """A seccomp or AppArmor profile. A master of a newer release may send a `type` that is none of the three."""

    RUNTIME_DEFAULT: ClassVar[str] = "RuntimeDefault"
    UNCONFINED: ClassVar[str] = "Unconfined"
    LOCALHOST: ClassVar[str] = "Localhost"

    type: str
    localhost: str = ""
    """With LOCALHOST: the path of a seccomp profile below the node's directory, or the name of an AppArmor profile."""


@dataclass(frozen=True, slots=True)
class SecurityContext:
    """The user and the privileges of a container. None: the image's own user or group, the engine's own profile."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    privileged: bool = False
    read_only_root_filesystem: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    run_as_non_root: bool = False
    no_new_privileges: bool = False
    seccomp: Profile | None = None
    apparmor: Profile | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env_from: tuple[EnvFrom, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = Resources()
    volume_mounts: tuple[VolumeMount, ...] = ()
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    security: SecurityContext = SecurityContext()
    stdin: bool = False
    tty: bool = False
    termination_message_path: str = "/dev/termination-log"
    termination_message_from_log: bool = False
    """If it fails and its file is empty, its termination message is the end of its log."""
    restart_policy: RestartPolicy | None = None
    """None: that of the pod. ALWAYS makes an init container a sidecar."""
    checks: Checks = NO_CHECKS


# --- volumes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EmptyDir:
    """A directory that lives as long as the pod; medium "Memory" is a tmpfs."""

    medium: str = ""
    size_limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class HostPath:
    """A path on the node. Type "": a missing path is created as a directory; others as Kubernetes' HostPathType."""

    path: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class KeyToPath:
    """A key of a config map or secret, and the path of its file. Mode None: the volume's default."""

    key: str
    path: str
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class KeysVolume:
    """Keys of a config map or (secret=True) of a secret as files; no items: all keys."""

    name: str
    secret: bool
    items: tuple[KeyToPath, ...] = ()
    default_mode: int = 0o644
    optional: bool = False


@dataclass(frozen=True, slots=True)
class UnsupportedVolume:
    """A source that this version does not support; its pod waits and reports that as the reason."""

    kind: str


VolumeSource = EmptyDir | HostPath | KeysVolume | UnsupportedVolume


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume of a pod."""

    name: str
    source: VolumeSource


# --- pods and the objects that they refer to -----------------------------------------------------------------------


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
class ClusterDns:
    """The domain of the cluster's names, and the address that answers them. Empty: the cluster has none."""

    domain: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel parameter of the pod's own namespaces, with dots between the parts of its name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. `deletion_at` above 0: the pod is to end within `grace_period_s`."""

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
    sysctls: tuple[Sysctl, ...] = ()
    unsupported: tuple[str, ...] = ()
    """Settings, as field paths, that cannot be carried out and must not be ignored: the pod is refused."""
    dns_policy: DnsPolicy = DnsPolicy.CLUSTER_FIRST
    dns_config: DnsConfig | None = None
    subdomain: str = ""
    set_hostname_as_fqdn: bool = False

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
        """The containers, init containers first."""
        return (*self.init_containers, *self.containers)

    def container(self, name: str) -> Container | None:
        """The container of that name, init containers included."""
        return next((container for container in self.all_containers if container.name == name), None)


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


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which part of a container's output to read; tail_lines None: all; since_at and limit_bytes 0: no limit."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_at: float = 0.0
    limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class LogRequest:
    """A container's log that a reader at the master asks for."""

    namespace: str
    pod: str
    uid: PodUid
    container: str
    options: LogOptions


@dataclass(frozen=True, slots=True)
class ProcessRequest:
    """A process that a client of the master wants to talk to, and which of its streams it wants.

    `command` empty: the container's main process.
    """

    namespace: str
    pod: str
    uid: PodUid
    container: str
    command: tuple[str, ...] = ()
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False
