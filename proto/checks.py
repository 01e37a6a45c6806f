"""What an agent accepts of the master: limits and forms that protobuf, which knows only types, cannot express.

Both sides use these checks: the master sends nothing that they refuse, and an agent applies nothing that they refuse.
They protect the agent's machine: names that become paths, numbers that become waits. They are looser than the API's
checks, so that every object that a user can create passes. Each returns what is wrong, or an empty text. Pure functions
that read only the message; the agent checks addresses when it uses them (agent/wire/network.py).

A looser check needs a new protocol version, because agents of the release before refuse what it allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from proto import contract
from proto.gen import desired_pb2, session_pb2

RESTART_POLICIES: Final = frozenset({"", "Always", "OnFailure", "Never"})
PULL_POLICIES: Final = frozenset({"", "Always", "IfNotPresent", "Never"})
PHASES: Final = frozenset({"", "Pending", "Running", "Succeeded", "Failed"})
PROTOCOLS: Final = frozenset({"", "TCP", "UDP", "SCTP"})
MAX_PORT: Final = 65535
MAX_SECONDS: Final = (1 << 31) - 1
MAX_QUERY: Final = 8192
"""Most characters of the path, or of the parameters, of a query."""
YEAR_10000: Final = 253_402_300_800
"""Seconds since the epoch; RFC 3339 has four digits for the year."""

# Directory names are made from these: no slash, no leading dot.
_UID: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,127}")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
# The name of an EndpointSlice of the API, or `SERVICE/NUMBER` for a part of an Endpoints object.
_SLICE: Final = re.compile(rf"{_NAME.pattern}(/[0-9]{{1,6}})?")
_STREAM_ID: Final = re.compile(r"[-A-Za-z0-9]{1,64}")
_SHOWN: Final = 60
"""Characters of a value in a message."""


def problem(item: Message) -> str:
    """What is wrong with an item of a cut, its size included."""
    if (size := item.ByteSize()) > contract.MAX_ITEM_BYTES:
        return f"{size} bytes, at most {contract.MAX_ITEM_BYTES} can be sent"
    return _CHECKS[type(item)](item)


def pod(message: desired_pb2.Pod) -> str:
    """What is wrong with a pod."""
    return (
        _form(_UID, message.uid, "uid")
        or _form(_NAME, message.namespace, "namespace")
        or _form(_NAME, message.name, "name")
        or _one_of(RESTART_POLICIES, message.restart_policy, "restart policy")
        or _one_of(PHASES, message.ended_phase, "ended phase")
        or _seconds(message.grace_period_s, "grace_period_s")
        or _seconds(message.active_deadline_s, "active_deadline_s")
        or _moment(message.creation_timestamp, "creation_timestamp")
        or _moment(message.deletion_timestamp, "deletion_timestamp")
        or _first(_container(container) for container in _containers(message))
        or _first(_form(_LABEL, volume.name, "volume") for volume in message.volumes)
    )


def service(message: desired_pb2.Service) -> str:
    """What is wrong with a service."""
    return _ref(message.ref) or _first(_port(port.protocol, port.port, port.node_port) for port in message.ports)


def endpoints(message: desired_pb2.ServiceEndpoints) -> str:
    """What is wrong with all endpoints of a service."""
    return _ref(message.ref) or _first(_subset(subset) for subset in message.subsets)


def endpoint_slice(message: desired_pb2.EndpointSlice) -> str:
    """What is wrong with some endpoints of a service."""
    return (
        _form(_NAME, message.ref.namespace, "namespace")
        or _form(_SLICE, message.ref.name, "name")
        or _form(_NAME, message.service, "service")
        or _subset(message.endpoints)
    )


def peer(message: desired_pb2.Peer) -> str:
    """What is wrong with a peer; its addresses are not checked."""
    return _form(_NAME, message.name, "name")


def config_map(message: desired_pb2.ConfigMap | desired_pb2.Secret) -> str:
    """What is wrong with a config map or a secret."""
    return _ref(message.ref)


def node(message: desired_pb2.NodeConfig) -> str:
    """What is wrong with a node's own configuration."""
    try:
        IPv4Address(message.node_address)
        pods, cluster = IPv4Network(message.pod_cidr), IPv4Network(message.cluster_cidr)
        services = IPv4Network(message.service_cidr)
        dns = IPv4Address(message.cluster_dns) if message.cluster_dns else services[0]
    except ValueError as error:
        return str(error)
    if not pods.subnet_of(cluster) or cluster.overlaps(services):
        return f"pods {pods}, all pods {cluster}, services {services} do not fit together"
    if dns not in services:
        return f"the address of DNS, {dns}, is not one of services, {services}"
    return _form(_NAME, message.cluster_domain, "cluster domain") if message.cluster_dns else ""


