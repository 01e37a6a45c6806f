"""The cache: every object of the store as the bytes that clients get, and the feed of its changes.

Owns the mirror in memory. It changes only after the store has committed, one commit at a time, on the event loop. It
does not write and does not check permissions. The parts: loading.py reads the store, table.py has the objects of one
kind, history.py their recent changes, snapshots.py the lists that are read in pages, subscription.py the followers.
"""

from __future__ import annotations

import builtins
import logging
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar, cast

from master.cache.backlog import Batch, Latest, Queue
from master.cache.decoding import Ring, Unreadable
from master.cache.entry import ADDED, DELETED, MODIFIED, Change, Entry, Key, reversioned
from master.cache.history import MAX_BYTES, History, HistoryGone
from master.cache.loading import fill, place, slices
from master.cache.snapshots import Page, Snapshots
from master.cache.subscription import Sink, Subscription
from master.cache.table import Table, Tables
from master.clock import Clock, SystemClock
from master.objects.index import Index
from master.objects.meta import Object
from master.registry.resource import Resource
from master.store.interface import Commit, Revision, Store

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)

_REGISTRY = "/registry/"
_UNIQUE = "/unique/"
# Changes that may wait for a subscriber that needs all of them.
_QUEUE = 10_000


class Cache:
    """The mirror of the store. Create it with `await Cache.load(store, kinds)`.

    A kind that the cache does not have raises NotServed everywhere.
    """

    def __init__(
        self, store: Store, *, history: int | None = None, history_bytes: int = MAX_BYTES, clock: Clock | None = None
    ) -> None:
        self.revision = Revision(0)
        self._store = store
        self._clock = clock or SystemClock()
        self._ring = Ring()
        self._tables = Tables()
        self._by_resource: dict[str, Table] = {}
        self._unique: dict[str, bytes] = {}
        self._history = History(max_bytes=history_bytes, max_changes=history)
        self._snapshots = Snapshots()
        self._followers: dict[Resource[Any], dict[Subscription, None]] = {}
        # Subscriptions to all kinds, whichever these are.
        self._of_all: dict[Subscription, None] = {}
        self._published: list[Change] = []
        # The objects of values that are being committed, by the id of the value, which is kept alive by this.
        self._expected: dict[int, tuple[bytes, Any]] = {}
        # Commits that came during the first load.
        self._waiting: list[Commit] | None = []
        # Changes of kinds that are being added: resource -> revision, key and value.
        self._adding: dict[str, list[tuple[Revision, str, bytes | None]]] = {}

    @classmethod
    async def load(
        cls,
        store: Store,
        kinds: Iterable[Resource[Any]],
        *,
        history: int | None = None,
        history_bytes: int = MAX_BYTES,
        clock: Clock | None = None,
    ) -> Cache:
        """Reads the objects of these kinds and follows the store from that revision on.

        `history_bytes` limits the history of all kinds together, `history` the number of changes of each kind. Raises
        StoreDamaged for a value that is not an object, StoreUnavailable.
        """
        cache = cls(store, history=history, history_bytes=history_bytes, clock=clock)
        store.listen(cache.apply)
        async for values, cache.revision in slices(store, _REGISTRY):
            if not cache._by_resource:
                tables = [Table(kind, cache._ring, cache.revision) for kind in kinds if kind.stored]
                cache._by_resource = {table.kind.resource: table for table in tables}
            fill(cache._by_resource, values)
        # Read after the objects. Commits in between are applied to both below, a second time to these keys: harmless.
        unique, _ = await store.list(_UNIQUE)
        cache._unique = {value.key: value.value for value in unique}
        cache._begin()
        return cache

    def _begin(self) -> None:
        """Serves what was loaded, after the commits that came meanwhile.

        The first slice is older than the last one. The commits between both complete the objects of the earlier slices,
        and change nothing of the later ones in the end.
        """
        waiting, self._waiting = self._waiting or [], None
        for commit in waiting:
            if commit.revision <= self.revision:
                for key, value in commit.changes:
                    self._step(key, value, commit.revision)
        for table in list(self._by_resource.values()):
            self._serve(table)
        self.apply([commit for commit in waiting if commit.revision > self.revision])

    # -- kinds ----------------------------------------------------------------------------------------------------

    @property
    def kinds(self) -> tuple[Resource[Any], ...]:
        """The kinds that the cache has now."""
        return tuple(self._tables)

    def __contains__(self, kind: Resource[Any]) -> bool:
        return kind in self._tables

    async def add(self, kind: Resource[Any]) -> None:
        """Reads the objects of a further kind and follows them. Raises StoreDamaged, StoreUnavailable.

        Raises ValueError when the cache has a kind with these keys.
        """
        if kind.resource in self._by_resource or kind.resource in self._adding:
            raise ValueError(f"{kind.resource}: the cache has this kind")
        changes = self._adding[kind.resource] = []
        table: Table | None = None
        try:
            async for values, revision in slices(self._store, kind.prefix):
                table = table or Table(kind, self._ring, revision)
                fill({kind.resource: table}, values)
        finally:
            del self._adding[kind.resource]
        assert table is not None
        self._by_resource[kind.resource] = table
        for changed_at, key, value in changes:
            self._step(key, value, changed_at)
        self._serve(table)
        self._restart_followers_of_all()

    def remove(self, kind: Resource[Any]) -> None:
        """Forgets a kind. Its subscribers get Lagged."""
        table = self._tables.pop(kind)
        del self._by_resource[table.kind.resource]
        self._history.end(kind)
        self._snapshots.drop(kind)
        for follower in self._followers.pop(kind):
            follower.lag()
        self._restart_followers_of_all()

    def _serve(self, table: Table) -> None:
        self._tables[table.kind] = table
        self._followers[table.kind] = {}
        self._history.begin(table.kind, max(self.revision, table.loaded_at))

    def _restart_followers_of_all(self) -> None:
        for follower in self._of_all:
            follower.lag()

    # -- reading ------------------------------------------------------------------------------------------------

    def entry(self, kind: Resource[Any], namespace: str, name: str) -> Entry | None:
        """One object with its bytes, or None."""
        return self._tables[kind].get((namespace if kind.namespaced else "", name))

    def entries(self, kind: Resource[Any], namespace: str = "") -> list[Entry]:
        """All objects of a kind, or those of one namespace, in the order of their keys."""
        return self._tables[kind].entries(namespace if kind.namespaced else "")

    def get(self, kind: Resource[T], namespace: str, name: str) -> T | None:
        """One typed object, or None. Raises Unreadable for an object that exists but cannot be decoded."""
        entry = self.entry(kind, namespace, name)
        return None if entry is None else cast(T, entry.obj)

    def list(self, kind: Resource[T], namespace: str = "") -> list[T]:
        """All typed objects of a kind, or those of one namespace, without those that cannot be decoded."""
        return typed(self.entries(kind, namespace))

    def count(self, kind: Resource[Any], namespace: str = "") -> int:
        """The number of objects of the kind, or of one namespace."""
        return self._tables[kind].count(namespace if kind.namespaced else "")

    def by(self, kind: Resource[Any], index: Index, value: str, namespace: str = "") -> builtins.list[Entry]:
        """The objects that have this value in the index, in the order of their keys.

        Raises KeyError when the kind does not declare the index.
        """
        return self._tables[kind].by(index, value, namespace if kind.namespaced else "")

    def by_all(self, index: Index, value: str) -> builtins.list[Entry]:
        """The objects of all kinds that have this value. Kinds that do not declare the index have none."""
        return [e for kind, table in self._tables.items() if index in kind.indexes for e in table.by(index, value)]

    def count_by(self, kind: Resource[Any], index: Index, value: str, namespace: str = "") -> int:
        """The number of objects that `by` returns."""
        return self._tables[kind].count_by(index, value, namespace if kind.namespaced else "")

    def values(self, kind: Resource[Any], index: Index) -> builtins.list[str]:
        """All values of the index that objects have now."""
        return self._tables[kind].values(index)

    def page(
        self,
        kind: Resource[Any],
        namespace: str = "",
        *,
        limit: int,
        after: Key | None = None,
        revision: int | None = None,
        selection: Hashable = None,
        selected: builtins.list[Entry] | None = None,
    ) -> Page:
        """At most `limit` objects, in the order of their keys.

        The first page has the current revision. A later one gets that `revision`, and `after`: the last key before it;
        it is consistent with the first. `selected`: the list as of the revision, if it is not of all objects of the
        namespace; `selection` is its name. Raises HistoryGone when the state at the revision is not kept any more.
        """
        entries = selected
        if entries is None:
            entries = self.held(kind, namespace, revision=revision, selection=selection)
        if entries is None:
            entries = self.entries(kind, namespace)
        page = Page.of(entries, self.revision if revision is None else revision, limit=limit, after=after)
        subject = (kind, namespace, selection)
        if page.remaining and self._snapshots.at(subject, page.revision) is None:
            self._snapshots.hold(subject, page.revision, entries, self._clock.monotonic())
        return page

    def held(
        self, kind: Resource[Any], namespace: str = "", *, revision: int | None = None, selection: Hashable = None
    ) -> builtins.list[Entry] | None:
        """A list of which pages were read, as of a revision (None: the current one).

        None if it has to be made, and the current objects are those of the revision. Otherwise raises HistoryGone.
        """
        table, subject = self._tables[kind], (kind, namespace, selection)
        self._snapshots.expire(self._clock.monotonic())
        if revision is None:
            return self._snapshots.since(subject, table.changed_at)
        entries = self._snapshots.at(subject, revision)
        if entries is None and not table.changed_at <= revision <= self.revision:
            raise HistoryGone(self.revision)
        return entries

    def holder(self, key: str) -> bytes | None:
        """The object that holds a uniqueness key (`/unique/...`): `<resource>/<namespace>/<name>`, or None."""
        return self._unique.get(key)

    # -- following ----------------------------------------------------------------------------------------------

    def subscribe(
        self,
        *kinds: Resource[Any],
        limit: int = _QUEUE,
        latest: bool = False,
        all_kinds: bool = False,
        sink: Sink | None = None,
    ) -> Subscription:
        """A snapshot of the kinds and, from exactly that revision on, their changes.

        Without `latest` the subscriber gets every change; at most `limit` wait in its queue, with more it gets Lagged.
        With `latest` the changes of an object that it has not taken yet become one. `all_kinds`: every kind that the
        cache has now; the subscriber gets Lagged when a kind comes or goes. `sink`: see `Subscription.push`.
        """
        chosen = self.kinds if all_kinds else kinds
        snapshot = [self.entries(kind) for kind in chosen]
        subscription = self._join(chosen, Latest() if latest else Queue(limit), snapshot, sink)
        if all_kinds:
            self._of_all[subscription] = None
        return subscription

    def watch(
        self, kind: Resource[Any], since: int | None, limit: int = _QUEUE, *, sink: Sink | None = None
    ) -> tuple[Subscription, builtins.list[Change]]:
        """A subscription to future changes of a kind, and its past changes after revision `since` (None: none).

        Raises HistoryGone when the history does not reach back to `since`.
        """
        past: builtins.list[Change] = []
        if since is not None and since < self.revision:
            past = self._history.after(kind, since)
        return self._join((kind,), Queue(limit), [], sink), past

    def _join(
        self,
        kinds: Sequence[Resource[Any]],
        backlog: Queue | Latest,
        snapshot: Sequence[builtins.list[Entry]],
        sink: Sink | None,
    ) -> Subscription:
        subscription = Subscription(
            frozenset(kinds), self.revision, backlog, snapshot=snapshot, sink=sink, leave=self._leave
        )
        for kind in kinds:
            self._followers[kind][subscription] = None
        return subscription

    def _leave(self, subscription: Subscription) -> None:
        self._of_all.pop(subscription, None)
        for kind in subscription.kinds & self._followers.keys():
            self._followers[kind].pop(subscription, None)

    # -- applying commits ---------------------------------------------------------------------------------------

    def expect(self, value: bytes, obj: Any) -> None:
        """Announces a value that is about to be committed, and the object that it encodes.

        So the followers of the commit need not decode it. Call `forget` when the commit has ended.
        """
        self._expected[id(value)] = (value, obj)

    def forget(self, value: bytes) -> None:
        self._expected.pop(id(value), None)

    def apply(self, commits: Sequence[Commit]) -> None:
        """Applies commits of the store, in order. Called by the store only."""
        if self._waiting is not None:
            self._waiting.extend(commits)
            return
        for published in self._published:
            published.forget_frames()
        self._published.clear()
        if self._snapshots:
            self._snapshots.expire(self._clock.monotonic())
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
        table, namespace, name = place(self._by_resource, key)
        if table is None:
            if self._adding and (resource := key.split("/", 3)[2]) in self._adding:
                self._adding[resource].append((revision, key, value))
            return None
        if revision <= table.loaded_at:
            return None
        change = _change(table, namespace, name, value, revision)
        if change is not None and id(value) in self._expected:
            table.keep(change.entry, self._expected[id(value)][1])
        return change

    def _publish(self, revision: Revision, changes: builtins.list[Change]) -> None:
        self._history.append(changes)
        self._published += changes
        kinds = {change.kind for change in changes}
        if len(kinds) == 1:
            batch = Batch(revision, tuple(changes))
            for follower in list(self._followers[changes[0].kind]):
                follower.push(batch)
            return
        for follower in {f: None for kind in kinds for f in self._followers[kind]}:
            follower.push(Batch(revision, tuple(c for c in changes if c.kind in follower.kinds)))


def typed(entries: Iterable[Entry]) -> list[Any]:
    """The typed objects of these entries, without those that cannot be decoded; the log names them."""
    objects = []
    for entry in entries:
        try:
            objects.append(entry.obj)
        except Unreadable:
            continue
    return objects


def _change(table: Table, namespace: str, name: str, value: bytes | None, revision: int) -> Change | None:
    if value is None:
        before = table.drop((namespace, name), revision)
        if before is None:
            return None
        last = table.make(before, reversioned(before.text, revision), revision)
        return Change(DELETED, last, before)
    try:
        entry, before = table.put(namespace, name, value, revision)
    except ValueError:
        # The writer's fault. The others must go on, and a restart reports the value.
        log.exception("%s %s/%s: what was written is not an object", table.kind.resource, namespace, name)
        return None
    return Change(MODIFIED if before is not None else ADDED, entry, before)


__all__ = ["Cache", "HistoryGone", "Page", "typed"]
