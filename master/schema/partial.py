"""The metadata of a stored object, without the rest: labels, owners, finalizers and the time of deletion."""

from __future__ import annotations

import msgspec

from master.objects.meta import OwnerReference, json_name
from master.schema.salvage import salvage


class Meta(msgspec.Struct, frozen=True, kw_only=True, rename=json_name, gc=False):
    """The fields of `ObjectMeta` that are read without the object. They have the same names and meanings there."""

    uid: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class _Whole(msgspec.Struct, gc=False):
    metadata: Meta


_decoder = msgspec.json.Decoder(_Whole)


def read_meta(raw: bytes) -> Meta:
    """The metadata of an object's JSON. Fields of a wrong type are left out. Raises ValueError without metadata."""
    try:
        return _decoder.decode(raw).metadata
    except msgspec.ValidationError:
        return salvage(_Whole, raw).metadata
