"""The writes of pods that components of the master make besides plain updates."""

from __future__ import annotations

from master.api.errors import Conflict, NotFound
from master.api.identity import Caller
from master.api.pipeline.request import Request
from master.api.resources import Resources
from master.kinds.core.pod.binding import assign
from master.kinds.core.pod.resource import POD


async def bind(resources: Resources, caller: Caller, namespace: str, name: str, node: str, *, uid: str = "") -> None:
    """Assigns a pod to a node. Raises Conflict when it has a node, is being deleted or has another `uid`."""
    request = Request(caller, "create", POD, namespace, name, "binding")
    await assign(resources, await resources.pipeline.authorize(request), node, uid=uid)


async def finish_deletion(resources: Resources, caller: Caller, namespace: str, name: str, uid: str) -> None:
    """Removes a pod that is being deleted, after its node has cleaned up; with finalizers it stays marked.

    Does nothing if the pod does not exist, has another uid or is not being deleted.
    """
    pod = resources.cache.get(POD, namespace, name)
    if pod is None or pod.metadata.uid != uid or not pod.metadata.deletion_timestamp:
        return
    try:
        await resources.delete(caller, POD, namespace, name, grace_period_s=0, uid=uid)
    except (NotFound, Conflict):
        return
