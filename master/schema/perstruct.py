"""Functions that are made for types, once for each. A type may contain itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from master.schema.tree import Struct

F = TypeVar("F")


class PerStruct(Generic[F]):
    """Makes functions for structs. None: no function is needed.

    `make(struct)` makes one, and may ask for those of the types in it. While it does, a type that contains itself gets
    `late(find)`: a function that calls `find` for the finished one when it is called itself.
    """

    def __init__(self, make: Callable[[Struct], F | None], late: Callable[[Callable[[], F | None]], F]) -> None:
        self._make = make
        self._late = late
        # By identity. The struct is kept, so that its identity is not given to another one.
        self._made: dict[int, tuple[Struct, F | None]] = {}

    def of(self, struct: Struct) -> F | None:
        """The function for a struct."""
        key = id(struct)
        if key not in self._made:
            self._made[key] = struct, self._late(lambda: self._made[key][1])
            self._made[key] = struct, self._make(struct)
        return self._made[key][1]


def late_value(find: Callable[[], Callable[[Any], Any] | None]) -> Callable[[Any], Any]:
    """The `late` of functions that return the value itself or another one."""

    def call(value: Any) -> Any:
        made = find()
        return value if made is None else made(value)

    return call
