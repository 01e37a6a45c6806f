"""Who owns which fields after a write: changed fields go to the manager who wrote, and from all others.

Pure: the times and the states of the object come from the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from master.fieldmanager.comparison import Comparison
from master.fieldmanager.fieldset import EMPTY, FieldSet
from master.fieldmanager.managers import UPDATE, Manager, Managers, Owned, seconds

MAX_UPDATERS: Final = 10
"""The managers with the operation Update that are kept. Above this number, the oldest of one version become one."""
ANCIENT: Final = "ancient-changes"
BEFORE_FIRST_APPLY: Final = "before-first-apply"
"""The manager of all fields of an object that has no managers when it is first applied."""

# Fields that no manager owns: the server sets them, or they cannot change.
UNTRACKED: Final = FieldSet.of(
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata",),
    *(
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)

Compare = Callable[[str], Comparison | None]
"""The comparison of both states in a version of the object, without fields that the request may not change. None if the
version is not served any more."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What a write takes from the managers other than the one who writes.

    `conflicts`: fields that got another value; `removed`: by version, fields that are gone. `obsolete`: managers of
    versions that are not served any more.
    """

    conflicts: dict[Manager, FieldSet]
    removed: dict[str, FieldSet]
    obsolete: frozenset[Manager]

    def taken(self, managers: Managers, writer: Manager | None) -> Managers:
        """The managers with what is left to them. Managers without fields vanish."""
        result: Managers = {}
        for manager, owned in managers.items():
            if manager in self.obsolete:
                continue
            fields = owned.fields
            if manager != writer:
                fields = fields - self.conflicts.get(manager, EMPTY) - self.removed.get(owned.api_version, EMPTY)
            if fields:
                result[manager] = owned if fields is owned.fields else Owned(fields, owned.api_version, owned.time)
        return result


def losses(managers: Managers, compare: Compare, writer: Manager | None) -> Losses:
    """What a write takes from the others. `writer`: a manager that keeps what it has."""
    conflicts: dict[Manager, FieldSet] = {}
    removed: dict[str, FieldSet] = {}
    obsolete: set[Manager] = set()
    for manager, owned in managers.items():
        if manager == writer:
            continue
        comparison = compare(owned.api_version)
        if comparison is None:
            obsolete.add(manager)
            continue
        if both := owned.fields & comparison.set:
            conflicts[manager] = both
        removed[owned.api_version] = comparison.removed
    return Losses(conflicts, removed, frozenset(obsolete))


def updated(managers: Managers, compare: Compare, writer: Manager, now: str) -> Managers:
    """The managers after an update. Without a change, nothing changes: also no time."""
    comparison = compare(writer.api_version) or Comparison()
    own = comparison.set - UNTRACKED
    result = losses(managers, compare, writer).taken(managers, writer)
    before = managers.get(writer)
    if before is not None:
        # The writer keeps what it has changed again. If that is all, its set stays the same and need not be encoded.
        fields = (before.fields - comparison.removed) | own
        result[writer] = Owned(fields, writer.api_version, now if own else before.time)
        if not fields:
            del result[writer]
    elif own:
        result[writer] = Owned(own, writer.api_version, now)
    return _capped(result)


def _capped(managers: Managers) -> Managers:
    """The managers without the oldest updaters above the limit, whose fields one manager of their version gets."""
    updaters = [manager for manager in managers if manager.operation == UPDATE]
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return managers
    result = dict(managers)
    updaters.sort(key=lambda manager: (seconds(managers[manager].time), _identifier(manager)))
    first: dict[str, Manager] = {}
    for manager in updaters:
        if excess <= 0:
            break
        version = manager.api_version
        if version not in first:
            first[version] = manager
            continue
        bucket = Manager(ANCIENT, UPDATE, version)
        owned = result.pop(manager)
        # What is in the bucket already, or the first manager, which makes it.
        older = result.pop(bucket if bucket in result else first[version])
        result[bucket] = Owned(owned.fields | older.fields, version, owned.time)
        excess -= 1
    return result


def _identifier(manager: Manager) -> tuple[str, str, str, str]:
    return manager.name, manager.operation, manager.api_version, manager.subresource
