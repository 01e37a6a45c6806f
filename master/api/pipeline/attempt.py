"""An attempt to write an object. After a lost race the pipeline makes another one with the current state."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import field

from master.api.pipeline.request import Request
from master.cache import Cache, Entry
from master.registry.resource import Resource
from master.store.interface import Compare, Delete, Put, Store


class Attempt(msgspec.Struct):
    """The state of an attempt. Stages replace `new`, and may add comparisons and writes to the commit.

    `before` is the stored object, None if it is new. `new` is the object to be written, None if it is to be removed.
    """

    request: Request
    cache: Cache
    store: Store
    before: Entry | None
    old: Any
    new: Any
    compares: list[Compare] = field(default_factory=list)
    writes: list[Put | Delete] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def creates(self, resource: Resource[Any]) -> bool:
        """Whether the object is a new one of this resource."""
        return self.before is None and self.request.resource is resource


class Outcome(msgspec.Struct, frozen=True):
    """The result of a write. `entry`: the object in its new or, if `removed`, in its last state."""

    entry: Entry
    removed: bool = False
    warnings: tuple[str, ...] = ()
