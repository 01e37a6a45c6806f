"""Writes what agents report into the API: the statuses of their pods, and events.

Owns the rules of acceptance: a report is for the pod with its uid, and only when that pod is on the reporting node.
Returns when everything is committed. The conversion is in statuses.py; service.py has checked the session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from master.api.errors import Invalid, NotFound
from master.api.resources import Resources
from master.clock import Clock
from master.component.events import EventRecorder, Involved
from master.dispatch.complaints import Complaints
from master.dispatch.details import detailed
from master.dispatch.errors import Stale
from master.dispatch.nodes import CALLER
from master.dispatch.sanity import MAX_CONDITIONS, event_problem, status_problem
from master.dispatch.statuses import merged
from master.kinds import POD
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.readiness import gated
from master.kinds.core.pod.writes import finish_deletion
from proto.gen import observed_pb2

EVENT_SOURCE = "kubelet"
"""The component that clients expect as the source of a node's events."""

log = logging.getLogger(__name__)


class Reports:
    """Accepts the agents' reports."""

    def __init__(self, resources: Resources, events: EventRecorder, clock: Clock) -> None:
        self._resources = resources
        self._events = events
        self._clock = clock
        self._complaints = Complaints(log, clock)
        self._recorded: dict[str, frozenset[int]] = {}
        """Hashes of the events in each node's last batch."""

    async def pods(
        self, node: str, statuses: Iterable[observed_pb2.PodStatus], current: Callable[[], bool] = lambda: True
    ) -> list[str]:
        """Commits the statuses concurrently, so that they share an fsync. Returns the uids of unknown pods.

        The last status of a pod counts. A failure keeps no other status from being committed; then its error is raised.
        `current`: whether the session is still current. Raises Stale when it is not, because a status that a later
        session reported must not be overwritten.
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
        """Records events about pods of the node, or about the node itself.

        An agent that did not get our reply sends the batch again in its next session, perhaps with more events. An
        event with the same content and time counts as the same event.
        """
        hashed = [(hash(event.SerializeToString(deterministic=True)), event) for event in events]
        before = self._recorded.get(node, frozenset())
        self._recorded[node] = frozenset(digest for digest, event in hashed if event.HasField("time"))
        for event in (event for digest, event in hashed if digest not in before):
            if problem := event_problem(event):
                self._complaints.log(node, f"event ignored: {problem}")
                continue
            if event.kind == "Node":
                involved = Involved("Node", "", node)
            elif event.kind == "Pod" and self._on_node(node, event):
                involved = Involved("Pod", event.namespace, event.name, event.uid, event.field_path)
            else:
                subject = f"{event.kind[:40]} {event.namespace}/{event.name}"
                self._complaints.log(node, f"event about {subject} ignored", level=logging.INFO)
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
        """Whether the event's pod is on the node, or gone: a pod's last events may arrive after its deletion."""
        pod = self._resources.cache.get(POD, event.namespace, event.name)
        return pod is None or pod.metadata.uid != event.uid or pod.spec.node_name == node

    async def _pod(self, node: str, status: observed_pb2.PodStatus, current: Callable[[], bool]) -> bool:
        """True when the report is committed or needs no commit; False when the master has no such pod on the node."""
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

            def change(stored: Pod) -> Pod | None:
                nonlocal known
                if not current():
                    raise Stale(f"session of node {node} has ended; say Hello again")
                known = _is(stored, status.uid, node)
                now = self._clock.now()
                after = stored.status
                if known:
                    reported = detailed(stored.spec, merged(stored.status, status, now), status)
                    after = gated(stored.spec, stored.status, reported, now)
                if len(after.conditions) > max(MAX_CONDITIONS, len(stored.status.conditions)):
                    self._refused(node, status, f"conditions: {len(after.conditions)} different types")
                    return None
                return None if after == stored.status else msgspec.structs.replace(stored, status=after)

            await self._resources.mutate(CALLER, POD, status.namespace, status.name, change, subresource="status")
            return known
        except NotFound:
            return False
        except Invalid as error:
            self._refused(node, status, str(error))
            return True

    def _refused(self, node: str, status: observed_pb2.PodStatus, problem: str) -> None:
        """Logs the refusal only: an error to the agent would make it send all statuses again, without effect."""
        text = f"report of pod {status.namespace}/{status.name} refused: {problem}"
        self._complaints.log(node, text, level=logging.ERROR)

    async def _removed(self, pod: Pod, status: observed_pb2.PodStatus) -> bool:
        if not pod.metadata.deletion_timestamp:
            text = f"pod {status.namespace}/{status.name}: removed on its node without being deleted"
            self._complaints.log(pod.spec.node_name, text)
            return True
        await finish_deletion(self._resources, CALLER, status.namespace, status.name, status.uid)
        return True


def _is(pod: Pod, uid: str, node: str) -> bool:
    return pod.metadata.uid == uid and pod.spec.node_name == node


def _containers(pod: Pod) -> dict[str, frozenset[str]]:
    """The container names that a report may have, by field."""
    return {
        "init_container_statuses": frozenset(container.name for container in pod.spec.init_containers),
        "container_statuses": frozenset(container.name for container in pod.spec.containers),
        "ephemeral_container_statuses": frozenset(container.name for container in pod.spec.ephemeral_containers),
    }
