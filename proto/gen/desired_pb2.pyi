import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NodeConfig(_message.Message):
    __slots__ = ("pod_cidr", "cluster_cidr", "service_cidr", "node_address", "cluster_domain", "cluster_dns")
    POD_CIDR_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_CIDR_FIELD_NUMBER: _ClassVar[int]
    SERVICE_CIDR_FIELD_NUMBER: _ClassVar[int]
    NODE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_DNS_FIELD_NUMBER: _ClassVar[int]
    pod_cidr: str
    cluster_cidr: str
    service_cidr: str
    node_address: str
    cluster_domain: str
    cluster_dns: str
    def __init__(self, pod_cidr: _Optional[str] = ..., cluster_cidr: _Optional[str] = ..., service_cidr: _Optional[str] = ..., node_address: _Optional[str] = ..., cluster_domain: _Optional[str] = ..., cluster_dns: _Optional[str] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("name", "address", "pod_cidr")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    POD_CIDR_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    pod_cidr: str
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., pod_cidr: _Optional[str] = ...) -> None: ...

class ObjectRef(_message.Message):
    __slots__ = ("namespace", "name")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    name: str
    def __init__(self, namespace: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ServicePort(_message.Message):
    __slots__ = ("name", "protocol", "port", "node_port")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    NODE_PORT_FIELD_NUMBER: _ClassVar[int]
    name: str
    protocol: str
    port: int
    node_port: int
    def __init__(self, name: _Optional[str] = ..., protocol: _Optional[str] = ..., port: _Optional[int] = ..., node_port: _Optional[int] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("ref", "cluster_ip", "ports", "external_name")
    REF_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_IP_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    ref: ObjectRef
    cluster_ip: str
    ports: _containers.RepeatedCompositeFieldContainer[ServicePort]
    external_name: str
    def __init__(self, ref: _Optional[_Union[ObjectRef, _Mapping]] = ..., cluster_ip: _Optional[str] = ..., ports: _Optional[_Iterable[_Union[ServicePort, _Mapping]]] = ..., external_name: _Optional[str] = ...) -> None: ...

class EndpointPort(_message.Message):
    __slots__ = ("name", "protocol", "port")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    name: str
    protocol: str
    port: int
    def __init__(self, name: _Optional[str] = ..., protocol: _Optional[str] = ..., port: _Optional[int] = ...) -> None: ...

class EndpointSubset(_message.Message):
    __slots__ = ("addresses", "ports", "hostnames")
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    HOSTNAMES_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    ports: _containers.RepeatedCompositeFieldContainer[EndpointPort]
    hostnames: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, addresses: _Optional[_Iterable[str]] = ..., ports: _Optional[_Iterable[_Union[EndpointPort, _Mapping]]] = ..., hostnames: _Optional[_Iterable[str]] = ...) -> None: ...

class ServiceEndpoints(_message.Message):
    __slots__ = ("ref", "subsets")
    REF_FIELD_NUMBER: _ClassVar[int]
    SUBSETS_FIELD_NUMBER: _ClassVar[int]
    ref: ObjectRef
    subsets: _containers.RepeatedCompositeFieldContainer[EndpointSubset]
    def __init__(self, ref: _Optional[_Union[ObjectRef, _Mapping]] = ..., subsets: _Optional[_Iterable[_Union[EndpointSubset, _Mapping]]] = ...) -> None: ...

class EndpointSlice(_message.Message):
    __slots__ = ("ref", "service", "endpoints")
    REF_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    ref: ObjectRef
    service: str
    endpoints: EndpointSubset
    def __init__(self, ref: _Optional[_Union[ObjectRef, _Mapping]] = ..., service: _Optional[str] = ..., endpoints: _Optional[_Union[EndpointSubset, _Mapping]] = ...) -> None: ...

class ConfigMap(_message.Message):
    __slots__ = ("ref", "data", "binary_data")
    class DataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class BinaryDataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    REF_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    BINARY_DATA_FIELD_NUMBER: _ClassVar[int]
    ref: ObjectRef
    data: _containers.ScalarMap[str, str]
    binary_data: _containers.ScalarMap[str, bytes]
    def __init__(self, ref: _Optional[_Union[ObjectRef, _Mapping]] = ..., data: _Optional[_Mapping[str, str]] = ..., binary_data: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Secret(_message.Message):
    __slots__ = ("ref", "data", "type", "uid")
    class DataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    REF_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    ref: ObjectRef
    data: _containers.ScalarMap[str, bytes]
    type: str
    uid: str
    def __init__(self, ref: _Optional[_Union[ObjectRef, _Mapping]] = ..., data: _Optional[_Mapping[str, bytes]] = ..., type: _Optional[str] = ..., uid: _Optional[str] = ...) -> None: ...

class KeyRef(_message.Message):
    __slots__ = ("name", "key", "optional")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    key: str
    optional: bool
    def __init__(self, name: _Optional[str] = ..., key: _Optional[str] = ..., optional: _Optional[bool] = ...) -> None: ...

class EnvVar(_message.Message):
    __slots__ = ("name", "value", "field_path", "config_map_key", "secret_key", "resource", "file_key")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FIELD_PATH_FIELD_NUMBER: _ClassVar[int]
    CONFIG_MAP_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    FILE_KEY_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    field_path: str
    config_map_key: KeyRef
    secret_key: KeyRef
    resource: ResourceField
    file_key: FileKey
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ..., field_path: _Optional[str] = ..., config_map_key: _Optional[_Union[KeyRef, _Mapping]] = ..., secret_key: _Optional[_Union[KeyRef, _Mapping]] = ..., resource: _Optional[_Union[ResourceField, _Mapping]] = ..., file_key: _Optional[_Union[FileKey, _Mapping]] = ...) -> None: ...

class FileKey(_message.Message):
    __slots__ = ("volume", "path", "key", "optional")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    key: str
    optional: bool
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., key: _Optional[str] = ..., optional: _Optional[bool] = ...) -> None: ...

