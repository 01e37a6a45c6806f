"""The subprotocols of websockets that carry channels: how a message has its channel and its bytes, and how a stream
ends in each.

Pure: no sockets. The names and forms are those of apimachinery (pkg/util/httpstream/wsstream) and of client-go
(tools/remotecommand). A client that offers no subprotocol gets the oldest one, without a name.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

_ZERO: Final = ord("0")


@dataclass(frozen=True, slots=True)
class Subprotocol:
    """One form of the messages. `is_text`: a digit and base64; otherwise a byte and the bytes themselves. After 9, the
    digits go on with the characters that follow it in ASCII."""

    name: str
    is_text: bool = False
    has_status: bool = True
    """The stream ends with a Status as JSON; before v4 with the text of a failure, or with nothing."""
    has_close: bool = False
    """Clients can close one channel."""

    def encode(self, channel: int, data: bytes) -> bytes | str:
        """A message of the channel."""
        if self.is_text:
            return f"{chr(_ZERO + channel)}{base64.b64encode(data).decode()}"
        return bytes((channel,)) + data

    def decode(self, message: bytes | str) -> tuple[int, bytes] | None:
        """The channel of a message and its bytes; None if it has another form, which Kubernetes ignores."""
        if isinstance(message, bytes):
            return (message[0], message[1:]) if message and not self.is_text else None
        if not self.is_text or message[:1] < "0" or not message.isascii():
            return None
        try:
            return ord(message[0]) - _ZERO, base64.b64decode(message[1:], validate=True)
        except binascii.Error:
            return None


V5: Final = Subprotocol("v5.channel.k8s.io", has_close=True)
V4: Final = Subprotocol("v4.channel.k8s.io")
V4_TEXT: Final = Subprotocol("v4.base64.channel.k8s.io", is_text=True)
OLD: Final = Subprotocol("channel.k8s.io", has_status=False)
OLD_TEXT: Final = Subprotocol("base64.channel.k8s.io", is_text=True, has_status=False)

ALL: Final = {each.name: each for each in (V5, V4, V4_TEXT, OLD, OLD_TEXT)}
"""By name, the best one first."""
