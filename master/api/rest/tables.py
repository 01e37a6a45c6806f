"""Tables: the rows of `kubectl get`, made from the columns that a resource declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from master.api.rest import answers
from master.api.rest.partial import partial
from master.api.rest.routes import Route
from master.cache import Entry, Unreadable

_encode = msgspec.json.Encoder().encode


class Tabulator:
    """Makes tables of a kind. `include`: the part of the object in each row: None, Metadata (default) or Object."""

    def __init__(self, route: Route, version: str, include: str) -> None:
        self._route = route
        self._table = route.resource.table
        self._version = version
        self._include = include or "Metadata"
        self._columns = [column.definition() for column in self._table.columns]

    def encode(self, entries: Sequence[Entry], revision: int, now: datetime, *, columns: bool = True) -> bytes:
        """A table of these objects as JSON. `columns`: whether with the column definitions; a watch sends them once."""
        metadata = {"resourceVersion": str(revision)} if revision else {}
        return b"".join(self.pieces(entries, metadata, now, rows=len(entries) + 1, columns=columns))

    def pieces(
        self, entries: Sequence[Entry], metadata: dict[str, Any], now: datetime, *, rows: int, columns: bool = True
    ) -> Iterator[bytes]:
        """A table as JSON in pieces of at most so many rows."""
        head = {
            "kind": "Table",
            "apiVersion": self._version,
            "metadata": metadata,
            "columnDefinitions": self._columns if columns else [],
        }
        yield _encode(head)[:-1] + b',"rows":['
        for begin in range(0, len(entries), rows):
            part = b",".join([self._row(entry, now) for entry in entries[begin : begin + rows]])
            yield b"," + part if begin else part
        yield b"]}\n"

    def _row(self, entry: Entry, now: datetime) -> bytes:
        cells = _encode(self._cells(entry, now))
        if self._include == "Object":
            return b'{"cells":%b,"object":%b}' % (cells, answers.body(entry, self._route))
        if self._include == "None":
            return b'{"cells":%b}' % cells
        return b'{"cells":%b,"object":%b}' % (cells, partial(entry, self._version))

    def _cells(self, entry: Entry, now: datetime) -> Sequence[Any]:
        try:
            return self._table.cells(entry.obj, now)
        except Unreadable:
            # The name is known in any case.
            return [entry.name, *["<unknown>"] * (len(self._columns) - 1)]
