"""A keyed controller of objects that depend on the state of pods, as endpoints and replica sets do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from master import kinds
from master.cache import Cache, Change, Entry
from master.component.podstate import state_changed
from master.controllers.keyed import ObjectKey, run_keyed
from master.controllers.workqueue import WorkQueue
from master.registry.resource import Resource


async def run_with_pods(
    cache: Cache,
    queue: WorkQueue[ObjectKey],
    own: Sequence[Resource[Any]],
    *,
    keys: Callable[[Entry], Iterable[ObjectKey]],
    sync: Callable[[ObjectKey], Awaitable[None]],
) -> None:
    """As `run_keyed`, for changes of the kinds `own` and for pods whose state changes.

    At the start only the objects of its own kinds are queued: their reconciliation looks at all their pods.
    """
    await run_keyed(cache, queue, watched=(*own, kinds.POD), keys=keys, sync=sync, first=own, matters=_matters)


def _matters(change: Change) -> bool:
    return change.kind is not kinds.POD or state_changed(change)