class ResourceField(_message.Message):
    __slots__ = ("resource", "amount", "divisor", "problem")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    DIVISOR_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    resource: str
    amount: int
    divisor: int
    problem: str
    def __init__(self, resource: _Optional[str] = ..., amount: _Optional[int] = ..., divisor: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class EnvFrom(_message.Message):
    __slots__ = ("prefix", "name", "optional", "secret")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    name: str
    optional: bool
    secret: bool
    def __init__(self, prefix: _Optional[str] = ..., name: _Optional[str] = ..., optional: _Optional[bool] = ..., secret: _Optional[bool] = ...) -> None: ...

class ContainerPort(_message.Message):
    __slots__ = ("name", "container_port", "host_port", "protocol", "host_ip")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_PORT_FIELD_NUMBER: _ClassVar[int]
    HOST_PORT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    HOST_IP_FIELD_NUMBER: _ClassVar[int]
    name: str
    container_port: int
    host_port: int
    protocol: str
    host_ip: str
    def __init__(self, name: _Optional[str] = ..., container_port: _Optional[int] = ..., host_port: _Optional[int] = ..., protocol: _Optional[str] = ..., host_ip: _Optional[str] = ...) -> None: ...

class VolumeMount(_message.Message):
    __slots__ = ("name", "mount_path", "sub_path", "read_only", "sub_path_expr", "propagation", "recursive_read_only")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MOUNT_PATH_FIELD_NUMBER: _ClassVar[int]
    SUB_PATH_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    SUB_PATH_EXPR_FIELD_NUMBER: _ClassVar[int]
    PROPAGATION_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    mount_path: str
    sub_path: str
    read_only: bool
    sub_path_expr: str
    propagation: str
    recursive_read_only: str
    def __init__(self, name: _Optional[str] = ..., mount_path: _Optional[str] = ..., sub_path: _Optional[str] = ..., read_only: _Optional[bool] = ..., sub_path_expr: _Optional[str] = ..., propagation: _Optional[str] = ..., recursive_read_only: _Optional[str] = ...) -> None: ...

class Resources(_message.Message):
    __slots__ = ("cpu_request_millis", "cpu_limit_millis", "memory_request_bytes", "memory_limit_bytes", "ephemeral_storage_request_bytes", "ephemeral_storage_limit_bytes")
    CPU_REQUEST_MILLIS_FIELD_NUMBER: _ClassVar[int]
    CPU_LIMIT_MILLIS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    EPHEMERAL_STORAGE_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    EPHEMERAL_STORAGE_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    cpu_request_millis: int
    cpu_limit_millis: int
    memory_request_bytes: int
    memory_limit_bytes: int
    ephemeral_storage_request_bytes: int
    ephemeral_storage_limit_bytes: int
    def __init__(self, cpu_request_millis: _Optional[int] = ..., cpu_limit_millis: _Optional[int] = ..., memory_request_bytes: _Optional[int] = ..., memory_limit_bytes: _Optional[int] = ..., ephemeral_storage_request_bytes: _Optional[int] = ..., ephemeral_storage_limit_bytes: _Optional[int] = ...) -> None: ...

class SecurityContext(_message.Message):
    __slots__ = ("run_as_user", "run_as_group", "privileged", "read_only_root_filesystem", "add_capabilities", "drop_capabilities", "run_as_non_root", "no_new_privileges", "seccomp", "apparmor", "selinux_label")
    RUN_AS_USER_FIELD_NUMBER: _ClassVar[int]
    RUN_AS_GROUP_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGED_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_ROOT_FILESYSTEM_FIELD_NUMBER: _ClassVar[int]
    ADD_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    DROP_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    RUN_AS_NON_ROOT_FIELD_NUMBER: _ClassVar[int]
    NO_NEW_PRIVILEGES_FIELD_NUMBER: _ClassVar[int]
    SECCOMP_FIELD_NUMBER: _ClassVar[int]
    APPARMOR_FIELD_NUMBER: _ClassVar[int]
    SELINUX_LABEL_FIELD_NUMBER: _ClassVar[int]
    run_as_user: int
    run_as_group: int
    privileged: bool
    read_only_root_filesystem: bool
    add_capabilities: _containers.RepeatedScalarFieldContainer[str]
    drop_capabilities: _containers.RepeatedScalarFieldContainer[str]
    run_as_non_root: bool
    no_new_privileges: bool
    seccomp: SecurityProfile
    apparmor: SecurityProfile
    selinux_label: bool
    def __init__(self, run_as_user: _Optional[int] = ..., run_as_group: _Optional[int] = ..., privileged: _Optional[bool] = ..., read_only_root_filesystem: _Optional[bool] = ..., add_capabilities: _Optional[_Iterable[str]] = ..., drop_capabilities: _Optional[_Iterable[str]] = ..., run_as_non_root: _Optional[bool] = ..., no_new_privileges: _Optional[bool] = ..., seccomp: _Optional[_Union[SecurityProfile, _Mapping]] = ..., apparmor: _Optional[_Union[SecurityProfile, _Mapping]] = ..., selinux_label: _Optional[bool] = ...) -> None: ...

class SecurityProfile(_message.Message):
    __slots__ = ("type", "localhost")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    LOCALHOST_FIELD_NUMBER: _ClassVar[int]
    type: str
    localhost: str
    def __init__(self, type: _Optional[str] = ..., localhost: _Optional[str] = ...) -> None: ...

class ExecAction(_message.Message):
    __slots__ = ("command",)
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    command: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, command: _Optional[_Iterable[str]] = ...) -> None: ...

