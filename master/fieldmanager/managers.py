"""The managers of an object's fields, as `metadata.managedFields` lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from master.fieldmanager.fieldset import FieldSet
from master.objects.meta import ManagedFieldsEntry, parse_time

APPLY: Final = "Apply"
UPDATE: Final = "Update"
UNKNOWN: Final = "unknown"
"""The name of a client that sends no name."""
FIELDS_V1: Final = "FieldsV1"


@dataclass(frozen=True, slots=True)
class Manager:
    """One client as the owner of fields.

    The updates of a client by different versions or subresources are different managers. The version of what a client
    applies does not count: then `api_version` is empty.
    """

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""

    @classmethod
    def of(cls, name: str, operation: str, api_version: str, subresource: str) -> Manager:
        """The manager of an operation. A client without a name is `unknown`."""
        return cls(name or UNKNOWN, operation, "" if operation == APPLY else api_version, subresource)


@dataclass(frozen=True, slots=True)
class Owned:
    """What a manager owns: the fields, in which version of the object, and since when (RFC 3339; empty: unknown)."""

    fields: FieldSet
    api_version: str
    time: str = ""


Managers = dict[Manager, Owned]
"""All managers of an object."""


def read(entries: Iterable[ManagedFieldsEntry], *, trusted: bool = False) -> Managers:
    """The managers of an object. Raises ValueError for entries that a client has sent and that are not valid.

    `trusted`: the entries are stored, so that `written` has made them.
    """
    managers: Managers = {}
    for entry in entries:
        if entry.operation not in (APPLY, UPDATE):
            raise ValueError("operation must be `Apply` or `Update`")
        if not entry.api_version:
            raise ValueError("apiVersion must not be empty")
        if entry.fields_type != FIELDS_V1:
            raise ValueError("fieldsType must be `FieldsV1`")
        text = bytes(entry.fields_v1)
        fields = FieldSet.stored(text) if trusted else FieldSet.read(text)
        manager = Manager(
            entry.manager, entry.operation, "" if entry.operation == APPLY else entry.api_version, entry.subresource
        )
        managers[manager] = Owned(fields, entry.api_version, entry.time)
    return managers


def written(managers: Managers) -> tuple[ManagedFieldsEntry, ...]:
    """The entries of managers: first those who applied, then those who updated, each by time and name."""
    pairs = sorted(managers.items(), key=_order) if len(managers) > 1 else managers.items()
    return tuple(
        ManagedFieldsEntry(
            manager=manager.name,
            operation=manager.operation,
            api_version=owned.api_version,
            time=owned.time,
            fields_type=FIELDS_V1,
            fields_v1=msgspec.Raw(owned.fields.json()),
            subresource=manager.subresource,
        )
        for manager, owned in pairs
    )


def _order(pair: tuple[Manager, Owned]) -> tuple[str, float, str, str, str]:
    manager, owned = pair
    return (manager.operation, seconds(owned.time), manager.name, owned.api_version, manager.subresource)


def seconds(time: str) -> float:
    """The time for comparisons. An unknown time is before all others."""
    return parse_time(time).timestamp() if time else 0.0


def is_reset(entries: tuple[ManagedFieldsEntry, ...]) -> bool:
    """Whether a client asks to forget all managers: by one empty entry."""
    return len(entries) == 1 and entries[0] == _EMPTY


_EMPTY: Final = ManagedFieldsEntry()


def same_but_times(one: tuple[ManagedFieldsEntry, ...], other: tuple[ManagedFieldsEntry, ...]) -> bool:
    """Whether the entries differ in nothing but their times."""
    return len(one) == len(other) and all(map(_same_but_time, one, other))


def _same_but_time(one: ManagedFieldsEntry, other: ManagedFieldsEntry) -> bool:
    return (
        one.manager == other.manager
        and one.operation == other.operation
        and one.api_version == other.api_version
        and one.subresource == other.subresource
        and one.fields_v1 == other.fields_v1
    )
