from proto.gen import desired_pb2 as _desired_pb2
from proto.gen import observed_pb2 as _observed_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HelloRequest(_message.Message):
    __slots__ = ("protocol_version", "cluster_id", "node", "capacity", "applied_revision", "highest_protocol_version", "trusted", "previous_session_id")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    APPLIED_REVISION_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    cluster_id: str
    node: _observed_pb2.NodeInfo
    capacity: _observed_pb2.Capacity
    applied_revision: int
    highest_protocol_version: int
    trusted: _containers.RepeatedScalarFieldContainer[str]
    previous_session_id: str
    def __init__(self, protocol_version: _Optional[int] = ..., cluster_id: _Optional[str] = ..., node: _Optional[_Union[_observed_pb2.NodeInfo, _Mapping]] = ..., capacity: _Optional[_Union[_observed_pb2.Capacity, _Mapping]] = ..., applied_revision: _Optional[int] = ..., highest_protocol_version: _Optional[int] = ..., trusted: _Optional[_Iterable[str]] = ..., previous_session_id: _Optional[str] = ...) -> None: ...

class HelloReply(_message.Message):
    __slots__ = ("protocol_version", "cluster_id", "session_id", "periods", "removed", "ca", "renew")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PERIODS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    CA_FIELD_NUMBER: _ClassVar[int]
    RENEW_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    cluster_id: str
    session_id: str
    periods: Periods
    removed: bool
    ca: str
    renew: bool
    def __init__(self, protocol_version: _Optional[int] = ..., cluster_id: _Optional[str] = ..., session_id: _Optional[str] = ..., periods: _Optional[_Union[Periods, _Mapping]] = ..., removed: _Optional[bool] = ..., ca: _Optional[str] = ..., renew: _Optional[bool] = ...) -> None: ...

class Periods(_message.Message):
    __slots__ = ("next_heartbeat_ms", "grace_ms")
    NEXT_HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    GRACE_MS_FIELD_NUMBER: _ClassVar[int]
    next_heartbeat_ms: int
    grace_ms: int
    def __init__(self, next_heartbeat_ms: _Optional[int] = ..., grace_ms: _Optional[int] = ...) -> None: ...

class DesiredRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class DesiredMessage(_message.Message):
    __slots__ = ("cut", "open_stream")
    CUT_FIELD_NUMBER: _ClassVar[int]
    OPEN_STREAM_FIELD_NUMBER: _ClassVar[int]
    cut: Cut
    open_stream: StreamRequest
    def __init__(self, cut: _Optional[_Union[Cut, _Mapping]] = ..., open_stream: _Optional[_Union[StreamRequest, _Mapping]] = ...) -> None: ...

