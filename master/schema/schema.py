"""The schema of one version of a resource: reads, writes, completes and checks its objects.

`Typed` is for kinds whose fields the master reads: their objects are typed models. `Data` (data.py) is for all others.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import replace as field_replace
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec
from msgspec.structs import replace

from master.objects.meta import ObjectMeta, with_raw_fields
from master.schema.access import TYPED
from master.schema.checks import Findings
from master.schema.defaulting import Default, Defaults
from master.schema.interning import Interner
from master.schema.models import full_struct_of, struct_of
from master.schema.plain import InterningReader, PlainReader
from master.schema.pruning import Unclean, UnknownField, WrongType, check_clean, prune
from master.schema.salvage import fitting, salvage
from master.schema.tree import Field, Struct
from master.schema.validation import Check, Checks

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)
_encode = msgspec.json.Encoder().encode
_typed_defaults, _typed_checks = Defaults(), Checks(TYPED)


def _unmanaged(obj: Any) -> Any:
    return replace(obj, metadata=replace(obj.metadata, managed_fields=()))


@dataclass(frozen=True, slots=True)
class Interned:
    """A field of a typed model whose values are interned. `attribute` is its name in the model and in JSON.

    It must be an object: its own rules are only those of its type.
    """

    attribute: str
    interner: Interner[Any]


@dataclass(frozen=True, slots=True)
class Shared:
    """The value of an object's interned field. `name` is that of the field in JSON; `rest`: the object without it and
    without its metadata.
    """

    name: str
    value: Any
    interner: Interner[Any]
    rest: Any


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

    def read_plain(self, text: bytes) -> T | None:
        """The object of a JSON text, if `read` would find no problem and no duplicate key in it. This is faster."""
        ...

    def read(self, value: Any, unknown: list[UnknownField]) -> T:
        """The object of a JSON value, without its unknown fields, which are added to `unknown`. Raises WrongType."""
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

    def value(self, obj: T) -> dict[str, Any]:
        """The JSON value of an object, without managedFields."""
        ...

    def stored_value(self, raw: bytes) -> dict[str, Any]:
        """The JSON value of stored bytes, without the parts that have a wrong type. Raises ValueError."""
        ...

    def differing(self, old: T | None, new: T, whole: Collection[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
        """The JSON values of two objects, as far as these differ: only the top-level fields that are not equal.

        The managedFields do not count. `old`: None for an object with nothing set. `whole`: top-level fields that are
        compared as a whole; if both objects have such a field, the values may be any two that differ.
        """
        ...

    def shared(self, obj: T) -> Shared | None:
        """The field of the object whose values are interned, if the schema has one."""
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
    """The schema of a typed model. `interned`: the values of one field that many objects have in common.

    The parts are made when they are first needed: the master starts sooner.
    """

    def __init__(self, model: type[S], *, interned: Interned | None = None) -> None:
        self.name = model.__name__
        self.model = model
        self.interned = interned

    @cached_property
    def tree(self) -> Struct:
        return struct_of(self.model)

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[S]:
        return msgspec.json.Decoder(self.model)

    @cached_property
    def _plain(self) -> PlainReader[S]:
        interned = self.interned
        if interned is None:
            return PlainReader(self.model)
        return InterningReader(self.model, interned.attribute, interned.interner)

    @cached_property
    def _rest(self) -> Struct:
        """The tree without the interned field."""
        if self.interned is None:
            return self.tree
        fields = {name: field for name, field in self.tree.fields.items() if field.attribute != self.interned.attribute}
        return field_replace(self.tree, fields=fields)

    @cached_property
    def _default(self) -> Default | None:
        return _typed_defaults.of(self._rest)

    @cached_property
    def _check(self) -> Check | None:
        return _typed_checks.of(self._rest)

    @cached_property
    def _empty(self) -> S:
        return self.model()

    @cached_property
    def _default_interned(self) -> Default | None:
        return _typed_defaults.of(self._field(self.interned.attribute).node) if self.interned is not None else None

    @cached_property
    def _check_interned(self) -> Check | None:
        return _typed_checks.of(self._field(self.interned.attribute).node) if self.interned is not None else None

    def _field(self, attribute: str) -> Field:
        return next(field for field in self.tree.fields.values() if field.attribute == attribute)

    @property
    def full_tree(self) -> Struct:
        return full_struct_of(self.model)

    def read_plain(self, text: bytes) -> S | None:
        return self._plain.read(text)

    def read(self, value: Any, unknown: list[UnknownField]) -> S:
        try:
            check_clean(value, self.tree)
        except Unclean:
            value = prune(value, self.tree, unknown)
        try:
            return msgspec.convert(with_raw_fields(value), self.model)
        except msgspec.ValidationError as error:
            # The tree knows all types, so this is a difference between tree and model.
            raise WrongType("", str(error)) from error

    def decode(self, raw: bytes) -> S:
        return self._decoder.decode(raw)

    def salvage(self, raw: bytes) -> S:
        return salvage(self.model, raw)

    def encode(self, obj: S) -> bytes:
        interned = self.interned
        if interned is not None and (value := getattr(obj, interned.attribute)) in interned.interner:
            text = interned.interner.result(value, _encode)
            # An empty value is left out.
            if text != b"{}":
                obj = replace(obj, **{interned.attribute: msgspec.Raw(text)})
        return _encode(obj)

    def stored_value(self, raw: bytes) -> dict[str, Any]:
        value: dict[str, Any] = msgspec.json.decode(raw)
        try:
            self._decoder.decode(raw)
        except msgspec.ValidationError:
            value = fitting(value, self.tree)
        return value

    def value(self, obj: S) -> dict[str, Any]:
        return cast(dict[str, Any], msgspec.to_builtins(_unmanaged(obj)))

    @cached_property
    def _names(self) -> dict[str, str]:
        """The fields in JSON by their attributes."""
        return {field.attribute: field.name for field in self.tree.fields.values()}

    def differing(self, old: S | None, new: S, whole: Collection[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
        if old is None:
            old = self._empty
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        wholly: list[str] = []
        for name in self.model.__struct_fields__:
            one, other = getattr(old, name), getattr(new, name)
            if one is other:
                continue
            if name == "metadata":
                one, other = replace(one, managed_fields=()), replace(other, managed_fields=())
            if one == other:
                continue
            if one and other and self._names[name] in whole:
                wholly.append(self._names[name])
            else:
                before[name], after[name] = one, other
        return (
            {**self._value_of(before), **dict.fromkeys(wholly, 0)},
            {**self._value_of(after), **dict.fromkeys(wholly, 1)},
        )

    def _value_of(self, values: dict[str, Any]) -> dict[str, Any]:
        """The JSON value of an object with these attributes only."""
        if not values:
            return self._value_of_empty
        return cast(dict[str, Any], msgspec.to_builtins(replace(self._empty, **values)))

    @cached_property
    def _value_of_empty(self) -> dict[str, Any]:
        return cast(dict[str, Any], msgspec.to_builtins(self._empty))

    def shared(self, obj: S) -> Shared | None:
        if self.interned is None:
            return None
        attribute = self.interned.attribute
        rest = replace(obj, metadata=ObjectMeta(), **{attribute: getattr(self._empty, attribute)})
        return Shared(self._names[attribute], getattr(obj, attribute), self.interned.interner, rest)

    def default(self, obj: S) -> S:
        interned = self.interned
        if interned is not None and self._default_interned is not None:
            value = getattr(obj, interned.attribute)
            new = interned.interner.changed(value, self._default_interned)
            obj = obj if new is value else replace(obj, **{interned.attribute: new})
        return obj if self._default is None else self._default(obj)

    def check(self, obj: S, findings: Findings) -> None:
        if self._check is not None:
            self._check(obj, "", findings)
        interned = self.interned
        if interned is not None and self._check_interned is not None:
            value = getattr(obj, interned.attribute)
            interned.interner.check(value, interned.attribute, self._check_interned, findings)

    def check_field(self, obj: S, attribute: str, findings: Findings) -> None:
        field = self._field(attribute)
        check = _typed_checks.of(field.node)
        if check is not None:
            check(getattr(obj, attribute), field.name, findings)
