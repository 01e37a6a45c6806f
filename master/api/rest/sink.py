"""The direct way from the cache to a watcher's connection, without a task that wakes up for each event.

With a thousand watchers, waking a thousand tasks costs more than the writes. So the cache calls the sink while it
publishes a commit, and the sink writes to the transport. When the transport holds too much that the client has not read
yet, the sink refuses, and the watch's task takes over with its queue and its back-pressure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from master.cache import Batch, Change

# Bytes that may wait in a transport, beside those in the kernel's buffer.
_WAITING_BYTES: Final = 64 << 10


class Sink:
    """Writes the frames of one watch to its HTTP response. It takes batches only while it is `open`.

    `chunked`: whether the response consists of chunks, as it does except with HTTP/1.0.
    """

    __slots__ = ("_chunked", "_frame", "_transport", "open")

    def __init__(self, transport: asyncio.Transport | None, frame: Callable[[Change], bytes], *, chunked: bool) -> None:
        self._transport = transport
        self._frame = frame
        self._chunked = chunked
        self.open = False

    def __call__(self, batch: Batch) -> bool:
        """Whether the batch was written."""
        transport = self._transport
        if not self.open or transport is None or transport.get_write_buffer_size() > _WAITING_BYTES:
            return False
        if transport.is_closing():
            # Nothing can be written any more. The server cancels the watch when it learns of the end.
            return True
        data = b"".join([self._frame(change) for change in batch.changes])
        if data:
            transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return True