class HttpHeader(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class HttpGetAction(_message.Message):
    __slots__ = ("path", "port", "port_name", "host", "scheme", "headers")
    PATH_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    PORT_NAME_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    path: str
    port: int
    port_name: str
    host: str
    scheme: str
    headers: _containers.RepeatedCompositeFieldContainer[HttpHeader]
    def __init__(self, path: _Optional[str] = ..., port: _Optional[int] = ..., port_name: _Optional[str] = ..., host: _Optional[str] = ..., scheme: _Optional[str] = ..., headers: _Optional[_Iterable[_Union[HttpHeader, _Mapping]]] = ...) -> None: ...

class TcpSocketAction(_message.Message):
    __slots__ = ("port", "port_name", "host")
    PORT_FIELD_NUMBER: _ClassVar[int]
    PORT_NAME_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    port: int
    port_name: str
    host: str
    def __init__(self, port: _Optional[int] = ..., port_name: _Optional[str] = ..., host: _Optional[str] = ...) -> None: ...

class GrpcAction(_message.Message):
    __slots__ = ("port", "service")
    PORT_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    port: int
    service: str
    def __init__(self, port: _Optional[int] = ..., service: _Optional[str] = ...) -> None: ...

class SleepAction(_message.Message):
    __slots__ = ("seconds",)
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    seconds: int
    def __init__(self, seconds: _Optional[int] = ...) -> None: ...

class Handler(_message.Message):
    __slots__ = ("exec", "http_get", "tcp_socket", "grpc", "sleep")
    EXEC_FIELD_NUMBER: _ClassVar[int]
    HTTP_GET_FIELD_NUMBER: _ClassVar[int]
    TCP_SOCKET_FIELD_NUMBER: _ClassVar[int]
    GRPC_FIELD_NUMBER: _ClassVar[int]
    SLEEP_FIELD_NUMBER: _ClassVar[int]
    exec: ExecAction
    http_get: HttpGetAction
    tcp_socket: TcpSocketAction
    grpc: GrpcAction
    sleep: SleepAction
    def __init__(self, exec: _Optional[_Union[ExecAction, _Mapping]] = ..., http_get: _Optional[_Union[HttpGetAction, _Mapping]] = ..., tcp_socket: _Optional[_Union[TcpSocketAction, _Mapping]] = ..., grpc: _Optional[_Union[GrpcAction, _Mapping]] = ..., sleep: _Optional[_Union[SleepAction, _Mapping]] = ...) -> None: ...

class Probe(_message.Message):
    __slots__ = ("handler", "initial_delay_s", "period_s", "timeout_s", "success_threshold", "failure_threshold", "termination_grace_period_s")
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    INITIAL_DELAY_S_FIELD_NUMBER: _ClassVar[int]
    PERIOD_S_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    FAILURE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TERMINATION_GRACE_PERIOD_S_FIELD_NUMBER: _ClassVar[int]
    handler: Handler
    initial_delay_s: int
    period_s: int
    timeout_s: int
    success_threshold: int
    failure_threshold: int
    termination_grace_period_s: int
    def __init__(self, handler: _Optional[_Union[Handler, _Mapping]] = ..., initial_delay_s: _Optional[int] = ..., period_s: _Optional[int] = ..., timeout_s: _Optional[int] = ..., success_threshold: _Optional[int] = ..., failure_threshold: _Optional[int] = ..., termination_grace_period_s: _Optional[int] = ...) -> None: ...

class Lifecycle(_message.Message):
    __slots__ = ("post_start", "pre_stop", "stop_signal")
    POST_START_FIELD_NUMBER: _ClassVar[int]
    PRE_STOP_FIELD_NUMBER: _ClassVar[int]
    STOP_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    post_start: Handler
    pre_stop: Handler
    stop_signal: str
    def __init__(self, post_start: _Optional[_Union[Handler, _Mapping]] = ..., pre_stop: _Optional[_Union[Handler, _Mapping]] = ..., stop_signal: _Optional[str] = ...) -> None: ...

class RestartRule(_message.Message):
    __slots__ = ("action", "operator", "exit_codes")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODES_FIELD_NUMBER: _ClassVar[int]
    action: str
    operator: str
    exit_codes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, action: _Optional[str] = ..., operator: _Optional[str] = ..., exit_codes: _Optional[_Iterable[int]] = ...) -> None: ...

