"""The objects of the cluster for code in this process: typed writes through the pipeline, reads from the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from master.api.identity import Caller
from master.api.pipeline.pipeline import Pipeline
from master.api.pipeline.request import Request
from master.api.tokens import Tokens
from master.api.usages import NoUsages, Usages
from master.cache import Cache, Entry
from master.clock import Clock
from master.objects.meta import Object
from master.registry.deletion import DeleteOptions, Propagation
from master.registry.registry import Registry
from master.registry.resource import Resource
from master.registry.subresource import Part
from master.store.interface import Store

T = TypeVar("T", bound=Object)


class Resources:
    """Typed verbs. Each request has a caller and is authorized like one from outside."""

    def __init__(
        self,
        store: Store,
        cache: Cache,
        registry: Registry,
        pipeline: Pipeline,
        clock: Clock,
        tokens: Tokens,
        usages: Usages | None = None,
    ) -> None:
        self.store = store
        self.cache = cache
        self.registry = registry
        self.pipeline = pipeline
        self.clock = clock
        self.tokens = tokens
        self.usages = usages or NoUsages()

    async def create(self, caller: Caller, resource: Resource[T], obj: T, *, namespace: str = "") -> T:
        """Stores a new object. Raises AlreadyExists, Invalid, Forbidden (its namespace is being deleted), NotFound."""
        name = obj.metadata.name
        request = Request(caller, "create", resource, _scope(resource, namespace), name, manager=caller.manager)
        permit = await self.pipeline.authorize(request)
        return cast(T, (await self.pipeline.create(permit, obj)).entry.obj)

    async def update(self, caller: Caller, resource: Resource[T], obj: T, *, subresource: str = "") -> T:
        """Replaces an object; without a change nothing is written. Raises Conflict if its version is set and stale."""
        meta = obj.metadata
        changed = await self._change(
            caller, resource, meta.namespace, meta.name, lambda _: obj, subresource, expect=meta.resource_version
        )
        assert changed is not None
        return changed

    async def mutate(
        self,
        caller: Caller,
        resource: Resource[T],
        namespace: str,
        name: str,
        change: Callable[[T], T | None],
        *,
        subresource: str = "",
        part: Part | None = None,
    ) -> T | None:
        """Reads, changes and writes an object, again after a lost race; nothing is written if `change` returns None.

        `part`: the part that the change concerns, if it is not the one of the subresource.
        """
        return await self._change(
            caller, resource, namespace, name, lambda entry: change(entry.obj), subresource, part=part
        )

    async def _change(
        self,
        caller: Caller,
        resource: Resource[T],
        namespace: str,
        name: str,
        change: Callable[[Entry], T | None],
        subresource: str,
        *,
        expect: str = "",
        part: Part | None = None,
    ) -> T | None:
        where = _scope(resource, namespace)
        request = Request(caller, "update", resource, where, name, subresource, manager=caller.manager)
        permit = await self.pipeline.authorize(request)
        if part is None and subresource:
            declared = resource.subresource(subresource)
            part = declared if isinstance(declared, Part) else None
        outcome = await self.pipeline.change(permit, change, expect=expect, part=part)
        return None if outcome is None else cast(T, outcome.entry.obj)

    async def delete(
        self,
        caller: Caller,
        resource: Resource[Any],
        namespace: str,
        name: str,
        *,
        grace_period_s: int | None = None,
        uid: str = "",
        propagation: Propagation | None = None,
    ) -> None:
        """Deletes an object, or marks it if something holds it. Raises NotFound, Conflict."""
        permit = await self.pipeline.authorize(Request(caller, "delete", resource, _scope(resource, namespace), name))
        await self.pipeline.delete(permit, DeleteOptions(grace_period_s, uid, propagation=propagation))


def _scope(resource: Resource[Any], namespace: str) -> str:
    return namespace if resource.namespaced else ""
