"""The channels of Kubernetes' remote command protocol, as values: what a client sends, and how a stream ends.

Pure: no sockets. The numbers and forms are those of client-go's tools/remotecommand and apimachinery's
pkg/util/remotecommand. By a websocket, each message has the number of its channel (subprotocols.py). By SPDY, streams
with names take the place of the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import msgspec

from master.api.errors import ApiError, InternalError

_MAX_SIZE: Final = (1 << 16) - 1


class Channel(IntEnum):
    """The number of a channel in the messages of a websocket."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    RESIZE = 4
    CLOSE = 255
    """Since v5: the channel whose number follows has ended."""


@dataclass(frozen=True, slots=True)
class Input:
    """Bytes of the standard input."""

    data: bytes


@dataclass(frozen=True, slots=True)
class InputEnd:
    """The standard input has ended."""


@dataclass(frozen=True, slots=True)
class Resize:
    """The size of the client's terminal in characters."""

    width: int
    height: int


Event = Input | InputEnd | Resize


class _Size(msgspec.Struct):
    width: int = msgspec.field(name="Width", default=0)
    height: int = msgspec.field(name="Height", default=0)


def event_of(channel: int, data: bytes, *, has_close: bool) -> Event | None:
    """What a client's message means; None: nothing, as in Kubernetes for channels that it does not know.

    `has_close`: clients can close one channel.
    """
    match channel:
        case Channel.STDIN:
            return Input(data) if data else None
        case Channel.RESIZE:
            return resize_of(data)
        case Channel.CLOSE if has_close and data == bytes((Channel.STDIN,)):
            return InputEnd()
        case _:
            return None


def resize_of(data: bytes) -> Resize | None:
    """The size in the JSON of a resize message; None if it has none that a terminal can have."""
    try:
        size = msgspec.json.decode(data, type=_Size)
    except msgspec.DecodeError:
        return None
    return (
        Resize(size.width, size.height)
        if 0 < min(size.width, size.height) <= max(size.width, size.height) <= _MAX_SIZE
        else None
    )


def ended(exit_code: int | None) -> bytes:
    """The Status of a stream that came to its end, as JSON. None: the process goes on without the client."""
    if not exit_code:
        return _encode({"metadata": {}, "status": "Success"})
    text = f"command terminated with non-zero exit code: exit status {exit_code}"
    causes = [{"reason": "ExitCode", "message": str(exit_code)}]
    failure = {"metadata": {}, "status": "Failure", "message": text, "reason": "NonZeroExitCode"}
    return _encode({**failure, "details": {"causes": causes}})


def failed(error: ApiError) -> bytes:
    """The Status of a stream that failed after it began, as JSON."""
    return _encode(InternalError(error.message).status())


def text_of(status: bytes) -> bytes:
    """The Status of an end as the protocols before v4 have it: the message of a failure; nothing for a success."""
    value = msgspec.json.decode(status)
    return b"" if value["status"] == "Success" else str(value["message"]).encode()


def _encode(status: dict[str, Any]) -> bytes:
    return msgspec.json.encode(status)
