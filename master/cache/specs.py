"""Decodes objects whose specs came before: the objects of one template share one typed spec.

Owns the typed specs of the templates that were read last. A spec is known by its pieces (text.py) without the values
between them, such as the name of the node, which are set in a copy. Most kinds have no such pieces.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import fields, replace

from master.cache.text import Fields, Text, mark
from master.registry.resource import Resource

_SPEC: Final = b'},"spec":{'
# Templates, and specs that came only once. They may have 16 KB of text, and typed several times as much.
MOST: Final = 256


class _Template(msgspec.Struct, eq=False, gc=False):
    """`head`: what comes before the spec in its first piece. `attributes`: those of the values between the pieces."""

    head: bytes
    spec: Any
    attributes: tuple[str, ...]

    def make(self, kind: Resource[Any], text: Text, begin: int) -> Any:
        """The object of a text whose spec has the pieces of the template, from `begin` on. Raises ValueError."""
        rest = kind.decode(b"".join((*text[:begin], self.head, text[-1])))
        values = zip(self.attributes, text[begin + 1 : -1 : 2], strict=True)
        return replace(rest, spec=replace(self.spec, **{attribute: value.decode() for attribute, value in values}))


class Specs:
    """The templates of one kind."""

    def __init__(self, kind: Resource[Any]) -> None:
        self._kind = kind
        # None: the spec has come once.
        self._known: dict[tuple[bytes, ...], _Template | None] = {}

    def decode(self, text: Text) -> Any:
        """The typed object of a text; None if it has to be decoded as a whole. Raises ValueError."""
        begin = _begin(text)
        template = self._known.get(text[begin:-1:2])
        if template is None or any(b"\\" in value for value in text[begin + 1 : -1 : 2]):
            return None
        return template.make(self._kind, text, begin)

    def offer(self, text: Text, obj: Any) -> None:
        """Keeps the spec of an object that was decoded as a whole, if the pieces of the spec have come before."""
        begin = _begin(text)
        key = text[begin:-1:2]
        if key:
            self._known[key] = self._template(text, begin, obj) if key in self._known else None
            if len(self._known) > MOST:
                del self._known[next(iter(self._known))]

    def _template(self, text: Text, begin: int, obj: Any) -> _Template | None:
        """The template of an object. None if another object with these pieces may have to be read differently."""
        shared, values = text[begin:-1:2], text[begin + 1 : -1 : 2]
        names = [next(name for name in self._kind.varying if piece.endswith(mark(name))) for piece in shared[:-1]]
        # A name that occurs once, with the value that the field has, is the field's and no key of a map.
        if any(sum(piece.count(mark(name)) for piece in shared) != 1 for name in names) or not all(values):
            return None
        attributes = {field.encode_name: field.name for field in fields(obj.spec)}
        head = shared[0].partition(_SPEC)[0] + b"}"
        template = _Template(head, obj.spec, tuple(attributes[name] for name in names))
        return template if template.make(self._kind, text, begin) == obj else None


def _begin(text: Text) -> int:
    """Where the pieces of the spec begin: after the sets of fields, and what comes before each of them."""
    return 2 * sum(isinstance(piece, Fields) for piece in text)
