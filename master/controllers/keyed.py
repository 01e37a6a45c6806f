"""What most controllers share: changes become keys in a queue, and one function reconciles one key; bounded work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from master.cache import Cache, Change, Entry, Snapshot
from master.component.follow import follow, paced
from master.controllers.workqueue import WorkQueue
from master.registry.resource import Resource

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

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
    keys: Callable[[Entry], Iterable[K]],
    sync: Callable[[K], Awaitable[None]],
    first: Sequence[Resource[Any]] | None = None,
    matters: Callable[[Change], bool] | None = None,
    workers: int = 4,
) -> None:
    """Queues what `keys` returns for the object before and after each change, and calls `sync` for each queued key.

    At the start the keys of all objects of the kinds `first` (by default the watched ones) are queued. `matters`:
    whether a change can have consequences.
    """

    async def begin(snapshot: Snapshot) -> None:
        async for entry in paced(snapshot.entries()):
            if first is None or entry.kind in first:
                add(entry)

    def apply(change: Change) -> None:
        if matters is not None and not matters(change):
            return
        if change.before is not None:
            add(change.before)
        add(change.entry)

    def add(entry: Entry) -> None:
        for key in keys(entry):
            queue.add(key)

    async with asyncio.TaskGroup() as group:
        group.create_task(follow(cache, watched, begin=begin, change=apply), name="follow")
        group.create_task(queue.run(sync, workers=workers), name="work")


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Awaits `work` for every item, for at most `at_once` of them concurrently."""
    left = iter(items)

    async def take_turns() -> None:
        for item in left:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for number in range(at_once):
            group.create_task(take_turns(), name=f"worker {number}")