class VolumeDevice(_message.Message):
    __slots__ = ("name", "device_path")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_PATH_FIELD_NUMBER: _ClassVar[int]
    name: str
    device_path: str
    def __init__(self, name: _Optional[str] = ..., device_path: _Optional[str] = ...) -> None: ...

class Container(_message.Message):
    __slots__ = ("name", "image", "command", "args", "working_dir", "env_from", "env", "ports", "resources", "volume_mounts", "image_pull_policy", "security_context", "stdin", "tty", "termination_message_path", "restart_policy", "termination_message_from_log", "liveness_probe", "readiness_probe", "startup_probe", "lifecycle", "target_container", "restart_rules", "stdin_once", "volume_devices")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    WORKING_DIR_FIELD_NUMBER: _ClassVar[int]
    ENV_FROM_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    VOLUME_MOUNTS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_PULL_POLICY_FIELD_NUMBER: _ClassVar[int]
    SECURITY_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    TTY_FIELD_NUMBER: _ClassVar[int]
    TERMINATION_MESSAGE_PATH_FIELD_NUMBER: _ClassVar[int]
    RESTART_POLICY_FIELD_NUMBER: _ClassVar[int]
    TERMINATION_MESSAGE_FROM_LOG_FIELD_NUMBER: _ClassVar[int]
    LIVENESS_PROBE_FIELD_NUMBER: _ClassVar[int]
    READINESS_PROBE_FIELD_NUMBER: _ClassVar[int]
    STARTUP_PROBE_FIELD_NUMBER: _ClassVar[int]
    LIFECYCLE_FIELD_NUMBER: _ClassVar[int]
    TARGET_CONTAINER_FIELD_NUMBER: _ClassVar[int]
    RESTART_RULES_FIELD_NUMBER: _ClassVar[int]
    STDIN_ONCE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_DEVICES_FIELD_NUMBER: _ClassVar[int]
    name: str
    image: str
    command: _containers.RepeatedScalarFieldContainer[str]
    args: _containers.RepeatedScalarFieldContainer[str]
    working_dir: str
    env_from: _containers.RepeatedCompositeFieldContainer[EnvFrom]
    env: _containers.RepeatedCompositeFieldContainer[EnvVar]
    ports: _containers.RepeatedCompositeFieldContainer[ContainerPort]
    resources: Resources
    volume_mounts: _containers.RepeatedCompositeFieldContainer[VolumeMount]
    image_pull_policy: str
    security_context: SecurityContext
    stdin: bool
    tty: bool
    termination_message_path: str
    restart_policy: str
    termination_message_from_log: bool
    liveness_probe: Probe
    readiness_probe: Probe
    startup_probe: Probe
    lifecycle: Lifecycle
    target_container: str
    restart_rules: _containers.RepeatedCompositeFieldContainer[RestartRule]
    stdin_once: bool
    volume_devices: _containers.RepeatedCompositeFieldContainer[VolumeDevice]
    def __init__(self, name: _Optional[str] = ..., image: _Optional[str] = ..., command: _Optional[_Iterable[str]] = ..., args: _Optional[_Iterable[str]] = ..., working_dir: _Optional[str] = ..., env_from: _Optional[_Iterable[_Union[EnvFrom, _Mapping]]] = ..., env: _Optional[_Iterable[_Union[EnvVar, _Mapping]]] = ..., ports: _Optional[_Iterable[_Union[ContainerPort, _Mapping]]] = ..., resources: _Optional[_Union[Resources, _Mapping]] = ..., volume_mounts: _Optional[_Iterable[_Union[VolumeMount, _Mapping]]] = ..., image_pull_policy: _Optional[str] = ..., security_context: _Optional[_Union[SecurityContext, _Mapping]] = ..., stdin: _Optional[bool] = ..., tty: _Optional[bool] = ..., termination_message_path: _Optional[str] = ..., restart_policy: _Optional[str] = ..., termination_message_from_log: _Optional[bool] = ..., liveness_probe: _Optional[_Union[Probe, _Mapping]] = ..., readiness_probe: _Optional[_Union[Probe, _Mapping]] = ..., startup_probe: _Optional[_Union[Probe, _Mapping]] = ..., lifecycle: _Optional[_Union[Lifecycle, _Mapping]] = ..., target_container: _Optional[str] = ..., restart_rules: _Optional[_Iterable[_Union[RestartRule, _Mapping]]] = ..., stdin_once: _Optional[bool] = ..., volume_devices: _Optional[_Iterable[_Union[VolumeDevice, _Mapping]]] = ...) -> None: ...

