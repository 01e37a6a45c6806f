"""The entries of one kind: by key, in the order of their keys, and by the indexes that the kind declares."""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from master.cache.decoding import Decoding, Ring
from master.cache.entry import Entry, Key, ordered, with_version
from master.cache.ordered import Ordered
from master.cache.text import Text, divided, lean
from master.objects.index import Index, IndexReader
from master.registry.resource import Resource

Values = tuple[tuple[str, ...], ...]
"""The values of each index of the kind."""


class NotServed(KeyError):
    """The cache does not have this kind. It may have been removed while a request for it was being handled."""


class Tables(dict[Resource[Any], "Table"]):
    """The tables of a cache by kind."""

    def __missing__(self, kind: Resource[Any]) -> Table:
        raise NotServed(kind.resource)


class Table:
    """One kind. `loaded_at`: the revision at which it was read from the store; `changed_at`: that of its last change.

    Before the first change both are the same, because earlier changes are unknown.
    """

    def __init__(self, kind: Resource[Any], ring: Ring, loaded_at: int) -> None:
        self.kind = kind
        self.loaded_at = loaded_at
        self.changed_at = loaded_at
        self._decoding = Decoding(kind, ring)
        self._reader = IndexReader(kind.indexes)
        self._by_key: dict[Key, Entry] = {}
        self._ordered: Ordered[Entry] = Ordered(attrgetter("key"))
        # For each index, in the order of the declaration: value -> keys. Many values have a single key.
        self._postings: list[dict[str, Key | Ordered[Key]]] = [{} for _ in kind.indexes]
        self._positions = {index: position for position, index in enumerate(kind.indexes)}

    # -- changing -----------------------------------------------------------------------------------------------

    def put(self, namespace: str, name: str, stored: bytes, revision: int) -> tuple[Entry, Entry | None]:
        """Sets an object to the store's value. Returns its entry and the one before.

        Raises ValueError when the value is not a JSON object with metadata; then nothing changes.
        """
        key = (namespace, name)
        before = self._by_key.get(key)
        text, values = self._read(stored, revision, before)
        self.changed_at = max(self.changed_at, revision)
        if before is None:
            key = (sys.intern(namespace), name)
            entry = self._by_key[key] = Entry.of(self.kind, key, text, revision, self._decoding)
            self._ordered.insert(key, entry)
            self._post(key, values)
            return entry, None
        # The key of the first entry is shared by all later ones and by the lists that contain it.
        key = before.key
        entry = self._by_key[key] = Entry.of(self.kind, key, text, revision, self._decoding)
        self._ordered.replace(key, entry)
        earlier = self._reader.read(before.lean)
        if earlier != values:
            self._unpost(key, earlier, values)
            self._post(key, values, earlier)
        return entry, before

    def _read(self, stored: bytes, revision: int, before: Entry | None) -> tuple[Text, Values]:
        """The text that clients get, and the values of the indexes."""
        try:
            return self._versioned(stored, revision, before)
        except ValueError:
            return self._versioned(ordered(stored), revision, before)

    def _versioned(self, stored: bytes, revision: int, before: Entry | None) -> tuple[Text, Values]:
        first, *others = divided(stored, before.text if before is not None else (), self.kind.varying)
        text = (with_version(first, revision), *others)
        return text, self._reader.read(lean(text))

    def drop(self, key: Key, revision: int) -> Entry | None:
        """Removes an object. Returns its last entry, or None when there is none."""
        before = self._by_key.pop(key, None)
        if before is None:
            return None
        self.changed_at = revision
        self._ordered.remove(key)
        self._unpost(key, self._reader.read(before.lean))
        return before

    def make(self, before: Entry, text: Text, revision: int) -> Entry:
        """An entry for another state of the same object, that is not in the table but decoded like those that are."""
        return Entry.of(self.kind, before.key, text, revision, self._decoding)

    def keep(self, entry: Entry, obj: Any) -> None:
        """Keeps the object that an entry encodes as if it had been decoded. It lacks its version."""
        metadata = replace(obj.metadata, resource_version=str(entry.revision))
        entry.decoded = self._decoding.keep(entry, replace(obj, metadata=metadata))

    def _post(self, key: Key, values: Values, earlier: Values | None = None) -> None:
        """Adds a key under these values, except those that it has already."""
        for position, postings in enumerate(self._postings):
            for value in values[position]:
                if earlier is not None and value in earlier[position]:
                    continue
                posted = postings.get(value)
                if posted is None:
                    postings[value] = key
                    continue
                if isinstance(posted, tuple):
                    only, posted = posted, Ordered[Key]()
                    posted.insert(only, only)
                    postings[value] = posted
                posted.insert(key, key)

    def _unpost(self, key: Key, values: Values, later: Values | None = None) -> None:
        """Removes a key from these values, except those that it keeps."""
        for position, postings in enumerate(self._postings):
            for value in values[position]:
                if later is not None and value in later[position]:
                    continue
                posted = postings[value]
                if isinstance(posted, tuple):
                    del postings[value]
                    continue
                posted.remove(key)
                if not posted:
                    del postings[value]

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, key: Key) -> Entry | None:
        return self._by_key.get(key)

    def entries(self, namespace: str = "") -> list[Entry]:
        """All entries, or those of one namespace, in the order of their keys."""
        return self._ordered.between(*_bounds(namespace)) if namespace else self._ordered.items()

    def count(self, namespace: str = "") -> int:
        if not namespace or not self._by_key:
            return len(self._by_key)
        return self._ordered.count_between(*_bounds(namespace))

    def by(self, index: Index, value: str, namespace: str = "") -> list[Entry]:
        """The entries that have this value, in the order of their keys. Raises KeyError for an undeclared index."""
        posted = self._posted(index, value, namespace)
        if not isinstance(posted, list):
            posted = posted.between(*_bounds(namespace)) if namespace else posted.items()
        by_key = self._by_key
        return [by_key[key] for key in posted]

    def count_by(self, index: Index, value: str, namespace: str = "") -> int:
        posted = self._posted(index, value, namespace)
        if isinstance(posted, list) or not namespace:
            return len(posted)
        return posted.count_between(*_bounds(namespace))

    def values(self, index: Index) -> list[str]:
        """The values that the index has entries for, in no order."""
        return list(self._postings[self._positions[index]])

    def _posted(self, index: Index, value: str, namespace: str) -> list[Key] | Ordered[Key]:
        """The keys with this value. A list is of the namespace already."""
        posted = self._postings[self._positions[index]].get(value)
        if posted is None:
            return []
        if isinstance(posted, tuple):
            return [posted] if namespace in ("", posted[0]) else []
        return posted


def _bounds(namespace: str) -> tuple[Key, Key]:
    """A key before all keys of a namespace, and one behind them all and before those of the next namespace."""
    return (namespace, ""), (f"{namespace}\0", "")
