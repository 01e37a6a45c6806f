"""A container's output: which instance is meant, and how much of it.

Owns the choice of the instance and the byte limit. Back-pressure is the runtime's: nothing is read ahead.
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
    """The output in pieces; ends with the instance's end. LogUnavailable when there is none to read."""
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
        names = ", ".join(each.name for each in (*pod.init_containers, *pod.containers))
        raise LogUnavailable(f'pod "{pod.ref}" has no container "{container}"; it has {names}')
    instances = [
        each for each in observed.containers.get(container, ()) if each.record.phase is not ContainerPhase.CREATED
    ]
    if previous:
        newest = observed.newest(container)
        ended = [each for each in instances if each.exited and each is not newest]
        if not ended:
            raise LogUnavailable(f'container "{container}" of pod "{pod.ref}" has no previous instance')
        return ended[-1]
    if not instances:
        raise LogUnavailable(f'container "{container}" of pod "{pod.ref}" is waiting to start')
    return instances[-1]