class KeyToPath(_message.Message):
    __slots__ = ("key", "path", "mode", "user")
    KEY_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    key: str
    path: str
    mode: int
    user: int
    def __init__(self, key: _Optional[str] = ..., path: _Optional[str] = ..., mode: _Optional[int] = ..., user: _Optional[int] = ...) -> None: ...

class Volume(_message.Message):
    __slots__ = ("name", "read_only", "owned_by_group", "block", "empty_dir", "host_path", "config_map", "secret", "unsupported", "projected", "nfs", "waiting", "image")
    class EmptyDir(_message.Message):
        __slots__ = ("medium", "size_limit_bytes", "mode")
        MEDIUM_FIELD_NUMBER: _ClassVar[int]
        SIZE_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
        MODE_FIELD_NUMBER: _ClassVar[int]
        medium: str
        size_limit_bytes: int
        mode: int
        def __init__(self, medium: _Optional[str] = ..., size_limit_bytes: _Optional[int] = ..., mode: _Optional[int] = ...) -> None: ...
    class HostPath(_message.Message):
        __slots__ = ("path", "type")
        PATH_FIELD_NUMBER: _ClassVar[int]
        TYPE_FIELD_NUMBER: _ClassVar[int]
        path: str
        type: str
        def __init__(self, path: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...
    class Keys(_message.Message):
        __slots__ = ("name", "items", "default_mode", "optional", "user")
        NAME_FIELD_NUMBER: _ClassVar[int]
        ITEMS_FIELD_NUMBER: _ClassVar[int]
        DEFAULT_MODE_FIELD_NUMBER: _ClassVar[int]
        OPTIONAL_FIELD_NUMBER: _ClassVar[int]
        USER_FIELD_NUMBER: _ClassVar[int]
        name: str
        items: _containers.RepeatedCompositeFieldContainer[KeyToPath]
        default_mode: int
        optional: bool
        user: int
        def __init__(self, name: _Optional[str] = ..., items: _Optional[_Iterable[_Union[KeyToPath, _Mapping]]] = ..., default_mode: _Optional[int] = ..., optional: _Optional[bool] = ..., user: _Optional[int] = ...) -> None: ...
    class Projected(_message.Message):
        __slots__ = ("sources", "default_mode")
        class File(_message.Message):
            __slots__ = ("path", "mode", "field_path", "resource", "user")
            PATH_FIELD_NUMBER: _ClassVar[int]
            MODE_FIELD_NUMBER: _ClassVar[int]
            FIELD_PATH_FIELD_NUMBER: _ClassVar[int]
            RESOURCE_FIELD_NUMBER: _ClassVar[int]
            USER_FIELD_NUMBER: _ClassVar[int]
            path: str
            mode: int
            field_path: str
            resource: ResourceField
            user: int
            def __init__(self, path: _Optional[str] = ..., mode: _Optional[int] = ..., field_path: _Optional[str] = ..., resource: _Optional[_Union[ResourceField, _Mapping]] = ..., user: _Optional[int] = ...) -> None: ...
        class Downward(_message.Message):
            __slots__ = ("items",)
            ITEMS_FIELD_NUMBER: _ClassVar[int]
            items: _containers.RepeatedCompositeFieldContainer[Volume.Projected.File]
            def __init__(self, items: _Optional[_Iterable[_Union[Volume.Projected.File, _Mapping]]] = ...) -> None: ...
        class Token(_message.Message):
            __slots__ = ("path", "audience", "expiration_s", "user")
            PATH_FIELD_NUMBER: _ClassVar[int]
            AUDIENCE_FIELD_NUMBER: _ClassVar[int]
            EXPIRATION_S_FIELD_NUMBER: _ClassVar[int]
            USER_FIELD_NUMBER: _ClassVar[int]
            path: str
            audience: str
            expiration_s: int
            user: int
            def __init__(self, path: _Optional[str] = ..., audience: _Optional[str] = ..., expiration_s: _Optional[int] = ..., user: _Optional[int] = ...) -> None: ...
        class Source(_message.Message):
            __slots__ = ("config_map", "secret", "downward", "token")
            CONFIG_MAP_FIELD_NUMBER: _ClassVar[int]
            SECRET_FIELD_NUMBER: _ClassVar[int]
            DOWNWARD_FIELD_NUMBER: _ClassVar[int]
            TOKEN_FIELD_NUMBER: _ClassVar[int]
            config_map: Volume.Keys
            secret: Volume.Keys
            downward: Volume.Projected.Downward
            token: Volume.Projected.Token
            def __init__(self, config_map: _Optional[_Union[Volume.Keys, _Mapping]] = ..., secret: _Optional[_Union[Volume.Keys, _Mapping]] = ..., downward: _Optional[_Union[Volume.Projected.Downward, _Mapping]] = ..., token: _Optional[_Union[Volume.Projected.Token, _Mapping]] = ...) -> None: ...
        SOURCES_FIELD_NUMBER: _ClassVar[int]
        DEFAULT_MODE_FIELD_NUMBER: _ClassVar[int]
        sources: _containers.RepeatedCompositeFieldContainer[Volume.Projected.Source]
        default_mode: int
        def __init__(self, sources: _Optional[_Iterable[_Union[Volume.Projected.Source, _Mapping]]] = ..., default_mode: _Optional[int] = ...) -> None: ...
    class Nfs(_message.Message):
        __slots__ = ("server", "path", "read_only", "mount_options")
        SERVER_FIELD_NUMBER: _ClassVar[int]
        PATH_FIELD_NUMBER: _ClassVar[int]
        READ_ONLY_FIELD_NUMBER: _ClassVar[int]
        MOUNT_OPTIONS_FIELD_NUMBER: _ClassVar[int]
        server: str
        path: str
        read_only: bool
        mount_options: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, server: _Optional[str] = ..., path: _Optional[str] = ..., read_only: _Optional[bool] = ..., mount_options: _Optional[_Iterable[str]] = ...) -> None: ...
    class Image(_message.Message):
        __slots__ = ("reference", "pull_policy")
        REFERENCE_FIELD_NUMBER: _ClassVar[int]
        PULL_POLICY_FIELD_NUMBER: _ClassVar[int]
        reference: str
        pull_policy: str
        def __init__(self, reference: _Optional[str] = ..., pull_policy: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    OWNED_BY_GROUP_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    EMPTY_DIR_FIELD_NUMBER: _ClassVar[int]
    HOST_PATH_FIELD_NUMBER: _ClassVar[int]
    CONFIG_MAP_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    UNSUPPORTED_FIELD_NUMBER: _ClassVar[int]
    PROJECTED_FIELD_NUMBER: _ClassVar[int]
    NFS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    name: str
    read_only: bool
    owned_by_group: bool
    block: bool
    empty_dir: Volume.EmptyDir
    host_path: Volume.HostPath
    config_map: Volume.Keys
    secret: Volume.Keys
    unsupported: str
    projected: Volume.Projected
    nfs: Volume.Nfs
    waiting: str
    image: Volume.Image
    def __init__(self, name: _Optional[str] = ..., read_only: _Optional[bool] = ..., owned_by_group: _Optional[bool] = ..., block: _Optional[bool] = ..., empty_dir: _Optional[_Union[Volume.EmptyDir, _Mapping]] = ..., host_path: _Optional[_Union[Volume.HostPath, _Mapping]] = ..., config_map: _Optional[_Union[Volume.Keys, _Mapping]] = ..., secret: _Optional[_Union[Volume.Keys, _Mapping]] = ..., unsupported: _Optional[str] = ..., projected: _Optional[_Union[Volume.Projected, _Mapping]] = ..., nfs: _Optional[_Union[Volume.Nfs, _Mapping]] = ..., waiting: _Optional[str] = ..., image: _Optional[_Union[Volume.Image, _Mapping]] = ...) -> None: ...

class HostAlias(_message.Message):
    __slots__ = ("ip", "hostnames")
    IP_FIELD_NUMBER: _ClassVar[int]
    HOSTNAMES_FIELD_NUMBER: _ClassVar[int]
    ip: str
    hostnames: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ip: _Optional[str] = ..., hostnames: _Optional[_Iterable[str]] = ...) -> None: ...

