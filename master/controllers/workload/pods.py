"""New pods of a workload: their content, how many at a time, and the pause after nodes have refused some."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from master.component.moments import Age
from master.component.podstate import AnyPod, ready_since
from master.controllers.workload.claims import owner_reference
from master.controllers.workload.workload import Workload
from master.kinds.core.pod.model import Pod
from master.objects.meta import ObjectMeta, parse_time

FIRST_PAUSE_S: Final = 10.0
"""The pause after a node has refused a pod; it doubles with each further one that exists."""
LONGEST_PAUSE_S: Final = 300.0


def new_pod(workload: Workload) -> Pod:
    """A pod from the template; the API generates its name. Raises ValueError without a template."""
    template = workload.template
    if template is None:
        raise ValueError(f"{workload} has no template")
    return Pod(
        metadata=ObjectMeta(
            generate_name=f"{workload.metadata.name}-",
            namespace=workload.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations,
            finalizers=template.metadata.finalizers,
            owner_references=(owner_reference(workload),),
        ),
        spec=template.spec,
    )


def batches(count: int, *, largest: int = 64) -> list[int]:
    """How many pods to create at a time: 1, 2, 4 ... so that a pod which the API refuses fails once, not 500 times."""
    sizes: list[int] = []
    size = 1
    while count > 0:
        sizes.append(min(size, count))
        count -= sizes[-1]
        size = min(size * 2, largest)
    return sizes


def pause_s(owned: Iterable[AnyPod], age: Age) -> float:
    """Seconds until the owner of these pods may create one, because nodes have refused some; 0 without a refused one.

    A node refuses a pod within milliseconds, so that without a pause one wrong template would fill the store.
    """
    refused = [age(parse_time(pod.metadata.creation_timestamp)) for pod in owned if _was_refused(pod)]
    if not refused:
        return 0.0
    doublings = min(len(refused) - 1, 16)
    pause = min(FIRST_PAUSE_S * (1 << doublings), LONGEST_PAUSE_S)
    return max(0.0, pause - min(refused))


def _was_refused(pod: AnyPod) -> bool:
    """Whether the pod failed on its node before it had a container."""
    status = pod.status
    return status.phase == "Failed" and bool(status.reason) and not status.container_statuses


def available_in(pod: AnyPod, min_ready_s: int, age: Age) -> float | None:
    """Seconds until the pod is available (ready for `min_ready_s`): 0 when it is, None when it is not ready."""
    since = ready_since(pod)
    if since is None:
        return None
    return max(0.0, min_ready_s - age(since)) if min_ready_s else 0.0
