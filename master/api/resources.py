"""The pipeline through which every write goes, from REST and from inside the process.

Its steps: authorization, admission, defaulting, allocation, validation, commit. After a lost race it starts over. Reads
come from the cache. It does not handle HTTP and does not decode bodies.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import msgspec
from msgspec.structs import replace

from master.api import deletion, metadata
from master.api.authorize import Attributes, authorize
from master.api.deletion import DeleteOptions
from master.api.errors import AlreadyExists, Cause, Conflict, Forbidden, Invalid, NotFound, Unavailable
from master.api.identity import Caller
from master.api.strategies import ServiceRanges, strategies
from master.cache import Cache, Entry
from master.cache.entry import with_version
from master.clock import Clock, SystemClock
from master.kinds import NAMESPACE, NODE, POD
from master.kinds.core.pod.model import Pod, PodCondition
from master.objects.meta import Object, timestamp
from master.registry.resource import Resource
from master.schema import constraints
from master.schema.checks import Findings
from master.store.interface import Compare, CompareFailed, Delete, Put, Store, StoreUnavailable

T = TypeVar("T", bound=Object)
# A write that loses this many races in a row fails with Conflict.
_ATTEMPTS = 32
# Namespaces that the cluster needs, and that therefore cannot be deleted.
IMMORTAL = frozenset({"default", "kube-public", "kube-system"})
_encode = msgspec.json.Encoder().encode
DEFAULT_RANGES = ServiceRanges(ipaddress.IPv4Network("10.96.0.0/16"), range(30000, 32768))


class Resources:
    """The objects of the cluster: writes through the pipeline, reads from `.cache`."""

    def __init__(
        self, store: Store, cache: Cache, *, clock: Clock | None = None, ranges: ServiceRanges = DEFAULT_RANGES
    ) -> None:
        self.store = store
        self.cache = cache
        self._clock = clock or SystemClock()
        self._strategies = strategies(ranges, cache.holder)
        # Uniqueness keys of commits in progress, so that they are not allocated a second time.
        self._in_flight: set[str] = set()

    # -- the verbs, typed -----------------------------------------------------------------------------------------

    async def create(self, caller: Caller, kind: Resource[T], obj: T, *, namespace: str = "") -> T:
        """Stores a new object. Raises AlreadyExists, Invalid, Forbidden (its namespace is being deleted), NotFound."""
        return cast(T, (await self.create_entry(caller, kind, obj, namespace=namespace)).obj)

    async def update(self, caller: Caller, kind: Resource[T], obj: T, *, subresource: str = "") -> T:
        """Replaces an object; without a change nothing is written. Raises Conflict if its version is set and stale."""
        meta = obj.metadata
        entry = await self.change_entry(
            caller,
            kind,
            meta.namespace,
            meta.name,
            lambda _: obj,
            subresource=subresource,
            expect=meta.resource_version,
        )
        assert entry is not None
        return cast(T, entry.obj)

    async def mutate(
        self,
        caller: Caller,
        kind: Resource[T],
        namespace: str,
        name: str,
        change: Callable[[T], T | None],
        *,
        subresource: str = "",
    ) -> T | None:
        """Reads, changes and writes an object, again after a lost race; nothing is written if `change` returns None."""
        entry = await self.change_entry(
            caller, kind, namespace, name, lambda entry: change(entry.obj), subresource=subresource
        )
        return None if entry is None else cast(T, entry.obj)

    async def delete(
        self,
        caller: Caller,
        kind: Resource[Any],
        namespace: str,
        name: str,
        *,
        grace_period_s: int | None = None,
        uid: str = "",
        propagation: str = "Background",
    ) -> None:
        """Deletes an object, or marks it if it has finalizers or is a pod on a node. Raises NotFound, Conflict."""
        options = DeleteOptions(grace_period_s=grace_period_s, uid=uid, propagation=propagation)
        await self.delete_entry(caller, kind, namespace, name, options)

    async def bind(self, caller: Caller, namespace: str, name: str, node: str, *, uid: str = "") -> None:
        """Assigns a pod to a node. Raises Conflict when it has a node, is being deleted or has another `uid`."""

        def bound(pod: Pod) -> Pod:
            if uid and pod.metadata.uid != uid:
                raise Conflict.of(POD, name, f"the pod was replaced by another one with uid {pod.metadata.uid}")
            if pod.metadata.deletion_timestamp:
                raise Conflict.of(POD, name, "the pod is being deleted, cannot be assigned to a node")
            if pod.spec.node_name:
                raise Conflict.of(POD, name, f'pod {name} is already assigned to node "{pod.spec.node_name}"')
            now = timestamp(self._clock.now())
            scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=now)
            others = tuple(c for c in pod.status.conditions if c.type != "PodScheduled")
            return replace(
                pod,
                spec=replace(pod.spec, node_name=node),
                status=replace(pod.status, conditions=(*others, scheduled)),
            )

        await self.mutate(caller, POD, namespace, name, bound, subresource="binding")

    async def finish_pod_deletion(self, caller: Caller, namespace: str, name: str, uid: str) -> None:
        """Removes a pod that is being deleted, after its node has cleaned up; with finalizers it stays marked.

        Does nothing if the pod does not exist, has another uid or is not being deleted.
        """
        entry = self.cache.entry(POD, namespace, name)
        if entry is None or entry.obj.metadata.uid != uid or not entry.obj.metadata.deletion_timestamp:
            return
        try:
            await self.delete_entry(caller, POD, namespace, name, DeleteOptions(grace_period_s=0, uid=uid))
        except (NotFound, Conflict):
            return

    # -- the verbs, with entries, as REST answers with their bytes ------------------------------------------------

    async def create_entry(
        self, caller: Caller, kind: Resource[Any], obj: Any, *, namespace: str = "", dry_run: bool = False
    ) -> Entry:
        """Like `create`. With `dry_run`, checks everything and writes nothing."""
        namespace = metadata.place(kind, obj, namespace)
        self._authorize(caller, "create", kind, namespace, obj.metadata.name)
        for _ in range(_ATTEMPTS):
            guard = self._admit(kind, namespace)
            fresh = self._new(kind, obj, namespace)
            name = fresh.metadata.name
            if self.cache.entry(kind, namespace, name) is not None:
                if obj.metadata.name:
                    raise AlreadyExists.of(kind, name)
                continue
            try:
                return await self._put(kind, fresh, None, guard, dry_run=dry_run)
            except CompareFailed:
                # Another writer took the name or the allocated values, or the namespace changed: start over.
                continue
        raise Conflict.of(kind, obj.metadata.name, "too many writers at once; try again")

    async def change_entry(
        self,
        caller: Caller,
        kind: Resource[Any],
        namespace: str,
        name: str,
        change: Callable[[Entry], Any | None],
        *,
        subresource: str = "",
        expect: str = "",
        verb: str = "update",
        dry_run: bool = False,
    ) -> Entry | None:
        """Changes an object. `expect`: the resourceVersion that it must have, unless empty.

        If the change removes the last finalizer of an object that is being deleted, the object is removed, and its last
        state is returned.
        """
        namespace = namespace if kind.namespaced else ""
        self._authorize(caller, verb, kind, namespace, name, subresource)
        metadata.check_expected(kind, name, expect)
        for _ in range(_ATTEMPTS):
            entry = self.cache.entry(kind, namespace, name)
            if entry is None:
                raise NotFound.of(kind, name)
            changed = change(entry)
            if changed is None:
                return None
            if expect and expect != str(entry.revision):
                raise Conflict.of(kind, name)
            fresh = self._changed(kind, changed, entry.obj, subresource)
            if fresh == entry.obj:
                return entry
            try:
                if deletion.released(kind, fresh):
                    await self._remove(kind, entry, dry_run=dry_run)
                    return entry
                return await self._put(kind, fresh, entry, (), dry_run=dry_run)
            except CompareFailed:
                continue
        raise Conflict.of(kind, name, "too many writers at once; try again")

    async def delete_entry(
        self,
        caller: Caller,
        kind: Resource[Any],
        namespace: str,
        name: str,
        options: DeleteOptions,
        *,
        dry_run: bool = False,
    ) -> tuple[Entry, bool]:
        """Like `delete`. Returns the object in its current or last state, and whether it was removed."""
        namespace = namespace if kind.namespaced else ""
        self._authorize(caller, "delete", kind, namespace, name)
        for _ in range(_ATTEMPTS):
            entry = self.cache.entry(kind, namespace, name)
            if entry is None:
                raise NotFound.of(kind, name)
            self._preconditions(kind, entry, options)
            if kind is NAMESPACE and name in IMMORTAL:
                why = "this namespace may not be deleted"
                raise Forbidden(f'namespaces "{name}" is forbidden: {why}', name=name, kind=kind.plural)
            obj = entry.obj
            node_exists = kind is POD and self.cache.entry(NODE, "", obj.spec.node_name) is not None
            marked = deletion.marked(kind, obj, options, self._clock.now(), node_exists=node_exists)
            try:
                if marked is None:
                    await self._remove(kind, entry, dry_run=dry_run)
                    return entry, True
                if marked == obj:
                    return entry, False
                return await self._put(kind, marked, entry, (), dry_run=dry_run), False
            except CompareFailed:
                continue
        raise Conflict.of(kind, name, "too many writers at once; try again")

    # -- steps ----------------------------------------------------------------------------------------------------

    def _authorize(
        self, caller: Caller, verb: str, kind: Resource[Any], namespace: str, name: str, subresource: str = ""
    ) -> None:
        authorize(caller, Attributes(verb, kind.group, kind.plural, subresource, namespace, name))

    def _admit(self, kind: Resource[Any], namespace: str) -> tuple[Compare, ...]:
        """Checks that the namespace exists and is not being deleted. The comparison ensures this until the commit."""
        if not kind.namespaced:
            return ()
        entry = self.cache.entry(NAMESPACE, "", namespace)
        if entry is None:
            raise NotFound.of(NAMESPACE, namespace)
        if entry.obj.metadata.deletion_timestamp:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
            raise Forbidden(f"{kind.resource} is forbidden: {why}", causes=[cause], group=kind.group, kind=kind.plural)
        return (Compare(NAMESPACE.key("", namespace), entry.revision),)

    def _new(self, kind: Resource[Any], obj: Any, namespace: str) -> Any:
        if obj.metadata.resource_version:
            raise Invalid.of(
                kind,
                obj.metadata.name,
                [
                    Cause(
                        "FieldValueForbidden",
                        "resourceVersion should not be set on objects to be created",
                        "metadata.resourceVersion",
                    )
                ],
            )
        strategy, now = self._strategies[kind], self._clock.now()
        meta = metadata.for_create(obj.metadata, namespace, now)
        if kind.has_generation:
            meta = replace(meta, generation=1)
        obj = replace(obj, api_version=kind.api_version, kind=kind.kind, metadata=meta)
        obj = strategy.default(strategy.for_create(obj, now))
        obj = strategy.allocate(obj, None, self._taken)
        findings = Findings()
        metadata.check(kind, strategy, obj.metadata, findings)
        constraints.check(obj, findings)
        strategy.check(obj, None, findings)
        if findings:
            raise Invalid.of(kind, obj.metadata.name or obj.metadata.generate_name, findings.causes)
        return obj

    def _changed(self, kind: Resource[Any], new: Any, old: Any, subresource: str) -> Any:
        strategy = self._strategies[kind]
        meta = metadata.for_update(kind, new.metadata, old.metadata)
        new = replace(new, api_version=kind.api_version, kind=kind.kind, metadata=meta)
        new = strategy.default(strategy.for_update(new, old, subresource))
        new = strategy.allocate(new, old, self._taken)
        if new == old:
            return old
        if kind.has_generation and _moves_generation(new, old):
            new = replace(new, metadata=replace(new.metadata, generation=old.metadata.generation + 1))
        findings = Findings()
        metadata.check(kind, strategy, new.metadata, findings)
        metadata.check_update(new.metadata, old.metadata, findings)
        constraints.check(new, findings)
        strategy.check(new, old, findings)
        if subresource != "binding":
            strategy.check_update(new, old, findings)
        if findings:
            raise Invalid.of(kind, old.metadata.name, findings.causes)
        return new

    def _taken(self, key: str) -> bool:
        return key in self._in_flight or self.cache.holder(key) is not None

    def _preconditions(self, kind: Resource[Any], entry: Entry, options: DeleteOptions) -> None:
        if options.uid and entry.obj.metadata.uid != options.uid:
            why = f"UID in precondition: {options.uid}, UID in object meta: {entry.obj.metadata.uid}"
            raise Conflict.of(kind, entry.name, f"Precondition failed: {why}")
        if options.resource_version and str(entry.revision) != options.resource_version:
            why = f"ResourceVersion in precondition: {options.resource_version}, in object meta: {entry.revision}"
            raise Conflict.of(kind, entry.name, f"Precondition failed: {why}")

    async def _put(
        self, kind: Resource[Any], obj: Any, before: Entry | None, guard: Iterable[Compare], *, dry_run: bool
    ) -> Entry:
        """Commits an object, and in the same commit takes and releases its uniqueness keys."""
        meta = obj.metadata
        raw = _encode(replace(obj, metadata=replace(meta, resource_version="")))
        if dry_run:
            revision = before.revision if before else 0
            return Entry(kind, meta.namespace, meta.name, with_version(raw, revision) if revision else raw, revision)
        strategy, key = self._strategies[kind], kind.key(meta.namespace, meta.name)
        held = strategy.keys(before.obj) if before else frozenset()
        needed = strategy.keys(obj)
        holder = f"{kind.plural}/{meta.namespace}/{meta.name}".encode()
        compares = [Compare(key, before.revision if before else 0), *guard]
        compares += [Compare(unique, 0) for unique in sorted(needed - held)]
        writes: list[Put | Delete] = [Put(key, raw)]
        writes += [Put(unique, holder) for unique in sorted(needed - held)]
        writes += [Delete(unique) for unique in sorted(held - needed)]
        revision = await self._commit(compares, writes, needed - held)
        entry = self.cache.entry(kind, meta.namespace, meta.name)
        if entry is not None and entry.revision == revision:
            return entry
        return Entry(kind, meta.namespace, meta.name, with_version(raw, revision), revision)

    async def _remove(self, kind: Resource[Any], entry: Entry, *, dry_run: bool) -> None:
        """Removes an object, and in the same commit releases its uniqueness keys."""
        if dry_run:
            return
        key = kind.key(entry.namespace, entry.name)
        compares = [Compare(key, entry.revision)]
        writes: list[Put | Delete] = [Delete(key)]
        writes += [Delete(unique) for unique in sorted(self._strategies[kind].keys(entry.obj))]
        if kind is NODE:
            await self._retire_identity(entry.name, compares, writes)
        await self._commit(compares, writes, frozenset())

    async def _retire_identity(self, node: str, compares: list[Compare], writes: list[Put | Delete]) -> None:
        """Marks the identity of a deleted node as removed in the same commit, so that its agent will clean up."""
        key = f"/identity/node/{node}"
        identity = await self._guarded_get(key)
        if identity is None:
            return
        value = json.loads(identity.value)
        value["state"] = "removed"
        compares.append(Compare(key, identity.mod_revision))
        writes.append(Put(key, json.dumps(value).encode()))

    async def _guarded_get(self, key: str) -> Any:
        try:
            return await self.store.get(key)
        except StoreUnavailable as error:
            raise _unavailable(error) from error

    async def _commit(self, compares: list[Compare], writes: list[Put | Delete], reserve: frozenset[str]) -> int:
        self._in_flight |= reserve
        try:
            return await self.store.commit(compares, writes)
        except StoreUnavailable as error:
            raise _unavailable(error) from error
        finally:
            self._in_flight -= reserve


def _unavailable(error: StoreUnavailable) -> Unavailable:
    return Unavailable(f"the store cannot write now: {error}", retry_after_s=1)


def _moves_generation(new: Any, old: Any) -> bool:
    """Whether the desired state has changed: any field except metadata and status."""
    return any(
        getattr(new, name) != getattr(old, name)
        for name in new.__struct_fields__
        if name not in ("api_version", "kind", "metadata", "status")
    )


__all__ = ["DEFAULT_RANGES", "DeleteOptions", "Resources"]