class DnsConfig(_message.Message):
    __slots__ = ("nameservers", "searches", "options")
    class Option(_message.Message):
        __slots__ = ("name", "value")
        NAME_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        name: str
        value: str
        def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESERVERS_FIELD_NUMBER: _ClassVar[int]
    SEARCHES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    nameservers: _containers.RepeatedScalarFieldContainer[str]
    searches: _containers.RepeatedScalarFieldContainer[str]
    options: _containers.RepeatedCompositeFieldContainer[DnsConfig.Option]
    def __init__(self, nameservers: _Optional[_Iterable[str]] = ..., searches: _Optional[_Iterable[str]] = ..., options: _Optional[_Iterable[_Union[DnsConfig.Option, _Mapping]]] = ...) -> None: ...

class Sysctl(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Pod(_message.Message):
    __slots__ = ("uid", "namespace", "name", "labels", "annotations", "deletion_timestamp", "grace_period_s", "restart_policy", "init_containers", "containers", "volumes", "host_network", "hostname", "enable_service_links", "host_aliases", "active_deadline_s", "creation_timestamp", "service_account", "ended_phase", "host_pid", "host_ipc", "share_process_namespace", "supplemental_groups", "fs_group", "sysctls", "unsupported", "dns_policy", "dns_config", "subdomain", "set_hostname_as_fqdn", "ephemeral_containers", "image_pull_secrets", "generation", "hostname_override", "supplemental_groups_policy", "priority", "fs_group_change_policy")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class AnnotationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    UID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    DELETION_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    GRACE_PERIOD_S_FIELD_NUMBER: _ClassVar[int]
    RESTART_POLICY_FIELD_NUMBER: _ClassVar[int]
    INIT_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    VOLUMES_FIELD_NUMBER: _ClassVar[int]
    HOST_NETWORK_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    ENABLE_SERVICE_LINKS_FIELD_NUMBER: _ClassVar[int]
    HOST_ALIASES_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
    CREATION_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ENDED_PHASE_FIELD_NUMBER: _ClassVar[int]
    HOST_PID_FIELD_NUMBER: _ClassVar[int]
    HOST_IPC_FIELD_NUMBER: _ClassVar[int]
    SHARE_PROCESS_NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    SUPPLEMENTAL_GROUPS_FIELD_NUMBER: _ClassVar[int]
    FS_GROUP_FIELD_NUMBER: _ClassVar[int]
    SYSCTLS_FIELD_NUMBER: _ClassVar[int]
    UNSUPPORTED_FIELD_NUMBER: _ClassVar[int]
    DNS_POLICY_FIELD_NUMBER: _ClassVar[int]
    DNS_CONFIG_FIELD_NUMBER: _ClassVar[int]
    SUBDOMAIN_FIELD_NUMBER: _ClassVar[int]
    SET_HOSTNAME_AS_FQDN_FIELD_NUMBER: _ClassVar[int]
    EPHEMERAL_CONTAINERS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_PULL_SECRETS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    SUPPLEMENTAL_GROUPS_POLICY_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    FS_GROUP_CHANGE_POLICY_FIELD_NUMBER: _ClassVar[int]
    uid: str
    namespace: str
    name: str
    labels: _containers.ScalarMap[str, str]
    annotations: _containers.ScalarMap[str, str]
    deletion_timestamp: _timestamp_pb2.Timestamp
    grace_period_s: int
    restart_policy: str
    init_containers: _containers.RepeatedCompositeFieldContainer[Container]
    containers: _containers.RepeatedCompositeFieldContainer[Container]
    volumes: _containers.RepeatedCompositeFieldContainer[Volume]
    host_network: bool
    hostname: str
    enable_service_links: bool
    host_aliases: _containers.RepeatedCompositeFieldContainer[HostAlias]
    active_deadline_s: int
    creation_timestamp: _timestamp_pb2.Timestamp
    service_account: str
    ended_phase: str
    host_pid: bool
    host_ipc: bool
    share_process_namespace: bool
    supplemental_groups: _containers.RepeatedScalarFieldContainer[int]
    fs_group: int
    sysctls: _containers.RepeatedCompositeFieldContainer[Sysctl]
    unsupported: _containers.RepeatedScalarFieldContainer[str]
    dns_policy: str
    dns_config: DnsConfig
    subdomain: str
    set_hostname_as_fqdn: bool
    ephemeral_containers: _containers.RepeatedCompositeFieldContainer[Container]
    image_pull_secrets: _containers.RepeatedScalarFieldContainer[str]
    generation: int
    hostname_override: str
    supplemental_groups_policy: str
    priority: int
    fs_group_change_policy: str
    def __init__(self, uid: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., annotations: _Optional[_Mapping[str, str]] = ..., deletion_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., grace_period_s: _Optional[int] = ..., restart_policy: _Optional[str] = ..., init_containers: _Optional[_Iterable[_Union[Container, _Mapping]]] = ..., containers: _Optional[_Iterable[_Union[Container, _Mapping]]] = ..., volumes: _Optional[_Iterable[_Union[Volume, _Mapping]]] = ..., host_network: _Optional[bool] = ..., hostname: _Optional[str] = ..., enable_service_links: _Optional[bool] = ..., host_aliases: _Optional[_Iterable[_Union[HostAlias, _Mapping]]] = ..., active_deadline_s: _Optional[int] = ..., creation_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., service_account: _Optional[str] = ..., ended_phase: _Optional[str] = ..., host_pid: _Optional[bool] = ..., host_ipc: _Optional[bool] = ..., share_process_namespace: _Optional[bool] = ..., supplemental_groups: _Optional[_Iterable[int]] = ..., fs_group: _Optional[int] = ..., sysctls: _Optional[_Iterable[_Union[Sysctl, _Mapping]]] = ..., unsupported: _Optional[_Iterable[str]] = ..., dns_policy: _Optional[str] = ..., dns_config: _Optional[_Union[DnsConfig, _Mapping]] = ..., subdomain: _Optional[str] = ..., set_hostname_as_fqdn: _Optional[bool] = ..., ephemeral_containers: _Optional[_Iterable[_Union[Container, _Mapping]]] = ..., image_pull_secrets: _Optional[_Iterable[str]] = ..., generation: _Optional[int] = ..., hostname_override: _Optional[str] = ..., supplemental_groups_policy: _Optional[str] = ..., priority: _Optional[int] = ..., fs_group_change_policy: _Optional[str] = ...) -> None: ...
