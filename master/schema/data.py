"""The schema of kinds whose fields the master does not read: their types are data, and their objects `Untyped`.

The types come from the facts (facts.py) or from a custom resource's schema (openapi.py). Only the metadata is typed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace as field_replace
from functools import cached_property
from typing import Any

import msgspec
from msgspec.structs import replace

from master.objects.meta import Object, ObjectMeta, with_raw_fields
from master.schema.access import JSON
from master.schema.checks import Findings
from master.schema.completion import completed
from master.schema.facts import facts
from master.schema.models import struct_of
from master.schema.pruning import Unclean, UnknownField, WrongType, check_clean, prune
from master.schema.salvage import fitting
from master.schema.schema import Shared
from master.schema.storedform import Form, StoredForms
from master.schema.tree import Field, Struct, Text
from master.schema.validation import Checks

_encode = msgspec.json.Encoder().encode


class Untyped(Object, frozen=True, kw_only=True):
    """An object of a kind whose fields the master does not read. `content`: all fields but the base's, as JSON."""

    content: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def spec(self) -> dict[str, Any]:
        """The desired state; empty if there is none."""
        spec: dict[str, Any] = self.content.get("spec") or {}
        return spec

    @property
    def status(self) -> Any:
        return self.content.get("status")


_BASE = ("apiVersion", "kind", "metadata")


class Data:
    """The schema of a kind that is only data. Its metadata is always ObjectMeta.

    `tree` describes the whole object, or makes that description when it is first needed: there are many such kinds, and
    most clusters have objects of few. `always`: top-level objects that are there even if nothing in them is set.
    """

    def __init__(self, name: str, tree: Struct | Callable[[], Struct], *, always: tuple[str, ...] = ()) -> None:
        self.name = name
        self._source = tree
        self._always = always

    @cached_property
    def tree(self) -> Struct:
        source = self._source if isinstance(self._source, Struct) else self._source()
        metadata = source.fields.get("metadata", Field("metadata", Text()))
        base = {
            **{name: Field(name, Text(), attribute=name) for name in ("apiVersion", "kind")},
            "metadata": field_replace(metadata, node=struct_of(ObjectMeta), attribute="metadata", required=False),
        }
        fields = {**base, **{name: field for name, field in source.fields.items() if name not in _BASE}}
        return field_replace(source, fields=fields)

    @cached_property
    def full_tree(self) -> Struct:
        metadata = self.tree.fields["metadata"]
        full = completed(struct_of(ObjectMeta), "meta.v1.ObjectMeta", facts())
        return field_replace(self.tree, fields={**self.tree.fields, "metadata": field_replace(metadata, node=full)})

    @cached_property
    def _content(self) -> Struct:
        """All fields but the base's. Defaults and checks are found by its identity, so it lives as long as they do."""
        fields = {name: field for name, field in self.tree.fields.items() if name not in _BASE}
        return field_replace(self.tree, fields=fields)

    @cached_property
    def _form(self) -> Form | None:
        return StoredForms().of(self._content)

    @cached_property
    def _checks(self) -> Checks:
        return Checks(JSON)

    def read_plain(self, text: bytes) -> None:
        """None, because types that are data are checked in Python."""

    def read(self, value: Any, unknown: list[UnknownField]) -> Untyped:
        try:
            check_clean(value, self.tree)
        except Unclean:
            value = prune(value, self.tree, unknown)
        try:
            return self._of(value)
        except msgspec.ValidationError as error:
            raise WrongType("", str(error)) from error

    def _of(self, value: dict[str, Any]) -> Untyped:
        value = with_raw_fields(value)
        return Untyped(
            api_version=value.get("apiVersion", ""),
            kind=value.get("kind", ""),
            metadata=msgspec.convert(value.get("metadata", {}), ObjectMeta),
            content={name: inner for name, inner in value.items() if name not in _BASE},
        )

    def decode(self, raw: bytes) -> Untyped:
        value = msgspec.json.decode(raw)
        if not isinstance(value, dict):
            raise msgspec.ValidationError("Expected `object`")
        return self._of(value)

    def salvage(self, raw: bytes) -> Untyped:
        value = fitting(msgspec.json.decode(raw), self.tree)
        if value is None:
            raise msgspec.ValidationError("Expected `object`")
        return self._of(value)

    def encode(self, obj: Untyped) -> bytes:
        return _encode({"apiVersion": obj.api_version, "kind": obj.kind, "metadata": obj.metadata, **obj.content})

    def stored_value(self, raw: bytes) -> dict[str, Any]:
        value: dict[str, Any] = msgspec.json.decode(raw)
        try:
            check_clean(value, self.tree)
        except Unclean:
            value = fitting(value, self.tree)
        return value

    def value(self, obj: Untyped) -> dict[str, Any]:
        base = {"apiVersion": obj.api_version, "kind": obj.kind}
        return {**base, "metadata": msgspec.to_builtins(replace(obj.metadata, managed_fields=())), **obj.content}

    def differing(
        self, old: Untyped | None, new: Untyped, whole: Collection[str] = ()
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        after = self.value(new)
        before = {name: {} for name in ("metadata", *self._always)} if old is None else self.value(old)
        return (
            {name: value for name, value in before.items() if name not in after or after[name] != value},
            {name: value for name, value in after.items() if name not in before or before[name] != value},
        )

    def shared(self, obj: Untyped) -> Shared | None:
        return None

    def default(self, obj: Untyped) -> Untyped:
        return obj if self._form is None else replace(obj, content=self._form(obj.content))

    def check(self, obj: Untyped, findings: Findings) -> None:
        check = self._checks.of(self._content)
        if check is not None:
            check(obj.content, "", findings)

    def check_field(self, obj: Untyped, attribute: str, findings: Findings) -> None:
        field = self.tree.fields.get(attribute)
        check = self._checks.of(field.node) if field is not None else None
        if check is not None and attribute in obj.content:
            check(obj.content[attribute], attribute, findings)
