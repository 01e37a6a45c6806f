"""What a kind does to its objects on their way in: defaulting, validation, allocation, uniqueness keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from master.api.checks import Findings, dns_subdomain
from master.objects.kind import KindSpec
from master.objects.meta import Object

T = TypeVar("T", bound=Object)
# Whether a uniqueness key is held, by a stored object or by a commit under way.
Taken = Callable[[str], bool]


class Strategy(Generic[T]):
    """The behaviour of a kind that has no peculiarities; the others override what they need."""

    def name_form(self, name: str) -> str:
        """What is wrong with the name, or nothing."""
        return dns_subdomain(name)

    def default(self, obj: T) -> T:
        """Fills what was left out, as Kubernetes does. Applied on every write."""
        return obj

    def for_create(self, obj: T, now: datetime) -> T:
        """Drops what a client may not set at creation, its status above all."""
        return obj

    def for_update(self, new: T, old: T, subresource: str) -> T:
        """Takes from `old` what this way of updating may not change."""
        return new

    def allocate(self, obj: T, old: T | None, taken: Taken) -> T:
        """Hands out what must be unique and was not asked for. May be called again after a clash."""
        return obj

    def keys(self, obj: T) -> frozenset[str]:
        """The uniqueness keys that the object holds."""
        return frozenset()

    def check(self, obj: T, old: T | None, found: Findings) -> None:
        """What is wrong with the object as it would be stored."""

    def check_update(self, new: T, old: T, found: Findings) -> None:
        """What may not change."""


def spec_and_status_apart(new: Object, old: Object, subresource: str) -> Object:
    """An update of the status takes only the status; any other one leaves the status alone."""
    if subresource == "status":
        return msgspec.structs.replace(old, status=new.status)  # type: ignore[attr-defined]
    return msgspec.structs.replace(new, status=old.status)  # type: ignore[attr-defined]


Strategies = dict[KindSpec, Strategy]  # type: ignore[type-arg]
