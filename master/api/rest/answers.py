"""Responses: JSON, lists joined from stored bytes, tables, Status objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from master.api.errors import ApiError, NotAcceptable
from master.api.rest.routes import Route
from master.cache import Entry
from master.registry.resource import Resource

# Characters that are not allowed in a header.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Representation:
    """The form of a response: plain objects, or a table with this API version."""

    table: str = ""


def negotiate(accept: str) -> Representation:
    """The first representation in the Accept header that the server has. Raises NotAcceptable when it has none."""
    if not accept:
        return Representation()
    for clause in accept.split(","):
        media, *pairs = (part.strip() for part in clause.split(";"))
        parameters = dict(pair.partition("=")[::2] for pair in pairs)
        if media not in ("application/json", "*/*", "application/*"):
            continue
        if parameters.get("as") == "Table" and parameters.get("g", "meta.k8s.io") == "meta.k8s.io":
            if parameters.get("v") in ("v1", "v1beta1"):
                return Representation(table=f"meta.k8s.io/{parameters['v']}")
        elif "as" not in parameters:
            return Representation()
    raise NotAcceptable(f"the server has application/json only, and tables in JSON; the client accepts {accept}")


def json(value: Any, status: int = 200, warnings: Sequence[str] = ()) -> web.Response:
    """A response with Python values as JSON."""
    return raw(_encode(value), status, warnings)


def raw(body: bytes, status: int = 200, warnings: Sequence[str] = ()) -> web.Response:
    """A response with a body that is JSON already."""
    response = web.Response(body=body, status=status, content_type="application/json")
    for warning in warnings:
        quoted = _CONTROL.sub(" ", warning).replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


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


def body(entry: Entry, route: Route) -> bytes:
    """The object as JSON in the version of the path: the stored bytes, or a conversion of them."""
    if route.stored:
        return entry.raw
    value = route.version.from_stored(msgspec.json.decode(entry.raw))
    return _encode({**value, "apiVersion": route.api_version})


def listed(route: Route, entries: Sequence[Entry], revision: int) -> bytes:
    """A list as JSON, joined from the objects' bytes."""
    kind = route.resource.kind
    head = f'{{"kind":"{kind}List","apiVersion":"{route.api_version}","metadata":{{"resourceVersion":"{revision}"}}'
    items = [entry.raw for entry in entries] if route.stored else [body(entry, route) for entry in entries]
    return b'%b,"items":[%b]}\n' % (head.encode(), b",".join(items))


class Tabulator:
    """Makes tables of a kind. `include`: the part of the object in each row: None, Metadata (default) or Object."""

    def __init__(self, kind: Resource[Any], version: str, include: str) -> None:
        self._table = kind.table
        self._version = version
        self._include = include or "Metadata"
        self._columns = [column.definition() for column in self._table.columns]

    def encode(self, entries: Sequence[Entry], revision: int, now: datetime, *, columns: bool = True) -> bytes:
        """A table of these objects as JSON. `columns`: whether with the column definitions; a watch sends them once."""
        value: dict[str, Any] = {
            "kind": "Table",
            "apiVersion": self._version,
            "metadata": {"resourceVersion": str(revision)},
            "columnDefinitions": self._columns if columns else [],
            "rows": [self._row(entry, now) for entry in entries],
        }
        return _encode(value)

    def _row(self, entry: Entry, now: datetime) -> dict[str, Any]:
        row: dict[str, Any] = {"cells": list(self._table.cells(entry.obj, now))}
        if self._include == "Object":
            row["object"] = msgspec.Raw(entry.raw)
        elif self._include == "Metadata":
            row["object"] = {
                "kind": "PartialObjectMetadata",
                "apiVersion": self._version,
                "metadata": entry.obj.metadata,
            }
        return row
