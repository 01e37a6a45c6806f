"""Fills a store with many pods without the API: values that the API stored, with other names and uids.

So a hundred thousand pods take seconds, and every one of them is as the API stores it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from master.store.interface import Put
from master.store.sqlite import SqliteStore
from tests.bench.areas.api.pods import (
    DOOMED,
    NAME,
    NAMESPACE,
    NODE,
    OTHERS,
    PODS_OF_NODE,
    TENTH,
    node_name,
    pod_name,
)

_PUTS_OF_COMMIT = 200
_PREFIX = "/registry"


@dataclass(frozen=True, slots=True)
class Templates:
    """Values as the API stored them: two namespaces, a node, a pod on that node and one that has no node."""

    namespaces: dict[str, bytes]
    node: bytes
    placed: bytes
    waiting: bytes

    @classmethod
    async def read(cls, store: SqliteStore) -> Templates:
        """Reads them from the store of a master through which they were created."""

        async def value(key: str) -> bytes:
            found = await store.get(f"{_PREFIX}/{key}")
            assert found is not None, f"the store has no {key}"
            return found.value

        return cls(
            namespaces={name: await value(f"namespaces/-/{name}") for name in (NAMESPACE, DOOMED)},
            node=await value(f"nodes/-/{NODE.decode()}"),
            placed=await value(f"pods/{NAMESPACE}/{NAME.decode()}"),
            waiting=await value(f"pods/{DOOMED}/{NAME.decode()}"),
        )

    def spaces(self) -> Iterator[Put]:
        """The namespaces."""
        for name, value in self.namespaces.items():
            yield Put(f"{_PREFIX}/namespaces/-/{name}", value)

    def placed_pods(self, numbers: range) -> Iterator[Put]:
        """Pods of `NAMESPACE`, a hundred of them on each node, and their nodes. A tenth has the label `TENTH`."""
        for number in numbers:
            node = node_name(number // PODS_OF_NODE)
            if number % PODS_OF_NODE == 0:
                yield Put(f"{_PREFIX}/nodes/-/{node.decode()}", _copy(self.node).replace(NODE, node))
            value = _copy(self.placed).replace(NAME, pod_name(number)).replace(NODE, node)
            if number % 10 == 0:
                value = value.replace(OTHERS, TENTH)
            yield Put(f"{_PREFIX}/pods/{NAMESPACE}/{pod_name(number).decode()}", value)

    def waiting_pods(self, numbers: range) -> Iterator[Put]:
        """Pods of `DOOMED` without a node, so that no agent has to report their end."""
        for number in numbers:
            name = pod_name(number)
            yield Put(f"{_PREFIX}/pods/{DOOMED}/{name.decode()}", _copy(self.waiting).replace(NAME, name))


def _copy(value: bytes) -> bytes:
    """The value with a new uid."""
    uid = msgspec.json.decode(value)["metadata"]["uid"]
    return value.replace(uid.encode(), str(uuid.uuid4()).encode())


async def fill(path: Path, puts: Iterable[Put]) -> None:
    """Adds the values to the store in this file, which no master uses meanwhile."""
    store = await SqliteStore.open(path)
    left = iter(puts)
    while batch := list(islice(left, _PUTS_OF_COMMIT)):
        await store.commit([], batch)
    await store.close()