class Cut(_message.Message):
    __slots__ = ("snapshot", "base_revision", "revision", "last", "node", "pods", "removed_pods", "services", "removed_services", "endpoints", "removed_endpoints", "peers", "removed_peers", "config_maps", "removed_config_maps", "secrets", "removed_secrets", "endpoint_slices", "removed_endpoint_slices")
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    BASE_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    PODS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_PODS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_SERVICES_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_PEERS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_MAPS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_CONFIG_MAPS_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_SECRETS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_SLICES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_ENDPOINT_SLICES_FIELD_NUMBER: _ClassVar[int]
    snapshot: bool
    base_revision: int
    revision: int
    last: bool
    node: _desired_pb2.NodeConfig
    pods: _containers.RepeatedCompositeFieldContainer[_desired_pb2.Pod]
    removed_pods: _containers.RepeatedScalarFieldContainer[str]
    services: _containers.RepeatedCompositeFieldContainer[_desired_pb2.Service]
    removed_services: _containers.RepeatedCompositeFieldContainer[_desired_pb2.ObjectRef]
    endpoints: _containers.RepeatedCompositeFieldContainer[_desired_pb2.ServiceEndpoints]
    removed_endpoints: _containers.RepeatedCompositeFieldContainer[_desired_pb2.ObjectRef]
    peers: _containers.RepeatedCompositeFieldContainer[_desired_pb2.Peer]
    removed_peers: _containers.RepeatedScalarFieldContainer[str]
    config_maps: _containers.RepeatedCompositeFieldContainer[_desired_pb2.ConfigMap]
    removed_config_maps: _containers.RepeatedCompositeFieldContainer[_desired_pb2.ObjectRef]
    secrets: _containers.RepeatedCompositeFieldContainer[_desired_pb2.Secret]
    removed_secrets: _containers.RepeatedCompositeFieldContainer[_desired_pb2.ObjectRef]
    endpoint_slices: _containers.RepeatedCompositeFieldContainer[_desired_pb2.EndpointSlice]
    removed_endpoint_slices: _containers.RepeatedCompositeFieldContainer[_desired_pb2.ObjectRef]
    def __init__(self, snapshot: _Optional[bool] = ..., base_revision: _Optional[int] = ..., revision: _Optional[int] = ..., last: _Optional[bool] = ..., node: _Optional[_Union[_desired_pb2.NodeConfig, _Mapping]] = ..., pods: _Optional[_Iterable[_Union[_desired_pb2.Pod, _Mapping]]] = ..., removed_pods: _Optional[_Iterable[str]] = ..., services: _Optional[_Iterable[_Union[_desired_pb2.Service, _Mapping]]] = ..., removed_services: _Optional[_Iterable[_Union[_desired_pb2.ObjectRef, _Mapping]]] = ..., endpoints: _Optional[_Iterable[_Union[_desired_pb2.ServiceEndpoints, _Mapping]]] = ..., removed_endpoints: _Optional[_Iterable[_Union[_desired_pb2.ObjectRef, _Mapping]]] = ..., peers: _Optional[_Iterable[_Union[_desired_pb2.Peer, _Mapping]]] = ..., removed_peers: _Optional[_Iterable[str]] = ..., config_maps: _Optional[_Iterable[_Union[_desired_pb2.ConfigMap, _Mapping]]] = ..., removed_config_maps: _Optional[_Iterable[_Union[_desired_pb2.ObjectRef, _Mapping]]] = ..., secrets: _Optional[_Iterable[_Union[_desired_pb2.Secret, _Mapping]]] = ..., removed_secrets: _Optional[_Iterable[_Union[_desired_pb2.ObjectRef, _Mapping]]] = ..., endpoint_slices: _Optional[_Iterable[_Union[_desired_pb2.EndpointSlice, _Mapping]]] = ..., removed_endpoint_slices: _Optional[_Iterable[_Union[_desired_pb2.ObjectRef, _Mapping]]] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("session_id", "capacity", "usage", "applied_revision", "conditions", "pod_usages")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    APPLIED_REVISION_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    POD_USAGES_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    capacity: _observed_pb2.Capacity
    usage: _observed_pb2.Usage
    applied_revision: int
    conditions: _containers.RepeatedCompositeFieldContainer[_observed_pb2.Condition]
    pod_usages: _observed_pb2.PodUsages
    def __init__(self, session_id: _Optional[str] = ..., capacity: _Optional[_Union[_observed_pb2.Capacity, _Mapping]] = ..., usage: _Optional[_Union[_observed_pb2.Usage, _Mapping]] = ..., applied_revision: _Optional[int] = ..., conditions: _Optional[_Iterable[_Union[_observed_pb2.Condition, _Mapping]]] = ..., pod_usages: _Optional[_Union[_observed_pb2.PodUsages, _Mapping]] = ...) -> None: ...

class HeartbeatReply(_message.Message):
    __slots__ = ("periods",)
    PERIODS_FIELD_NUMBER: _ClassVar[int]
    periods: Periods
    def __init__(self, periods: _Optional[_Union[Periods, _Mapping]] = ...) -> None: ...

class PodReport(_message.Message):
    __slots__ = ("session_id", "pods")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    PODS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    pods: _containers.RepeatedCompositeFieldContainer[_observed_pb2.PodStatus]
    def __init__(self, session_id: _Optional[str] = ..., pods: _Optional[_Iterable[_Union[_observed_pb2.PodStatus, _Mapping]]] = ...) -> None: ...

class PodReportReply(_message.Message):
    __slots__ = ("unknown",)
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    unknown: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, unknown: _Optional[_Iterable[str]] = ...) -> None: ...

class EventReport(_message.Message):
    __slots__ = ("session_id", "events")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    events: _containers.RepeatedCompositeFieldContainer[_observed_pb2.Event]
    def __init__(self, session_id: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_observed_pb2.Event, _Mapping]]] = ...) -> None: ...

class EventReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LeftReport(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class LeftReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamRequest(_message.Message):
    __slots__ = ("stream_id", "logs", "exec", "attach", "port_forward", "node_query")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    EXEC_FIELD_NUMBER: _ClassVar[int]
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    PORT_FORWARD_FIELD_NUMBER: _ClassVar[int]
    NODE_QUERY_FIELD_NUMBER: _ClassVar[int]
    stream_id: str
    logs: LogRequest
    exec: ProcessRequest
    attach: ProcessRequest
    port_forward: PortForwardRequest
    node_query: NodeQuery
    def __init__(self, stream_id: _Optional[str] = ..., logs: _Optional[_Union[LogRequest, _Mapping]] = ..., exec: _Optional[_Union[ProcessRequest, _Mapping]] = ..., attach: _Optional[_Union[ProcessRequest, _Mapping]] = ..., port_forward: _Optional[_Union[PortForwardRequest, _Mapping]] = ..., node_query: _Optional[_Union[NodeQuery, _Mapping]] = ...) -> None: ...

class ProcessRequest(_message.Message):
    __slots__ = ("pod_uid", "namespace", "pod", "container", "command", "stdin", "stdout", "stderr", "tty")
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    TTY_FIELD_NUMBER: _ClassVar[int]
    pod_uid: str
    namespace: str
    pod: str
    container: str
    command: _containers.RepeatedScalarFieldContainer[str]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool
    def __init__(self, pod_uid: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., container: _Optional[str] = ..., command: _Optional[_Iterable[str]] = ..., stdin: _Optional[bool] = ..., stdout: _Optional[bool] = ..., stderr: _Optional[bool] = ..., tty: _Optional[bool] = ...) -> None: ...

class PortForwardRequest(_message.Message):
    __slots__ = ("pod_uid", "namespace", "pod", "port", "by_pod_address")
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    BY_POD_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    pod_uid: str
    namespace: str
    pod: str
    port: int
    by_pod_address: bool
    def __init__(self, pod_uid: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., port: _Optional[int] = ..., by_pod_address: _Optional[bool] = ...) -> None: ...

class NodeQuery(_message.Message):
    __slots__ = ("path", "query")
    PATH_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    path: str
    query: str
    def __init__(self, path: _Optional[str] = ..., query: _Optional[str] = ...) -> None: ...

class LogRequest(_message.Message):
    __slots__ = ("pod_uid", "namespace", "pod", "container", "follow", "previous", "timestamps", "tail_lines", "since_unix_s", "limit_bytes", "since_s")
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    TAIL_LINES_FIELD_NUMBER: _ClassVar[int]
    SINCE_UNIX_S_FIELD_NUMBER: _ClassVar[int]
    LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SINCE_S_FIELD_NUMBER: _ClassVar[int]
    pod_uid: str
    namespace: str
    pod: str
    container: str
    follow: bool
    previous: bool
    timestamps: bool
    tail_lines: int
    since_unix_s: int
    limit_bytes: int
    since_s: int
    def __init__(self, pod_uid: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., container: _Optional[str] = ..., follow: _Optional[bool] = ..., previous: _Optional[bool] = ..., timestamps: _Optional[bool] = ..., tail_lines: _Optional[int] = ..., since_unix_s: _Optional[int] = ..., limit_bytes: _Optional[int] = ..., since_s: _Optional[int] = ...) -> None: ...

class StreamUp(_message.Message):
    __slots__ = ("session_id", "stream_id", "data", "error", "complete", "stderr", "exit_code", "credit_bytes", "answer")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    stream_id: str
    data: bytes
    error: str
    complete: bool
    stderr: bytes
    exit_code: int
    credit_bytes: int
    answer: AnswerHead
    def __init__(self, session_id: _Optional[str] = ..., stream_id: _Optional[str] = ..., data: _Optional[bytes] = ..., error: _Optional[str] = ..., complete: _Optional[bool] = ..., stderr: _Optional[bytes] = ..., exit_code: _Optional[int] = ..., credit_bytes: _Optional[int] = ..., answer: _Optional[_Union[AnswerHead, _Mapping]] = ...) -> None: ...

class AnswerHead(_message.Message):
    __slots__ = ("status", "content_type")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    status: int
    content_type: str
    def __init__(self, status: _Optional[int] = ..., content_type: _Optional[str] = ...) -> None: ...

class StreamDown(_message.Message):
    __slots__ = ("credit_bytes", "data", "end", "size")
    CREDIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    credit_bytes: int
    data: bytes
    end: bool
    size: TerminalSize
    def __init__(self, credit_bytes: _Optional[int] = ..., data: _Optional[bytes] = ..., end: _Optional[bool] = ..., size: _Optional[_Union[TerminalSize, _Mapping]] = ...) -> None: ...

class TerminalSize(_message.Message):
    __slots__ = ("width", "height")
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    width: int
    height: int
    def __init__(self, width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("csr",)
    CSR_FIELD_NUMBER: _ClassVar[int]
    csr: str
    def __init__(self, csr: _Optional[str] = ...) -> None: ...

class RenewReply(_message.Message):
    __slots__ = ("certificate", "ca")
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    CA_FIELD_NUMBER: _ClassVar[int]
    certificate: str
    ca: str
    def __init__(self, certificate: _Optional[str] = ..., ca: _Optional[str] = ...) -> None: ...

class TokenRequest(_message.Message):
    __slots__ = ("session_id", "pod_uid", "namespace", "pod", "audience", "expiration_s")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    POD_UID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRATION_S_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    pod_uid: str
    namespace: str
    pod: str
    audience: str
    expiration_s: int
    def __init__(self, session_id: _Optional[str] = ..., pod_uid: _Optional[str] = ..., namespace: _Optional[str] = ..., pod: _Optional[str] = ..., audience: _Optional[str] = ..., expiration_s: _Optional[int] = ...) -> None: ...

class TokenReply(_message.Message):
    __slots__ = ("token", "lifetime_s")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_S_FIELD_NUMBER: _ClassVar[int]
    token: str
    lifetime_s: int
    def __init__(self, token: _Optional[str] = ..., lifetime_s: _Optional[int] = ...) -> None: ...

class Machine(_message.Message):
    __slots__ = ("machine_id", "boot_id", "address", "addresses")
    MACHINE_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    machine_id: str
    boot_id: str
    address: str
    addresses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, machine_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., address: _Optional[str] = ..., addresses: _Optional[_Iterable[str]] = ...) -> None: ...

class MembershipRequest(_message.Message):
    __slots__ = ("machine", "uncordon")
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    UNCORDON_FIELD_NUMBER: _ClassVar[int]
    machine: Machine
    uncordon: bool
    def __init__(self, machine: _Optional[_Union[Machine, _Mapping]] = ..., uncordon: _Optional[bool] = ...) -> None: ...

class MembershipReply(_message.Message):
    __slots__ = ("registered", "removed", "unschedulable", "conditions")
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    UNSCHEDULABLE_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    registered: bool
    removed: bool
    unschedulable: bool
    conditions: _containers.RepeatedCompositeFieldContainer[_observed_pb2.Condition]
    def __init__(self, registered: _Optional[bool] = ..., removed: _Optional[bool] = ..., unschedulable: _Optional[bool] = ..., conditions: _Optional[_Iterable[_Union[_observed_pb2.Condition, _Mapping]]] = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ("machine",)
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    machine: Machine
    def __init__(self, machine: _Optional[_Union[Machine, _Mapping]] = ...) -> None: ...

class DrainReply(_message.Message):
    __slots__ = ("pods", "unmanaged")
    PODS_FIELD_NUMBER: _ClassVar[int]
    UNMANAGED_FIELD_NUMBER: _ClassVar[int]
    pods: _containers.RepeatedCompositeFieldContainer[_desired_pb2.ObjectRef]
    unmanaged: _containers.RepeatedCompositeFieldContainer[_desired_pb2.ObjectRef]
    def __init__(self, pods: _Optional[_Iterable[_Union[_desired_pb2.ObjectRef, _Mapping]]] = ..., unmanaged: _Optional[_Iterable[_Union[_desired_pb2.ObjectRef, _Mapping]]] = ...) -> None: ...

class LeaveRequest(_message.Message):
    __slots__ = ("machine",)
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    machine: Machine
    def __init__(self, machine: _Optional[_Union[Machine, _Mapping]] = ...) -> None: ...

class LeaveReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
