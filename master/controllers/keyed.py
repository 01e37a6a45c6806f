"""The loop that most controllers share: changes become keys in a queue, and one function reconciles one key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from master.cache import Cache, Change
from master.component.follow import follow
from master.controllers.workqueue import WorkQueue
from master.registry.resource import Resource

K = TypeVar("K", bound=Hashable)

# Namespace and name.
ObjectKey = tuple[str, str]


class Controller(Protocol):
    """A controller: a name and a task."""

    @property
    def name(self) -> str:
        """Names the controller's task."""

    async def run(self) -> None:
        """Runs until cancelled."""


async def run_keyed(
    cache: Cache,
    queue: WorkQueue[K],
    *,
    watched: Sequence[Resource[Any]],
    keys: Callable[[Resource[Any], Any], Iterable[K]],
    sync: Callable[[K], Awaitable[None]],
    workers: int = 4,
) -> None:
    """Queues what `keys` returns for the object before and after each change, and calls `sync` for each queued key."""

    def begin(objects: list[tuple[Resource[Any], Any]]) -> None:
        for kind, obj in objects:
            for key in keys(kind, obj):
                queue.add(key)

    def apply(change: Change) -> None:
        for obj in (change.previous, change.obj):
            if obj is not None:
                for key in keys(change.kind, obj):
                    queue.add(key)

    async with asyncio.TaskGroup() as group:
        group.create_task(follow(cache, watched, begin=begin, change=apply), name="follow")
        group.create_task(queue.run(sync, workers=workers), name="work")
