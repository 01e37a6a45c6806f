"""The errors of SPDY.

SpdyError
├── ProtocolError   the client broke a rule that concerns the whole connection
└── StreamClosed    this side can no longer send on the stream
"""

from __future__ import annotations


class SpdyError(Exception):
    """The root."""


class ProtocolError(SpdyError):
    """The bytes of the client cannot be read any further: the connection must end."""


class StreamClosed(SpdyError):
    """The stream was reset, or this side has ended it."""
