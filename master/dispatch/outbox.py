"""What is still to be sent to one session: bounded, whatever happens in the cluster and however slow the node is.

Owns the set of keys that changed since the last cut, and the streams that the agent is asked to open. It keeps keys and
no copies: two changes of one object are one entry, and the cut is read from the view when the node is ready for it.
Above the bound the keys are dropped and a snapshot replaces them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from master.dispatch import cuts
from master.dispatch.items import NODE_KEY, Key
from master.dispatch.view import View
from proto import contract
from proto.gen import session_pb2

MAX_KEYS: Final = 8192
"""With more keys a snapshot costs no more than a delta."""

MAX_STREAM_REQUESTS: Final = 64


class Outbox:
    """Collects changes for one session, and is read by its Desired stream."""

    def __init__(
        self, *, empty: bool = False, version: int = contract.PROTOCOL_VERSION, max_keys: int = MAX_KEYS
    ) -> None:
        """`empty`: for a removed node, which gets nothing but an empty snapshot. `version`: the session's protocol."""
        self._empty = empty
        self._version = version
        self.slices = version >= contract.SLICES_SINCE
        """The session has endpoint slices, not whole Endpoints."""
        self._max_keys = max_keys
        self._keys: set[Key] = set()
        self._streams: deque[session_pb2.StreamRequest] = deque()
        self._snapshot = True
        self._sent_revision = 0
        self._wake = asyncio.Event()

    def attach(self) -> asyncio.Event:
        """A stream begins, with a snapshot as its first cut. Returns the event that announces messages to take.

        An earlier stream is woken and finds that it is no longer `attached`.
        """
        self._wake.set()
        self._wake = asyncio.Event()
        self.restart()
        return self._wake

    def attached(self, wake: asyncio.Event) -> bool:
        """Whether the stream with this event is the current one."""
        return self._wake is wake

    def close(self) -> None:
        """The session has ended: its stream is woken and finds that it is no longer `attached`."""
        self._wake.set()
        self._wake = asyncio.Event()

    def mark(self, keys: Iterable[Key]) -> None:
        """Adds changed keys. The session of a removed node gets only an empty snapshot."""
        if self._empty:
            return
        if not self._snapshot:
            self._keys.update(keys)
            if len(self._keys) > self._max_keys:
                self.restart()
        self._wake.set()

    def restart(self) -> None:
        """Makes the next cut a snapshot: for a new stream, after a gap, or above the bound."""
        self._keys.clear()
        self._snapshot = True
        self._wake.set()

    def ask(self, request: session_pb2.StreamRequest) -> bool:
        """Asks the agent to open a stream; False when too many such requests are waiting."""
        if len(self._streams) >= MAX_STREAM_REQUESTS:
            return False
        self._streams.append(request)
        self._wake.set()
        return True

    def take(self, view: View, node: str) -> list[bytes]:
        """All messages to send now: a cut at the view's revision, and the stream requests."""
        messages = self._cut(view, node)
        while self._streams:
            messages.append(cuts.stream_request(self._streams.popleft()))
        return messages

    def _cut(self, view: View, node: str) -> list[bytes]:
        if self._empty:
            if not self._snapshot:
                return []
            self._snapshot = False
            return cuts.snapshot(view.revision, [])
        if self._snapshot:
            if view.lookup(node, NODE_KEY) is None:
                return []  # the Node object is committed but not in the view yet; its arrival marks this outbox
            self._snapshot = False
            self._keys.clear()
            self._sent_revision = view.revision
            return view.snapshot(node, self._version)
        if not self._keys:
            return []
        base, self._sent_revision = self._sent_revision, view.revision
        keys, self._keys = self._keys, set()
        return view.delta(node, base, keys, self._version)