def is_name(text: str) -> bool:
    """Whether an object can have this name."""
    return _NAME.fullmatch(text) is not None


def is_stream_id(text: str) -> bool:
    """Whether a stream can have this id. A request with another one cannot be answered."""
    return _STREAM_ID.fullmatch(text) is not None


def logs(request: session_pb2.LogRequest) -> str:
    """What is wrong with a request for a log."""
    if wrong := _form(_UID, request.pod_uid, "pod uid"):
        return wrong
    numbers = ("tail_lines", request.tail_lines), ("limit_bytes", request.limit_bytes), ("since_s", request.since_s)
    for name, value in numbers:
        if value < 0:
            return f"{name}: {value} is negative"
    return "" if 0 <= request.since_unix_s < YEAR_10000 else f"since_unix_s: {_years(request.since_unix_s)}"


def process(request: session_pb2.ProcessRequest, *, command: bool) -> str:
    """What is wrong with a request for a process; `command`: it has to name one."""
    if command and not request.command:
        return "command: is empty"
    return _form(_UID, request.pod_uid, "pod uid") or _form(_LABEL, request.container, "container")


def port_forward(request: session_pb2.PortForwardRequest) -> str:
    """What is wrong with a request for a connection."""
    if not 0 < request.port <= MAX_PORT:
        return f"port: {request.port} is not a port"
    return _form(_UID, request.pod_uid, "pod uid")


def node_query(request: session_pb2.NodeQuery) -> str:
    """What is wrong with a query."""
    for name, text in (("path", request.path), ("query", request.query)):
        if len(text) > MAX_QUERY:
            return f"{name}: {len(text)} characters, at most {MAX_QUERY} are accepted"
    return "" if request.path.startswith("/") else f"path: {request.path[:_SHOWN]!r} does not begin with a slash"


def size(message: session_pb2.TerminalSize) -> str:
    """What is wrong with the size of a terminal, which the kernel keeps in 16 bits."""
    return "" if max(message.width, message.height) < 1 << 16 else f"terminal: {message.width}x{message.height}"


def _containers(message: desired_pb2.Pod) -> Iterable[desired_pb2.Container]:
    return (*message.init_containers, *message.containers, *message.ephemeral_containers)


def _container(container: desired_pb2.Container) -> str:
    wrong = (
        _form(_LABEL, container.name, "container")
        or _one_of(PULL_POLICIES, container.image_pull_policy, "pull policy")
        or _one_of(RESTART_POLICIES, container.restart_policy, "restart policy of a container")
        or _first(_port(port.protocol, port.container_port, port.host_port) for port in container.ports)
    )
    if not wrong and any(value < 0 for _, value in container.resources.ListFields()):
        wrong = f"container {container.name}: resources are negative"
    return wrong


def _subset(subset: desired_pb2.EndpointSubset) -> str:
    if subset.hostnames and len(subset.hostnames) != len(subset.addresses):
        return f"{len(subset.hostnames)} host names of {len(subset.addresses)} addresses"
    return _first(_port(port.protocol, port.port) for port in subset.ports)


def _ref(ref: desired_pb2.ObjectRef) -> str:
    return _form(_NAME, ref.namespace, "namespace") or _form(_NAME, ref.name, "name")


def _first(problems: Iterable[str]) -> str:
    return next(filter(None, problems), "")


def _form(form: re.Pattern[str], text: str, what: str) -> str:
    return "" if form.fullmatch(text) else f"{what}: {text[:_SHOWN]!r} is not valid"


def _one_of(known: frozenset[str], text: str, what: str) -> str:
    return "" if text in known else f"{what}: {text[:_SHOWN]!r} is not known"


def _port(protocol: str, *ports: int) -> str:
    if protocol in PROTOCOLS and max(ports) <= MAX_PORT:
        return ""
    return f"{protocol[:_SHOWN]} {'/'.join(map(str, ports))} is not a port"


def _seconds(seconds: int, what: str) -> str:
    return "" if 0 <= seconds <= MAX_SECONDS else f"{what}: {seconds} is not within 0 to {MAX_SECONDS}"


def _moment(moment: Timestamp, what: str) -> str:
    return "" if 0 <= moment.seconds < YEAR_10000 else f"{what}: {_years(moment.seconds)}"


def _years(seconds: int) -> str:
    return f"{seconds} s since the epoch is not within the years 1970 to 9999"


_CHECKS: Final[dict[type[Message], Callable[[Any], str]]] = {
    desired_pb2.NodeConfig: node,
    desired_pb2.Peer: peer,
    desired_pb2.Service: service,
    desired_pb2.ServiceEndpoints: endpoints,
    desired_pb2.EndpointSlice: endpoint_slice,
    desired_pb2.ConfigMap: config_map,
    desired_pb2.Secret: config_map,
    desired_pb2.Pod: pod,
}
