"""The rules of a kind for its objects: defaulting, validation, allocation, uniqueness keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from master.objects.meta import Object
from master.registry.resource import Resource
from master.schema.checks import Findings, dns_subdomain

T = TypeVar("T", bound=Object)
# Whether a uniqueness key is taken, by a stored object or by a commit in progress.
Taken = Callable[[str], bool]


class Strategy(Generic[T]):
    """The rules of a kind without rules of its own. Other kinds override what they need."""

    def name_form(self, name: str) -> str:
        """Why the name is not valid; empty if it is."""
        return dns_subdomain(name)

    def default(self, obj: T) -> T:
        """Sets fields that were left out to Kubernetes' defaults. Applied on every write."""
        return obj

    def for_create(self, obj: T, now: datetime) -> T:
        """Resets fields that a client may not set at creation, above all the status."""
        return obj

    def for_update(self, new: T, old: T, subresource: str) -> T:
        """Takes from `old` the fields that an update of this subresource ("": the object) may not change."""
        return new

    def allocate(self, obj: T, old: T | None, taken: Taken) -> T:
        """Allocates unique values that the client did not choose. Called again after a conflict."""
        return obj

    def keys(self, obj: T) -> frozenset[str]:
        """The uniqueness keys that the object holds."""
        return frozenset()

    def check(self, obj: T, old: T | None, findings: Findings) -> None:
        """Adds a finding for each problem of the object as it would be stored."""

    def check_update(self, new: T, old: T, findings: Findings) -> None:
        """Adds a finding for each change that is not allowed."""


def spec_and_status_apart(new: Object, old: Object, subresource: str) -> Object:
    """An update of the subresource status changes only the status; any other update does not change it."""
    if subresource == "status":
        return msgspec.structs.replace(old, status=new.status)  # type: ignore[attr-defined]
    return msgspec.structs.replace(new, status=old.status)  # type: ignore[attr-defined]


Strategies = dict[Resource, Strategy]  # type: ignore[type-arg]
