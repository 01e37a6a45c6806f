"""Request bodies in protobuf: each becomes the JSON that means the same. Responses are JSON, which all clients take.

The types are those of the Kubernetes API; custom resources have none in this format.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, Final

import msgspec

from master.api.errors import BadRequest, UnsupportedMediaType
from master.api.rest.bodies import TEXT_TYPES, Document
from master.schema.facts import facts
from master.schema.protobuf.decoder import Decoders
from master.schema.protobuf.frame import MEDIA_TYPE, Frame, read_frame
from master.schema.protobuf.wire import Malformed
from master.schema.schema import Schema
from master.schema.tree import Struct

# Larger bodies are read in a thread, as others wait meanwhile: about 40 ms for each megabyte.
_LARGE_BYTES: Final = 128 << 10


async def decode(body: bytes, schema: Schema[Any]) -> Document:
    """The document of a body. `schema`: that of the path. Raises BadRequest, UnsupportedMediaType."""
    if len(body) > _LARGE_BYTES:
        return Document(await asyncio.to_thread(_text, body, schema))
    return Document(_text(body, schema))


def _text(body: bytes, schema: Schema[Any]) -> bytes:
    try:
        frame = read_frame(body)
        value = _decoders().decode(frame.raw, _type_of(frame, schema))
    except Malformed as error:
        raise BadRequest(f"the body is not protobuf: {error}") from error
    named = {"apiVersion": frame.api_version, "kind": frame.kind}
    return msgspec.json.encode({**{name: text for name, text in named.items() if text}, **value})


def _type_of(frame: Frame, schema: Schema[Any]) -> Struct:
    """The type that the body names; if it is not one of the kinds, that of the path. Raises UnsupportedMediaType."""
    group, _, version = frame.api_version.rpartition("/")
    name = facts().kinds.get(f"{group}/{version}/{frame.kind}") or schema.full_tree.name
    try:
        return facts().struct(name)
    except KeyError as error:
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            f"{', '.join(TEXT_TYPES)}; this was {MEDIA_TYPE}"
        ) from error


@cache
def _decoders() -> Decoders:
    return Decoders()
