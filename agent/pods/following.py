"""Follows the containers of the engine: its events, a list of everything first, and a list every minute.

Owns the subscription, and questions about single containers. The reader of events only takes, because the engine drops
a subscriber that is slow by 100 ms. The lists every minute find what was lost all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from agent.clock import Clock
from agent.model import PodUid
from agent.pods.instances import kind_of
from agent.pods.names import identify
from agent.runtime.containers import Containers
from agent.runtime.errors import NoSuchContainer, RuntimeFault
from agent.runtime.events import EventKind, RuntimeEvent
from agent.runtime.interface import Runtime
from agent.runtime.records import ContainerId, ContainerPhase, ContainerRecord
from agent.runtime.sandboxes import Sandboxes

_LOG = logging.getLogger(__name__)

LIST_S: Final = 60.0
"""A lost event is found within this time."""


class Taker(Protocol):
    """Takes reports about containers (PodManager). No call blocks."""

    def take_list(self, records: Iterable[ContainerRecord]) -> None:
        """All containers of ours."""
        ...

    def take_event(self, uid: PodUid, event: RuntimeEvent) -> bool:
        """An event of a container; False: the container is unknown, and must be inspected."""
        ...

    def take_phases(self, phases: Mapping[PodUid, Mapping[ContainerId, ContainerPhase]]) -> Iterable[ContainerId]:
        """The containers of each pod as the engine lists them; returns the unknown ones, which must be inspected."""
        ...

    def take_record(self, uid: PodUid, record: ContainerRecord) -> None:
        """A container that was unknown."""
        ...


class Following:
    """Follows one engine; `group` runs its questions."""

    def __init__(
        self, runtime: Runtime, labels: Mapping[str, str], taker: Taker, clock: Clock, group: asyncio.TaskGroup
    ) -> None:
        self._runtime = runtime
        self._labels = labels
        self._taker = taker
        self._clock = clock
        self._group = group
        self._asked: dict[str, bool] = {}
        """Containers that are being inspected, and whether an event came meanwhile."""

    async def run(self) -> None:
        """Subscribe to events, list containers, and follow the events until the engine is gone. Raises RuntimeFault."""
        async with self._runtime.events(self._labels) as events, self._taken(events) as taken:
            self._taker.take_list(await self._runtime.list(self._labels))
            async with self._beside(self._list_regularly()):
                while True:
                    match await taken.get():
                        case RuntimeEvent() as event:
                            self._take(event)
                        case RuntimeFault() as fault:
                            raise fault

    @asynccontextmanager
    async def _taken(
        self, events: AsyncIterator[RuntimeEvent]
    ) -> AsyncIterator[asyncio.Queue[RuntimeEvent | RuntimeFault]]:
        """The events as a queue, which takes them also while the containers are listed."""
        queue: asyncio.Queue[RuntimeEvent | RuntimeFault] = asyncio.Queue()

        async def take() -> None:
            try:
                async for event in events:
                    queue.put_nowait(event)
            except RuntimeFault as fault:
                queue.put_nowait(fault)

        async with self._beside(take()):
            yield queue

    def _take(self, event: RuntimeEvent) -> None:
        identity = identify(event.labels)
        if event.kind is EventKind.IMAGES_CHANGED or identity is None:
            return
        if event.id in self._asked:
            self._asked[event.id] = True
        if not self._taker.take_event(identity.uid, event):
            self._ask(ContainerId(event.id), event.labels)

    def _ask(self, container: ContainerId, labels: Mapping[str, str]) -> None:
        if container not in self._asked:
            self._asked[container] = False
            self._group.create_task(
                self._inspect(kind_of(self._runtime, labels), container), name=f"inspect {container[:12]}"
            )

    async def _inspect(self, kind: Containers | Sandboxes, container: ContainerId) -> None:
        """Inspect an unknown container, again if an event came meanwhile: the answer may be older than the event."""
        try:
            while True:
                self._asked[container] = False
                record = await kind.inspect(container)
                if not self._asked[container]:
                    break
        except NoSuchContainer:
            return
        except RuntimeFault as error:
            _LOG.warning("container %s: %s; the next list finds it", container[:12], error)
            return
        finally:
            del self._asked[container]
        identity = identify(record.labels)
        if identity is not None:
            self._taker.take_record(identity.uid, record)

    @asynccontextmanager
    async def _beside(self, work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        task = self._group.create_task(work, name="beside the engine's events")
        try:
            yield
        finally:
            task.cancel()

    async def _list_regularly(self) -> None:
        while True:
            await self._clock.sleep(LIST_S)
            try:
                listed = await self._runtime.overview(self._labels)
            except RuntimeFault as error:
                _LOG.warning("list of containers: %s", error)
                continue
            by_pod: dict[PodUid, dict[ContainerId, ContainerPhase]] = defaultdict(dict)
            for each in listed:
                identity = identify(each.labels)
                if identity is not None:
                    by_pod[identity.uid][each.id] = each.phase
            labels = {each.id: each.labels for each in listed}
            for container in self._taker.take_phases(by_pod):
                self._ask(container, labels[container])
