"""One container of a pod: image, command, environment, ports, resources, probes, security."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from master.api.kinds.volume import ObjectFieldSelector, ResourceFieldSelector, VolumeDevice, VolumeMount
from master.objects.meta import Model, always
from master.objects.scalars import (
    Id,
    Int32,
    Natural,
    Port,
    PortOrName,
    Quantity,
    Required,
    Time,
    choice,
    number_within,
)


class ContainerPort(Model, frozen=True, kw_only=True):
    """A port that the container listens on; hostPort publishes it on the node's address."""

    name: str = ""
    host_port: Int32 = 0
    container_port: Int32 = always(0)
    protocol: str = ""
    host_ip: str = ""


class ConfigMapKeySelector(Model, frozen=True, kw_only=True):
    """One key of a config map."""

    name: str = ""
    key: str = always("")
    optional: bool | None = None


class SecretKeySelector(Model, frozen=True, kw_only=True):
    """One key of a secret."""

    name: str = ""
    key: str = always("")
    optional: bool | None = None


class EnvVarSource(Model, frozen=True, kw_only=True):
    """Where an environment variable takes its value from; exactly one is set."""

    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class EnvVar(Model, frozen=True, kw_only=True):
    """One environment variable; `$(NAME)` in its value refers to those before it."""

    name: str = always("")
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvSourceRef(Model, frozen=True, kw_only=True):
    """A config map or a secret, all of whose keys become variables."""

    name: str = ""
    optional: bool | None = None


class EnvFromSource(Model, frozen=True, kw_only=True):
    """A whole config map or secret as variables, with a prefix."""

    prefix: str = ""
    config_map_ref: EnvSourceRef | None = None
    secret_ref: EnvSourceRef | None = None


class ResourceClaim(Model, frozen=True, kw_only=True):
    """A claim of the pod that this container uses."""

    name: Required = always("")
    request: str = ""


class ResourceRequirements(Model, frozen=True, kw_only=True):
    """What a container may use at most (limits) and what the scheduler sets aside for it (requests)."""

    limits: dict[str, Quantity] = field(default_factory=dict)
    requests: dict[str, Quantity] = field(default_factory=dict)
    claims: tuple[ResourceClaim, ...] = ()


class ExecAction(Model, frozen=True, kw_only=True):
    """A command run in the container; exit status 0 is success."""

    command: tuple[str, ...] = ()


class HTTPHeader(Model, frozen=True, kw_only=True):
    """A header of a probe's request."""

    name: Required = always("")
    value: str = always("")


class HTTPGetAction(Model, frozen=True, kw_only=True):
    """An HTTP GET; a code from 200 to 399 is success."""

    path: str = ""
    port: PortOrName = always(0)
    host: str = ""
    scheme: Annotated[str, choice("HTTP", "HTTPS")] = ""
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Model, frozen=True, kw_only=True):
    """A TCP connection that is accepted."""

    port: PortOrName = always(0)
    host: str = ""


class GRPCAction(Model, frozen=True, kw_only=True):
    """A call of the gRPC health service."""

    port: Port = always(0)
    service: str | None = None


class SleepAction(Model, frozen=True, kw_only=True):
    """Waits."""

    seconds: Annotated[int, number_within(1)] = always(0)


class Probe(Model, frozen=True, kw_only=True):
    """A periodic question to a container, in seconds."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    initial_delay_seconds: Natural = 0
    timeout_seconds: Natural = 0
    period_seconds: Natural = 0
    success_threshold: Natural = 0
    failure_threshold: Natural = 0
    termination_grace_period_seconds: Annotated[int, number_within(1)] | None = None


class LifecycleHandler(Model, frozen=True, kw_only=True):
    """What is done at one point of a container's life."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Model, frozen=True, kw_only=True):
    """Hooks after the start and before the stop."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None


class Capabilities(Model, frozen=True, kw_only=True):
    """Linux capabilities added and dropped."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SecurityContext(Model, frozen=True, kw_only=True):
    """As whom and with which privileges a container runs."""

    capabilities: Capabilities | None = None
    privileged: bool | None = None
    se_linux_options: dict[str, Any] | None = None
    windows_options: dict[str, Any] | None = None
    run_as_user: Id | None = None
    run_as_group: Id | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    proc_mount: Annotated[str, choice("Default", "Unmasked")] | None = None
    seccomp_profile: dict[str, Any] | None = None
    app_armor_profile: dict[str, Any] | None = None


class ContainerResizePolicy(Model, frozen=True, kw_only=True):
    """Whether a change of one resource restarts the container."""

    resource_name: Annotated[str, choice("cpu", "memory")] = always("")
    restart_policy: Annotated[str, choice("NotRequired", "RestartContainer")] = always("")


class Container(Model, frozen=True, kw_only=True):
    """One container of a pod."""

    name: str = always("")
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    env: tuple[EnvVar, ...] = ()
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    # Only of init containers: "Always" makes it a side car.
    restart_policy: Annotated[str, choice("Always")] | None = None
    volume_mounts: tuple[VolumeMount, ...] = ()
    volume_devices: tuple[VolumeDevice, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_message_path: str = ""
    termination_message_policy: str = ""
    image_pull_policy: str = ""
    security_context: SecurityContext | None = None
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False


class ContainerStateWaiting(Model, frozen=True, kw_only=True):
    """Not running yet, and why."""

    reason: str = ""
    message: str = ""


class ContainerStateRunning(Model, frozen=True, kw_only=True):
    """Running since then."""

    started_at: Time = ""


class ContainerStateTerminated(Model, frozen=True, kw_only=True):
    """Ended, how and when."""

    exit_code: Int32 = always(0)
    signal: Int32 = 0
    reason: str = ""
    message: str = ""
    started_at: Time = ""
    finished_at: Time = ""
    container_id: str = ""


class ContainerState(Model, frozen=True, kw_only=True):
    """One of waiting, running and terminated."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(Model, frozen=True, kw_only=True):
    """What a container is, as its node saw it."""

    name: str = always("")
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)
    ready: bool = always(False)
    restart_count: Natural = always(0)
    image: str = always("")
    image_id: str = always("")
    container_id: str = ""
    started: bool | None = None
    allocated_resources: dict[str, Quantity] = field(default_factory=dict)
    resources: ResourceRequirements | None = None
    volume_mounts: tuple[VolumeMount, ...] = ()
