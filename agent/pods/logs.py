"""Reads a container's log.

Owns the choice of the instance and the byte limit. Does not read ahead, so that the runtime's back-pressure works.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from agent.model import LogOptions, Pod
from agent.pods.errors import LogUnavailable
from agent.pods.observed import Instance, Observed
from agent.runtime.interface import Runtime
from agent.runtime.records import ContainerPhase
from agent.statuses import PodStatus


async def read_logs(
    runtime: Runtime, pod: Pod, observed: Observed, status: PodStatus | None, container: str, options: LogOptions
) -> AsyncIterator[bytes]:
    """The log in pieces; ends when the instance ends. Raises LogUnavailable."""
    if pod.container(container) is None:
        names = ", ".join(known.name for known in pod.all_containers)
        raise LogUnavailable(f'pod "{pod.ref}" has no container "{container}"; it has {names}')
    instance = _previous(observed, status, container) if options.previous else _present(observed, container)
    if instance is None:
        why = "has no previous instance" if options.previous else "is waiting to start"
        raise LogUnavailable(f'container "{container}" of pod "{pod.ref}" {why}')
    left = options.limit_bytes
    async for piece in runtime.containers.logs(instance.id, options):
        if not options.limit_bytes:
            yield piece
            continue
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _present(observed: Observed, container: str) -> Instance | None:
    instances = observed.containers.get(container, ())
    return next((each for each in reversed(instances) if each.record.phase is not ContainerPhase.CREATED), None)


def _previous(observed: Observed, status: PodStatus | None, container: str) -> Instance | None:
    """As in Kubernetes, the instance that the status shows as the last state."""
    statuses = status.all_containers if status is not None else ()
    last = next((each.last_state for each in statuses if each.name == container), None)
    if last is None:
        return None
    instances = observed.containers.get(container, ())
    return next((each for each in instances if last.container_id.endswith(f"//{each.id}")), None)
