"""What all kinds share: the base of the models, object and list metadata, label selectors, times.

Owns the mapping from Python's attribute names (snake_case) to the API's JSON names. Does not decode or validate:
master/api/rest/bodies.py and the strategies do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import field

from master.objects.scalars import Int64, Time

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# Words that the Kubernetes API writes in capitals in a JSON name, except at its start.
_CAPITALS = {
    "ip": "IP",
    "ips": "IPs",
    "cidr": "CIDR",
    "cidrs": "CIDRs",
    "id": "ID",
    "pid": "PID",
    "ipc": "IPC",
    "uuid": "UUID",
    "fqdn": "FQDN",
    "api": "API",
    "uri": "URI",
}


def json_name(attribute: str) -> str:
    """The JSON name of an attribute: `clusterIP` for `cluster_ip`. A trailing underscore (Python keywords) is cut."""
    first, *rest = attribute.rstrip("_").split("_")
    return first + "".join(_CAPITALS.get(part, part.capitalize()) for part in rest)


def always(value: Any) -> Any:
    """A default that is encoded even when the field has this value, because clients require the field."""
    make: Callable[[], Any] = lambda: value  # noqa: E731 - msgspec omits plain defaults, but never a factory's value
    return field(default_factory=make)


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=json_name):
    """The base of everything that is sent as JSON. Immutable; fields with their default value are left out."""


class OwnerReference(Model, frozen=True, kw_only=True):
    """Names an owner of this object. When all owners are deleted, the garbage collector deletes the object."""

    api_version: str = always("")
    kind: str = always("")
    name: str = always("")
    uid: str = always("")
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ManagedFieldsEntry(Model, frozen=True, kw_only=True):
    """The fields that one client owns, and how and when it last wrote the object.

    `operation` is Apply or Update. `fieldsV1` is the set of fields as JSON (master/fieldmanager/fieldset.py); it is not
    decoded with the object.
    """

    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: Time = ""
    fields_type: str = ""
    fields_v1: msgspec.Raw = msgspec.Raw()
    subresource: str = ""


class ObjectMeta(Model, frozen=True, kw_only=True):
    """Data that every stored object has: its names, its version, its life cycle, its labels and annotations."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    self_link: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: Int64 = 0
    creation_timestamp: Time = ""
    deletion_timestamp: Time = ""
    deletion_grace_period_seconds: Int64 | None = None
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[ManagedFieldsEntry, ...] = ()


class ListMeta(Model, frozen=True, kw_only=True):
    """Metadata of a list: `resourceVersion` is the revision at which the list was read."""

    self_link: str = ""
    resource_version: str = ""
    continue_: str = ""
    remaining_item_count: Int64 | None = None


class Object(Model, frozen=True, kw_only=True):
    """The base of every kind that is stored. `api_version` and `kind` are set by the pipeline."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = field(default_factory=ObjectMeta)


class LabelSelectorRequirement(Model, frozen=True, kw_only=True):
    """One condition on a label. `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str = always("")
    operator: str = always("")
    values: tuple[str, ...] = ()


class LabelSelector(Model, frozen=True, kw_only=True):
    """Selects objects by their labels. All conditions must hold; an empty selector selects all objects."""

    match_labels: dict[str, str] = field(default_factory=dict)
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class LocalObjectReference(Model, frozen=True, kw_only=True):
    """Names an object in the same namespace, whose kind the field determines."""

    name: str = ""


class ObjectReference(Model, frozen=True, kw_only=True):
    """Refers to an object of any kind, as an event or an endpoint address does."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


def with_raw_fields(value: dict[str, Any]) -> dict[str, Any]:
    """The JSON value of an object as `msgspec.convert` takes it: with `fieldsV1` as text."""
    metadata = value.get("metadata")
    entries = metadata.get("managedFields") if isinstance(metadata, dict) else None
    if not isinstance(entries, list):
        return value
    raw = [
        {**entry, "fieldsV1": msgspec.Raw(msgspec.json.encode(entry["fieldsV1"]))}
        if isinstance(entry, dict) and "fieldsV1" in entry
        else entry
        for entry in entries
    ]
    return {**value, "metadata": {**value["metadata"], "managedFields": raw}}


def timestamp(when: datetime) -> str:
    """A time as the API writes it: RFC 3339, UTC, whole seconds."""
    return _second(int(when.timestamp() // 1))


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    # Many objects are written in the same second.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_time(text: str) -> bool:
    """Whether the text is RFC 3339 and its time can be converted to UTC."""
    if not _RFC3339.fullmatch(text):
        return False
    try:
        parse_time(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


def parse_time(text: str) -> datetime:
    """The reverse of `timestamp`. Raises ValueError when the text is not RFC 3339."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
