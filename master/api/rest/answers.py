"""Responses: JSON, single objects and Status objects, in the representation that the client accepts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
from aiohttp import HttpVersion11, web

from master.api.errors import ApiError, NotAcceptable
from master.api.rest import partial
from master.api.rest.accept import JSON as JSON_MEDIA
from master.api.rest.accept import clauses
from master.api.rest.routes import Route
from master.api.rest.whole import Whole
from master.cache import Entry
from master.registry.resource import Resource

# Characters that are not allowed in a header.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_encode = msgspec.json.Encoder().encode
_GROUP: Final = "meta.k8s.io"
_VERSIONS: Final = ("v1", "v1beta1")
JSON: Final = {"Content-Type": "application/json"}
"""The headers of a response in JSON."""


@dataclass(frozen=True, slots=True)
class Representation:
    """The form of a response: plain objects, or a table or only metadata, with this API version."""

    table: str = ""
    metadata: str = ""


def negotiate_plain(accept: str) -> None:
    """For responses without a stored object, such as reviews: they have no tables. Raises NotAcceptable."""
    if not any(clause.covers(JSON_MEDIA) and not clause.transformed for clause in clauses(accept)):
        raise NotAcceptable(f"the server has only application/json here, not as a Table; the client accepts {accept}")


@lru_cache(maxsize=256)
def negotiate(accept: str, *, listed: bool = False) -> Representation:
    """The first representation in the Accept header that the server has. Raises NotAcceptable when it has none.

    `listed`: whether the response is a list. Metadata of a list and of one object are different kinds.
    """
    for clause in clauses(accept):
        if not clause.covers(JSON_MEDIA):
            continue
        if not clause.transformed:
            return Representation()
        version = clause.group_version(_GROUP)
        if version not in _VERSIONS:
            continue
        if clause.transformed == "Table":
            return Representation(table=f"{_GROUP}/{version}")
        if clause.transformed == (partial.LIST if listed else partial.KIND):
            return Representation(metadata=f"{_GROUP}/{version}")
    forms = f"Table or {partial.LIST if listed else partial.KIND}"
    raise NotAcceptable(
        f"the server has application/json only, also as {forms} of {_GROUP}/v1; the client accepts {accept}"
    )


def json(value: Any, status: int = 200, warnings: Sequence[str] = ()) -> web.Response:
    """A response with Python values as JSON."""
    return raw(_encode(value), status, warnings)


def raw(body: bytes, status: int = 200, warnings: Sequence[str] = ()) -> web.Response:
    """A response with a body that is JSON already."""
    response = Whole(body=body, status=status, headers=JSON)
    for warning in warnings:
        quoted = _CONTROL.sub(" ", warning).replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def streamed(request: web.BaseRequest) -> web.StreamResponse:
    """A response of unknown length in JSON, unless the caller sets another type.

    It has chunks. HTTP/1.0 lacks them: there the end of the connection is that of the response.
    """
    response = web.StreamResponse(headers=JSON)
    if request.version >= HttpVersion11:
        response.enable_chunked_encoding()
    else:
        response.force_close()
    return response


def break_off(request: web.BaseRequest) -> None:
    """Close the connection before the end of the response, so that no client takes what it has for the whole."""
    if request.transport is not None:
        request.transport.close()


def failure(error: ApiError) -> web.Response:
    """The response with the Status of an error."""
    response = json(error.status(), error.code)
    if error.retry_after_s:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def success(kind: Resource[Any], name: str, uid: str) -> dict[str, Any]:
    """The Status for an object that was deleted."""
    details = {"name": name, "group": kind.group, "kind": kind.plural, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def form(entry: Entry, route: Route, representation: Representation) -> bytes:
    """The object as JSON in this representation, which is not a table."""
    if representation.metadata:
        return partial.partial(entry, representation.metadata)
    return body(entry, route)


def body(entry: Entry, route: Route) -> bytes:
    """The object as JSON in the version of the path: the stored bytes, or a conversion of them."""
    if route.stored:
        return entry.raw
    convert = route.version.from_stored
    assert convert is not None
    value = convert(msgspec.json.decode(entry.raw))
    return _encode({**value, "apiVersion": route.api_version})
