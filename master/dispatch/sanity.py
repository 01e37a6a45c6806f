"""Validates an agent's message before any of it is used.

Owns the limits and forms that protobuf, which knows only types, cannot express. Raises InvalidMessage, or returns what
is wrong with one item of a batch whose other items are valid. Reads only the message.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from master.dispatch.errors import InvalidMessage
from master.kinds.addresses import endpoint_address
from master.schema.checks import Findings
from master.schema.names import qualified_name
from proto import contract
from proto.gen import observed_pb2, session_pb2

MAX_CONDITIONS: Final = 32
MAX_LABELS: Final = 64
MAX_ADDRESSES: Final = contract.MAX_ADDRESSES
MAX_TRUSTED: Final = 16
FINGERPRINT: Final = 64
"""Characters of a certificate's fingerprint."""
MAX_WORD: Final = contract.MAX_WORD
MAX_TEXT: Final = 32 << 10
"""Characters of a message for people; the limit of the Kubernetes API for conditions."""

MAX_GROUPS: Final = 1 << 10
MAX_ID: Final = (1 << 32) - 1
"""The largest id of a user or group that Linux has."""

_STATUSES: Final = ("True", "False", "Unknown")
_PHASES: Final = ("", "Pending", "Running", "Succeeded", "Failed")
_YEAR_10000: Final = 253_402_300_800
"""Seconds since the epoch; RFC 3339 has four digits for the year."""


def check_hello(request: session_pb2.HelloRequest) -> None:
    """Checks machine, address, labels and capacity. Raises InvalidMessage, which names the field."""
    info, findings = request.node, Findings()
    for field, value in info.ListFields():
        if isinstance(value, str) and len(value) > MAX_WORD:
            raise InvalidMessage(f"node.{field.name}: longer than {MAX_WORD} characters")
    # Without a machine id two machines look like one, and an identity looks as if it had never been used.
    if not info.machine_id.strip():
        raise InvalidMessage("node.machine_id: required")
    if len(request.trusted) > MAX_TRUSTED or any(len(fingerprint) > FINGERPRINT for fingerprint in request.trusted):
        raise InvalidMessage(f"trusted: more than {MAX_TRUSTED} fingerprints, or one is too long")
    if len(info.addresses) > MAX_ADDRESSES:
        raise InvalidMessage(f"node.addresses: more than {MAX_ADDRESSES}")
    endpoint_address("node.address", info.address, findings)
    if len(info.labels) > MAX_LABELS:
        raise InvalidMessage(f"node.labels: more than {MAX_LABELS}")
    findings.labels("node.labels", info.labels)
    if findings:
        raise InvalidMessage("; ".join(f"{cause.field}: {cause.message}" for cause in findings.causes))
    check_capacity(request.capacity)


def check_capacity(capacity: observed_pb2.Capacity) -> None:
    """Raises InvalidMessage when an amount is negative; an absent amount is 0."""
    _check_amounts("capacity", capacity)


def check_usage(usage: observed_pb2.Usage) -> None:
    """Raises InvalidMessage when an amount is negative; an absent amount is 0."""
    _check_amounts("usage", usage)


def check_pod_usages(usages: observed_pb2.PodUsages) -> None:
    """Raises InvalidMessage for too many pods or containers, too long a name, or a negative amount."""
    check_count("pods", len(usages.pods))
    if (count := sum(len(pod.containers) for pod in usages.pods)) > contract.MAX_MEASURED:
        raise InvalidMessage(f"pod_usages: {count} containers, at most {contract.MAX_MEASURED} are allowed")
    for pod in usages.pods:
        for container in pod.containers:
            if len(pod.uid) > MAX_WORD or len(container.name) > MAX_WORD:
                raise InvalidMessage(f"pod_usages: a uid or a name has more than {MAX_WORD} characters")
            if container.cpu_nano_cores < 0 or container.memory_bytes < 0:
                raise InvalidMessage("pod_usages: a negative amount")


def _check_amounts(what: str, amounts: observed_pb2.Capacity | observed_pb2.Usage) -> None:
    for field, value in amounts.ListFields():
        if value < 0:
            raise InvalidMessage(f"{what}.{field.name}: {value} is negative")


