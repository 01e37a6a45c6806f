"""The rules of a resource for its objects: defaults, validation, allocation, uniqueness keys."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, Protocol, TypeVar

from msgspec.structs import replace

from master.objects.meta import Object
from master.schema.cause import Cause
from master.schema.checks import Findings
from master.schema.names import dns_subdomain

T = TypeVar("T", bound=Object)


class Keyspace(Protocol):
    """The uniqueness keys (`/unique/...`) of the cluster."""

    def holder(self, key: str) -> bytes | None:
        """The object that holds the key as of the last commit, as `<plural>/<namespace>/<name>`; None if it is free."""
        ...

    def taken(self, key: str) -> bool:
        """Whether the key has a holder, or is about to get one by a commit in progress."""
        ...


class Strategy(Generic[T]):
    """The rules of a resource without rules of its own. Others override what they need."""

    def name_form(self, name: str) -> str:
        """Why the name is not valid; empty if it is."""
        return dns_subdomain(name)

    def default(self, obj: T) -> T:
        """Sets defaults that depend on other fields. Applied on every write, after the schema's declared defaults."""
        return obj

    def for_create(self, obj: T, now: datetime) -> T:
        """Resets fields that a client may not set at creation, above all the status."""
        return obj

    def for_update(self, new: T, old: T, now: datetime) -> T:
        """Takes from `old` the fields that an update of the object may not change, above all the status."""
        return new

    def allocate(self, obj: T, old: T | None, keyspace: Keyspace) -> T:
        """Allocates unique values that the client did not choose. Called again after a conflict."""
        return obj

    def keys(self, obj: T) -> frozenset[str]:
        """The uniqueness keys that the object holds."""
        return frozenset()

    def key_taken(self, obj: T, key: str, holder: str) -> Cause:
        """The error for a uniqueness key that another object holds."""
        return Cause("FieldValueDuplicate", f"Duplicate value: {key.rpartition('/')[2]}: held by {holder}")

    def check(self, obj: T, old: T | None, findings: Findings, keyspace: Keyspace) -> None:
        """Adds a finding for each problem of the object as it would be stored."""

    def check_update(self, new: T, old: T, findings: Findings) -> None:
        """Adds a finding for each change that is not allowed."""

    def moves_generation(self, new: T, old: T) -> bool:
        """Whether the desired state has changed: any field except metadata and status."""
        return any(
            getattr(new, name) != getattr(old, name)
            for name in new.__struct_fields__
            if name not in ("api_version", "kind", "metadata", "status")
        )


class StatusStrategy(Strategy[T]):
    """The rules of a resource whose status is empty at creation, and is written only by its subresource."""

    def for_create(self, obj: T, now: datetime) -> T:
        # The status of an object that has nothing.
        return keep_status(obj, type(obj)())

    def for_update(self, new: T, old: T, now: datetime) -> T:
        return keep_status(new, old)


def keep_status(new: T, old: T) -> T:
    """The new object with the old one's status, which only the subresource status may change."""
    return replace(new, status=old.status)  # type: ignore[attr-defined]
