"""Keeps `metadata.managedFields` of the objects that the pipeline writes.

The fields that a write changes go to the manager of the request. Writes without a manager, and objects that nobody has
tracked so far, are left alone. So are objects with a list whose items lack their keys: as in Kubernetes, the write
succeeds, and the entries stay as they were. An apply brings its own entries, which master/api/rest/applies.py computes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from master.api.pipeline.request import Request
from master.fieldmanager import managers
from master.fieldmanager.build import Shapes
from master.fieldmanager.comparison import Comparison
from master.fieldmanager.fieldset import EMPTY, FieldSet, Path
from master.fieldmanager.forms import Form, Forms, compare
from master.fieldmanager.managers import APPLY, FIELDS_V1, UPDATE, Manager
from master.fieldmanager.newsets import NewSets
from master.fieldmanager.ownership import updated
from master.fieldmanager.shapes import BadItem, Record
from master.objects.meta import ManagedFieldsEntry, ObjectMeta, timestamp
from master.registry.resource import Resource, Version
from master.registry.subresource import Part
from master.schema.schema import Schema
from master.schema.tree import Struct

Entries = tuple[ManagedFieldsEntry, ...]
Convert = Callable[[dict[str, Any]], dict[str, Any]]
_STATUS: Final = FieldSet.of(("f:status",))


class Ownership:
    """Knows the shapes of all kinds."""

    def __init__(self) -> None:
        self._shapes = Shapes()
        self._new = NewSets()

    def forms(self, resource: Resource[Any], version: Version, reset: FieldSet) -> Forms:
        """The versions of a kind for values in the given one. `reset`: fields that the request may not change."""
        served: dict[str, Form] = {}
        for each in resource.versions:
            shape = self._shapes.of(each.schema.full_tree)
            if each.schema is version.schema:
                served[resource.version_of(each)] = Form(shape)
            elif each.from_stored is not None:
                convert = partial(_converted, version.to_stored, each.from_stored)
                served[resource.version_of(each)] = Form(shape, convert)
        return Forms(served, reset)

    def created(self, request: Request, obj: Any, now: datetime) -> Entries:
        """The entries of a new object, which has those that the client has sent, if any."""
        sent: Entries = obj.metadata.managed_fields
        if request.operation == APPLY:
            return sent
        if not request.manager:
            return ()
        kept = requested(sent, ())
        reset = main_reset(request.resource)
        if kept:
            return self._updated(request, None, obj, kept, now, reset)
        schema = request.resource.schema
        try:
            text = self._new.json(self._texts(schema, obj, reset))
        except BadItem:
            return ()
        return (_entry(request, text, obj.metadata.creation_timestamp),) if text else ()

    def _texts(self, schema: Schema[Any], obj: Any, reset: FieldSet) -> dict[str, bytes]:
        """The sets of a new object's top-level fields. The set of an interned one is kept with its value."""
        shape, shared = self._shapes.of(schema.full_tree), schema.shared(obj)
        if shared is None:
            rest = replace(obj, metadata=ObjectMeta())
            texts = self._new.texts(shape, *schema.differing(None, rest, shape.atoms), reset)
        else:
            texts = self._new.texts(shape, *schema.differing(None, shared.rest), reset)
            texts[shared.name] = shared.interner.result(shared.value, self._shared_text, shape, shared.name)
        texts["metadata"] = self._new.metadata(shape, obj.metadata)
        return texts

    def _shared_text(self, value: Any, shape: Record, name: str) -> bytes:
        return self._new.text(shape, name, {name: msgspec.to_builtins(type(value)())}, msgspec.to_builtins(value))

    def changed(self, request: Request, old: Any, new: Any, now: datetime) -> Entries:
        """The entries after an update. `new` has those from before, or others that the client has set."""
        before: Entries = new.metadata.managed_fields
        if request.operation == APPLY or not request.manager or not before:
            return before
        return self._updated(request, old, new, before, now, EMPTY)

    def of_part(self, request: Request, old: Any, new: Any, changed: Any, now: datetime) -> Entries:
        """The entries after the change of a part. `changed` is the client's object: an apply brings its entries."""
        if request.operation == APPLY:
            sent: Entries = changed.metadata.managed_fields
            return sent
        return self.changed(request, old, with_entries(new, old.metadata.managed_fields), now)

    def _updated(
        self, request: Request, old: Any | None, new: Any, before: Entries, now: datetime, reset: FieldSet
    ) -> Entries:
        writer = Manager.of(request.manager, UPDATE, _written_as(request), request.subresource)
        compare_in = self._comparing(request.resource, old, new, reset)
        try:
            after = updated(managers.read(before, trusted=True), compare_in, writer, timestamp(now))
        except BadItem:
            return before
        return managers.written(after)

    def _comparing(
        self, resource: Resource[Any], old: Any | None, new: Any, reset: FieldSet
    ) -> Callable[[str], Comparison | None]:
        """Compares in the stored version by the top-level fields that differ; in others, by the whole objects."""
        made: dict[str, Comparison | None] = {}

        def compare_in(version: str) -> Comparison | None:
            if version not in made:
                made[version] = self._comparison(resource, version, old, new, reset)
            return made[version]

        return compare_in

    def _comparison(
        self, resource: Resource[Any], version: str, old: Any | None, new: Any, reset: FieldSet
    ) -> Comparison | None:
        schema = resource.schema
        if version == resource.api_version:
            shape = self._shapes.of(schema.full_tree)
            return compare(shape, *schema.differing(old, new, shape.atoms)).without(reset)
        served = next((each for each in resource.served if resource.version_of(each) == version), None)
        convert = served.from_stored if served is not None else None
        if served is None or convert is None:
            return None
        before = convert(schema.value(old)) if old is not None else {}
        after = convert(schema.value(new))
        return compare(self._shapes.of(served.schema.full_tree), before, after).without(reset)


