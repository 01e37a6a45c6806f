"""One container of a pod: image, command, environment, ports, resources, probes, security."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import field

from master.kinds.core.pod.keys import (
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    FileKeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretEnvSource,
    SecretKeySelector,
)
from master.kinds.core.pod.profiles import (
    AppArmorProfile,
    SeccompProfile,
    SELinuxOptions,
    WindowsSecurityContextOptions,
)
from master.kinds.core.pod.status import ContainerUser, ResourceStatus, VolumeMountStatus
from master.kinds.core.pod.volume import VolumeDevice, VolumeMount
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
    inert,
    number_within,
    refused,
)

SELINUX_EFFECT: Final = "the processes would have this SELinux label; a node that has SELinux refuses the pod"
WINDOWS_EFFECT: Final = "settings of Windows would apply"


class ContainerPort(Model, frozen=True, kw_only=True):
    """A port on which the container listens, 1 to 65535.

    `protocol` is TCP (default), UDP or SCTP. Services can refer to the port by its `name`. `hostPort` is a port of the
    node, at the address `hostIP`; only one pod of a node can have it.
    """

    name: str = ""
    host_port: Int32 = 0
    container_port: Int32 = always(0)
    protocol: str = ""
    host_ip: str = ""


class EnvVarSource(Model, frozen=True, kw_only=True):
    """The source of an environment variable's value. Exactly one field must be set."""

    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None
    file_key_ref: FileKeySelector | None = None


class EnvVar(Model, frozen=True, kw_only=True):
    """An environment variable. `$(NAME)` in `value` is replaced by the value of a variable defined before it."""

    name: str = always("")
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvFromSource(Model, frozen=True, kw_only=True):
    """Makes variables of all keys of a config map or a secret. `prefix` is put before each name."""

    prefix: str = ""
    config_map_ref: ConfigMapEnvSource | None = None
    secret_ref: SecretEnvSource | None = None


class ResourceClaim(Model, frozen=True, kw_only=True):
    """A resource claim of the pod that this container uses."""

    name: Required = always("")
    request: str = ""


class ResourceRequirements(Model, frozen=True, kw_only=True):
    """Upper limits for a container, and the amounts that the scheduler reserves for it (`requests`).

    `cpu` in cores (`500m` is half a core), `memory` and `ephemeral-storage` in bytes (`128Mi`). A missing request
    defaults to the limit. A pod that exceeds a limit of `ephemeral-storage` is evicted.
    """

    limits: Annotated[
        dict[str, Quantity],
        inert("the container could not use more of this resource", unless=("cpu", "memory", "ephemeral-storage")),
    ] = field(default_factory=dict)
    requests: dict[str, Quantity] = field(default_factory=dict)
    claims: Annotated[tuple[ResourceClaim, ...], inert("the container would get the devices of the claim")] = ()


class ExecAction(Model, frozen=True, kw_only=True):
    """A command that runs in the container, without a shell. Exit status 0 is success."""

    command: tuple[str, ...] = ()


class HTTPHeader(Model, frozen=True, kw_only=True):
    """A header of an HTTP request."""

    name: Required = always("")
    value: str = always("")


class HTTPGetAction(Model, frozen=True, kw_only=True):
    """An HTTP GET request. A status code from 200 to 399 is success.

    `port` is a number or the name of a container port, `path` defaults to `/`, `scheme` to HTTP, `host` to the pod's
    address.
    """

    path: str = ""
    port: PortOrName = always(0)
    host: str = ""
    scheme: Annotated[str, choice("HTTP", "HTTPS")] = ""
    http_headers: tuple[HTTPHeader, ...] = ()
    protocol: Annotated[str, choice("HTTP1", "HTTP2")] | None = None


class TCPSocketAction(Model, frozen=True, kw_only=True):
    """Opening a TCP connection. An accepted connection is success. `host` defaults to the pod's address."""

    port: PortOrName = always(0)
    host: str = ""


class GRPCAction(Model, frozen=True, kw_only=True):
    """A call of the standard gRPC health service. The answer SERVING is success."""

    port: Port = always(0)
    service: str | None = None
    mode: Annotated[str, choice("Plaintext", "TLS")] | None = None


class SleepAction(Model, frozen=True, kw_only=True):
    """Waits for `seconds`, not longer than the pod's grace period."""

    seconds: Annotated[int, number_within(0)] = always(0)


