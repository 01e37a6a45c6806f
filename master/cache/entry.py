"""One object at one revision, and one change of it: bytes first, typed on demand, watch frames encoded once."""

from __future__ import annotations

from typing import Any

import msgspec

from master.objects.kind import KindSpec
from master.objects.meta import Object

_METADATA = b'"metadata":{'
_VERSION = b'"resourceVersion":"'
_decoders: dict[KindSpec[Any], msgspec.json.Decoder[Any]] = {}

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"


def with_version(stored: bytes, revision: int) -> bytes:
    """The stored bytes, which carry no version, as clients get them.

    The pipeline writes apiVersion and kind first, and a name into metadata, so that the first `"metadata":{` is the
    object's own and is not empty.
    """
    at = stored.index(_METADATA) + len(_METADATA)
    return b'%b%b%d",%b' % (stored[:at], _VERSION, revision, stored[at:])


def reversioned(raw: bytes, revision: int) -> bytes:
    """The bytes of `with_version` with another version: a deleted object carries that of its deletion."""
    start = raw.index(_METADATA) + len(_METADATA) + len(_VERSION)
    return b"%b%d%b" % (raw[:start], revision, raw[raw.index(b'"', start) :])


class Entry:
    """One object at one revision."""

    __slots__ = ("_obj", "kind", "name", "namespace", "raw", "revision")

    def __init__(self, kind: KindSpec[Any], namespace: str, name: str, raw: bytes, revision: int) -> None:
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.raw = raw
        self.revision = revision
        self._obj: Object | None = None

    @property
    def obj(self) -> Any:
        """The typed object; decoded once."""
        if self._obj is None:
            decoder = _decoders.get(self.kind)
            if decoder is None:
                decoder = _decoders[self.kind] = msgspec.json.Decoder(self.kind.model)
            self._obj = decoder.decode(self.raw)
        return self._obj

    @property
    def where(self) -> str:
        """For messages: `pods default/web`."""
        return f"{self.kind.resource} {self.namespace}{'/' if self.namespace else ''}{self.name}"


class Change:
    """One object's step from one commit to the next."""

    __slots__ = ("_frames", "before", "entry", "type")

    def __init__(self, type_: str, entry: Entry, before: Entry | None) -> None:
        self.type = type_
        self.entry = entry
        self.before = before
        self._frames: dict[str, bytes] = {}

    @property
    def kind(self) -> KindSpec[Any]:
        return self.entry.kind

    @property
    def revision(self) -> int:
        return self.entry.revision

    @property
    def obj(self) -> Any:
        """The object after the change; of a deleted one its last state, with the version of the deletion."""
        return self.entry.obj

    @property
    def previous(self) -> Any:
        """The object before the change, or None."""
        return self.before.obj if self.before else None

    def frame(self, type_: str) -> bytes:
        """The watch event of that type, encoded once for all watchers.

        A watcher whose selector the object has left gets DELETED with the last state that it has seen.
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
    """One line of a watch."""
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), raw)