def with_entries(obj: Any, entries: Entries) -> Any:
    """The object with these managedFields."""
    if obj.metadata.managed_fields is entries:
        return obj
    return replace(obj, metadata=replace(obj.metadata, managed_fields=entries))


def unchanged(new: Any, old: Any) -> bool:
    """Whether two states of an object are equal. The times in managedFields alone are not worth a write."""
    if new == old:
        return True
    entries, before = new.metadata.managed_fields, old.metadata.managed_fields
    return managers.same_but_times(entries, before) and with_entries(new, before) == old


def _converted(to_stored: Convert, from_stored: Convert, value: dict[str, Any]) -> dict[str, Any]:
    """A value in one version, made from one in another."""
    return from_stored(to_stored(value))


def _entry(request: Request, text: bytes, time: str) -> ManagedFieldsEntry:
    return ManagedFieldsEntry(
        manager=request.manager,
        operation=UPDATE,
        api_version=_written_as(request),
        time=time,
        fields_type=FIELDS_V1,
        fields_v1=msgspec.Raw(text),
        subresource=request.subresource,
    )


def _written_as(request: Request) -> str:
    return request.api_version or request.resource.api_version


def main_reset(resource: Resource[Any]) -> FieldSet:
    """What a write of the object itself may not change: its status, if that is a subresource."""
    return _STATUS if resource.subresource("status") is not None else EMPTY


@lru_cache(maxsize=256)
def part_reset(resource: Resource[Any], part: Part) -> FieldSet:
    """What a write of a part may not change: all other fields."""
    fields = resource.schema.tree.fields
    paths: list[Path] = [(f"f:{name}",) for name in fields if name not in (part.attribute, "metadata")]
    metadata = fields["metadata"].node
    if part.metadata and isinstance(metadata, Struct):
        paths += [("f:metadata", f"f:{name}") for name in metadata.fields if name not in part.metadata]
    else:
        paths.append(("f:metadata",))
    return FieldSet.of(*paths)


def requested(sent: Entries, before: Entries) -> Entries:
    """The entries with which an update begins: the client's, if it has sent valid ones, or those from before.

    A client can change the entries, and forget them all by a single empty one. Clients that do not know them leave
    them out, which changes nothing.
    """
    if not sent or sent == before:
        return before
    if managers.is_reset(sent):
        return ()
    try:
        return managers.written(managers.read(sent))
    except (ValueError, RecursionError):
        return before
