"""The schema of one version of a resource: reads, writes, completes and checks its objects.

`Typed` is for kinds whose fields the master reads: their objects are typed models. `Untyped` is for all others, whose
types are data (facts.py) or a custom resource's schema (openapi.py): of their objects only the metadata is typed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as field_replace
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from master.objects.meta import Object, ObjectMeta
from master.schema.access import JSON, TYPED
from master.schema.checks import Findings
from master.schema.completion import completed
from master.schema.defaulting import Defaults
from master.schema.facts import facts
from master.schema.models import full_struct_of, struct_of
from master.schema.pruning import Unclean, UnknownField, WrongType, check_clean, prune
from master.schema.salvage import fitting, salvage
from master.schema.storedform import Form, StoredForms
from master.schema.strict import strict
from master.schema.tree import Field, Struct, Text
from master.schema.validation import Checks

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)
_encode = msgspec.json.Encoder().encode
_typed_defaults, _typed_checks = Defaults(), Checks(TYPED)


class Schema(Protocol[T]):
    """What the API needs to know of one version of a resource."""

    name: str

    @property
    def tree(self) -> Struct:
        """The types of the whole object, for reading and checking it."""
        ...

    @property
    def full_tree(self) -> Struct:
        """The same with protobuf numbers, merge keys and list types. Made when it is first needed."""
        ...

    def read(self, value: Any, unknown: list[UnknownField], text: bytes = b"") -> T:
        """The object of a JSON value, without its unknown fields, which are added to `unknown`. Raises WrongType.

        `text`: the JSON of the value, if there is one, which is faster to read.
        """
        ...

    def decode(self, raw: bytes) -> T:
        """The object of stored bytes. Lenient: ignores unknown fields and rules. Raises ValueError."""
        ...

    def salvage(self, raw: bytes) -> T:
        """Like `decode`, without the values that have a wrong type. Raises ValueError if nothing can be read."""
        ...

    def encode(self, obj: T) -> bytes:
        """The JSON of an object. apiVersion and kind come first."""
        ...

    def default(self, obj: T) -> T:
        """The object with the declared defaults."""
        ...

    def check(self, obj: T, findings: Findings) -> None:
        """Adds a finding for each field that breaks a declared rule."""
        ...

    def check_field(self, obj: T, attribute: str, findings: Findings) -> None:
        """Like `check`, for one top-level field."""
        ...


class Typed(Generic[S]):
    """The schema of a typed model."""

    def __init__(self, model: type[S]) -> None:
        self.name = model.__name__
        self.model = model
        self.tree = struct_of(model)
        self._decoder = msgspec.json.Decoder(model)
        self._strict = msgspec.json.Decoder(strict(model))
        self._default = _typed_defaults.of(self.tree)
        self._check = _typed_checks.of(self.tree)

    @property
    def full_tree(self) -> Struct:
        return full_struct_of(self.model)

    def read(self, value: Any, unknown: list[UnknownField], text: bytes = b"") -> S:
        try:
            if text:
                self._strict.decode(text)
                return self._decoder.decode(text)
        except msgspec.DecodeError:
            # A closer look finds the path and the problem, if there is one.
            pass
        try:
            check_clean(value, self.tree)
        except Unclean:
            value = prune(value, self.tree, unknown)
        try:
            return msgspec.convert(value, self.model)
        except msgspec.ValidationError as error:
            # The tree knows all types, so this is a difference between tree and model.
            raise WrongType("", str(error)) from error

    def decode(self, raw: bytes) -> S:
        return self._decoder.decode(raw)

    def salvage(self, raw: bytes) -> S:
        return salvage(self.model, raw)

    def encode(self, obj: S) -> bytes:
        return _encode(obj)

    def default(self, obj: S) -> S:
        return obj if self._default is None else self._default(obj)

    def check(self, obj: S, findings: Findings) -> None:
        if self._check is not None:
            self._check(obj, "", findings)

    def check_field(self, obj: S, attribute: str, findings: Findings) -> None:
        field = next(field for field in self.tree.fields.values() if field.attribute == attribute)
        check = _typed_checks.of(field.node)
        if check is not None:
            check(getattr(obj, attribute), field.name, findings)


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
    most clusters have objects of few.
    """

    def __init__(self, name: str, tree: Struct | Callable[[], Struct]) -> None:
        self.name = name
        self._source = tree

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

    def read(self, value: Any, unknown: list[UnknownField], text: bytes = b"") -> Untyped:
        try:
            check_clean(value, self.tree)
        except Unclean:
            value = prune(value, self.tree, unknown)
        try:
            return self._of(value)
        except msgspec.ValidationError as error:
            raise WrongType("", str(error)) from error

    def _of(self, value: dict[str, Any]) -> Untyped:
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
