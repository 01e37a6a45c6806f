"""The types of the models' fields: numbers by their size on the wire, times, quantities, choices, and their rules.

A number too large for its type is refused while a body is decoded, and accepted in stored bytes. The narrower rules of
a field are in `Meta.extra`: master/schema/models.py reads them into the tree of types.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

MAX_INT32: Final = (1 << 31) - 1
MAX_INT64: Final = (1 << 63) - 1


def choice(*values: str) -> Meta:
    """One of these texts. "", where allowed, means that the client left the field out."""
    return Meta(extra={"choice": values})


def default(value: Any) -> Meta:
    """The value that the field gets on every write if it is empty (None, "" or 0)."""
    return Meta(extra={"default": value})


def number_within(least: int, most: int = MAX_INT32, *, bits: int = 64) -> Meta:
    """A number from `least` to `most`. Its type on the wire has this many bits."""
    return Meta(extra={"within": (least, most), "bits": bits})


def form(name: str) -> Meta:
    """Text in this form, unless it is empty: the name of a function in master/schema/names.py, such as dns_label."""
    return Meta(extra={"form": name})


def inert(effect: str, *, unless: tuple[Any, ...] = ()) -> Meta:
    """A field that is stored but has no effect yet. `effect`: what it would do. Its use is answered with a warning.

    `unless`: values that need no warning, because they are the default or ask for what happens anyway. For a map: keys
    that have an effect. With it, `false` and 0 are values that may be warned about; without it, they are not.
    """
    return Meta(extra={"inert": effect, "effective": unless})


def refused(effect: str, *, values: tuple[Any, ...] = ()) -> Meta:
    """A field that cannot be carried out and is unsafe to ignore, so the API or the node refuses the pod.

    `effect`: what it would do. `values`: the refused ones; none: all. This is for documentation: the code that refuses
    is elsewhere (master/dispatch/security.py, and the strategies).
    """
    return Meta(extra={"refused": effect, "refused_values": values})


Int32 = Annotated[int, Meta(extra={"bits": 32})]
Int64 = Annotated[int, Meta(extra={"bits": 64})]
# Not negative.
Natural = Annotated[int, number_within(0, bits=32)]
Natural64 = Annotated[int, number_within(0, MAX_INT64)]
# Ids and seconds have 64 bits on the wire, but nodes support 31 bits only.
Id = Annotated[int, number_within(0)]
Seconds = Annotated[int, number_within(0)]
Positive = Annotated[int, number_within(1, bits=32)]
Port = Annotated[int, number_within(1, 65535, bits=32)]
# 0 means: no port.
PortIfAny = Annotated[int, number_within(0, 65535, bits=32)]
PortOrName = Port | Annotated[str, Meta(extra={"form": "port_name"})]
Weight = Annotated[int, number_within(1, 100, bits=32)]
# Permission bits of a file.
Mode = Annotated[int, number_within(0, 0o777, bits=32)]

# Text that may not be empty.
Required = Annotated[str, Meta(extra={"required": True})]
# RFC 3339, or empty.
Time = Annotated[str, Meta(extra={"format": "time"})]
# `500m` or `128Mi`. Clients may send a plain number, which becomes text.
Quantity = Annotated[str, Meta(extra={"format": "quantity"})]
