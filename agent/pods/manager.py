"""All pods of this node: a worker for each, and the engine's events to wake them.

Owns the workers, the following of the engine (events first, then the list), and which containers are nobody's.
Containers that no desired pod has are removed only after a complete snapshot, and only those with our cluster's and
node's labels. Cancelled, it leaves all containers running.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Final

from agent.clock import Clock
from agent.model import Desired, LogRequest, Pod, PodUid
from agent.pods.errors import LogUnavailable
from agent.pods.logs import read_logs
from agent.pods.names import identify, node_labels
from agent.pods.perform import Means
from agent.pods.ports import PodNetwork, PodsConfig, Reporter
from agent.pods.worker import PodWorker
from agent.runtime.errors import NoSuchContainer, RuntimeFault
from agent.runtime.interface import ContainerRecord, EventKind, Runtime, RuntimeEvent
from agent.statuses import PodStatus
from agent.volumes.manager import Volumes

_LOG = logging.getLogger(__name__)

ORPHAN_GRACE_S: Final = 2
"""What a container gets to end by itself when the master does not know its pod any more."""

_FIRST_RECONNECT_S: Final = 0.1
_LONGEST_RECONNECT_S: Final = 5.0
_WORKER_RESTART_S: Final = 5.0


class PodManager:
    """The pods of a node. `apply` may be called before and while `run` runs; nothing is begun before the engine's
    containers are known."""

    def __init__(
        self,
        runtime: Runtime,
        network: PodNetwork,
        volumes: Volumes,
        reporter: Reporter,
        clock: Clock,
        config: PodsConfig,
    ) -> None:
        self._means = Means(runtime, network, volumes, config, clock)
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
        """All that the node should have at one revision; each call replaces what the one before said.

        `complete`: it comes from the master (a whole snapshot, or deltas on one), so that what is not in it is to go.
        Returns when it is taken over; the work is done by `run`.
        """
        self._desired = desired
        self._complete = complete
        self._gone = {uid: pod for uid, pod in self._gone.items() if uid in desired.pods}
        if self._listed:
            self._reconcile()

    def statuses(self) -> list[PodStatus]:
        """Every pod's present status, for a full report; those of which nothing is left are marked so."""
        present = [each.status for each in self._workers.values() if each.status is not None]
        gone = [PodStatus(pod.uid, pod.namespace, pod.name, removed=True) for pod in self._gone.values()]
        return [*present, *gone]

    async def listed(self) -> None:
        """Returns once the engine's containers are known: from then on `pod_uids` tells of all that is here."""
        await self._first_list.wait()

    @property
    def idle(self) -> bool:
        """No pod is left on the node, and no container of ours: it has been listed, and all workers have ended."""
        return self._listed and not self._workers and not self._unclaimed

    def pod_uids(self) -> frozenset[PodUid]:
        """Pods that have, or may have, something on the node: their addresses must not be given away."""
        return frozenset(self._workers) | frozenset(self._unclaimed) | frozenset(self._desired.pods)

    def logs(self, request: LogRequest) -> AsyncIterator[bytes]:
        """Output of a container; LogUnavailable (here or at the first piece) says why there is none."""
        worker = self._workers.get(request.uid)
        if worker is None:
            raise LogUnavailable(f'pod "{request.namespace}/{request.pod}" ({request.uid}) is not on this node')
        return read_logs(self._means.runtime, worker.pod, worker.observed(), request.container, request.options)

    # --- the task --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            delay_s = _FIRST_RECONNECT_S
            while True:
                try:
                    await self._follow_engine()
                except RuntimeFault as error:
                    _LOG.warning("container engine: %s; trying again in %.1f s", error, delay_s)
                if self._listed:
                    delay_s = _FIRST_RECONNECT_S
                self._listed = False
                for worker in self._workers.values():
                    worker.pause()
                await self._means.clock.sleep(delay_s)
                delay_s = min(delay_s * 2, _LONGEST_RECONNECT_S)

    async def _follow_engine(self) -> None:
        """Subscribes, lists, and follows until the engine goes."""
        async with self._means.runtime.events(self._labels) as events:
            self._take_list(await self._means.runtime.list(self._labels))
            async for event in events:
                await self._take_event(event)

    def _take_list(self, records: Iterable[ContainerRecord]) -> None:
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

    async def _take_event(self, event: RuntimeEvent) -> None:
        if event.kind is EventKind.IMAGES_CHANGED:
            return
        identity = identify(event.labels)
        if identity is None:
            return
        worker = self._workers.get(identity.uid)
        if worker is not None and worker.take(event):
            return
        if worker is None and event.kind not in (EventKind.CREATED, EventKind.STARTED):
            return
        try:
            record = await self._means.runtime.inspect(event.id)
        except NoSuchContainer:
            return
        self._found(identity.uid, record)

    def _found(self, uid: PodUid, record: ContainerRecord) -> None:
        """A container that nobody knew: the engine was still making it when an agent died, or when it was listed."""
        worker = self._workers.get(uid)
        if worker is not None:
            worker.found(record)
            return
        others = [each for each in self._unclaimed.get(uid, []) if each.id != record.id]
        self._unclaimed[uid] = [*others, record]
        self._gone.pop(uid, None)
        self._reconcile()

    # --- workers ---------------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        """A worker for each desired pod; what is nobody's is ended when we know that it is nobody's."""
        desired = self._desired
        for uid, pod in desired.pods.items():
            worker = self._workers.get(uid)
            if worker is not None:
                worker.update(pod, desired)
            elif uid not in self._gone:
                self._employ(pod)
        if not self._complete:
            return
        for uid, worker in self._workers.items():
            if uid not in desired.pods:
                worker.update(self._condemned(worker.pod), desired)
        for uid in [*self._unclaimed, *sorted(self._means.volumes.on_disk())]:
            if uid not in self._workers and uid not in desired.pods:
                _LOG.info("pod %s is not wanted here (any more): removing what is left of it", uid)
                self._employ(self._condemned(self._stranger(uid)))

    def _employ(self, pod: Pod) -> None:
        if self._group is None:
            return
        worker = PodWorker(self._means, self._reporter, pod, self._desired)
        worker.observe(self._unclaimed.pop(pod.uid, []))
        self._workers[pod.uid] = worker
        self._group.create_task(self._work(worker), name=f"pod {pod.ref}")

    async def _work(self, worker: PodWorker) -> None:
        """A worker's life. An error of ours in one pod must not end the others."""
        while True:
            try:
                await worker.run()
                break
            except Exception:  # noqa: BLE001 - the boundary of a pod's loop; logged with its name
                _LOG.exception("pod %s: its worker failed; trying again in %.0f s", worker.pod.ref, _WORKER_RESTART_S)
                await self._means.clock.sleep(_WORKER_RESTART_S)
                await self._observe_again(worker)
        del self._workers[worker.uid]
        if worker.uid in self._desired.pods:
            self._gone[worker.uid] = worker.pod
        self._reporter.removed(worker.uid)

    async def _observe_again(self, worker: PodWorker) -> None:
        try:
            records = await self._means.runtime.list(self._labels)
        except RuntimeFault as error:
            _LOG.warning("pod %s: %s", worker.pod.ref, error)
            return
        mine = [each for each in records if (identity := identify(each.labels)) and identity.uid == worker.uid]
        worker.observe(mine)

    def _condemned(self, pod: Pod) -> Pod:
        """The same pod, wanted gone soon."""
        if pod.deleted and pod.grace_period_s <= ORPHAN_GRACE_S:
            return pod
        return replace(pod, deletion_at=self._means.clock.wall(), grace_period_s=ORPHAN_GRACE_S)

    def _stranger(self, uid: PodUid) -> Pod:
        """A pod of which only containers or a directory tell."""
        identities = [identify(each.labels) for each in self._unclaimed.get(uid, [])]
        ref = next((each.ref for each in identities if each is not None), None)
        return Pod(uid, ref.namespace if ref else "", ref.name if ref else "", containers=())
