"""Documents: responses that many clients ask for and that seldom change. Clients keep them, and ask if they are new."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from master.api.rest.accept import JSON, accepts_gzip
from master.registry.registry import Registry

_encode = msgspec.json.Encoder().encode


class Document(msgspec.Struct, frozen=True):
    """The bytes of a response with their media type. `tag` names the content: it changes with the bytes.

    `packed`: the bytes are compressed (gzip), and decompressed for clients that do not accept that.
    """

    body: bytes
    tag: str
    media: str = JSON
    packed: bool = False

    @classmethod
    def of(cls, value: Any, media: str = JSON) -> Document:
        """The document with a value as JSON."""
        body = _encode(value) + b"\n"
        return cls(body, tag_of(body), media)


def tag_of(body: bytes) -> str:
    """A name for bytes: their SHA-512 in capital hexadecimal digits."""
    return hashlib.sha512(body).hexdigest().upper()


def unchanged(request: web.BaseRequest, tag: str) -> bool:
    """Whether the client says that it has the content with this tag."""
    known = request.headers.get("If-None-Match", "")
    return bool(known) and (known.strip() == "*" or f'"{tag}"' in known.replace("W/", "").replace(" ", "").split(","))


def respond(request: web.BaseRequest, document: Document) -> web.Response:
    """The response with a document, or 304 if the client has it already."""
    headers = {"ETag": f'"{document.tag}"', "Vary": "Accept, Accept-Encoding" if document.packed else "Accept"}
    if unchanged(request, document.tag):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = document.media
    body = document.body
    if document.packed:
        if accepts_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
    return web.Response(body=body, headers=headers)


class Kept:
    """Documents about a registry, kept until it changes. Each is made when it is first asked for."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._revision = registry.revision
        self._documents: dict[str, Document] = {}

    def get(self, key: str, make: Callable[[], Document | None]) -> Document | None:
        """The document of this key, made by `make` unless it is kept. None: there is none."""
        if self._revision != self._registry.revision:
            self._documents.clear()
            self._revision = self._registry.revision
        document = self._documents.get(key) or make()
        if document is not None:
            # What does not exist is not remembered, because clients may ask for any number of paths.
            self._documents[key] = document
        return document
