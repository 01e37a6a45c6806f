"""All pods of this node: one worker per pod, woken by the engine's events.

Owns the workers, and the containers that belong to no desired pod; following.py reads the engine's events and lists.
Those containers are removed only after a complete snapshot, and only with our cluster's and node's labels. When
cancelled, it leaves all containers running.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Final

from agent.clock import Clock, wait_until
from agent.connections import Connection
from agent.errors import AgentError
from agent.model import ConnectionRequest, Desired, LogRequest, Pod, PodUid, ProcessRequest
from agent.pods.connections import open_connection
from agent.pods.context import WorkerContext
from agent.pods.errors import LogUnavailable, NoConnection, ProcessUnavailable
from agent.pods.following import Following
from agent.pods.interface import PodNetwork, PodsConfig, Reporter, TokenIssuer
from agent.pods.logs import read_logs
from agent.pods.measurable import target
from agent.pods.names import identify, node_labels
from agent.pods.processes import open_process
from agent.pods.pullrecords import PullRecords
from agent.pods.room import Room
from agent.pods.storage import excess
from agent.pods.verdict import evicted, is_critical, terminated
from agent.pods.worker import PodWorker
from agent.probes.interface import Prober
from agent.runtime.errors import RuntimeFault
from agent.runtime.events import EventKind, RuntimeEvent
from agent.runtime.interface import Runtime
from agent.runtime.process import Exec, Process
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.statuses import PodStatus
from agent.usage.targets import PodTarget
from agent.usage.written import Written
from agent.volumes.manager import Volumes

_LOG = logging.getLogger(__name__)

ORPHAN_GRACE_S: Final = 2
"""Grace period of a container whose pod the master does not know any more."""

_FIRST_RECONNECT_S: Final = 0.1
_LONGEST_RECONNECT_S: Final = 5.0
_WORKER_RESTART_S: Final = 5.0
_KILLED_S: Final = 2.0
"""How long it may take until the end of a container that was killed is known."""
_RECORDS_S: Final = 300.0
"""How often the records of images that are gone are removed."""


class PodManager:
    """The pods of a node. `apply` may be called before and while `run` runs; nothing is started before the engine's
    containers are known."""

    def __init__(
        self,
        runtime: Runtime,
        network: PodNetwork,
        volumes: Volumes,
        reporter: Reporter,
        clock: Clock,
        config: PodsConfig,
        *,
        prober: Prober,
        processes: Exec,
        tokens: TokenIssuer,
    ) -> None:
        self._exec = processes
        records = PullRecords(config.state_dir / "images", clock)
        room = Room(config.node, config.node_ports)
        self._context = WorkerContext(runtime, network, volumes, config, clock, prober, tokens, room, records)
        self._reporter = reporter
        self._labels = node_labels(config)
        self._workers: dict[PodUid, PodWorker] = {}
        self._gone: dict[PodUid, Pod] = {}
        self._unclaimed: dict[PodUid, list[ContainerRecord]] = {}
        self._desired = Desired(pods={})
        self._complete = False
        self._listed = False
        self._first_list = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    # --- for the session -------------------------------------------------------------------------------------------

    async def apply(self, desired: Desired, *, complete: bool) -> None:
        """Replace the desired state with that of another revision.

        `complete`: it comes from the master (a snapshot, or deltas on one): pods that are not in it are removed.
        Returns at once; the work is done by `run`.
        """
        self._desired = desired
        self._complete = complete
        self._gone = {uid: pod for uid, pod in self._gone.items() if uid in desired.pods}
        if self._listed:
            self._reconcile()

    def statuses(self) -> list[PodStatus]:
        """Every pod's present status, for a full report; pods of which nothing is left are marked `removed`."""
        present = [worker.status for worker in self._workers.values() if worker.status is not None]
        gone = [PodStatus(pod.uid, pod.namespace, pod.name, removed=True) for pod in self._gone.values()]
        return [*present, *gone]

    async def listed(self) -> None:
        """Returns once the engine's containers are known; from then on `pod_uids` is complete."""
        await self._first_list.wait()

    @property
    def idle(self) -> bool:
        """No pod and no container of ours is left: containers have been listed, and all workers have ended."""
        return self._listed and not self._workers and not self._unclaimed

    def pod_uids(self) -> frozenset[PodUid]:
        """Pods that may have something on the node: their addresses must not be given to other pods."""
        return frozenset(self._workers) | frozenset(self._unclaimed) | frozenset(self._desired.pods)

    def measurable(self) -> tuple[PodTarget, ...]:
        """What runs of the pods, for measurements."""
        targets = (
            target(
                worker.pod,
                worker.observed(),
                self._context.volumes.directory(worker.uid),
                worker.status.start_time if worker.status is not None else 0.0,
            )
            for worker in self._workers.values()
        )
        return tuple(each for each in targets if each is not None)

    def take_written(self, written: Mapping[str, Written]) -> None:
        """Evict the pods that have written more than they may. `written`: by the pod's uid."""
        for uid, worker in self._workers.items():
            if uid in written and (message := excess(worker.pod, written[uid])):
                worker.end(evicted(message))

    async def shut_down(self, *, grace_s: int, critical_s: int) -> None:
        """End all pods, as the host is shutting down, and start no others: within `critical_s` those that the cluster
        needs, and before that the others within the rest of `grace_s`."""
        self._context.room.close()
        for critical, seconds in ((False, grace_s - critical_s), (True, critical_s)):
            group = [worker for worker in self._workers.values() if is_critical(worker.pod) is critical]
            for worker in group:
                worker.end(terminated(seconds), event=False)
            await wait_until(self._context.clock, partial(self._have_ended, group), within_s=seconds + _KILLED_S)

    def _have_ended(self, workers: Iterable[PodWorker]) -> bool:
        return all(worker.ended for worker in workers if worker.uid in self._workers)

    def logs(self, request: LogRequest) -> AsyncIterator[bytes]:
        """A container's log. Raises LogUnavailable, here or at the first piece."""
        worker, options = self._worker_of(request, LogUnavailable), request.options
        if options.since_s:
            # By this clock: it also dates the lines, and that of the master may differ.
            options = replace(options, since_at=max(0.0, self._context.clock.wall() - options.since_s))
        return read_logs(
            self._context.runtime, worker.pod, worker.observed(), worker.status, request.container, options
        )

    def process(self, request: ProcessRequest) -> AbstractAsyncContextManager[Process]:
        """A process in a running container. Raises ProcessUnavailable."""
        worker = self._worker_of(request, ProcessUnavailable)
        return open_process(self._exec, worker.pod, worker.observed(), request)

    def connection(self, request: ConnectionRequest) -> AbstractAsyncContextManager[Connection]:
        """A connection to a port of a pod. Raises NoConnection here, CannotConnect on entering."""
        worker = self._worker_of(request, NoConnection)
        return open_connection(worker.pod, worker.observed(), request)

    def _worker_of(
        self, request: LogRequest | ProcessRequest | ConnectionRequest, missing: type[AgentError]
    ) -> PodWorker:
        """The worker of the pod that the request is about. Raises `missing` if the pod is not on this node."""
        worker = self._workers.get(request.uid)
        if worker is None:
            raise missing(f'pod "{request.namespace}/{request.pod}" ({request.uid}) is not on this node')
        return worker

    # --- the task --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            context = self._context
            keeping = context.pull_records.keep(context.runtime.images, _RECORDS_S)
            group.create_task(keeping, name="records of pulled images")
            following = Following(context.runtime, self._labels, self, context.clock, group)
            delay_s = _FIRST_RECONNECT_S
            while True:
                try:
                    await following.run()
                except RuntimeFault as error:
                    _LOG.warning("container engine: %s; trying again in %.1f s", error, delay_s)
                if self._listed:
                    delay_s = _FIRST_RECONNECT_S
                self._listed = False
                for worker in self._workers.values():
                    worker.pause()
                await context.clock.sleep(delay_s)
                delay_s = min(delay_s * 2, _LONGEST_RECONNECT_S)

    # --- what the engine reports (Taker) ---------------------------------------------------------------------------

    def take_list(self, records: Iterable[ContainerRecord]) -> None:
        by_pod: dict[PodUid, list[ContainerRecord]] = defaultdict(list)
        for record in records:
            identity = identify(record.labels)
            if identity is not None:
                by_pod[identity.uid].append(record)
        for uid, worker in self._workers.items():
            worker.observe(by_pod.pop(uid, []))
        self._unclaimed = dict(by_pod)
        self._listed = True
        self._reconcile()
        self._first_list.set()

    def take_event(self, uid: PodUid, event: RuntimeEvent) -> bool:
        worker = self._workers.get(uid)
        if worker is not None:
            return worker.take(event)
        return event.kind not in (EventKind.CREATED, EventKind.STARTED)

    def take_phases(self, phases: Mapping[PodUid, Mapping[ContainerId, ContainerPhase]]) -> Iterable[ContainerId]:
        unknown: set[ContainerId] = set()
        for uid, worker in self._workers.items():
            unknown |= worker.compare(phases.get(uid, {}))
        for uid in phases.keys() - self._workers.keys():
            unknown |= phases[uid].keys() - {record.id for record in self._unclaimed.get(uid, [])}
        return unknown

    def take_record(self, uid: PodUid, record: ContainerRecord) -> None:
        """Take an unknown container: the engine was still creating it when an agent died, or during the list."""
        if not self._listed:
            return  # the next list has it
        worker = self._workers.get(uid)
        if worker is not None:
            worker.observe_one(record)
            return
        others = [other for other in self._unclaimed.get(uid, []) if other.id != record.id]
        self._unclaimed[uid] = [*others, record]
        self._gone.pop(uid, None)
        self._reconcile()

    # --- workers ---------------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        """Start a worker for each desired pod; end pods that are not desired once the desired state is complete."""
        desired = self._desired
        known = desired.pods.keys() | desired.refused
        for uid, pod in desired.pods.items():
            worker = self._workers.get(uid)
            if worker is not None:
                worker.update(pod, desired)
            elif uid not in self._gone:
                self._start_worker(pod)
        if not self._complete:
            return
        for uid, worker in self._workers.items():
            if uid not in known:
                worker.update(self._terminating(worker.pod), desired)
        for uid in [*self._unclaimed, *sorted(self._context.volumes.on_disk())]:
            if uid not in self._workers and uid not in known:
                _LOG.info("pod %s: not desired on this node (any more); removing what is left of it", uid)
                self._start_worker(self._terminating(self._unknown_pod(uid)))

    def _start_worker(self, pod: Pod) -> None:
        if self._group is None:
            return
        worker = PodWorker(self._context, self._reporter, pod, self._desired)
        worker.observe(self._unclaimed.pop(pod.uid, []))
        self._workers[pod.uid] = worker
        self._group.create_task(self._work(worker), name=f"pod {pod.ref}")

    async def _work(self, worker: PodWorker) -> None:
        """Run a worker to its end. A bug that shows in one pod must not end the others."""
        while True:
            try:
                await worker.run()
                break
            except Exception:  # noqa: BLE001 - the boundary of a pod's loop; logged with its name
                _LOG.exception("pod %s: its worker failed; restarting it in %.0f s", worker.pod.ref, _WORKER_RESTART_S)
                await self._context.clock.sleep(_WORKER_RESTART_S)
                await self._observe_again(worker)
        del self._workers[worker.uid]
        if worker.uid in self._desired.pods:
            self._gone[worker.uid] = worker.pod
        self._reporter.removed(worker.uid)

    async def _observe_again(self, worker: PodWorker) -> None:
        try:
            records = await self._context.runtime.list(self._labels)
        except RuntimeFault as error:
            _LOG.warning("pod %s: %s", worker.pod.ref, error)
            return
        worker.observe(record for record in records if _pod_uid(record) == worker.uid)

    def _terminating(self, pod: Pod) -> Pod:
        """The pod, to be deleted with ORPHAN_GRACE_S at most."""
        if pod.deleted and pod.grace_period_s <= ORPHAN_GRACE_S:
            return pod
        return replace(pod, deletion_at=self._context.clock.wall(), grace_period_s=ORPHAN_GRACE_S)

    def _unknown_pod(self, uid: PodUid) -> Pod:
        """A pod that is known only by its containers or its directory."""
        identities = [identify(record.labels) for record in self._unclaimed.get(uid, [])]
        ref = next((identity.ref for identity in identities if identity is not None), None)
        return Pod(uid, ref.namespace if ref else "", ref.name if ref else "", containers=())


def _pod_uid(record: ContainerRecord) -> PodUid | None:
    identity = identify(record.labels)
    return identity.uid if identity is not None else None
