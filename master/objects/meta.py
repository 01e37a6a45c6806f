"""What all kinds share: the base of the models, object and list metadata, label selectors, times.

Owns the mapping between Python's attribute names (snake_case) and the API's JSON names. Does not decode or validate:
that is master/api/rest/bodies.py and the strategies.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import field

from master.objects.scalars import Int64, Required, Time, choice

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# The parts of a JSON name that the Kubernetes API writes in capitals when they do not come first.
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
    """The JSON name of an attribute: `cluster_ip` is `clusterIP`; a trailing underscore avoids Python's keywords."""
    first, *rest = attribute.rstrip("_").split("_")
    return first + "".join(_CAPITALS.get(part, part.capitalize()) for part in rest)


def always(value: Any) -> Any:
    """A default that is written out even when it has not changed: clients insist on the field."""
    make: Callable[[], Any] = lambda: value  # noqa: E731 - msgspec omits only plain defaults, never a factory's
    return field(default_factory=make)


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=json_name):
    """The base of everything that travels as JSON: immutable, fields at their default are left out."""


class OwnerReference(Model, frozen=True, kw_only=True):
    """Names the object that this one belongs to; garbage collection follows it."""

    api_version: str = always("")
    kind: str = always("")
    name: str = always("")
    uid: str = always("")
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Model, frozen=True, kw_only=True):
    """What every stored object carries: its names, its version, its life cycle."""

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
    # Accepted from clients that send it back; field ownership is not tracked.
    managed_fields: tuple[dict[str, Any], ...] = ()


class ListMeta(Model, frozen=True, kw_only=True):
    """What a list carries: the revision at which it was read."""

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
    """One set-based condition on a label: In, NotIn, Exists or DoesNotExist."""

    key: Required = always("")
    operator: Annotated[str, choice("DoesNotExist", "Exists", "In", "NotIn")] = always("")
    values: tuple[str, ...] = ()


class LabelSelector(Model, frozen=True, kw_only=True):
    """Selects objects by their labels; all conditions must hold, an empty selector selects everything."""

    match_labels: dict[str, str] = field(default_factory=dict)
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class LocalObjectReference(Model, frozen=True, kw_only=True):
    """Names an object of a known kind in the same namespace."""

    name: str = ""


class ObjectReference(Model, frozen=True, kw_only=True):
    """Points at any object, as an event or an endpoint address does."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


def timestamp(when: datetime) -> str:
    """A time as the API writes it: RFC 3339, UTC, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_time(text: str) -> bool:
    """Whether it is RFC 3339 and a time that can be reckoned with in every time zone."""
    if not _RFC3339.fullmatch(text):
        return False
    try:
        parse_time(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


def parse_time(text: str) -> datetime:
    """The reverse of `timestamp`; ValueError when it is not RFC 3339."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
