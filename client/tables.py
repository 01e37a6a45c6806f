"""Tables that the server makes of objects: the columns that a kind declares, and a row for each object."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from client.errors import ConnectionFailed
from client.following import follow
from client.rest import Document, Query, RestClient

ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io"
_PAGE = "500"


@dataclass(frozen=True, slots=True)
class Column:
    """`wide`: only in a wide table."""

    name: str
    wide: bool


@dataclass(frozen=True, slots=True)
class Row:
    """`object`: the metadata of the row's object or, if the request said so, the whole object."""

    cells: tuple[Any, ...]
    object: Document


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    resource_version: str = ""


def fetch(client: RestClient, path: str, query: Query | None = None) -> Table:
    """All objects of a collection, from as many pages as it has, or the only one of an object's path."""
    columns: tuple[Column, ...] = ()
    rows: list[Row] = []
    parameters = {"limit": _PAGE, **(query or {})}
    while True:
        document = client.get(path, parameters, accept=ACCEPT)
        page, metadata = parse(document), document.get("metadata") or {}
        columns = columns or page.columns
        rows += page.rows
        if not metadata.get("continue"):
            return Table(columns, tuple(rows), str(metadata.get("resourceVersion") or ""))
        parameters["continue"] = metadata["continue"]


def changes(
    client: RestClient, path: str, resource_version: str, query: Query | None = None
) -> Iterator[tuple[str, Row]]:
    """The type of each change after a version, and its row. Ends and raises as `follow` in following.py."""
    for event in follow(client, path, resource_version, query, accept=ACCEPT):
        yield from ((event.kind, row) for row in parse(event.object).rows)


def parse(document: Document) -> Table:
    """Raises ConnectionFailed if the document is not a table."""
    if document.get("kind") != "Table":
        raise ConnectionFailed("the server does not answer with a table")
    return Table(
        tuple(Column(entry["name"], entry.get("priority", 0) > 0) for entry in document["columnDefinitions"]),
        tuple(Row(tuple(row["cells"]), row.get("object") or {}) for row in document["rows"]),
    )
