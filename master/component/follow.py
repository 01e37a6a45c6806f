"""Following the cache: a snapshot, then the changes, without stopping the process when there are many of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Never, TypeVar

from master.cache import Cache, Change, Lagged, Snapshot, Unreadable
from master.registry.resource import Resource

log = logging.getLogger(__name__)

T = TypeVar("T")

Begin = Callable[[Snapshot], Awaitable[None]]

# Items between two chances for other tasks: a few milliseconds of work.
_IN_A_ROW: Final = 100


async def follow(
    cache: Cache,
    kinds: Sequence[Resource[Any]],
    *,
    begin: Begin,
    change: Callable[[Change], None],
    latest: bool = True,
    all_kinds: bool = False,
) -> Never:
    """Awaits `begin` with a complete snapshot and calls `change` with each later change. Never returns.

    With `latest`, several changes of one object that wait for the follower become one; without it, the follower gets
    every change, and begins again when too many wait. `all_kinds`: follows every kind of the cache, and begins again
    when one comes or goes. An object that cannot be decoded is skipped.
    """
    while True:
        with cache.subscribe(*kinds, latest=latest, all_kinds=all_kinds) as subscription:
            await begin(subscription.snapshot)
            try:
                async for batch in subscription:
                    await _pass_all(batch.changes, change)
            except Lagged:
                names = "all kinds" if all_kinds else ", ".join(kind.plural for kind in kinds)
                log.warning("the watch of %s starts over: the kinds have changed, or too many changes waited", names)


async def _pass_all(changes: Sequence[Change], change: Callable[[Change], None]) -> None:
    """Without `paced`: most batches are short, and there are many followers."""
    for number, item in enumerate(changes, start=1):
        try:
            change(item)
        except Unreadable as error:
            log.error("a change was skipped: %s", error)
        if number % _IN_A_ROW == 0:
            await asyncio.sleep(0)


async def paced(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, with pauses in which other tasks run: thousands of items must not stop the process."""
    for number, item in enumerate(items, start=1):
        yield item
        if number % _IN_A_ROW == 0:
            await asyncio.sleep(0)
