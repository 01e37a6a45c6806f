"""Following the cache: a snapshot, then every change, and a new snapshot after the follower fell behind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Never

from master.cache import Cache, Change, Lagged
from master.registry.resource import Resource

log = logging.getLogger(__name__)

Begin = Callable[[list[tuple[Resource[Any], Any]]], None]


async def follow(
    cache: Cache, kinds: Sequence[Resource[Any]], *, begin: Begin, change: Callable[[Change], None]
) -> Never:
    """Calls `begin` with a complete snapshot and `change` with each later change, both synchronous. Never returns."""
    while True:
        with cache.subscribe(*kinds) as subscription:
            begin(subscription.snapshot)
            try:
                async for batch in subscription:
                    for item in batch.changes:
                        change(item)
            except Lagged:
                log.warning("fell behind the watch of %s: starting over", ", ".join(k.plural for k in kinds))
