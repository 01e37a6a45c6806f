"""Answers on their way out: JSON, lists as a join of stored bytes, tables, Status objects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from master.api.errors import ApiError, NotAcceptable
from master.api.tables import table
from master.cache import Entry
from master.objects.kind import KindSpec

# What may not stand in a header.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client accepts: plain objects, or a table of a version."""

    table: str = ""


def negotiate(accept: str) -> Wanted:
    """The first representation of the Accept header that is served; NotAcceptable when none is."""
    if not accept:
        return Wanted()
    for clause in accept.split(","):
        media, *parameters = (part.strip() for part in clause.split(";"))
        said = dict(parameter.partition("=")[::2] for parameter in parameters)
        if media not in ("application/json", "*/*", "application/*"):
            continue
        if said.get("as") == "Table" and said.get("g", "meta.k8s.io") == "meta.k8s.io":
            if said.get("v") in ("v1", "v1beta1"):
                return Wanted(table=f"meta.k8s.io/{said['v']}")
        elif "as" not in said:
            return Wanted()
    raise NotAcceptable(f"only application/json is served, and tables of it; the client accepts {accept}")


def json(value: Any, status: int = 200, warnings: Sequence[str] = ()) -> web.Response:
    """An answer made of Python values."""
    return raw(_encode(value), status, warnings)


def raw(body: bytes, status: int = 200, warnings: Sequence[str] = ()) -> web.Response:
    """An answer that is encoded already."""
    response = web.Response(body=body, status=status, content_type="application/json")
    for warning in warnings:
        quoted = _CONTROL.sub(" ", warning).replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def failure(error: ApiError) -> web.Response:
    """The Status of an error."""
    response = json(error.status(), error.code)
    if error.retry_after_s:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def success(kind: KindSpec[Any], name: str, uid: str) -> dict[str, Any]:
    """The Status of something that was deleted."""
    details = {"name": name, "group": kind.group, "kind": kind.plural, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def listed(kind: KindSpec[Any], entries: Sequence[Entry], revision: int) -> bytes:
    """A list, as a join of the stored bytes."""
    head = f'{{"kind":"{kind.kind}List","apiVersion":"{kind.api_version}","metadata":{{"resourceVersion":"{revision}"}}'
    return b'%b,"items":[%b]}\n' % (head.encode(), b",".join([entry.raw for entry in entries]))


class Tabulator:
    """Makes tables of a kind; `include` is what each row carries of its object: None, Metadata or Object."""

    def __init__(self, kind: KindSpec[Any], version: str, include: str) -> None:
        self._table = table(kind)
        self._version = version
        self._include = include or "Metadata"
        self._columns = [column.definition() for column in self._table.columns]

    def encode(self, entries: Sequence[Entry], revision: int, now: datetime, *, columns: bool = True) -> bytes:
        """The table of some objects. A watch sends the columns once."""
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
