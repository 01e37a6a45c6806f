"""The stages of a write: authorize, admit, default, allocate, validate, commit. After a lost race it starts over.

REST decodes the body before, and encodes the response after. Reads do not come here: they go to the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from master.api.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from master.api.pipeline import deletion, metadata
from master.api.pipeline.admission import Admission, Plugins
from master.api.pipeline.attempt import Attempt, Outcome
from master.api.pipeline.authorization import Attributes, Authorizer
from master.api.pipeline.ownership import Ownership, requested, unchanged, with_entries
from master.api.pipeline.request import Permit, Request
from master.cache import Cache, Entry
from master.cache.entry import with_version
from master.clock import Clock
from master.fieldmanager.managers import APPLY
from master.registry.deletion import DeleteOptions
from master.registry.registry import Registry
from master.registry.resource import Resource
from master.registry.strategy import Strategy
from master.registry.subresource import Part
from master.schema.cause import Cause
from master.schema.checks import Findings
from master.store.interface import Compare, CompareFailed, Delete, Put, Store, StoreUnavailable

# A write that loses this many races in a row fails with Conflict.
_ATTEMPTS = 32


class Pipeline:
    """Writes objects. It is also the keyspace of the strategies: it knows the uniqueness keys, also those in flight."""

    def __init__(
        self,
        store: Store,
        cache: Cache,
        registry: Registry,
        *,
        authorizer: Authorizer,
        admission: Sequence[Admission],
        clock: Clock,
    ) -> None:
        self._store = store
        self._cache = cache
        self._registry = registry
        self.authorizer = authorizer
        self._plugins = Plugins(admission)
        self.clock = clock
        self.ownership = Ownership()
        # Uniqueness keys of commits in progress, so that they are not allocated a second time.
        self._in_flight: set[str] = set()

    # -- the keyspace ---------------------------------------------------------------------------------------------

    def holder(self, key: str) -> bytes | None:
        return self._cache.holder(key)

    def taken(self, key: str) -> bool:
        return key in self._in_flight or self._cache.holder(key) is not None

    # -- the verbs ------------------------------------------------------------------------------------------------

    async def authorize(self, request: Request) -> Permit:
        """The permit that the other methods need. Raises Unauthorized, Forbidden."""
        resource = request.resource
        attributes = Attributes(
            request.verb, resource.group, resource.plural, request.subresource, request.namespace, request.name
        )
        await self.authorizer.authorize(request.caller, attributes)
        return Permit(request)

    async def create(self, permit: Permit, obj: Any) -> Outcome:
        """Stores a new object. Raises AlreadyExists, Invalid, NotFound (its namespace), Forbidden."""
        request = permit.request
        resource = request.resource
        namespace = metadata.place(resource, obj, request.namespace)
        metadata.check_no_version(resource, obj)
        for _ in range(_ATTEMPTS):
            attempt = self._attempt(request, None)
            attempt.new = self._fresh(resource, obj, namespace)
            sent = await self._complete(attempt)
            attempt.new = with_entries(attempt.new, self.ownership.created(request, sent, self.clock.now()))
            name = attempt.new.metadata.name
            if self._cache.entry(resource, namespace, name) is not None:
                if obj.metadata.name:
                    raise AlreadyExists.of(resource, name)
                continue
            self._check(attempt)
            try:
                return await self._put(attempt)
            except CompareFailed:
                # Another writer took the name or the allocated values, or the namespace changed: start over.
                continue
        if obj.metadata.generate_name and not obj.metadata.name:
            raise AlreadyExists.of(resource, obj.metadata.generate_name)
        raise _too_many_writers(resource, obj.metadata.name)

    async def apply(
        self, permit: Permit, apply: Callable[[Entry | None], Any], *, expect: str = "", part: Part | None = None
    ) -> tuple[Outcome, bool]:
        """Changes an object, or creates it if it is missing. Returns also whether it was created.

        `apply` returns the object with its managedFields; it gets None if the object is missing. `expect` and `part`:
        as in `change`. Raises NotFound if a part of a missing object is applied, otherwise like `create` and `change`.
        """
        request = permit.request
        for _ in range(_ATTEMPTS):
            if part is None and self._cache.entry(request.resource, request.namespace, request.name) is None:
                creation = await self.authorize(replace(request, verb="create"))
                try:
                    return await self.create(creation, apply(None)), True
                except AlreadyExists:
                    continue
            try:
                outcome = await self.change(permit, apply, expect=expect, part=part)
            except NotFound:
                if part is not None or self._cache.entry(request.resource, request.namespace, request.name) is not None:
                    raise
                continue
            assert outcome is not None
            return outcome, False
        raise _too_many_writers(request.resource, request.name)

    async def change(
        self, permit: Permit, change: Callable[[Entry], Any | None], *, expect: str = "", part: Part | None = None
    ) -> Outcome | None:
        """Changes an object. None if `change` returns None. Raises NotFound, Conflict, Invalid.

        `expect`: the resourceVersion that the object must have, unless empty. `part`: only this part is changed and
        checked. If the change removes the last obstacle to a deletion, the object is removed.
        """
        request = permit.request
        resource = request.resource
        expect = metadata.expected(resource, request.name, expect)
        for _ in range(_ATTEMPTS):
            entry = self._existing(request)
            changed = change(entry)
            if changed is None:
                return None
            if expect and expect != str(entry.revision):
                raise Conflict.of(resource, request.name)
            attempt = self._attempt(request, entry)
            if part is None:
                await self._change_whole(attempt, changed)
            else:
                self._change_part(attempt, changed, part)
            if unchanged(attempt.new, attempt.old):
                return Outcome(entry, warnings=tuple(attempt.warnings))
            try:
                if deletion.released(resource.deletion, attempt.new):
                    return await self._remove(attempt, last=attempt.new)
                return await self._put(attempt)
            except CompareFailed:
                continue
        raise _too_many_writers(resource, request.name)

    async def delete(self, permit: Permit, options: DeleteOptions) -> Outcome:
        """Removes an object, or marks it as being deleted. Raises NotFound, Conflict (preconditions), Forbidden."""
        request = permit.request
        resource = request.resource
        policy = resource.deletion
        for _ in range(_ATTEMPTS):
            entry = self._existing(request)
            _check_preconditions(resource, entry, options)
            if why := policy.refusal(entry.name):
                message = f'{resource.plural} "{entry.name}" is forbidden: {why}'
                raise Forbidden(message, name=entry.name, kind=resource.plural)
            attempt = self._attempt(request, entry)
            attempt.new = deletion.marked(policy, attempt.old, options, self.clock.now(), exists=self._exists)
            try:
                if attempt.new is None:
                    return await self._remove(attempt, last=None)
                if attempt.new == attempt.old:
                    return Outcome(entry)
                return await self._put(attempt)
            except CompareFailed:
                continue
        raise _too_many_writers(resource, request.name)

    # -- stages ---------------------------------------------------------------------------------------------------

    def _attempt(self, request: Request, before: Entry | None) -> Attempt:
        return Attempt(request, self._cache, self._store, before, None if before is None else before.obj, None)

    def _existing(self, request: Request) -> Entry:
        entry = self._cache.entry(request.resource, request.namespace, request.name)
        if entry is None:
            raise NotFound.of(request.resource, request.name)
        return entry

    def _exists(self, resource: Resource[Any], namespace: str, name: str) -> bool:
        return self._cache.entry(resource, namespace, name) is not None

    def _fresh(self, resource: Resource[Any], obj: Any, namespace: str) -> Any:
        """The object with the metadata of a new one, and without what a client may not set."""
        now = self.clock.now()
        meta = metadata.for_create(obj.metadata, namespace, now, generation=1 if resource.has_generation else 0)
        obj = replace(obj, api_version=resource.api_version, kind=resource.kind, metadata=meta)
        return self._registry.strategy(resource).for_create(obj, now)

    async def _complete(self, attempt: Attempt) -> Any:
        """Defaults, admission and allocation. Returns the object before admission, as the client wants it."""
        resource = attempt.request.resource
        strategy = self._registry.strategy(resource)
        sent = attempt.new = strategy.default(resource.schema.default(attempt.new))
        for plugin in self._plugins.mutators(resource):
            await plugin.mutate(attempt)
        if attempt.new is not sent:
            # A plugin may have added something that has defaults of its own.
            attempt.new = strategy.default(resource.schema.default(attempt.new))
        attempt.new = strategy.allocate(attempt.new, attempt.old, self)
        return sent

    async def _change_whole(self, attempt: Attempt, changed: Any) -> None:
        """Sets `attempt.new` to the changed object, completed and checked; to the old one if nothing changed."""
        resource, old = attempt.request.resource, attempt.old
        strategy = self._registry.strategy(resource)
        meta = metadata.for_update(resource, changed.metadata, old.metadata)
        if attempt.request.operation != APPLY:
            meta = replace(meta, managed_fields=requested(meta.managed_fields, old.metadata.managed_fields))
        changed = replace(changed, api_version=resource.api_version, kind=resource.kind, metadata=meta)
        attempt.new = strategy.for_update(changed, old, self.clock.now())
        sent = await self._complete(attempt)
        if attempt.new == old:
            return
        entries = self.ownership.changed(attempt.request, old, sent, self.clock.now())
        attempt.new = new = with_entries(attempt.new, entries)
        if resource.has_generation and strategy.moves_generation(new, old):
            attempt.new = replace(new, metadata=replace(new.metadata, generation=old.metadata.generation + 1))
        self._check(attempt)

    def _change_part(self, attempt: Attempt, changed: Any, part: Part) -> None:
        """Sets `attempt.new` to the old object with the changed part, which alone is checked."""
        resource, old = attempt.request.resource, attempt.old
        metadata.check_uid(resource, changed.metadata, old.metadata)
        findings = Findings()
        new = part.take(changed, old)
        meta = metadata.for_part(changed.metadata, old.metadata, part.metadata)
        if meta is not old.metadata:
            new = replace(new, metadata=meta)
            metadata.check(resource, self._registry.strategy(resource), meta, findings)
        if part.stamp is not None:
            new = part.stamp(new, old, self.clock.now())
        if part.attribute:
            resource.schema.check_field(new, part.attribute, findings)
        if part.check is not None:
            part.check(new, old, findings)
        attempt.warnings += findings.warnings
        if findings:
            raise Invalid.of(resource, old.metadata.name, findings.causes)
        if part.tracked:
            new = with_entries(new, self.ownership.of_part(attempt.request, old, new, changed, self.clock.now()))
        attempt.new = new

    def _check(self, attempt: Attempt) -> None:
        """Raises Invalid for an object that breaks rules."""
        resource, new, old = attempt.request.resource, attempt.new, attempt.old
        strategy = self._registry.strategy(resource)
        findings = Findings()
        metadata.check(resource, strategy, new.metadata, findings)
        resource.schema.check(new, findings)
        strategy.check(new, old, findings, self)
        if old is not None:
            metadata.check_update(new.metadata, old.metadata, findings)
            strategy.check_update(new, old, findings)
        # A change of labels, say, does not repeat the warnings about the desired state.
        if old is None or strategy.moves_generation(new, old):
            attempt.warnings += findings.warnings
        if findings:
            raise Invalid.of(resource, new.metadata.name or new.metadata.generate_name, findings.causes)

    # -- the commit -----------------------------------------------------------------------------------------------

    async def _put(self, attempt: Attempt) -> Outcome:
        """Commits an object, and in the same commit takes and releases its uniqueness keys."""
        resource = attempt.request.resource
        for plugin in self._plugins.validators(resource):
            await plugin.validate(attempt)
        new, before = attempt.new, attempt.before
        strategy = self._registry.strategy(resource)
        held = strategy.keys(attempt.old) if before is not None else frozenset[str]()
        needed = strategy.keys(new)
        self._check_keys(resource, strategy, new, needed - held)
        unversioned = _unversioned(new)
        raw = resource.schema.encode(unversioned)
        namespace, name = new.metadata.namespace, new.metadata.name
        revision = before.revision if before is not None else 0
        if attempt.request.dry_run:
            shown = with_version(raw, revision) if revision else raw
            entry = Entry(resource, namespace, name, (shown,), revision)
            return Outcome(entry, warnings=tuple(attempt.warnings))
        key = resource.key(namespace, name)
        compares = [Compare(key, revision), *attempt.compares]
        writes: list[Put | Delete] = [Put(key, raw), *attempt.writes]
        if needed or held:
            holder = _holder(resource, namespace, name).encode()
            compares += [Compare(unique, 0) for unique in sorted(needed - held)]
            writes += [Put(unique, holder) for unique in sorted(needed - held)]
            writes += [Delete(unique) for unique in sorted(held - needed)]
        self._cache.expect(raw, unversioned)
        try:
            revision = await self._commit(compares, writes, needed - held)
        finally:
            self._cache.forget(raw)
        stored = self._cache.entry(resource, namespace, name)
        if stored is None or stored.revision != revision:
            stored = Entry(resource, namespace, name, (with_version(raw, revision),), revision)
        return Outcome(stored, warnings=tuple(attempt.warnings))

    def _check_keys(self, resource: Resource[Any], strategy: Strategy[Any], obj: Any, keys: frozenset[str]) -> None:
        """Raises Invalid if another object holds one of the keys as of the last commit: trying again would not help."""
        causes: list[Cause] = []
        for key in sorted(keys):
            holder = self._cache.holder(key)
            if holder is not None:
                causes.append(strategy.key_taken(obj, key, holder.decode()))
        if causes:
            raise Invalid.of(resource, obj.metadata.name, causes)

    async def _remove(self, attempt: Attempt, *, last: Any | None) -> Outcome:
        """Removes an object and its uniqueness keys. `last`: its last state, if that differs from the stored one."""
        attempt.new = None
        for plugin in self._plugins.validators(attempt.request.resource):
            await plugin.validate(attempt)
        request, before = attempt.request, attempt.before
        assert before is not None
        resource = request.resource
        entry = before
        if last is not None:
            raw = with_version(resource.schema.encode(_unversioned(last)), before.revision)
            entry = Entry(resource, before.namespace, before.name, (raw,), before.revision)
        if not request.dry_run:
            key = resource.key(before.namespace, before.name)
            writes: list[Put | Delete] = [Delete(key), *attempt.writes]
            writes += [Delete(unique) for unique in sorted(self._registry.strategy(resource).keys(attempt.old))]
            await self._commit([Compare(key, before.revision), *attempt.compares], writes, frozenset())
        return Outcome(entry, removed=True)

    async def _commit(self, compares: list[Compare], writes: list[Put | Delete], reserve: frozenset[str]) -> int:
        self._in_flight |= reserve
        try:
            return await self._store.commit(compares, writes)
        except StoreUnavailable as error:
            raise unavailable(error) from error
        finally:
            self._in_flight -= reserve


def unavailable(error: StoreUnavailable) -> Unavailable:
    """The error for a store that cannot write or read at the moment."""
    return Unavailable(f"the store cannot write now: {error}", retry_after_s=1)


def _unversioned(obj: Any) -> Any:
    """The object as it is stored: its version is the revision of its key."""
    return replace(obj, metadata=replace(obj.metadata, resource_version="")) if obj.metadata.resource_version else obj


def _holder(resource: Resource[Any], namespace: str, name: str) -> str:
    """The value of the uniqueness keys of an object."""
    return f"{resource.plural}/{namespace}/{name}"


def _too_many_writers(resource: Resource[Any], name: str) -> ApiError:
    return Conflict.of(resource, name, "too many writers at once; try again")


def _check_preconditions(resource: Resource[Any], entry: Entry, options: DeleteOptions) -> None:
    uid = entry.obj.metadata.uid
    if options.uid and uid != options.uid:
        why = f"UID in precondition: {options.uid}, UID in object meta: {uid}"
        raise Conflict.of(resource, entry.name, f"Precondition failed: {why}")
    if options.resource_version and str(entry.revision) != options.resource_version:
        why = f"ResourceVersion in precondition: {options.resource_version}, in object meta: {entry.revision}"
        raise Conflict.of(resource, entry.name, f"Precondition failed: {why}")
