"""How pods and other objects are named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

PodUid = NewType("PodUid", str)


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """Namespace and name of an object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
