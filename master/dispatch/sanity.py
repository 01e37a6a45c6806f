"""What an agent's message must satisfy before anything of it is believed.

Owns the bounds and forms that protobuf does not say: protobuf knows types, not meaning. Raises Misfit, or says what is
wrong with one item of a batch whose other items are good. Reads nothing but the message.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from master.api.checks import Findings, qualified_name
from master.api.strategies.simple import endpoint_address
from master.dispatch.errors import Misfit
from proto import contract
from proto.gen import observed_pb2, session_pb2

MAX_CONDITIONS: Final = 32
MAX_LABELS: Final = 64
MAX_ADDRESSES: Final = 1024
MAX_TRUSTED: Final = 16
FINGERPRINT: Final = 64
"""Characters of a certificate's."""
MAX_WORD: Final = 1024
"""Characters of what is a name, a reason or an id."""
MAX_TEXT: Final = 32 << 10
"""Characters of what is a sentence for people; as the Kubernetes API has it for conditions."""

_STATUSES: Final = ("True", "False", "Unknown")
_PHASES: Final = ("", "Pending", "Running", "Succeeded", "Failed")
_YEAR_10000: Final = 253_402_300_800
"""Seconds since the epoch; RFC 3339 has four digits for the year."""


def check_hello(request: session_pb2.HelloRequest) -> None:
    """Machine, address, labels and capacity. Raises Misfit that names the field."""
    info, found = request.node, Findings()
    for field, value in info.ListFields():
        if isinstance(value, str) and len(value) > MAX_WORD:
            raise Misfit(f"node.{field.name}: longer than {MAX_WORD} characters")
    # Without it two machines look like one, and an identity looks like one that was never used.
    if not info.machine_id.strip():
        raise Misfit("node.machine_id: required")
    if len(request.trusted) > MAX_TRUSTED or any(len(each) > FINGERPRINT for each in request.trusted):
        raise Misfit(f"trusted: more than {MAX_TRUSTED} fingerprints, or one that is too long")
    if len(info.addresses) > MAX_ADDRESSES:
        raise Misfit(f"node.addresses: more than {MAX_ADDRESSES}")
    endpoint_address("node.address", info.address, found)
    if len(info.labels) > MAX_LABELS:
        raise Misfit(f"node.labels: more than {MAX_LABELS}")
    found.labels("node.labels", info.labels)
    if found:
        raise Misfit("; ".join(f"{each.field}: {each.message}" for each in found.causes))
    check_capacity(request.capacity)


def check_capacity(capacity: observed_pb2.Capacity) -> None:
    """Raises Misfit when an amount is negative; an absent one is 0."""
    for field, value in capacity.ListFields():
        if value < 0:
            raise Misfit(f"capacity.{field.name}: {value} is negative")


def check_conditions(conditions: Sequence[observed_pb2.Condition]) -> None:
    """Raises Misfit at the first one that is none, or when they are too many."""
    if problem := _conditions_problem(conditions):
        raise Misfit(problem)


def check_count(what: str, count: int) -> None:
    """Raises Misfit when a report has more items than an agent sends at once."""
    if count > contract.MAX_REPORTED:
        raise Misfit(f"{count} {what} in one report: {contract.MAX_REPORTED} at most")


def status_problem(status: observed_pb2.PodStatus, containers: Mapping[str, frozenset[str]]) -> str:
    """What keeps a pod's status from being believed, or nothing. `containers`: the pod's own, by field name."""
    if status.phase not in _PHASES:
        return f"phase: {status.phase[:40]!r} is none of {', '.join(_PHASES[1:])}"
    for name in ("host_ip", "pod_ip"):
        if problem := _address_problem(name, getattr(status, name)):
            return problem
    if problem := _conditions_problem(status.conditions) or _time_problem("start_time", status.start_time):
        return problem
    for field, known in containers.items():
        reported = getattr(status, field)
        names = {each.name for each in reported} if len(reported) <= len(known) else frozenset()
        if len(names) != len(reported) or not known.issuperset(names):
            return f"{field}: not the pod's containers, each once"
        for each in reported:
            if problem := _container_problem(each):
                return f"{field}: {each.name}: {problem}"
    return ""


def event_problem(event: observed_pb2.Event) -> str:
    """What keeps an event from being believed, or nothing."""
    for name in ("namespace", "name", "uid", "field_path", "reason"):
        if len(getattr(event, name)) > MAX_WORD:
            return f"{name}: longer than {MAX_WORD} characters"
    return _time_problem("time", event.time)


def _conditions_problem(conditions: Sequence[observed_pb2.Condition]) -> str:
    # Counted as they came: protobuf makes an object of each that is looked at, which takes time where many came.
    if len(conditions) > MAX_CONDITIONS:
        return f"conditions: {len(conditions)}, {MAX_CONDITIONS} at most"
    for each in conditions:
        if wrong := qualified_name(each.type):
            return f"conditions: type {each.type[:40]!r}: {wrong}"
        if each.status not in _STATUSES:
            return f"conditions: {each.type}: status {each.status[:40]!r} is none of {', '.join(_STATUSES)}"
        if problem := _time_problem("last_transition_time", each.last_transition_time):
            return f"conditions: {each.type}: {problem}"
    return ""


def _container_problem(status: observed_pb2.ContainerStatus) -> str:
    if status.restart_count < 0:
        return f"restart_count: {status.restart_count} is negative"
    for name in ("image", "image_id", "container_id"):
        if len(getattr(status, name)) > MAX_WORD:
            return f"{name}: longer than {MAX_WORD} characters"
    for state in (status.state, status.last_state):
        for name, moment in (
            ("running.started_at", state.running.started_at),
            ("terminated.started_at", state.terminated.started_at),
            ("terminated.finished_at", state.terminated.finished_at),
        ):
            if problem := _time_problem(name, moment):
                return problem
    return ""


def _time_problem(name: str, moment: Timestamp) -> str:
    if 0 <= moment.seconds < _YEAR_10000 and 0 <= moment.nanos < 1_000_000_000:
        return ""
    return f"{name}: {moment.seconds} s since the epoch is not within the years 1970 to 9999"


def _address_problem(name: str, text: str) -> str:
    try:
        ipaddress.ip_address(text or "0.0.0.0")
    except ValueError:
        return f"{name}: {text[:40]!r} is no IP address"
    return ""
