"""What is around an object in a body of type `application/vnd.kubernetes.protobuf`: four bytes, and its type.

Source: "Alternate representations of resources" in the documentation of Kubernetes, and the message runtime.Unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from master.schema.protobuf.values import scalars
from master.schema.protobuf.wire import Malformed

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"
_PREFIX: Final = b"k8s\x00"


@dataclass(frozen=True, slots=True)
class Frame:
    """An object that is still encoded, and the type that the client names. Both texts may be empty."""

    api_version: str
    kind: str
    raw: bytes


def read_frame(body: bytes) -> Frame:
    """Raises Malformed."""
    if not body.startswith(_PREFIX):
        raise Malformed("it does not begin with the bytes of a Kubernetes object")
    if len(body) == len(_PREFIX):
        raise Malformed("it has no object")
    try:
        fields = scalars(body, len(_PREFIX), len(body))
        of_type = scalars(_bytes(fields.get(1)), 0, len(_bytes(fields.get(1))))
        if fields.get(3):
            raise Malformed("its content has an encoding")
        return Frame(_bytes(of_type.get(1)).decode(), _bytes(of_type.get(2)).decode(), _bytes(fields.get(2)))
    except IndexError as error:
        raise Malformed("the message is cut off") from error
    except UnicodeDecodeError as error:
        raise Malformed("a text is not UTF-8") from error


def _bytes(value: object) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, bytes):
        raise Malformed("a number in place of bytes")
    return value
