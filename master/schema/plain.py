"""Reads the JSON of a typed model in C, if the text is plain.

Plain text needs no closer look: it has only fields of the type, each of them once, and only values that `prune` would
leave as they are. Nearly all bodies are plain. For any other text, pruning.py has the last word. If a kind declares an
interned field, its value need not be decoded again when the same text comes again.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from master.schema.interning import Interner
from master.schema.strict import strict

S = TypeVar("S", bound=msgspec.Struct)
_encode = msgspec.json.Encoder().encode


def keys_are_unique(text: bytes, value: Any) -> bool:
    """Whether no key of the text was dropped when it became `value`. If not, one may occur twice.

    Each key has a colon after it. If the value, encoded again, has as many, no key was dropped. A colon may also be
    written as an escape, which few programs do: such texts count as not unique.
    """
    # One byte is found faster than two, and most texts have no escapes at all.
    return text.count(b":") == _encode(value).count(b":") and (b"\\" not in text or b"\\u" not in text)


class PlainReader(Generic[S]):
    """Reads one model."""

    def __init__(self, model: type[S]) -> None:
        self._strict = msgspec.json.Decoder(strict(model))
        self._decoder = msgspec.json.Decoder(model)

    def read(self, text: bytes) -> S | None:
        """The object, or None if the text is not plain."""
        try:
            return self._decoder.decode(text) if keys_are_unique(text, self._strict.decode(text)) else None
        except (ValueError, RecursionError):
            return None


class InterningReader(PlainReader[S]):
    """Reads a model that has an interned field. If the field's value is known, only the rest is decoded."""

    def __init__(self, model: type[S], attribute: str, interner: Interner[Any]) -> None:
        super().__init__(model)
        self._model = model
        self._attribute = attribute
        self._interner = interner
        self._strict_rest = msgspec.json.Decoder(_with_raw(strict(model), attribute, forbid_unknown_fields=True))
        self._rest = msgspec.json.Decoder(_with_raw(model, attribute))
        self._others = [name for name in model.__struct_fields__ if name != attribute]

    def read(self, text: bytes) -> S | None:
        try:
            rest = self._strict_rest.decode(text)
        except (ValueError, RecursionError):
            return None
        raw = getattr(rest, self._attribute)
        if raw is msgspec.UNSET:
            return super().read(text)
        part = bytes(raw)
        value = self._interner.find(part)
        if value is None:
            obj = super().read(text)
            if obj is not None:
                self._interner.offer(part, getattr(obj, self._attribute))
            return obj
        # The encoded rest contains the part as it is, and the part was plain when it was interned.
        if not keys_are_unique(text, rest):
            return None
        try:
            rest = self._rest.decode(text)
        except ValueError:
            return None
        return self._model(**{self._attribute: value}, **{name: getattr(rest, name) for name in self._others})


def _with_raw(model: type[msgspec.Struct], attribute: str, **options: Any) -> type[msgspec.Struct]:
    """A copy of a model that keeps the text of one field."""
    fields: list[Any] = []
    for each in msgspec.structs.fields(model):
        if each.name == attribute:
            fields.append((each.name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET))
        elif each.default_factory is not msgspec.NODEFAULT:
            fields.append((each.name, each.type, msgspec.field(default_factory=each.default_factory)))
        else:
            fields.append((each.name, each.type, each.default))
    names = {each.name: each.encode_name for each in msgspec.structs.fields(model)}
    return msgspec.defstruct(f"{model.__name__}Rest", fields, rename=names, gc=False, **options)
