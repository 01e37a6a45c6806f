"""OpenAPI over HTTP: `/openapi/v2`, the index `/openapi/v3`, and a document for each version of each group.

The index names each document with a hash of its content. A client may keep what it got under such an address for ever.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Final
from urllib.parse import quote

from aiohttp import web

from master.api.errors import NotAcceptable
from master.api.openapi.publisher import ALL, Form, Packed, Publisher
from master.api.rest.accept import JSON, clauses
from master.api.rest.documents import Document, respond
from master.registry.registry import Registry

_YEAR_S: Final = 365 * 24 * 3600
_BINARY: Final = "application/octet-stream"
_INDEX: Final = "/openapi/v3"


def _protobuf(version: str) -> dict[str, str]:
    """The media types under which clients ask for protobuf, and those of the responses to them.

    The older one has an `@`, which the parser of Go's clients refuses in a response.
    """
    name = f"application/com.github.proto-openapi.spec.{version}"
    return {f"{name}.v1.0+protobuf": f"{name}.v1.0+protobuf", f"{name}@v1.0+protobuf": _BINARY}


_PROTOBUF: Final = {version: _protobuf(version) for version in ("v2", "v3")}


class OpenApi:
    """Answers requests for documents about a registry."""

    def __init__(self, registry: Registry) -> None:
        self._publisher = Publisher(registry)

    async def answer(self, request: web.BaseRequest, parts: list[str]) -> web.Response | None:
        """The response of a path; None for an unknown one. Raises NotAcceptable."""
        match parts:
            case ["openapi", "v2"]:
                form, media = _form(request, "v2")
                return _respond(request, (await self._publisher.documents(form))[ALL], media)
            case ["openapi", "v3"]:
                return respond(request, await self._index())
            case ["openapi", "v3", *name]:
                return await self._group(request, "/".join(name))
            case _:
                return None

    async def _index(self) -> Document:
        documents = await self._publisher.documents("v3 json")
        paths = {name: {"serverRelativeURL": _address(name, packed.tag)} for name, packed in documents.items()}
        return Document.of({"paths": paths})

    async def _group(self, request: web.BaseRequest, name: str) -> web.Response | None:
        form, media = _form(request, "v3")
        packed = (await self._publisher.documents(form)).get(name)
        if packed is None:
            return None
        # The hash in an address is that of the text, whichever form the client asks for.
        texts = await self._publisher.documents("v3 json")
        if name not in texts:
            # The group went away meanwhile.
            return None
        tag = texts[name].tag
        asked = request.query.get("hash", "")
        if asked and asked != tag:
            return web.Response(status=301, headers={"Location": _address(name, tag), "Vary": "Accept"})
        response = _respond(request, packed, media)
        if asked:
            response.headers["Cache-Control"] = "public, immutable"
            response.headers["Expires"] = formatdate(time.time() + _YEAR_S, usegmt=True)
        return response


def _address(name: str, tag: str) -> str:
    return f"{_INDEX}/{quote(name)}?hash={tag}"


def _form(request: web.BaseRequest, version: str) -> tuple[Form, str]:
    """The form that the client prefers, and the media type of the response. Raises NotAcceptable."""
    accept = request.headers.get("Accept", "")
    for clause in clauses(accept):
        if clause.covers(JSON):
            return ("v2 json" if version == "v2" else "v3 json"), JSON
        media = _PROTOBUF[version].get(clause.media)
        if media is not None:
            return ("v2 protobuf" if version == "v2" else "v3 protobuf"), media
    raise NotAcceptable(f"the server has OpenAPI as JSON and protobuf; the client accepts {accept}")


def _respond(request: web.BaseRequest, packed: Packed, media: str) -> web.Response:
    return respond(request, Document(packed.body, packed.tag, media, packed=True))
