"""Conversion of what an agent reports about its pods' usage: from the contract's message to the API's values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from master.api.usages import ContainerUsage, PodUsage
from proto.gen import observed_pb2


def pod_usages(message: observed_pb2.PodUsages, now: datetime) -> Mapping[str, PodUsage]:
    """The usages by the pods' uids. `now`: the time on this host, as clocks of nodes may be wrong."""
    measured_at = now - timedelta(milliseconds=message.age_ms)
    return {pod.uid: _usage(pod, measured_at) for pod in message.pods if pod.containers}


def _usage(pod: observed_pb2.PodUsage, measured_at: datetime) -> PodUsage:
    return PodUsage(
        measured_at=measured_at,
        window_s=min(container.window_ms for container in pod.containers) / 1000,
        containers=tuple(
            ContainerUsage(container.name, container.cpu_nano_cores, container.memory_bytes)
            for container in pod.containers
        ),
    )
