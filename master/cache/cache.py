"""The cache: every object of the store as the bytes that clients get, and the feed of its changes.

Owns the mirror in memory and the bounded watch history. It changes only after the store has committed, one commit at a
time, on the event loop. It does not write and does not check permissions. Typed objects are decoded on first use,
shared by all readers and never changed.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

from master.cache.entry import ADDED, DELETED, MODIFIED, Change, Entry, reversioned, with_version
from master.cache.history import History, HistoryGone
from master.cache.subscription import Batch, Subscription
from master.objects.meta import Object
from master.registry.resource import Resource
from master.store.interface import Commit, Revision, Store, StoreDamaged

T = TypeVar("T", bound=Object)

_REGISTRY = "/registry/"
_UNIQUE = "/unique/"


class Cache:
    """The mirror of the store. Create it with `await Cache.load(store, kinds)`."""

    def __init__(self, kinds: Iterable[Resource[Any]], *, history: int = 1000) -> None:
        self.revision = Revision(0)
        self._kinds = {kind.resource: kind for kind in kinds}
        # kind -> namespace ("" for kinds without) -> name -> entry
        self._objects: dict[Resource[Any], dict[str, dict[str, Entry]]] = {k: {} for k in self._kinds.values()}
        self._unique: dict[str, bytes] = {}
        self._history_size = history
        self._history: dict[Resource[Any], History] = {}
        self._followers: dict[Resource[Any], dict[Subscription, None]] = {k: {} for k in self._kinds.values()}
        self._waiting: list[Commit] | None = []

    @classmethod
    async def load(cls, store: Store, kinds: Iterable[Resource[Any]], *, history: int = 1000) -> Cache:
        """Reads the objects of these kinds and follows the store from that revision on.

        Raises StoreDamaged, StoreUnavailable.
        """
        cache = cls(kinds, history=history)
        store.listen(cache.apply)
        objects, cache.revision = await store.list(_REGISTRY)
        # Read after the objects. Commits in between are applied to both below, a second time to these keys: harmless.
        unique, _ = await store.list(_UNIQUE)
        for value in (*objects, *unique):
            cache._load(value.key, value.value, value.mod_revision)
        cache._history = {kind: History(cache.revision, max_changes=history) for kind in cache._objects}
        waiting, cache._waiting = cache._waiting or [], None
        cache.apply([commit for commit in waiting if commit.revision > cache.revision])
        return cache

    def _load(self, key: str, value: bytes, revision: Revision) -> None:
        if key.startswith(_UNIQUE):
            self._unique[key] = value
            return
        try:
            entry = self._entry(key, value, revision)
            if entry is None:
                return
            # Decoded now, so that an unreadable value is reported before anything relies on it. The decoded object is
            # kept, and it is needed soon anyway.
            entry.obj  # noqa: B018
        except ValueError as error:
            raise StoreDamaged(f"the store's value of {key} cannot be read: {error}") from error
        self._objects[entry.kind].setdefault(entry.namespace, {})[entry.name] = entry

    def _entry(self, key: str, value: bytes, revision: Revision) -> Entry | None:
        _, _, resource, namespace, name = key.split("/", 4)
        kind = self._kinds.get(resource)
        if kind is None:
            return None
        return Entry(kind, namespace if kind.namespaced else "", name, with_version(value, revision), revision)

    # -- reading ------------------------------------------------------------------------------------------------

    def entry(self, kind: Resource[Any], namespace: str, name: str) -> Entry | None:
        """One object with its bytes, or None."""
        by_name = self._objects[kind].get(namespace if kind.namespaced else "")
        return by_name.get(name) if by_name else None

    def entries(self, kind: Resource[Any], namespace: str = "") -> list[Entry]:
        """All objects of a kind, or those of one namespace, in the order of their keys."""
        namespaces = self._objects[kind]
        if namespace and kind.namespaced:
            by_name = namespaces.get(namespace)
            return [by_name[name] for name in sorted(by_name)] if by_name else []
        return [namespaces[ns][name] for ns in sorted(namespaces) for name in sorted(namespaces[ns])]

    def get(self, kind: Resource[T], namespace: str, name: str) -> T | None:
        """One typed object, or None."""
        entry = self.entry(kind, namespace, name)
        return None if entry is None else cast(T, entry.obj)

    def list(self, kind: Resource[T], namespace: str = "") -> list[T]:
        """All typed objects of a kind, or those of one namespace."""
        return [cast(T, entry.obj) for entry in self.entries(kind, namespace)]

    def count(self, kind: Resource[Any]) -> int:
        """The number of objects of the kind."""
        return sum(len(by_name) for by_name in self._objects[kind].values())

    def holder(self, key: str) -> bytes | None:
        """The object that holds a uniqueness key (`/unique/...`): `<resource>/<namespace>/<name>`, or None."""
        return self._unique.get(key)

    # -- following ----------------------------------------------------------------------------------------------

    def subscribe(self, *kinds: Resource[Any], limit: int = 10000) -> Subscription:
        """A snapshot of the kinds and, from exactly that revision on, their changes.

        At most `limit` changes wait in the queue: with more the subscriber gets Lagged.
        """
        snapshot = [(kind, entry.obj) for kind in kinds for entry in self.entries(kind)]
        return self._join(frozenset(kinds), limit, snapshot)

    def watch(
        self, kind: Resource[Any], since: int | None, limit: int = 10000
    ) -> tuple[Subscription, builtins.list[Change]]:
        """A subscription to future changes of a kind, and its past changes after revision `since` (None: none).

        Raises HistoryGone when the history does not reach back to `since`.
        """
        past: builtins.list[Change] = []
        if since is not None and since < self.revision:
            past = self._history[kind].after(since)
        return self._join(frozenset((kind,)), limit, []), past

    def _join(
        self, kinds: frozenset[Resource[Any]], limit: int, snapshot: builtins.list[tuple[Resource[Any], Any]]
    ) -> Subscription:
        subscription = Subscription(kinds, self.revision, limit, snapshot=snapshot, leave=self._leave)
        for kind in kinds:
            self._followers[kind][subscription] = None
        return subscription

    def _leave(self, subscription: Subscription) -> None:
        for kind in subscription.kinds:
            self._followers[kind].pop(subscription, None)

    # -- applying commits ---------------------------------------------------------------------------------------

    def apply(self, commits: Sequence[Commit]) -> None:
        """Applies commits of the store, in order. Called by the store only."""
        if self._waiting is not None:
            self._waiting.extend(commits)
            return
        for commit in commits:
            self.revision = commit.revision
            changes = [change for key, value in commit.changes if (change := self._step(key, value, commit.revision))]
            if changes:
                self._publish(commit.revision, changes)

    def _step(self, key: str, value: bytes | None, revision: Revision) -> Change | None:
        if key.startswith(_UNIQUE):
            if value is None:
                self._unique.pop(key, None)
            else:
                self._unique[key] = value
            return None
        if not key.startswith(_REGISTRY):
            return None
        return self._removed(key, revision) if value is None else self._written(key, value, revision)

    def _written(self, key: str, value: bytes, revision: Revision) -> Change | None:
        entry = self._entry(key, value, revision)
        if entry is None:
            return None
        by_name = self._objects[entry.kind].setdefault(entry.namespace, {})
        before = by_name.get(entry.name)
        by_name[entry.name] = entry
        return Change(MODIFIED if before else ADDED, entry, before)

    def _removed(self, key: str, revision: Revision) -> Change | None:
        _, _, resource, namespace, name = key.split("/", 4)
        kind = self._kinds.get(resource)
        if kind is None:
            return None
        namespace = namespace if kind.namespaced else ""
        by_name = self._objects[kind].get(namespace, {})
        before = by_name.pop(name, None)
        if before is None:
            return None
        if not by_name:
            del self._objects[kind][namespace]
        last = Entry(kind, namespace, name, reversioned(before.raw, revision), revision)
        return Change(DELETED, last, before)

    def _publish(self, revision: Revision, changes: builtins.list[Change]) -> None:
        for change in changes:
            self._history[change.kind].append(change)
        kinds = {change.kind for change in changes}
        if len(kinds) == 1:
            batch = Batch(revision, tuple(changes))
            for follower in self._followers[changes[0].kind]:
                follower.push(batch)
            return
        for follower in {f: None for kind in kinds for f in self._followers[kind]}:
            follower.push(Batch(revision, tuple(c for c in changes if c.kind in follower.kinds)))


__all__ = ["Cache", "HistoryGone"]
