"""What a client does on a SPDY connection, as values."""

from __future__ import annotations

from dataclasses import dataclass

from master.api.remote.spdy.headers import Headers


@dataclass(frozen=True, slots=True)
class Opened:
    """A new stream. It must be accepted or reset: clients wait for the answer before they send."""

    stream_id: int
    headers: Headers


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes on a stream, at least one."""

    stream_id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The client sends no more on the stream, but may read."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class WasReset:
    """The client has given the stream up, in both directions."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class GoingAway:
    """The client opens no more streams."""


Event = Opened | Received | Ended | WasReset | GoingAway
