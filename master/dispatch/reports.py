"""What agents report of their pods and what happened to them, brought into the API.

Owns the rules of acceptance: a report counts for the pod of its uid, and only when that pod is on the speaker's node.
Returns when everything is committed. The conversion is in statuses.py; sessions are checked before (service.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from master.api.errors import Invalid, NotFound
from master.api.kinds import POD
from master.api.kinds.pod import Pod
from master.api.resources import Resources
from master.clock import Clock
from master.component.events import EventRecorder, Involved
from master.dispatch.complaints import Complaints
from master.dispatch.errors import Stale
from master.dispatch.nodes import CALLER
from master.dispatch.sanity import MAX_CONDITIONS, event_problem, status_problem
from master.dispatch.statuses import merged
from proto.gen import observed_pb2

EVENT_SOURCE = "kubelet"
"""The name under which clients expect a node's events."""

log = logging.getLogger(__name__)


class Reports:
    """Takes reports of one cluster's agents."""

    def __init__(self, resources: Resources, events: EventRecorder, clock: Clock) -> None:
        self._resources = resources
        self._events = events
        self._clock = clock
        self._complaints = Complaints(log, clock)
        self._recorded: dict[str, frozenset[int]] = {}
        """Hashes of each node's last batch of events."""

    async def pods(
        self, node: str, statuses: Iterable[observed_pb2.PodStatus], current: Callable[[], bool] = lambda: True
    ) -> list[str]:
        """Commit all of them; commits made at once share the disk's sync. Returns the uids that are not known.

        Of one pod the last status counts. One that fails keeps no other from being committed; then its error is raised.
        `current`: whether the session goes on. Raises Stale when it does not: what a later session said must stand.
        """
        reported = {status.uid: status for status in statuses}
        outcomes = await asyncio.gather(
            *(self._pod(node, status, current) for status in reported.values()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [uid for uid, known in zip(reported, outcomes, strict=True) if not known]

    def record(self, node: str, events: Iterable[observed_pb2.Event]) -> None:
        """Hand events on; they are about pods of the node, or the node itself.

        An agent that did not hear our answer sends the batch again, in its next session and perhaps with more: an
        event that says the same of the same moment is the same one.
        """
        told = [(hash(event.SerializeToString(deterministic=True)), event) for event in events]
        before = self._recorded.get(node, frozenset())
        self._recorded[node] = frozenset(number for number, event in told if event.HasField("time"))
        for event in (event for number, event in told if number not in before):
            if problem := event_problem(event):
                self._complaints.tell(node, f"event ignored: {problem}")
                continue
            if event.kind == "Node":
                involved = Involved("Node", "", node)
            elif event.kind == "Pod" and self._on_node(node, event):
                involved = Involved("Pod", event.namespace, event.name, event.uid, event.field_path)
            else:
                what = f"{event.kind[:40]} {event.namespace}/{event.name}"
                self._complaints.tell(node, f"event about {what} ignored", level=logging.INFO)
                continue
            when = datetime.fromtimestamp(event.time.seconds, UTC) if event.time.seconds else None
            self._events.record(
                EVENT_SOURCE,
                involved=involved,
                type="Warning" if event.type == "Warning" else "Normal",
                reason=event.reason,
                message=event.message,
                host=node,
                when=when,
            )

    def _on_node(self, node: str, event: observed_pb2.Event) -> bool:
        """A pod that is gone may still have a last word; one of another node may not be spoken for."""
        pod = self._resources.cache.get(POD, event.namespace, event.name)
        return pod is None or pod.metadata.uid != event.uid or pod.spec.node_name == node

    async def _pod(self, node: str, status: observed_pb2.PodStatus, current: Callable[[], bool]) -> bool:
        """True when the report is committed or needs not be; False when the master has no such pod there."""
        pod = self._resources.cache.get(POD, status.namespace, status.name)
        if pod is None or not _is(pod, status.uid, node):
            return False
        if problem := status_problem(status, _containers(pod)):
            self._refused(node, status, problem)
            return True
        try:
            if status.removed:
                return await self._removed(pod, status)
            known = True

            def change(found: Pod) -> Pod | None:
                nonlocal known
                if not current():
                    raise Stale(f"session of node {node} has ended; say Hello again")
                known = _is(found, status.uid, node)
                after = merged(found.status, status, self._clock.now()) if known else found.status
                if len(after.conditions) > max(MAX_CONDITIONS, len(found.status.conditions)):
                    self._refused(node, status, f"conditions: {len(after.conditions)} different ones by now")
                    return None
                return None if after == found.status else msgspec.structs.replace(found, status=after)

            await self._resources.mutate(CALLER, POD, status.namespace, status.name, change, subresource="status")
            return known
        except NotFound:
            return False
        except Invalid as error:
            self._refused(node, status, str(error))
            return True

    def _refused(self, node: str, status: observed_pb2.PodStatus, problem: str) -> None:
        """Told here and not to the agent: sending it again would change nothing, and its other pods are well."""
        text = f"report of pod {status.namespace}/{status.name} refused: {problem}"
        self._complaints.tell(node, text, level=logging.ERROR)

    async def _removed(self, pod: Pod, status: observed_pb2.PodStatus) -> bool:
        if not pod.metadata.deletion_timestamp:
            text = f"pod {status.namespace}/{status.name}: removed on its node without being deleted"
            self._complaints.tell(pod.spec.node_name, text)
            return True
        await self._resources.finish_pod_deletion(CALLER, status.namespace, status.name, status.uid)
        return True


def _is(pod: Pod, uid: str, node: str) -> bool:
    return pod.metadata.uid == uid and pod.spec.node_name == node


def _containers(pod: Pod) -> dict[str, frozenset[str]]:
    """The names that a report's fields may have."""
    return {
        "init_container_statuses": frozenset(each.name for each in pod.spec.init_containers),
        "container_statuses": frozenset(each.name for each in pod.spec.containers),
    }
