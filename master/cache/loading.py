"""Reading the store into the tables of the cache, a part at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from master.cache.table import Table
from master.store.interface import KeyValue, Revision, Store, StoreDamaged

# Objects that are read at a time.
SLICE: Final = 256


async def slices(store: Store, prefix: str) -> AsyncIterator[tuple[list[KeyValue], Revision]]:
    """All keys with the prefix, a part at a time, each with the store's revision when it was read. At least one part.

    So the values of a large store are never in memory all at once, beside the objects that are made of them.
    """
    after = ""
    while True:
        values, revision = await store.list(prefix, after=after, limit=SLICE)
        yield values, revision
        if len(values) < SLICE:
            return
        after = values[-1].key


def fill(tables: Mapping[str, Table], values: Iterable[KeyValue]) -> None:
    """Puts stored values into the tables of their resources."""
    for value in values:
        table, namespace, name = place(tables, value.key)
        if table is None:
            continue
        try:
            table.put(namespace, name, value.value, value.mod_revision)
        except ValueError as error:
            raise StoreDamaged(f"the store's value of {value.key} cannot be read: {error}") from error


def place(tables: Mapping[str, Table], key: str) -> tuple[Table | None, str, str]:
    """The table, namespace and name of a key of the store."""
    _, _, resource, namespace, name = key.split("/", 4)
    table = tables.get(resource)
    return table, namespace if table is not None and table.kind.namespaced else "", name
