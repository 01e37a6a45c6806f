"""The values that fields of the models hold: numbers by their size on the wire, times, quantities, choices.

What a number's type cannot hold is refused as the body is typed. What the type could hold and the field may not
(`extra`) is for master/api/constraints.py, which names every such field at once.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

MAX_INT32: Final = (1 << 31) - 1
_MAX_INT64: Final = (1 << 63) - 1


def choice(*values: str) -> Meta:
    """Text that is one of these; where "" is one of them, it means that nothing was chosen."""
    return Meta(extra={"choice": values})


def number_within(least: int, most: int = MAX_INT32, *, type_most: int = _MAX_INT64) -> Meta:
    """A number from `least` to `most` in a type that holds up to `type_most`."""
    return Meta(ge=-type_most - 1, le=type_most, extra={"within": (least, most)})


Int32 = Annotated[int, Meta(ge=-MAX_INT32 - 1, le=MAX_INT32)]
Int64 = Annotated[int, Meta(ge=-_MAX_INT64 - 1, le=_MAX_INT64)]
# Not negative.
Natural = Annotated[int, number_within(0, type_most=MAX_INT32)]
Natural64 = Annotated[int, number_within(0, _MAX_INT64)]
# Ids and seconds are 64 bits wide on the wire, and no node holds more than 31 of them.
Id = Annotated[int, number_within(0)]
Seconds = Annotated[int, number_within(0)]
Positive = Annotated[int, number_within(1, type_most=MAX_INT32)]
Port = Annotated[int, number_within(1, 65535, type_most=MAX_INT32)]
# 0: none.
PortIfAny = Annotated[int, number_within(0, 65535, type_most=MAX_INT32)]
PortOrName = Port | Annotated[str, Meta(extra={"port_name": True})]
Weight = Annotated[int, number_within(1, 100, type_most=MAX_INT32)]
# Permission bits of a file.
Mode = Annotated[int, number_within(0, 0o777, type_most=MAX_INT32)]

# Text that may not be empty.
Required = Annotated[str, Meta(extra={"required": True})]
# RFC 3339, or empty.
Time = Annotated[str, Meta(extra={"time": True})]
# `500m` or `128Mi`. Clients may send a plain number; the decoder makes it text.
Quantity = Annotated[str, Meta(extra={"quantity": True})]
