"""Containers of pods, with all that is set for one container: environment, mounts, resources, security."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from agent.handlers import NO_CHECKS, Checks
from agent.model.resourcefields import ResourceField


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


@dataclass(frozen=True, slots=True)
class KeyRef:
    """One key of a config map or secret in the pod's namespace; an optional key may be missing."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class FileKey:
    """A variable in a file of a volume; with optional, file and variable may be missing."""

    volume: str
    path: str
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
    resource: ResourceField | None = None
    file_key: FileKey | None = None


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
    propagation: str = ""
    """Which later mounts below it are shared: "HostToContainer", "Bidirectional", or empty. A newer master may send
    something else."""
    recursive_read_only: str = ""
    """Whether mounts below it are read-only too: "Enabled", "IfPossible" (where the kernel can), or empty. A newer
    master may send something else."""


@dataclass(frozen=True, slots=True)
class VolumeDevice:
    """The path at which a container sees a volume of its pod that is a block device."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Resources:
    """cgroups enforce the limits, but that of ephemeral storage; the CPU request sets the CPU shares. 0: not set."""

    cpu_request_millis: int = 0
    cpu_limit_millis: int = 0
    memory_request_bytes: int = 0
    memory_limit_bytes: int = 0
    ephemeral_storage_request_bytes: int = 0
    """What the container writes to the node's disk outside of volumes, and its log."""
    ephemeral_storage_limit_bytes: int = 0
    """A pod that exceeds it is evicted."""


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
    selinux_label: bool = False
    """The processes should have an SELinux label, where there is SELinux."""


@dataclass(frozen=True, slots=True)
class RestartRule:
    """What happens when the container ends with certain exit codes: those listed, or (NotIn) all others.

    A master of a newer release may send another action or operator.
    """

    RESTART: ClassVar[str] = "Restart"
    RESTART_ALL: ClassVar[str] = "RestartAllContainers"

    action: str
    operator: str
    exit_codes: frozenset[int]

    @property
    def known(self) -> bool:
        """Whether this release can carry it out."""
        return self.action in (self.RESTART, self.RESTART_ALL) and self.operator in ("In", "NotIn")

    def matches(self, exit_code: int) -> bool:
        return (exit_code in self.exit_codes) == (self.operator == "In")


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
    volume_devices: tuple[VolumeDevice, ...] = ()
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    security: SecurityContext = SecurityContext()
    stdin: bool = False
    stdin_once: bool = False
    """Standard input ends with the first client that is attached."""
    tty: bool = False
    termination_message_path: str = "/dev/termination-log"
    termination_message_from_log: bool = False
    """If it fails and its file is empty, its termination message is the end of its log."""
    restart_policy: RestartPolicy | None = None
    """None: that of the pod. ALWAYS makes an init container a sidecar."""
    restart_rules: tuple[RestartRule, ...] = ()
    """The first that matches counts more than the restart policy."""
    checks: Checks = NO_CHECKS
    target: str = ""
    """The container whose processes an ephemeral container sees; empty: only its own."""
