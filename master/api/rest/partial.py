"""Objects without all but their metadata (PartialObjectMetadata), for clients that need no more."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from master.cache import Entry

KIND: Final = "PartialObjectMetadata"
LIST: Final = "PartialObjectMetadataList"


class _Metadata(msgspec.Struct):
    """Only the metadata of an object, as its JSON text."""

    metadata: msgspec.Raw


_metadata_of = msgspec.json.Decoder(_Metadata).decode


def partial(entry: Entry, version: str) -> bytes:
    """The metadata of an object as JSON. `version`: the API version of this form, such as `meta.k8s.io/v1`."""
    return b"%b%b}" % (_head(version), _metadata_of(entry.raw).metadata)


@lru_cache(maxsize=8)
def _head(version: str) -> bytes:
    return msgspec.json.encode({"kind": KIND, "apiVersion": version})[:-1] + b',"metadata":'
