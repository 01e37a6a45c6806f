"""Server-side apply: merges a configuration into an object and says who owns the fields of the result.

The configuration wins over the values that the object has. What the same manager applied before and leaves out now is
removed, unless another manager owns it. Values are JSON without managedFields, in the version of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from master.fieldmanager import lastapplied
from master.fieldmanager.conflicts import Conflicts
from master.fieldmanager.fieldset import EMPTY, FieldSet
from master.fieldmanager.forms import Forms
from master.fieldmanager.managers import Manager, Managers, Owned
from master.fieldmanager.ownership import BEFORE_FIRST_APPLY, UNTRACKED, losses, updated
from master.fieldmanager.shapes import Record


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of an apply. `value` is the live value itself if nothing changes."""

    value: dict[str, Any]
    managers: Managers


@dataclass(frozen=True, slots=True)
class Application:
    """One apply: a configuration in a version, by a manager."""

    forms: Forms
    config: dict[str, Any]
    api_version: str
    manager: Manager
    now: str
    force: bool = False

    def to(self, live: dict[str, Any], managers: Managers, *, empty: dict[str, Any]) -> Applied:
        """Applies to the live value, which is `empty` for a new object.

        Raises Conflicts if the apply would take fields from others and does not force it, BadItem.
        """
        applied = self._to(live, managers, empty)
        if self.manager.name != lastapplied.MANAGER:
            return applied
        return Applied(lastapplied.renewed(applied.value, self.config), applied.managers)

    def _to(self, live: dict[str, Any], managers: Managers, empty: dict[str, Any]) -> Applied:
        if not managers:
            # The object was never tracked: one manager gets all its fields, so that the apply may conflict with them.
            before = Manager.of(BEFORE_FIRST_APPLY, "Update", self.api_version, self.manager.subresource)
            managers = updated({}, self.forms.comparing(empty, live), before, self.now)
        shape = self.forms.versions[self.api_version].shape
        fields = FieldSet(shape.named(self.config, unique=True) or {}).without(self.forms.reset)
        own = fields - UNTRACKED
        previous = managers.get(self.manager)
        # Mostly the same fields as before, with other values: nothing is removed, and the text of the set is known.
        same = previous is not None and previous.api_version == self.api_version and previous.fields == own
        managers = {**managers, self.manager: Owned(fields, self.api_version, previous.time if previous else "")}
        merged = shape.merge(live, self.config)
        if previous is not None and not same:
            merged = self._pruned(merged, previous, managers)
        comparing = self.forms.comparing(live, merged)
        lost = losses(managers, comparing, self.manager)
        if lost.conflicts and not self.force:
            self._refuse(lost.conflicts, live)
        result = lost.taken(managers, self.manager)
        changed = merged is not live and merged != live
        if own:
            kept = previous.fields if previous is not None and same else own
            result[self.manager] = Owned(kept, self.api_version, self.now if changed else managers[self.manager].time)
        else:
            result.pop(self.manager, None)
        return Applied(merged if changed else live, result)

    def _refuse(self, conflicts: Mapping[Manager, FieldSet], live: dict[str, Any]) -> None:
        """Raises Conflicts, unless client-side apply allows them all."""
        if self.manager.name == lastapplied.MANAGER:
            allowed = lastapplied.allowed(self.forms.versions[self.api_version], self.api_version, live)
            conflicts = {manager: left for manager, fields in conflicts.items() if (left := fields - allowed)}
        if conflicts:
            raise Conflicts.of(conflicts)

    def _pruned(self, merged: dict[str, Any], previous: Owned, managers: Managers) -> dict[str, Any]:
        """The merged value without what the manager applied before and no manager owns now."""
        form, shape = self.forms.versions.get(previous.api_version), self.forms.versions[self.api_version].shape
        # Every field that the manager still names is kept, so only the fields that it left out count. Sets of versions
        # with different types name the same fields differently.
        if form is None or form.shape is not shape or not previous.fields - managers[self.manager].fields:
            return merged
        last = shape.spelled(previous.fields.node)
        pruned = shape.remove(merged, last) or {}
        owned = _by_version(managers)
        for version, fields in owned.items():
            if self.forms.has_shape(version, shape):
                pruned = self._restored(merged, pruned, shape, fields)
        gone = FieldSet(_spelled(shape, merged)) - FieldSet(_spelled(shape, pruned))
        result = shape.remove(merged, (gone & FieldSet(last)).node) or {}
        others = {version: fields for version, fields in owned.items() if not self.forms.has_shape(version, shape)}
        return merged if self._would_lose(merged, result, others) else result

    def _would_lose(self, before: dict[str, Any], after: dict[str, Any], owned: Mapping[str, FieldSet]) -> bool:
        """Whether managers of versions with other types own something that is only in the value before."""
        comparing = self.forms.comparing(before, after)
        return any(
            (comparison := comparing(version)) is not None and fields & comparison.removed
            for version, fields in owned.items()
        )

    def _restored(
        self, merged: dict[str, Any], pruned: dict[str, Any], shape: Record, owned: FieldSet
    ) -> dict[str, Any]:
        """The pruned value with what was removed although a manager owns it."""
        kept = FieldSet(_spelled(shape, pruned)) | FieldSet(shape.spelled(owned.node))
        return shape.remove(merged, (FieldSet(_spelled(shape, merged)) - kept).node) or {}


def _spelled(shape: Record, value: dict[str, Any]) -> dict[str, Any]:
    return shape.spelled(shape.named(value) or {})


def _by_version(managers: Managers) -> dict[str, FieldSet]:
    """What all managers together own, by version."""
    owned: dict[str, FieldSet] = {}
    for each in managers.values():
        owned[each.api_version] = owned.get(each.api_version, EMPTY) | each.fields
    return owned
