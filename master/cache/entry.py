"""An object at one revision, and a change of it. Both hold the bytes that clients get.

The typed object is decoded when it is read (decoding.py says how long it is kept), and each watch frame is encoded once
for all watchers that get it with the commit.
"""

from __future__ import annotations

from typing import Any

import msgspec

from master.cache.decoding import Decoded, Decoding
from master.cache.text import Text, lean, size_of, whole
from master.objects.meta import ObjectMeta
from master.registry.resource import Resource
from master.schema.partial import Meta, read_meta

_METADATA = b'"metadata":{'
_VERSION = b'"resourceVersion":"'

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"

Key = tuple[str, str]
"""Namespace ("" for cluster-scoped kinds) and name. Lists are in this order."""


def with_version(stored: bytes, revision: int) -> bytes:
    """The stored bytes, or the first piece of them, as clients get them: with `resourceVersion`, which is not stored.

    The pipeline writes apiVersion and kind first, then metadata, which is not empty. Raises ValueError for any other
    order: `ordered` makes this one.
    """
    position = stored.index(_METADATA) + len(_METADATA)
    if stored.find(b"{", 1) != position - 1:
        raise ValueError("another object is before the metadata")
    return b'%b%b%d",%b' % (stored[:position], _VERSION, revision, stored[position:])


def ordered(stored: bytes) -> bytes:
    """The JSON of an object with its metadata first, and without spaces. Raises ValueError when it has none."""
    value = msgspec.json.decode(stored, type=dict[str, Any])
    metadata = value.pop("metadata", None)
    if not isinstance(metadata, dict) or not metadata:
        raise ValueError("it has no metadata")
    head = {name: value.pop(name) for name in ("apiVersion", "kind") if isinstance(value.get(name), str)}
    return msgspec.json.encode({**head, "metadata": metadata, **value})


def reversioned(text: Text, revision: int) -> Text:
    """The text of an entry with another version. A deleted object has the revision of its deletion."""
    first, *others = text
    start = first.index(_METADATA) + len(_METADATA) + len(_VERSION)
    return (b"%b%d%b" % (first[:start], revision, first[first.index(b'"', start) :]), *others)


class Entry(msgspec.Struct, eq=False, gc=False):
    """One object at one revision. Immutable: a change makes a new entry.

    There are many entries, and they are in no cycle of references. So Python's garbage collector need not visit them
    (`gc=False`); the same holds for changes.
    """

    kind: Resource[Any]
    namespace: str
    name: str
    text: Text
    revision: int
    key: Key = ("", "")
    decoding: Decoding | None = None
    """How the cache decodes the kind. An entry outside of a cache has none and keeps its decoded object."""
    decoded: Decoded | None = None

    def __post_init__(self) -> None:
        if not self.key[1]:
            self.key = (self.namespace, self.name)

    @classmethod
    def of(cls, kind: Resource[Any], key: Key, text: Text, revision: int, decoding: Decoding) -> Entry:
        """An entry of a cache. It uses the same key as the lists that contain it."""
        return cls(kind, key[0], key[1], text, revision, key, decoding)

    @property
    def raw(self) -> bytes:
        """The object as JSON, as clients get it."""
        return whole(self.text)

    @property
    def lean(self) -> bytes:
        """The object as JSON without what its managers own."""
        return lean(self.text)

    @property
    def size_bytes(self) -> int:
        """The size of the object as JSON."""
        return size_of(self.text)

    @property
    def obj(self) -> Any:
        """The typed object, shared by all readers and never changed. Raises Unreadable."""
        if self.decoded is not None and self.decoded.obj is not None:
            return self.decoded.obj
        self.decoded = (self.decoding or Decoding(self.kind)).decode(self)
        return self.decoded.obj

    def read(self) -> Any:
        """The typed object for one use, such as reading all objects at the start. Raises Unreadable.

        If it is decoded for this, it is not kept.
        """
        if self.kind.hot or (self.decoded is not None and self.decoded.obj is not None):
            return self.obj
        return (self.decoding or Decoding(self.kind)).read(self)

    @property
    def meta(self) -> Meta | ObjectMeta:
        """The metadata, without decoding the rest of the object."""
        if self.decoded is not None and self.decoded.obj is not None:
            meta: ObjectMeta = self.decoded.obj.metadata
            return meta
        return read_meta(self.lean)

    @property
    def where(self) -> str:
        """Resource, namespace and name for messages: `pods default/web`."""
        return f"{self.kind.resource} {self.namespace}{'/' if self.namespace else ''}{self.name}"


class Change(msgspec.Struct, eq=False, gc=False):
    """One object before and after a commit. `before` is None for an added object."""

    type: str
    entry: Entry
    before: Entry | None
    frames: dict[str, bytes] | None = msgspec.field(default_factory=dict)
    """The frames that watchers share, by type; None when they are not kept."""

    @property
    def kind(self) -> Resource[Any]:
        return self.entry.kind

    @property
    def revision(self) -> int:
        return self.entry.revision

    @property
    def obj(self) -> Any:
        """The object after the change. For a deletion: its last state, with the revision of the deletion."""
        return self.entry.obj

    @property
    def previous(self) -> Any:
        """The object before the change, or None."""
        return self.before.obj if self.before is not None else None

    def frame(self, type_: str) -> bytes:
        """The watch event of this type. All watchers that get it before the next commit share the same bytes.

        If the object no longer matches a watcher's selector, that watcher gets DELETED with the last state that
        matched.
        """
        frame = self.frames.get(type_) if self.frames is not None else None
        if frame is None:
            frame = watch_frame(type_, self.shown(type_).raw)
            if self.frames is not None:
                self.frames[type_] = frame
        return frame

    def shown(self, type_: str) -> Entry:
        """The object in an event of this type."""
        if type_ == DELETED and self.type != DELETED and self.before is not None:
            last = self.before
            text, revision = reversioned(last.text, self.entry.revision), self.entry.revision
            return Entry(last.kind, last.namespace, last.name, text, revision, last.key, last.decoding)
        return self.entry

    def forget_frames(self) -> None:
        """From now on frames are not kept, because the history holds the change for long."""
        self.frames = None

    def __repr__(self) -> str:
        return f"Change({self.type} {self.entry.where} at {self.entry.revision})"


def watch_frame(type_: str, raw: bytes) -> bytes:
    """One line of a watch response."""
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), raw)
