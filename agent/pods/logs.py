"""Reads a container's log.

Owns the choice of the instance and the byte limit. Does not read ahead, so that the runtime's back-pressure works.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from agent.model import LogOptions, Pod
from agent.pods.errors import LogUnavailable
from agent.pods.observed import Instance, Observed
from agent.runtime.interface import ContainerPhase, Runtime


async def read_logs(
    runtime: Runtime, pod: Pod, observed: Observed, container: str, options: LogOptions
) -> AsyncIterator[bytes]:
    """The log in pieces; ends when the instance ends. Raises LogUnavailable."""
    instance = _instance(pod, observed, container, previous=options.previous)
    left = options.limit_bytes
    async for piece in runtime.logs(instance.id, options):
        if not options.limit_bytes:
            yield piece
            continue
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _instance(pod: Pod, observed: Observed, container: str, *, previous: bool) -> Instance:
    if pod.container(container) is None:
        names = ", ".join(known.name for known in (*pod.init_containers, *pod.containers))
        raise LogUnavailable(f'pod "{pod.ref}" has no container "{container}"; it has {names}')
    instances = [
        instance
        for instance in observed.containers.get(container, ())
        if instance.record.phase is not ContainerPhase.CREATED
    ]
    if previous:
        newest = observed.newest(container)
        ended = [instance for instance in instances if instance.exited and instance is not newest]
        if not ended:
            raise LogUnavailable(f'container "{container}" of pod "{pod.ref}" has no previous instance')
        return ended[-1]
    if not instances:
        raise LogUnavailable(f'container "{container}" of pod "{pod.ref}" is waiting to start')
    return instances[-1]