class Probe(Model, frozen=True, kw_only=True):
    """A periodic check of a container, with exactly one of exec, httpGet, tcpSocket and grpc.

    `initialDelaySeconds` (default 0), `periodSeconds` (default 10) and `timeoutSeconds` (default 1) are in seconds.
    `successThreshold` (default 1) and `failureThreshold` (default 3) are the numbers of consecutive results that change
    the state.
    """

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
    """The action of a lifecycle hook. Exactly one field must be set."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Model, frozen=True, kw_only=True):
    """Hooks of a container: after its start, and before it is stopped.

    `stopSignal` is the signal that stops the container; default: that of the image, else SIGTERM.
    """

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = None


class Capabilities(Model, frozen=True, kw_only=True):
    """Linux capabilities that are added to or dropped from the runtime's default set, such as NET_ADMIN."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SecurityContext(Model, frozen=True, kw_only=True):
    """The user and the privileges of a container. These fields take precedence over those of the pod.

    `runAsNonRoot: true` refuses to start the container as root. `allowPrivilegeEscalation: false` keeps a process from
    getting more privileges than its parent. Nodes refuse pods with settings that they cannot carry out.
    """

    capabilities: Capabilities | None = None
    privileged: bool | None = None
    se_linux_options: Annotated[SELinuxOptions, inert(SELINUX_EFFECT)] | None = None
    windows_options: Annotated[WindowsSecurityContextOptions, refused(WINDOWS_EFFECT)] | None = None
    run_as_user: Id | None = None
    run_as_group: Id | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    proc_mount: (
        Annotated[str, choice("Default", "Unmasked"), refused("no path in /proc would be hidden", values=("Unmasked",))]
        | None
    ) = None
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None


class ContainerResizePolicy(Model, frozen=True, kw_only=True):
    """Whether a change of a resource restarts the container: NotRequired or RestartContainer."""

    resource_name: Annotated[str, choice("cpu", "memory")] = always("")
    restart_policy: Annotated[str, choice("NotRequired", "RestartContainer")] = always("")


class ContainerRestartRuleOnExitCodes(Model, frozen=True, kw_only=True):
    """Exit statuses of a container: `operator` In means one of the `values`, NotIn any other."""

    operator: Annotated[str, choice("In", "NotIn")] = always("")
    values: tuple[Annotated[int, number_within(0, 255, bits=32)], ...] = ()


class ContainerRestartRule(Model, frozen=True, kw_only=True):
    """What happens when the container ends with certain exit statuses: Restart, or RestartAllContainers of the pod."""

    action: Annotated[str, choice("Restart", "RestartAllContainers")] = always("")
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class Container(Model, frozen=True, kw_only=True):
    """One container of a pod.

    `command` replaces the image's entry point, `args` its arguments. `imagePullPolicy` is Always (default for the tag
    latest and for images without a tag), IfNotPresent (default for others) or Never. `workingDir` defaults to that of
    the image, `terminationMessagePath` to /dev/termination-log, `terminationMessagePolicy` to File. The first of the
    `restartPolicyRules` for an exit code counts more than `restartPolicy`.
    """

    name: str = always("")
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    env: tuple[EnvVar, ...] = ()
    resources: ResourceRequirements = field(default_factory=ResourceRequirements)
    resize_policy: Annotated[
        tuple[ContainerResizePolicy, ...], inert("a change of resources would restart the container, or not")
    ] = ()
    restart_policy: Annotated[str, choice("Always", "OnFailure", "Never")] | None = None
    restart_policy_rules: tuple[ContainerRestartRule, ...] = ()
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


class EphemeralContainer(Container, frozen=True, kw_only=True):
    """A container that is added to a running pod for debugging. Its processes are in the namespaces of a target."""

    target_container_name: str = ""


class ContainerStateWaiting(Model, frozen=True, kw_only=True):
    """The container does not run yet. `reason` is one word, `message` the details."""

    reason: str = ""
    message: str = ""


class ContainerStateRunning(Model, frozen=True, kw_only=True):
    """The container has been running since `startedAt`."""

    started_at: Time = ""


class ContainerStateTerminated(Model, frozen=True, kw_only=True):
    """The container has ended. `signal` is 0 unless a signal ended it."""

    exit_code: Int32 = always(0)
    signal: Int32 = 0
    reason: str = ""
    message: str = ""
    started_at: Time = ""
    finished_at: Time = ""
    container_id: str = ""


class ContainerState(Model, frozen=True, kw_only=True):
    """The state of a container: one of waiting, running and terminated."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(Model, frozen=True, kw_only=True):
    """The state of a container as its node reported it. `lastState` is the end of the previous run."""

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
    volume_mounts: tuple[VolumeMountStatus, ...] = ()
    user: ContainerUser | None = None
    allocated_resources_status: tuple[ResourceStatus, ...] = ()
    stop_signal: str | None = None