def check_conditions(conditions: Sequence[observed_pb2.Condition]) -> None:
    """Raises InvalidMessage for the first invalid condition, or when there are too many."""
    if problem := _conditions_problem(conditions):
        raise InvalidMessage(problem)


def check_count(what: str, count: int) -> None:
    """Raises InvalidMessage when a report has more items than an agent may send at once."""
    if count > contract.MAX_REPORTED:
        raise InvalidMessage(f"{count} {what} in one report, at most {contract.MAX_REPORTED} are allowed")


def status_problem(status: observed_pb2.PodStatus, containers: Mapping[str, frozenset[str]]) -> str:
    """What is wrong with a pod's status; empty when nothing is. `containers`: the pod's container names by field."""
    if status.phase not in _PHASES:
        return f"phase: {status.phase[:40]!r} is not one of {', '.join(_PHASES[1:])}"
    for name in ("host_ip", "pod_ip"):
        if problem := _address_problem(name, getattr(status, name)):
            return problem
    if problem := _conditions_problem(status.conditions) or _time_problem("start_time", status.start_time):
        return problem
    if status.observed_generation < 0:
        return f"observed_generation: {status.observed_generation} is negative"
    for field, known in containers.items():
        reported = getattr(status, field)
        names = {container.name for container in reported} if len(reported) <= len(known) else frozenset()
        if len(names) != len(reported) or not known.issuperset(names):
            return f"{field}: a container that the pod does not have, or one twice"
        for container in reported:
            if problem := _container_problem(container):
                return f"{field}: {container.name}: {problem}"
    return ""


def event_problem(event: observed_pb2.Event) -> str:
    """What is wrong with an event; empty when nothing is."""
    for name in ("namespace", "name", "uid", "field_path", "reason"):
        if len(getattr(event, name)) > MAX_WORD:
            return f"{name}: longer than {MAX_WORD} characters"
    return _time_problem("time", event.time)


def _conditions_problem(conditions: Sequence[observed_pb2.Condition]) -> str:
    # Counted before reading any: protobuf creates an object for each item that is read, which is slow for very many.
    if len(conditions) > MAX_CONDITIONS:
        return f"conditions: {len(conditions)}, at most {MAX_CONDITIONS} are allowed"
    for condition in conditions:
        if problem := qualified_name(condition.type):
            return f"conditions: type {condition.type[:40]!r}: {problem}"
        if condition.status not in _STATUSES:
            return (
                f"conditions: {condition.type}: status {condition.status[:40]!r} is not one of {', '.join(_STATUSES)}"
            )
        if problem := _time_problem("last_transition_time", condition.last_transition_time):
            return f"conditions: {condition.type}: {problem}"
    return ""


def _container_problem(status: observed_pb2.ContainerStatus) -> str:
    if status.restart_count < 0:
        return f"restart_count: {status.restart_count} is negative"
    for name in ("image", "image_id", "container_id"):
        if len(getattr(status, name)) > MAX_WORD:
            return f"{name}: longer than {MAX_WORD} characters"
    if problem := _user_problem(status.user):
        return f"user: {problem}"
    for state in (status.state, status.last_state):
        for name, moment in (
            ("running.started_at", state.running.started_at),
            ("terminated.started_at", state.terminated.started_at),
            ("terminated.finished_at", state.terminated.finished_at),
        ):
            if problem := _time_problem(name, moment):
                return problem
    return ""


def _user_problem(user: observed_pb2.ContainerUser) -> str:
    if len(user.supplemental_groups) > MAX_GROUPS:
        return f"{len(user.supplemental_groups)} groups, at most {MAX_GROUPS} are allowed"
    ids = (user.uid, user.gid, *user.supplemental_groups)
    return "" if all(0 <= number <= MAX_ID for number in ids) else "an id is out of range"


def _time_problem(name: str, moment: Timestamp) -> str:
    if 0 <= moment.seconds < _YEAR_10000 and 0 <= moment.nanos < 1_000_000_000:
        return ""
    return f"{name}: {moment.seconds} s since the epoch is outside the years 1970 to 9999"


def _address_problem(name: str, text: str) -> str:
    try:
        ipaddress.ip_address(text or "0.0.0.0")
    except ValueError:
        return f"{name}: {text[:40]!r} is not an IP address"
    return ""
