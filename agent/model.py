"""The agent's own words for what the master wants: plain frozen values. What the node says of it is in statuses.py.

Owns the types that travel between session, pods, runtime and volumes. Does not know protobuf (agent/wire converts),
Docker or the kernel. Quantities carry their unit in the name; moments are seconds since the epoch (UTC), 0.0 meaning
"not known".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

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
    """When an image is asked for at its registry (Kubernetes' imagePullPolicy)."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class RestartPolicy(StrEnum):
    """What happens to a container that ended."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


class PodPhase(StrEnum):
    """A pod's phase, as Kubernetes documents it."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


# --- what containers get -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyRef:
    """One key of a config map or secret in the pod's namespace; a missing optional one is no error."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class EnvVar:
    """One variable; at most one source beside the literal is set."""

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
    """A port that a container says it listens on; host_port 0 means none."""

    container_port: int
    name: str = ""
    host_port: int = 0
    protocol: str = "TCP"
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """Where a container sees a volume of its pod."""

    name: str
    mount_path: str
    sub_path: str = ""
    read_only: bool = False
    sub_path_expr: str = ""
    """As sub_path, with $(NAME) for the container's variables."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits are enforced by cgroups; the CPU request weighs the shares. 0: not set."""

    cpu_request_millis: int = 0
    cpu_limit_millis: int = 0
    memory_request_bytes: int = 0
    memory_limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SecurityContext:
    """Who a container runs as, and what it may; None: the image decides."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    privileged: bool = False
    read_only_root_filesystem: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod, as the master wants it."""

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


# --- volumes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EmptyDir:
    """A directory that lives as long as the pod; medium "Memory" is a tmpfs."""

    medium: str = ""
    size_limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class HostPath:
    """A path of the node; type "" is made when it is not there, else as Kubernetes' HostPathType."""

    path: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class KeyToPath:
    """A key of a config map or secret, and the file that it becomes."""

    key: str
    path: str


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
    """A source that this version does not know; its pod waits, with that as the reason."""

    kind: str


VolumeSource = EmptyDir | HostPath | KeysVolume | UnsupportedVolume


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume of a pod."""

    name: str
    source: VolumeSource


# --- pods and what they refer to -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HostAlias:
    """A line of the pod's hosts file."""

    ip: str
    hostnames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod, as the master wants it. `deletion_at` above 0 means: wanted gone within `grace_period_s`."""

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

    @property
    def ref(self) -> ObjectRef:
        """Namespace and name, for messages."""
        return ObjectRef(self.namespace, self.name)

    @property
    def deleted(self) -> bool:
        """The master wants the pod gone."""
        return self.deletion_at > 0

    def container(self, name: str) -> Container | None:
        """The container of that name, init containers included."""
        return next((each for each in (*self.init_containers, *self.containers) if each.name == name), None)


@dataclass(frozen=True, slots=True)
class ServiceEnvPort:
    """A port of a service, as variables tell it."""

    name: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class ServiceEnv:
    """A service that has a cluster IP: what service variables are made from."""

    ref: ObjectRef
    cluster_ip: str
    ports: tuple[ServiceEnvPort, ...]


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A config map; text and binary keys are one set of bytes here."""

    ref: ObjectRef
    data: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret; never printed."""

    ref: ObjectRef
    data: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that pods need at one revision: a consistent cut."""

    pods: Mapping[PodUid, Pod]
    services: tuple[ServiceEnv, ...] = ()
    config_maps: Mapping[ObjectRef, ConfigMap] = field(default_factory=dict)
    secrets: Mapping[ObjectRef, Secret] = field(default_factory=dict)
    secrets_known: bool = True
    """False when read from disk, where secrets are not kept: a pod that needs one waits for the master."""
    host_ip: str = ""
    """The node's address, for `status.hostIP`."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which of a container's output is wanted; tail_lines None: all; since_at and limit_bytes 0: no bound."""

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
