"""Checks the master's messages before anything of them is applied; raises Garbled.

Owns the limits and forms that protect this machine: names that become paths, addresses that become routes, numbers that
become waits. All checks are looser than the API's, so that no object that a user can create is refused here and blocks
the others. Reads nothing but the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from agent.model import PodPhase, PullPolicy, RestartPolicy
from agent.wire.errors import Garbled
from proto.gen import desired_pb2, session_pb2

# Directory names are made from these: no slash, no leading dot.
_UID: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,127}")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_STREAM_ID: Final = re.compile(r"[-A-Za-z0-9]{1,64}")
_PROTOCOLS: Final = frozenset({"", "TCP", "UDP", "SCTP"})
_MAX_PORT: Final = 65535
_MAX_SECONDS: Final = (1 << 31) - 1
_YEAR_10000: Final = 253_402_300_800

LONGEST_HEARTBEAT_MS: Final = 300_000
SHORTEST_HEARTBEAT_MS: Final = 10
LONGEST_GRACE_MS: Final = 24 * 3600 * 1000
_DEFAULTS: Final = session_pb2.Periods(next_heartbeat_ms=10_000, grace_ms=40_000)


def check_cut(cut: session_pb2.Cut) -> None:
    """Check one message of a cut. Raises Garbled that names the item."""
    if cut.HasField("node"):
        _node(cut.node)
    for pod in cut.pods:
        _pod(pod)
    for service in cut.services:
        _ref("service", service.ref)
        for port in service.ports:
            _port(f"service {service.ref.name[:60]}", port.protocol, port.port, port.node_port)
    for endpoints in cut.endpoints:
        _ref("endpoints", endpoints.ref)
        for subset in endpoints.subsets:
            for target in subset.ports:
                _port(f"endpoints {endpoints.ref.name[:60]}", target.protocol, target.port)
    for peer in cut.peers:
        _require(_NAME, peer.name, "peer")
    for config_map in cut.config_maps:
        _ref("config map", config_map.ref)
    for secret in cut.secrets:
        _ref("secret", secret.ref)


def check_stream(request: session_pb2.StreamRequest) -> None:
    """Check a request for a log stream. Raises Garbled."""
    _require(_STREAM_ID, request.stream_id, "stream id")
    logs = request.logs
    _require(_UID, logs.pod_uid, "log: pod uid")
    if min(logs.tail_lines, logs.since_unix_s, logs.limit_bytes) < 0 or logs.since_unix_s >= _YEAR_10000:
        raise Garbled(f"log of pod {logs.pod_uid}: numbers out of range")


def sensible(periods: session_pb2.Periods) -> session_pb2.Periods:
    """The master's periods brought within bounds: heartbeats neither without pause nor once a year."""
    heartbeat_ms = periods.next_heartbeat_ms or _DEFAULTS.next_heartbeat_ms
    heartbeat_ms = min(max(heartbeat_ms, SHORTEST_HEARTBEAT_MS), LONGEST_HEARTBEAT_MS)
    grace_ms = min(max(periods.grace_ms or _DEFAULTS.grace_ms, 2 * heartbeat_ms), LONGEST_GRACE_MS)
    return session_pb2.Periods(next_heartbeat_ms=heartbeat_ms, grace_ms=grace_ms)


def _node(node: desired_pb2.NodeConfig) -> None:
    try:
        IPv4Address(node.node_address)
        pods, cluster = IPv4Network(node.pod_cidr), IPv4Network(node.cluster_cidr)
        services = IPv4Network(node.service_cidr)
    except ValueError as error:
        raise Garbled(f"this node's configuration: {error}") from error
    if not pods.subnet_of(cluster) or cluster.overlaps(services):
        raise Garbled(
            f"this node's configuration: pods {pods}, all pods {cluster}, services {services} do not fit together"
        )


def _pod(pod: desired_pb2.Pod) -> None:
    _require(_UID, pod.uid, "pod uid")
    what = f"pod {pod.uid}"
    _require(_NAME, pod.namespace, f"{what}: namespace")
    _require(_NAME, pod.name, f"{what}: name")
    _one_of(RestartPolicy, pod.restart_policy, f"{what}: restart policy")
    _one_of(PodPhase, pod.ended_phase, f"{what}: ended phase")
    for name in ("grace_period_s", "active_deadline_s"):
        if not 0 <= getattr(pod, name) <= _MAX_SECONDS:
            raise Garbled(f"{what}: {name} is {getattr(pod, name)}")
    for name in ("creation_timestamp", "deletion_timestamp"):
        _moment(getattr(pod, name), f"{what}: {name}")
    for container in (*pod.init_containers, *pod.containers):
        _require(_LABEL, container.name, f"{what}: container")
        _one_of(PullPolicy, container.image_pull_policy, f"{what}: pull policy")
        for port in container.ports:
            _port(what, port.protocol, port.container_port, port.host_port)
        if any(value < 0 for _, value in container.resources.ListFields()):
            raise Garbled(f"{what}: container {container.name}: resources are negative")
    for volume in pod.volumes:
        _require(_LABEL, volume.name, f"{what}: volume")


def _ref(what: str, ref: desired_pb2.ObjectRef) -> None:
    _require(_NAME, ref.namespace, f"{what}: namespace")
    _require(_NAME, ref.name, what)


def _require(form: re.Pattern[str], text: str, what: str) -> None:
    if not form.fullmatch(text):
        raise Garbled(f"{what}: {text[:60]!r} is not valid")


def _one_of(known: Iterable[str], text: str, what: str) -> None:
    """Empty text means the default."""
    if text and text not in list(map(str, known)):
        raise Garbled(f"{what}: {text[:60]!r} is not known")


def _port(what: str, protocol: str, *ports: int) -> None:
    if protocol not in _PROTOCOLS or max(ports) > _MAX_PORT:
        raise Garbled(f"{what}: {protocol[:60]} {'/'.join(map(str, ports))} is not a port")


def _moment(moment: Timestamp, what: str) -> None:
    if not 0 <= moment.seconds < _YEAR_10000:
        raise Garbled(f"{what}: {moment.seconds} s since the epoch is not within the years 1970 to 9999")
