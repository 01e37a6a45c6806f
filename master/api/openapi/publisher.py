"""The publisher: makes documents when they are first asked for, and again after the registry has changed.

A document of all kinds takes a large part of a second, so it is made on a thread. Only compressed bytes are kept, which
are a tenth of the text: nearly all clients accept them.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from master.api.openapi import v2, v3
from master.api.openapi.catalog import Catalog, catalog_of
from master.api.openapi.gnostic import DOCUMENT_V2, DOCUMENT_V3
from master.registry.registry import Registry

Form = Literal["v2 json", "v2 protobuf", "v3 json", "v3 protobuf"]
"""A version of OpenAPI and its encoding."""
ALL: Final = ""
"""The name of the only document of version 2."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A document, compressed. `tag` changes with its content."""

    body: bytes
    tag: str


Documents = Mapping[str, Packed]


class Publisher:
    """The documents of a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._revision = registry.revision
        self._made: dict[Form, asyncio.Task[Documents]] = {}

    async def documents(self, form: Form) -> Documents:
        """All documents in this form by name: `ALL`, or `api/v1` and `apis/<group>/<version>` in version 3."""
        if self._revision != self._registry.revision:
            # Those who wait for the earlier documents get them, which were true when they asked.
            self._made.clear()
            self._revision = self._registry.revision
        making = self._made.get(form)
        if making is None:
            making = self._made[form] = asyncio.create_task(self._make(form), name=f"openapi {form}")
        try:
            # Several requests may wait for it: if one of them is cancelled, the others still need it.
            return await asyncio.shield(making)
        except Exception:
            if self._made.get(form) is making:
                del self._made[form]
            raise

    async def _make(self, form: Form) -> Documents:
        catalog = await catalog_of(self._registry)
        return await asyncio.to_thread(_packed, catalog, form)


def _packed(catalog: Catalog, form: Form) -> Documents:
    return {name: Packed(gzip.compress(body, 6, mtime=0), _tag(body)) for name, body in _FORMS[form](catalog)}


def _tag(body: bytes) -> str:
    return hashlib.sha512(body).hexdigest().upper()


def _written(
    documents: Callable[[Catalog], Iterator[tuple[str, dict[str, Any]]]], encode: Callable[[Any], bytes]
) -> Callable[[Catalog], Iterator[tuple[str, bytes]]]:
    return lambda catalog: ((name, encode(document)) for name, document in documents(catalog))


def _one(catalog: Catalog) -> Iterator[tuple[str, dict[str, Any]]]:
    yield ALL, v2.document(catalog)


_FORMS: Final[Mapping[Form, Callable[[Catalog], Iterator[tuple[str, bytes]]]]] = {
    "v2 json": _written(_one, msgspec.json.encode),
    "v2 protobuf": _written(_one, DOCUMENT_V2.encode),
    "v3 json": _written(v3.documents, msgspec.json.encode),
    "v3 protobuf": _written(v3.documents, DOCUMENT_V3.encode),
}
