"""Consistent cuts as bytes on the wire: items joined into DesiredMessages of at most 1 MiB, the last one marked.

Owns splitting and framing. Does not know the meaning of the items.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from master.schema.protobuf.wire import to_varint
from proto import contract
from proto.gen import session_pb2

# Field 1 (`cut`) of DesiredMessage, length-delimited.
_CUT_TAG = b"\x0a"
# Upper bound for the frame and the first fields of a cut: a tag, a length, two revisions and two flags.
_OVERHEAD_BYTES = 64


def snapshot(revision: int, items: Iterable[bytes]) -> list[bytes]:
    """Messages that replace the agent's whole desired state."""
    return _messages(session_pb2.Cut(snapshot=True, revision=revision), split(items))


def delta(base: int, revision: int, items: Iterable[bytes]) -> list[bytes]:
    """Messages with the changes from revision `base` to `revision`."""
    return _messages(session_pb2.Cut(base_revision=base, revision=revision), split(items))


def stream_request(request: session_pb2.StreamRequest) -> bytes:
    """The message that asks the agent to open a stream."""
    return session_pb2.DesiredMessage(open_stream=request).SerializeToString()


def split(items: Iterable[bytes]) -> list[list[bytes]]:
    """Groups of items below the limit; a larger item gets its own group. At least one group, which may be empty."""
    groups: list[list[bytes]] = [[]]
    size = _OVERHEAD_BYTES
    for item in items:
        if groups[-1] and size + len(item) > contract.MAX_CUT_BYTES:
            groups.append([])
            size = _OVERHEAD_BYTES
        groups[-1].append(item)
        size += len(item)
    return groups


def _messages(head: session_pb2.Cut, groups: Sequence[Sequence[bytes]]) -> list[bytes]:
    messages = []
    for index, group in enumerate(groups):
        head.last = index == len(groups) - 1
        messages.append(_frame(b"".join((head.SerializeToString(), *group))))
    return messages


def _frame(cut: bytes) -> bytes:
    return b"".join((_CUT_TAG, to_varint(len(cut)), cut))
