"""The types of the models' fields: numbers by their size on the wire, times, quantities, choices.

A number too large for its type is refused while the body is decoded. master/api/constraints.py checks the narrower
rules of a field (`extra`) and reports all fields that break one in a single error.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

MAX_INT32: Final = (1 << 31) - 1
_MAX_INT64: Final = (1 << 63) - 1


def choice(*values: str) -> Meta:
    """One of these texts. "", where allowed, means that the client left the field out."""
    return Meta(extra={"choice": values})


def number_within(least: int, most: int = MAX_INT32, *, type_most: int = _MAX_INT64) -> Meta:
    """A number from `least` to `most`. Its type on the wire holds numbers up to `type_most`."""
    return Meta(ge=-type_most - 1, le=type_most, extra={"within": (least, most)})


Int32 = Annotated[int, Meta(ge=-MAX_INT32 - 1, le=MAX_INT32)]
Int64 = Annotated[int, Meta(ge=-_MAX_INT64 - 1, le=_MAX_INT64)]
# Not negative.
Natural = Annotated[int, number_within(0, type_most=MAX_INT32)]
Natural64 = Annotated[int, number_within(0, _MAX_INT64)]
# Ids and seconds have 64 bits on the wire, but nodes support 31 bits only.
Id = Annotated[int, number_within(0)]
Seconds = Annotated[int, number_within(0)]
Positive = Annotated[int, number_within(1, type_most=MAX_INT32)]
Port = Annotated[int, number_within(1, 65535, type_most=MAX_INT32)]
# 0 means: no port.
PortIfAny = Annotated[int, number_within(0, 65535, type_most=MAX_INT32)]
PortOrName = Port | Annotated[str, Meta(extra={"port_name": True})]
Weight = Annotated[int, number_within(1, 100, type_most=MAX_INT32)]
# Permission bits of a file.
Mode = Annotated[int, number_within(0, 0o777, type_most=MAX_INT32)]

# Text that may not be empty.
Required = Annotated[str, Meta(extra={"required": True})]
# RFC 3339, or empty.
Time = Annotated[str, Meta(extra={"time": True})]
# `500m` or `128Mi`. Clients may send a plain number, which the decoder turns into text.
Quantity = Annotated[str, Meta(extra={"quantity": True})]
