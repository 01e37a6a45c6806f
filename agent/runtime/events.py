"""Events of the engine: values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EventKind(StrEnum):
    """Kinds of the engine's events."""

    CREATED = "create"
    STARTED = "start"
    DIED = "die"
    DESTROYED = "destroy"
    IMAGES_CHANGED = "images-changed"


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """An event of the engine; `id` is a container's, or an image's for IMAGES_CHANGED."""

    kind: EventKind
    id: str
    at: float
    labels: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    oom_killed: bool = False
    """As known at that time; an inspection may show True later."""
