"""An object at one revision, and a change of it. Both hold bytes; the typed object is decoded on first use, and each
watch frame is encoded once for all watchers.
"""

from __future__ import annotations

from typing import Any

from master.objects.meta import Object
from master.registry.resource import Resource

_METADATA = b'"metadata":{'
_VERSION = b'"resourceVersion":"'

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"


def with_version(stored: bytes, revision: int) -> bytes:
    """The stored bytes as clients get them: with `resourceVersion`, which the store does not keep.

    The pipeline writes apiVersion and kind first, and a name into metadata. So the first `"metadata":{` is the object's
    own and is not empty.
    """
    position = stored.index(_METADATA) + len(_METADATA)
    return b'%b%b%d",%b' % (stored[:position], _VERSION, revision, stored[position:])


def reversioned(raw: bytes, revision: int) -> bytes:
    """The bytes of `with_version` with another version. A deleted object has the revision of its deletion."""
    start = raw.index(_METADATA) + len(_METADATA) + len(_VERSION)
    return b"%b%d%b" % (raw[:start], revision, raw[raw.index(b'"', start) :])


class Entry:
    """One object at one revision."""

    __slots__ = ("_obj", "kind", "name", "namespace", "raw", "revision")

    def __init__(self, kind: Resource[Any], namespace: str, name: str, raw: bytes, revision: int) -> None:
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.raw = raw
        self.revision = revision
        self._obj: Object | None = None

    @property
    def obj(self) -> Any:
        """The typed object. Decoded on first use and kept."""
        if self._obj is None:
            self._obj = self.kind.decode(self.raw)
        return self._obj

    @property
    def where(self) -> str:
        """Resource, namespace and name for messages: `pods default/web`."""
        return f"{self.kind.resource} {self.namespace}{'/' if self.namespace else ''}{self.name}"


class Change:
    """One object before and after a commit. `before` is None for an added object."""

    __slots__ = ("_frames", "before", "entry", "type")

    def __init__(self, type_: str, entry: Entry, before: Entry | None) -> None:
        self.type = type_
        self.entry = entry
        self.before = before
        self._frames: dict[str, bytes] = {}

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
        return self.before.obj if self.before else None

    def frame(self, type_: str) -> bytes:
        """The watch event of this type, encoded once for all watchers.

        If the object no longer matches a watcher's selector, that watcher gets DELETED with the last state that
        matched.
        """
        frame = self._frames.get(type_)
        if frame is None:
            raw = self.entry.raw
            if type_ == DELETED and self.type != DELETED and self.before is not None:
                raw = reversioned(self.before.raw, self.entry.revision)
            frame = self._frames[type_] = watch_frame(type_, raw)
        return frame

    def __repr__(self) -> str:
        return f"Change({self.type} {self.entry.where} at {self.entry.revision})"


def watch_frame(type_: str, raw: bytes) -> bytes:
    """One line of a watch response."""
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), raw)
